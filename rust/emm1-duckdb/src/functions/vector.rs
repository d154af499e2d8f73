//! `emm1_vector(file, id)`: a vector; NULL where the file does not have the id.

use std::ffi::CStr;

use emm1_core::Result;

use crate::batches::by_key;
use crate::ffi::input::Input;
use crate::ffi::scalar::Scalar;
use crate::ffi::types::Kind;
use crate::files;
use crate::settings::Settings;

/// `emm1_vector`.
pub(crate) struct Vector;

impl Scalar for Vector {
    const NAME: &'static CStr = c"emm1_vector";
    const PARAMETERS: &'static [Kind] = &[Kind::Varchar, Kind::BigInt];
    type Output = Vec<f32>;

    fn call(settings: &Settings, input: &Input<'_>) -> Result<Vec<Option<Vec<f32>>>> {
        let (paths, ids) = (input.texts(0), input.integers(1));
        let mut vectors = vec![None; input.rows()];
        for (path, rows) in by_key(paths.into_iter()) {
            let file = files::open(settings, path)?;
            for row in rows {
                let known = ids[row].filter(|&id| file.ids().row(id).is_some());
                vectors[row] = known.map(|id| file.vectors(&[id])).transpose()?;
            }
        }
        Ok(vectors)
    }
}
