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
mod aws_login;
pub mod cache;
pub mod concurrency;
pub mod ecr_call;
mod fault;
mod helper;
pub mod hosts;
mod issued;
pub mod kubelet;
#[cfg(target_os = "linux")]
pub mod name_server;
#[cfg(unix)]
pub mod pty;
pub mod raw_server;
mod request;
mod server;
mod services;
mod sign_in;
mod signature;
mod sources;
pub mod sso;
#[cfg(target_os = "linux")]
pub mod strace;
#[cfg(unix)]
pub mod terminal;
mod throttle;
mod tls;
pub mod token_services;

pub use aws::{Call, FakeAws, Service};
pub use aws_login::session_file;
pub use fault::{Fault, Part};
pub use helper::{
    Answer, Helper, NOT_FOUND, Outcome, Running, binary, copy_binary, empty_home, home_variables, on_our_path,
};
pub use issued::{Token, now};
pub use request::Request;
pub use server::{Event, Opening, Respond, Response, Server};
pub use sign_in::{SignIn, click_through, http_get};
pub use sources::{Source, jwt, login_file, web_token};
pub use tls::{Authority, Certificate};

/// A registry for tests that need any one.
pub const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// What comes of each case, all of them at once: most wait for a server or a deadline.
///
/// # Panics
/// One of them did.
pub fn side_by_side<T: Send, R: Send, const N: usize>(cases: [T; N], one: impl Fn(T) -> R + Sync) -> [R; N] {
    std::thread::scope(|scope| {
        let one = &one;
        let running = cases.map(|case| scope.spawn(move || one(case)));
        running.map(|case| case.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
