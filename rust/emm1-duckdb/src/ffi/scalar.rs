//! Scalar functions: a chunk of rows in, a value for each row out.

use std::ffi::{CStr, c_void};
use std::sync::Arc;

use emm1_core::Result;

use super::input::Input;
use super::output::{Answers, Output, Value};
use super::table::{Chunk, Connection, FunctionInfo, InitInfo, VectorData};
use super::types::{LogicalType, SqlType};
use super::{api, borrow_settings, carry_settings, check, context_api, drop_settings, guard, settings, text_of};
use crate::settings::Settings;

/// A scalar function.
pub(crate) trait Scalar: 'static {
    /// Its name in SQL.
    const NAME: &'static CStr;
    /// The types of the parameters.
    const PARAMETERS: &'static [SqlType];
    /// The result for each row; None is NULL.
    type Output: Value;

    /// The answers to all rows of the input, whose columns are the parameters.
    fn call(settings: &Settings, input: &Input<'_>) -> Result<Answers<Self::Output>>;
}

/// Registers a function.
///
/// # Safety
/// `connection` is open.
pub(super) unsafe fn register<F: Scalar>(connection: *mut Connection, settings: &Arc<Settings>) -> Result<()> {
    // SAFETY: DuckDB copies the function and its types into its catalog, so they are destroyed here; the callbacks
    // belong to this function.
    unsafe {
        let mut function = (api().create_scalar_function)();
        (api().scalar_function_set_name)(function, F::NAME.as_ptr());
        for sql_type in F::PARAMETERS {
            (api().scalar_function_add_parameter)(function, LogicalType::new(*sql_type).as_ptr());
        }
        (api().scalar_function_set_return_type)(function, LogicalType::new(F::Output::SQL_TYPE).as_ptr());
        (api().scalar_function_set_special_handling)(function);
        // Files change: DuckDB must not fold a call with constant arguments into the plan.
        (api().scalar_function_set_volatile)(function);
        (api().scalar_function_set_extra_info)(function, carry_settings(settings), drop_settings);
        (api().scalar_function_set_function)(function, call::<F>);
        if let Some(newer) = context_api() {
            (newer.scalar_function_set_init)(function, refresh_settings);
        }
        let state = (api().register_scalar_function)(connection, function);
        (api().destroy_scalar_function)(&mut function);
        check(state, &F::NAME.to_string_lossy())
    }
}

unsafe extern "C-unwind" fn call<F: Scalar>(info: *mut FunctionInfo, chunk: *mut Chunk, out: *mut VectorData) {
    let called = guard(|| {
        // SAFETY: DuckDB passes a flat chunk that lives until this returns, and the settings that were registered with
        // the function.
        let (settings, input) =
            unsafe { (borrow_settings((api().scalar_function_get_extra_info)(info)), Input::new(chunk)) };
        let answers = F::call(settings, &input)?;
        assert_eq!(answers.rows(), input.rows(), "each row has an answer");
        Ok(answers)
    });
    // Outside the guard: exceptions that DuckDB throws must not pass through it.
    let written = called.and_then(|answers| {
        // SAFETY: the vector has room for the rows of the chunk.
        let out = unsafe { Output::new(out, answers.rows().max((api().vector_size)() as usize)) };
        Value::write_answers(out, &answers).map_err(text_of)
    });
    if let Err(error) = written {
        // SAFETY: DuckDB copies the text.
        unsafe { (api().scalar_function_set_error)(info, error.as_ptr()) }
    }
}

/// Called once per thread before a query calls the function.
unsafe extern "C-unwind" fn refresh_settings(info: *mut InitInfo) {
    let Some(newer) = context_api() else { return };
    let mut context = std::ptr::null_mut();
    // SAFETY: `refresh` destroys the context, and the settings were registered with the function.
    unsafe {
        (newer.scalar_function_init_get_client_context)(info, &mut context);
        settings::refresh(context, borrow_settings((newer.scalar_function_init_get_extra_info)(info).cast::<c_void>()));
    }
}
