//! Table functions: rows produced by several threads at once, a chunk at a time.

use std::ffi::{CStr, c_void};
use std::sync::Arc;

use emm1_core::{Error, Result};

use super::output::{Output, Value};
use super::table::{self, BindInfo, Chunk, Connection, FunctionInfo, InitInfo};
use super::types::{LogicalType, SqlType};
use super::{
    api, borrow_settings, boxed, carry_settings, check, context_api, drop_boxed, drop_settings, guard, settings,
    text_of, whole,
};
use crate::settings::Settings;

/// A table function.
pub(crate) trait Table: Sized + Send + Sync + 'static {
    /// Its name in SQL.
    const NAME: &'static CStr;
    /// The types of the positional parameters, which are required.
    const PARAMETERS: &'static [SqlType];
    /// The names and types of the optional parameters.
    const NAMED: &'static [(&'static CStr, SqlType)];
    /// The names and types of the columns.
    const COLUMNS: &'static [(&'static CStr, SqlType)];
    /// The state that the threads of one query share.
    type Shared: Send + Sync;
    /// The state of each thread.
    type Local: Default;
    /// Some rows, ready to be written.
    type Batch;

    /// Prepares a call.
    fn bind(settings: &Arc<Settings>, arguments: &Arguments) -> Result<Self>;

    /// The number of rows it returns.
    fn rows(&self) -> usize;

    /// The number of threads that can share the work.
    fn threads(&self) -> usize;

    /// Starts a query. A prepared statement starts more than once, and files may have changed since `bind`.
    fn start(&self) -> Result<Self::Shared>;

    /// Finds the next rows, at most as many as fit.
    fn next(&self, shared: &Self::Shared, local: &mut Self::Local, rows: &Rows<'_>) -> Result<Self::Batch>;

    /// Writes the rows and returns their number; 0 ends this thread's work. It must not panic.
    fn write(batch: &Self::Batch, rows: &Rows<'_>) -> Result<usize>;
}

/// The arguments of a call.
pub(crate) struct Arguments {
    info: *mut BindInfo,
}

impl Arguments {
    /// A positional argument that is text, and not NULL.
    pub(crate) fn text(&self, number: usize) -> Result<String> {
        // SAFETY: the info is alive while the call is prepared.
        let value = Argument(unsafe { (api().bind_get_parameter)(self.info, number as u64) });
        value.text().ok_or_else(|| Error::Request(format!("argument {} is NULL, expected a file", number + 1)))
    }

    /// A named argument that is text.
    pub(crate) fn named_text(&self, name: &CStr) -> Option<String> {
        self.named(name).text()
    }

    /// A named argument that is a whole number, of any numeric type; `what` names it in errors.
    pub(crate) fn named_integer(&self, name: &CStr, what: &str) -> Result<Option<i64>> {
        self.named(name).text().map(|text| whole::of_text(&text, what)).transpose()
    }

    fn named(&self, name: &CStr) -> Argument {
        // SAFETY: the info is alive while the call is prepared.
        Argument(unsafe { (api().bind_get_named_parameter)(self.info, name.as_ptr()) })
    }
}

/// A value of DuckDB's; a null pointer if the argument was not given.
struct Argument(*mut table::Value);

impl Argument {
    fn is_null(&self) -> bool {
        // SAFETY: the value is alive until this is dropped.
        self.0.is_null() || unsafe { (api().is_null_value)(self.0) }
    }

    fn text(&self) -> Option<String> {
        if self.is_null() {
            return None;
        }
        // SAFETY: the value is alive; DuckDB's copy of its text is zero-terminated and freed once.
        unsafe {
            let text = (api().get_varchar)(self.0);
            let copy = CStr::from_ptr(text).to_string_lossy().into_owned();
            (api().free)(text.cast());
            Some(copy)
        }
    }
}

impl Drop for Argument {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: it is dropped once.
            unsafe { (api().destroy_value)(&mut self.0) }
        }
    }
}

/// The columns to write: those that the query asks for.
pub(crate) struct Rows<'a> {
    chunk: *mut Chunk,
    capacity: usize,
    columns: &'a [Option<usize>],
}

impl Rows<'_> {
    /// The number of rows that fit.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether a query asks for a column.
    pub(crate) fn wants(&self, column: usize) -> bool {
        self.columns.contains(&Some(column))
    }

    /// Writes a column, unless the query does not ask for it.
    pub(crate) fn write<'a, V: Value + 'a>(
        &self,
        column: usize,
        values: impl Iterator<Item = &'a V> + Clone,
    ) -> Result<()> {
        let wanted = self.columns.iter().enumerate().filter(|(_, asked)| **asked == Some(column));
        for (place, _) in wanted {
            // SAFETY: the chunk has a vector for each requested column, with room for a chunk of rows.
            let out = unsafe { Output::new((api().data_chunk_get_vector)(self.chunk, place as u64), self.capacity) };
            V::write(out, values.clone().enumerate())?;
        }
        Ok(())
    }
}

/// The state that the threads of one query share, and the columns that the query asks for.
struct Started<F: Table> {
    shared: F::Shared,
    columns: Vec<Option<usize>>,
}

