//! Everything that touches DuckDB's C API, and the only `unsafe` of this crate.
//!
//! [`table`] lists the functions of the API that are used; [`entry`] fetches them when DuckDB loads the extension. On
//! top of them are safe readers of what DuckDB passes ([`input`]), safe writers of results ([`output`]), and one module
//! for each kind of function: [`scalar`], [`aggregate`], [`table_function`]; [`catalog`] registers them. A panic never
//! crosses into DuckDB: every callback computes inside [`guard`]. Exceptions that DuckDB throws when it runs out of
//! memory for a result never cross a guard: results are written outside of it, and every function in between is
//! `C-unwind`.

pub(crate) mod aggregate;
pub(crate) mod catalog;
mod entry;
pub(crate) mod input;
pub(crate) mod output;
pub(crate) mod scalar;
mod settings;
mod table;
pub(crate) mod table_function;
pub(crate) mod types;
mod whole;

use std::ffi::{CString, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use emm1_core::{Error, Result};

use crate::settings::Settings;
use table::{Context, Stable};

/// The functions of the DuckDB that loaded this library.
struct Api {
    stable: Stable,
    context: Option<Context>,
    version: String,
}

static API: OnceLock<Api> = OnceLock::new();

fn api() -> &'static Stable {
    &API.get().expect("DuckDB calls nothing before it has loaded the extension").stable
}

/// Available since DuckDB 1.5.6.
fn context_api() -> Option<&'static Context> {
    API.get().and_then(|api| api.context.as_ref())
}

/// DuckDB's version, such as `v1.5.6`.
fn version() -> &'static str {
    API.get().map_or("", |api| &api.version)
}

/// Whether a version such as `v1.5.6` or `v2.0.0-dev12` is `wanted` or newer.
fn at_least(version: &str, wanted: [u32; 3]) -> bool {
    let mut numbers = version.trim_start_matches('v').split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| numbers.next().unwrap_or(0)) >= wanted
}

/// Runs a callback; an error or a panic becomes a message for DuckDB.
fn guard<T>(callback: impl FnOnce() -> Result<T>) -> std::result::Result<T, CString> {
    // What a callback leaves behind after a panic is never used again: DuckDB ends the query.
    let error = match catch_unwind(AssertUnwindSafe(callback)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error,
        Err(panic) => {
            let reason = panic.downcast_ref::<&str>().map(ToString::to_string);
            let reason = reason.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            Error::Request(format!("internal error in emm1 (a bug): please report it: {reason}"))
        }
    };
    Err(text_of(error))
}

/// The message of an error, in DuckDB's format.
fn text_of(error: Error) -> CString {
    CString::new(error.to_string().replace('\0', "\\0")).expect("the zeros were replaced")
}

/// Whether DuckDB accepted what it was given.
fn check(state: table::State, what: &str) -> Result<()> {
    if state == 0 { Ok(()) } else { Err(Error::Request(format!("DuckDB rejected {what}"))) }
}

/// Passes the settings of a database to a function; they are freed with [`drop_settings`].
fn carry_settings(settings: &Arc<Settings>) -> *mut c_void {
    Arc::into_raw(Arc::clone(settings)).cast_mut().cast()
}

/// # Safety
/// `settings` comes from [`carry_settings`] and is freed once.
unsafe extern "C-unwind" fn drop_settings(settings: *mut c_void) {
    // SAFETY: by this function's own condition.
    drop(unsafe { Arc::from_raw(settings.cast_const().cast::<Settings>()) });
}

/// # Safety
/// `settings` comes from [`carry_settings`] and outlives `'a`: DuckDB keeps it as long as the function.
unsafe fn borrow_settings<'a>(settings: *mut c_void) -> &'a Settings {
    // SAFETY: by this function's own condition.
    unsafe { &*settings.cast_const().cast::<Settings>() }
}

/// Passes a value to DuckDB, which returns it to [`drop_boxed`] of the same type.
fn boxed<T>(value: T) -> *mut c_void {
    Box::into_raw(Box::new(value)).cast()
}

/// # Safety
/// `value` comes from [`boxed`] with the same `T` and is freed once.
unsafe extern "C-unwind" fn drop_boxed<T>(value: *mut c_void) {
    // SAFETY: by this function's own condition.
    drop(unsafe { Box::from_raw(value.cast::<T>()) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_panics_become_text() {
        assert_eq!(guard(|| Ok(7)).unwrap(), 7);
        let error = guard(|| Err::<(), _>(Error::Request("k is\0 wrong".into()))).unwrap_err();
        assert_eq!(error.to_str().unwrap(), "k is\\0 wrong");
        let panic = guard::<()>(|| panic!("no {}", 1)).unwrap_err();
        assert!(panic.to_str().unwrap().ends_with("please report it: no 1"));
        let panic = guard::<()>(|| panic!("plain")).unwrap_err();
        assert!(panic.to_str().unwrap().ends_with("please report it: plain"));
    }

    #[test]
    fn versions() {
        for (version, known) in [
            ("v1.3.2", false),
            ("v1.5.5", false),
            ("v1.5.6", true),
            ("1.5.10", true),
            ("v1.6.0-dev12", true),
            ("v2.0.0", true),
            ("", false),
        ] {
            assert_eq!(at_least(version, [1, 5, 6]), known, "{version}");
        }
    }
}
