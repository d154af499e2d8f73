//! DuckDB's table of functions for extensions: the slots that are used here, and nothing else.
//!
//! DuckDB passes an extension a struct of function pointers whose order never changes within the stable API (see
//! `duckdb_extension.h`); a function is identified by its position. [`Stable`] is part of v1.2.0, which DuckDB 1.2 and
//! all later versions provide. [`Context`] became stable in v1.5.6 and is read only from DuckDB 1.5.6 on.
//!
//! DuckDB is C++ and throws if it runs out of memory. So every function here is `C-unwind`, in both directions: an
//! exception passes through the Rust frames in between, which are cleaned up, back to the calling DuckDB.

use std::ffi::{c_char, c_void};

macro_rules! opaque {
    ($($name:ident)*) => {
        $(
            #[repr(C)]
            pub(crate) struct $name {
                _private: [u8; 0],
            }
        )*
    };
}

opaque! {
    Aggregate AggregateState BindInfo Chunk ClientContext Connection Database ExtensionInfo FunctionInfo InitInfo
    LogicalType Scalar TableFunction Value VectorData
}

/// `duckdb_state`: 0 is success.
pub(crate) type State = i32;
/// `DUCKDB_TYPE`.
pub(crate) type TypeId = u32;
pub(crate) type Delete = unsafe extern "C-unwind" fn(*mut c_void);
pub(crate) type Call = unsafe extern "C-unwind" fn(*mut FunctionInfo, *mut Chunk, *mut VectorData);
pub(crate) type Bind = unsafe extern "C-unwind" fn(*mut BindInfo);
pub(crate) type Init = unsafe extern "C-unwind" fn(*mut InitInfo);
pub(crate) type Next = unsafe extern "C-unwind" fn(*mut FunctionInfo, *mut Chunk);
pub(crate) type StateSize = unsafe extern "C-unwind" fn(*mut FunctionInfo) -> u64;
pub(crate) type StateInit = unsafe extern "C-unwind" fn(*mut FunctionInfo, *mut AggregateState);
pub(crate) type Update = unsafe extern "C-unwind" fn(*mut FunctionInfo, *mut Chunk, *mut *mut AggregateState);
pub(crate) type Combine =
    unsafe extern "C-unwind" fn(*mut FunctionInfo, *mut *mut AggregateState, *mut *mut AggregateState, u64);
pub(crate) type Finalize =
    unsafe extern "C-unwind" fn(*mut FunctionInfo, *mut *mut AggregateState, *mut VectorData, u64, u64);
pub(crate) type Destroy = unsafe extern "C-unwind" fn(*mut *mut AggregateState, u64);

/// What DuckDB passes to the entry point.
#[repr(C)]
pub(crate) struct Access {
    pub(crate) set_error: unsafe extern "C-unwind" fn(*mut ExtensionInfo, *const c_char),
    pub(crate) get_database: unsafe extern "C-unwind" fn(*mut ExtensionInfo) -> *mut *mut Database,
    pub(crate) get_api: unsafe extern "C-unwind" fn(*mut ExtensionInfo, *const c_char) -> *const *const c_void,
}

/// `duckdb_result`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct QueryResult {
    deprecated: [*mut c_void; 5],
    internal: *mut c_void,
}

impl QueryResult {
    pub(crate) const EMPTY: Self = Self { deprecated: [std::ptr::null_mut(); 5], internal: std::ptr::null_mut() };
}

/// `duckdb_list_entry`: the range of a row's list in the child vector.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct ListEntry {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// `duckdb_string_t`: up to twelve bytes are stored inline; of longer texts the first four and a pointer.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Text {
    pub(crate) length: u32,
    head: [u8; 4],
    pub(crate) tail: TextTail,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) union TextTail {
    bytes: [u8; 8],
    pub(crate) pointer: *const u8,
}

