#![no_main]

#[path = "../../tests/fuzz/memory.rs"]
mod memory;
#[path = "../../tests/fuzz/settings_edits.rs"]
mod settings_edits;

libfuzzer_sys::fuzz_target!(|input: &[u8]| settings_edits::check(input));
