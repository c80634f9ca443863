#![no_main]

#[path = "../../tests/fuzz/docker_stdin.rs"]
mod docker_stdin;
#[path = "../../tests/fuzz/memory.rs"]
mod memory;
#[path = "../../tests/fuzz/secrets.rs"]
mod secrets;
#[path = "../../tests/fuzz/fixture.rs"]
mod fixture;

libfuzzer_sys::fuzz_target!(|input: &[u8]| docker_stdin::check(input));
