//! Writes the results of functions into DuckDB's vectors.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use emm1_core::{EmbeddingFile, Error, Result};

use super::table::{ListEntry, VectorData};
use super::types::{LogicalType, SqlType};
use super::{api, check};

/// The results of a function for some rows: each distinct value once, and the index of the value of each row; None is
/// NULL.
pub(crate) struct Answers<T> {
    values: Vec<T>,
    rows: Vec<Option<usize>>,
}

impl<T> Answers<T> {
    /// NULL for `rows` rows.
    pub(crate) fn nulls(rows: usize) -> Self {
        Self { values: Vec::new(), rows: vec![None; rows] }
    }

    /// Gives some rows the same value, which is kept and written once.
    pub(crate) fn give(&mut self, value: T, rows: impl IntoIterator<Item = usize>) {
        rows.into_iter().for_each(|row| self.rows[row] = Some(self.values.len()));
        self.values.push(value);
    }

    /// The number of rows.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The value of each row, with the row's number.
    fn each(&self) -> impl Iterator<Item = (usize, Option<&T>)> + Clone {
        self.rows.iter().enumerate().map(|(row, value)| (row, value.map(|value| &self.values[value])))
    }
}

impl<T> FromIterator<Option<T>> for Answers<T> {
    fn from_iter<I: IntoIterator<Item = Option<T>>>(values: I) -> Self {
        let mut answers = Self::nulls(0);
        for value in values {
            answers.rows.push(None);
            if let Some(value) = value {
                answers.give(value, [answers.rows.len() - 1]);
            }
        }
        answers
    }
}

/// A vector to write into. Writing calls DuckDB, which throws if it runs out of memory; so it is done outside `guard`,
/// which cannot catch anything but panics. Therefore nothing here may panic.
#[derive(Clone, Copy)]
pub(crate) struct Output<'a> {
    raw: *mut VectorData,
    capacity: usize,
    lifetime: PhantomData<&'a ()>,
}

impl Output<'_> {
    /// # Safety
    /// `raw` has room for `capacity` values and is not freed during `'a`.
    pub(super) unsafe fn new(raw: *mut VectorData, capacity: usize) -> Self {
        Self { raw, capacity, lifetime: PhantomData }
    }

    fn set_all<T: Copy>(self, values: impl Iterator<Item = (usize, T)>) {
        // SAFETY: the vector is alive.
        let data = unsafe { (api().vector_get_data)(self.raw) }.cast::<T>();
        for (row, value) in values {
            assert!(row < self.capacity, "more rows than the vector has room for");
            // SAFETY: there is room, and the implementations of `Value` write only values of their own type.
            unsafe { data.add(row).write(value) }
        }
    }

    pub(crate) fn set_null(self, row: usize) {
        assert!(row < self.capacity, "more rows than the vector has room for");
        // SAFETY: there is room, and the validity mask exists.
        unsafe {
            (api().vector_ensure_validity_writable)(self.raw);
            (api().validity_set_row_invalid)((api().vector_get_validity)(self.raw), row as u64);
        }
    }

    /// The vector of a field of a struct.
    pub(crate) fn field(self, number: usize) -> Self {
        // SAFETY: the vector is alive, and was checked to be a struct with this field.
        let raw = unsafe {
            assert!(
                (number as u64) < LogicalType::of(self.raw).fields(),
                "a struct has the fields it was declared with"
            );
            (api().struct_vector_get_child)(self.raw, number as u64)
        };
        Self { raw, ..self }
    }

    /// Makes room for more items of lists; returns the child vector and the position of the first new item.
    fn grow(self, items: usize) -> Result<(Self, usize)> {
        // SAFETY: only the implementations of `Value` for lists call this.
        unsafe {
            let start = (api().list_vector_get_size)(self.raw) as usize;
            let end = start + items;
            check((api().list_vector_reserve)(self.raw, end as u64), "so long a list")?;
            check((api().list_vector_set_size)(self.raw, end as u64), "so long a list")?;
            Ok((Self { raw: (api().list_vector_get_child)(self.raw), capacity: end, ..self }, start))
        }
    }

    /// Writes the ranges of the rows' lists; rows with the same answer share its items. `lengths` gives the length of
    /// each distinct list; their items follow one another from `start` on.
    fn set_lists<T>(self, answers: &Answers<T>, start: usize, lengths: impl Fn(&T) -> usize) {
        let mut end = start as u64;
        let places = answers.values.iter().map(|list| {
            let entry = ListEntry { offset: end, length: lengths(list) as u64 };
            end += entry.length;
            entry
        });
        let places: Vec<ListEntry> = places.collect();
        let empty = ListEntry { offset: 0, length: 0 };
        self.set_all(answers.rows.iter().enumerate().map(|(row, list)| (row, list.map_or(empty, |list| places[list]))));
        answers.rows.iter().enumerate().filter(|(_, list)| list.is_none()).for_each(|(row, _)| self.set_null(row));
    }
}

