//! A certificate authority of our own, and server certificates, good and bad.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What is wrong with a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// Nothing: for localhost, 127.0.0.1 and ::1, and for the AWS hosts that a proxy may lead here.
    Good,
    /// It ended in 2020.
    Expired,
    /// It begins in 2090.
    NotYetValid,
    /// It is for another host.
    WrongName,
    /// Its authority is not the one whose certificate the test hands out.
    Untrusted,
}

/// Signs certificates; its own is what clients are to trust.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    /// A new one with a key of its own.
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "fake AWS authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Its certificate in PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// What a TLS server with such a certificate needs.
    pub fn server(&self, certificate: Certificate) -> Arc<ServerConfig> {
        if certificate == Certificate::Untrusted {
            return Self::new().server(Certificate::Good);
        }
        let names: &[&str] = match certificate {
            Certificate::WrongName => &["another.example.com"],
            _ => &[
                "localhost",
                "127.0.0.1",
                "::1",
                "*.amazonaws.com",
                "*.eu-west-1.amazonaws.com",
                "*.us-east-1.amazonaws.com",
                "*.us-west-2.amazonaws.com",
                "api.ecr.eu-west-1.amazonaws.com",
                "portal.sso.eu-west-1.amazonaws.com",
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
                "public.ecr.aws",
            ],
        };
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        if certificate == Certificate::Expired {
            params.not_before = date_time_ymd(2019, 1, 1);
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        if certificate == Certificate::NotYetValid {
            params.not_before = date_time_ymd(2090, 1, 1);
            params.not_after = date_time_ymd(2100, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate: CertificateDer<'static> = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        Arc::new(config)
    }
}
