//! Which helper or login one file names for a registry.

use crate::HELPER;
use crate::protocol::clients::config_file::Config;
use crate::registry::host_of;

/// What a client takes for the registry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// This helper, by the named key of the file.
    Us(&'static str),
    /// Another helper.
    Another(String, &'static str),
    /// A login in the file itself.
    Login(String),
    /// A key that means the registry and is not what the client compares.
    NearMiss(String),
    /// Neither a helper nor a login.
    Nothing,
}

impl Says {
    /// By the file's `credHelpers`, then its `credsStore` where the client reads that, then its `auths`.
    pub(super) fn of(config: &Config, host: &str, with_store: bool) -> Self {
        if let Some(helper) = config.helper(host) {
            return match helper {
                Some(HELPER) => Self::Us("credHelpers"),
                other => Self::Another(other.unwrap_or("nothing").to_owned(), "credHelpers"),
            };
        }
        let near = config.helpers.iter().map(|(key, _)| key).find(|key| {
            host_of(key).as_deref() == Some(host)
                || key.contains('*') && key.contains("ecr") && key.contains("amazonaws")
        });
        if with_store && let Some(store) = &config.store {
            return match (store.as_str(), near) {
                (HELPER, _) => Self::Us("credsStore"),
                (_, Some(key)) => Self::NearMiss(key.clone()),
                (store, None) => Self::Another(store.to_owned(), "credsStore"),
            };
        }
        if let Some(key) = near {
            return Self::NearMiss(key.clone());
        }
        login(config, host).map_or(Self::Nothing, Self::Login)
    }
}

/// The key of a login to the registry.
pub(super) fn login(config: &Config, host: &str) -> Option<String> {
    config.logins.iter().find(|key| host_of(key).as_deref() == Some(host)).cloned()
}

/// The key of a login to one repository of the registry, `HOST/repository`.
pub(super) fn login_of_repository<'c>(config: &'c Config, host: &str) -> Option<&'c String> {
    config.logins.iter().find(|key| {
        key.strip_prefix(host).and_then(|rest| rest.strip_prefix('/')).is_some_and(|path| {
            let path = path.trim_end_matches('/');
            !path.is_empty() && path != "v1" && path != "v2"
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::clients::config_file::Content;

    const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

    #[test]
    fn each_way_in_which_a_file_names_a_registry() {
        for (text, expected) in [
            (r#"{"credHelpers":{"@":"ecr-login"},"credsStore":"pass"}"#, Says::Us("credHelpers")),
            (r#"{"credHelpers":{"@":"pass"}}"#, Says::Another("pass".into(), "credHelpers")),
            (r#"{"credsStore":"ecr-login"}"#, Says::Us("credsStore")),
            (r#"{"credsStore":"desktop"}"#, Says::Another("desktop".into(), "credsStore")),
            (
                r#"{"credHelpers":{"https://@":"ecr-login"},"credsStore":"pass"}"#,
                Says::NearMiss(format!("https://{HOST}")),
            ),
            (
                r#"{"credHelpers":{"*.dkr.ecr.*.amazonaws.com":"ecr-login"}}"#,
                Says::NearMiss("*.dkr.ecr.*.amazonaws.com".into()),
            ),
            (r#"{"auths":{"https://@/v1/":{"auth":"x"}}}"#, Says::Login(format!("https://{HOST}/v1/"))),
            (r#"{"auths":{"@":{}}}"#, Says::Nothing),
            (r#"{"auths":{"ghcr.io":{"auth":"x"}}}"#, Says::Nothing),
        ] {
            let Content::Config(config) = Content::of(text.replace('@', HOST).as_bytes()) else { panic!("{text}") };
            assert_eq!(Says::of(&config, HOST, true), expected, "{text}");
        }
    }

    #[test]
    fn a_login_to_a_repository_is_not_taken_for_one_to_the_registry() {
        for (key, found) in [("@/app", true), ("@/v1/", false), ("@", false), ("https://@/app", false)] {
            let key = key.replace('@', HOST);
            let config = Config { logins: vec![key.clone()], ..Config::default() };
            assert_eq!(login_of_repository(&config, HOST).is_some(), found, "{key}");
        }
    }
}
