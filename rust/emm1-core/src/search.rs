//! What to look for, and how: which rows, whether codes say what need not be scored, in blocks of which size.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use crate::bound::CodedQuery;
use crate::codes::{Coded, CodesFile, Encoder, MOST_CODED, Parts, sampled_mean};
use crate::error::{Error, Result};
use crate::file::EmbeddingFile;
use crate::kernel::{Panel, TILE, kernels, pack};
use crate::matrix::Reading;
use crate::parallel::Stop;
use crate::scan::{Scan, Threshold};
use crate::score::{Metric, Query};
use crate::topk::{Found, Goal, Hit};

/// What to look for.
#[derive(Clone, Debug)]
pub struct Search {
    /// What to keep.
    pub goal: Goal,
    /// By which score.
    pub metric: Metric,
    /// Among these ids only; unknown ones are ignored and repeated ones count once.
    pub among: Option<Vec<i64>>,
    /// Threads to use.
    pub threads: usize,
}

/// Components scored exactly before anyone is asked whether to stop: some milliseconds of work.
const PLAIN_BLOCK: usize = 1 << 21;
/// Bytes of codes that are filtered at a time: what stays in the second cache while all queries go over it.
const CODED_BLOCK: usize = 1 << 17;
/// Queries from which it pays to multiply rows with all of them at once.
const BATCH: usize = 6;
/// Queries from which it pays to code a file without codes on the fly.
const CODED_ON_THE_FLY: usize = 24;

impl EmbeddingFile {
    /// The hits of each query, best first.
    ///
    /// # Errors
    /// `k` is 0, a query has other dimensions or holds NaN or an infinity, or a row does; a hit's score is beyond f32;
    /// there is no memory for the hits; or `stop` said so.
    pub fn search(&self, queries: &[&[f32]], search: &Search, stop: Stop<'_>) -> Result<Vec<Vec<Hit>>> {
        let found = self.search_once(queries, search, stop);
        let Err(Error::File(path, what)) = &found else { return found };
        let Some(codes) = self.damaged_codes(path) else { return found };
        // From here on it goes without these codes.
        if codes.is_to_be_said() {
            self.remark(format!("{}: {what}. Until then it is not used; no answer is wrong", path.display()));
        }
        self.search_once(queries, search, stop)
    }

    /// The codes in use, if this is their file and they are damaged.
    fn damaged_codes(&self, path: &Path) -> Option<&CodesFile> {
        self.codes.as_ref().filter(|codes| codes.path() == path && codes.found_damage())
    }

    fn search_once(&self, queries: &[&[f32]], search: &Search, stop: Stop<'_>) -> Result<Vec<Vec<Hit>>> {
        match search.goal {
            Goal::Best(0) => return Err(Error::Request("k must be at least 1".into())),
            Goal::Within(threshold) if threshold.is_nan() => {
                return Err(Error::Request("the threshold is NaN: name a score".into()));
            }
            _ => {}
        }
        for query in queries {
            self.check_query(query)?;
        }
        let rows = match &search.among {
            Some(ids) => Rows::Some(self.rows_of(ids)),
            None => Rows::All(self.matrix.rows()),
        };
        let kernels = kernels()?;
        let filter = self.filter(&rows, queries.len(), search, stop)?;
        let batch = queries.len() >= BATCH;
        let most = if batch { kernels.most } else { i8::MAX };
        let coded: Vec<CodedQuery> = filter.as_ref().map_or(Vec::new(), |filter| {
            queries.iter().map(|query| CodedQuery::new(filter.encoder(), query, search.metric, most)).collect()
        });
        let width = self.matrix.dims().div_ceil(2);
        let panels = if batch { panels(width, &coded) } else { Vec::new() };
        let scan = Scan {
            file: self,
            kernels,
            queries: queries.iter().map(|query| Query::new(kernels, query, search.metric)).collect(),
            packed: coded.iter().map(|query| pack_parts(self.matrix.dims(), &query.fine.codes)).collect(),
            coded,
            panels,
            thresholds: queries.iter().map(|_| Threshold::default()).collect(),
            found: Mutex::new(queries.iter().map(|_| Found::new(search.goal, search.metric)).collect()),
            block: self.block(filter.is_some(), queries.len()),
            filter,
            search,
            rows,
            next: AtomicUsize::new(0),
        };
        scan.run(search.threads, stop)?;
        let found = scan.found.into_inner().expect("no thread panicked while it held the result");
        let found: Vec<Vec<Hit>> = found.into_iter().map(Found::into_hits).collect();
        // Only of hits, so that it does not depend on the rows that were looked at on the way.
        match found.iter().flatten().find(|hit| hit.score.is_infinite()) {
            Some(hit) => Err(self.beyond_float(hit.id, search.metric, "the query")),
            None => Ok(found),
        }
    }

