//! Child processes within bounds: `credential_process` and the delegate.
