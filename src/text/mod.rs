//! Text: messages for the user, characters that must not reach a terminal, search and checksums.

pub mod crc32;
pub mod printable;
pub mod scan;
pub mod user_error;
