#![no_main]

#[path = "../../tests/fuzz/memory.rs"]
mod memory;
#[path = "../../tests/fuzz/settings.rs"]
mod settings;

libfuzzer_sys::fuzz_target!(|input: &[u8]| settings::check(input));
