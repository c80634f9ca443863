//! Where the AWS CLI and SDKs keep the token of an IAM Identity Center login.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// `~/.aws/sso/cache/SHA1.json`, of the session's name or, in the legacy form, of the start URL.
pub(super) fn token_file(home: &Path, identifier: &str) -> PathBuf {
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, identifier.as_bytes());
    let mut name = String::with_capacity(45);
    for byte in digest.as_ref() {
        // Writing to a String cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name.push_str(".json");
    let mut path = home.join(".aws/sso/cache");
    path.push(name);
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_file_is_where_aws_sso_login_puts_it() {
        // `printf dev | sha1sum`
        assert_eq!(
            token_file(Path::new("/home/u"), "dev"),
            Path::new("/home/u/.aws/sso/cache/34c6fceca75e456f25e7e99531e2425c6c1de443.json")
        );
    }
}
