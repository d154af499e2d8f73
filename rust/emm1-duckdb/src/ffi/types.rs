//! SQL types.

use std::ffi::CStr;

use super::api;
use super::table::{self, TypeId};

/// A SQL type.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SqlType {
    /// Any type; the reader checks the actual one.
    Any,
    BigInt,
    Float,
    Double,
    Varchar,
    List(&'static SqlType),
    Struct(&'static [(&'static CStr, SqlType)]),
}

impl SqlType {
    /// Its number in DuckDB's enumeration of types.
    pub(super) fn id(self) -> TypeId {
        match self {
            Self::Any => 34,
            Self::BigInt => 5,
            Self::Float => 10,
            Self::Double => 11,
            Self::Varchar => 17,
            Self::List(_) => 24,
            Self::Struct(_) => 25,
        }
    }
}

/// DuckDB's object for a type.
pub(super) struct LogicalType(*mut table::LogicalType);

impl LogicalType {
    pub(super) fn new(sql_type: SqlType) -> Self {
        // SAFETY: DuckDB copies the types and names it is given, and all of them live until the call returns.
        unsafe {
            match sql_type {
                SqlType::List(of) => Self((api().create_list_type)(Self::new(*of).0)),
                SqlType::Struct(fields) => {
                    let types: Vec<Self> = fields.iter().map(|(_, sql_type)| Self::new(*sql_type)).collect();
                    let mut members: Vec<_> = types.iter().map(Self::as_ptr).collect();
                    let mut names: Vec<_> = fields.iter().map(|(name, _)| name.as_ptr()).collect();
                    Self((api().create_struct_type)(members.as_mut_ptr(), names.as_mut_ptr(), fields.len() as u64))
                }
                simple => Self((api().create_logical_type)(simple.id())),
            }
        }
    }

    /// The type of a vector.
    ///
    /// # Safety
    /// `vector` is alive.
    pub(super) unsafe fn of(vector: *mut table::VectorData) -> Self {
        // SAFETY: by this function's own condition.
        Self(unsafe { (api().vector_get_column_type)(vector) })
    }

    pub(super) fn id(&self) -> TypeId {
        // SAFETY: the type is alive until this is dropped.
        unsafe { (api().get_type_id)(self.0) }
    }

    /// The scale of a DECIMAL and the integer type that stores it.
    pub(super) fn decimal(&self) -> (u8, TypeId) {
        // SAFETY: the type is alive until this is dropped; for other types both are 0.
        unsafe { ((api().decimal_scale)(self.0), (api().decimal_internal_type)(self.0)) }
    }

    /// The size of an ARRAY type; 0 for other types.
    pub(super) fn array_size(&self) -> usize {
        // SAFETY: the type is alive until this is dropped.
        unsafe { (api().array_type_array_size)(self.0) as usize }
    }

    /// The number of fields of a STRUCT; 0 for other types.
    pub(super) fn fields(&self) -> u64 {
        if self.id() != SqlType::Struct(&[]).id() {
            return 0;
        }
        // SAFETY: the type is alive until this is dropped, and a struct.
        unsafe { (api().struct_type_child_count)(self.0) }
    }

    pub(super) fn as_ptr(&self) -> *mut table::LogicalType {
        self.0
    }
}

impl Drop for LogicalType {
    fn drop(&mut self) {
        // SAFETY: it is dropped once.
        unsafe { (api().destroy_logical_type)(&mut self.0) }
    }
}
