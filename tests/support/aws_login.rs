//! AWS Sign-In as far as `aws login` needs it: sessions whose refresh tokens are taken once, each with a proof of the
//! session's key (DPoP, RFC 9449) that is verified.

use std::collections::{HashMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};

use super::issued::{now, rfc3339};
use super::request::Request;
use super::server::Response;

/// How old a proof may be, in seconds.
const PROOF_LIFE: u64 = 300;

/// Where a PKCS#8 document of ring's has the private key and the public one (RFC 5915 within RFC 5958).
const PRIVATE: std::ops::Range<usize> = 36..68;
const PUBLIC: std::ops::Range<usize> = 73..138;

/// The client that `aws login` is.
const CLIENT: &str = "arn:aws:signin:::devtools/same-device";

/// The sessions that are open.
#[derive(Default)]
pub(super) struct LoginSessions {
    /// Refresh tokens that are good, each with the public key that it is bound to.
    sessions: HashMap<String, Vec<u8>>,
    used: HashSet<String>,
    proofs: HashSet<String>,
    pub refusal: Option<&'static str>,
}

/// Why a request is refused: HTTP status, code of the error, message.
type Refusal = (u16, &'static str, &'static str);

impl LoginSessions {
    /// What `aws login` leaves in its cache: keys that end in `seconds`, and what renews them.
    pub fn open(&mut self, serial: usize, seconds: i64) -> Value {
        let random = ring::rand::SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let (private, public) = (&document.as_ref()[PRIVATE], &document.as_ref()[PUBLIC]);
        // ECPrivateKey: version 1, the key, the curve, the public key.
        let der = [
            &[0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20][..],
            private,
            &[0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0xa1, 0x44, 0x03, 0x42, 0x00],
            public,
        ]
        .concat();
        let text = STANDARD.encode(der);
        let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..(at + 64).min(text.len())]).collect();
        let refresh = format!("secret-refresh-of-login-{serial}");
        self.sessions.insert(refresh.clone(), public.to_vec());
        json!({
            "accessToken": {
                "accessKeyId": format!("ASIALOGIN{serial}"),
                "secretAccessKey": format!("secret-key-of-login-{serial}"),
                "sessionToken": format!("secret-session-of-login-{serial}"),
                "accountId": "123456789012",
                "expiresAt": rfc3339(now().saturating_add_signed(seconds)),
            },
            "tokenType": "aws_sigv4",
            "clientId": CLIENT,
            "refreshToken": refresh,
            "idToken": "secret-identity-of-login",
            "dpopKey": format!("-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----\n", lines.join("\n")),
            "kept for others": { "a": [1, null] },
        })
    }

    /// The refresh token that a renewal gets, if the request is right: bound to the same key.
    pub fn renew(&mut self, request: &Request, serial: usize) -> Result<String, Refusal> {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        if let Some(code) = self.refusal {
            return Err((401, code, "refused"));
        }
        if body["grantType"] != "refresh_token" || body["clientId"] != CLIENT {
            return Err((400, "INVALID_REQUEST", "not a renewal"));
        }
        let public = self.proven(request)?;
        let refresh = body["refreshToken"].as_str().unwrap_or_default();
        if self.used.contains(refresh) {
            return Err((401, "TOKEN_EXPIRED", "the refresh token was used"));
        }
        if self.sessions.remove(refresh) != Some(public.clone()) {
            return Err((401, "TOKEN_EXPIRED", "the refresh token is unknown, or is another key's"));
        }
        self.used.insert(refresh.to_owned());
        let next = format!("secret-refresh-of-login-{serial}");
        self.sessions.insert(next.clone(), public);
        Ok(next)
    }

    /// The public key that the proof in the header `dpop` is of.
    fn proven(&mut self, request: &Request) -> Result<Vec<u8>, Refusal> {
        let bad = |why| (400, "INVALID_REQUEST", why);
        let proof = request.header("dpop").ok_or(bad("no proof"))?;
        let parts: Vec<&str> = proof.split('.').collect();
        let [head, claims, signature] = parts[..] else { return Err(bad("the proof is no JWT")) };
        let json = |part: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
        let (header, payload) = (json(head).ok_or(bad("header"))?, json(claims).ok_or(bad("claims"))?);
        let key = &header["jwk"];
        if (&header["typ"], &header["alg"], &key["kty"], &key["crv"])
            != (&json!("dpop+jwt"), &json!("ES256"), &json!("EC"), &json!("P-256"))
        {
            return Err(bad("the proof's header"));
        }
        if key.get("d").is_some() {
            return Err(bad("the proof gives the private key away"));
        }
        let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap_or_default()).ok();
        let (x, y) = (coordinate("x").ok_or(bad("x"))?, coordinate("y").ok_or(bad("y"))?);
        let public = [&[4][..], &x, &y].concat();
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| bad("signature"))?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public)
            .verify(format!("{head}.{claims}").as_bytes(), &signature)
            .map_err(|_| bad("the proof's signature"))?;
        let host = request.header("host").unwrap_or_default();
        let url = payload["htu"].as_str().unwrap_or_default();
        let is_this = url.split_once("://").is_some_and(|(_, rest)| rest == format!("{host}{}", request.path));
        if payload["htm"] != request.method.as_str() || !is_this {
            return Err(bad("the proof is of another request"));
        }
        if payload["iat"].as_u64().is_none_or(|at| at.abs_diff(now()) > PROOF_LIFE) {
            return Err(bad("the proof is old"));
        }
        let id = payload["jti"].as_str().unwrap_or_default();
        if id.len() < 16 || !self.proofs.insert(id.to_owned()) {
            return Err(bad("the proof was shown before"));
        }
        Ok(public)
    }
}

/// The answer to a renewal.
pub(super) fn renewed(id: &str, secret: &str, session_token: &str, refresh: &str, life: u64) -> Response {
    let body = json!({
        "accessToken": { "accessKeyId": id, "secretAccessKey": secret, "sessionToken": session_token },
        "tokenType": "aws_sigv4", "expiresIn": life, "refreshToken": refresh,
    });
    Response::new(200, "application/json", body.to_string())
}

/// Where the AWS CLI keeps a session, under the home.
pub fn session_file(session: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, session.trim().as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!(".aws/login/cache/{hex}.json")
}
