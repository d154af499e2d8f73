//! Batches over sketches: tiles of queries are multiplied with the sketches of a block, which is a fraction of the products
//! with its codes, and each query looks closer at the few rows that are left to it.
//!
//! Before the scan each query is tried on pieces of the file ([`Tiling::choose`]): it is searched for in this way only if its
//! sketches leave few rows. The best rows of the pieces tell the threshold, too: a merit that enough rows of the file probably
//! reach, so that rows below it are left out from the start. If at the end there are not so many, the query is searched for
//! again.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::plan::Search;
use super::prune::Worker;
use super::scan::Collect;
use super::sketched::{Best, Bounds, Left};
use crate::bound::SketchedQuery;
use crate::codes::{Axes, Coded, Encoder};
use crate::error::{Result, zeros};
use crate::file::EmbeddingFile;
use crate::kernel::{Kernels, prefetch};
use crate::matrix::{Access, View};
use crate::parallel::{Stop, in_parallel};
use crate::score::Query;
use crate::shape::{Finish, GROUP, SIDE, SketchQuery, SketchTile, Sketched, VECTOR, reaches};

/// Rows of a block: their bounds for a tile stay in the L1 cache.
pub(super) const BLOCK: usize = 1024;
/// With fewer queries tiles are mostly empty.
pub(super) const FEWEST: usize = 4;
/// When so many rows wait for each query on average, all look closer at theirs: many then find them in a cache.
const ENOUGH: usize = 96;

/// And when so many wait for all of them together, so that memory has the rows that they look at.
const MOST_LEFT: usize = 1 << 19;

/// Consecutive rows that are tried together.
const PIECE: usize = 64;
/// The rows of a file that queries are tried on: one in so many, but not fewer than these, and not more.
const TRIED: usize = 8;
const LEAST: usize = 1 << 12;
const MOST: usize = 1 << 16;
/// With so many times as many of them those are tried that are not chosen where most are.
const HARDER: usize = 2;
/// After so many queries of which few are chosen the others are not tried.
const DOUBTFUL: usize = 2 * SIDE;

/// How queries are chosen that are searched for with tiles.
pub(super) struct Tiling<'a> {
    file: &'a EmbeddingFile,
    kernels: &'static Kernels,
    search: &'a Search,
    encoder: &'a Encoder,
    coded: &'a Coded<'a>,
    axes: &'a Axes,
    sketch: Sketched<'a>,
}

/// A query for a tile, and a merit that enough rows probably reach.
#[derive(Clone)]
pub(super) struct Chosen {
    pub(super) sketched: SketchedQuery,
    pub(super) threshold: f32,
}

/// A query that may be chosen, and what pieces of the file tell about it.
struct Candidate<'a, C> {
    at: usize,
    sketched: SketchedQuery,
    exact: Query,
    empty: &'a C,
    upper: Vec<f32>,
    best: Best,
}

impl<'a> Tiling<'a> {
    /// None if there is no sketch, or one that can be of no use.
    pub(super) fn new(
        file: &'a EmbeddingFile,
        kernels: &'static Kernels,
        search: &'a Search,
        encoder: &'a Encoder,
        coded: &'a Coded<'a>,
    ) -> Option<Self> {
        let (axes, sketch) = coded.sketch.filter(|_| search.among.is_none())?;
        let enough = file.matrix.rows() >= 4 * LEAST && axes.affordable_in_tiles(Finish::Product) > 0.0;
        enough.then_some(Self { file, kernels, search, encoder, coded, axes, sketch })
    }

    /// For each query how it is searched for with a tile; None for those that are not.
    pub(super) fn choose<C: Collect + Sync>(
        &self,
        queries: &[&[f32]],
        empty: &[C],
        stop: Stop<'_>,
    ) -> Result<Vec<Option<Chosen>>> {
        let mean = self.encoder.mean();
        // Where the threshold is known, a trial tells all.
        let suits = |at: &usize| empty[*at].wanted().is_none() || self.axes.suit(self.kernels, mean, queries[*at]);
        let (suited, mut others): (Vec<usize>, Vec<usize>) = (0..queries.len()).partition(suits);
        let mut chosen: Vec<Option<Chosen>> = queries.iter().map(|_| None).collect();
        let found = self.try_some(&suited, queries, empty, 1, stop)?;
        let most = found.len() * 4 > queries.len() * 3;
        found.into_iter().for_each(|(at, one)| chosen[at] = Some(one));
        if most {
            // It costs little to try the others harder: all that are left take a scan of their own.
            others.extend(suited.into_iter().filter(|&at| chosen[at].is_none()));
            let found = self.try_some(&others, queries, empty, HARDER, stop)?;
            found.into_iter().for_each(|(at, one)| chosen[at] = Some(one));
        }
        Ok(chosen)
    }

