//! Which certificates are trusted, and what is said of one that is not.

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use ecr_login::text::user_error::Kind;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::ecr_call::Call;
use crate::support::raw_server::{Seen, Server, http, raw, serve, token};

/// A certificate authority of the test's own.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// The configuration of a server whose certificate is for `name` and lives in these years.
    pub fn server(&self, name: &str, years: (i32, i32)) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap());
        Arc::new(config.unwrap())
    }
}

pub fn tls(config: &Arc<ServerConfig>, stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
    StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream)
}

/// ECR over TLS.
pub fn ecr(config: Arc<ServerConfig>) -> Server {
    raw("127.0.0.1:0", move |stream, seen: &Seen| serve(tls(&config, stream), seen, &|_, _| token()))
}

pub const NOW: (i32, i32) = (2000, 2100);

fn https(server: &Server) -> Call {
    Call::to(&format!("https://{}", server.address))
}

fn written(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn an_own_ca_is_trusted_by_every_setting_that_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let ca = written(directory.path(), "ca.pem", &format!("# ours\n{}", authority.pem));
    let config = written(directory.path(), "config", &format!("[default]\nca_bundle = {ca}\n"));
    let only = tempfile::tempdir_in(directory.path()).unwrap();
    written(only.path(), "0a1b2c3d.0", &authority.pem);
    let certificates = authority.server("127.0.0.1", NOW);
    for (name, value) in [
        ("AWS_CA_BUNDLE", ca.as_str()),
        ("AWS_CONFIG_FILE", &config),
        ("SSL_CERT_FILE", &ca),
        ("SSL_CERT_DIR", only.path().to_str().unwrap()),
    ] {
        let server = ecr(certificates.clone());
        assert_eq!(https(&server).with(name, value).password(), "the-password", "{name}");
        assert_eq!((server.seen.connections(), server.seen.requests().len()), (1, 1), "{name}");
    }
}

#[test]
fn the_first_setting_counts_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (ours, other) = (Authority::new(), Authority::new());
    let ours_pem = written(directory.path(), "ours.pem", &ours.pem);
    let other_pem = written(directory.path(), "other.pem", &other.pem);
    let server = ecr(ours.server("127.0.0.1", NOW));
    https(&server).with("AWS_CA_BUNDLE", &other_pem).with("SSL_CERT_FILE", &ours_pem).fails(&["TLS with 127.0.0.1"]);
    let config = written(directory.path(), "config", &format!("[default]\nca_bundle = {other_pem}\n"));
    https(&server).with("AWS_CONFIG_FILE", &config).with("AWS_CA_BUNDLE", &ours_pem).password();
}

#[test]
fn a_certificate_of_an_unknown_ca_is_refused_and_the_remedy_is_the_bundle() {
    let server = ecr(Authority::new().server("127.0.0.1", NOW));
    let words = ["not signed by a trusted CA", "AWS_CA_BUNDLE"];
    assert_eq!(https(&server).failure(&words).kind, Kind::Network);
    assert_eq!(server.seen.connections(), 1, "not tried again");
    assert_eq!(server.seen.requests().len(), 0);
}

#[test]
fn expired_early_and_foreign_certificates_are_refused_with_their_reason() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let ca = written(directory.path(), "ca.pem", &authority.pem);
    for (name, years, words) in [
        ("127.0.0.1", (2000, 2001), ["its certificate has expired", "clock"]),
        ("127.0.0.1", (2090, 2100), ["its certificate is not valid yet", "clock"]),
        ("other.example", NOW, ["its certificate is for another name (other.example)", "other.example"]),
    ] {
        let server = ecr(authority.server(name, years));
        https(&server).with("AWS_CA_BUNDLE", &ca).fails(&words);
        assert_eq!(server.seen.requests().len(), 0);
    }
}

#[cfg(unix)]
#[test]
fn a_bundle_that_is_missing_empty_or_rubbish_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.pem").to_str().unwrap().to_owned();
    let empty = written(directory.path(), "empty.pem", "");
    let rubbish =
        written(directory.path(), "rubbish.pem", "-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n");
    let server = ecr(Authority::new().server("127.0.0.1", NOW));
    for (path, reason) in
        [(&missing, "cannot read the CA bundle"), (&empty, "no certificate"), (&rubbish, "no certificate")]
    {
        for name in ["AWS_CA_BUNDLE", "SSL_CERT_FILE"] {
            let failure = https(&server).with(name, path).failure(&[reason, path, name, "unset it"]);
            assert_eq!(failure.kind, Kind::Settings);
        }
    }
    let fifo = directory.path().join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    for endless in [fifo.to_str().unwrap(), "/dev/zero"] {
        for variable in ["AWS_CA_BUNDLE", "SSL_CERT_FILE"] {
            https(&server).with(variable, endless).fails(&["cannot read the CA bundle", endless, "not a regular file"]);
        }
    }
    https(&server).with("SSL_CERT_DIR", &missing).fails(&["cannot read the CA bundle", &missing, "SSL_CERT_DIR"]);
}

#[test]
fn a_bundle_matters_only_where_tls_is_used() {
    let server = http(|_, _| token());
    assert_eq!(Call::to(&server.url()).with("AWS_CA_BUNDLE", "/nonexistent.pem").password(), "the-password");
}

#[test]
fn a_server_without_tls_is_named_as_the_reason() {
    let server = raw("127.0.0.1:0", |mut stream, _| {
        use std::io::Write;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        crate::support::raw_server::read_request(&mut stream);
    });
    https(&server).fails(&["TLS with 127.0.0.1", "does not speak TLS", "an http:// URL was meant"]);
}
