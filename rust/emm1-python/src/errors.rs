//! How work is run for Python, and how what ends it arrives there: errors as emm1's own, each kind as a class.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use emm1_core::{Error, Remark, Result, Stop};
use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The one place where a Rust error becomes a Python one; its cause is the `OSError` of the system, where there is one.
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
    // The arguments of Python's functions that would let the call pass.
    let arguments = matches!(error, Error::NotAsRegistered(_)).then_some("replace");
    let raised = instance(py, class, &error.to_string(), arguments).map_or_else(|failed| failed, PyErr::from_value);
    if let Some((path, cause)) = cause {
        raised.set_cause(py, Some(os_error(py, path, cause).map_or_else(|failed| failed, PyErr::from_value)));
    }
    raised
}

/// A remark, as a warning of emm1's own.
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

/// What the system says, as Python would raise it: of the class that its number has.
fn os_error<'py>(py: Python<'py>, path: &Path, error: &io::Error) -> PyResult<Bound<'py, PyAny>> {
    let class = py.get_type::<PyOSError>();
    match error.raw_os_error() {
        Some(number) => class.call1((number, py.import("os")?.call_method1("strerror", (number,))?, path)),
        // What a library has added a path to keeps its kind only.
        None => {
            Ok(PyErr::from(io::Error::new(error.kind(), error.to_string())).into_value(py).into_bound(py).into_any())
        }
    }
}

/// Runs the core without the GIL; it asks between pieces of work whether to stop. Whatever ends it arrives as Python
/// knows it: what a signal handler raised as itself, an error as emm1's own, a panic as one that says whose fault it is.
pub(crate) fn run<T: Send>(py: Python<'_>, work: impl FnOnce(Stop<'_>) -> Result<T> + Send) -> PyResult<T> {
    run_heard(py, |_| Ok(()), work)
}

/// Runs the core as [`run`] does; `heard` is called each time that it asks, and ends it by an exception.
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
        // What a panic leaves behind is not used again, or is behind locks that say so.
        catch_unwind(AssertUnwindSafe(|| work(&mut stop)))
    });
    match (raised, done) {
        (Some(exception), _) => Err(exception),
        (None, Ok(result)) => result.map_err(|error| raise(py, error)),
        (None, Err(panic)) => Err(bug(py, &*panic)),
    }
}

/// A panic, as an error of emm1.
fn bug(py: Python<'_>, panic: &(dyn Any + Send)) -> PyErr {
    let reason = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = format!("internal error in emm1 (a bug): please report it: {}", reason.unwrap_or("no reason given"));
    instance(py, "Error", &text, None).map_or_else(|failed| failed, PyErr::from_value)
}
