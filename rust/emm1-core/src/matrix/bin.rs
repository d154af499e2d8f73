//! `.fbin`, `.u8bin`, `.i8bin` (the billion-scale ANN benchmarks' format): u32 rows, u32 dims, then the components.

use std::path::Path;

use super::{Dtype, Layout};
use crate::error::{Error, Result};

const HEADER: usize = 8;

/// Reads the header; the file's suffix gave the type.
pub(super) fn layout(path: &Path, bytes: &[u8], dtype: Dtype) -> Result<Layout> {
    let Some(&[rows, dims]) = bytes.as_chunks().0.first_chunk() else {
        return Err(Error::file(
            path,
            format!("is cut short: its header has {HEADER} bytes, the file {}", bytes.len()),
        ));
    };
    let [rows, dims] = [rows, dims].map(|raw| u32::from_le_bytes(raw) as usize);
    Layout::packed(path, HEADER, [rows, dims], dtype, bytes.len())
}
