#![no_main]

#[path = "../../tests/fuzz/kubelet_requests.rs"]
mod kubelet_requests;
#[path = "../../tests/fuzz/memory.rs"]
mod memory;
#[path = "../../tests/fuzz/secrets.rs"]
mod secrets;
#[path = "../../tests/fuzz/fixture.rs"]
mod fixture;

libfuzzer_sys::fuzz_target!(|input: &[u8]| kubelet_requests::check(input));