/// Registers a function.
///
/// # Safety
/// `connection` is open.
pub(super) unsafe fn register<F: Table>(connection: *mut Connection, settings: &Arc<Settings>) -> Result<()> {
    // SAFETY: DuckDB copies the function and its types into its catalog, so they are destroyed here; the callbacks
    // belong to this function.
    unsafe {
        let mut function = (api().create_table_function)();
        (api().table_function_set_name)(function, F::NAME.as_ptr());
        for sql_type in F::PARAMETERS {
            (api().table_function_add_parameter)(function, LogicalType::new(*sql_type).as_ptr());
        }
        for (name, sql_type) in F::NAMED {
            (api().table_function_add_named_parameter)(function, name.as_ptr(), LogicalType::new(*sql_type).as_ptr());
        }
        (api().table_function_set_extra_info)(function, carry_settings(settings), drop_settings);
        (api().table_function_set_bind)(function, bind::<F>);
        (api().table_function_set_init)(function, init::<F>);
        (api().table_function_set_local_init)(function, local_init::<F>);
        (api().table_function_set_function)(function, next::<F>);
        (api().table_function_supports_projection_pushdown)(function, true);
        let state = (api().register_table_function)(connection, function);
        (api().destroy_table_function)(&mut function);
        check(state, &F::NAME.to_string_lossy())
    }
}

unsafe extern "C-unwind" fn bind<F: Table>(info: *mut BindInfo) {
    let bound = guard(|| {
        // SAFETY: DuckDB passes the settings that were registered with the function, copies the types, and frees the
        // bind data with the given callback.
        unsafe {
            let settings = (api().bind_get_extra_info)(info);
            refresh_settings(info, borrow_settings(settings));
            let settings = settings.cast_const().cast::<Settings>();
            Arc::increment_strong_count(settings);
            let function = F::bind(&Arc::from_raw(settings), &Arguments { info })?;
            for (name, sql_type) in F::COLUMNS {
                (api().bind_add_result_column)(info, name.as_ptr(), LogicalType::new(*sql_type).as_ptr());
            }
            (api().bind_set_cardinality)(info, function.rows() as u64, true);
            (api().bind_set_bind_data)(info, boxed(function), drop_boxed::<F>);
        }
        Ok(())
    });
    if let Err(error) = bound {
        // SAFETY: DuckDB copies the text.
        unsafe { (api().bind_set_error)(info, error.as_ptr()) }
    }
}

/// # Safety
/// `info` is what DuckDB passes to `bind`.
unsafe fn refresh_settings(info: *mut BindInfo, settings: &Settings) {
    let Some(newer) = context_api() else { return };
    let mut context = std::ptr::null_mut();
    // SAFETY: `refresh` destroys the context.
    unsafe {
        (newer.table_function_get_client_context)(info, &mut context);
        settings::refresh(context, settings);
    }
}

unsafe extern "C-unwind" fn init<F: Table>(info: *mut InitInfo) {
    let started = guard(|| {
        // SAFETY: DuckDB passes the bind data, and frees the init data with the given callback.
        unsafe {
            let function = &*(api().init_get_bind_data)(info).cast_const().cast::<F>();
            let asked =
                (0..(api().init_get_column_count)(info)).map(|place| (api().init_get_column_index)(info, place));
            // A query that only counts rows asks for a column that no table function has.
            let known = |column: u64| usize::try_from(column).ok().filter(|&column| column < F::COLUMNS.len());
            let started = Started::<F> { shared: function.start()?, columns: asked.map(known).collect() };
            (api().init_set_max_threads)(info, function.threads().max(1) as u64);
            (api().init_set_init_data)(info, boxed(started), drop_boxed::<Started<F>>);
        }
        Ok(())
    });
    report_init(info, started);
}

unsafe extern "C-unwind" fn local_init<F: Table>(info: *mut InitInfo) {
    let started = guard(|| {
        // SAFETY: DuckDB frees the local data with the given callback.
        unsafe { (api().init_set_init_data)(info, boxed(F::Local::default()), drop_boxed::<F::Local>) };
        Ok(())
    });
    report_init(info, started);
}

fn report_init(info: *mut InitInfo, started: std::result::Result<(), std::ffi::CString>) {
    if let Err(error) = started {
        // SAFETY: DuckDB copies the text.
        unsafe { (api().init_set_error)(info, error.as_ptr()) }
    }
}

unsafe extern "C-unwind" fn next<F: Table>(info: *mut FunctionInfo, chunk: *mut Chunk) {
    let found = guard(|| {
        // SAFETY: DuckDB passes the data of `bind`, `init` and `local_init`, the last to one thread at a time, and a
        // chunk of the columns that `init` announced.
        unsafe {
            let given = |data: *mut c_void| data.cast_const();
            let function = &*given((api().function_get_bind_data)(info)).cast::<F>();
            let started = &*given((api().function_get_init_data)(info)).cast::<Started<F>>();
            let local = &mut *(api().function_get_local_init_data)(info).cast::<F::Local>();
            let rows = Rows { chunk, capacity: (api().vector_size)() as usize, columns: &started.columns };
            Ok((function.next(&started.shared, local, &rows)?, rows))
        }
    });
    // Outside the guard: exceptions that DuckDB throws must not pass through it.
    let written = found.and_then(|(batch, rows)| {
        let count = F::write(&batch, &rows).map_err(text_of)?;
        // SAFETY: this many rows were written.
        unsafe { (api().data_chunk_set_size)(chunk, count as u64) };
        Ok(())
    });
    if let Err(error) = written {
        // SAFETY: DuckDB copies the text.
        unsafe { (api().function_set_error)(info, error.as_ptr()) }
    }
}
