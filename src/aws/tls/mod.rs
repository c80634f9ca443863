//! TLS: which certificates servers are checked against, and the one client configuration.
//!
//! The first of these that is set, alone: `AWS_CA_BUNDLE`, the profile's `ca_bundle`, `SSL_CERT_FILE` with
//! `SSL_CERT_DIR`, the system's bundle (a single file; the directory beside it holds the same certificates once
//! more, one file each), and, where a system has none, Mozilla's, built in.
//!
//! On Windows and macOS the system's are those of its store (`rustls-native-certs`), so that the certificate of a
//! company's proxy is taken from where administrators put it, and Mozilla's beside them: Windows fetches a public
//! authority's certificate into its store when a program of its own meets it first, so Amazon's may not be there yet.
//! The system's own verifier (`rustls-platform-verifier`) would know those too, but it asks the network, for
//! certificates and revocations, beside our deadline and our proxy.

mod pem_bundle;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::{ClientConfig, RootCertStore};

use super::connect_error::Trust;
use crate::credentials::EndpointConfig;
use crate::os::environment::Environment;

/// Where distributions keep all trusted certificates in one file.
#[cfg(not(any(windows, target_os = "macos")))]
const SYSTEM_BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",                // Debian, Ubuntu, Arch, Gentoo
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Fedora, RHEL, Amazon Linux
    "/etc/pki/tls/certs/ca-bundle.crt",                  // older Fedora and RHEL
    "/etc/ssl/ca-bundle.pem",                            // SUSE
    "/etc/ssl/cert.pem",                                 // Alpine, the BSDs
    "/usr/local/share/certs/ca-root-nss.crt",            // FreeBSD
];

/// A bundle larger than this is no bundle (the usual ones have 0.2 MB).
const LARGEST_BUNDLE: u64 = 16 << 20;

