//! CSV parsed into columns, a block at a time.
//!
//! Only regular CSV is parsed. Anything else (a quote inside an unquoted field, a row of another length, an empty line,
//! mixed line ends, a sign, bytes that are not UTF-8) is refused rather than guessed at: the caller then uses a general
//! CSV reader, which reports what is wrong.

#![deny(missing_docs)]

mod column;
mod field;
mod integers;
mod marks;

use memchr::{memchr, memchr2, memchr3};

pub use column::{Column, ColumnType, Values};
use field::Field;
use integers::{integer, integer_rows};

/// The rows parsed from a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// One for each column type asked for.
    pub columns: Vec<Column>,
    /// The number of rows.
    pub rows: usize,
    /// The number of bytes that these rows occupied.
    pub bytes: usize,
}

/// The format that every row must have.
#[derive(Clone, Debug)]
pub struct Format {
    /// The type of each column.
    pub columns: Vec<ColumnType>,
    /// Whether lines end in CRLF; otherwise they end in LF.
    pub crlf: bool,
}

/// Bytes of parsed rows that are validated together, while they are in the cache.
const VALIDATED: usize = 32_768;
/// A longer row is damaged, or its closing quote is missing.
const LONGEST_ROW: usize = 2_000_000;

/// Why a row was not parsed.
enum Unparsed {
    /// It continues after the block.
    Incomplete,
    /// It is not regular.
    Irregular,
    /// It contains a CR, and its fields were not searched for one.
    StrayCr,
}

/// Parses the first rows of a block, at most `limit`; None if one of them is not regular.
///
/// `last` says that the file ends with the block; otherwise an incomplete row is left for the next block. `symbols` has
/// the known values of each column of [`ColumnType::Symbol`]; new values are added.
///
/// ```
/// use emm1_csv::{ColumnType, Format, Values, parse};
/// let format = Format { columns: vec![ColumnType::Integer, ColumnType::Text], crlf: false };
/// let parsed = parse(b"7,\"a, \"\"b\"\"\"\n8,c", &format, &mut [], 10, false).unwrap();
/// assert_eq!(parsed.columns[0].values, Values::Integers(vec![7]));
/// assert_eq!(parsed.columns[1].values, Values::Texts(vec![0, 6], b"a, \"b\"".to_vec()));
/// assert_eq!((parsed.rows, parsed.bytes), (1, 13));
/// ```
pub fn parse(data: &[u8], format: &Format, symbols: &mut [Vec<String>], limit: usize, last: bool) -> Option<Parsed> {
    let block = Block { data, last, crlf: format.crlf, stray_cr: format.crlf };
    match block.rows(&format.columns, symbols, limit) {
        // A CR is rare in a file with LF line ends: fields are searched for one only when the block contains one.
        Err(Unparsed::StrayCr) => Block { stray_cr: true, ..block }.rows(&format.columns, symbols, limit).ok(),
        parsed => parsed.ok(),
    }
}

struct Block<'a> {
    data: &'a [u8],
    last: bool,
    crlf: bool,
    /// Whether fields may contain a CR that is not part of a line end.
    stray_cr: bool,
}

impl<'a> Block<'a> {
    /// The first rows, at most `limit`.
    fn rows(&self, types: &[ColumnType], symbols: &mut [Vec<String>], limit: usize) -> Result<Parsed, Unparsed> {
        // Capacity for the shortest likely rows; pages that are never written cost nothing.
        let capacity = limit.min(self.data.len() / (4 * types.len().max(1)));
        let mut columns: Vec<Column> = types.iter().map(|each| Column::new(*each, capacity)).collect();
        // The bulk path ends at the first unusual row; the rows from there on take the slower path.
        let (mut rows, mut at) = match integers_of(&mut columns) {
            Some(mut integers) if !self.crlf => integer_rows(self.data, &mut integers, limit),
            _ => (0, 0),
        };
        // The bulk path has seen every byte.
        let mut validated = at;
        while rows < limit && at < self.data.len() {
            match self.row(at, rows, &mut columns, symbols) {
                Ok(end) if end - at <= LONGEST_ROW => at = end,
                Ok(_) => return Err(Unparsed::Irregular),
                Err(Unparsed::Incomplete) => break,
                Err(stop) => return Err(stop),
            }
            rows += 1;
            if at - validated >= VALIDATED {
                self.validate(&self.data[validated..at])?;
                validated = at;
            }
        }
        self.validate(&self.data[validated..at])?;
        columns.iter_mut().for_each(|column| column.truncate(rows));
        Ok(Parsed { columns, rows, bytes: at })
    }

