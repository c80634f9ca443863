//! Where the AWS CLI and SDKs keep the tokens of `aws sso login` and `aws login`.

use std::ffi::OsStr;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use ring::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

use super::aws_env::AwsEnv;
use crate::os::fs::native;

/// `~/.aws/sso/cache/SHA1.json`, of the session's name or, in the legacy form, of the start URL.
pub(super) fn sso(home: &Path, identifier: &str) -> PathBuf {
    home.join(".aws").join("sso").join("cache").join(named(&SHA1_FOR_LEGACY_USE_ONLY, identifier))
}

/// `~/.aws/login/cache/SHA256.json` of `login_session`, or in the folder that `AWS_LOGIN_CACHE_DIRECTORY` names; `None`
/// without a home.
pub(super) fn login(variables: &AwsEnv<'_>, session: &str) -> Option<PathBuf> {
    let folder = match variables.os("AWS_LOGIN_CACHE_DIRECTORY") {
        Some(named) => variables.expanded(named),
        None => variables.at_home(OsStr::new("~/.aws/login/cache")),
    };
    Some(native(folder?.join(named(&SHA256, session.trim()))))
}

fn named(algorithm: &'static Algorithm, text: &str) -> String {
    let mut name = String::with_capacity(70);
    for byte in digest(algorithm, text.as_bytes()).as_ref() {
        // Writing to a String cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name.push_str(".json");
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::environment::{Environment, HOME};

    #[test]
    fn the_token_file_is_where_aws_sso_login_puts_it() {
        // `printf dev | sha1sum`
        assert_eq!(
            sso(Path::new("/home/u"), "dev"),
            Path::new("/home/u/.aws/sso/cache/34c6fceca75e456f25e7e99531e2425c6c1de443.json")
        );
    }

    #[test]
    fn the_session_file_is_where_aws_login_puts_it() {
        // `printf arn:aws:iam::123456789012:user/me | sha256sum`
        const NAME: &str = "286187707741fc2ccb93cf9e56dbd0ee0a16208feed5fbc8ae1baa86d44c283f.json";
        const SESSION: &str = " arn:aws:iam::123456789012:user/me ";
        let home = Environment::of([(HOME, "/home/u")]);
        let found = login(&AwsEnv::of(&home), SESSION);
        assert_eq!(found.as_deref(), Some(&*Path::new("/home/u/.aws/login/cache").join(NAME)));
        let named = Environment::of([(HOME, "/home/u"), ("X", "c"), ("AWS_LOGIN_CACHE_DIRECTORY", "~/$X/${X}$Y")]);
        assert_eq!(login(&AwsEnv::of(&named), SESSION).as_deref(), Some(&*Path::new("/home/u/c/c$Y").join(NAME)));
        assert_eq!(login(&AwsEnv::of(&Environment::of::<&str, &str>([])), SESSION), None);
    }
}
