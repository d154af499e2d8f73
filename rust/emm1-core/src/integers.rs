//! CSV of nothing but integers, parsed at memory speed: the sixteen files of groups are 4.3 GB of it.
//!
//! Whatever is not plainly that (a sign, a quote, a space, an empty or missing field, an overflow) is not guessed at:
//! the caller then reads the file with a CSV reader, which knows what to say.

/// The columns of lines of exactly `columns` non-negative integers each, as i32; None where any line is not that.
///
/// Lines end in LF or CRLF; the last may end without.
///
/// ```
/// let columns = emm1_core::parse_integers(b"1,2\n3,4\n", 2);
/// assert_eq!(columns, Some(vec![vec![1, 3], vec![2, 4]]));
/// assert_eq!(emm1_core::parse_integers(b"1,2.0\n", 2), None);
/// ```
pub fn parse_integers(data: &[u8], columns: usize) -> Option<Vec<Vec<i32>>> {
    // Room for the lines of the shortest kind that is likely; pages never written cost nothing.
    let lines = data.len() / (5 * columns).max(1);
    let mut parsed: Vec<Vec<i32>> = (0..columns).map(|_| Vec::with_capacity(lines)).collect();
    let mut at = 0;
    while at < data.len() {
        for (number, column) in parsed.iter_mut().enumerate() {
            let (value, end) = integer(data, at)?;
            column.push(value);
            at = end;
            match data.get(at) {
                Some(b',') if number + 1 < columns => at += 1,
                Some(b'\n') if number + 1 == columns => at += 1,
                Some(b'\r') if number + 1 == columns && data.get(at + 1) == Some(&b'\n') => at += 2,
                None if number + 1 == columns => {}
                _ => return None,
            }
        }
    }
    Some(parsed)
}

/// The integer that begins at `at`, and where it ends.
#[inline(always)]
fn integer(data: &[u8], at: usize) -> Option<(i32, usize)> {
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
    fn takes_nothing_but_integers() {
        for wrong in [
            "1",
            "1,",
            ",1",
            "1,2,3",
            "1,2\n\n",
            "1, 2",
            "-1,2",
            "+1,2",
            "\"1\",2",
            "1,2\r3,4",
            "1,2147483648",
            "1.0,2",
        ] {
            assert_eq!(parse_integers(wrong.as_bytes(), 2), None, "{wrong:?}");
        }
        assert_eq!(parse_integers(b"", 2), Some(vec![vec![], vec![]]));
        assert_eq!(parse_integers(b"007,2147483647", 2), Some(vec![vec![7], vec![i32::MAX]]));
        assert_eq!(parse_integers(b"99999999999999999999999,1", 2), None);
    }

    proptest! {
        #[test]
        fn gives_back_what_was_written(rows in prop::collection::vec(prop::array::uniform3(0..=i32::MAX), 0..30), end in "\r?\n") {
            let text: String = rows.iter().map(|[a, b, c]| format!("{a},{b},{c}{end}")).collect();
            let columns = (0..3).map(|i| rows.iter().map(|row| row[i]).collect()).collect();
            prop_assert_eq!(parse_integers(text.as_bytes(), 3), Some(columns));
        }

        #[test]
        fn never_panics(data in "[0-9,\r\n-]{0,60}", columns in 1usize..4) {
            let _ = parse_integers(data.as_bytes(), columns);
        }
    }
}
