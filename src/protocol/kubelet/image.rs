//! Image references: the part that names the registry.

/// The registry of an image reference, `HOST[:PORT]`, as the reference writes it: what stands before the first
/// `/`, or the whole reference where it is a host alone.
///
/// `None` for what cannot be a registry: nothing at all, or characters that no host has. Whether it is ECR's is
/// for the registry room to say.
///
/// The kubelet keeps its credentials under the same text (`parseRegistry` in
/// kubernetes/pkg/credentialprovider/plugin), so nothing is changed in it, not even its case.
pub(crate) fn registry(image: &str) -> Option<&str> {
    let (first, path) = match image.split_once('/') {
        Some((first, path)) => (first, Some(path)),
        None => (image, None),
    };
    let (host, port) = match first.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (first, None),
    };
    // Without a path, what follows the colon may be a tag: `HOST:latest` names the host, `HOST:443` a port.
    let first = match port {
        Some(tag) if path.is_none() && !is_port(tag) => host,
        Some(port) if !is_port(port) => return None,
        _ => first,
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (!host.is_empty() && host.chars().all(fits)).then_some(first)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

    #[test]
    fn the_registry_is_found_whatever_stands_behind_it() {
        for rest in [
            "",
            "/app",
            "/app:1.2",
            "/team/app/part:latest",
            "/app@sha256:0000000000000000000000000000000000000000000000000000000000000000",
            "/a/b:1@sha256:0000000000000000000000000000000000000000000000000000000000000000",
            ":latest",
        ] {
            assert_eq!(registry(&format!("{HOST}{rest}")), Some(HOST), "{rest}");
        }
    }

    #[test]
    fn a_port_belongs_to_the_registry() {
        for rest in ["", "/app", "/app:1.2", "/a/b@sha256:00"] {
            assert_eq!(registry(&format!("{HOST}:8443{rest}")), Some(format!("{HOST}:8443").as_str()), "{rest}");
        }
    }

    #[test]
    fn the_case_stays() {
        assert_eq!(registry("A.Example:443/x"), Some("A.Example:443"));
    }

    #[test]
    fn what_cannot_be_a_registry_is_none() {
        for image in [
            "",
            "/app",
            ":443/app",
            "user@host/app",
            "user:pw@host/app",
            "https://host/app",
            "host:port/app",
            "host:/app",
            "host:0/app",
            "host:65536/app",
            "host:+1/app",
            "ho st/app",
            " host/app",
            "host\n/app",
            "h\u{f6}st/app",
            "[::1]/app",
            "*.host/app",
            "host%2eevil/app",
            "host?x/app",
            "host@sha256:00",
        ] {
            assert_eq!(registry(image), None, "{image:?}");
        }
    }
}
