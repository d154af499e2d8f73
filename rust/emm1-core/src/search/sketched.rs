//! The first pass over sketches, where there are some and they rule out most rows.
//!
//! A few pieces of the file tell whether that is so for a query ([`probe`](Scan::probe)). If it is, the bounds of all rows are
//! stored, the rows with the best estimates are scored, and only then are the bounds compared with what is now nearly the
//! final threshold ([`settle`](Worker::settle)). The rows that are left take the levels of the planes in the second pass.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::{Range, RangeInclusive};

use super::plan::CodeSource;
use super::prune::Worker;
use super::scan::{Collect, Scan, ordered};
use crate::bound::SketchedQuery;
use crate::codes::Coded;
use crate::error::{Result, zeros};
use crate::kernel::{Kernels, consecutive, prefetch};
use crate::matrix::Access;
use crate::shape::{Finish, GROUP, Sketched, Survivor, VECTOR, reaches};

/// Sample of a block that decides whether its sketch is used: if it leaves more than one row in `FEW`, planes are faster.
const SAMPLE: usize = 128;
const FEW: usize = 32;
/// Blocks that at most pass after one whose sketch was of no use until another is tried.
const LONGEST_PAUSE: u32 = 255;

/// How long a query does without sketches.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pause {
    blocks: u32,
    last: u32,
}

impl Pause {
    /// Whether the next block is one of the pause.
    fn goes_on(&mut self) -> bool {
        let goes_on = self.blocks > 0;
        self.blocks -= u32::from(goes_on);
        goes_on
    }

    /// Begins a pause, longer than the last.
    fn begin(&mut self) {
        self.last = (2 * self.last + 1).min(LONGEST_PAUSE);
        self.blocks = self.last;
    }
}

/// A row that its sketch cannot rule out, with its bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    pub(super) place: u32,
    pub(super) bound: f32,
}

/// Bounds that wait for a threshold, of all rows of some blocks.
#[derive(Debug, Default)]
pub(super) struct Stored {
    bounds: Vec<f32>,
    /// The first row of each block, and where its bounds begin.
    blocks: Vec<(u32, usize)>,
    best: Best,
}

/// The rows with the best estimates, the worst first.
#[derive(Debug, Default)]
pub(super) struct Best(BinaryHeap<Reverse<(i32, u32)>>);

impl Best {
    /// Adds rows with these estimates, of which the first is `first`, and keeps the best `most` of all; `list` is memory to
    /// reuse.
    pub(super) fn add(&mut self, kernels: &Kernels, estimates: &[f32], first: u32, most: usize, list: &mut Vec<u32>) {
        let floor = |rows: &BinaryHeap<Reverse<(i32, u32)>>| match rows.peek() {
            Some(Reverse((worst, _))) if rows.len() >= most => *worst,
            _ => i32::MIN,
        };
        let worst = floor(&self.0);
        let needed = if worst == i32::MIN {
            f32::NEG_INFINITY
        } else {
            f32::from_bits(ordered(f32::from_bits(worst as u32)) as u32)
        };
        list.clear();
        (kernels.reaching)(estimates, needed, list);
        for &at in list.iter() {
            let estimate = ordered(estimates[at as usize]);
            if estimate > floor(&self.0) {
                self.0.push(Reverse((estimate, first + at)));
                if self.0.len() > most {
                    self.0.pop();
                }
            }
        }
    }

    /// Their places, the best first.
    pub(super) fn places(self) -> Vec<u32> {
        self.0.into_sorted_vec().into_iter().map(|Reverse((_, place))| place).collect()
    }
}

/// Bounds that are stored at a time, for each query and thread: 4 MB.
const STORED: usize = 1 << 20;

/// A query is probed on pieces of so many rows.
const PIECE: usize = 64;
const PIECES: RangeInclusive<usize> = 16..=512;
/// What reading their sketches may cost, in scans of the planes.
const BUDGET: f64 = 0.005;

/// Bounds and estimates of a block, kept to reuse their memory.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    pub(super) upper: Vec<f32>,
    pub(super) estimates: Vec<f32>,
    /// Positions of rows.
    pub(super) left: Vec<u32>,
}

