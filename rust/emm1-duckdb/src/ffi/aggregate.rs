//! Aggregate functions: the rows of a group in, one value out.

use std::ffi::{CStr, CString};
use std::sync::Arc;

use emm1_core::{Error, Result};

use super::input::Input;
use super::output::{Output, Value};
use super::table::{AggregateState, Chunk, Connection, FunctionInfo, VectorData};
use super::types::{LogicalType, SqlType};
use super::{api, at_least, borrow_settings, carry_settings, check, drop_settings, guard, text_of, version};
use crate::settings::Settings;

/// An aggregate function, also over windows.
pub(crate) trait Aggregate: 'static {
    /// Its name in SQL.
    const NAME: &'static CStr;
    /// The types of the parameters.
    const PARAMETERS: &'static [SqlType];
    /// The result for each group; None is NULL.
    type Output: Value;
    /// The state of a group.
    type State: Default;
    /// The arguments of a row.
    type RowInput<'a>;

    /// The message for a DuckDB that is too old to run it: what to do instead.
    fn unsafe_before_2(version: &str) -> String;

    /// The arguments of each row; None if the row is to be skipped.
    fn row_inputs<'a>(input: &Input<'a>) -> Result<Vec<Option<Self::RowInput<'a>>>>;

    /// Adds a row to a group.
    fn add(state: &mut Self::State, item: Self::RowInput<'_>) -> Result<()>;

    /// Adds all rows of another group, which remains in use.
    fn merge(state: &mut Self::State, other: &Self::State) -> Result<()>;

    /// The value of a group.
    fn finish(settings: &Settings, state: &Self::State) -> Result<Option<Self::Output>>;
}

/// Older versions pass `update` an array of one state, instead of one for each row, for windows that are whole
/// partitions and for arguments with ORDER BY. The memory after that state is arbitrary, the call cannot be recognized,
/// and groups cannot be distinguished from windows (duckdb/duckdb#21537).
const SAFE_SINCE: [u32; 3] = [2, 0, 0];

/// DuckDB's memory for a group; None until a row arrives.
type Slot<F> = Option<Box<<F as Aggregate>::State>>;

/// Registers a function.
///
/// # Safety
/// `connection` is open.
pub(super) unsafe fn register<F: Aggregate>(connection: *mut Connection, settings: &Arc<Settings>) -> Result<()> {
    // SAFETY: DuckDB copies the function and its types into its catalog, so they are destroyed here; the callbacks
    // belong to this function.
    unsafe {
        let mut function = (api().create_aggregate_function)();
        (api().aggregate_function_set_name)(function, F::NAME.as_ptr());
        for sql_type in F::PARAMETERS {
            (api().aggregate_function_add_parameter)(function, LogicalType::new(*sql_type).as_ptr());
        }
        (api().aggregate_function_set_return_type)(function, LogicalType::new(F::Output::SQL_TYPE).as_ptr());
        (api().aggregate_function_set_special_handling)(function);
        (api().aggregate_function_set_extra_info)(function, carry_settings(settings), drop_settings);
        (api().aggregate_function_set_functions)(
            function,
            size::<F>,
            init::<F>,
            update::<F>,
            combine::<F>,
            finalize::<F>,
        );
        (api().aggregate_function_set_destructor)(function, destroy::<F>);
        let state = (api().register_aggregate_function)(connection, function);
        (api().destroy_aggregate_function)(&mut function);
        check(state, &F::NAME.to_string_lossy())
    }
}

unsafe extern "C-unwind" fn size<F: Aggregate>(_info: *mut FunctionInfo) -> u64 {
    size_of::<Slot<F>>() as u64
}

unsafe extern "C-unwind" fn init<F: Aggregate>(_info: *mut FunctionInfo, state: *mut AggregateState) {
    // SAFETY: DuckDB allocates as much aligned memory as `size` returns.
    unsafe { state.cast::<Slot<F>>().write(None) }
}

unsafe extern "C-unwind" fn destroy<F: Aggregate>(states: *mut *mut AggregateState, count: u64) {
    for group in 0..count as usize {
        // SAFETY: DuckDB passes states that `init` wrote, each once.
        drop(unsafe { (*states.add(group)).cast::<Slot<F>>().read() });
    }
}

unsafe extern "C-unwind" fn update<F: Aggregate>(
    info: *mut FunctionInfo,
    chunk: *mut Chunk,
    states: *mut *mut AggregateState,
) {
    report(info, || {
        if !at_least(version(), SAFE_SINCE) {
            return Err(Error::Request(F::unsafe_before_2(version())));
        }
        // SAFETY: DuckDB passes a flat chunk that lives until this returns, and a state for each of its rows. Rows may
        // share a state, so it is borrowed for one row at a time.
        unsafe {
            for (row, input) in F::row_inputs(&Input::new(chunk))?.into_iter().enumerate() {
                if let Some(input) = input {
                    F::add((*(*states.add(row)).cast::<Slot<F>>()).get_or_insert_default(), input)?;
                }
            }
        }
        Ok(())
    });
}

unsafe extern "C-unwind" fn combine<F: Aggregate>(
    info: *mut FunctionInfo,
    sources: *mut *mut AggregateState,
    targets: *mut *mut AggregateState,
    count: u64,
) {
    report(info, || {
        for group in 0..count as usize {
            // SAFETY: DuckDB passes equally many sources and targets, and a source is never its own target.
            unsafe {
                if let Some(source) = &*(*sources.add(group)).cast::<Slot<F>>() {
                    F::merge((*(*targets.add(group)).cast::<Slot<F>>()).get_or_insert_default(), source)?;
                }
            }
        }
        Ok(())
    });
}

unsafe extern "C-unwind" fn finalize<F: Aggregate>(
    info: *mut FunctionInfo,
    states: *mut *mut AggregateState,
    out: *mut VectorData,
    count: u64,
    offset: u64,
) {
    let (count, offset) = (count as usize, offset as usize);
    let finished = guard(|| {
        // SAFETY: DuckDB passes the states of the groups, and the settings that were registered with the function.
        unsafe {
            let settings = borrow_settings((api().aggregate_function_get_extra_info)(info));
            let slots = (0..count).map(|group| &*(*states.add(group)).cast::<Slot<F>>());
            let values = slots.map(|slot| match slot {
                Some(state) => F::finish(settings, state),
                None => Ok(None),
            });
            values.collect::<Result<Vec<_>>>()
        }
    });
    // Outside the guard: exceptions that DuckDB throws must not pass through it.
    let written = finished.and_then(|values| {
        // SAFETY: the vector has room for all groups from the offset on.
        let out = unsafe { Output::new(out, offset + count) };
        let values = values.iter().enumerate().map(|(group, value)| (offset + group, value));
        Value::write(out, values).map_err(text_of)
    });
    set_error(info, written);
}

fn report(info: *mut FunctionInfo, callback: impl FnOnce() -> Result<()>) {
    set_error(info, guard(callback));
}

fn set_error(info: *mut FunctionInfo, result: std::result::Result<(), CString>) {
    if let Err(error) = result {
        // SAFETY: DuckDB copies the text.
        unsafe { (api().aggregate_function_set_error)(info, error.as_ptr()) }
    }
}
