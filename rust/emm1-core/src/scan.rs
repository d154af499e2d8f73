//! The search: filter by codes, verify by the reference score. Threads take blocks of rows.
//!
//! ```text
//! for each block of rows, for each group of queries:
//!     products with the high nibbles      → margins; most rows fall below the threshold
//!     products with the low nibbles       → tighter margins of those that are left
//!     reference score of what is left     → the hits, and a higher threshold
//! ```
//!
//! Where there are no codes, a single query scores every row (that is no slower than reading them), and a batch of
//! queries codes each block as it comes. The answer is the same each way: codes only say what need not be scored.

use std::cmp::Reverse;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::thread;

use crate::bound::{CodedQuery, Margin, Margins, survives};
use crate::codes::{Coded, Record};
use crate::error::{Error, Result};
use crate::file::EmbeddingFile;
use crate::kernel::{Dots, GROUP, Kernels, Sift};
use crate::matrix::View;
use crate::parallel::Stop;
use crate::score::Query;
use crate::search::{Filter, Rows, Search};
use crate::topk::{Found, Hit};

/// One in so many pairs of rows and queries must be left for it to pay to refine the whole block at once.
const DENSE: usize = 4;

/// The highest merit that any thread knows to be reached by as many rows as are wanted.
pub(crate) struct Threshold(AtomicI32);

impl Default for Threshold {
    fn default() -> Self {
        Self(AtomicI32::new(ordered(f32::NEG_INFINITY)))
    }
}

impl Threshold {
    fn get(&self) -> f32 {
        f32::from_bits(ordered(f32::from_bits(self.0.load(Ordering::Relaxed) as u32)) as u32)
    }

    fn raise(&self, merit: f32) {
        self.0.fetch_max(ordered(merit), Ordering::Relaxed);
    }
}

/// Integers in the order of the floats they stand for; its own inverse on the bits.
fn ordered(value: f32) -> i32 {
    let bits = value.to_bits() as i32;
    bits ^ (((bits >> 31) as u32) >> 1) as i32
}

/// One search: what all threads share.
pub(crate) struct Scan<'a> {
    pub(crate) file: &'a EmbeddingFile,
    pub(crate) kernels: &'static Kernels,
    pub(crate) queries: Vec<Query>,
    pub(crate) coded: Vec<CodedQuery>,
    /// The components of each query, and of each group of queries, as the kernels want them.
    pub(crate) packed: Vec<Vec<i8>>,
    pub(crate) groups: Vec<Vec<i8>>,
    pub(crate) thresholds: Vec<Threshold>,
    pub(crate) filter: Option<Filter<'a>>,
    pub(crate) search: &'a Search,
    pub(crate) rows: Rows,
    pub(crate) block: usize,
    pub(crate) next: AtomicUsize,
    pub(crate) found: Mutex<Vec<Found>>,
}

impl Scan<'_> {
    /// Goes over all rows.
    pub(crate) fn run(&self, threads: usize, stop: Stop<'_>) -> Result<()> {
        let blocks = self.rows.len().div_ceil(self.block);
        thread::scope(|scope| {
            let others: Vec<_> = (1..threads.min(blocks)).map(|_| scope.spawn(|| self.work(&mut || false))).collect();
            let mut result = self.work(stop);
            if result.is_err() {
                self.next.store(usize::MAX / 2, Ordering::Relaxed); // no more blocks for the others
            }
            for other in others {
                let theirs = other.join().expect("a scan does not panic");
                result = result.and(theirs);
            }
            result
        })
    }

    /// Takes blocks of rows until there are no more.
    fn work(&self, stop: Stop<'_>) -> Result<()> {
        let mut worker = Worker {
            scan: self,
            view: self.file.matrix.view()?,
            row: vec![0.0; self.file.matrix.dims()],
            found: self.queries.iter().map(|_| Found::new(self.search.goal, self.search.metric)).collect(),
            rows: Vec::with_capacity(self.block),
            places: Vec::with_capacity(self.block),
        };
        loop {
            let begin = self.next.fetch_add(self.block, Ordering::Relaxed);
            if begin >= self.rows.len() {
                break;
            }
            if stop() {
                return Err(Error::Stopped);
            }
            self.rows.fill(begin, self.rows.len().min(begin + self.block), &mut worker.rows);
            match &self.filter {
                None => worker.score_all()?,
                Some(Filter::File(_, coded)) => {
                    worker.places.clone_from(&worker.rows);
                    worker.filter(*coded)?;
                }
                Some(Filter::Made(encoder)) => {
                    let (file, rows, view) = (self.file, &worker.rows, &worker.view);
                    let fill = |number: usize, row: &mut [f32]| file.finite_row(view, rows[number] as usize, row);
                    let block = encoder.block(rows.len(), fill)?;
                    worker.places.clear();
                    worker.places.extend(0..rows.len() as u32);
                    worker.filter(block.coded(encoder.width()))?;
                }
            }
        }
        let mut all = self.found.lock().expect("no thread panicked while it held the result");
        all.iter_mut().zip(worker.found).for_each(|(all, mine)| all.merge(mine));
        Ok(())
    }
}

/// A row that the margins could not leave out.
#[derive(Clone, Copy)]
struct Candidate {
    /// Its position in the block.
    at: u32,
    high: i32,
    low: i32,
}

/// One thread's part of a search.
struct Worker<'a> {
    scan: &'a Scan<'a>,
    view: View<'a>,
    row: Vec<f32>,
    found: Vec<Found>,
    /// The rows of the block, and where each stands in the codes.
    rows: Vec<u32>,
    places: Vec<u32>,
}

