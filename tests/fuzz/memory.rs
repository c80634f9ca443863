//! How much memory a piece of code holds at its height.

use peak_alloc::PeakAlloc;

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
    assert!(held <= base + factor * length, "{held} bytes were held for {length} bytes of input");
    done
}
