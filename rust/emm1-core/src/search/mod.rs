//! Exact search of an embedding file: [`plan`] decides how to search, [`scan`] hands blocks of rows to threads, [`prune`]
//! searches a block, [`topk`] collects the hits, and [`rank`] counts rows instead.

mod plan;
mod prune;
mod rank;
mod scan;
mod topk;

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use crate::bound::CodedQuery;
use crate::codes::CodesFile;
use crate::error::{Error, Remark, Result, zeros};
use crate::file::EmbeddingFile;
use crate::kernel::kernels;
use crate::matrix::Access;
use crate::parallel::Stop;
use crate::score::Query;
pub use plan::Search;
use plan::{BATCH, CodeSource, Rows, block_rows, pack_parts, panels};
pub use rank::Rank;
use rank::Tally;
use scan::{Collect, Scan, Threshold};
use topk::Collector;
pub use topk::{Goal, Hit};

impl EmbeddingFile {
    /// The hits of each query, best first.
    ///
    /// # Errors
    /// `k` is 0; a query has the wrong dimensions; a query or a row holds NaN or an infinity; a hit's score is beyond
    /// f32; there is no memory for the hits; or `stop` returned true.
    pub fn search(&self, queries: &[&[f32]], goal: Goal, search: &Search, stop: Stop<'_>) -> Result<Vec<Vec<Hit>>> {
        match goal {
            Goal::Best(0) => return Err(Error::Request("k must be at least 1".into())),
            Goal::Within(threshold) if threshold.is_nan() => {
                return Err(Error::Request("the threshold is NaN: name a score".into()));
            }
            _ => {}
        }
        let few = match goal {
            Goal::Best(k) => Some(k),
            Goal::Within(_) => None,
        };
        let empty = (0..queries.len()).map(|query| Collector::new(goal, search.metric, search.excluded(query)));
        let hits = self.scan(queries, search, few, &empty.collect::<Vec<Collector>>(), stop)?;
        let hits: Vec<Vec<Hit>> = hits.into_iter().map(Collector::into_hits).collect();
        // Only hits are checked, so that the error does not depend on the rows examined on the way.
        match hits.iter().flatten().find(|hit| hit.score.is_infinite()) {
            Some(hit) => Err(self.beyond_float(hit.id, search.metric, "the query")),
            None => Ok(hits),
        }
    }

    /// For each id and its query: how many rows have a better score than the row of this id, and how many others the
    /// same.
    ///
    /// # Errors
    /// An id without a row; its score is beyond f32; a query has the wrong dimensions; a query or a row holds NaN or an
    /// infinity; or `stop` returned true.
    pub fn ranks(&self, ids: &[i64], queries: &[&[f32]], search: &Search, stop: Stop<'_>) -> Result<Vec<Rank>> {
        if ids.len() != queries.len() {
            let counts = format!("{} ids and {} queries", ids.len(), queries.len());
            return Err(Error::Request(format!("each id has its own query: there are {counts}")));
        }
        let mut hit = |id: i64, query: &[f32]| -> Result<Hit> {
            let scores = self.score(&[id], query, search.metric, stop)?;
            Ok(Hit { id, score: scores[0] })
        };
        let targets = ids.iter().zip(queries).map(|(&id, query)| Ok(Tally::new(search.metric, hit(id, query)?)));
        let empty: Vec<Tally> = targets.collect::<Result<_>>()?;
        let mut tallies = self.scan(queries, search, None, &empty, stop)?;
        // Rows are counted without a look at their ids, so the row that a query leaves out is taken away afterwards.
        let (rows, view, mut row) =
            (Rows::of(search, self), self.matrix.view(Access::Sparse)?, zeros(self.matrix.dims())?);
        for ((tally, query), &id) in tallies.iter_mut().zip(queries).zip(search.exclude.iter().flatten()) {
            let Some(number) = self.ids.row(id).filter(|&number| rows.contains(number)) else { continue };
            let score = Query::new(kernels()?, query, search.metric).score(view.row(number, &mut row)?);
            tally.leave_out(Hit { id, score: score.ok_or_else(|| self.not_finite(number))? });
        }
        Ok(tallies.into_iter().map(|tally| tally.rank).collect())
    }

    /// What `empty` collects about the rows of each query.
    fn scan<C: Collect + Sync>(
        &self,
        queries: &[&[f32]],
        search: &Search,
        few: Option<usize>,
        empty: &[C],
        stop: Stop<'_>,
    ) -> Result<Vec<C>> {
        let found = self.scan_once(queries, search, few, empty, stop);
        let Err(damaged @ Error::Codes(..)) = &found else { return found };
        // From here on these codes are not used.
        if self.codes.as_ref().is_some_and(CodesFile::should_report_damage) {
            self.remark(Remark::UnusedCodes(format!("{damaged}. Until then it is not used; no answer is wrong")));
        }
        self.scan_once(queries, search, few, empty, stop)
    }

    fn scan_once<C: Collect + Sync>(
        &self,
        queries: &[&[f32]],
        search: &Search,
        few: Option<usize>,
        empty: &[C],
        stop: Stop<'_>,
    ) -> Result<Vec<C>> {
        for query in queries {
            self.check_query(query)?;
        }
        let rows = Rows::of(search, self);
        let kernels = kernels()?;
        let code_source = CodeSource::choose(self, &rows, queries.len(), few, stop)?;
        let batch = queries.len() >= BATCH;
        let most = if batch { kernels.max_component } else { i8::MAX };
        let coded: Vec<CodedQuery> = code_source.as_ref().map_or(Vec::new(), |source| {
            queries.iter().map(|query| CodedQuery::new(source.encoder(), query, search.metric, most)).collect()
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
            empty: empty.to_vec(),
            collectors: Mutex::new(empty.to_vec()),
            block: block_rows(self.matrix.dims(), code_source.is_some(), queries.len()),
            code_source,
            rows,
            next: AtomicUsize::new(0),
        };
        scan.run(search.threads, stop)?;
        Ok(scan.collectors.into_inner().expect("no thread panicked while it held the result"))
    }
}
