//! The digits of an integer, eight at a time: the sixteen files of groups are 4.3 GB of nothing else.

/// The integer that begins at `at`, and where it ends.
#[inline(always)]
pub(crate) fn integer(data: &[u8], at: usize) -> Option<(i32, usize)> {
    // Up to seven digits and what ends them, at once: a loop over digits mispredicts at the end of each field.
    if let Some(window) = data.get(at..at + 8) {
        let digits = u64::from_le_bytes(window.try_into().expect("eight bytes")) ^ 0x3030_3030_3030_3030;
        let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080;
        let length = others.trailing_zeros() / 8;
        match length {
            0 => return None,
            1..=7 => return Some((eight_digits(digits << (64 - 8 * length)) as i32, at + length as usize)),
            _ => {} // eight digits or more
        }
    }
    let length = data[at.min(data.len())..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = std::str::from_utf8(&data[at..at + length]).ok()?;
    Some((text.parse().ok()?, at + length))
}

/// The number whose eight decimal digits are the bytes of `digits`, the first in the lowest: neighbours are joined to
/// pairs, pairs to fours, fours to the whole, each in one multiplication.
#[inline(always)]
fn eight_digits(digits: u64) -> u64 {
    let pairs = (digits.wrapping_mul(10 << 8 | 1) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100 << 16 | 1) >> 16) & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(10_000 << 32 | 1) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_digits_and_nothing_else() {
        assert_eq!(integer(b"007,", 0), Some((7, 3)));
        assert_eq!(integer(b"x2147483647\n,,,,,,", 1), Some((i32::MAX, 11)));
        assert_eq!(integer(b"2147483648,,,,", 0), None);
        assert_eq!(integer(b"99999999999999999999999", 0), None);
        assert_eq!(integer(b"-1,,,,,,,,", 0), None);
        assert_eq!(integer(b"", 0), None);
    }

    proptest! {
        #[test]
        fn gives_back_what_was_written(value in 0..=i32::MAX, before in "[,0-9]{0,9}", after in "([^0-9].{0,9})?") {
            let text = format!("{before}{value}{after}");
            let end = before.len() + value.to_string().len();
            prop_assert_eq!(integer(text.as_bytes(), before.len()), Some((value, end)));
        }
    }
}
