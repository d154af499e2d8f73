//! CSV parsed into columns, a block at a time: the files of infos are 1.7 GB of it.
//!
//! Whatever is not plain (a quote inside an unquoted field, a row of another length, an empty line, line ends of two
//! kinds, a sign, bytes that are not UTF-8) is not guessed at: the caller then reads the file with a CSV reader, which
//! knows what to say.

use memchr::{memchr, memchr3};

use crate::integers::integer;

/// What the fields of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Digits, as i32.
    Integer,
    /// Digits, perhaps with a decimal point between, as f64.
    Number,
    /// Any text.
    Text,
    /// Text of few different values, 256 at most, as the place of each in a list.
    Symbol,
    /// Not looked at.
    Skipped,
}

impl std::str::FromStr for Kind {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Ok(match name {
            "integer" => Self::Integer,
            "number" => Self::Number,
            "text" => Self::Text,
            "symbol" => Self::Symbol,
            "skipped" => Self::Skipped,
            _ => return Err(()),
        })
    }
}

/// The fields of a column. Of a field that is empty and not quoted, the value is a filler and the row is listed.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The values.
    pub values: Values,
    /// Numbers of the rows that have none, ascending.
    pub nulls: Vec<usize>,
}

/// The values of a column, by its kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Of [`Kind::Integer`].
    Integers(Vec<i32>),
    /// Of [`Kind::Number`].
    Numbers(Vec<f64>),
    /// Of [`Kind::Text`]: where each field begins and the last ends, and the bytes of all.
    Texts(Vec<i32>, Vec<u8>),
    /// Of [`Kind::Symbol`].
    Symbols(Vec<u8>),
    /// Of [`Kind::Skipped`].
    Skipped,
}

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

/// A longer row is damaged, or its quote is closed too late.
const LONGEST_ROW: usize = 2_000_000;

/// Why a row is not parsed.
enum Stop {
    /// It goes on after the block.
    More,
    /// It is not plain.
    Odd,
}

/// The first rows of a block, `most` at most; None where one is not plain.
///
/// `last` says that the file ends with the block; otherwise a row that is not whole waits for the next one. `symbols`
/// has the values of each column of [`Kind::Symbol`], and gets those that are new.
///
/// ```
/// use emm1_core::{Form, Kind, Values, parse_records};
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
    let records = block.rows(&form.kinds, symbols, most)?;
    // Of digits every byte has been looked at.
    if form.kinds.iter().all(|kind| *kind == Kind::Integer) {
        return Some(records);
    }
    let parsed = &data[..records.bytes];
    if memchr(0, parsed).is_some() || std::str::from_utf8(parsed).is_err() {
        return None;
    }
    // There is hardly ever a CR in a file of LFs: its fields are searched for one only then.
    if !block.stray_cr && memchr(b'\r', parsed).is_some() {
        return Block { stray_cr: true, ..block }.rows(&form.kinds, symbols, most);
    }
    Some(records)
}

impl Column {
    fn new(kind: Kind, room: usize) -> Self {
        let values = match kind {
            Kind::Integer => Values::Integers(Vec::with_capacity(room)),
            Kind::Number => Values::Numbers(Vec::with_capacity(room)),
            Kind::Text => Values::Texts(vec![0], Vec::new()),
            Kind::Symbol => Values::Symbols(Vec::with_capacity(room)),
            Kind::Skipped => Values::Skipped,
        };
        Self { values, nulls: Vec::new() }
    }

    /// A bit for each of `rows` rows, the first in the lowest of a byte: whether it has a value; None where all have.
    pub fn validity(&self, rows: usize) -> Option<Vec<u8>> {
        if self.nulls.is_empty() {
            return None;
        }
        let mut bits = vec![0xff; rows.div_ceil(8)];
        for row in &self.nulls {
            bits[row / 8] &= !(1 << (row % 8));
        }
        Some(bits)
    }

