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
use crate::codes::{Coded, Encoder, Record, sampled_mean};
use crate::error::{Error, Result};
use crate::file::EmbeddingFile;
use crate::kernel::{Dots, GROUP, Kernels, Sift, kernels, pack};
use crate::matrix::View;
use crate::parallel::Stop;
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
/// Bytes of a plane that are filtered at a time: what stays in the second cache while all queries go over it.
const CODED_BLOCK: usize = 1 << 17;
/// Queries from which it pays to code a file without codes on the fly.
const BATCH: usize = 12;
/// One in so many pairs of rows and queries must be left for it to pay to refine the whole block at once.
const DENSE: usize = 4;
/// Components beyond which a sum of products could overflow 32 bits.
const MOST_CODED: usize = 1 << 20;

impl EmbeddingFile {
    /// The hits of each query, best first.
    ///
    /// # Errors
    /// `k` is 0, a query has other dimensions or holds NaN or an infinity, or a row does; or `stop` said so.
    pub fn search(&self, queries: &[&[f32]], search: &Search, stop: Stop<'_>) -> Result<Vec<Vec<Hit>>> {
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
        let filter = self.filter(&rows, queries.len(), search)?;
        let encoder = filter.as_ref().map(Filter::encoder);
        let coded: Vec<CodedQuery> = encoder.map_or(Vec::new(), |encoder| {
            queries.iter().map(|query| CodedQuery::new(encoder, query, search.metric)).collect()
        });
        let width = self.matrix.dims().div_ceil(2);
        let scan = Scan {
            file: self,
            kernels,
            queries: queries.iter().map(|query| Query::new(kernels, query, search.metric)).collect(),
            packed: coded.iter().map(|query| pack(width, [&query.codes])).collect(),
            groups: coded
                .chunks(GROUP)
                .map(|group| pack::<GROUP>(width, std::array::from_fn(|g| &*group[g.min(group.len() - 1)].codes)))
                .collect(),
            coded,
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
        Ok(found.into_iter().map(Found::into_hits).collect())
    }

    /// Rows of the ids that the file has, ascending and without repeats.
    fn rows_of(&self, ids: &[i64]) -> Vec<u32> {
        let mut rows: Vec<u32> = ids.iter().filter_map(|&id| self.ids.row(id)).map(|row| row as u32).collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// What says which rows need not be scored, where that is cheaper than to score them.
    fn filter(&self, rows: &Rows, queries: usize, search: &Search) -> Result<Option<Filter<'_>>> {
        let few = match search.goal {
            Goal::Best(k) => rows.len() / 4 <= k,
            Goal::Within(_) => false,
        };
        if few || self.matrix.dims() > MOST_CODED {
            return Ok(None);
        }
        if let Some(codes) = &self.codes
            && codes.belongs_to(&self.matrix)?
        {
            return Ok(Some(Filter::File(codes.encoder(), codes.coded()?)));
        }
        if queries < BATCH {
            return Ok(None);
        }
        let mean = sampled_mean(&self.matrix.view()?, self.matrix.rows(), self.matrix.dims())?;
        Ok(Some(Filter::Made(Encoder::new(mean)?)))
    }

    /// Rows of a block.
    fn block(&self, coded: bool, queries: usize) -> usize {
        let dims = self.matrix.dims();
        match (coded, queries) {
            (false, _) => (PLAIN_BLOCK / dims / queries.max(1)).max(1),
            (true, 1) => (8 * CODED_BLOCK / dims).max(64),
            (true, _) => (2 * CODED_BLOCK / dims).max(64),
        }
    }
}

enum Rows {
    All(usize),
    Some(Vec<u32>),
}

impl Rows {
    fn len(&self) -> usize {
        match self {
            Self::All(rows) => *rows,
            Self::Some(rows) => rows.len(),
        }
    }

    /// Writes the rows from one position to another.
    fn fill(&self, begin: usize, end: usize, rows: &mut Vec<u32>) {
        rows.clear();
        match self {
            Self::All(_) => rows.extend(begin as u32..end as u32),
            Self::Some(all) => rows.extend(&all[begin..end]),
        }
    }
}

enum Filter<'a> {
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

/// The highest merit that any thread knows to be reached by as many rows as are wanted.
struct Threshold(AtomicI32);

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
struct Scan<'a> {
    file: &'a EmbeddingFile,
    kernels: &'static Kernels,
    queries: Vec<Query>,
    coded: Vec<CodedQuery>,
    /// The components of each query, and of each group of queries, as the kernels want them.
    packed: Vec<Vec<i8>>,
    groups: Vec<Vec<i8>>,
    thresholds: Vec<Threshold>,
    filter: Option<Filter<'a>>,
    search: &'a Search,
    rows: Rows,
    block: usize,
    next: AtomicUsize,
    found: Mutex<Vec<Found>>,
}

impl Scan<'_> {
    fn run(&self, threads: usize, stop: Stop<'_>) -> Result<()> {
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