impl<C: Collect + Sync> Scan<'_, C> {
    /// Whether the sketch leaves few rows for a query, judged by pieces of the file and their best rows: then thresholds
    /// are best found with it, too.
    pub(super) fn probe(&self, query: usize) -> Result<bool> {
        let (Some(CodeSource::File(_, coded)), Some(sketched)) = (&self.code_source, &self.sketched[query]) else {
            return Ok(false);
        };
        let (Some((axes, sketch)), Some(k)) = (coded.sketch, self.empty[query].wanted()) else { return Ok(false) };
        let rows = self.rows.len();
        let wanted = rows as f64 * BUDGET * axes.cost_of_planes() / axes.cost(sketched.finish) / PIECE as f64;
        let pieces = (wanted as usize).clamp(*PIECES.start(), *PIECES.end());
        if rows < pieces * PIECE * 4 {
            return Ok(false);
        }
        // As many rows of the pieces as are wanted of all.
        let expected = (k * pieces * PIECE) as f64 / rows as f64;
        let (rank, affordable) = (expected.ceil() as usize, axes.affordable(sketched.finish) * (pieces * PIECE) as f64);
        if rank as f64 > affordable {
            return Ok(false); // all of them are left
        }
        let (mut bounds, mut best, mut list) = (Bounds::default(), Best::default(), Vec::new());
        bounds.resize(pieces * PIECE);
        let first = |piece: usize| piece * (rows / pieces) / PIECE * PIECE;
        for piece in 0..pieces {
            // Pieces are too short for the hardware prefetcher.
            let next = first((piece + 1).min(pieces - 1)) / GROUP * sketch.zones.group();
            sketch.groups[next..next + PIECE * sketch.zones.width()].chunks(VECTOR).for_each(prefetch);
            let (begin, range) = (first(piece), piece * PIECE..(piece + 1) * PIECE);
            let places: [u32; PIECE] = std::array::from_fn(|at| (begin + at) as u32);
            coded.check_sketch(&places)?;
            if sketched.finish != Finish::Product {
                coded.check_records(&places)?;
            }
            bound(self.kernels, sketched, coded, sketch, begin, range.clone(), &mut bounds);
            best.add(self.kernels, &bounds.estimates[range], begin as u32, 2 * rank + 16, &mut list);
        }
        let view = self.file.matrix.view(Access::Sparse)?;
        let mut row = zeros(self.file.matrix.dims())?;
        let places = best.places();
        let mut merits = Vec::with_capacity(places.len());
        for (at, &place) in places.iter().enumerate() {
            if let Some(&next) = places.get(at + 1) {
                view.prefetch(next as usize)?;
            }
            let score = self.queries[query].score(view.row(place as usize, &mut row)?);
            merits.push(self.metric.merit(score.ok_or_else(|| self.file.not_finite(place as usize))?));
        }
        merits.sort_by(|a, b| b.total_cmp(a));
        let Some(&threshold) = merits.get(rank - 1) else { return Ok(false) };
        let needed = sketched.needed(threshold);
        let left = bounds.upper.iter().filter(|&&upper| reaches(upper, needed)).count();
        // Where less than one of them is expected, the threshold is too low, and about as many times too many rows are left.
        Ok(left as f64 <= affordable * (rank as f64 / expected))
    }
}

impl Bounds {
    pub(super) fn resize(&mut self, rows: usize) {
        self.upper.resize(rows, 0.0);
        self.estimates.resize(rows, 0.0);
    }
}

/// Bounds rows from `first` on, which begins a group, into a range of the bounds.
fn bound(
    kernels: &Kernels,
    sketched: &SketchedQuery,
    coded: &Coded<'_>,
    sketch: Sketched<'_>,
    first: usize,
    range: Range<usize>,
    bounds: &mut Bounds,
) {
    let size = sketch.zones.group();
    let groups = first / GROUP * size..(first + range.len()).div_ceil(GROUP) * size;
    let part = Sketched { zones: sketch.zones, groups: &sketch.groups[groups] };
    let (upper, estimates) = (&mut bounds.upper[range.start..], &mut bounds.estimates[range.start..]);
    (kernels.sketch)(part, &sketched.coded, upper, estimates);
    (kernels.finish)(&coded.records[first..first + range.len()], sketched.finish, upper, estimates);
}

