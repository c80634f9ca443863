//! Signature Version 4 of a request, computed anew: whether it was signed with a given secret.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>

use ring::digest::{SHA256, digest};
use ring::hmac;

use super::request::Request;

/// Whether `request` carries the signature that `secret` gives it. Requests whose path or query wants encoding are not
/// for this function.
pub(super) fn is_signed_with(request: &Request, secret: &str) -> bool {
    let (Some(scope), Some(signed)) = (request.scope(), request.part("SignedHeaders")) else { return false };
    let (Some(given), Some(time)) = (request.part("Signature"), request.header("x-amz-date")) else { return false };
    let [_, date, region, service, _] = scope;
    let headers: String =
        signed.split(';').map(|name| format!("{name}:{}\n", request.header(name).unwrap_or_default())).collect();
    let canonical = format!(
        "{}\n{}\n\n{headers}\n{signed}\n{}",
        request.method,
        request.path,
        hex(digest(&SHA256, &request.body).as_ref())
    );
    let text = format!(
        "AWS4-HMAC-SHA256\n{time}\n{date}/{region}/{service}/aws4_request\n{}",
        hex(digest(&SHA256, canonical.as_bytes()).as_ref())
    );
    let key = [date, region, service, "aws4_request"]
        .iter()
        .fold(format!("AWS4{secret}").into_bytes(), |key, part| sign(&key, part));
    hex(&sign(&key, &text)) == given
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
