//! Registry names and the API hosts that they lead to.

mod endpoints;
mod names;
