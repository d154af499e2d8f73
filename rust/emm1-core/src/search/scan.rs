//! The scan: prune rows by their codes, score the survivors exactly. Threads take blocks of rows.
//!
//! ```text
//! for each block of rows, one query (`passes`):               or many queries, a panel of them at a time (`prune`):
//!     products with high nibbles, half of each row → margins      products with the whole bytes → margins
//!     reference score of the promising rows → a higher threshold
//! for the survivors of all blocks, or of this one:
//!     level by level: products with the next plane → tighter margins
//!     reference score of the last survivors → the hits, and a higher threshold
//! ```
//!
//! A single query reads at least a quarter of the codes and is limited by memory bandwidth; many queries are limited by
//! arithmetic, and each byte is multiplied once. Without codes, a single query scores every row (which is no slower
//! than reading codes), and a batch of queries codes each block on the fly. The answer is always the same: codes only
//! decide which rows need no exact score.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use super::finer::Division;
use super::plan::{CodeSource, Rows};
use super::prune::Worker;
use super::topk::Hit;
use crate::bound::{CodedQuery, SketchedQuery};
use crate::error::{Error, Result};
use crate::file::EmbeddingFile;
use crate::kernel::Kernels;
use crate::matrix::Access;
use crate::parallel::{Stop, share};
use crate::score::{Metric, Query};
use crate::shape::{Panel, SIDE, SketchQuery, SketchTile};

/// Products computed in about 0.1 ms: of f64, of nibbles read from memory, of panels.
const EXACT_WORK: usize = 1 << 20;
const CODED_WORK: usize = 1 << 22;
const PANEL_WORK: usize = 1 << 24;
/// Rows of the first block.
const FIRST: usize = 96;

/// The highest merit that, as any thread knows, is reached by as many rows as are wanted.
pub(crate) struct Threshold(AtomicI32);

impl Threshold {
    pub(super) fn new(merit: f32) -> Self {
        Self(AtomicI32::new(ordered(merit)))
    }

    pub(super) fn get(&self) -> f32 {
        f32::from_bits(ordered(f32::from_bits(self.0.load(Ordering::Relaxed) as u32)) as u32)
    }

    /// Writes only what is higher, so that other processors may keep their copies of the cache line.
    pub(super) fn raise(&self, merit: f32) {
        if merit > self.get() {
            self.0.fetch_max(ordered(merit), Ordering::Relaxed);
        }
    }
}

/// Maps floats to integers in the same order; on the bits, it is its own inverse.
pub(super) fn ordered(value: f32) -> i32 {
    let bits = value.to_bits() as i32;
    bits ^ (((bits >> 31) as u32) >> 1) as i32
}

/// Collects what is wanted about one query.
pub(crate) trait Collect: Clone + Send {
    /// Whether rows are counted: those that are better than the threshold for certain then need no score.
    const COUNTS: bool = false;

    /// The merit below which nothing about a row is wanted.
    fn threshold(&self) -> f32;

    /// The number of best rows that are wanted, if it is limited: their scores raise the threshold.
    fn wanted(&self) -> Option<usize> {
        None
    }

    /// Adds the score of a row.
    ///
    /// # Errors
    /// There is no memory for it.
    fn push(&mut self, hit: Hit) -> Result<()>;

    /// Where rows are counted: the merits that divide them, ascending; the threshold is the first.
    fn merits(&self) -> &[f32] {
        &[]
    }

    /// Counts rows that are better than so many of these merits, and worse than the others.
    fn count(&mut self, _worse: usize, _rows: u64) {}

    /// Adds what another thread collected.
    ///
    /// # Errors
    /// There is no memory for it.
    fn merge(&mut self, other: Self) -> Result<()>;
}

/// What all threads together have collected about a query of a batch, so that its memory does not depend on their number and
/// each knows the best of all. A thread waits for the lock only with a row that is wanted at that moment: of n rows in any
/// order these are about k · (1 + ln(n / k)).
pub(crate) struct Kept<C> {
    /// The merit that is needed.
    least: Threshold,
    collector: Mutex<C>,
}

impl<C: Collect> Kept<C> {
    pub(super) fn new(empty: &C) -> Self {
        Self { least: Threshold::new(empty.threshold()), collector: Mutex::new(empty.clone()) }
    }

    /// Adds the score of a row with this merit.
    pub(super) fn push(&self, hit: Hit, merit: f32) -> Result<f32> {
        if merit >= self.least.get() {
            let mut collector = self.collector.lock().expect("no thread panicked while it added a row");
            collector.push(hit)?;
            self.least.raise(collector.threshold());
        }
        Ok(self.least.get())
    }

    pub(super) fn into_inner(self) -> C {
        self.collector.into_inner().expect("no thread panicked while it added a row")
    }
}

