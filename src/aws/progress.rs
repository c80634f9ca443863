//! How far a call has got, so that a deadline that passes can say what it was waiting for.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What is being waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing on the network.
    #[default]
    Idle,
    /// The DNS servers' answer.
    Name,
    /// The TCP connection.
    Connect,
    /// The proxy's answer to `CONNECT`.
    Proxy,
    /// The TLS handshake.
    Tls,
    /// The first byte of the answer.
    Answer,
    /// The rest of the answer.
    Body,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "nothing was asked yet",
            Self::Name => "the DNS servers did not answer",
            Self::Connect => "no connection came about",
            Self::Proxy => "the proxy did not establish a tunnel",
            Self::Tls => "connected, but the TLS handshake did not finish",
            Self::Answer => "connected, but no answer came",
            Self::Body => "the answer began, but did not finish",
        })
    }
}

/// Shared between the HTTP client, which writes it, and whoever watches the deadline.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Arc<Mutex<State>>);

#[derive(Clone, Debug, Default)]
struct State {
    phase: Phase,
    host: Option<String>,
    to_proxy: bool,
    /// Who is informed of every step too.
    reports_to: Option<Progress>,
}

impl Progress {
    /// A step has begun, with that host.
    pub(super) fn at(&self, phase: Phase, host: &str) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.phase = phase;
        if state.host.as_deref() != Some(host) {
            state.host = Some(host.to_owned());
        }
        if let Some(other) = &state.reports_to {
            other.at(phase, host);
        }
    }

    /// The steps from here on lead to a proxy, or no more.
    pub(super) fn to_proxy(&self, to_proxy: bool) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.to_proxy = to_proxy;
        if let Some(other) = &state.reports_to {
            other.to_proxy(to_proxy);
        }
    }

    /// From now on `other` says what is noted here: the call waits for this connection now.
    pub(super) fn report_to(&self, other: &Self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *other.0.lock().unwrap_or_else(PoisonError::into_inner) = State { reports_to: None, ..state.clone() };
        state.reports_to = Some(other.clone());
    }

    /// Nothing is waited for any more.
    pub(super) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
    }

    /// Whether name, connection or TLS of a proxy is being waited for.
    pub(super) fn is_to_proxy(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).to_proxy
    }

    /// What is being waited for, and from which host (a proxy's or the server's).
    pub(super) fn now(&self) -> (Phase, Option<String>) {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (state.phase, state.host)
    }
}
