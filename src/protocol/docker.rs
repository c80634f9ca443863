//! docker-credential-helpers' protocol.