    /// Tries some queries on so many times as many pieces as usual.
    fn try_some<C: Collect + Sync>(
        &self,
        which: &[usize],
        queries: &[&[f32]],
        empty: &[C],
        times: usize,
        stop: Stop<'_>,
    ) -> Result<Vec<(usize, Chosen)>> {
        let (found, tried) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
        in_parallel(self.search.threads, which.chunks(SIDE), stop, |which| {
            let useful = found.lock().expect("no thread panicked while it added").len();
            if useful * 4 < tried.fetch_add(which.len(), Ordering::Relaxed).saturating_sub(DOUBTFUL) {
                return Ok(());
            }
            let candidates = which.iter().filter_map(|&at| self.candidate(at, queries[at], &empty[at])).collect();
            let useful = self.useful(candidates, times)?;
            found.lock().expect("no thread panicked while it added").extend(useful);
            Ok(())
        })?;
        Ok(found.into_inner().expect("no thread panicked while it added"))
    }

    fn candidate<'c, C: Collect>(&self, at: usize, query: &[f32], empty: &'c C) -> Option<Candidate<'c, C>> {
        let metric = self.search.metric;
        let sketched = SketchedQuery::new(self.kernels, self.axes, self.encoder.mean(), query, metric)?;
        let exact = Query::new(self.kernels, query, metric);
        Some(Candidate { at, sketched, exact, empty, upper: Vec::new(), best: Best::default() })
    }

    /// The candidates to which sketches leave few rows.
    fn useful<C: Collect>(&self, mut candidates: Vec<Candidate<'_, C>>, times: usize) -> Result<Vec<(usize, Chosen)>> {
        let rows = self.file.matrix.rows();
        let pieces = (rows / TRIED).clamp(LEAST, MOST).min(rows / 4 / times) * times / PIECE;
        let share = (pieces * PIECE) as f64 / rows as f64;
        self.sample(&mut candidates, pieces, share)?;
        let view = self.file.matrix.view(Access::Sparse)?;
        let mut useful = Vec::new();
        for Candidate { at, sketched, exact, empty, upper, best } in candidates {
            let affordable = self.axes.affordable_in_tiles(sketched.finish) * upper.len() as f64;
            let mut threshold = empty.threshold();
            if let Some(k) = empty.wanted() {
                let merits = self.merits(&view, &exact, &best.places())?;
                threshold = merits.get(likely_rank(k as f64 * share) - 1).copied().unwrap_or(f32::NEG_INFINITY);
            }
            let needed = sketched.needed(threshold);
            let left = upper.iter().filter(|&&upper| reaches(upper, needed)).count();
            if left as f64 <= affordable {
                useful.push((at, Chosen { sketched, threshold }));
            }
        }
        Ok(useful)
    }

    /// Bounds rows of so many pieces of the file for each candidate, and finds those with the best estimates.
    fn sample<C: Collect>(&self, candidates: &mut [Candidate<'_, C>], pieces: usize, share: f64) -> Result<()> {
        if candidates.is_empty() {
            return Ok(());
        }
        let sketched: Vec<SketchQuery> = candidates.iter().map(|candidate| candidate.sketched.coded.clone()).collect();
        let tile = SketchTile::new(sketched.iter().collect());
        let [mut upper, mut estimates] = [(); 2].map(|()| vec![0.0; candidates.len() * PIECE]);
        let (mut list, width) = (Vec::new(), self.sketch.zones.width());
        let groups = |begin: usize| &self.sketch.groups[begin * width..][..PIECE * width];
        let first = |piece: usize| piece * (self.file.matrix.rows() / pieces) / PIECE * PIECE;
        for piece in 0..pieces {
            // Pieces are too short for the hardware prefetcher.
            groups(first((piece + 1).min(pieces - 1))).chunks(VECTOR).for_each(prefetch);
            let begin = first(piece);
            let places: [u32; PIECE] = std::array::from_fn(|at| (begin + at) as u32);
            self.coded.check_sketch(&places)?;
            self.coded.check_records(&places)?;
            let part = Sketched { zones: self.sketch.zones, groups: groups(begin) };
            (self.kernels.sketch_tile)(part, &tile, &mut upper, &mut estimates);
            let bounds = upper.chunks_exact_mut(PIECE).zip(estimates.chunks_exact_mut(PIECE));
            for (candidate, (upper, estimates)) in candidates.iter_mut().zip(bounds) {
                let records = &self.coded.records[begin..begin + PIECE];
                (self.kernels.finish)(records, candidate.sketched.finish, upper, estimates);
                candidate.upper.extend_from_slice(upper);
                let most = candidate.empty.wanted().map_or(0, |k| likely_rank(k as f64 * share) * 3 / 2 + 4);
                candidate.best.add(self.kernels, estimates, begin as u32, most, &mut list);
            }
        }
        Ok(())
    }

    /// The merits of some rows, the best first.
    fn merits(&self, view: &View<'_>, exact: &Query, rows: &[u32]) -> Result<Vec<f32>> {
        let mut row = zeros(self.file.matrix.dims())?;
        let mut merits = Vec::with_capacity(rows.len());
        for (at, &number) in rows.iter().enumerate() {
            if let Some(&next) = rows.get(at + 1) {
                view.prefetch(next as usize)?;
            }
            let score = exact.score(view.row(number as usize, &mut row)?);
            merits.push(self.search.metric.merit(score.ok_or_else(|| self.file.not_finite(number as usize))?));
        }
        merits.sort_by(|a, b| b.total_cmp(a));
        Ok(merits)
    }
}