impl<C: Collect + Sync> Worker<'_, C> {
    /// Lets the rows of the block wait that their sketch cannot rule out for a query. False if there is no sketch or it
    /// rules out too few; then nothing was done.
    pub(super) fn sketch_block(&mut self, coded: Coded<'_>, query: usize) -> Result<bool> {
        let (Some(sketched), Some((_, sketch))) = (&self.scan.sketched[query], coded.sketch) else { return Ok(false) };
        let (Some(&place), count) = (self.rows.first(), self.rows.len()) else { return Ok(false) };
        let (first, deferred, kernels) = (place as usize, self.scan.deferred[query], self.scan.kernels);
        // Where the threshold is known from the start, every block tells whether its sketch is of use.
        let tried = deferred || self.scan.empty[query].wanted().is_none() && !self.waiting[query].pause.goes_on();
        if !tried || !first.is_multiple_of(GROUP) || !consecutive(&self.rows) {
            return Ok(false);
        }
        coded.check_sketch(&self.rows)?;
        if sketched.finish != Finish::Product {
            coded.check_records(&self.rows)?;
        }
        self.bounds.resize(count.next_multiple_of(GROUP));
        if deferred {
            bound(kernels, sketched, &coded, sketch, first, 0..count, &mut self.bounds);
            self.store(query, place, count);
            return Ok(true);
        }
        let (needed, sample) = (sketched.needed(self.threshold(query)), SAMPLE.min(count));
        bound(kernels, sketched, &coded, sketch, first, 0..sample, &mut self.bounds);
        if self.bounds.upper[..sample].iter().filter(|&&upper| reaches(upper, needed)).count() > sample / FEW {
            self.waiting[query].pause.begin();
            return Ok(false);
        }
        bound(kernels, sketched, &coded, sketch, first + sample, sample..count, &mut self.bounds);
        let Bounds { upper, left, .. } = &mut self.bounds;
        left.clear();
        (kernels.reaching)(&upper[..count], needed, left);
        let left = left.iter().map(|&at| Left { place: place + at, bound: upper[at as usize] });
        self.waiting[query].sketched.extend(left);
        Ok(true)
    }

    /// Stores the bounds of a block, and the rows with the best estimates.
    fn store(&mut self, query: usize, first: u32, count: usize) {
        let Bounds { upper, estimates, left } = &mut self.bounds;
        let Stored { bounds, blocks, best } = &mut self.waiting[query].stored;
        blocks.push((first, bounds.len()));
        bounds.extend_from_slice(&upper[..count]);
        let most = self.scan.empty[query].wanted().map_or(0, |k| 2 * k + 16);
        best.add(self.scan.kernels, &estimates[..count], first, most, left);
    }

    /// Whether many bounds are stored.
    pub(super) fn stores_many(&self, query: usize) -> bool {
        self.waiting[query].stored.bounds.len() > STORED
    }

    /// Scores the rows with the best estimates of those stored; of the others, those wait that are not ruled out then.
    pub(super) fn settle(&mut self, query: usize) -> Result<()> {
        let Stored { mut bounds, mut blocks, best } = std::mem::take(&mut self.waiting[query].stored);
        let Some(sketched) = &self.scan.sketched[query] else { return Ok(()) };
        let promising = best.places();
        for (at, &place) in promising.iter().enumerate() {
            if let Some(&next) = promising.get(at + 1) {
                self.view.prefetch(next as usize)?;
            }
            self.score_row(query, place)?;
            self.waiting[query].scored.push(place);
        }
        let needed = sketched.needed(self.threshold(query));
        for (number, &(first, begin)) in blocks.iter().enumerate() {
            let end = blocks.get(number + 1).map_or(bounds.len(), |block| block.1);
            self.bounds.left.clear();
            (self.scan.kernels.reaching)(&bounds[begin..end], needed, &mut self.bounds.left);
            let left =
                self.bounds.left.iter().map(|&at| Left { place: first + at, bound: bounds[begin + at as usize] });
            self.waiting[query].sketched.extend(left);
        }
        bounds.clear();
        blocks.clear();
        self.waiting[query].stored = Stored { bounds, blocks, best: Best::default() };
        Ok(())
    }

    /// The rows that are still not ruled out by their sketches.
    pub(super) fn left_by_sketches(&self, query: usize, sketched: &[Left]) -> Vec<Survivor> {
        let Some(query_sketch) = &self.scan.sketched[query] else { return Vec::new() };
        let needed = query_sketch.needed(self.threshold(query));
        let left = sketched.iter().filter(|row| reaches(row.bound, needed));
        left.map(|row| Survivor { place: row.place, product: 0 }).collect()
    }
}
