//! Reads DuckDB's settings: when the extension is loaded, and from DuckDB 1.5.6 on before each query.
//!
//! Older versions cannot be asked during a query: a connection of our own, kept for this purpose, would keep the
//! database open after everybody else has closed it.

use std::ffi::CStr;

use emm1_core::Result;

use super::input::Input;
use super::table::{ClientContext, Connection, QueryResult};
use super::{api, check, context_api};
use crate::settings::Settings;

const THREADS: &CStr = c"threads";
const MEMORY_LIMIT: &CStr = c"memory_limit";
const EXTERNAL_ACCESS: &CStr = c"enable_external_access";

/// Reads the settings of a connection's database.
///
/// # Safety
/// `connection` is open.
pub(super) unsafe fn read(connection: *mut Connection) -> Result<Settings> {
    let query = c"SELECT current_setting('threads')::BIGINT, current_setting('enable_external_access')::BIGINT, \
        current_setting('memory_limit')";
    let mut result = QueryResult::EMPTY;
    // SAFETY: the result and its chunk are destroyed once, after they were read.
    unsafe {
        let state = (api().query)(connection, query.as_ptr(), &mut result);
        let read = check(state, "a question for its settings").map(|()| {
            let mut chunk = (api().fetch_chunk)(result);
            let input = Input::new(chunk);
            let setting = |column: usize| Ok(input.integers(column, "a setting")?[0].unwrap_or(1));
            let settings = setting(0).and_then(|threads| Ok(Settings::new(threads, setting(1)? != 0)));
            if let (Ok(settings), Some(limit)) = (&settings, input.texts(2)[0]) {
                settings.set_memory_limit(limit);
            }
            (api().destroy_data_chunk)(&mut chunk);
            settings
        });
        let read = read.and_then(|settings| settings);
        (api().destroy_result)(&mut result);
        read
    }
}

/// Updates the settings from the connection that runs a query.
///
/// # Safety
/// `context` was fetched by the caller, who no longer uses it.
pub(super) unsafe fn refresh(mut context: *mut ClientContext, settings: &Settings) {
    let Some(newer) = context_api() else { return };
    // SAFETY: by this function's own condition; a value that DuckDB gives is destroyed once.
    unsafe {
        let option =
            |name: &CStr| (newer.client_context_get_config_option)(context, name.as_ptr(), std::ptr::null_mut());
        let mut threads = option(THREADS);
        if !threads.is_null() {
            settings.set_threads((api().get_int64)(threads));
            (api().destroy_value)(&mut threads);
        }
        let mut access = option(EXTERNAL_ACCESS);
        if !access.is_null() {
            settings.set_external_access((api().get_bool)(access));
            (api().destroy_value)(&mut access);
        }
        let mut memory = option(MEMORY_LIMIT);
        if !memory.is_null() {
            let text = (api().get_varchar)(memory);
            settings.set_memory_limit(&CStr::from_ptr(text).to_string_lossy());
            (api().free)(text.cast());
            (api().destroy_value)(&mut memory);
        }
        (newer.destroy_client_context)(&mut context);
    }
}
