//! - `emm1_topk(file, query, k, metric) -> STRUCT(rank BIGINT, id BIGINT, score FLOAT)[]`: the k best vectors.
//! - `emm1_topk_among(file, query, ids, k, metric) -> STRUCT(rank BIGINT, id BIGINT, score FLOAT)[]`: the k best
//!   vectors of a list of ids.

use std::ffi::CStr;
use std::ops::Range;

use emm1_core::{Exclude, Goal, Hit, Result, Search, list_for};

use super::{AN_ID, ID, IDS, QUERY, ask, at_least_one};
use crate::batches::by_key;
use crate::cache::Files;
use crate::ffi::input::{Input, Lists};
use crate::ffi::output::{Answers, sql_struct};
use crate::ffi::scalar::Scalar;
use crate::ffi::types::SqlType;
use crate::settings::{Budget, Settings};

/// A hit and its rank, from 1.
#[derive(Clone, Copy)]
pub(crate) struct Ranked {
    rank: i64,
    id: i64,
    score: f32,
}
sql_struct!(Ranked { 0 rank: i64, 1 id: i64, 2 score: f32 });

/// `emm1_topk`.
pub(crate) struct TopK;

impl Scalar for TopK {
    const NAME: &'static CStr = c"emm1_topk";
    const PARAMETERS: &'static [SqlType] = &[SqlType::Varchar, QUERY, ID, SqlType::Varchar];
    type Output = Vec<Ranked>;

    fn call(settings: &Settings, input: &Input<'_>) -> Result<Answers<Vec<Ranked>>> {
        let ks = input.integers(2, "k")?;
        let metrics = input.texts(3);
        let mut budget = settings.budget(Self::NAME);
        search(settings, input, None, &ks, &metrics, &mut budget)
    }
}

/// `emm1_topk_among`.
pub(crate) struct TopKAmong;

impl Scalar for TopKAmong {
    const NAME: &'static CStr = c"emm1_topk_among";
    const PARAMETERS: &'static [SqlType] = &[SqlType::Varchar, QUERY, IDS, ID, SqlType::Varchar];
    type Output = Vec<Ranked>;

    fn call(settings: &Settings, input: &Input<'_>) -> Result<Answers<Vec<Ranked>>> {
        let among = input.any_lists(2, "the ids")?;
        let ks = input.integers(3, "k")?;
        let metrics = input.texts(4);
        let mut budget = settings.budget(Self::NAME);
        search(settings, input, Some(&among), &ks, &metrics, &mut budget)
    }
}

/// One search for all rows with the same file, k, metric and list of ids.
fn search(
    settings: &Settings,
    input: &Input<'_>,
    among: Option<&Lists<'_>>,
    ks: &[Option<i64>],
    metrics: &[Option<&str>],
    budget: &mut Budget<'_>,
) -> Result<Answers<Vec<Ranked>>> {
    let paths = input.texts(0);
    let queries = input.lists(1);
    let mut files = Files::new(settings);
    let mut found = Answers::nulls(input.rows());
    let key = |row: usize| {
        queries.ranges[row].as_ref()?;
        let ids = among.map_or(Some(None), |among| among.ranges[row].clone().map(Some))?;
        Some((paths[row]?, ks[row]?, metrics[row]?, ids))
    };
    for ((path, k, metric, ids), rows) in by_key((0..input.rows()).map(key)) {
        let file = files.get(path)?;
        let k = at_least_one(k, &file)?;
        let among = among.zip(ids).map(|(among, ids)| among.integers(ids, AN_ID)).transpose()?;
        let most = among.as_ref().map_or(k, |ids| k.min(ids.len()));
        let metric = metric.parse()?;
        let rows: Vec<(usize, Range<usize>)> =
            rows.into_iter().filter_map(|row| Some((row, queries.ranges[row].clone()?))).collect();
        settings.with_threads(|threads| {
            let search = Search { metric, among, exclude: Exclude::Nothing, threads };
            let find = |vectors: &[&[f32]]| {
                budget.take(vectors.len().saturating_mul(most), size_of::<Hit>() + size_of::<Ranked>())?;
                file.search(vectors, Goal::Best(k), &search, &mut || false)
            };
            ask(&queries, &rows, usize::MAX, find, |hits, rows| {
                found.give(ranked(&hits)?, rows);
                Ok(())
            })
        })?;
    }
    Ok(found)
}

fn ranked(hits: &[Hit]) -> Result<Vec<Ranked>> {
    let mut ranked = list_for(hits.len())?;
    ranked.extend((1..).zip(hits).map(|(rank, hit)| Ranked { rank, id: hit.id, score: hit.score }));
    Ok(ranked)
}
