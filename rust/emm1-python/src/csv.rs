//! CSV files in Python: a block of bytes in, columns as arrays out.

use emm1_csv::{Column, Format, Values};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::run;

/// The arrays of a column (none if it is skipped, two if it is text), and a bitmap of the rows that have a value.
type Fields<'py> = (Vec<Bound<'py, PyAny>>, Option<Bound<'py, PyArray1<u8>>>);

/// Columns, symbols, and the numbers of rows and bytes.
type Block<'py> = (Vec<Fields<'py>>, Vec<Vec<String>>, usize, usize);

/// Parses the first rows of a block of CSV into columns; None if one of the rows is not regular.
#[pyfunction]
pub(crate) fn parse_records<'py>(
    py: Python<'py>,
    data: PyReadonlyArray1<'py, u8>,
    kinds: Vec<String>,
    crlf: bool,
    mut symbols: Vec<Vec<String>>,
    most: usize,
    last: bool,
) -> PyResult<Option<Block<'py>>> {
    let bytes = data.as_slice()?;
    let kinds = kinds.iter().map(|kind| kind.parse().map_err(|()| PyValueError::new_err(kind.clone())));
    let format = Format { columns: kinds.collect::<PyResult<_>>()?, crlf };
    let parsed = run(py, |_| Ok(emm1_csv::parse(bytes, &format, &mut symbols, most, last)))?;
    let Some(records) = parsed else { return Ok(None) };
    let fields = |column: Column| {
        let validity = column.validity(records.rows).map(|bits| bits.into_pyarray(py));
        let arrays = match column.values {
            Values::Integers(values) => vec![values.into_pyarray(py).into_any()],
            Values::Numbers(values) => vec![values.into_pyarray(py).into_any()],
            Values::Texts(ends, text) => vec![ends.into_pyarray(py).into_any(), text.into_pyarray(py).into_any()],
            Values::Symbols(values) => vec![values.into_pyarray(py).into_any()],
            Values::Skipped => Vec::new(),
        };
        (arrays, validity)
    };
    let columns = records.columns.into_iter().map(fields).collect();
    Ok(Some((columns, symbols, records.rows, records.bytes)))
}
