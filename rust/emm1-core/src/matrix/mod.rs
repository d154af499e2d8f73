//! A file of vectors: rows × dims, memory-mapped, each row widened to f32 exactly.

mod map;
mod npy;

use std::path::{Path, PathBuf};

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::error::{Error, Result};
use map::Map;
pub(crate) use npy::Header;

/// Type of a component in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16.
    F16,
}

impl Dtype {
    /// NumPy's name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
        }
    }

    fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }
}

/// Rows × dims vectors in a file, read through a memory map.
#[derive(Debug)]
pub struct Matrix {
    path: PathBuf,
    map: Map,
    start: usize,
    rows: usize,
    dims: usize,
    dtype: Dtype,
}

/// All bytes of a file, for those that are small beside the vectors.
pub(crate) fn read_all(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Error::io(path, error))
}

/// Formats that hold embeddings but cannot be mapped as they are.
const CONVERTIBLE: [&str; 9] = ["pt", "pth", "npz", "parquet", "arrow", "feather", "ipc", "lance", "safetensors"];

impl Matrix {
    /// Opens a `.npy` file of two dimensions, f32 or f16, little-endian, in C order.
    pub fn open(path: &Path) -> Result<Self> {
        let suffix = path.extension().and_then(|suffix| suffix.to_str()).unwrap_or("").to_ascii_lowercase();
        if CONVERTIBLE.contains(&suffix.as_str()) {
            return Err(Error::file(
                path,
                format!(
                    "a .{suffix} file cannot be searched as it is: convert it with `emm1 embeddings import`, or save it as .npy"
                ),
            ));
        }
        let map = Map::open(path)?;
        let header = Header::parse(path, map.bytes(path)?)?;
        let dtype = match header.descr.as_str() {
            "<f4" => Dtype::F32,
            "<f2" => Dtype::F16,
            other => return Err(Error::file(path, npy::unsupported(other, "f32 or f16"))),
        };
        let [rows, dims] = header.shape[..] else {
            let got = header.shape.len();
            return Err(Error::file(path, format!("{got} dimensions, expected 2: one row a vector, (rows, dims)")));
        };
        if header.fortran_order && rows > 1 && dims > 1 {
            return Err(Error::file(path, "stored in Fortran order: save it again with numpy.ascontiguousarray"));
        }
        if dims == 0 {
            return Err(Error::file(path, format!("shape ({rows}, 0): vectors have no components")));
        }
        header.check_length(path, dtype.size(), map.len())?;
        Ok(Self { path: path.to_owned(), map, start: header.length, rows, dims, dtype })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of vectors.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Components of each vector.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// Type of a component in the file.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The vectors as they are now; checks that the file was not cut since it was opened.
    pub(crate) fn view(&self) -> Result<View<'_>> {
        let bytes = self.map.bytes(&self.path)?;
        let end = self.start + self.rows * self.dims * self.dtype.size();
        Ok(View { bytes: &bytes[self.start..end], dims: self.dims, dtype: self.dtype })
    }
}

/// The bytes of all vectors, for the length of one call.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    bytes: &'a [u8],
    dims: usize,
    dtype: Dtype,
}

impl View<'_> {
    /// Writes a row to `out` (dims long), widened to f32 exactly.
    pub(crate) fn row(&self, row: usize, out: &mut [f32]) {
        let width = self.dims * self.dtype.size();
        let bytes = &self.bytes[row * width..(row + 1) * width];
        match self.dtype {
            Dtype::F32 => {
                for (value, raw) in out.iter_mut().zip(bytes.chunks_exact(4)) {
                    *value = f32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]);
                }
            }
            Dtype::F16 => {
                let mut block = [f16::ZERO; 256];
                for (values, raws) in out.chunks_mut(256).zip(bytes.chunks(512)) {
                    let halves = &mut block[..values.len()];
                    for (half, raw) in halves.iter_mut().zip(raws.chunks_exact(2)) {
                        *half = f16::from_le_bytes([raw[0], raw[1]]);
                    }
                    halves.convert_to_f32_slice(values);
                }
            }
        }
    }
}
