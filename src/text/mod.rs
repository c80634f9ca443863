//! Text: messages for the user, characters that must not reach a terminal, checksums and times.

pub mod crc32;
pub mod printable;
pub mod timestamp;
pub mod user_error;