    /// Checks that parsed rows are text.
    fn validate(&self, parsed: &[u8]) -> Result<(), Unparsed> {
        match memchr2(0, b'\r', parsed) {
            Some(place) if parsed[place] == b'\r' && !self.stray_cr => Err(Unparsed::StrayCr),
            Some(place) if memchr(0, &parsed[place..]).is_some() => Err(Unparsed::Irregular),
            _ => std::str::from_utf8(parsed).map(drop).map_err(|_| Unparsed::Irregular),
        }
    }

    /// Parses the row that begins at `at` and returns its end.
    fn row(
        &self,
        mut at: usize,
        row: usize,
        columns: &mut [Column],
        symbols: &mut [Vec<String>],
    ) -> Result<usize, Unparsed> {
        let mut symbols = symbols.iter_mut();
        let count = columns.len();
        for (number, Column { values, nulls }) in columns.iter_mut().enumerate() {
            let end = match values {
                Values::Integers(values) if self.data.get(at).is_some_and(u8::is_ascii_digit) => {
                    let (value, end) = integer(self.data, at).ok_or(Unparsed::Irregular)?;
                    values.push(value);
                    end
                }
                _ => {
                    let field = self.field(at)?;
                    if field.is_null() {
                        nulls.push(row);
                    }
                    match values {
                        Values::Integers(values) if field.is_null() => values.push(0),
                        Values::Integers(_) => return Err(Unparsed::Irregular),
                        Values::Numbers(values) => values.push(field.number().ok_or(Unparsed::Irregular)?),
                        Values::Texts(ends, bytes) => {
                            field.append_to(bytes);
                            ends.push(i32::try_from(bytes.len()).map_err(|_| Unparsed::Irregular)?);
                        }
                        Values::Symbols(values) => {
                            let known = symbols.next().ok_or(Unparsed::Irregular)?;
                            values.push(if field.is_null() {
                                0
                            } else {
                                field.symbol_in(known).ok_or(Unparsed::Irregular)?
                            });
                        }
                        Values::Skipped => {}
                    }
                    field.end
                }
            };
            at = self.separator(end, number + 1 == count)?;
        }
        Ok(at)
    }

