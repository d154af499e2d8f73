//! Reads the chunk of arguments that DuckDB passes to a function. Arguments are flattened: one value per row.

use std::marker::PhantomData;
use std::ops::Range;

use emm1_core::{Error, Result, list_for};

use super::table::{Chunk, ListEntry, Text, VectorData};
use super::types::{LogicalType, SqlType};
use super::{api, whole};

/// The arguments of a call, one column for each.
pub(crate) struct Input<'a> {
    chunk: *mut Chunk,
    rows: usize,
    lifetime: PhantomData<&'a ()>,
}

impl<'a> Input<'a> {
    /// # Safety
    /// `chunk` is flat and neither freed nor changed during `'a`.
    pub(super) unsafe fn new(chunk: *mut Chunk) -> Self {
        // SAFETY: by this function's own condition.
        let rows = unsafe { (api().data_chunk_get_size)(chunk) } as usize;
        Self { chunk, rows, lifetime: PhantomData }
    }

    /// The number of rows in the chunk.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    fn column(&self, number: usize) -> Vector<'a> {
        // SAFETY: a function asks only for the columns it declared, and `new` vouches for the chunk.
        unsafe { Vector::new((api().data_chunk_get_vector)(self.chunk, number as u64)) }
    }

    /// A column of whole numbers, of any numeric type; `what` names them in errors.
    ///
    /// # Errors
    /// A value is not a whole number, or does not fit in BIGINT.
    pub(crate) fn integers(&self, column: usize, what: &str) -> Result<Vec<Option<i64>>> {
        whole::integers(self.column(column), 0..self.rows, what)
    }

    /// A column of DOUBLE.
    pub(crate) fn doubles(&self, column: usize) -> Vec<Option<f64>> {
        self.column(column).nullable(SqlType::Double, self.rows)
    }

    /// A column of VARCHAR.
    pub(crate) fn texts(&self, column: usize) -> Vec<Option<&'a str>> {
        let column = self.column(column);
        let texts = column.values::<Text>(SqlType::Varchar, self.rows).iter().enumerate();
        texts.map(|(row, text)| column.is_valid(row).then(|| read_text(text))).collect()
    }

    /// A column of lists.
    pub(crate) fn lists(&self, column: usize) -> Lists<'a> {
        self.column(column).lists(0..self.rows)
    }

    /// A column of lists or arrays of any type; `what` names them in errors.
    ///
    /// # Errors
    /// The column is of another type.
    pub(crate) fn any_lists(&self, column: usize, what: &str) -> Result<Lists<'a>> {
        let vector = self.column(column);
        let sql_type = vector.sql_type();
        if whole::is_null(&sql_type) {
            return Ok(Lists { ranges: vec![None; self.rows], child: vector });
        }
        if sql_type.id() == SqlType::List(&SqlType::Any).id() {
            return Ok(vector.lists(0..self.rows));
        }
        match sql_type.array_size() {
            0 => Err(Error::Request(format!("{what} must be a list of whole numbers"))),
            size => Ok(vector.arrays(self.rows, size)),
        }
    }
}

/// A column of lists: the range of each row's list in the child vector. Rows may share a list.
pub(crate) struct Lists<'a> {
    pub(crate) ranges: Vec<Option<Range<usize>>>,
    child: Vector<'a>,
}

impl<'a> Lists<'a> {
    /// A query: a list of DOUBLE, rounded once.
    ///
    /// # Errors
    /// A component is NULL, or too large for FLOAT.
    pub(crate) fn query(&self, list: Range<usize>) -> Result<Vec<f32>> {
        if let Some(row) = list.clone().find(|&row| !self.child.is_valid(row)) {
            return Err(Error::Request(format!("component {} of the query is NULL", row - list.start)));
        }
        let values = &self.child.values::<f64>(SqlType::Double, list.end)[list];
        values.iter().enumerate().map(|(component, &value)| narrow(component, value)).collect()
    }

    /// A list of VARCHAR.
    pub(crate) fn texts(&self, list: Range<usize>) -> Vec<Option<&'a str>> {
        let texts = self.child.values::<Text>(SqlType::Varchar, list.end);
        list.map(|item| self.child.is_valid(item).then(|| read_text(&texts[item]))).collect()
    }

    /// A list of lists.
    pub(crate) fn lists(&self, list: Range<usize>) -> Self {
        self.child.lists(list)
    }

    /// A list of whole numbers, of any numeric type, without its NULLs; `what` names one in errors.
    ///
    /// # Errors
    /// A value is not a whole number, does not fit in BIGINT, or there is no memory for them.
    pub(crate) fn integers(&self, list: Range<usize>, what: &str) -> Result<Vec<i64>> {
        if list.is_empty() {
            return Ok(Vec::new()); // an empty list may have any type
        }
        if self.child.is(SqlType::BigInt) {
            let values = self.child.values::<i64>(SqlType::BigInt, list.end);
            let mut all = list_for(list.len())?;
            all.extend(list.filter(|&row| self.child.is_valid(row)).map(|row| values[row]));
            return Ok(all);
        }
        Ok(whole::integers(self.child, list, what)?.into_iter().flatten().collect())
    }
}

