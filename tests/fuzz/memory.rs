//! How much memory a piece of code holds at its height.

use peak_alloc::PeakAlloc;

/// What the failure says.
#[allow(dead_code, reason = "the fuzzer needs it not")]
pub const HELD: &str = "bytes were held for";

#[global_allocator]
static COUNTED: PeakAlloc = PeakAlloc;

/// Runs `work`, which reads `length` bytes of input, and fails if it ever holds more than `base` bytes and `factor` bytes
/// for each byte of the input. The count is the whole process's: nothing else may be at work in it.
#[track_caller]
pub fn bounded<T>(length: usize, (base, factor): (usize, usize), work: impl FnOnce() -> T) -> T {
    COUNTED.reset_peak_usage();
    let before = COUNTED.current_usage();
    let done = work();
    let held = COUNTED.peak_usage().saturating_sub(before);
    assert!(held <= base + factor * length, "{held} {HELD} {length} bytes of input");
    done
}
