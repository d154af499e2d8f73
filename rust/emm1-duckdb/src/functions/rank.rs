//! `emm1_rank(file, id, query, metric) -> STRUCT(above BIGINT, equal BIGINT)`: how many vectors have a better
//! score than that of an id, and how many others the same; NULL if the file does not have the id.

use std::ffi::CStr;

use emm1_core::{Exclude, Rank as CoreRank, Result, Search};

use super::{AN_ID, ID, QUERY};
use crate::batches::by_key;
use crate::cache::Files;
use crate::ffi::input::Input;
use crate::ffi::output::{Answers, sql_struct};
use crate::ffi::scalar::Scalar;
use crate::ffi::types::SqlType;
use crate::settings::Settings;

/// The numbers of rows that rank above an id, and beside it.
#[derive(Clone, Copy)]
pub(crate) struct Ranked {
    above: i64,
    equal: i64,
}
sql_struct!(Ranked { 0 above: i64, 1 equal: i64 });

/// `emm1_rank`.
pub(crate) struct Rank;

impl Scalar for Rank {
    const NAME: &'static CStr = c"emm1_rank";
    const PARAMETERS: &'static [SqlType] = &[SqlType::Varchar, ID, QUERY, SqlType::Varchar];
    type Output = Ranked;

    fn call(settings: &Settings, input: &Input<'_>) -> Result<Answers<Ranked>> {
        let (paths, ids, queries, metrics) =
            (input.texts(0), input.integers(1, AN_ID)?, input.lists(2), input.texts(3));
        let mut files = Files::new(settings);
        let mut ranks = Answers::nulls(input.rows());
        let key = |row: usize| {
            ids[row]?;
            queries.ranges[row].as_ref()?;
            Some((paths[row]?, metrics[row]?))
        };
        for ((path, metric), rows) in by_key((0..input.rows()).map(key)) {
            let file = files.get(path)?;
            let metric = metric.parse()?;
            let asked = rows.into_iter().filter_map(|row| {
                let id = ids[row].filter(|&id| file.ids().row(id).is_some())?;
                Some((row, id, queries.ranges[row].clone()?))
            });
            let asked: Vec<_> = asked.collect();
            let vectors = asked.iter().map(|(_, _, query)| queries.query(query.clone())).collect::<Result<Vec<_>>>()?;
            let vectors: Vec<&[f32]> = vectors.iter().map(AsRef::as_ref).collect();
            let targets: Vec<i64> = asked.iter().map(|&(_, id, _)| id).collect();
            let found = settings.with_threads(|threads| {
                let search = Search { metric, among: None, exclude: Exclude::Nothing, threads };
                file.ranks(&targets, &vectors, None, &search, &mut || false)
            })?;
            for ((row, ..), CoreRank { above, equal }) in asked.into_iter().zip(found) {
                ranks.give(Ranked { above: above as i64, equal: equal as i64 }, [row]);
            }
        }
        Ok(ranks)
    }
}
