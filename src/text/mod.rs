//! Text: messages for the user, characters that must not reach a terminal, search, checksums and times.

pub mod crc32;
pub mod printable;
pub mod scan;
pub mod timestamp;
pub mod user_error;
