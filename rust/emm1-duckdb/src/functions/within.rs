//! `emm1_within(file, query, threshold, metric) -> STRUCT(id BIGINT, score FLOAT)[]`: every vector at least this
//! similar, or at most this far away.

use std::ffi::CStr;

use emm1_core::{Exclude, Goal, Hit, Result, Search, list_for};

use super::{QUERY, ask};
use crate::batches::by_key;
use crate::cache::Files;
use crate::ffi::input::Input;
use crate::ffi::output::{Answers, sql_struct};
use crate::ffi::scalar::Scalar;
use crate::ffi::types::SqlType;
use crate::settings::Settings;

/// An id and its score.
#[derive(Clone, Copy)]
pub(crate) struct Scored {
    id: i64,
    score: f32,
}
sql_struct!(Scored { 0 id: i64, 1 score: f32 });

/// `emm1_within`.
pub(crate) struct Within;

impl Scalar for Within {
    const NAME: &'static CStr = c"emm1_within";
    const PARAMETERS: &'static [SqlType] = &[SqlType::Varchar, QUERY, SqlType::Double, SqlType::Varchar];
    type Output = Vec<Scored>;

    fn call(settings: &Settings, input: &Input<'_>) -> Result<Answers<Self::Output>> {
        let (paths, queries, thresholds, metrics) = (input.texts(0), input.lists(1), input.doubles(2), input.texts(3));
        let mut files = Files::new(settings);
        let mut budget = settings.budget(Self::NAME);
        let mut found = Answers::nulls(input.rows());
        let key = |row: usize| {
            queries.ranges[row].as_ref()?;
            Some((paths[row]?, thresholds[row]?.to_bits(), metrics[row]?))
        };
        for ((path, threshold, metric), rows) in by_key((0..input.rows()).map(key)) {
            let file = files.get(path)?;
            let (threshold, metric) = (f64::from_bits(threshold), metric.parse()?);
            let rows: Vec<_> = rows.into_iter().filter_map(|row| Some((row, queries.ranges[row].clone()?))).collect();
            // The number of hits is not known in advance: at most as many queries at once as would fit if all rows were
            // hits.
            let most = settings.memory_limit() / (2 * size_of::<Hit>() * file.matrix().rows().max(1));
            settings.with_threads(|threads| {
                let search = Search { metric, among: None, exclude: Exclude::Nothing, threads };
                let find = |vectors: &[&[f32]]| file.search(vectors, Goal::Within(threshold), &search, &mut || false);
                ask(&queries, &rows, most, find, |hits, rows| {
                    budget.take(hits.len(), size_of::<Scored>())?;
                    let mut list = list_for(hits.len())?;
                    list.extend(hits.iter().map(|&Hit { id, score }| Scored { id, score }));
                    found.give(list, rows);
                    Ok(())
                })
            })?;
        }
        Ok(found)
    }
}
