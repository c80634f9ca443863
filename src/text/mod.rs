//! Text: messages for the user, characters that must not reach a terminal, checksums and times.

pub(crate) mod crc32;
pub mod printable;
pub(crate) mod span;
pub mod timestamp;
pub mod user_error;

/// `text` for a URL's query: all but RFC 3986's unreserved characters encoded.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
