//! What SQL can call, one module for each function or small family.

mod centroid;
mod file;
mod ids;
mod knn;
mod rank;
mod registered;
mod scan;
mod score;
mod similarity;
mod topk;
mod vector;
mod within;

use std::ops::Range;

use emm1_core::{EmbeddingFile, Error, Result};

use crate::ffi::catalog::Catalog;
use crate::ffi::input::Lists;
use crate::ffi::types::SqlType;

/// Registers every function.
pub(crate) fn register(catalog: &Catalog) -> Result<()> {
    catalog.scalar::<topk::TopK>()?;
    catalog.scalar::<topk::TopKAmong>()?;
    catalog.scalar::<within::Within>()?;
    catalog.scalar::<score::Score>()?;
    catalog.scalar::<rank::Rank>()?;
    catalog.scalar::<similarity::Similarity>()?;
    catalog.scalar::<centroid::CentroidOf>()?;
    catalog.scalar::<vector::Vector>()?;
    catalog.scalar::<ids::Ids>()?;
    catalog.scalar::<file::File>()?;
    catalog.scalar::<registered::Registered>()?;
    catalog.aggregate::<centroid::Centroid>()?;
    catalog.table::<scan::Scan>()?;
    catalog.table::<knn::Knn>()
}

const FLOATS: SqlType = SqlType::List(&SqlType::Float);
/// DuckDB casts lists of FLOAT, arrays of both and lists of integers to it implicitly.
const QUERY: SqlType = SqlType::List(&SqlType::Double);
/// Whole numbers and lists of them may have any numeric type, which is checked when they are read.
const ID: SqlType = SqlType::Any;
const IDS: SqlType = SqlType::Any;

/// The name of an id in errors.
const AN_ID: &str = "an id";

/// Checks that k is at least 1, and limits it to the number of rows.
fn at_least_one(k: i64, file: &EmbeddingFile) -> Result<usize> {
    match usize::try_from(k) {
        Ok(k) if k >= 1 => Ok(k.min(file.matrix().rows().max(1))),
        _ => Err(Error::Request(format!("k must be at least 1, not {k}"))),
    }
}

/// Searches for each distinct query of some rows once, up to `most` together, and passes each answer on with its rows.
fn ask<T>(
    queries: &Lists<'_>,
    rows: &[(usize, Range<usize>)],
    most: usize,
    mut search: impl FnMut(&[&[f32]]) -> Result<Vec<T>>,
    mut give: impl FnMut(T, Vec<usize>) -> Result<()>,
) -> Result<()> {
    let groups = crate::batches::by_key(rows.iter().map(|(_, query)| Some(query.clone())));
    for groups in groups.chunks(most.max(1)) {
        let vectors = groups.iter().map(|(query, _)| queries.query(query.clone())).collect::<Result<Vec<_>>>()?;
        let answers = search(&vectors.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
        for ((_, places), answer) in groups.iter().zip(answers) {
            give(answer, places.iter().map(|&place| rows[place].0).collect())?;
        }
    }
    Ok(())
}
