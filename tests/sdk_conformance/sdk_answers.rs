//! What AWS answers to the SDK's providers of credentials, for tests that run the SDK's own chain in their process.

/// Keys as IMDS and the containers' endpoint have them.
pub fn document(id: &str) -> String {
    format!(
        r#"{{"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "{id}", "SecretAccessKey": "s", "Token": "t",
            "LastUpdated": "2020-01-01T00:00:00Z", "Expiration": "2099-01-01T00:00:00Z"}}"#
    )
}

/// Keys as STS has them.
pub fn assumed(action: &str, id: &str) -> String {
    format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><Credentials>\
         <AccessKeyId>{id}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
         <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></{action}Result></{action}Response>"
    )
}

/// Keys as the portal of SSO has them.
pub fn portal(id: &str) -> String {
    format!(
        r#"{{"roleCredentials": {{"accessKeyId": "{id}", "secretAccessKey": "s", "sessionToken": "t",
            "expiration": 4070908800000}}}}"#
    )
}

/// The access key id of a signed request: what stands before `/DATE/REGION/SERVICE/aws4_request`.
pub fn signer(authorization: &str) -> &str {
    let scope = authorization.split_once("Credential=").unwrap().1.split_once(", SignedHeaders").unwrap().0;
    scope.rsplitn(5, '/').nth(4).unwrap()
}

/// The file under `~/.aws/sso/cache` in which the login of a session, or of a start URL, is.
pub fn login_name(identifier: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, identifier.as_bytes());
    let name: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{name}.json")
}
