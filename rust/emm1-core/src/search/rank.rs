//! The rank of a row: how many rows have a better score than it, and how many the same.
//!
//! The thresholds are known from the start and never move, and most rows need no score: the margin shows that they are
//! worse, its converse that they are better.

use std::sync::Arc;

use super::finer::Division;
use super::plan::{Rows, Search};
use super::prune::Worker;
use super::scan::Collect;
use super::topk::Hit;
use crate::bound::Product;
use crate::codes::Coded;
use crate::error::{Error, Result, zeros};
use crate::file::EmbeddingFile;
use crate::kernel::{Divided, kernels};
use crate::matrix::Access;
use crate::parallel::Stop;
use crate::score::{Metric, Query};
use crate::shape::{Level, Panel, Record, Survivor, TILE, survives};

/// How many other rows have a better score, and how many the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rank {
    /// Rows with a better score.
    pub above: u64,
    /// Other rows with an equal score.
    pub equal: u64,
}

/// Counts the rows above, beside and between the rows that one query ranks.
#[derive(Clone)]
pub(crate) struct Tally {
    metric: Metric,
    /// The merits of the rows to rank, ascending and distinct.
    merits: Arc<[f32]>,
    /// At 2i + 1 the rows with the i-th merit, before and after it those between two merits.
    counts: Vec<u64>,
}

impl Tally {
    pub(super) fn new(metric: Metric, scores: &[f32]) -> Self {
        let mut merits: Vec<f32> = scores.iter().map(|&score| metric.merit(score)).collect();
        merits.sort_by(f32::total_cmp);
        merits.dedup();
        Self { metric, counts: vec![0; 2 * merits.len() + 1], merits: merits.into() }
    }

    /// The place of a score among the counts.
    fn place(&self, score: f32) -> usize {
        let merit = self.metric.merit(score);
        let worse = self.merits.partition_point(|&other| other < merit);
        2 * worse + usize::from(self.merits.get(worse) == Some(&merit))
    }

    /// The rank of a row with this score, which is one of the merits; `counted` is whether the row itself was counted.
    pub(super) fn rank(&self, score: f32, counted: bool) -> Rank {
        let place = self.place(score);
        Rank { above: self.counts[place + 1..].iter().sum(), equal: self.counts[place] - u64::from(counted) }
    }
}

impl Collect for Tally {
    const COUNTS: bool = true;

    fn threshold(&self) -> f32 {
        self.merits.first().copied().unwrap_or(f32::INFINITY)
    }

    fn push(&mut self, hit: Hit) -> Result<()> {
        let place = self.place(hit.score);
        self.counts[place] += 1;
        Ok(())
    }

    fn merits(&self) -> &[f32] {
        &self.merits
    }

    fn count(&mut self, worse: usize, rows: u64) {
        self.counts[2 * worse] += rows;
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        self.counts.iter_mut().zip(other.counts).for_each(|(all, more)| *all += more);
        Ok(())
    }
}

/// The ids that one query ranks, by their positions, and their scores.
struct Asked {
    query: usize,
    pairs: Vec<usize>,
    scores: Vec<f32>,
}

impl EmbeddingFile {
    /// For each id and its query: how many rows have a better score than the row of this id, and how many others the
    /// same. `of` names the query of each id by its position; without it each id has its own. However many ids share a
    /// query, it is compared with every row once.
    ///
    /// # Errors
    /// An id without a row; its score is beyond f32; a query has the wrong dimensions; a query or a row holds NaN or an
    /// infinity; or `stop` returned true.
    pub fn ranks(
        &self,
        ids: &[i64],
        queries: &[&[f32]],
        of: Option<&[usize]>,
        search: &Search,
        stop: Stop<'_>,
    ) -> Result<Vec<Rank>> {
        let own: Vec<usize>;
        let of = if let Some(of) = of {
            of
        } else {
            own = (0..queries.len()).collect();
            &own
        };
        if ids.len() != of.len() {
            let counts = format!("{} ids and {} queries", ids.len(), of.len());
            return Err(Error::Request(format!("each id has its own query: there are {counts}")));
        }
        if let Some(query) = of.iter().find(|&&query| query >= queries.len()) {
            return Err(Error::Request(format!("there is no query {query}: there are {}", queries.len())));
        }
        let asked = self.asked(ids, queries, of, search, stop)?;
        let vectors: Vec<&[f32]> = asked.iter().map(|asked| queries[asked.query]).collect();
        let empty = asked.iter().map(|asked| Tally::new(search.metric, &asked.scores)).collect::<Vec<_>>();
        let mut tallies = self.scan(&vectors, search, None, &empty, stop)?;

        // Rows are counted without a look at their ids, so rows that are left out are taken away afterwards.
        let left_out = self.left_out(queries, search, stop)?;
        let rows = Rows::of(search, self);
        let (view, mut row) = (self.matrix.view(Access::Sparse)?, zeros(self.matrix.dims())?);
        let mut ranks = vec![Rank::default(); ids.len()];
        for (asked, tally) in asked.iter().zip(&mut tallies) {
            let query = Query::new(kernels()?, queries[asked.query], search.metric);
            let left_out = &left_out[asked.query];
            for number in left_out.iter().filter_map(|&id| self.ids.row(id)).filter(|&number| rows.contains(number)) {
                let score = query.score(view.row(number, &mut row)?).ok_or_else(|| self.not_finite(number))?;
                let place = tally.place(score);
                tally.counts[place] -= 1;
            }
            for (&pair, &score) in asked.pairs.iter().zip(&asked.scores) {
                let counted = self.ids.row(ids[pair]).is_some_and(|number| rows.contains(number))
                    && left_out.binary_search(&ids[pair]).is_err();
                ranks[pair] = tally.rank(score, counted);
            }
        }
        Ok(ranks)
    }

