//! CRC-32 as zip, gzip and PNG have it (reflected polynomial 0xEDB88320), by tables, four bytes at a time: without
//! asking the processor what it can do (see [`crate::text::scan`]).

/// `TABLES[0]` is the effect of one byte, `TABLES[n]` that of a byte with `n` zeros after it.
static TABLES: [[u32; 256]; 4] = tables();

const fn tables() -> [[u32; 256]; 4] {
    const POLYNOMIAL: u32 = 0xEDB8_8320;
    let mut tables = [[0; 256]; 4];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends at 256")]
        let mut remainder = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            remainder = if remainder & 1 == 1 { remainder >> 1 ^ POLYNOMIAL } else { remainder >> 1 };
            bit += 1;
        }
        tables[0][byte] = remainder;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < 4 {
        let mut byte = 0;
        while byte < 256 {
            let before: u32 = tables[zeros - 1][byte];
            tables[zeros][byte] = before >> 8 ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

/// A checksum on its way.
#[derive(Clone, Debug)]
pub struct Crc32(u32);

impl Crc32 {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self(u32::MAX)
    }

    /// Takes more bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        let of = |table: usize, byte: u32| TABLES[table][(byte & 0xff) as usize];
        let mut crc = self.0;
        let (fours, rest) = bytes.as_chunks::<4>();
        for four in fours {
            crc ^= u32::from_le_bytes(*four);
            crc = of(3, crc) ^ of(2, crc >> 8) ^ of(1, crc >> 16) ^ of(0, crc >> 24);
        }
        for byte in rest {
            crc = crc >> 8 ^ of(0, crc ^ u32::from(*byte));
        }
        self.0 = crc;
    }

    /// The checksum.
    pub fn finish(&self) -> u32 {
        !self.0
    }
}

impl Default for Crc32 {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(pieces: &[&[u8]]) -> u32 {
        let mut crc = Crc32::new();
        pieces.iter().for_each(|piece| crc.update(piece));
        crc.finish()
    }

    /// By the definition, bit by bit.
    fn slowly(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ (0xEDB8_8320 * (crc & 1)))
        })
    }

    #[test]
    fn the_checksums_that_everybody_has() {
        assert_eq!(of(&[]), 0);
        assert_eq!(of(&[b"123456789"]), 0xCBF4_3926);
        assert_eq!(of(&[b"The quick brown fox jumps over the lazy dog"]), 0x414F_A339);
    }

    proptest! {
        #[test]
        fn pieces_of_any_length_are_as_the_whole(bytes in prop::collection::vec(any::<u8>(), 0..99), at in any::<prop::sample::Index>()) {
            let (one, other) = bytes.split_at(at.index(bytes.len() + 1));
            prop_assert_eq!(of(&[one, other]), slowly(&bytes));
        }
    }
}