macro_rules! table {
    ($(#[$doc:meta])* $name:ident { $($slot:literal $function:ident: ($($argument:ty),*) $(-> $result:ty)?;)* }) => {
        $(#[$doc])*
        pub(crate) struct $name {
            $(pub(crate) $function: unsafe extern "C-unwind" fn($($argument),*) $(-> $result)?,)*
        }

        impl $name {
            /// Copies the functions out of DuckDB's struct.
            ///
            /// # Safety
            /// `slots` points to a struct of the version to which this table belongs.
            pub(crate) unsafe fn read(slots: *const *const c_void) -> Self {
                Self {
                    $($function: {
                        // SAFETY: the caller guarantees the version, so the slot exists and holds this function.
                        unsafe {
                            std::mem::transmute::<*const c_void, unsafe extern "C-unwind" fn($($argument),*) $(-> $result)?>(
                                *slots.add($slot),
                            )
                        }
                    },)*
                }
            }
        }
    };
}

table! {
    /// Functions of the stable API v1.2.0.
    Stable {
        3 connect: (*mut Database, *mut *mut Connection) -> State;
        6 disconnect: (*mut *mut Connection);
        7 library_version: () -> *const c_char;
        13 query: (*mut Connection, *const c_char, *mut QueryResult) -> State;
        14 destroy_result: (*mut QueryResult);
        25 free: (*mut c_void);
        26 vector_size: () -> u64;
        92 destroy_value: (*mut *mut Value);
        118 get_bool: (*mut Value) -> bool;
        125 get_int64: (*mut Value) -> i64;
        142 get_varchar: (*mut Value) -> *mut c_char;
        149 is_null_value: (*mut Value) -> bool;
        156 create_logical_type: (TypeId) -> *mut LogicalType;
        159 create_list_type: (*mut LogicalType) -> *mut LogicalType;
        163 create_struct_type: (*mut *mut LogicalType, *mut *const c_char, u64) -> *mut LogicalType;
        166 get_type_id: (*mut LogicalType) -> TypeId;
        168 decimal_scale: (*mut LogicalType) -> u8;
        169 decimal_internal_type: (*mut LogicalType) -> TypeId;
        175 array_type_array_size: (*mut LogicalType) -> u64;
        178 struct_type_child_count: (*mut LogicalType) -> u64;
        184 destroy_logical_type: (*mut *mut LogicalType);
        187 destroy_data_chunk: (*mut *mut Chunk);
        190 data_chunk_get_vector: (*mut Chunk, u64) -> *mut VectorData;
        191 data_chunk_get_size: (*mut Chunk) -> u64;
        192 data_chunk_set_size: (*mut Chunk, u64);
        193 vector_get_column_type: (*mut VectorData) -> *mut LogicalType;
        194 vector_get_data: (*mut VectorData) -> *mut c_void;
        195 vector_get_validity: (*mut VectorData) -> *mut u64;
        196 vector_ensure_validity_writable: (*mut VectorData);
        198 vector_assign_string_element_len: (*mut VectorData, u64, *const c_char, u64);
        199 list_vector_get_child: (*mut VectorData) -> *mut VectorData;
        200 list_vector_get_size: (*mut VectorData) -> u64;
        201 list_vector_set_size: (*mut VectorData, u64) -> State;
        202 list_vector_reserve: (*mut VectorData, u64) -> State;
        203 struct_vector_get_child: (*mut VectorData, u64) -> *mut VectorData;
        204 array_vector_get_child: (*mut VectorData) -> *mut VectorData;
        207 validity_set_row_invalid: (*mut u64, u64);
        209 create_scalar_function: () -> *mut Scalar;
        210 destroy_scalar_function: (*mut *mut Scalar);
        211 scalar_function_set_name: (*mut Scalar, *const c_char);
        213 scalar_function_set_special_handling: (*mut Scalar);
        214 scalar_function_set_volatile: (*mut Scalar);
        215 scalar_function_add_parameter: (*mut Scalar, *mut LogicalType);
        216 scalar_function_set_return_type: (*mut Scalar, *mut LogicalType);
        217 scalar_function_set_extra_info: (*mut Scalar, *mut c_void, Delete);
        218 scalar_function_set_function: (*mut Scalar, Call);
        219 register_scalar_function: (*mut Connection, *mut Scalar) -> State;
        220 scalar_function_get_extra_info: (*mut FunctionInfo) -> *mut c_void;
        221 scalar_function_set_error: (*mut FunctionInfo, *const c_char);
        226 create_aggregate_function: () -> *mut Aggregate;
        227 destroy_aggregate_function: (*mut *mut Aggregate);
        228 aggregate_function_set_name: (*mut Aggregate, *const c_char);
        229 aggregate_function_add_parameter: (*mut Aggregate, *mut LogicalType);
        230 aggregate_function_set_return_type: (*mut Aggregate, *mut LogicalType);
        231 aggregate_function_set_functions: (*mut Aggregate, StateSize, StateInit, Update, Combine, Finalize);
        232 aggregate_function_set_destructor: (*mut Aggregate, Destroy);
        233 register_aggregate_function: (*mut Connection, *mut Aggregate) -> State;
        234 aggregate_function_set_special_handling: (*mut Aggregate);
        235 aggregate_function_set_extra_info: (*mut Aggregate, *mut c_void, Delete);
        236 aggregate_function_get_extra_info: (*mut FunctionInfo) -> *mut c_void;
        237 aggregate_function_set_error: (*mut FunctionInfo, *const c_char);
        242 create_table_function: () -> *mut TableFunction;
        243 destroy_table_function: (*mut *mut TableFunction);
        244 table_function_set_name: (*mut TableFunction, *const c_char);
        245 table_function_add_parameter: (*mut TableFunction, *mut LogicalType);
        246 table_function_add_named_parameter: (*mut TableFunction, *const c_char, *mut LogicalType);
        247 table_function_set_extra_info: (*mut TableFunction, *mut c_void, Delete);
        248 table_function_set_bind: (*mut TableFunction, Bind);
        249 table_function_set_init: (*mut TableFunction, Init);
        250 table_function_set_local_init: (*mut TableFunction, Init);
        251 table_function_set_function: (*mut TableFunction, Next);
        252 table_function_supports_projection_pushdown: (*mut TableFunction, bool);
        253 register_table_function: (*mut Connection, *mut TableFunction) -> State;
        254 bind_get_extra_info: (*mut BindInfo) -> *mut c_void;
        255 bind_add_result_column: (*mut BindInfo, *const c_char, *mut LogicalType);
        257 bind_get_parameter: (*mut BindInfo, u64) -> *mut Value;
        258 bind_get_named_parameter: (*mut BindInfo, *const c_char) -> *mut Value;
        259 bind_set_bind_data: (*mut BindInfo, *mut c_void, Delete);
        260 bind_set_cardinality: (*mut BindInfo, u64, bool);
        261 bind_set_error: (*mut BindInfo, *const c_char);
        263 init_get_bind_data: (*mut InitInfo) -> *mut c_void;
        264 init_set_init_data: (*mut InitInfo, *mut c_void, Delete);
        265 init_get_column_count: (*mut InitInfo) -> u64;
        266 init_get_column_index: (*mut InitInfo, u64) -> u64;
        267 init_set_max_threads: (*mut InitInfo, u64);
        268 init_set_error: (*mut InitInfo, *const c_char);
        270 function_get_bind_data: (*mut FunctionInfo) -> *mut c_void;
        271 function_get_init_data: (*mut FunctionInfo) -> *mut c_void;
        272 function_get_local_init_data: (*mut FunctionInfo) -> *mut c_void;
        273 function_set_error: (*mut FunctionInfo, *const c_char);
        306 fetch_chunk: (QueryResult) -> *mut Chunk;
    }
}

table! {
    /// Functions of the stable API v1.5.6: the settings of the connection that runs a query.
    Context {
        431 client_context_get_config_option: (*mut ClientContext, *const c_char, *mut i32) -> *mut Value;
        501 destroy_client_context: (*mut *mut ClientContext);
        521 scalar_function_set_init: (*mut Scalar, Init);
        524 scalar_function_init_get_client_context: (*mut InitInfo, *mut *mut ClientContext);
        526 scalar_function_init_get_extra_info: (*mut InitInfo) -> *mut c_void;
        531 table_function_get_client_context: (*mut BindInfo, *mut *mut ClientContext);
    }
}
