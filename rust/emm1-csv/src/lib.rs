//! CSV parsed into columns, a block at a time: the files of infos are 1.7 GB of it.
//!
//! Whatever is not plain (a quote inside an unquoted field, a row of another length, an empty line, line ends of two
//! kinds, a sign, bytes that are not UTF-8) is not guessed at: the caller then reads the file with a CSV reader, which
//! knows what to say.

#![deny(missing_docs)]

mod column;
mod field;
mod integers;
mod marks;

use memchr::{memchr, memchr2, memchr3};

pub use column::{Column, Kind, Values};
use field::Field;
use integers::{integer, integer_rows};

/// A block of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Records {
    /// One for each kind asked for.
    pub columns: Vec<Column>,
    /// How many rows there are.
    pub rows: usize,
    /// How many bytes they took.
    pub bytes: usize,
}

/// What the rows of a file must be.
#[derive(Clone, Debug)]
pub struct Form {
    /// The kind of each column.
    pub kinds: Vec<Kind>,
    /// Whether lines end in CRLF; otherwise in LF.
    pub crlf: bool,
}

/// Bytes of rows that are checked together, while they are in the cache.
const CHECKED: usize = 32_768;
/// A longer row is damaged, or its quote is closed too late.
const LONGEST_ROW: usize = 2_000_000;

/// Why a row is not parsed.
enum Stop {
    /// It goes on after the block.
    More,
    /// It is not plain.
    Odd,
    /// It has a CR, and its fields were not searched for one.
    StrayCr,
}

/// The first rows of a block, `most` at most; None where one is not plain.
///
/// `last` says that the file ends with the block; otherwise a row that is not whole waits for the next one. `symbols`
/// has the values of each column of [`Kind::Symbol`], and gets those that are new.
///
/// ```
/// use emm1_csv::{Form, Kind, Values, parse_records};
/// let form = Form { kinds: vec![Kind::Integer, Kind::Text], crlf: false };
/// let records = parse_records(b"7,\"a, \"\"b\"\"\"\n8,c", &form, &mut [], 10, false).unwrap();
/// assert_eq!(records.columns[0].values, Values::Integers(vec![7]));
/// assert_eq!(records.columns[1].values, Values::Texts(vec![0, 6], b"a, \"b\"".to_vec()));
/// assert_eq!((records.rows, records.bytes), (1, 13));
/// ```
pub fn parse_records(
    data: &[u8],
    form: &Form,
    symbols: &mut [Vec<String>],
    most: usize,
    last: bool,
) -> Option<Records> {
    let block = Block { data, last, crlf: form.crlf, stray_cr: form.crlf };
    match block.rows(&form.kinds, symbols, most) {
        // There is hardly ever a CR in a file of LFs: its fields are searched for one only then.
        Err(Stop::StrayCr) => Block { stray_cr: true, ..block }.rows(&form.kinds, symbols, most).ok(),
        records => records.ok(),
    }
}

struct Block<'a> {
    data: &'a [u8],
    last: bool,
    crlf: bool,
    /// Whether fields may have a CR that ends no row.
    stray_cr: bool,
}

impl<'a> Block<'a> {
    /// The first rows, `most` at most.
    fn rows(&self, kinds: &[Kind], symbols: &mut [Vec<String>], most: usize) -> Result<Records, Stop> {
        // Room for the shortest rows that are likely; pages never written cost nothing.
        let room = most.min(self.data.len() / (4 * kinds.len().max(1)));
        let mut columns: Vec<Column> = kinds.iter().map(|kind| Column::new(*kind, room)).collect();
        // Those after a row that is not as usual go the slower way.
        let (mut rows, mut at) = match integers_of(&mut columns) {
            Some(mut integers) if !self.crlf => integer_rows(self.data, &mut integers, most),
            _ => (0, 0),
        };
        // Of digits every byte has been looked at.
        let mut checked = at;
        while rows < most && at < self.data.len() {
            match self.row(at, rows, &mut columns, symbols) {
                Ok(end) if end - at <= LONGEST_ROW => at = end,
                Ok(_) => return Err(Stop::Odd),
                Err(Stop::More) => break,
                Err(stop) => return Err(stop),
            }
            rows += 1;
            if at - checked >= CHECKED {
                self.check(&self.data[checked..at])?;
                checked = at;
            }
        }
        self.check(&self.data[checked..at])?;
        columns.iter_mut().for_each(|column| column.truncate(rows));
        Ok(Records { columns, rows, bytes: at })
    }

    /// Rows that were parsed must be text.
    fn check(&self, parsed: &[u8]) -> Result<(), Stop> {
        match memchr2(0, b'\r', parsed) {
            Some(place) if parsed[place] == b'\r' && !self.stray_cr => Err(Stop::StrayCr),
            Some(place) if memchr(0, &parsed[place..]).is_some() => Err(Stop::Odd),
            _ => std::str::from_utf8(parsed).map(drop).map_err(|_| Stop::Odd),
        }
    }

