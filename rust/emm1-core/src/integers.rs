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
    // Nine digits cannot overflow, and no published id has more; the window spares a bounds check a digit.
    if let Some(window) = data.get(at..at + 10) {
        let mut value = 0u32;
        for (length, byte) in window.iter().enumerate() {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return if length == 0 { None } else { Some((value as i32, at + length)) };
            }
            if length == 9 {
                break;
            }
            value = value * 10 + u32::from(digit);
        }
    }
    let length = data[at.min(data.len())..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = std::str::from_utf8(&data[at..at + length]).ok()?;
    Some((text.parse().ok()?, at + length))
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
