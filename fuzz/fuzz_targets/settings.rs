#![no_main]

#[path = "../../tests/fuzz/settings.rs"]
mod settings;
#[path = "../../tests/fuzz/memory.rs"]
mod memory;

libfuzzer_sys::fuzz_target!(|input: &[u8]| settings::check(input));
