#![no_main]

#[path = "../../tests/fuzz/dns_answers.rs"]
mod dns_answers;
#[path = "../../tests/fuzz/memory.rs"]
mod memory;

libfuzzer_sys::fuzz_target!(|input: &[u8]| dns_answers::check(input));
