//! Writes what a function gives back into DuckDB's vectors.

use std::marker::PhantomData;

use emm1_core::Result;

use super::table::{ListEntry, VectorData};
use super::types::{Kind, LogicalType};
use super::{api, check};

/// A vector to write into.
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

    fn set<T: Copy>(self, row: usize, value: T) {
        assert!(row < self.capacity, "a vector was given more rows than it takes");
        // SAFETY: there is room, and the implementations of `Value` write only values of their own kind.
        unsafe { (api().vector_get_data)(self.raw).cast::<T>().add(row).write(value) }
    }

    pub(crate) fn set_null(self, row: usize) {
        assert!(row < self.capacity, "a vector was given more rows than it takes");
        // SAFETY: there is room, and the mask was made.
        unsafe {
            (api().vector_ensure_validity_writable)(self.raw);
            (api().validity_set_row_invalid)((api().vector_get_validity)(self.raw), row as u64);
        }
    }

    /// The vector of a field of a struct.
    pub(crate) fn field(self, number: usize) -> Self {
        // SAFETY: the vector is alive, and was seen to be a struct with this field before it is asked for.
        let raw = unsafe {
            assert!(
                (number as u64) < LogicalType::of(self.raw).fields(),
                "a struct has the fields it was declared with"
            );
            (api().struct_vector_get_child)(self.raw, number as u64)
        };
        Self { raw, ..self }
    }

    /// Makes room for more items of lists: the vector of the items, and the place of the first new one.
    fn grow(self, items: usize) -> Result<(Self, usize)> {
        // SAFETY: only the implementation of `Value` for lists calls this.
        unsafe {
            let start = (api().list_vector_get_size)(self.raw) as usize;
            let end = start + items;
            check((api().list_vector_reserve)(self.raw, end as u64), "so long a list")?;
            check((api().list_vector_set_size)(self.raw, end as u64), "so long a list")?;
            Ok((Self { raw: (api().list_vector_get_child)(self.raw), capacity: end, ..self }, start))
        }
    }
}

/// What DuckDB can be given.
pub(crate) trait Value: Sized {
    /// Its SQL type.
    const KIND: Kind;

    /// Writes values, each with its row.
    fn write<'a>(out: Output<'_>, values: impl Iterator<Item = (usize, &'a Self)> + Clone) -> Result<()>
    where
        Self: 'a;

    /// Writes a NULL, leaving nothing undefined.
    fn write_null(out: Output<'_>, row: usize) {
        out.set_null(row);
    }
}

macro_rules! plain {
    ($($type:ty: $kind:ident)*) => {
        $(impl Value for $type {
            const KIND: Kind = Kind::$kind;

            fn write<'a>(out: Output<'_>, values: impl Iterator<Item = (usize, &'a Self)> + Clone) -> Result<()> {
                values.for_each(|(row, &value)| out.set(row, value));
                Ok(())
            }
        })*
    };
}
plain! { i64: BigInt f32: Float }

impl Value for String {
    const KIND: Kind = Kind::Varchar;

    fn write<'a>(out: Output<'_>, values: impl Iterator<Item = (usize, &'a Self)> + Clone) -> Result<()> {
        for (row, text) in values {
            assert!(row < out.capacity, "a vector was given more rows than it takes");
            // SAFETY: there is room; DuckDB copies the text.
            unsafe {
                (api().vector_assign_string_element_len)(out.raw, row as u64, text.as_ptr().cast(), text.len() as u64);
            }
        }
        Ok(())
    }
}

impl<T: Value> Value for Vec<T> {
    const KIND: Kind = Kind::List(&T::KIND);

    fn write<'a>(out: Output<'_>, values: impl Iterator<Item = (usize, &'a Self)> + Clone) -> Result<()>
    where
        Self: 'a,
    {
        let (items, start) = out.grow(values.clone().map(|(_, list)| list.len()).sum())?;
        let mut offset = start as u64;
        for (row, list) in values.clone() {
            let length = list.len() as u64;
            out.set(row, ListEntry { offset, length });
            offset += length;
        }
        T::write(items, values.flat_map(|(_, list)| list).enumerate().map(|(item, value)| (start + item, value)))
    }

    fn write_null(out: Output<'_>, row: usize) {
        out.set(row, ListEntry { offset: 0, length: 0 });
        out.set_null(row);
    }
}

impl<T: Value> Value for Option<T> {
    const KIND: Kind = T::KIND;

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

/// Makes a Rust struct a SQL STRUCT: `record!(Hit { 0 id: i64, 1 score: f32 })`.
macro_rules! record {
    ($type:ty { $($number:literal $field:ident: $of:ty),* $(,)? }) => {
        impl $crate::ffi::output::Value for $type {
            const KIND: $crate::ffi::types::Kind = $crate::ffi::types::Kind::Struct(&[$((
                // Field names are identifiers, so they hold no zero.
                match std::ffi::CStr::from_bytes_with_nul(concat!(stringify!($field), "\0").as_bytes()) {
                    Ok(name) => name,
                    Err(_) => unreachable!(),
                },
                <$of as $crate::ffi::output::Value>::KIND,
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
pub(crate) use record;
