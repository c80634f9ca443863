//! Two sources share a cache key only if they are one.

use proptest::prelude::*;

use super::*;

fn text() -> impl Strategy<Value = String> {
    // Short, so that fields collide when they are shifted.
    "[ab]{0,2}"
}

fn some_source() -> impl Strategy<Value = CredentialSource> {
    let leaf = prop_oneof![
        (text(), text(), prop::option::of(text())).prop_map(|(id, key, token)| CredentialSource::StaticKeys {
            id: secret(&id),
            secret: secret(&key),
            session_token: token.as_deref().map(secret),
        }),
        text().prop_map(|command| CredentialSource::CredentialProcess {
            profile: String::new(),
            command: secret(&command)
        }),
        (prop::option::of(text()), text(), text(), text(), text()).prop_map(
            |(session, start_url, region, account, role)| {
                CredentialSource::Sso {
                    profile: String::new(),
                    session,
                    start_url,
                    region,
                    account,
                    role,
                    scopes: None,
                    token_file: None,
                }
            }
        ),
        (text(), text()).prop_map(|(session, file)| CredentialSource::LoginSession {
            profile: String::new(),
            session,
            region: None,
            session_file: Some(format!("/{file}").into()),
        }),
        (text(), prop::option::of(text()), text()).prop_map(|(role_arn, session_name, token)| {
            CredentialSource::WebIdentity { role_arn, session_name, token_file: None, token: secret(&token) }
        }),
        (text(), text(), text(), text()).prop_map(|(role_arn, iss, sub, aud)| CredentialSource::WebIdentity {
            role_arn,
            session_name: None,
            token_file: None,
            token: secret(&jwt(&json!({"iss": iss, "sub": sub, "aud": aud}))),
        }),
        (text(), prop::option::of(text())).prop_map(|(uri, token)| container(&uri, token.as_deref())),
        text().prop_map(|endpoint| CredentialSource::Imds { endpoint }),
    ];
    leaf.prop_recursive(3, 8, 1, |base| {
        (base, text(), prop::option::of(text()), prop::option::of(text()), prop::option::of(text())).prop_map(
            |(base, role_arn, session_name, external_id, mfa_serial)| CredentialSource::AssumeRole {
                base: Box::new(base),
                role_arn,
                session_name,
                external_id,
                duration_seconds: None,
                mfa_serial,
            },
        )
    })
}

/// The answer with its secrets open, for comparison.
fn open(source: &CredentialSource) -> String {
    match source {
        CredentialSource::StaticKeys { id, secret, session_token } => {
            format!("{:?}", (0, id.expose(), secret.expose(), session_token.as_ref().map(Secret::expose)))
        }
        CredentialSource::CredentialProcess { command, .. } => format!("{:?}", (1, command.expose())),
        CredentialSource::WebIdentity { role_arn, session_name, token, .. } => {
            format!("{:?}", (2, role_arn, session_name, token.expose()))
        }
        CredentialSource::Container { uri, authorization } => {
            format!("{:?}", (3, uri, authorization.as_ref().map(Secret::expose)))
        }
        CredentialSource::AssumeRole { base, role_arn, session_name, external_id, .. } => {
            format!("{:?}", (4, open(base), role_arn, session_name, external_id))
        }
        other => format!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(crate::os::proptest_config::config(1500))]

    #[test]
    fn two_answers_share_a_fingerprint_only_if_they_are_one(a in some_source(), b in some_source()) {
        prop_assert_eq!(print(&a) == print(&b), open(&a) == open(&b));
    }

    #[test]
    fn no_token_makes_the_reader_of_claims_panic(token in "\\PC*", payload in "\\PC{0,40}") {
        let _ = jwt::claims(&token);
        let _ = jwt::claims(&format!("e30.{}.s", URL_SAFE_NO_PAD.encode(&payload)));
    }
}