    /// Forget what a row that is not whole has left.
    fn truncate(&mut self, rows: usize) {
        match &mut self.values {
            Values::Integers(values) => values.truncate(rows),
            Values::Numbers(values) => values.truncate(rows),
            Values::Texts(ends, bytes) => {
                ends.truncate(rows + 1);
                bytes.truncate(ends[rows] as usize);
            }
            Values::Symbols(values) => values.truncate(rows),
            Values::Skipped => {}
        }
        self.nulls.truncate(self.nulls.partition_point(|row| *row < rows));
    }
}

/// A field as it stands: quoted or not, with doubled quotes or not, and where the separator after it is.
struct Field<'a> {
    text: &'a [u8],
    quoted: bool,
    doubled: bool,
    next: usize,
}

struct Block<'a> {
    data: &'a [u8],
    last: bool,
    crlf: bool,
    /// Whether fields may have a CR that ends no row.
    stray_cr: bool,
}

impl<'a> Block<'a> {
    /// The first rows, `most` at most; None where one is odd.
    fn rows(&self, kinds: &[Kind], symbols: &mut [Vec<String>], most: usize) -> Option<Records> {
        // Room for the shortest rows that are likely; pages never written cost nothing.
        let room = most.min(self.data.len() / (4 * kinds.len().max(1)));
        let mut columns: Vec<Column> = kinds.iter().map(|kind| Column::new(*kind, room)).collect();
        let (mut rows, mut at) = (0, 0);
        while rows < most && at < self.data.len() {
            match self.row(at, rows, &mut columns, symbols) {
                Ok(end) if end - at <= LONGEST_ROW => at = end,
                Err(Stop::More) => break,
                Ok(_) | Err(Stop::Odd) => return None,
            }
            rows += 1;
        }
        columns.iter_mut().for_each(|column| column.truncate(rows));
        Some(Records { columns, rows, bytes: at })
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
                    if field.text.is_empty() && !field.quoted {
                        nulls.push(row);
                    }
                    match values {
                        Values::Integers(values) if field.text.is_empty() => values.push(0),
                        Values::Integers(_) => return Err(Stop::Odd),
                        Values::Numbers(values) => values.push(number_of(&field).ok_or(Stop::Odd)?),
                        Values::Texts(ends, bytes) => {
                            field.append_to(bytes);
                            ends.push(i32::try_from(bytes.len()).map_err(|_| Stop::Odd)?);
                        }
                        Values::Symbols(values) => {
                            let known = symbols.next().ok_or(Stop::Odd)?;
                            let absent = field.text.is_empty() && !field.quoted;
                            values.push(if absent { 0 } else { place_of(&field, known).ok_or(Stop::Odd)? });
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

impl Field<'_> {
    fn append_to(&self, bytes: &mut Vec<u8>) {
        if !self.doubled {
            bytes.extend_from_slice(self.text);
            return;
        }
        let mut rest = self.text;
        while let Some(quote) = memchr(b'"', rest) {
            bytes.extend_from_slice(&rest[..=quote]);
            rest = &rest[quote + 2..];
        }
        bytes.extend_from_slice(rest);
    }
}

/// The number that a field says; 0 where it says nothing.
fn number_of(field: &Field<'_>) -> Option<f64> {
    let text = field.text;
    if text.is_empty() && !field.quoted {
        return Some(0.0);
    }
    let plain = text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let ends = text.first()?.is_ascii_digit() && text.last()?.is_ascii_digit();
    if field.quoted || !plain || !ends {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The place of a field's value in a list, which gets it where it is new.
fn place_of(field: &Field<'_>, known: &mut Vec<String>) -> Option<u8> {
    if field.doubled {
        return None;
    }
    let found = known.iter().position(|value| value.as_bytes() == field.text);
    let place = match found {
        Some(place) => place,
        None => {
            known.push(std::str::from_utf8(field.text).ok()?.to_owned());
            known.len() - 1
        }
    };
    u8::try_from(place).ok()
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
