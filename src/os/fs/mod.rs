//! Files of the user's and of other tools: bounded reading, and replacing without losing anything.

pub(crate) mod bounded_read;
mod folder;
pub(crate) mod trusted;
pub mod user_file;
