//! Versions of Kubernetes, and which of its APIs each knows.

use std::str::FromStr;

/// Major and minor version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KubeletVersion(u32, u32);

/// What is no version, or one that has no credential providers.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Not a version.
    #[error("{0:?} is no version of the kubelet, such as 1.34 or v1.34.2")]
    NotOne(String),
    /// Before Kubernetes 1.20.
    #[error("a kubelet of version {0}.{1} has no credential providers; they came with 1.20")]
    TooOld(u32, u32),
    /// Service account tokens before Kubernetes 1.33.
    #[error("a kubelet of version {0}.{1} gives plugins no service account tokens; they came with 1.33")]
    NoTokens(u32, u32),
    /// A directory of configurations before Kubernetes 1.34.
    #[error("a kubelet of version {0}.{1} reads one file and no directory, which came with 1.34")]
    NoDirectories(u32, u32),
}

impl FromStr for KubeletVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let wrong = || VersionError::NotOne(text.chars().take(40).collect());
        let (major, rest) = text.strip_prefix('v').unwrap_or(text).split_once('.').ok_or_else(wrong)?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (minor, rest) = rest.split_at(end);
        let version = Self(major.parse().map_err(|_| wrong())?, minor.parse().map_err(|_| wrong())?);
        match rest.chars().next() {
            Some(next) if !matches!(next, '.' | '-' | '+') => Err(wrong()),
            _ if version < Self(1, 20) => Err(VersionError::TooOld(version.0, version.1)),
            _ => Ok(version),
        }
    }
}

impl std::fmt::Display for KubeletVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl KubeletVersion {
    /// Fails where the kubelet gives plugins no service account tokens (KEP-4412).
    ///
    /// # Errors
    /// It is older than 1.33.
    pub fn needs_tokens(self) -> Result<(), VersionError> {
        if self < Self(1, 33) { Err(VersionError::NoTokens(self.0, self.1)) } else { Ok(()) }
    }

    /// The version of the configuration's API and of the plugin's; they came together (KEP-2133).
    pub(super) fn api(self) -> &'static str {
        match self {
            _ if self >= Self(1, 26) => "v1",
            _ if self >= Self(1, 24) => "v1beta1",
            _ => "v1alpha1",
        }
    }

    /// Whether it knows a version of the two APIs.
    pub(super) fn knows(self, api: &str) -> bool {
        match api {
            "v1" => self >= Self(1, 26),
            "v1beta1" => self >= Self(1, 24),
            _ => api == "v1alpha1",
        }
    }

    /// Fails where the configuration must be one file.
    ///
    /// # Errors
    /// It is older than 1.34.
    pub(super) fn needs_directories(self) -> Result<(), VersionError> {
        if self < Self(1, 34) { Err(VersionError::NoDirectories(self.0, self.1)) } else { Ok(()) }
    }

    /// Whether `tokenAttributes.cacheType` is known, and then required.
    pub(super) fn has_cache_type(self) -> bool {
        self >= Self(1, 34)
    }

    /// Whether service account tokens are behind a feature gate that is off unless it is set.
    pub(super) fn wants_feature_gate(self) -> bool {
        self < Self(1, 34)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_kubelet_prints_them() {
        for (text, api) in [
            ("1.34", "v1"),
            ("v1.34.2-eks-abc123", "v1"),
            ("1.26.0+k3s1", "v1"),
            ("1.25", "v1beta1"),
            ("1.24", "v1beta1"),
            ("1.23.4", "v1alpha1"),
            ("1.20", "v1alpha1"),
        ] {
            assert_eq!(text.parse::<KubeletVersion>().unwrap().api(), api, "{text}");
        }
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in ["", "1", "1.", "x.y", "1.34x", "-1.34", "1.-34", "latest", "Kubernetes v1.34"] {
            assert_eq!(text.parse::<KubeletVersion>(), Err(VersionError::NotOne(text.to_owned())), "{text}");
        }
        assert_eq!("1.19".parse::<KubeletVersion>(), Err(VersionError::TooOld(1, 19)));
    }

    #[test]
    fn service_account_tokens_came_with_1_33_and_their_cache_type_with_1_34() {
        let version = |text: &str| text.parse::<KubeletVersion>().unwrap();
        assert_eq!(version("1.32").needs_tokens(), Err(VersionError::NoTokens(1, 32)));
        assert!(version("1.33").needs_tokens().is_ok() && !version("1.33").has_cache_type());
        assert!(version("1.34").has_cache_type() && !version("1.34").wants_feature_gate());
    }
}
