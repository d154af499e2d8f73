//! Two passes over the rows, for few queries: first a bound of every row, then a closer look at those that can still be hits.
//!
//! ```text
//! first pass, block by block:  products with high nibbles, half of each row where that suffices → margins
//!                              the rows that are left wait; as soon as enough of them are promising, the best of these are
//!                              scored, which raises the threshold
//! second pass:                 margins again, with what is now nearly the final threshold; for the rows that are still left,
//!                              level by level, products with the next plane → tighter margins; the reference score of the rest
//! ```
//!
//! A row is promising if its estimate reaches the threshold. The estimates only decide the order in which rows are scored.

use std::collections::BinaryHeap;

use super::prune::{DENSE, Worker};
use super::scan::{Collect, ordered};
use super::sketched::{Left, Pause, Stored};
use crate::bound::Product;
use crate::codes::Coded;
use crate::error::Result;
use crate::kernel::{Factor, RUN, consecutive};
use crate::shape::{Level, Record, Survivor};

/// Sample of a block that decides how many planes are read for the other rows.
const SAMPLE: usize = 64;
/// Rows that may wait for the second pass, for each query and thread. With those that are promising and those that were
/// scored, of which there are no more, the lists take at most 20 bytes a row, 2.6 MB.
const WAITING: usize = 1 << 17;
/// Rows of the file that are this close to one another are read together with those between.
const NEAR: u32 = 16;

/// The rows that wait for the second pass of a query.
pub(super) struct Waiting {
    /// By the level of their products; in each, the places ascend.
    rows: [Vec<Survivor>; 4],
    /// Those that their sketch did not rule out; their places ascend too.
    pub(super) sketched: Vec<Left>,
    pub(super) stored: Stored,
    pub(super) pause: Pause,
    /// Estimate and place of the promising ones.
    promising: Vec<(i32, u32)>,
    /// With how many promising rows the best of them are scored.
    enough: usize,
    /// Those that were scored.
    pub(super) scored: Vec<u32>,
    /// Those that no level ruled out, with the products of whole bytes.
    last: Vec<Survivor>,
}

impl Waiting {
    pub(super) fn new(wanted: Option<usize>) -> Self {
        let enough = wanted.map_or(usize::MAX, few);
        Self {
            rows: Default::default(),
            sketched: Vec::new(),
            stored: Stored::default(),
            pause: Pause::default(),
            promising: Vec::new(),
            enough,
            scored: Vec::new(),
            last: Vec::new(),
        }
    }
}

