//! Where a byte stands in a text.
//!
//! `memchr::memchr` asks the processor at its first call what it can do (CPUID). On a virtual machine the host answers
//! that, which takes as long as a tenth of an empty process; the texts of a cached answer are scanned in a fraction of
//! it without asking. The same holds for checksums and hashes: whatever a cached answer runs asks for nothing
//! (`docs/performance.md`).

pub use memchr::arch::all::memchr::One;
use memchr::arch::all::memchr::Two;

/// Where `byte` first stands.
#[inline]
pub fn find(byte: u8, bytes: &[u8]) -> Option<usize> {
    One::new(byte).find(bytes)
}

/// Where one of the two first stands.
#[inline]
pub fn find_either(one: u8, other: u8, bytes: &[u8]) -> Option<usize> {
    Two::new(one, other).find(bytes)
}
