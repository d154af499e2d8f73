//! Exact search of an embedding file: [`plan`] decides how to search, [`scan`] hands blocks of rows to threads, [`passes`]
//! searches them with few queries, [`prune`] with many, [`topk`] collects the hits, [`exclude`] says which rows are none, and
//! [`rank`] counts rows instead.

mod exclude;
mod finer;
mod passes;
mod plan;
mod prune;
mod rank;
mod scan;
mod sketched;
mod topk;

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use crate::bound::{CodedQuery, SketchedQuery};
use crate::codes::CodesFile;
use crate::error::{Error, Remark, Result};
use crate::file::EmbeddingFile;
use crate::kernel::kernels;
use crate::parallel::Stop;
use crate::score::Query;
pub use exclude::Exclude;
use finer::{Division, MAX_FINER_DIMS};
pub use plan::Search;
use plan::{BATCH, CodeSource, Rows, block_rows, pack_parts, panels};
pub use rank::Rank;
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
        let left_out = self.left_out(queries, search, stop)?;
        let empty = left_out.into_iter().map(|ids| Collector::new(goal, search.metric, ids));
        let hits = self.scan(queries, search, few, &empty.collect::<Vec<Collector>>(), stop)?;
        let hits: Vec<Vec<Hit>> = hits.into_iter().map(Collector::into_hits).collect();
        // Only hits are checked, so that the error does not depend on the rows examined on the way.
        match hits.iter().flatten().find(|hit| hit.score.is_infinite()) {
            Some(hit) => Err(self.beyond_float(hit.id, search.metric, "the query")),
            None => Ok(hits),
        }
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
            let finer = batch && C::COUNTS && self.matrix.dims() <= MAX_FINER_DIMS;
            queries.iter().map(|query| CodedQuery::new(source.encoder(), query, search.metric, most, finer)).collect()
        });
        let sketch = match &code_source {
            Some(CodeSource::File(encoder, coded)) if !batch && search.among.is_none() => {
                coded.sketch.map(|(axes, _)| (axes, encoder.mean()))
            }
            _ => None,
        };
        let sketched = queries.iter().zip(empty).map(|(query, collector)| {
            let (axes, mean) = sketch?;
            // Where the threshold is known from the start, every block tells whether its sketch is of use.
            let of_use = collector.wanted().is_none() || axes.suit(kernels, mean, query);
            of_use.then(|| SketchedQuery::new(kernels, axes, mean, query, search.metric)).flatten()
        });
        let sketched = sketched.collect();
        let width = self.matrix.dims().div_ceil(2);
        let panels = if batch { panels(width, &coded) } else { Vec::new() };
        let divided = panels.iter().filter(|_| C::COUNTS);
        let divisions = divided.map(|(begin, panel)| Division::new(*begin, panel, &coded, empty)).collect();
        let mut scan = Scan {
            file: self,
            kernels,
            metric: search.metric,
            queries: queries.iter().map(|query| Query::new(kernels, query, search.metric)).collect(),
            packed: coded.iter().map(|query| pack_parts(self.matrix.dims(), &query.fine.codes)).collect(),
            coded,
            sketched,
            deferred: Vec::new(),
            panels,
            divisions,
            thresholds: queries.iter().map(|_| Threshold::default()).collect(),
            empty: empty.to_vec(),
            collectors: Mutex::new(empty.to_vec()),
            block: block_rows(self.matrix.dims(), code_source.is_some(), queries.len()),
            code_source,
            rows,
            next: AtomicUsize::new(0),
        };
        scan.deferred = (0..queries.len()).map(|query| scan.probe(query)).collect::<Result<_>>()?;
        scan.run(search.threads, stop)?;
        Ok(scan.collectors.into_inner().expect("no thread panicked while it held the result"))
    }
}