    /// Parse the row that begins at `at`; returns where it ends.
    fn row(
        &self,
        mut at: usize,
        row: usize,
        columns: &mut [Column],
        symbols: &mut [Vec<String>],
    ) -> Result<usize, Stop> {
        let mut symbols = symbols.iter_mut();
        let count = columns.len();
        for (number, Column { values, nulls }) in columns.iter_mut().enumerate() {
            let next = match values {
                Values::Integers(values) if self.data.get(at).is_some_and(u8::is_ascii_digit) => {
                    let (value, end) = integer(self.data, at).ok_or(Stop::Odd)?;
                    values.push(value);
                    end
                }
                _ => {
                    let field = self.field(at)?;
                    if field.absent() {
                        nulls.push(row);
                    }
                    match values {
                        Values::Integers(values) if field.absent() => values.push(0),
                        Values::Integers(_) => return Err(Stop::Odd),
                        Values::Numbers(values) => values.push(field.number().ok_or(Stop::Odd)?),
                        Values::Texts(ends, bytes) => {
                            field.append_to(bytes);
                            ends.push(i32::try_from(bytes.len()).map_err(|_| Stop::Odd)?);
                        }
                        Values::Symbols(values) => {
                            let known = symbols.next().ok_or(Stop::Odd)?;
                            values.push(if field.absent() { 0 } else { field.place_in(known).ok_or(Stop::Odd)? });
                        }
                        Values::Skipped => {}
                    }
                    field.next
                }
            };
            at = self.separator(next, number + 1 == count)?;
        }
        Ok(at)
    }

    #[inline]
    fn field(&self, at: usize) -> Result<Field<'a>, Stop> {
        if self.data.get(at) == Some(&b'"') { self.quoted(at + 1) } else { self.unquoted(at) }
    }

    #[inline]
    fn unquoted(&self, at: usize) -> Result<Field<'a>, Stop> {
        let rest = &self.data[at..];
        let end = match memchr3(b',', b'\n', b'"', rest) {
            Some(end) if rest[end] == b'"' => return Err(Stop::Odd),
            Some(end) if rest[end] == b'\n' && self.crlf => end.checked_sub(1).ok_or(Stop::Odd)?,
            Some(end) => end,
            None if self.last => rest.len(),
            None => return Err(Stop::More),
        };
        let text = &rest[..end];
        if self.stray_cr && memchr(b'\r', text).is_some() {
            return Err(Stop::Odd);
        }
        Ok(Field { text, quoted: false, doubled: false, next: at + end })
    }

    fn quoted(&self, start: usize) -> Result<Field<'a>, Stop> {
        let (mut at, mut doubled) = (start, false);
        loop {
            let unclosed = if self.last { Stop::Odd } else { Stop::More };
            let Some(quote) = memchr(b'"', &self.data[at..]) else { return Err(unclosed) };
            let end = at + quote;
            match self.data.get(end + 1) {
                Some(b'"') => (at, doubled) = (end + 2, true),
                None if !self.last => return Err(Stop::More),
                _ => return Ok(Field { text: &self.data[start..end], quoted: true, doubled, next: end + 1 }),
            }
        }
    }

    /// Where the next field or row begins, after what ends the last one.
    #[inline]
    fn separator(&self, at: usize, of_row: bool) -> Result<usize, Stop> {
        match self.data.get(at) {
            Some(b',') if !of_row => Ok(at + 1),
            Some(b'\n') if of_row && !self.crlf => Ok(at + 1),
            Some(b'\r') if of_row && self.crlf => match self.data.get(at + 1) {
                Some(b'\n') => Ok(at + 2),
                None if !self.last => Err(Stop::More),
                _ => Err(Stop::Odd),
            },
            None if !self.last => Err(Stop::More),
            None if of_row => Ok(at),
            _ => Err(Stop::Odd),
        }
    }
}

/// The values of the columns, where there are any and all are of integers.
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

    fn parsed(text: &[u8], last: bool) -> Option<Records> {
        let form = Form { kinds: vec![Kind::Integer, Kind::Number, Kind::Text, Kind::Symbol], crlf: false };
        parse_records(text, &form, &mut [Vec::new()], 100, last)
    }

    #[test]
    fn takes_nothing_but_plain_rows() {
        for odd in [
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
            assert_eq!(parsed(odd.as_bytes(), true), None, "{odd:?}");
        }
        assert_eq!(parsed(b"1,1,\xff,b", true), None);
        assert_eq!(parsed(format!("1,1{},a,b", "0".repeat(400)).as_bytes(), true), None);
    }

    #[test]
    fn a_row_that_is_not_whole_waits_for_the_next_block() {
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
