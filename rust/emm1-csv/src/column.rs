//! Columns of parsed fields.

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

impl Column {
    pub(super) fn new(kind: Kind, room: usize) -> Self {
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
    pub(super) fn truncate(&mut self, rows: usize) {
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