impl Worker<'_> {
    /// Scores every row of the block against every query.
    fn score_all(&mut self) -> Result<()> {
        for &number in &self.rows {
            let row = self.view.row(number as usize, &mut self.row)?;
            let Some(first) = self.scan.queries.first() else { return Ok(()) };
            let norm = first.norm_of(row);
            let id = self.scan.file.ids.id(number as usize);
            for (query, found) in self.scan.queries.iter().zip(&mut self.found) {
                let score = query.score_with(row, norm);
                let score = score.ok_or_else(|| self.scan.file.not_finite(number as usize))?;
                found.push(Hit { id, score });
            }
        }
        Ok(())
    }

    /// Goes over the block with all queries, in groups.
    fn filter(&mut self, coded: Coded<'_>) -> Result<()> {
        let (scan, count) = (self.scan, self.scan.queries.len());
        if count == 1 {
            return self.filter_group(coded, 0, &scan.packed[0], scan.kernels.dots, scan.kernels.sift);
        }
        for (group, packed) in scan.groups.iter().enumerate() {
            self.filter_group(coded, group * GROUP, packed, scan.kernels.dots_group, scan.kernels.sift_group)?;
        }
        Ok(())
    }

    /// Goes over the block with the `G` queries from `begin`. A group that is not full repeats the last query.
    fn filter_group<const G: usize>(
        &mut self,
        coded: Coded<'_>,
        begin: usize,
        packed: &[i8],
        dots: Dots<G>,
        sift: Sift<G>,
    ) -> Result<()> {
        let count = G.min(self.scan.queries.len() - begin);
        let margins: [Margin; G] = std::array::from_fn(|g| self.margin(begin + g.min(count - 1)));
        let margins = Margins::from(margins);
        let mut high = vec![[0; G]; self.places.len()];
        dots(coded.high, &self.places, packed, &mut high);
        let mut left = Vec::new();
        sift(coded.records, &self.places, &high, None, &margins, &mut left);
        if left.is_empty() {
            return Ok(());
        }
        let pairs: usize = left.iter().map(|(_, bits)| bits.count_ones() as usize).sum();
        let mut candidates: [Vec<Candidate>; G] = std::array::from_fn(|_| Vec::new());
        if G > 1 && pairs * DENSE > self.places.len() * G {
            let mut low = vec![[0; G]; self.places.len()];
            dots(coded.low, &self.places, packed, &mut low);
            left.clear();
            sift(coded.records, &self.places, &high, Some(&low), &margins, &mut left);
            for (at, bits) in left {
                let (high, low) = (high[at as usize], low[at as usize]);
                for g in (0..count).filter(|g| bits >> g & 1 == 1) {
                    candidates[g].push(Candidate { at, high: high[g], low: low[g] });
                }
            }
        } else {
            for (at, bits) in left {
                for g in (0..count).filter(|g| bits >> g & 1 == 1) {
                    candidates[g].push(Candidate { at, high: high[at as usize][g], low: 0 });
                }
            }
            for (g, candidates) in candidates.iter_mut().enumerate().filter(|(_, candidates)| !candidates.is_empty()) {
                self.refine(coded, begin + g, candidates);
            }
        }
        for (g, candidates) in candidates.into_iter().enumerate().filter(|(_, candidates)| !candidates.is_empty()) {
            self.verify(coded, begin + g, candidates)?;
        }
        Ok(())
    }

    /// Products with the low nibbles for the candidates of one query.
    fn refine(&self, coded: Coded<'_>, query: usize, candidates: &mut [Candidate]) {
        let places: Vec<u32> = candidates.iter().map(|candidate| self.places[candidate.at as usize]).collect();
        let mut low = vec![[0]; places.len()];
        (self.scan.kernels.dots)(coded.low, &places, &self.scan.packed[query], &mut low);
        candidates.iter_mut().zip(low).for_each(|(candidate, [low])| candidate.low = low);
    }

    /// The margin of a query against the best threshold known.
    fn margin(&self, query: usize) -> Margin {
        let threshold = self.found[query].threshold().max(self.scan.thresholds[query].get());
        self.scan.coded[query].margin(threshold)
    }

    /// Scores the candidates that the tighter margin does not leave out, the most promising first.
    fn verify(&mut self, coded: Coded<'_>, query: usize, mut candidates: Vec<Candidate>) -> Result<()> {
        let record = |at: u32| Record::from_bytes(&coded.records[self.places[at as usize] as usize]);
        let left_out = |margin: &Margins<1>, candidate: &Candidate| {
            !survives(margin.fine(&record(candidate.at), &[candidate.high], &[candidate.low])[0])
        };
        let mut margin = Margins::from([self.margin(query)]);
        candidates.retain(|candidate| !left_out(&margin, candidate));
        let coded_query = &self.scan.coded[query];
        candidates.sort_by_cached_key(|candidate| {
            Reverse(ordered(coded_query.estimate(&record(candidate.at), candidate.high, candidate.low)))
        });
        let mut threshold = f32::NEG_INFINITY;
        for candidate in candidates {
            if left_out(&margin, &candidate) {
                continue;
            }
            let number = self.rows[candidate.at as usize] as usize;
            let score = self.scan.queries[query].score(self.view.row(number, &mut self.row)?);
            let score = score.ok_or_else(|| self.scan.file.not_finite(number))?;
            self.found[query].push(Hit { id: self.scan.file.ids.id(number), score });
            let reached = self.found[query].threshold();
            if reached > threshold {
                threshold = reached;
                self.scan.thresholds[query].raise(reached);
                margin = Margins::from([coded_query.margin(reached.max(self.scan.thresholds[query].get()))]);
            }
        }
        Ok(())
    }
}