/// Which of the best rows of a sample has a merit that as many rows of the file reach as are wanted, where so many of those
/// are expected in the sample: it seldom has that many (1 or 2 of 100 Poisson variables).
fn likely_rank(expected: f64) -> usize {
    (expected + 2.0 * expected.sqrt() + 1.0).ceil() as usize
}

impl<C: Collect + Sync> Worker<'_, C> {
    /// Prunes the block with the tiles of all queries.
    pub(super) fn prune_by_sketch(&mut self, coded: Coded<'_>) -> Result<()> {
        let (Some((_, sketch)), Some(&place)) = (coded.sketch, self.rows.first()) else { return Ok(()) };
        let (first, count, width) = (place as usize, self.rows.len(), sketch.zones.width());
        coded.check_sketch(&self.rows)?;
        coded.check_records(&self.rows)?;
        let rows = count.next_multiple_of(GROUP);
        let part = Sketched { zones: sketch.zones, groups: &sketch.groups[first * width..(first + rows) * width] };
        for number in 0..self.tiles.len() {
            let lanes = self.tiles[number].queries.len();
            let Bounds { upper, estimates, .. } = &mut self.bounds;
            upper.resize(lanes * rows, 0.0);
            estimates.resize(lanes * rows, 0.0);
            (self.scan.kernels.sketch_tile)(part, &self.tiles[number], upper, estimates);
            for lane in 0..lanes {
                self.left_in_tile(coded, number * SIDE + lane, first, lane * rows..lane * rows + count);
            }
        }
        if self.left >= (ENOUGH * self.scan.queries.len()).min(MOST_LEFT) {
            self.look_closer(coded)?;
        }
        Ok(())
    }

    /// All queries look at the rows that wait for them: first at their planes, then at the rows of the file, which are close
    /// together and read in order.
    pub(super) fn look_closer(&mut self, coded: Coded<'_>) -> Result<()> {
        self.left = 0;
        (0..self.scan.queries.len()).try_for_each(|query| self.second_pass(coded, query))?;
        self.last_will_be_needed();
        (0..self.scan.queries.len()).try_for_each(|query| self.finish_last(coded, query))
    }

    /// Lets those rows of the block wait whose bounds, which are in this range, do not rule them out for a query.
    fn left_in_tile(&mut self, coded: Coded<'_>, query: usize, first: usize, range: Range<usize>) {
        let Some(sketched) = &self.scan.sketched[query] else { return };
        let needed = sketched.needed(self.threshold(query));
        let Bounds { upper, estimates, left } = &mut self.bounds;
        let (upper, estimates) = (&mut upper[range.clone()], &mut estimates[range]);
        let records = &coded.records[first..first + upper.len()];
        (self.scan.kernels.finish)(records, sketched.finish, upper, estimates);
        left.clear();
        (self.scan.kernels.reaching)(upper, needed, left);
        self.left += left.len();
        let left = left.iter().map(|&at| Left { place: first as u32 + at, bound: upper[at as usize] });
        self.waiting[query].sketched.extend(left);
    }
}
