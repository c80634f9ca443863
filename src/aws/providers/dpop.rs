//! The proof that a request comes from whoever has a session's key (DPoP, RFC 9449): a JWT over method, URL and time, signed
//! with the P-256 key that `aws login` made for the session.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::json;
use zeroize::Zeroizing;

/// Bytes of a coordinate of P-256, and of the private key.
const LENGTH: usize = 32;

/// Tags of DER: what an `ECPrivateKey` (RFC 5915) is made of.
const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;
const PUBLIC_KEY: u8 = 0xa1;
const BIT_STRING: u8 = 0x03;

/// Why there is no proof. Says nothing of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DpopError {
    /// Not PEM of an `ECPrivateKey` with its public half, or not of P-256.
    #[error("has a dpopKey that is no P-256 key in the form of the AWS CLI")]
    Key,
    /// No random numbers, or no time.
    #[error("cannot be used now: the system gives no random number or no time")]
    System,
}

/// The value of the header `DPoP` for a POST to `url` at `now`, with the key in `pem`.
///
/// # Errors
/// A key that is none.
pub(super) fn proof(pem: &str, url: &str, now: SystemTime) -> Result<String, DpopError> {
    let der = der(pem).ok_or(DpopError::Key)?;
    let (private, public) = key_of(&der).ok_or(DpopError::Key)?;
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, private, public, &random)
        .map_err(|_| DpopError::Key)?;
    let mut id = [0; 16];
    random.fill(&mut id).map_err(|_| DpopError::System)?;
    let seconds = now.duration_since(UNIX_EPOCH).map_err(|_| DpopError::System)?.as_secs();
    let coordinate = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let (x, y) = (coordinate(&public[1..=LENGTH]), coordinate(&public[1 + LENGTH..]));
    let header = json!({
        "typ": "dpop+jwt", "alg": "ES256", "jwk": { "kty": "EC", "crv": "P-256", "x": x, "y": y },
    });
    let claims = json!({ "jti": coordinate(&id), "htm": "POST", "htu": url, "iat": seconds });
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(&claims));
    // ring's fixed form is that of ES256 (RFC 7518, section 3.4): both numbers, 32 bytes each.
    let signature = key.sign(&random, signed.as_bytes()).map_err(|_| DpopError::System)?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref())))
}

/// The bytes between the lines of PEM.
fn der(pem: &str) -> Option<Zeroizing<Vec<u8>>> {
    let lines = pem.lines().filter(|line| !line.starts_with("-----")).map(str::trim);
    let text = Zeroizing::new(lines.collect::<String>());
    STANDARD.decode(text.as_bytes()).ok().map(Zeroizing::new)
}

/// The private key and the uncompressed public one in an `ECPrivateKey`.
fn key_of(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (SEQUENCE, mut fields, _) = element(der)? else { return None };
    let (mut private, mut public) = (None, None);
    while let Some((tag, content, rest)) = element(fields) {
        match tag {
            OCTET_STRING => private = Some(content),
            PUBLIC_KEY => {
                let (BIT_STRING, bits, _) = element(content)? else { return None };
                public = bits.strip_prefix(&[0]);
            }
            _ => {}
        }
        fields = rest;
    }
    let (private, public) = (private?, public?);
    (private.len() == LENGTH && public.len() == 1 + 2 * LENGTH && public[0] == 4).then_some((private, public))
}

/// Tag and content of the first element, and what follows it. An element of 128 bytes or more is none of a P-256 key.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, length) = (*der.first()?, *der.get(1)?);
    let content = der.get(2..2 + usize::from(length)).filter(|_| length < 0x80)?;
    Some((tag, content, &der[2 + content.len()..]))
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    /// As `aws login` writes it; of no session.
    const PEM: &str = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIF57cW3+EpAcz05OpuIA866GN9gziu2TmOY36CCV07f7oAoGCCqGSM49\n\
                       AwEHoUQDQgAELu0WDMG+ZCS/XarAODYs0ffzIxXZ2R+4sOefG/0ZRUqH8NbG0v09\nEEC/3gF2UXxZmQaACT3hd/gKr29M+06U7g==\n\
                       -----END EC PRIVATE KEY-----\n";

    #[test]
    fn a_proof_is_signed_with_the_sessions_key_and_names_method_url_and_time() {
        let now = UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
        let proof = proof(PEM, "https://x/v1/token", now).unwrap();
        let (signed, signature) = proof.rsplit_once('.').unwrap();
        let json = |part: &str| -> serde_json::Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        let (header, claims) = signed.split_once('.').unwrap();
        let (header, claims) = (json(header), json(claims));
        assert_eq!(
            (&claims["htm"], &claims["htu"], &claims["iat"]),
            (&json!("POST"), &json!("https://x/v1/token"), &json!(1_700_000_000))
        );
        let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(header["jwk"][name].as_str().unwrap()).unwrap();
        let public = [vec![4], coordinate("x"), coordinate("y")].concat();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public).verify(signed.as_bytes(), &signature).unwrap();
    }

    #[test]
    fn no_two_proofs_have_one_id() {
        let id = || proof(PEM, "u", SystemTime::now()).unwrap().split('.').nth(1).unwrap().to_owned();
        assert_ne!(id(), id());
    }

    #[test]
    fn what_is_no_key_is_an_error() {
        let half = PEM.replace("MHcC", "MDEC");
        for pem in
            ["", "-----BEGIN EC PRIVATE KEY-----\n", "not base64 !", "MAA=", &half, &PEM.replace("AELu0", "AELu1")]
        {
            assert_eq!(proof(pem, "u", SystemTime::now()), Err(DpopError::Key), "{pem}");
        }
    }
}
