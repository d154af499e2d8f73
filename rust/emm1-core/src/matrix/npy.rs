//! The header of a `.npy` file (NumPy's NEP 1): magic, version, length, and a Python dictionary of three keys.

use std::path::Path;

use super::{Dtype, Layout};
use crate::error::{Error, Result};

/// What a header says about the array after it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// NumPy's type string, such as `<f4`.
    pub(crate) descr: String,
    pub(crate) fortran_order: bool,
    pub(crate) shape: Vec<usize>,
    /// Bytes before the data.
    pub(crate) length: usize,
}

const MAGIC: &[u8] = b"\x93NUMPY";

/// Reads the header of a two-dimensional array in C order.
pub(super) fn layout(path: &Path, bytes: &[u8]) -> Result<Layout> {
    let header = Header::parse(path, bytes)?;
    let dtype = match header.descr.as_str() {
        "<f4" => Dtype::F32,
        "<f2" => Dtype::F16,
        "|i1" | "<i1" => Dtype::I8,
        other => return Err(Error::file(path, unsupported(other))),
    };
    let [rows, dims] = header.shape[..] else {
        let got = header.shape.len();
        return Err(Error::file(path, format!("{got} dimensions, expected 2: one row a vector, (rows, dims)")));
    };
    if header.fortran_order && rows > 1 && dims > 1 {
        return Err(Error::file(path, format!("stored in Fortran order: {CONVERT}")));
    }
    Layout::packed(path, header.length, [rows, dims], dtype, bytes.len())
}

impl Header {
    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        if !bytes.starts_with(MAGIC) {
            return Err(Error::file(path, "is not a .npy file: save it with numpy.save"));
        }
        let cut = || Error::file(path, "ends within its header: it is cut short");
        let (text_start, text_length) = match bytes.get(6).ok_or_else(cut)? {
            1 => {
                (10, usize::from(u16::from_le_bytes(*bytes.get(8..10).and_then(|b| b.first_chunk()).ok_or_else(cut)?)))
            }
            2 | 3 => {
                (12, u32::from_le_bytes(*bytes.get(8..12).and_then(|b| b.first_chunk()).ok_or_else(cut)?) as usize)
            }
            version => return Err(Error::file(path, format!(".npy version {version} is not known"))),
        };
        let length = usize::saturating_add(text_start, text_length);
        let text = bytes.get(text_start..length).ok_or_else(cut)?;
        let text = std::str::from_utf8(text).ok();
        let fields = text.and_then(dictionary);
        let (descr, fortran_order, shape) =
            fields.ok_or_else(|| Error::file(path, "its .npy header is damaged: save the file again"))?;
        Ok(Self { descr, fortran_order, shape, length })
    }
}

/// Advice for vectors that are in the file, but not in a layout that can be searched.
const CONVERT: &str = "convert it with `emm1 embeddings import FILE.npy NEW.npy`";

/// The message about a type that is not supported.
fn unsupported(descr: &str) -> String {
    const WANTED: &str = "float32, float16 or int8";
    match descr {
        ">f2" | ">f4" | ">f8" => format!("type {descr} is big-endian: {CONVERT}"),
        "<f8" | "|u1" | "<u1" => format!("type {descr} is not taken, expected {WANTED}: {CONVERT}"),
        _ if descr.contains('O') => {
            format!("holds Python objects ({descr}), expected {WANTED}: save numpy.stack(array).astype('float32')")
        }
        _ => format!("type {descr} is not taken, expected {WANTED}: save array.astype('float32')"),
    }
}

/// Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
fn dictionary(text: &str) -> Option<(String, bool, Vec<usize>)> {
    let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    let (mut descr, mut order, mut shape) = (None, None, None);
    while !rest.is_empty() {
        let (key, after) = quoted(rest)?;
        let value = after.trim_start().strip_prefix(':')?.trim_start();
        rest = match key {
            "descr" => {
                // A list is a structured type: it is kept as text for the error message.
                let (text, after) = quoted(value).or_else(|| {
                    let end = value.find(']')? + 1;
                    value.starts_with('[').then(|| value.split_at(end))
                })?;
                descr = Some(text.to_owned());
                after
            }
            "fortran_order" => {
                let after = value.strip_prefix("True").or_else(|| value.strip_prefix("False"))?;
                order = Some(value.starts_with("True"));
                after
            }
            "shape" => {
                let (inside, after) = value.strip_prefix('(')?.split_once(')')?;
                let numbers = inside.split(',').map(str::trim).filter(|n| !n.is_empty());
                shape = Some(numbers.map(|n| n.parse().ok()).collect::<Option<Vec<usize>>>()?);
                after
            }
            _ => return None,
        }
        .trim_start();
        rest = rest.strip_prefix(',').or(rest.is_empty().then_some(rest))?.trim_start();
    }
    Some((descr?, order?, shape?))
}

/// Splits a leading Python string without escapes from the rest.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|&c| c == '\'' || c == '"')?;
    text[1..].split_once(quote)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_numpy_writes() {
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }          \n";
        assert_eq!(dictionary(text), Some(("<f4".into(), false, vec![3, 4])));
        assert_eq!(dictionary("{'descr': '|O', 'fortran_order': True, 'shape': (3,)}").unwrap().2, vec![3]);
        assert_eq!(dictionary("{'descr': '<f4', 'fortran_order': False, 'shape': (-3, 4)}"), None);
        assert_eq!(dictionary("{'descr': '<f4'"), None);
    }

    proptest! {
        #[test]
        fn never_panics(version in 0u8..5, body in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = MAGIC.to_vec();
            bytes.extend([version, 0]);
            bytes.extend(&body);
            let _ = Header::parse(Path::new("x.npy"), &bytes);
        }

        #[test]
        fn never_panics_on_text(text in "[{}'a-z:(), 0-9<]{0,80}") {
            let _ = dictionary(&text);
        }
    }
}
