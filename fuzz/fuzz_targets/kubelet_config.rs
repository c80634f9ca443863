#![no_main]

#[path = "../../tests/fuzz/kubelet_config.rs"]
mod kubelet_config;
#[path = "../../tests/fuzz/memory.rs"]
mod memory;
#[path = "../../tests/fuzz/tree.rs"]
mod tree;

libfuzzer_sys::fuzz_target!(|input: &[u8]| kubelet_config::check(input));
