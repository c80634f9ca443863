//! The kubelet's image credential provider protocol.
