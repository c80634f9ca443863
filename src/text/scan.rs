//! Where a byte stands in a text, eight bytes at a time.
//!
//! Libraries for this ask the processor first what it can do (CPUID). On a virtual machine the host answers that, which
//! takes as long as a tenth of an empty process; the texts of a cached answer are scanned in a fraction of it without
//! asking. The same holds for checksums and hashes: what a cached answer runs asks for nothing (`docs/performance.md`).

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const TOPS: u64 = ONES << 7;

/// Where `byte` first stands.
pub fn find(byte: u8, bytes: &[u8]) -> Option<usize> {
    let each = ONES * u64::from(byte);
    first(bytes, |eight| noughts(eight ^ each), |other| other == byte)
}

/// Where one of the two first stands.
pub fn find_either(one: u8, other: u8, bytes: &[u8]) -> Option<usize> {
    let (ones, others) = (ONES * u64::from(one), ONES * u64::from(other));
    first(bytes, |eight| noughts(eight ^ ones) | noughts(eight ^ others), |byte| byte == one || byte == other)
}

/// The lowest top bit that is set stands in the first byte that is nought; those above it may be wrong.
#[inline(always)]
fn noughts(eight: u64) -> u64 {
    eight.wrapping_sub(ONES) & !eight & TOPS
}

#[inline(always)]
fn first(bytes: &[u8], in_eight: impl Fn(u64) -> u64, is_it: impl Fn(u8) -> bool) -> Option<usize> {
    let (eights, rest) = bytes.as_chunks::<8>();
    let mut at = 0;
    for eight in eights {
        let found = in_eight(u64::from_le_bytes(*eight));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    rest.iter().position(|byte| is_it(*byte)).map(|rest| at + rest)
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
