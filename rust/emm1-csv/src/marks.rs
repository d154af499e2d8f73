//! Finds commas, line ends and digits, 64 bytes at a time: with SSE2, which every x86-64 has, or arithmetic on words.

/// Bytes classified at a time.
pub(super) const WINDOW: usize = 64;

/// A bit for each byte of a window, the first byte in the lowest bit.
pub(super) struct Marks {
    pub(super) comma: u64,
    pub(super) line_end: u64,
    pub(super) digit: u64,
}

/// Classifies the bytes of a window.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn marks(window: &[u8; WINDOW]) -> Marks {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_set1_epi8, _mm_sub_epi8,
    };
    let (parts, _) = window.as_chunks::<16>();
    let (mut comma, mut line_end, mut digit) = (0, 0, 0);
    for part in parts.iter().rev() {
        // SAFETY: every x86-64 has SSE2; a part has the 16 bytes that are read.
        let [commas, line_ends, digits] = unsafe {
            let bytes = _mm_loadu_si128(part.as_ptr().cast());
            let values = _mm_sub_epi8(bytes, _mm_set1_epi8(b'0' as i8));
            [
                _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b',' as i8)),
                _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\n' as i8)),
                _mm_cmpeq_epi8(values, _mm_min_epu8(values, _mm_set1_epi8(9))),
            ]
            .map(|mask| u64::from(_mm_movemask_epi8(mask) as u16))
        };
        (comma, line_end, digit) = (comma << 16 | commas, line_end << 16 | line_ends, digit << 16 | digits);
    }
    Marks { comma, line_end, digit }
}

/// Classifies the bytes of a window.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(super) fn marks(window: &[u8; WINDOW]) -> Marks {
    portable_marks(window)
}

/// Does the same on any processor.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn portable_marks(window: &[u8; WINDOW]) -> Marks {
    let bits = |is: fn(u8) -> bool| {
        let flags = window.map(|byte| u8::from(is(byte)));
        let (words, _) = flags.as_chunks::<8>();
        // The multiplication gathers the flags in the highest byte, the first one in its lowest bit.
        let byte = |word: &[u8; 8]| u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        words.iter().rev().fold(0, |bits, word| bits << 8 | byte(word))
    };
    Marks {
        comma: bits(|byte| byte == b','),
        line_end: bits(|byte| byte == b'\n'),
        digit: bits(|byte| byte.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_byte_is_classified(window in prop::collection::vec(prop_oneof![any::<u8>(), b'+'..=b':', Just(b'\n')], WINDOW)) {
            let expected = |is: fn(&u8) -> bool| -> u64 {
                window.iter().enumerate().map(|(place, byte)| u64::from(is(byte)) << place).sum()
            };
            for found in [marks, portable_marks].map(|marks| marks(window.as_slice().try_into().unwrap())) {
                prop_assert_eq!(found.comma, expected(|byte| *byte == b','));
                prop_assert_eq!(found.line_end, expected(|byte| *byte == b'\n'));
                prop_assert_eq!(found.digit, expected(u8::is_ascii_digit));
            }
        }
    }
}
