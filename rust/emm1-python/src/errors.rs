//! Runs work for Python without the GIL, and turns errors, warnings and panics into Python's, with a class for each kind.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use emm1_core::{Error, Remark, Result, Stop};
use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The one place where a Rust error becomes a Python one; its cause is the system's `OSError`, if there is one.
pub(crate) fn raise(py: Python<'_>, error: Error) -> PyErr {
    let (class, cause) = match &error {
        Error::Stopped => return PyKeyboardInterrupt::new_err(()),
        Error::NotFound(path, cause) => ("FileNotFoundError", Some((path, cause))),
        Error::Write(path, cause) => ("WriteError", Some((path, cause))),
        Error::Io(path, cause) => ("EmbeddingError", Some((path, cause))),
        Error::Codes(..) => ("CodesError", None),
        Error::UnknownName(_) => ("UnknownNameError", None),
        Error::Memory(_) => ("MemoryError", None),
        Error::NotAsRegistered(_) | Error::File(..) | Error::Request(_) => ("EmbeddingError", None),
    };
    // The argument of the Python function with which the call would succeed.
    let arguments = matches!(error, Error::NotAsRegistered(_)).then_some("replace");
    let raised = instance(py, class, &error.to_string(), arguments).map_or_else(|failed| failed, PyErr::from_value);
    if let Some((path, cause)) = cause {
        raised.set_cause(py, Some(os_error(py, path, cause).map_or_else(|failed| failed, PyErr::from_value)));
    }
    raised
}

/// A remark as one of emm1's warnings.
pub(crate) fn warning<'py>(py: Python<'py>, remark: &Remark) -> PyResult<Bound<'py, PyAny>> {
    let class = match remark {
        Remark::UnusedCodes(_) => "CodesWarning",
        Remark::Note(_) => "EmbeddingsWarning",
    };
    instance(py, class, &remark.to_string(), None)
}

/// An error or a warning of `emm1.errors`.
fn instance<'py>(py: Python<'py>, class: &str, text: &str, argument: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
    let arguments = PyDict::new(py);
    argument.map_or(Ok(()), |name| arguments.set_item(name, true))?;
    py.import("emm1.errors")?.getattr(class)?.call((text,), Some(&arguments))
}

/// The system's error as Python would raise it: its number determines the class.
fn os_error<'py>(py: Python<'py>, path: &Path, error: &io::Error) -> PyResult<Bound<'py, PyAny>> {
    let class = py.get_type::<PyOSError>();
    match error.raw_os_error() {
        Some(number) => class.call1((number, py.import("os")?.call_method1("strerror", (number,))?, path)),
        // Libraries that add a path to an error keep only its kind.
        None => {
            Ok(PyErr::from(io::Error::new(error.kind(), error.to_string())).into_value(py).into_bound(py).into_any())
        }
    }
}

/// Runs the core without the GIL; it asks between pieces of work whether to stop. An exception of a signal handler is raised
/// unchanged, an error as one of emm1's classes, and a panic as an error that says that emm1 has a bug.
pub(crate) fn run<T: Send>(py: Python<'_>, work: impl FnOnce(Stop<'_>) -> Result<T> + Send) -> PyResult<T> {
    run_heard(py, |_| Ok(()), work)
}

/// Like [`run`], but calls `heard` whenever the core asks; an exception from `heard` stops the work.
pub(crate) fn run_heard<T: Send>(
    py: Python<'_>,
    heard: impl Fn(Python<'_>) -> PyResult<()> + Sync,
    work: impl FnOnce(Stop<'_>) -> Result<T> + Send,
) -> PyResult<T> {
    let mut raised = None;
    let done = py.detach(|| {
        let mut stop = || {
            if raised.is_none() {
                raised = Python::attach(|py| heard(py).and_then(|()| py.check_signals())).err();
            }
            raised.is_some()
        };
        // State that a panic left behind is not used again, or is behind locks that are poisoned.
        catch_unwind(AssertUnwindSafe(|| work(&mut stop)))
    });
    match (raised, done) {
        (Some(exception), _) => Err(exception),
        (None, Ok(result)) => result.map_err(|error| raise(py, error)),
        (None, Err(panic)) => Err(bug(py, &*panic)),
    }
}

/// A panic as one of emm1's errors.
fn bug(py: Python<'_>, panic: &(dyn Any + Send)) -> PyErr {
    let reason = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = format!("internal error in emm1 (a bug): please report it: {}", reason.unwrap_or("no reason given"));
    instance(py, "Error", &text, None).map_or_else(|failed| failed, PyErr::from_value)
}