/// The state that all threads of a search share; `C` collects what is wanted.
pub(crate) struct Scan<'a, C> {
    pub(crate) file: &'a EmbeddingFile,
    pub(crate) kernels: &'static Kernels,
    pub(crate) metric: Metric,
    pub(crate) queries: Vec<Query>,
    pub(crate) coded: Vec<CodedQuery>,
    /// The packed components of each query, part by part.
    pub(crate) packed: Vec<[Vec<i8>; 2]>,
    /// The queries for sketches, where they are of use.
    pub(crate) sketched: Vec<Option<SketchedQuery>>,
    /// Whether all queries are searched for with tiles.
    pub(crate) tiled: bool,
    /// Whether thresholds are found with the sketch.
    pub(crate) deferred: Vec<bool>,
    /// The panels of queries, each with the number of its first query; empty if there are few queries.
    pub(crate) panels: Vec<(usize, Panel)>,
    /// Where rows are counted: what divides them for the queries of each panel.
    pub(crate) divisions: Vec<Division>,
    pub(crate) thresholds: Vec<Threshold>,
    pub(crate) code_source: Option<CodeSource<'a>>,
    pub(crate) rows: Rows,
    pub(crate) block: usize,
    pub(crate) next: AtomicUsize,
    pub(crate) empty: Vec<C>,
    /// What the threads collect together; none where each collects for itself, beginning with `empty`, and adds that to
    /// `collectors` in the end.
    pub(crate) kept: Vec<Kept<C>>,
    pub(crate) collectors: Mutex<Vec<C>>,
}

impl<C: Collect + Sync> Scan<'_, C> {
    /// Scans all rows.
    pub(crate) fn run(&self, threads: usize, stop: Stop<'_>) -> Result<()> {
        let tiles = self.tiles();
        share(threads.min(self.worthwhile()), self.rows.len().div_ceil(self.block), stop, |stop| {
            self.work(&tiles, stop)
        })
    }

    /// The queries in tiles, if they are searched for with them.
    fn tiles(&self) -> Vec<SketchTile<'_>> {
        let queries: Vec<&SketchQuery> = self.sketched.iter().flatten().map(|query| &query.coded).collect();
        queries.chunks(SIDE).filter(|_| self.tiled).map(|queries| SketchTile::new(queries.to_vec())).collect()
    }

    /// The number of threads that is worthwhile: each has work for several times the cost of its start.
    fn worthwhile(&self) -> usize {
        let products = self.rows.len().saturating_mul(self.file.matrix.dims()).saturating_mul(self.queries.len());
        let rate = match (&self.code_source, self.panels.is_empty()) {
            (None, _) => EXACT_WORK,
            (_, true) if !self.tiled => CODED_WORK,
            _ => PANEL_WORK,
        };
        products / rate + 1
    }

    /// Takes blocks of rows until there are none left.
    fn work(&self, tiles: &[SketchTile<'_>], stop: Stop<'_>) -> Result<()> {
        // With codes, one query scores only a few rows.
        let few = matches!(self.code_source, Some(CodeSource::File(..))) && self.panels.is_empty();
        let view = self.file.matrix.view(if few { Access::Sparse } else { Access::Bulk })?;
        let mut worker = Worker::new(self, tiles, view)?;
        // The first blocks are small: until a threshold is known, nothing can be ruled out.
        let mut size = if self.tiled { self.block } else { FIRST.min(self.block) };
        loop {
            let begin = self.next.fetch_add(size, Ordering::Relaxed);
            if begin >= self.rows.len() {
                break;
            }
            if stop() {
                return Err(Error::Stopped);
            }
            self.rows.fill(begin, self.rows.len().min(begin + size), &mut worker.rows);
            size = self.block.min(4 * size);
            match &self.code_source {
                None => worker.score_all()?,
                Some(CodeSource::File(_, coded)) if self.tiled => worker.prune_by_sketch(**coded)?,
                Some(CodeSource::File(_, coded)) if few => worker.first_pass(**coded)?,
                Some(CodeSource::File(_, coded)) => {
                    worker.places.clone_from(&worker.rows);
                    worker.prune(**coded)?;
                }
                Some(CodeSource::OnTheFly(encoder)) => {
                    let (file, rows, view) = (self.file, &worker.rows, &worker.view);
                    let fill = |number: usize, row: &mut [f32]| file.finite_row(view, rows[number] as usize, row);
                    let block = encoder.block(rows.len(), fill)?;
                    worker.places.clear();
                    worker.places.extend(0..rows.len() as u32);
                    worker.prune(block.coded(encoder.parts()))?;
                }
            }
        }
        if let Some(CodeSource::File(_, coded)) = &self.code_source
            && few
        {
            worker.look_closer(**coded)?;
        }
        let mut all = self.collectors.lock().expect("no thread panicked while it held the result");
        all.iter_mut().zip(worker.collectors).try_for_each(|(all, mine)| all.merge(mine))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;
    use crate::rotation::mixed;
    use crate::search::topk::{Collector, Goal};

    /// More threads than processors add rows in different orders, of which many have equal scores.
    #[test]
    fn threads_that_collect_together_keep_the_best_of_all() {
        const THREADS: usize = 64;
        let metric = Metric::L2;
        let rows: Vec<Hit> = (0..5000).map(|id| Hit { id, score: (mixed(id as u64) % 300) as f32 }).collect();
        for k in [1, 7, 400, 6000] {
            let empty = Collector::new(Goal::Best(k), metric, Arc::from([17, 18]));
            let (mut alone, kept) = (empty.clone(), Kept::new(&empty));
            rows.iter().for_each(|&hit| alone.push(hit).unwrap());
            thread::scope(|scope| {
                for first in 0..THREADS {
                    let (rows, kept) = (&rows, &kept);
                    scope.spawn(move || {
                        let mut last = f32::NEG_INFINITY;
                        for &hit in rows.iter().skip(first).step_by(THREADS) {
                            let threshold = kept.push(hit, metric.merit(hit.score)).unwrap();
                            assert!(threshold >= last, "a threshold fell");
                            last = threshold;
                        }
                    });
                }
            });
            assert_eq!(kept.into_inner().into_hits(), alone.into_hits(), "k = {k}");
        }
    }
}
