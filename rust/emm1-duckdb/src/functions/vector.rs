//! `emm1_vector(file, id) -> FLOAT[]`: a vector; NULL if the file does not have the id.

use std::ffi::CStr;
use std::sync::Arc;

use emm1_core::Result;

use super::{AN_ID, ID};
use crate::batches::by_key;
use crate::cache::Files;
use crate::ffi::input::Input;
use crate::ffi::output::{Answers, Slice};
use crate::ffi::scalar::Scalar;
use crate::ffi::types::SqlType;
use crate::settings::Settings;

/// `emm1_vector`.
pub(crate) struct Vector;

impl Scalar for Vector {
    const NAME: &'static CStr = c"emm1_vector";
    const PARAMETERS: &'static [SqlType] = &[SqlType::Varchar, ID];
    type Output = Slice;

    fn call(settings: &Settings, input: &Input<'_>) -> Result<Answers<Slice>> {
        let (paths, ids) = (input.texts(0), input.integers(1, AN_ID)?);
        let mut files = Files::new(settings);
        let mut budget = settings.budget(Self::NAME);
        let mut vectors = Answers::nulls(input.rows());
        for (path, rows) in by_key(paths.into_iter()) {
            let file = files.get(path)?;
            let asked = by_key(rows.iter().map(|&row| ids[row].filter(|&id| file.ids().row(id).is_some())));
            budget.take(asked.len() * file.matrix().dims(), size_of::<f32>())?;
            let known: Vec<i64> = asked.iter().map(|&(id, _)| id).collect();
            let (found, dims) = (Arc::new(file.vectors(&known, &mut || false)?), file.matrix().dims());
            for (number, (_, places)) in asked.into_iter().enumerate() {
                let slice = Slice { of: Arc::clone(&found), range: number * dims..(number + 1) * dims };
                vectors.give(slice, places.into_iter().map(|place| rows[place]));
            }
        }
        Ok(vectors)
    }
}
