//! A fake AWS in this process, and the real binary run against it.
//!
//! ```ignore
//! let aws = FakeAws::start();
//! let helper = Helper::new().aws(&aws).keys("AKIAEXAMPLE");
//! let token = helper.get(REGISTRY).token();
//! assert_eq!((token.key.as_str(), aws.calls(Service::Ecr)), ("AKIAEXAMPLE", 1));
//! ```

// Each test program compiles the whole of this module and uses a part of it.
#![allow(dead_code, unused_imports)]

mod aws;
pub mod cache;
pub mod concurrency;
pub mod ecr_call;
mod fault;
mod helper;
mod issued;
pub mod kubelet;
#[cfg(target_os = "linux")]
pub mod name_server;
pub mod raw_server;
mod server;
mod services;
mod sign_in;
mod signature;
mod sources;
#[cfg(target_os = "linux")]
pub mod strace;
mod throttle;
mod tls;

pub use aws::{Call, FakeAws, Service};
pub use fault::{Fault, Part};
pub use helper::{Answer, Helper, NOT_FOUND, Outcome, Running, binary, copy_binary};
pub use issued::{Token, now};
pub use server::{Opening, Request, Respond, Response, Server};
pub use sign_in::session_file;
pub use sources::{Source, login_file, web_token};
pub use tls::{Authority, Certificate};

/// A registry for tests that need any one.
pub const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
