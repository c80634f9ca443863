#![no_main]

#[path = "../../tests/fuzz/credential_answers.rs"]
mod credential_answers;
#[path = "../../tests/fuzz/memory.rs"]
mod memory;
#[path = "../../tests/fuzz/secrets.rs"]
mod secrets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| credential_answers::check(input));
