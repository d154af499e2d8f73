//! Exact search of an embedding file: [`plan`] and [`ways`] decide how to search, [`scan`] hands blocks of rows to threads,
//! [`passes`] searches them with few queries, [`prune`] with many, [`tiles`] with many and sketches, [`topk`] collects the
//! hits, [`exclude`] says which rows are none, and [`rank`] counts rows instead.

mod exclude;
mod finer;
mod passes;
mod plan;
mod prune;
mod rank;
mod scan;
mod sketched;
mod tiles;
#[cfg(all(test, unix))]
mod tiles_tests;
mod topk;
mod ways;

use crate::codes::CodesFile;
use crate::error::{Error, Remark, Result};
use crate::file::EmbeddingFile;
use crate::kernel::kernels;
use crate::parallel::Stop;
pub use exclude::Exclude;
pub use plan::Search;
use plan::{BATCH, CodeSource, Rows};
pub use rank::Rank;
use scan::Collect;
use tiles::Tiling;
use topk::Collector;
pub use topk::{Goal, Hit};
use ways::Way;

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
        let source = CodeSource::choose(self, &Rows::of(search, self), queries.len(), few, stop)?;
        if queries.len() < BATCH {
            return self.scan_by(Way::Few, source, queries, search, empty, stop);
        }
        if let Some(CodeSource::File(encoder, coded)) = &source
            && let Some(tiling) = Tiling::new(self, kernels()?, search, encoder, coded)
        {
            let chosen = tiling.choose(queries, empty, stop)?;
            return self.scan_in_ways(chosen, (encoder, coded), queries, search, empty, stop);
        }
        self.scan_by(Way::Panels, source, queries, search, empty, stop)
    }
}
