//! The formats of embedding files: the suffix of each, what reads its header, and what is said of a file of none of them.

use std::path::Path;

use super::layout::Layout;
use super::{Dtype, bin, fvecs, npy, safetensors};
use crate::error::Result;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Npy,
    Safetensors,
    Bin(Dtype),
    Fvecs,
}

/// Every format and the suffix of its files.
pub(super) const FORMATS: &[(&str, Format)] = &[
    ("npy", Format::Npy),
    ("safetensors", Format::Safetensors),
    ("fbin", Format::Bin(Dtype::F32)),
    ("u8bin", Format::Bin(Dtype::U8)),
    ("i8bin", Format::Bin(Dtype::I8)),
    ("fvecs", Format::Fvecs),
];

/// What `emm1 embeddings import` converts: the formats of `python/emm1/convert`.
const CONVERTED: &str = "Parquet, Arrow, Lance, .npz and .pt";

impl Format {
    /// The format that a file's suffix names.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let suffix = path.extension()?.to_str()?;
        FORMATS.iter().find(|(of, _)| suffix.eq_ignore_ascii_case(of)).map(|&(_, format)| format)
    }

    /// Reads the header of a file. The layout that is returned lies within `bytes`.
    pub(super) fn layout(self, path: &Path, bytes: &[u8], tensor: Option<&str>) -> Result<Layout> {
        match self {
            Self::Npy => npy::layout(path, bytes),
            Self::Safetensors => safetensors::layout(path, bytes, tensor),
            Self::Bin(dtype) => bin::layout(path, bytes, dtype),
            Self::Fvecs => fvecs::layout(path, bytes),
        }
    }

    /// An error if a row does not fit the layout, in a format that says in each row how long it is.
    #[inline]
    pub(super) fn check_row(self, path: &Path, bytes: &[u8], layout: &Layout, row: usize) -> Result<()> {
        match self {
            Self::Npy | Self::Safetensors | Self::Bin(_) => Ok(()),
            Self::Fvecs => fvecs::check_row(path, bytes, layout, row),
        }
    }
}

/// What can be opened, for messages about files that cannot.
pub(super) fn expected() -> String {
    let suffixes = FORMATS.iter().map(|(suffix, _)| format!(".{suffix}"));
    let others = suffixes.filter(|suffix| suffix != ".npy").collect::<Vec<_>>().join(", ");
    format!("a .npy file, a folder of them, or one of {others} (`emm1 embeddings import` converts {CONVERTED})")
}
