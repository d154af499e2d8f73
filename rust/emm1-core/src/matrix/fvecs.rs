//! `.fvecs` (the TEXMEX format): each row is its number of components as an i32, followed by that many f32.
//!
//! There is no header: every row repeats the number of components. Opening checks the first row and the length of the
//! file; the other rows are checked as they are read, since checking all of them would read the whole file.

use std::path::Path;

use super::Dtype;
use super::layout::{Layout, check_dims};
use crate::error::{Error, Result};

/// Bytes of the number of components.
const PREFIX: usize = 4;

/// Derives the shape from the first row and the length of the file.
pub(super) fn layout(path: &Path, bytes: &[u8]) -> Result<Layout> {
    let Some(dims) = dims_at(bytes, 0) else {
        return Err(Error::file(path, format!("is cut short: {} bytes, less than one row", bytes.len())));
    };
    let Ok(dims) = usize::try_from(dims) else {
        return Err(Error::file(path, format!("row 0 says that it has {dims} components: not an .fvecs file")));
    };
    check_dims(path, 1, dims)?;
    let stride = PREFIX + dims * Dtype::F32.size();
    if stride > bytes.len() {
        return Err(Error::file(
            path,
            format!("is cut short: row 0 has {dims} components, the file only {} bytes", bytes.len()),
        ));
    }
    let rows = bytes.len() / stride;
    let layout = Layout { start: PREFIX, stride, rows, dims, dtype: Dtype::F32 };
    if !bytes.len().is_multiple_of(stride) {
        // Either the end is missing or a row has another length: find out which.
        for row in 0..rows {
            check_row(path, bytes, &layout, row)?;
        }
        return Err(Error::file(
            path,
            format!("is cut short: {} bytes are not a whole number of rows of {stride} bytes", bytes.len()),
        ));
    }
    Ok(layout)
}

/// An error if a row does not claim the same number of components as the first.
pub(super) fn check_row(path: &Path, bytes: &[u8], layout: &Layout, row: usize) -> Result<()> {
    match dims_at(bytes, row * layout.stride) {
        Some(dims) if usize::try_from(dims) == Ok(layout.dims) => Ok(()),
        dims => Err(Error::file(
            path,
            format!(
                "row {row} says that it has {} components, row 0 has {}: all must have as many",
                dims.unwrap_or(0),
                layout.dims
            ),
        )),
    }
}

fn dims_at(bytes: &[u8], at: usize) -> Option<i32> {
    bytes.get(at..)?.first_chunk().map(|&raw| i32::from_le_bytes(raw))
}
