//! `emm1_topk(file, query, k, metric)` and `emm1_topk_among(file, query, ids, k, metric)`: the k best vectors.

use std::ffi::CStr;
use std::ops::Range;

use emm1_core::{Goal, Hit, Result, Search};

use super::{INTEGERS, QUERY, ask, at_least_one};
use crate::batches::by_key;
use crate::ffi::input::{Input, Lists};
use crate::ffi::output::record;
use crate::ffi::scalar::Scalar;
use crate::ffi::types::Kind;
use crate::files::Files;
use crate::settings::Settings;

/// A hit and its place, from 1.
#[derive(Clone, Copy)]
pub(crate) struct Ranked {
    rank: i64,
    id: i64,
    score: f32,
}
record!(Ranked { 0 rank: i64, 1 id: i64, 2 score: f32 });

type Found = Vec<Option<Vec<Ranked>>>;

/// `emm1_topk`.
pub(crate) struct TopK;

impl Scalar for TopK {
    const NAME: &'static CStr = c"emm1_topk";
    const PARAMETERS: &'static [Kind] = &[Kind::Varchar, QUERY, Kind::BigInt, Kind::Varchar];
    type Output = Vec<Ranked>;

    fn call(settings: &Settings, input: &Input<'_>) -> Result<Found> {
        let ks = input.integers(2);
        let metrics = input.texts(3);
        search(settings, input, None, &ks, &metrics)
    }
}

/// `emm1_topk_among`.
pub(crate) struct TopKAmong;

impl Scalar for TopKAmong {
    const NAME: &'static CStr = c"emm1_topk_among";
    const PARAMETERS: &'static [Kind] = &[Kind::Varchar, QUERY, INTEGERS, Kind::BigInt, Kind::Varchar];
    type Output = Vec<Ranked>;

    fn call(settings: &Settings, input: &Input<'_>) -> Result<Found> {
        let among = input.lists(2);
        let ks = input.integers(3);
        let metrics = input.texts(4);
        search(settings, input, Some(&among), &ks, &metrics)
    }
}

/// One search for all rows of the same file, k, metric and list of ids.
fn search(
    settings: &Settings,
    input: &Input<'_>,
    among: Option<&Lists<'_>>,
    ks: &[Option<i64>],
    metrics: &[Option<&str>],
) -> Result<Found> {
    let paths = input.texts(0);
    let queries = input.lists(1);
    let mut files = Files::new(settings);
    let mut found: Found = vec![None; input.rows()];
    let key = |row: usize| {
        queries.entries[row].as_ref()?;
        let ids = among.map_or(Some(None), |among| among.entries[row].clone().map(Some))?;
        Some((paths[row]?, ks[row]?, metrics[row]?, ids))
    };
    for ((path, k, metric, ids), rows) in by_key((0..input.rows()).map(key)) {
        let file = files.get(path)?;
        let k = at_least_one(k, &file)?;
        let among = among.zip(ids).map(|(among, ids)| among.integers(ids));
        let metric = metric.parse()?;
        let rows: Vec<(usize, Range<usize>)> =
            rows.into_iter().filter_map(|row| Some((row, queries.entries[row].clone()?))).collect();
        let answers = settings.with_threads(|threads| {
            let search = Search { goal: Goal::Best(k), metric, among, threads };
            ask(&queries, &rows, |vectors| file.search(vectors, &search, &mut || false))
        })?;
        for (row, hits) in answers {
            found[row] = Some(ranked(&hits));
        }
    }
    Ok(found)
}

fn ranked(hits: &[Hit]) -> Vec<Ranked> {
    (1..).zip(hits).map(|(rank, hit)| Ranked { rank, id: hit.id, score: hit.score }).collect()
}
