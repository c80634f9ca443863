//! `setup`: the clients' files that it writes, and what it leaves alone.

mod docker;
#[cfg(unix)]
mod kubelet;
#[cfg(unix)]
mod node_example;
mod podman;
