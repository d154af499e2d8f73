//! `emm1_similarity(file_a, id_a, file_b, id_b, metric) -> FLOAT`: the score of two vectors; NULL if a file lacks
//! its id.

use std::ffi::CStr;

use emm1_core::Result;

use super::{AN_ID, ID};
use crate::batches::by_key;
use crate::cache::Files;
use crate::ffi::input::Input;
use crate::ffi::output::Answers;
use crate::ffi::scalar::Scalar;
use crate::ffi::types::SqlType;
use crate::settings::Settings;

/// `emm1_similarity`.
pub(crate) struct Similarity;

impl Scalar for Similarity {
    const NAME: &'static CStr = c"emm1_similarity";
    const PARAMETERS: &'static [SqlType] = &[SqlType::Varchar, ID, SqlType::Varchar, ID, SqlType::Varchar];
    type Output = f32;

    fn call(settings: &Settings, input: &Input<'_>) -> Result<Answers<f32>> {
        let (a_paths, b_paths) = (input.texts(0), input.texts(2));
        let (a_ids, b_ids) = (input.integers(1, AN_ID)?, input.integers(3, AN_ID)?);
        let metrics = input.texts(4);
        let mut files = Files::new(settings);
        let mut scores = Answers::nulls(input.rows());
        let key = |row: usize| Some((a_paths[row]?, b_paths[row]?, metrics[row]?));
        for ((a, b, metric), rows) in by_key((0..input.rows()).map(key)) {
            let (a, b) = (files.get(a)?, files.get(b)?);
            let pair = |row: usize| {
                let a_id = a_ids[row].filter(|&id| a.ids().row(id).is_some())?;
                let b_id = b_ids[row].filter(|&id| b.ids().row(id).is_some())?;
                Some((row, (a_id, b_id)))
            };
            let (rows, pairs): (Vec<usize>, Vec<(i64, i64)>) = rows.into_iter().filter_map(pair).unzip();
            let (left, right): (Vec<i64>, Vec<i64>) = pairs.into_iter().unzip();
            let metric = metric.parse()?;
            let found =
                settings.with_threads(|threads| a.score_pairs(&left, &b, &right, metric, threads, &mut || false))?;
            rows.into_iter().zip(found).for_each(|(row, score)| scores.give(score, [row]));
        }
        Ok(scores)
    }
}