/// Which certificates are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Roots {
    /// A file that a setting names.
    Bundle {
        /// The setting.
        by: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR`, as OpenSSL reads them.
    OpenSsl {
        /// `SSL_CERT_FILE`.
        file: Option<PathBuf>,
        /// The directories of `SSL_CERT_DIR`.
        directories: Vec<PathBuf>,
    },
    /// The system's own, else Mozilla's.
    System,
}

impl Roots {
    /// What environment and profile say.
    pub(super) fn choose(environment: &Environment, network: &EndpointConfig) -> Self {
        if let Some(path) = environment.var_os("AWS_CA_BUNDLE") {
            return Self::Bundle { by: "AWS_CA_BUNDLE", path: path.into() };
        }
        if let Some(path) = &network.ca_bundle {
            return Self::Bundle { by: "ca_bundle of the profile", path: path.clone() };
        }
        let file = environment.var_os("SSL_CERT_FILE").map(PathBuf::from);
        let directories: Vec<_> = environment
            .var_os("SSL_CERT_DIR")
            .map(|list| std::env::split_paths(list).filter(|d| !d.as_os_str().is_empty()).collect())
            .unwrap_or_default();
        if file.is_some() || !directories.is_empty() {
            return Self::OpenSsl { file, directories };
        }
        Self::System
    }

    fn load(&self) -> Result<RootCertStore, Trust> {
        let mut store = RootCertStore::empty();
        match self {
            Self::Bundle { by, path } => add_file(&mut store, by, path)?,
            Self::OpenSsl { file, directories } => {
                if let Some(path) = file {
                    add_file(&mut store, "SSL_CERT_FILE", path)?;
                }
                for directory in directories {
                    add_directory(&mut store, directory, file.is_none())?;
                }
            }
            #[cfg(any(windows, target_os = "macos"))]
            Self::System => add_system_store(&mut store),
            #[cfg(not(any(windows, target_os = "macos")))]
            Self::System => add_system(&mut store, SYSTEM_BUNDLES),
        }
        Ok(store)
    }
}

fn add_file(store: &mut RootCertStore, by: &'static str, path: &Path) -> Result<(), Trust> {
    let unreadable = |reason: String| Trust::Unreadable { by, path: path.to_owned(), reason };
    let found = std::fs::metadata(path).map_err(|e| unreadable(e.to_string()))?;
    if !found.is_file() {
        // A FIFO would hold us up beyond every deadline, and some devices have no end.
        return Err(unreadable("it is not a regular file".to_owned()));
    }
    if found.len() > LARGEST_BUNDLE {
        return Err(unreadable(format!("{} bytes are too many", found.len())));
    }
    let added = File::open(path).and_then(|mut file| pem_bundle::add(store, &mut file, LARGEST_BUNDLE));
    match added.map_err(|e| unreadable(e.to_string()))? {
        0 => Err(Trust::Empty { by, path: path.to_owned() }),
        _ => Ok(()),
    }
}

/// What the system's store trusts, and Mozilla's. A store that cannot be read, or a certificate in it that is none, keeps
/// nobody from ECR.
#[cfg(any(windows, target_os = "macos"))]
fn add_system_store(store: &mut RootCertStore) {
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
}

/// The first of the bundles that holds certificates, else Mozilla's.
#[cfg(any(test, not(any(windows, target_os = "macos"))))]
fn add_system(store: &mut RootCertStore, bundles: &[&str]) {
    let found = bundles.iter().any(|path| add_file(store, "system", Path::new(path)).is_ok());
    if !found {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
}

/// `SSL_CERT_DIR`: what cannot be read or is no certificate is passed over, as OpenSSL does; but a directory
/// that alone should have given certificates and gave none is an error.
fn add_directory(store: &mut RootCertStore, directory: &Path, alone: bool) -> Result<(), Trust> {
    let by = "SSL_CERT_DIR";
    let mut added = 0;
    match std::fs::read_dir(directory) {
        Ok(files) => {
            for file in files.flatten() {
                if file.path().metadata().is_ok_and(|m| m.is_file() && m.len() <= LARGEST_BUNDLE)
                    && let Ok(mut file) = File::open(file.path())
                {
                    added += pem_bundle::add(store, &mut file, LARGEST_BUNDLE).unwrap_or(0);
                }
            }
        }
        Err(e) if alone => {
            return Err(Trust::Unreadable { by, path: directory.to_owned(), reason: e.to_string() });
        }
        Err(_) => {}
    }
    if alone && added == 0 && store.is_empty() {
        return Err(Trust::Empty { by, path: directory.to_owned() });
    }
    Ok(())
}

/// The client configuration, made at the first https request and then shared.
#[derive(Debug)]
pub(super) struct Lazy {
    roots: Roots,
    made: OnceLock<Result<Arc<ClientConfig>, Trust>>,
}

/// Every configuration of this process, so that several fetches (`warm`) load certificates once and resume each
/// other's TLS sessions.
static SHARED: Mutex<Vec<Arc<Lazy>>> = Mutex::new(Vec::new());

impl Lazy {
    /// The process's configuration for these roots; nothing is read yet.
    pub(super) fn shared(roots: Roots) -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = shared.iter().find(|lazy| lazy.roots == roots) {
            return same.clone();
        }
        let lazy = Arc::new(Self { roots, made: OnceLock::new() });
        shared.push(lazy.clone());
        lazy
    }

    /// The configuration.
    ///
    /// # Errors
    /// A bundle that is named and cannot be used.
    pub(super) fn get(&self) -> Result<Arc<ClientConfig>, Trust> {
        self.made.get_or_init(|| configuration(self.roots.load()?)).clone()
    }
}

fn configuration(roots: RootCertStore) -> Result<Arc<ClientConfig>, Trust> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Trust::Rustls(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_without_a_usable_bundle_trusts_mozillas_authorities() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing.pem");
        let empty = directory.path().join("empty.pem");
        std::fs::write(&empty, "").unwrap();
        let mut store = RootCertStore::empty();
        add_system(&mut store, &[missing.to_str().unwrap(), empty.to_str().unwrap()]);
        assert!(store.len() > 50, "{} authorities", store.len());
        // Who signs AWS's certificates.
        let amazon = store.roots.iter().filter(|root| root.subject.windows(6).any(|word| word == b"Amazon")).count();
        assert!(amazon >= 4, "{amazon} of Amazon's");
    }
}