    #[inline]
    fn field(&self, at: usize) -> Result<Field<'a>, Unparsed> {
        if self.data.get(at) == Some(&b'"') { self.quoted(at + 1) } else { self.unquoted(at) }
    }

    #[inline]
    fn unquoted(&self, at: usize) -> Result<Field<'a>, Unparsed> {
        let rest = &self.data[at..];
        let end = match memchr3(b',', b'\n', b'"', rest) {
            Some(end) if rest[end] == b'"' => return Err(Unparsed::Irregular),
            Some(end) if rest[end] == b'\n' && self.crlf => end.checked_sub(1).ok_or(Unparsed::Irregular)?,
            Some(end) => end,
            None if self.last => rest.len(),
            None => return Err(Unparsed::Incomplete),
        };
        let text = &rest[..end];
        if self.stray_cr && memchr(b'\r', text).is_some() {
            return Err(Unparsed::Irregular);
        }
        Ok(Field { text, quoted: false, escaped: false, end: at + end })
    }

    fn quoted(&self, start: usize) -> Result<Field<'a>, Unparsed> {
        let (mut at, mut escaped) = (start, false);
        loop {
            let unclosed = if self.last { Unparsed::Irregular } else { Unparsed::Incomplete };
            let Some(quote) = memchr(b'"', &self.data[at..]) else { return Err(unclosed) };
            let end = at + quote;
            match self.data.get(end + 1) {
                Some(b'"') => (at, escaped) = (end + 2, true),
                None if !self.last => return Err(Unparsed::Incomplete),
                _ => return Ok(Field { text: &self.data[start..end], quoted: true, escaped, end: end + 1 }),
            }
        }
    }

    /// Skips the separator at `at`, or the line end after the last field of a row.
    #[inline]
    fn separator(&self, at: usize, ends_row: bool) -> Result<usize, Unparsed> {
        match self.data.get(at) {
            Some(b',') if !ends_row => Ok(at + 1),
            Some(b'\n') if ends_row && !self.crlf => Ok(at + 1),
            Some(b'\r') if ends_row && self.crlf => match self.data.get(at + 1) {
                Some(b'\n') => Ok(at + 2),
                None if !self.last => Err(Unparsed::Incomplete),
                _ => Err(Unparsed::Irregular),
            },
            None if !self.last => Err(Unparsed::Incomplete),
            None if ends_row => Ok(at),
            _ => Err(Unparsed::Irregular),
        }
    }
}

/// The values of the columns, if there are any and all are integers.
fn integers_of(columns: &mut [Column]) -> Option<Vec<&mut Vec<i32>>> {
    let integers = columns.iter_mut().map(|column| match &mut column.values {
        Values::Integers(values) => Some(values),
        _ => None,
    });
    integers.collect::<Option<Vec<_>>>().filter(|integers| !integers.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &[u8], last: bool) -> Option<Parsed> {
        let columns = vec![ColumnType::Integer, ColumnType::Number, ColumnType::Text, ColumnType::Symbol];
        parse(text, &Format { columns, crlf: false }, &mut [Vec::new()], 100, last)
    }

    #[test]
    fn refuses_rows_that_are_not_regular() {
        for irregular in [
            "1,1,a",
            "1,1,a,b,c",
            "1,1,a,b\n\n",
            "+1,1,a,b",
            "\"1\",1,a,b",
            "\"\",1,a,b",
            "1,\"\",a,b",
            "1.0,1,a,b",
            "2147483648,1,a,b",
            "1,1e3,a,b",
            "1,.5,a,b",
            "1,1,a\"b,b",
            "1,1, \"a\",b",
            "1,1,\"a\"b,b",
            "1,1,\"a,b",
            "1,1,a\rb,c",
            "1,1,a,b\r",
            "1,1,a,b\r\n",
            "1,1,a\0,b",
        ] {
            assert_eq!(parsed(irregular.as_bytes(), true), None, "{irregular:?}");
        }
        assert_eq!(parsed(b"1,1,\xff,b", true), None);
        assert_eq!(parsed(format!("1,1{},a,b", "0".repeat(400)).as_bytes(), true), None);
    }

    #[test]
    fn an_incomplete_row_is_left_for_the_next_block() {
        let text = b"1,2.5,\"a\"\"\nb\",x\n,,,\n2,3,\"\",y\n";
        let whole = parsed(text, true).unwrap();
        assert_eq!(whole.rows, 3);
        let validity: Vec<_> = whole.columns.iter().map(|column| column.validity(3)).collect();
        assert_eq!(validity, vec![Some(vec![0b1111_1101]); 4]);
        for cut in 0..text.len() {
            let first = parsed(&text[..cut], false).unwrap();
            let rest = parsed(&text[first.bytes..], true).unwrap();
            assert_eq!(first.rows + rest.rows, 3, "{cut}");
            assert!(first.columns.iter().flat_map(|column| &column.nulls).all(|row| *row < first.rows));
        }
    }
}
