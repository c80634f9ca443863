//! The credential source and the endpoint that the AWS SDK for Rust would use are those that this program uses.

mod endpoint;
mod order;
mod random;
mod sdk_answers;
