//! What SQL can call, one module for each function or small family.

pub(crate) mod centroid;
pub(crate) mod file;
pub(crate) mod ids;
pub(crate) mod knn;
pub(crate) mod registered;
pub(crate) mod scan;
pub(crate) mod score;
pub(crate) mod similarity;
pub(crate) mod topk;
pub(crate) mod vector;
pub(crate) mod within;

use std::ops::Range;

use emm1_core::{EmbeddingFile, Error, Result};

use crate::ffi::input::Lists;
use crate::ffi::types::Kind;

const FLOATS: Kind = Kind::List(&Kind::Float);
/// Lists of FLOAT, arrays of both and lists of integers are cast to it without being asked.
const QUERY: Kind = Kind::List(&Kind::Double);
const INTEGERS: Kind = Kind::List(&Kind::BigInt);

/// k, at least 1 and at most what there is to find.
fn at_least_one(k: i64, file: &EmbeddingFile) -> Result<usize> {
    match usize::try_from(k) {
        Ok(k) if k >= 1 => Ok(k.min(file.matrix().rows().max(1))),
        _ => Err(Error::Request(format!("k must be at least 1, not {k}"))),
    }
}

/// The answers to the queries of some rows: each distinct query is asked once, all of them together.
fn ask<T: Clone>(
    queries: &Lists<'_>,
    rows: &[(usize, Range<usize>)],
    search: impl FnOnce(&[&[f32]]) -> Result<Vec<T>>,
) -> Result<Vec<(usize, T)>> {
    let groups = crate::batches::by_key(rows.iter().map(|(_, query)| Some(query.clone())));
    let vectors = groups.iter().map(|(query, _)| queries.query(query.clone())).collect::<Result<Vec<_>>>()?;
    let answers = search(&vectors.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
    let pairs = groups.into_iter().zip(answers);
    Ok(pairs
        .flat_map(|((_, places), answer)| places.into_iter().map(move |place| (rows[place].0, answer.clone())))
        .collect())
}