/// A value that DuckDB can receive.
pub(crate) trait Value: Sized {
    /// Its SQL type.
    const SQL_TYPE: SqlType;

    /// Writes values, each with its row.
    fn write<'a>(out: Output<'_>, values: impl Iterator<Item = (usize, &'a Self)> + Clone) -> Result<()>
    where
        Self: 'a;

    /// Writes a NULL and leaves nothing uninitialized.
    fn write_null(out: Output<'_>, row: usize) {
        out.set_null(row);
    }

    /// Writes the answers to all rows.
    fn write_answers(out: Output<'_>, answers: &Answers<Self>) -> Result<()> {
        answers.each().filter(|(_, value)| value.is_none()).for_each(|(row, _)| Self::write_null(out, row));
        Self::write(out, answers.each().filter_map(|(row, value)| Some((row, value?))))
    }
}

macro_rules! numeric {
    ($($type:ty: $sql_type:ident)*) => {
        $(impl Value for $type {
            const SQL_TYPE: SqlType = SqlType::$sql_type;

            fn write<'a>(out: Output<'_>, values: impl Iterator<Item = (usize, &'a Self)> + Clone) -> Result<()> {
                out.set_all(values.map(|(row, &value)| (row, value)));
                Ok(())
            }
        })*
    };
}
numeric! { i64: BigInt f32: Float }

impl Value for String {
    const SQL_TYPE: SqlType = SqlType::Varchar;

    fn write<'a>(out: Output<'_>, values: impl Iterator<Item = (usize, &'a Self)> + Clone) -> Result<()> {
        for (row, text) in values {
            assert!(row < out.capacity, "more rows than the vector has room for");
            // SAFETY: there is room; DuckDB copies the text.
            unsafe {
                (api().vector_assign_string_element_len)(out.raw, row as u64, text.as_ptr().cast(), text.len() as u64);
            }
        }
        Ok(())
    }
}

/// A value that becomes a list.
pub(crate) trait List {
    /// The type of its items.
    type Item: Value;

    /// Its items, in order.
    fn items(&self) -> &[Self::Item];
}

impl<T: Value> List for Vec<T> {
    type Item = T;

    fn items(&self) -> &[T] {
        self
    }
}

/// A slice of a buffer that is shared by many vectors.
pub(crate) struct Slice {
    pub(crate) of: Arc<Vec<f32>>,
    pub(crate) range: Range<usize>,
}

impl List for Slice {
    type Item = f32;

    fn items(&self) -> &[f32] {
        &self.of[self.range.clone()]
    }
}

impl<L: List> Value for L {
    const SQL_TYPE: SqlType = SqlType::List(&<L::Item as Value>::SQL_TYPE);

