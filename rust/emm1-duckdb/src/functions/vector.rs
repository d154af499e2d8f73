//! `emm1_vector(file, id)`: a vector; NULL where the file does not have the id.

use std::ffi::CStr;

use emm1_core::Result;

use crate::batches::by_key;
use crate::ffi::input::Input;
use crate::ffi::scalar::Scalar;
use crate::ffi::types::Kind;
use crate::files::Files;
use crate::settings::Settings;

/// `emm1_vector`.
pub(crate) struct Vector;

impl Scalar for Vector {
    const NAME: &'static CStr = c"emm1_vector";
    const PARAMETERS: &'static [Kind] = &[Kind::Varchar, Kind::BigInt];
    type Output = Vec<f32>;

    fn call(settings: &Settings, input: &Input<'_>) -> Result<Vec<Option<Vec<f32>>>> {
        let (paths, ids) = (input.texts(0), input.integers(1));
        let mut files = Files::new(settings);
        let mut vectors = vec![None; input.rows()];
        for (path, rows) in by_key(paths.into_iter()) {
            let file = files.get(path)?;
            let known = rows
                .into_iter()
                .filter_map(|row| ids[row].filter(|&id| file.ids().row(id).is_some()).map(|id| (row, id)));
            let (rows, known): (Vec<usize>, Vec<i64>) = known.unzip();
            let found = file.vectors(&known)?;
            let found = found.chunks(file.matrix().dims());
            rows.into_iter().zip(found).for_each(|(row, vector)| vectors[row] = Some(vector.to_vec()));
        }
        Ok(vectors)
    }
}
