//! `emm1_score(file, id, query, metric) -> FLOAT`: the score of one vector; NULL if the file does not have the id.

use std::ffi::CStr;

use emm1_core::Result;

use super::{AN_ID, ID, QUERY};
use crate::batches::by_key;
use crate::cache::Files;
use crate::ffi::input::Input;
use crate::ffi::output::Answers;
use crate::ffi::scalar::Scalar;
use crate::ffi::types::SqlType;
use crate::settings::Settings;

/// `emm1_score`.
pub(crate) struct Score;

impl Scalar for Score {
    const NAME: &'static CStr = c"emm1_score";
    const PARAMETERS: &'static [SqlType] = &[SqlType::Varchar, ID, QUERY, SqlType::Varchar];
    type Output = f32;

    fn call(settings: &Settings, input: &Input<'_>) -> Result<Answers<f32>> {
        let (paths, ids, queries, metrics) =
            (input.texts(0), input.integers(1, AN_ID)?, input.lists(2), input.texts(3));
        let mut files = Files::new(settings);
        let mut scores = Answers::nulls(input.rows());
        let key = |row: usize| {
            ids[row]?;
            Some((paths[row]?, queries.ranges[row].clone()?, metrics[row]?))
        };
        for ((path, query, metric), rows) in by_key((0..input.rows()).map(key)) {
            let file = files.get(path)?;
            let known = rows
                .into_iter()
                .filter_map(|row| ids[row].filter(|&id| file.ids().row(id).is_some()).map(|id| (row, id)));
            let (rows, known): (Vec<usize>, Vec<i64>) = known.unzip();
            let found = file.score(&known, &queries.query(query)?, metric.parse()?, &mut || false)?;
            rows.into_iter().zip(found).for_each(|(row, score)| scores.give(score, [row]));
        }
        Ok(scores)
    }
}
