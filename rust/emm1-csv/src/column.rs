//! Columns of parsed fields.

/// The type of the fields of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Digits, as i32.
    Integer,
    /// Digits, optionally with a decimal point between them, as f64.
    Number,
    /// Any text.
    Text,
    /// Text with at most 256 distinct values, as indices into a list of symbols.
    Symbol,
    /// Ignored.
    Skipped,
}

impl std::str::FromStr for ColumnType {
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

/// The fields of a column. A field that is empty and not quoted is null: its value is a filler.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The values.
    pub values: Values,
    /// The numbers of the rows that are null, ascending.
    pub nulls: Vec<usize>,
}

/// The values of a column, by its type.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Of [`ColumnType::Integer`].
    Integers(Vec<i32>),
    /// Of [`ColumnType::Number`].
    Numbers(Vec<f64>),
    /// Of [`ColumnType::Text`]: the start of each field and the end of the last one, then the bytes of all fields.
    Texts(Vec<i32>, Vec<u8>),
    /// Of [`ColumnType::Symbol`].
    Symbols(Vec<u8>),
    /// Of [`ColumnType::Skipped`].
    Skipped,
}

impl Column {
    pub(super) fn new(column_type: ColumnType, capacity: usize) -> Self {
        let values = match column_type {
            ColumnType::Integer => Values::Integers(Vec::with_capacity(capacity)),
            ColumnType::Number => Values::Numbers(Vec::with_capacity(capacity)),
            ColumnType::Text => Values::Texts(vec![0], Vec::new()),
            ColumnType::Symbol => Values::Symbols(Vec::with_capacity(capacity)),
            ColumnType::Skipped => Values::Skipped,
        };
        Self { values, nulls: Vec::new() }
    }

    /// A bitmap of `rows` rows, least significant bit first, in which a set bit is a value; None if no row is null.
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

    /// Drops what an incomplete row left behind.
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
