//! `.safetensors`: a u64 length, a JSON object with the position of each tensor, then the tensors without gaps.
//!
//! The header is parsed here rather than by the `safetensors` crate, which accepts duplicate names, adds offsets
//! without overflow checks, and does not say which tensor is wrong. What the crate refuses is refused here too.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::Dtype;
use super::layout::{Layout, check_dims};
use crate::error::{Error, Result};

/// Bytes of the length of the JSON.
const LENGTH: usize = 8;
/// The longest JSON that the format allows.
const LONGEST: u64 = 100_000_000;
/// The one key that is not a tensor.
const METADATA: &str = "__metadata__";

/// What the header says about a tensor.
#[derive(Deserialize)]
struct Tensor {
    dtype: String,
    shape: Vec<usize>,
    /// The first byte and the one after the last, counted from the end of the header.
    data_offsets: (usize, usize),
}

/// The tensors by name.
struct Tensors(BTreeMap<String, Tensor>);

impl<'de> Deserialize<'de> for Tensors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct EachOnce;

        impl<'de> Visitor<'de> for EachOnce {
            type Value = Tensors;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Tensors, A::Error> {
                let mut tensors = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == METADATA {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    match tensors.entry(name) {
                        Entry::Vacant(place) => place.insert(map.next_value()?),
                        Entry::Occupied(taken) => {
                            return Err(A::Error::custom(format!("tensor '{}' appears twice", taken.key())));
                        }
                    };
                }
                Ok(Tensors(tensors))
            }
        }

        deserializer.deserialize_map(EachOnce)
    }
}

/// Finds the tensor with this name, or else the only two-dimensional one.
pub(super) fn layout(path: &Path, bytes: &[u8], name: Option<&str>) -> Result<Layout> {
    let (start, tensors) = header(path, bytes)?;
    let (name, tensor) = choose(path, &tensors, name)?;
    let damaged = |what: String| Error::file(path, format!("tensor '{name}' {what}"));
    let [rows, dims] = tensor.shape[..] else {
        return Err(damaged(format!("has shape {:?}, expected 2 dimensions: (rows, dims)", tensor.shape)));
    };
    let dtype = match tensor.dtype.as_str() {
        "F32" => Dtype::F32,
        "F16" => Dtype::F16,
        "BF16" => Dtype::BF16,
        "I8" => Dtype::I8,
        other => {
            return Err(damaged(format!(
                "is of type {other}, expected F32, F16, BF16 or I8: convert it and save again"
            )));
        }
    };
    let (begin, end) = tensor.data_offsets;
    let data = rows.checked_mul(dims).and_then(|items| items.checked_mul(dtype.size()));
    if data != Some(end - begin) {
        return Err(damaged(format!(
            "of shape {:?} and type {} does not fill the {} bytes that the header gives it: the header lies",
            tensor.shape,
            tensor.dtype,
            end - begin
        )));
    }
    check_dims(path, rows, dims)?;
    Ok(Layout { start: start + begin, stride: dims * dtype.size(), rows, dims, dtype })
}

/// Reads the header: the start of the data, and the tensors, which fill the rest of the file one after another.
fn header(path: &Path, bytes: &[u8]) -> Result<(usize, BTreeMap<String, Tensor>)> {
    let cut = || Error::file(path, "ends within its header: it is cut short, or not a .safetensors file");
    let length = u64::from_le_bytes(*bytes.first_chunk::<LENGTH>().ok_or_else(cut)?);
    if length > LONGEST {
        return Err(Error::file(path, format!("is not a .safetensors file: its header would have {length} bytes")));
    }
    let start = LENGTH + length as usize;
    let json = bytes.get(LENGTH..start).ok_or_else(cut)?;
    let Tensors(tensors) = serde_json::from_slice(json)
        .map_err(|error| Error::file(path, format!("its header is damaged: {error} of the JSON")))?;
    let mut in_order: Vec<_> = tensors.iter().collect();
    in_order.sort_by_key(|(_, tensor)| tensor.data_offsets);
    let mut reached = 0;
    for (name, tensor) in in_order {
        let (begin, end) = tensor.data_offsets;
        if begin != reached || end < begin {
            return Err(Error::file(
                path,
                format!(
                    "tensor '{name}' takes the bytes {begin} to {end}, expected to begin at {reached}: the header lies"
                ),
            ));
        }
        reached = end;
    }
    let held = bytes.len() - start;
    if reached > held {
        return Err(Error::file(path, format!("is cut short: its tensors need {reached} bytes, the file has {held}")));
    }
    if reached < held {
        return Err(Error::file(
            path,
            format!("has {} bytes that belong to no tensor: its header lies", held - reached),
        ));
    }
    Ok((start, tensors))
}

fn choose<'a>(path: &Path, tensors: &'a BTreeMap<String, Tensor>, name: Option<&str>) -> Result<(&'a str, &'a Tensor)> {
    if let Some(name) = name {
        return tensors.get_key_value(name).map(|(name, tensor)| (name.as_str(), tensor)).ok_or_else(|| {
            Error::file(path, format!("no tensor is called '{name}': it holds {}", names(tensors.keys())))
        });
    }
    let mut flat = tensors.iter().filter(|(_, tensor)| tensor.shape.len() == 2);
    match (flat.next(), flat.next()) {
        (Some((name, tensor)), None) => Ok((name, tensor)),
        (Some(first), Some(second)) => {
            let all = names([first, second].into_iter().chain(flat).map(|(name, _)| name));
            let file = path.display();
            Err(Error::file(path, format!("holds several tensors of 2 dimensions: name one ({file}#NAME) of {all}")))
        }
        (None, _) => {
            Err(Error::file(path, format!("holds no tensor of 2 dimensions, (rows, dims): {}", names(tensors.keys()))))
        }
    }
}

fn names<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let listed: Vec<&str> = names.map(String::as_str).collect();
    if listed.is_empty() { "no tensor at all".into() } else { listed.join(", ") }
}