impl<C: Collect + Sync> Worker<'_, C> {
    /// The first pass over the block, whose rows are their places in the codes, with each query.
    pub(super) fn first_pass(&mut self, coded: Coded<'_>) -> Result<()> {
        for query in 0..self.scan.queries.len() {
            let wanted = self.scan.empty[query].wanted();
            if self.sketch_block(coded, query)? {
                if self.stores_many(query) {
                    self.settle(query)?;
                }
                if wanted.is_none() || self.waiting[query].sketched.len() > WAITING {
                    self.second_pass(coded, query)?;
                }
                continue;
            }
            coded.check_records(&self.rows)?;
            let mut waiting = std::mem::take(&mut self.waiting[query].rows);
            let before = waiting.each_ref().map(Vec::len);
            let level = self.bound_block(coded, query, &mut waiting)?;
            // Where many planes were read, little is left to do for a row; and where the threshold is known, nothing is
            // gained by waiting.
            let done = level > Level::High || wanted.is_none() || waiting.iter().map(Vec::len).sum::<usize>() > WAITING;
            if let Some(k) = wanted
                && !done
            {
                for level in [Level::FirstHigh, Level::High] {
                    let new = &waiting[level as usize][before[level as usize]..];
                    self.find_promising(coded, query, level, new);
                }
                self.waiting[query].rows = waiting;
                self.score_promising(query, k)?;
            } else {
                self.waiting[query].rows = waiting;
                self.second_pass(coded, query)?;
            }
        }
        Ok(())
    }

    /// Adds the rows of the block that are not ruled out by their codes up to some level, which it gives.
    fn bound_block(&self, coded: Coded<'_>, query: usize, waiting: &mut [Vec<Survivor>; 4]) -> Result<Level> {
        let (level, sample) = self.first_level(coded, query, waiting)?;
        let (rows, waiting) = (&self.rows[sample..], &mut waiting[level as usize]);
        let levels = &Level::ALL[..=level as usize];
        // Consecutive rows, which is all rows unless the search names ids.
        let scanned = if consecutive(rows) { rows.len() / RUN * RUN } else { 0 };
        if scanned > 0 {
            let packed = &self.scan.packed[query];
            let factor = |&level: &Level| (coded.planes[level as usize], &packed[level.part()][..], level.weight());
            levels.iter().try_for_each(|&level| coded.check_plane(level, &rows[..scanned]))?;
            let factors: Vec<Factor<'_>> = levels.iter().map(factor).collect();
            let coded_query = &self.scan.coded[query];
            let margin = coded_query.margin(Product::Codes(&coded_query.fine, level), self.threshold(query));
            let places = rows[0] as usize..rows[0] as usize + scanned;
            (self.scan.kernels.dots_and_prune)(&factors, coded.records, places, level, &margin, waiting);
        }
        let mut rest = candidates(&rows[scanned..]);
        levels.iter().try_for_each(|&level| self.refine(coded, query, level, &mut rest))?;
        waiting.append(&mut rest);
        Ok(level)
    }

    /// The level up to which the planes are read for all rows of the block: the first that rules out enough rows of a sample,
    /// whose survivors are added. Gives the size of the sample too.
    fn first_level(&self, coded: Coded<'_>, query: usize, waiting: &mut [Vec<Survivor>; 4]) -> Result<(Level, usize)> {
        if self.threshold(query) == f32::NEG_INFINITY {
            return Ok((Level::High, 0)); // nothing can be ruled out yet
        }
        let size = self.rows.len().min(SAMPLE);
        let mut sample = candidates(&self.rows[..size]);
        let mut reached = Level::FirstHigh;
        for level in Level::ALL {
            reached = level;
            self.refine(coded, query, level, &mut sample)?;
            if sample.len() * DENSE <= size {
                break;
            }
        }
        waiting[reached as usize].append(&mut sample);
        Ok((reached, size))
    }

    /// Notes which of some rows are promising.
    fn find_promising(&mut self, coded: Coded<'_>, query: usize, level: Level, rows: &[Survivor]) {
        let coded_query = &self.scan.coded[query];
        let likely = coded_query.likely(level, self.threshold(query));
        self.likely.clear();
        self.likely.extend_from_slice(rows);
        (self.scan.kernels.prune)(coded.records, Level::High, &likely, &mut self.likely);
        self.waiting[query].promising.extend(self.likely.iter().map(|row| {
            let record = Record::from_bytes(&coded.records[row.place as usize]);
            (ordered(coded_query.estimate(&record, level, row.product)), row.place)
        }));
    }

    /// Scores the most promising rows, if there are enough, which raises the threshold.
    fn score_promising(&mut self, query: usize, k: usize) -> Result<()> {
        let Waiting { promising, enough, .. } = &mut self.waiting[query];
        if promising.len() < *enough {
            return Ok(());
        }
        let mut promising = BinaryHeap::from(std::mem::take(promising));
        let (mut failed, most) = (0, k / 2 + 8);
        while let Some((estimate, place)) = promising.pop()
            && failed < most
            && estimate >= ordered(self.threshold(query))
        {
            if let Some((_, next)) = promising.peek() {
                self.view.prefetch(*next as usize)?;
            }
            let threshold = self.threshold(query);
            let merit = self.score_row(query, place)?;
            failed += usize::from(merit < threshold);
            self.waiting[query].scored.push(place);
        }
        let waiting = &mut self.waiting[query];
        waiting.promising = promising.into_vec(); // keeps its memory
        waiting.promising.clear();
        // Estimates that mislead are asked less often.
        waiting.enough = if failed < most { few(k) } else { 2 * waiting.enough };
        Ok(())
    }

    /// The second pass over the rows that wait for a query.
    pub(super) fn second_pass(&mut self, coded: Coded<'_>, query: usize) -> Result<()> {
        self.settle(query)?;
        let Waiting { rows, scored, promising, sketched, .. } = &mut self.waiting[query];
        promising.clear();
        let (mut rows, mut scored) = (std::mem::take(rows), std::mem::take(scored));
        let sketched = std::mem::take(sketched);
        scored.sort_unstable();
        let mut survivors = self.left_by_sketches(query, &sketched);
        without(&scored, &mut survivors);
        let places: Vec<u32> = survivors.iter().map(|row| row.place).collect();
        coded.check_records(&places)?;
        for level in Level::ALL {
            if !survivors.is_empty() {
                self.refine(coded, query, level, &mut survivors)?;
            }
            let more = &mut rows[level as usize];
            if more.is_empty() {
                continue;
            }
            self.prune_at(coded, query, level, more);
            without(&scored, more);
            let sorted = survivors.is_empty();
            survivors.append(more);
            if !sorted {
                survivors.sort_unstable_by_key(|row| row.place);
            }
        }
        let waiting = &mut self.waiting[query];
        waiting.rows = rows; // keeps their memory
        if self.scan.tiled {
            waiting.last = survivors;
            return Ok(());
        }
        self.finish(coded, query, &survivors)
    }

    /// Asks the system to read the rows that are left to queries of tiles.
    pub(super) fn last_will_be_needed(&mut self) {
        let mut places: Vec<u32> = self.waiting.iter().flat_map(|waiting| &waiting.last).map(|row| row.place).collect();
        places.sort_unstable();
        places.dedup();
        for near in places.chunk_by(|a, b| b - a <= NEAR) {
            self.view.will_need(near[0] as usize..near[near.len() - 1] as usize + 1);
        }
    }

    /// Scores or counts the rows that are left to a query of a tile, the most promising first.
    pub(super) fn finish_last(&mut self, coded: Coded<'_>, query: usize) -> Result<()> {
        let last = std::mem::take(&mut self.waiting[query].last);
        self.finish(coded, query, &last)
    }
}

/// Removes those rows from a list that are in another; in both, the places ascend.
fn without(scored: &[u32], rows: &mut Vec<Survivor>) {
    let mut scored = scored.iter().peekable();
    rows.retain(|row| {
        while scored.next_if(|&&place| place < row.place).is_some() {}
        scored.peek() != Some(&&row.place)
    });
}

/// Rows of which nothing is known yet.
fn candidates(rows: &[u32]) -> Vec<Survivor> {
    rows.iter().map(|&place| Survivor { place, product: 0 }).collect()
}

/// With how many promising rows the best of them are scored: with more, fewer rows would be scored in all, but the
/// threshold would lag behind where the rows that come are better than those before.
fn few(k: usize) -> usize {
    (k / 8).max(1)
}