fn narrow(component: usize, value: f64) -> Result<f32> {
    let narrow = value as f32;
    if narrow.is_finite() || !value.is_finite() {
        return Ok(narrow);
    }
    Err(Error::Request(format!("component {component} of the query is {value:e}, too large for FLOAT")))
}

/// A flat vector.
#[derive(Clone, Copy)]
pub(super) struct Vector<'a> {
    raw: *mut VectorData,
    validity: *const u64,
    lifetime: PhantomData<&'a ()>,
}

impl<'a> Vector<'a> {
    /// # Safety
    /// `raw` is flat and neither freed nor changed during `'a`.
    unsafe fn new(raw: *mut VectorData) -> Self {
        // SAFETY: by this function's own condition.
        let validity = unsafe { (api().vector_get_validity)(raw) };
        Self { raw, validity, lifetime: PhantomData }
    }

    pub(super) fn sql_type(self) -> LogicalType {
        // SAFETY: `new` vouches for the vector.
        unsafe { LogicalType::of(self.raw) }
    }

    fn is(self, sql_type: SqlType) -> bool {
        self.sql_type().id() == sql_type.id()
    }

    /// Some of its values, converted by `with`; None if NULL.
    ///
    /// # Safety
    /// T has the layout of the vector's values.
    pub(super) unsafe fn read<T: Copy>(
        self,
        rows: Range<usize>,
        with: impl Fn(T) -> Result<i64>,
    ) -> Result<Vec<Option<i64>>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let mut all = list_for(rows.len())?;
        // SAFETY: by this function's own condition, and as for `values`.
        let values: &[T] =
            unsafe { std::slice::from_raw_parts((api().vector_get_data)(self.raw).cast_const().cast(), rows.end) };
        for row in rows {
            all.push(if self.is_valid(row) { Some(with(values[row])?) } else { None });
        }
        Ok(all)
    }

    fn is_valid(self, row: usize) -> bool {
        // SAFETY: a null mask means that all rows are valid; otherwise it has a bit for each row of the vector.
        self.validity.is_null() || unsafe { *self.validity.add(row / 64) } >> (row % 64) & 1 == 1
    }

    /// The first `rows` values.
    fn values<T: Copy>(self, sql_type: SqlType, rows: usize) -> &'a [T] {
        assert!(self.is(sql_type), "DuckDB passes the types that were declared");
        if rows == 0 {
            return &[];
        }
        // SAFETY: the vector holds values of this type, whose layout is T's, and callers ask for no more values than
        // the chunk has or its lists contain.
        unsafe { std::slice::from_raw_parts((api().vector_get_data)(self.raw).cast_const().cast(), rows) }
    }

    /// Some of its values, which are lists.
    fn lists(self, rows: Range<usize>) -> Lists<'a> {
        let entries = self.values::<ListEntry>(SqlType::List(&SqlType::BigInt), rows.end);
        let range = |entry: ListEntry| entry.offset as usize..(entry.offset + entry.length) as usize;
        let ranges = rows.map(|row| self.is_valid(row).then(|| range(entries[row]))).collect();
        // SAFETY: the vector was just checked to be a list vector; its child lives as long as it does.
        let child = unsafe { Vector::new((api().list_vector_get_child)(self.raw)) };
        Lists { ranges, child }
    }

    /// Its first values, which are arrays of `size` items.
    fn arrays(self, rows: usize, size: usize) -> Lists<'a> {
        let ranges = (0..rows).map(|row| self.is_valid(row).then_some(row * size..(row + 1) * size)).collect();
        // SAFETY: the vector was just checked to be an array vector; its child lives as long as it does.
        let child = unsafe { Vector::new((api().array_vector_get_child)(self.raw)) };
        Lists { ranges, child }
    }

    /// The first `rows` values, None if NULL.
    fn nullable<T: Copy>(self, sql_type: SqlType, rows: usize) -> Vec<Option<T>> {
        let values = self.values(sql_type, rows).iter().enumerate();
        values.map(|(row, &value)| self.is_valid(row).then_some(value)).collect()
    }
}

/// Texts of up to twelve bytes are stored in the vector itself, so both kinds live as long as it does.
fn read_text(text: &Text) -> &str {
    let length = text.length as usize;
    // SAFETY: DuckDB's VARCHAR is UTF-8 of this length. Short texts are stored in the twelve bytes after the length.
    unsafe {
        let start = if length <= 12 { std::ptr::from_ref(text).cast::<u8>().add(4) } else { text.tail.pointer };
        std::str::from_utf8_unchecked(std::slice::from_raw_parts(start, length))
    }
}
