//! The digits of an integer, eight at a time: the sixteen files of groups are 4.3 GB of nothing else.

use crate::marks::{WINDOW, marks};

/// The integer that begins at `at`, and where it ends.
#[inline(always)]
pub(super) fn integer(data: &[u8], at: usize) -> Option<(i32, usize)> {
    // Up to seven digits and what ends them, at once: a loop over digits mispredicts at the end of each field.
    if let Some(window) = data.get(at..at + 8) {
        let digits = digits_of(window);
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

/// Bytes searched for the ends of fields at a time: few enough that they and what is found stay in the first cache.
const BLOCK: usize = 128 * WINDOW;

/// The first rows of a block of CSV, `most` at most, while each field is one to eight digits and each line ends in LF.
/// Appends their values to the columns and returns how many rows and bytes they are; may stop some rows early.
///
/// A field read after another waits until it is known where that one ends. Here the ends of many fields are found
/// first, and nothing waits.
pub(super) fn integer_rows(data: &[u8], columns: &mut [&mut Vec<i32>], most: usize) -> (usize, usize) {
    let count = columns.len();
    let (mut rows, mut at) = (0, 0);
    let mut starts = Vec::with_capacity(BLOCK + 1);
    while rows < most {
        let found = match find_starts(data, at, count, &mut starts) {
            0 => break,
            found => found.min(most - rows),
        };
        for (place, column) in columns.iter_mut().enumerate() {
            let field = |row: usize| row * count + place;
            column.extend((0..found).map(field).map(|field| value(data, starts[field], starts[field + 1] - 1)));
        }
        (rows, at) = (rows + found, starts[found * count]);
    }
    (rows, at)
}

/// Where the fields begin of the rows that are whole in the block at `at`, and where the last of them ends.
/// Returns the number of rows; 0 where anything in the block is no digit, or out of place.
#[inline]
fn find_starts(data: &[u8], at: usize, count: usize, starts: &mut Vec<usize>) -> usize {
    starts.clear();
    starts.push(at);
    let (mut lines, mut odd) = (0, 0);
    for (number, part) in data[at..].chunks(WINDOW).take(BLOCK / WINDOW).enumerate() {
        let mut padded = [b'0'; WINDOW];
        let window = part.try_into().unwrap_or_else(|_| {
            padded[..part.len()].copy_from_slice(part);
            &padded
        });
        let found = marks(window);
        odd |= !(found.digit | found.comma | found.line_end);
        lines += found.line_end.count_ones() as usize;
        let mut ends = found.comma | found.line_end;
        while ends != 0 {
            starts.push(at + number * WINDOW + ends.trailing_zeros() as usize + 1);
            ends &= ends - 1;
        }
    }
    let short = starts.windows(2).all(|field| (2..=9).contains(&(field[1] - field[0])));
    // As many lines as rows, and each ends where a row does: so commas are everywhere else.
    let rows = (starts.len() - 1) / count;
    let ended = starts.iter().step_by(count).skip(1).all(|start| data[start - 1] == b'\n');
    if odd == 0 && short && lines == rows && ended { rows } else { 0 }
}

/// The number that the digits from `start` to `end` say, eight at most.
#[inline(always)]
fn value(data: &[u8], start: usize, end: usize) -> i32 {
    let missing = 64 - 8 * (end - start);
    let digits = match end.checked_sub(8) {
        Some(window) => digits_of(&data[window..end]) >> missing << missing,
        None => data[start..end].iter().fold(0, |digits, byte| digits >> 8 | u64::from(byte ^ b'0') << 56),
    };
    eight_digits(digits) as i32
}

/// The values of eight digits, the first in the lowest byte; bytes that are none are 10 or more.
#[inline(always)]
fn digits_of(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes")) ^ 0x3030_3030_3030_3030
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
        fn rows_are_what_was_written(
            rows in prop::collection::vec([0u32..100_000_000, 0..1000, 0..20], 0..2_000),
            odd in prop::option::of((0usize..2_000, prop::sample::select(vec![
                "", "1", "1,2", "1,2,3,4", "1,,3", "123456789,1,1", "-1,2,3", "1.5,2,3", "\"1\",2,3", "1,2,3\r", "1,x,3"
            ]))),
            most in 0usize..2_500,
            cut in 0usize..20,
        ) {
            let line = |row: &[u32; 3]| format!("{:02},{},{}\n", row[0], row[1], row[2]);
            let mut lines: Vec<String> = rows.iter().map(line).collect();
            let plain = odd.map_or(rows.len(), |(place, _)| place.min(rows.len()));
            if let Some((_, odd)) = odd {
                lines.insert(plain, format!("{odd}\n"));
            }
            let mut text = lines.concat();
            text.truncate(text.len().saturating_sub(cut));
            let mut columns = [Vec::new(), Vec::new(), Vec::new()];
            let (found, bytes) = integer_rows(text.as_bytes(), &mut columns.each_mut(), most);
            prop_assert!(found <= plain && found <= most && bytes <= text.len());
            prop_assert_eq!(bytes, lines[..found].concat().len());
            for (column, values) in columns.iter().enumerate() {
                let expected: Vec<i32> = rows[..found].iter().map(|row| row[column] as i32).collect();
                prop_assert_eq!(values, &expected);
            }
            if odd.is_none() && cut == 0 {
                prop_assert_eq!(found, plain.min(most));
            }
        }

        #[test]
        fn gives_back_what_was_written(value in 0..=i32::MAX, before in "[,0-9]{0,9}", after in "([^0-9].{0,9})?") {
            let text = format!("{before}{value}{after}");
            let end = before.len() + value.to_string().len();
            prop_assert_eq!(integer(text.as_bytes(), before.len()), Some((value, end)));
        }
    }
}
