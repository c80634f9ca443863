//! What tells two web identity tokens apart: the claims that AWS decides by. Nothing is verified here; that is
//! the business of STS, which the token is sent to.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// The claims of a token that name a principal, and when the token ends.
pub(super) struct Claims {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// `aud`, one or several.
    pub audience: Vec<String>,
    /// `kubernetes.io` / `serviceaccount` / `uid`.
    pub service_account_uid: Option<String>,
    /// Claims that AWS itself gives a meaning (session tags, source identity), and `azp` and `amr`, which trust
    /// policies may name; by name.
    pub others: Vec<(String, Value)>,
    /// `exp`, in seconds since the Unix epoch.
    pub ends_at: Option<i64>,
}

/// The claims of `token`; `None` for what is not a JWT with issuer, subject and audience, each given once.
pub(super) fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.trim().split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&payload).ok()
}

#[derive(PartialEq, Eq)]
enum Name {
    Issuer,
    Subject,
    Audience,
    End,
    Kubernetes,
    Other(String),
    Irrelevant,
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl Visitor<'_> for Names {
            type Value = Name;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a claim's name")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Name, E> {
                Ok(match name {
                    "iss" => Name::Issuer,
                    "sub" => Name::Subject,
                    "aud" => Name::Audience,
                    "exp" => Name::End,
                    "kubernetes.io" => Name::Kubernetes,
                    // The second is the form of Kubernetes' old tokens.
                    "azp" | "amr" | "kubernetes.io/serviceaccount/service-account.uid" => Name::Other(name.to_owned()),
                    // https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
                    _ if name.starts_with("https://aws.amazon.com/") => Name::Other(name.to_owned()),
                    _ => Name::Irrelevant,
                })
            }
        }
        deserializer.deserialize_str(Names)
    }
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(serde::Deserialize)]
struct Kubernetes {
    serviceaccount: Option<ServiceAccount>,
}

#[derive(serde::Deserialize)]
struct ServiceAccount {
    uid: Option<String>,
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Payload;
        impl<'de> Visitor<'de> for Payload {
            type Value = Claims;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JWT's payload")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claims, A::Error> {
                // A claim that is given twice means one thing to us and maybe another to STS: not a JWT.
                fn once<T, E: de::Error>(slot: &mut Option<T>, value: T) -> Result<(), E> {
                    match slot.replace(value) {
                        None => Ok(()),
                        Some(_) => Err(E::custom("a claim is given twice")),
                    }
                }
                let (mut issuer, mut subject, mut audience, mut end) = (None, None, None, None::<serde_json::Number>);
                let mut kubernetes: Option<Kubernetes> = None;
                let mut others: Vec<(String, Value)> = Vec::new();
                while let Some(name) = map.next_key()? {
                    match name {
                        Name::Issuer => once(&mut issuer, map.next_value()?)?,
                        Name::Subject => once(&mut subject, map.next_value()?)?,
                        Name::Audience => once(&mut audience, map.next_value()?)?,
                        Name::End => once(&mut end, map.next_value()?)?,
                        Name::Kubernetes => once(&mut kubernetes, map.next_value()?)?,
                        Name::Other(name) => {
                            if others.iter().any(|(known, _)| *known == name) {
                                return Err(de::Error::custom("a claim is given twice"));
                            }
                            others.push((name, map.next_value()?));
                        }
                        Name::Irrelevant => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                others.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
                let missing = |claim| move || de::Error::missing_field(claim);
                Ok(Claims {
                    issuer: issuer.ok_or_else(missing("iss"))?,
                    subject: subject.ok_or_else(missing("sub"))?,
                    audience: match audience.ok_or_else(missing("aud"))? {
                        OneOrMany::One(audience) => vec![audience],
                        OneOrMany::Many(audiences) => audiences,
                    },
                    service_account_uid: kubernetes.and_then(|k| k.serviceaccount).and_then(|account| account.uid),
                    others,
                    // A fraction is cut off: the token ends no later than we think.
                    ends_at: end.map(|end| end.as_i64().unwrap_or_else(|| seconds(&end))),
                })
            }
        }
        deserializer.deserialize_map(Payload)
    }
}

/// A `NumericDate` (RFC 7519) that is not an integer of 64 bits.
fn seconds(number: &serde_json::Number) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates, which is what is wanted")]
    number.as_f64().map_or(i64::MIN, |seconds| seconds as i64)
}
