//! Certificates out of a file: all that the library's reader finds in it.
//!
//! The system's bundle has some 140 certificates in 0.2 MB, all of one plain shape: lines of base64 between two lines
//! that say what it is. Reading that costs the library two thirds of a cold `get`'s instructions; here it is read piece
//! by piece, and decoded by a faster decoder. Whatever is not of the plain shape, be it other PEM, a broken certificate's
//! base64 or an end that is missing, goes to the library whole. A property holds the two against each other.
//! Certificates are taken apart and checked by webpki in both.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// How much is read at once; no line of the plain shape is longer.
const PIECE: usize = 16 << 10;

/// The most base64 that a certificate of the plain shape may have.
const LARGEST_CERTIFICATE: usize = 64 << 10;

/// A line that begins like this begins a section for the library's reader.
const BEGINS: &[u8] = b"-----BEGIN ";
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
const END: &[u8] = b"-----END CERTIFICATE-----";

/// Adds the certificates in `file` that can be used, and says how many there were: bundles hold certificates that
/// webpki cannot parse, and one of these does not spoil the others. No more than `limit` bytes are read.
///
/// # Errors
/// The file cannot be read.
pub(super) fn add(store: &mut RootCertStore, file: &mut File, limit: u64) -> io::Result<usize> {
    let before = store.roots.len();
    let plain = add_plain(store, &mut file.take(limit));
    if let Ok(Some(added)) = plain {
        return Ok(added);
    }
    store.roots.truncate(before);
    plain?;
    file.rewind()?;
    let mut pem = Vec::new();
    file.take(limit).read_to_end(&mut pem)?;
    Ok(add_any(store, &pem))
}

fn add_any(store: &mut RootCertStore, pem: &[u8]) -> usize {
    let certificates = CertificateDer::pem_slice_iter(pem).flatten();
    store.add_parsable_certificates(certificates).0
}

/// `None` where something is not of the plain shape; what was added until then is to be taken out again.
fn add_plain(store: &mut RootCertStore, from: &mut impl Read) -> io::Result<Option<usize>> {
    let mut reader = Plain { store, section: None, der: vec![0; 4096], added: 0 };
    let mut lines = BufReader::with_capacity(PIECE, from);
    let mut line = Vec::with_capacity(128);
    loop {
        line.clear();
        if lines.by_ref().take(PIECE as u64).read_until(b'\n', &mut line)? == 0 {
            return Ok(reader.section.is_none().then_some(reader.added));
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        // For the library's reader a carriage return ends a line too.
        let is_plain = text.len() < PIECE && !text.contains(&b'\r');
        if !is_plain || reader.line(text).is_none() {
            return Ok(None);
        }
    }
}

struct Plain<'a> {
    store: &'a mut RootCertStore,
    /// The base64 of the certificate that has begun.
    section: Option<Vec<u8>>,
    /// Room for a certificate.
    der: Vec<u8>,
    added: usize,
}

