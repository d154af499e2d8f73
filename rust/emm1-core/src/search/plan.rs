//! The plan of a search: which rows, with which codes, in blocks of which size.

use super::exclude::Exclude;
use crate::bound::CodedQuery;
use crate::codes::{Coded, Encoder, MAX_CODED_DIMS, sampled_mean};
use crate::error::Result;
use crate::file::EmbeddingFile;
use crate::kernel::pack;
use crate::matrix::Access;
use crate::parallel::Stop;
use crate::score::Metric;
use crate::shape::{Panel, Parts, TILE};

/// How and where to search.
#[derive(Clone, Debug)]
pub struct Search {
    /// The score.
    pub metric: Metric,
    /// Search only these ids; unknown ids are ignored and repeated ones count once.
    pub among: Option<Vec<i64>>,
    /// Which rows a query leaves out.
    pub exclude: Exclude,
    /// The number of threads.
    pub threads: usize,
}

/// Components scored exactly between two calls of `stop`: a few milliseconds of work.
const EXACT_BLOCK: usize = 1 << 21;
/// Bytes of codes processed at a time: they stay in the L2 cache while all queries use them.
const CODED_BLOCK: usize = 1 << 17;
/// From this many queries on it pays to multiply rows by all of them at once.
pub(super) const BATCH: usize = 6;
/// From this many queries on it pays to code a file without codes on the fly.
const CODED_ON_THE_FLY: usize = 24;

/// The rows to search.
pub(super) enum Rows {
    All(usize),
    Some(Vec<u32>),
}

impl Rows {
    /// The rows of those ids of the search that the file has, ascending and distinct; without ids, all rows.
    pub(super) fn of(search: &Search, file: &EmbeddingFile) -> Self {
        let Some(ids) = &search.among else { return Self::All(file.matrix.rows()) };
        let mut rows: Vec<u32> = ids.iter().filter_map(|&id| file.ids.row(id)).map(|row| row as u32).collect();
        rows.sort_unstable();
        rows.dedup();
        Self::Some(rows)
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::All(rows) => *rows,
            Self::Some(rows) => rows.len(),
        }
    }

    pub(super) fn contains(&self, row: usize) -> bool {
        match self {
            Self::All(rows) => row < *rows,
            Self::Some(rows) => rows.binary_search(&(row as u32)).is_ok(),
        }
    }

    /// Writes the rows from one position to another.
    pub(super) fn fill(&self, begin: usize, end: usize, rows: &mut Vec<u32>) {
        rows.clear();
        match self {
            Self::All(_) => rows.extend(begin as u32..end as u32),
            Self::Some(all) => rows.extend(&all[begin..end]),
        }
    }
}

/// Where the codes come from.
pub(super) enum CodeSource<'a> {
    /// The codes of the whole file.
    File(&'a Encoder, Box<Coded<'a>>),
    /// Codes computed for each block.
    OnTheFly(Encoder),
}

impl<'a> CodeSource<'a> {
    /// Chooses the codes to search with; None if it is cheaper to score every row, as it is where most of them are among
    /// the `few` that are wanted.
    pub(super) fn choose(
        file: &'a EmbeddingFile,
        rows: &Rows,
        queries: usize,
        few: Option<usize>,
        stop: Stop<'_>,
    ) -> Result<Option<Self>> {
        let matrix = &file.matrix;
        if few.is_some_and(|k| rows.len() / 4 <= k) || matrix.dims() > MAX_CODED_DIMS {
            return Ok(None);
        }
        if let Some(codes) = &file.codes
            && codes.can_be_used(matrix, stop)?
        {
            return Ok(Some(Self::File(codes.encoder(), Box::new(codes.coded()?))));
        }
        if queries < CODED_ON_THE_FLY {
            return Ok(None);
        }
        let mean = sampled_mean(&matrix.view(Access::Bulk)?, matrix.rows(), matrix.dims())?;
        Ok(Some(Self::OnTheFly(Encoder::new(mean)?)))
    }

    pub(super) fn encoder(&self) -> &Encoder {
        match self {
            Self::File(encoder, _) => encoder,
            Self::OnTheFly(encoder) => encoder,
        }
    }
}

/// The number of rows in a block.
pub(super) fn block_rows(dims: usize, coded: bool, queries: usize) -> usize {
    match (coded, queries) {
        (false, _) => (EXACT_BLOCK / dims / queries.max(1)).max(1),
        (true, ..BATCH) => (8 * CODED_BLOCK / dims).next_multiple_of(64),
        (true, _) => (CODED_BLOCK / dims).next_multiple_of(TILE),
    }
}

/// The components of a query, packed for the kernels part by part.
pub(super) fn pack_parts(dims: usize, query: &[i8]) -> [Vec<i8>; 2] {
    let parts = Parts::of(dims);
    let (first, second) = query.split_at(parts.first);
    [pack(parts.widths[0], first), pack(parts.widths[1], second)]
}

/// Groups quantized queries into panels of up to 32, each with the number of its first query.
pub(super) fn panels(width: usize, coded: &[CodedQuery]) -> Vec<(usize, Panel)> {
    let mut panels = Vec::new();
    let mut begin = 0;
    while begin < coded.len() {
        let end = begin + Panel::share(coded.len() - begin);
        panels.push((begin, Panel::new(width, coded[begin..end].iter().map(|query| &*query.panel().codes))));
        begin = end;
    }
    panels
}
