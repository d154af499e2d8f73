//! Integers, eight digits at a time: the 4.3 GB of the sixteen group files contain nothing else.

use crate::marks::{WINDOW, marks};

/// The integer that begins at `at`, and its end.
#[inline(always)]
pub(super) fn integer(data: &[u8], at: usize) -> Option<(i32, usize)> {
    // Up to seven digits and their terminator at once: a loop over digits mispredicts a branch at the end of each field.
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

/// Bytes searched for field ends at a time: few enough that they and the positions found stay in the L1 cache.
const BLOCK: usize = 128 * WINDOW;

/// Parses rows of a block of CSV, at most `limit`, as long as each field is one to eight digits and each line ends in LF.
/// Appends their values to the columns and returns the number of rows and bytes; it may return a few rows early.
///
/// Fields parsed one after another form a chain of dependencies: each begins where the previous one ends. Here the ends
/// of many fields are found first, so that the CPU parses several fields at once.
pub(super) fn integer_rows(data: &[u8], columns: &mut [&mut Vec<i32>], limit: usize) -> (usize, usize) {
    let count = columns.len();
    let (mut rows, mut at) = (0, 0);
    let mut starts = Vec::with_capacity(BLOCK + 1);
    while rows < limit {
        let found = match find_starts(data, at, count, &mut starts) {
            0 => break,
            found => found.min(limit - rows),
        };
        for (place, column) in columns.iter_mut().enumerate() {
            let field = |row: usize| row * count + place;
            column.extend((0..found).map(field).map(|field| value(data, starts[field], starts[field + 1] - 1)));
        }
        (rows, at) = (rows + found, starts[found * count]);
    }
    (rows, at)
}

/// Finds the start of each field of the complete rows in the block at `at`, and the end of the last one.
/// Returns the number of rows; 0 if the block contains anything but digits, commas and line ends in their places.
#[inline]
fn find_starts(data: &[u8], at: usize, count: usize, starts: &mut Vec<usize>) -> usize {
    starts.clear();
    starts.push(at);
    let (mut lines, mut others) = (0, 0);
    for (number, part) in data[at..].chunks(WINDOW).take(BLOCK / WINDOW).enumerate() {
        let mut padded = [b'0'; WINDOW];
        let window = part.try_into().unwrap_or_else(|_| {
            padded[..part.len()].copy_from_slice(part);
            &padded
        });
        let found = marks(window);
        others |= !(found.digit | found.comma | found.line_end);
        lines += found.line_end.count_ones() as usize;
        let mut ends = found.comma | found.line_end;
        while ends != 0 {
            starts.push(at + number * WINDOW + ends.trailing_zeros() as usize + 1);
            ends &= ends - 1;
        }
    }
    let short = starts.windows(2).all(|field| (2..=9).contains(&(field[1] - field[0])));
    // As many line ends as rows, each at the end of a row: so all other separators are commas.
    let rows = (starts.len() - 1) / count;
    let ended = starts.iter().step_by(count).skip(1).all(|start| data[start - 1] == b'\n');
    if others == 0 && short && lines == rows && ended { rows } else { 0 }
}

/// The value of the digits from `start` to `end`, at most eight.
#[inline(always)]
fn value(data: &[u8], start: usize, end: usize) -> i32 {
    let missing = 64 - 8 * (end - start);
    let digits = match end.checked_sub(8) {
        Some(window) => digits_of(&data[window..end]) >> missing << missing,
        None => data[start..end].iter().fold(0, |digits, byte| digits >> 8 | u64::from(byte ^ b'0') << 56),
    };
    eight_digits(digits) as i32
}

/// The values of eight digits, the first in the lowest byte; bytes that are not digits become 10 or more.
#[inline(always)]
fn digits_of(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes")) ^ 0x3030_3030_3030_3030
}

/// The number whose eight decimal digits are the bytes of `digits`, the first in the lowest. Three multiplications join
/// neighbours into pairs, pairs into fours and fours into the whole.
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
            irregular in prop::option::of((0usize..2_000, prop::sample::select(vec![
                "", "1", "1,2", "1,2,3,4", "1,,3", "123456789,1,1", "-1,2,3", "1.5,2,3", "\"1\",2,3", "1,2,3\r", "1,x,3"
            ]))),
            limit in 0usize..2_500,
            cut in 0usize..20,
        ) {
            let line = |row: &[u32; 3]| format!("{:02},{},{}\n", row[0], row[1], row[2]);
            let mut lines: Vec<String> = rows.iter().map(line).collect();
            let regular = irregular.map_or(rows.len(), |(place, _)| place.min(rows.len()));
            if let Some((_, irregular)) = irregular {
                lines.insert(regular, format!("{irregular}\n"));
            }
            let mut text = lines.concat();
            text.truncate(text.len().saturating_sub(cut));
            let mut columns = [Vec::new(), Vec::new(), Vec::new()];
            let (found, bytes) = integer_rows(text.as_bytes(), &mut columns.each_mut(), limit);
            prop_assert!(found <= regular && found <= limit && bytes <= text.len());
            prop_assert_eq!(bytes, lines[..found].concat().len());
            for (column, values) in columns.iter().enumerate() {
                let expected: Vec<i32> = rows[..found].iter().map(|row| row[column] as i32).collect();
                prop_assert_eq!(values, &expected);
            }
            if irregular.is_none() && cut == 0 {
                prop_assert_eq!(found, regular.min(limit));
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