impl Plain<'_> {
    fn line(&mut self, line: &[u8]) -> Option<()> {
        match &mut self.section {
            None if line == BEGIN => self.section = Some(Vec::with_capacity(4096)),
            None if line.starts_with(BEGINS) => return None,
            // Bundles have comments between their certificates.
            None => {}
            Some(base64) if line == END => {
                let room = base64::decoded_len_estimate(base64.len());
                if self.der.len() < room {
                    self.der.resize(room, 0);
                }
                let length = STANDARD.decode_slice(&base64, &mut self.der).ok()?;
                let certificate = CertificateDer::from(self.der.get(..length)?);
                self.added += self.store.add_parsable_certificates([certificate]).0;
                self.section = None;
            }
            // The decoder refuses what is no base64: another line with hyphens, blanks, padding in the middle.
            Some(base64) if base64.len() + line.len() <= LARGEST_CERTIFICATE => base64.extend_from_slice(line),
            Some(_) => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};

    use super::*;

    fn authority(name: &str) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // The same name twice is another certificate of the same subject: both are kept.
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem().replace("\r\n", "\n")
    }

    fn plain(pem: &[u8]) -> Option<(usize, RootCertStore)> {
        let mut store = RootCertStore::empty();
        add_plain(&mut store, &mut &*pem).unwrap().map(|added| (added, store))
    }

    fn any_shape(pem: &[u8]) -> (usize, RootCertStore) {
        let mut store = RootCertStore::empty();
        (add_any(&mut store, pem), store)
    }

    fn from_file(pem: &[u8]) -> (usize, RootCertStore) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(pem).unwrap();
        file.rewind().unwrap();
        let mut store = RootCertStore::empty();
        (add(&mut store, &mut file, 1 << 20).unwrap(), store)
    }

    fn same(one: &(usize, RootCertStore), other: &(usize, RootCertStore)) -> bool {
        one.0 == other.0 && one.1.roots == other.1.roots
    }

    #[test]
    fn a_bundle_with_comments_is_of_the_plain_shape_across_the_pieces_it_is_read_in() {
        let bundle: String =
            (0..40).map(|n| format!("# root {n}\n\n{}", authority(&format!("root {}", n / 2)))).collect();
        assert!(bundle.len() > PIECE);
        let read = plain(bundle.as_bytes()).unwrap();
        assert_eq!(read.0, 40, "two of each name");
        assert!(same(&read, &any_shape(bundle.as_bytes())) && same(&read, &from_file(bundle.as_bytes())));
    }

    #[test]
    fn the_systems_bundle_is_of_the_plain_shape() {
        let Ok(bundle) = std::fs::read("/etc/ssl/certs/ca-certificates.crt") else { return };
        assert!(same(&plain(&bundle).unwrap(), &any_shape(&bundle)));
    }

    #[test]
    fn what_is_broken_costs_no_certificate_beside_it() {
        let (one, other) = (authority("one"), authority("other"));
        let cut = &one[..one.len() / 2];
        for (bundle, expected) in [
            // For the library the next certificate is part of one that has no end.
            (format!("{one}{cut}\n{other}"), 1),
            (format!("{cut}\n{one}{other}"), 1),
            (format!("{one}{other}{cut}"), 2),
            (format!("{one}-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n{other}"), 2),
            (format!("{one}-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n{other}"), 2),
            (format!("{one}{other}").replace('\n', "\r\n"), 2),
            (format!("{one}{other}").replace('\n', "  \n"), 2),
            (format!("{one}-----BEGIN X-----\nAAAA\n-----END X-----\n{other}"), 2),
            (format!("{one}{}\n{other}", "x".repeat(2 * PIECE)), 2),
            (format!("{one}-----BEGIN CERTIFICATE-----\n{}", "AAAA\n".repeat(LARGEST_CERTIFICATE)), 1),
            (one.trim_end().to_owned(), 1),
        ] {
            let read = from_file(bundle.as_bytes());
            assert!(same(&read, &any_shape(bundle.as_bytes())), "{bundle}");
            assert_eq!(read.0, expected, "{bundle}");
        }
    }

    proptest! {
        #[test]
        fn the_plain_reader_never_disagrees_with_the_library(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", "-----BEGIN CERTIFICATE----- \n",
                "-----END CERTIFICATE-----x\n", "-----BEGIN PRIVATE KEY-----\n", "-----END PRIVATE KEY-----\n",
                "-----BEGIN X-----\n", "-----END X-----\n", "-----BEGIN ", "-----\n", "\n", "\r\n", "\r", " ", "=", "====\n",
                "AAAA\n", "AAA\n", "AA==\n", "AB==\n", "A", "# comment\n", "ONE", "OTHER", "HALF", "REST",
            ]), 0..14),
        ) {
            let one = ONE.get_or_init(|| authority("one"));
            let other = OTHER.get_or_init(|| authority("other"));
            let (half, rest) = one.split_at(one.len() / 3);
            let text: String = pieces
                .iter()
                .map(|piece| match *piece {
                    "ONE" => one,
                    "OTHER" => other,
                    "HALF" => half,
                    "REST" => rest,
                    piece => piece,
                })
                .collect();
            let library = any_shape(text.as_bytes());
            if let Some(read) = plain(text.as_bytes()) {
                prop_assert!(same(&read, &library), "{}", text);
            }
            prop_assert!(same(&from_file(text.as_bytes()), &library), "{}", text);
        }
    }

    static ONE: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    static OTHER: std::sync::OnceLock<String> = std::sync::OnceLock::new();
}
