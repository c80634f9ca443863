//! Where a byte stands in a text, eight bytes at a time.
//!
//! Libraries for this ask the processor first what it can do (CPUID). On a virtual machine the host answers that, which
//! takes as long as a tenth of an empty process; the texts of a cached answer are scanned in a fraction of it without
//! asking. The same holds for checksums and hashes: what a cached answer runs asks for nothing (`docs/performance.md`).

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const TOPS: u64 = ONES << 7;

/// Where `byte` first stands.
pub fn find(byte: u8, bytes: &[u8]) -> Option<usize> {
    find_either(byte, byte, bytes)
}

/// Where one of the two first stands.
pub fn find_either(one: u8, other: u8, bytes: &[u8]) -> Option<usize> {
    let (one_each, other_each) = (ONES * u64::from(one), ONES * u64::from(other));
    let (eights, rest) = bytes.as_chunks::<8>();
    for (number, eight) in eights.iter().enumerate() {
        let eight = u64::from_le_bytes(*eight);
        // The lowest top bit that is set stands in the first byte that is nought; those above it may be wrong.
        let noughts = |of: u64| of.wrapping_sub(ONES) & !of & TOPS;
        let found = noughts(eight ^ one_each) | noughts(eight ^ other_each);
        if found != 0 {
            return Some(8 * number + found.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|byte| *byte == one || *byte == other)?;
    Some(8 * eights.len() + at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_of_either_is_found(
            bytes in prop::collection::vec(prop_oneof![0..4_u8, 126..131_u8, 254..=255_u8], 0..40),
            one in prop_oneof![0..4_u8, 126..131_u8, 254..=255_u8],
            other in any::<u8>(),
        ) {
            prop_assert_eq!(find(one, &bytes), bytes.iter().position(|byte| *byte == one));
            prop_assert_eq!(find_either(one, other, &bytes), bytes.iter().position(|b| *b == one || *b == other));
        }
    }
}