    /// Rows of the ids that the file has, ascending and without repeats.
    fn rows_of(&self, ids: &[i64]) -> Vec<u32> {
        let mut rows: Vec<u32> = ids.iter().filter_map(|&id| self.ids.row(id)).map(|row| row as u32).collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// What says which rows need not be scored, where that is cheaper than to score them.
    fn filter(&self, rows: &Rows, queries: usize, search: &Search, stop: Stop<'_>) -> Result<Option<Filter<'_>>> {
        let few = match search.goal {
            Goal::Best(k) => rows.len() / 4 <= k,
            Goal::Within(_) => false,
        };
        if few || self.matrix.dims() > MOST_CODED {
            return Ok(None);
        }
        if let Some(codes) = &self.codes
            && codes.can_be_used(&self.matrix, stop)?
        {
            return Ok(Some(Filter::File(codes.encoder(), codes.coded()?)));
        }
        if queries < CODED_ON_THE_FLY {
            return Ok(None);
        }
        let mean = sampled_mean(&self.matrix.view(Reading::Much)?, self.matrix.rows(), self.matrix.dims())?;
        Ok(Some(Filter::Made(Encoder::new(mean)?)))
    }

    /// Rows of a block.
    fn block(&self, coded: bool, queries: usize) -> usize {
        let dims = self.matrix.dims();
        match (coded, queries) {
            (false, _) => (PLAIN_BLOCK / dims / queries.max(1)).max(1),
            (true, ..BATCH) => (8 * CODED_BLOCK / dims).max(64),
            (true, _) => (CODED_BLOCK / dims).next_multiple_of(TILE),
        }
    }
}

/// The components of a query as kernels want them, part by part.
fn pack_parts(dims: usize, query: &[i8]) -> [Vec<i8>; 2] {
    let parts = Parts::of(dims);
    let (first, second) = query.split_at(parts.first);
    [pack(parts.widths[0], first), pack(parts.widths[1], second)]
}

/// Puts coded queries side by side: panels of up to 32, and the number of the first query of each.
fn panels(width: usize, coded: &[CodedQuery]) -> Vec<(usize, Panel)> {
    let mut panels = Vec::new();
    let mut begin = 0;
    while begin < coded.len() {
        let end = begin + Panel::share(coded.len() - begin);
        panels.push((begin, Panel::new(width, coded[begin..end].iter().map(|query| &*query.panel().codes))));
        begin = end;
    }
    panels
}

/// The rows to look at.
pub(crate) enum Rows {
    All(usize),
    Some(Vec<u32>),
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::All(rows) => *rows,
            Self::Some(rows) => rows.len(),
        }
    }

    /// Writes the rows from one position to another.
    pub(crate) fn fill(&self, begin: usize, end: usize, rows: &mut Vec<u32>) {
        rows.clear();
        match self {
            Self::All(_) => rows.extend(begin as u32..end as u32),
            Self::Some(all) => rows.extend(&all[begin..end]),
        }
    }
}

/// Where the codes come from.
pub(crate) enum Filter<'a> {
    /// Codes of the whole file.
    File(&'a Encoder, Coded<'a>),
    /// Codes made of each block.
    Made(Encoder),
}

impl Filter<'_> {
    fn encoder(&self) -> &Encoder {
        match self {
            Self::File(encoder, _) => encoder,
            Self::Made(encoder) => encoder,
        }
    }
}