    /// The ids of each query, with their scores; queries without ids are not asked.
    fn asked(
        &self,
        ids: &[i64],
        queries: &[&[f32]],
        of: &[usize],
        search: &Search,
        stop: Stop<'_>,
    ) -> Result<Vec<Asked>> {
        let mut pairs: Vec<usize> = (0..ids.len()).collect();
        pairs.sort_by_key(|&pair| of[pair]);
        let asked = pairs.chunk_by(|&a, &b| of[a] == of[b]).map(|pairs| {
            let (query, targets) = (of[pairs[0]], pairs.iter().map(|&pair| ids[pair]).collect::<Vec<_>>());
            let scores = self.score(&targets, queries[query], search.metric, stop)?;
            Ok(Asked { query, pairs: pairs.to_vec(), scores })
        });
        asked.collect()
    }
}

impl<C: Collect + Sync> Worker<'_, C> {
    /// The highest merit that a query ranks.
    fn highest(&self, query: usize) -> f32 {
        self.collectors[query].merits().last().copied().unwrap_or(f32::INFINITY)
    }

    /// Counts a row that has a higher merit than all that a query ranks.
    fn count_best(&mut self, query: usize) {
        let tally = &mut self.collectors[query];
        tally.count(tally.merits().len(), 1);
    }

    /// Counts the survivors of one query, whose products are those of whole bytes.
    pub(super) fn count_survivors(&mut self, coded: Coded<'_>, query: usize, survivors: &[Survivor]) -> Result<()> {
        let coded_query = &self.scan.coded[query];
        let converse = coded_query.converse(Product::Codes(&coded_query.fine, Level::Bytes), self.highest(query));
        for &Survivor { place, product } in survivors {
            let record = Record::from_bytes(&coded.records[place as usize]);
            if survives(converse.of(&record, Level::Bytes, -product)) {
                self.count_row(self.row_at(place), query, 1)?;
            } else {
                self.count_best(query);
            }
        }
        Ok(())
    }

    /// Counts the block, whose unpacked rows are in `bytes`, with the queries of a panel.
    pub(super) fn count_panel(
        &mut self,
        coded: Coded<'_>,
        bytes: &[u8],
        begin: usize,
        panel: &Panel,
        division: &Division,
    ) -> Result<()> {
        let (kernels, lanes) = (self.scan.kernels, panel.lanes());
        let mut products = std::mem::take(&mut self.products);
        let rows = self.places.len().next_multiple_of(TILE);
        products.resize(rows * lanes, 0);
        (kernels.multiply)(&bytes[..rows * panel.stride()], panel, &mut products);
        let mut found = Divided::default();
        (kernels.divide)(coded.records, &self.places, &products, &division.whole, lanes, &mut found);
        // In a lane without a query nothing is known where the row has infinite errors.
        let filled = u32::MAX >> (u32::BITS as usize - lanes.min(self.collectors.len() - begin));
        found.unsure.retain_mut(|(_, bits)| {
            *bits &= filled;
            *bits != 0
        });
        let mut result = self.divide_finer(coded, bytes, &products, division, lanes, &mut found);
        for (tally, &above) in self.collectors[begin..].iter_mut().zip(&found.above) {
            tally.count(tally.merits().len(), u64::from(above));
        }
        for &(at, bits) in &found.unsure {
            result = result.and_then(|()| self.count_undecided(coded, &products, begin, (at as usize, bits), division));
        }
        self.products = products;
        result
    }

    /// Counts a row of which queries of a panel are undecided: those that rank several rows may still know from its finer
    /// products between which it lies.
    fn count_undecided(
        &mut self,
        coded: Coded<'_>,
        products: &[i32],
        begin: usize,
        (at, undecided): (usize, u32),
        division: &Division,
    ) -> Result<()> {
        let mut bits = undecided;
        let lanes = products.len() / self.places.len().next_multiple_of(TILE);
        if self.finer.is_known(at) {
            let record = Record::from_bytes(&coded.records[self.places[at] as usize]);
            for (lane, several) in division.several.iter().enumerate().filter(|&(lane, _)| undecided >> lane & 1 == 1) {
                let product = products[at * lanes + lane];
                if let Some(worse) = self.finer.worse(at, lane, lanes, product, &record, several) {
                    self.collectors[begin + lane].count(worse, 1);
                    bits &= !(1 << lane);
                }
            }
        }
        if bits == 0 { Ok(()) } else { self.count_row(self.rows[at] as usize, begin, bits) }
    }

    /// Counts a row with the queries from `first` on that have a bit: first by a dot product in f32, which costs little
    /// and decides nearly always.
    fn count_row(&mut self, number: usize, first: usize, mut queries: u32) -> Result<()> {
        let row = self.view.row(number, &mut self.row)?;
        let length = self.scan.queries[first].length_of(row);
        while queries != 0 {
            let at = first + queries.trailing_zeros() as usize;
            queries &= queries - 1;
            let (query, tally) = (&self.scan.queries[at], &mut self.collectors[at]);
            let [low, high] = query.merit_bounds(row, length);
            let merits = tally.merits();
            let above = merits.partition_point(|merit| low > f64::from(merit.next_up().next_up()));
            let not_below = merits.partition_point(|merit| !is_below(high, *merit));
            if above == not_below {
                tally.count(above, 1);
                continue;
            }
            let score = query.score_with(row, length).ok_or_else(|| self.scan.file.not_finite(number))?;
            tally.push(Hit { id: self.scan.file.ids.id(number), score })?;
        }
        Ok(())
    }
}

/// Whether a value, if it is known, is so far below a merit that it does not round to it; NaN is not.
fn is_below(value: f64, merit: f32) -> bool {
    value < f64::from(merit.next_down().next_down())
}