    fn write<'a>(out: Output<'_>, values: impl Iterator<Item = (usize, &'a Self)> + Clone) -> Result<()>
    where
        Self: 'a,
    {
        let (items, start) = out.grow(values.clone().map(|(_, list)| list.items().len()).sum())?;
        let mut end = start as u64;
        out.set_all(values.clone().map(|(row, list)| {
            let entry = ListEntry { offset: end, length: list.items().len() as u64 };
            end += entry.length;
            (row, entry)
        }));
        let values = values.flat_map(|(_, list)| list.items()).enumerate();
        Value::write(items, values.map(|(item, value)| (start + item, value)))
    }

    fn write_null(out: Output<'_>, row: usize) {
        out.set_all([(row, ListEntry { offset: 0, length: 0 })].into_iter());
        out.set_null(row);
    }

    fn write_answers(out: Output<'_>, answers: &Answers<Self>) -> Result<()> {
        let (items, start) = out.grow(answers.values.iter().map(|list| list.items().len()).sum())?;
        out.set_lists(answers, start, |list| list.items().len());
        let values = answers.values.iter().flat_map(List::items).enumerate();
        Value::write(items, values.map(|(item, value)| (start + item, value)))
    }
}

/// All ids of a file.
pub(crate) struct AllIds(pub(crate) Arc<EmbeddingFile>);

/// The ids are written one by one, without a second copy.
impl Value for AllIds {
    const SQL_TYPE: SqlType = SqlType::List(&SqlType::BigInt);

    fn write<'a>(_out: Output<'_>, _values: impl Iterator<Item = (usize, &'a Self)> + Clone) -> Result<()> {
        Err(Error::Request("a list of all ids cannot be part of another value".into()))
    }

    fn write_answers(out: Output<'_>, answers: &Answers<Self>) -> Result<()> {
        let (items, mut start) = out.grow(answers.values.iter().map(|file| file.0.ids().len()).sum())?;
        out.set_lists(answers, start, |file| file.0.ids().len());
        for AllIds(file) in &answers.values {
            items.set_all((0..file.ids().len()).map(|row| (start + row, file.ids().id(row))));
            start += file.ids().len();
        }
        Ok(())
    }
}

impl<T: Value> Value for Option<T> {
    const SQL_TYPE: SqlType = T::SQL_TYPE;

    fn write<'a>(out: Output<'_>, values: impl Iterator<Item = (usize, &'a Self)> + Clone) -> Result<()>
    where
        Self: 'a,
    {
        values.clone().filter(|(_, value)| value.is_none()).for_each(|(row, _)| T::write_null(out, row));
        T::write(out, values.filter_map(|(row, value)| Some((row, value.as_ref()?))))
    }

    fn write_null(out: Output<'_>, row: usize) {
        T::write_null(out, row);
    }
}

/// Implements [`Value`] for a Rust struct as a SQL STRUCT: `sql_struct!(Hit { 0 id: i64, 1 score: f32 })`.
macro_rules! sql_struct {
    ($type:ty { $($number:literal $field:ident: $of:ty),* $(,)? }) => {
        impl $crate::ffi::output::Value for $type {
            const SQL_TYPE: $crate::ffi::types::SqlType = $crate::ffi::types::SqlType::Struct(&[$((
                // Field names are identifiers, so they contain no zero.
                match std::ffi::CStr::from_bytes_with_nul(concat!(stringify!($field), "\0").as_bytes()) {
                    Ok(name) => name,
                    Err(_) => unreachable!(),
                },
                <$of as $crate::ffi::output::Value>::SQL_TYPE,
            )),*]);

            fn write<'a>(
                out: $crate::ffi::output::Output<'_>,
                values: impl Iterator<Item = (usize, &'a Self)> + Clone,
            ) -> emm1_core::Result<()> {
                $(<$of as $crate::ffi::output::Value>::write(
                    out.field($number),
                    values.clone().map(|(row, value)| (row, &value.$field)),
                )?;)*
                Ok(())
            }

            fn write_null(out: $crate::ffi::output::Output<'_>, row: usize) {
                $(<$of as $crate::ffi::output::Value>::write_null(out.field($number), row);)*
                out.set_null(row);
            }
        }
    };
}
pub(crate) use sql_struct;
