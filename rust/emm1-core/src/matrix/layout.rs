//! The layout of rows in a file: the result of reading any format's header.

use std::path::Path;

use super::Dtype;
use crate::error::{Error, Result};

/// Rows of `dims` components, each `stride` bytes after the previous one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Bytes before the first component of the first row.
    pub(crate) start: usize,
    /// Bytes from one row to the next.
    pub(crate) stride: usize,
    pub(crate) rows: usize,
    pub(crate) dims: usize,
    pub(crate) dtype: Dtype,
}

impl Layout {
    /// Rows without gaps, from `start` to the end of a file of `length` bytes.
    pub(crate) fn packed(
        path: &Path,
        start: usize,
        [rows, dims]: [usize; 2],
        dtype: Dtype,
        length: usize,
    ) -> Result<Self> {
        check_dims(path, rows, dims)?;
        check_length(path, start, &[rows, dims], dtype.size(), length)?;
        Ok(Self { start, stride: dims * dtype.size(), rows, dims, dtype })
    }

    /// Bytes of the components of a row.
    pub(crate) fn width(&self) -> usize {
        self.dims * self.dtype.size()
    }
}

/// More components than this mean a damaged header: if there are no rows, the length of the file does not show it.
const MAX_DIMS: usize = 1 << 24;

/// An error if vectors would have no components, or absurdly many.
pub(super) fn check_dims(path: &Path, rows: usize, dims: usize) -> Result<()> {
    match dims {
        0 => Err(Error::file(path, format!("shape ({rows}, 0): vectors have no components"))),
        1..=MAX_DIMS => Ok(()),
        _ => Err(Error::file(path, format!("shape ({rows}, {dims}): a vector has at most {MAX_DIMS} components"))),
    }
}

/// An error if a file of `actual` bytes does not hold exactly what the shape needs after the first `start` bytes.
pub(crate) fn check_length(path: &Path, start: usize, shape: &[usize], item: usize, actual: usize) -> Result<()> {
    let data = shape.iter().try_fold(item, |product, &n| product.checked_mul(n));
    let expected = data.and_then(|data| data.checked_add(start)).filter(|&n| isize::try_from(n).is_ok());
    let Some(expected) = expected else {
        return Err(Error::file(path, format!("its header says shape {shape:?}, more than any file can hold")));
    };
    if actual < expected {
        return Err(Error::file(
            path,
            format!("is cut short: shape {shape:?} needs {expected} bytes, the file has {actual}"),
        ));
    }
    if actual > expected {
        return Err(Error::file(
            path,
            format!("has {} bytes more than shape {shape:?} needs: its header lies", actual - expected),
        ));
    }
    Ok(())
}
