//! The rank of a row: how many rows have a better score than it, and how many the same.
//!
//! The threshold is known from the start and never moves, and most rows need no score: the margin shows that they are
//! worse, its converse that they are better.

use std::ops::Range;

use super::prune::Worker;
use super::scan::Collect;
use super::topk::Hit;
use crate::codes::Coded;
use crate::error::Result;
use crate::score::Metric;
use crate::shape::{Level, Margin, Record, Survivor, survives};

/// How many other rows have a better score, and how many the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rank {
    /// Rows with a better score.
    pub above: u64,
    /// Other rows with an equal score.
    pub equal: u64,
}

/// Counts the rows that rank above the row of one id, or beside it.
#[derive(Clone)]
pub(crate) struct Tally {
    metric: Metric,
    id: i64,
    merit: f32,
    pub(crate) rank: Rank,
}

impl Tally {
    /// For a row that has a score.
    pub(super) fn new(metric: Metric, row: Hit) -> Self {
        Self { metric, id: row.id, merit: metric.merit(row.score), rank: Rank::default() }
    }

    /// Takes a row away that was counted.
    pub(super) fn leave_out(&mut self, hit: Hit) {
        let mut one = Self { rank: Rank::default(), ..self.clone() };
        one.add(hit);
        self.rank.above -= one.rank.above;
        self.rank.equal -= one.rank.equal;
    }

    fn add(&mut self, hit: Hit) {
        let merit = self.metric.merit(hit.score);
        self.rank.above += u64::from(merit > self.merit);
        self.rank.equal += u64::from(merit == self.merit && hit.id != self.id);
    }
}

impl Collect for Tally {
    const COUNTS: bool = true;

    fn threshold(&self) -> f32 {
        self.merit
    }

    fn push(&mut self, hit: Hit) -> Result<()> {
        self.add(hit);
        Ok(())
    }

    fn count(&mut self, above: usize) {
        self.rank.above += above as u64;
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        self.rank.above += other.rank.above;
        self.rank.equal += other.rank.equal;
        Ok(())
    }
}

impl<C: Collect + Sync> Worker<'_, C> {
    /// Counts the survivors of one query, whose products are those of whole bytes.
    pub(super) fn count_survivors(&mut self, coded: Coded<'_>, query: usize, survivors: &[Survivor]) -> Result<()> {
        let coded_query = &self.scan.coded[query];
        let converse = coded_query.converse(&coded_query.fine, Level::Bytes, self.threshold(query));
        for &Survivor { at, product } in survivors {
            let record = Record::from_bytes(&coded.records[self.places[at as usize] as usize]);
            if survives(converse.of(&record, Level::Bytes, -product)) {
                self.count_row(self.rows[at as usize] as usize, query, 1)?;
            } else {
                self.collectors[query].count(1);
            }
        }
        Ok(())
    }

    /// Counts the rows that queries of a panel found, row by row, so that each row is read once.
    pub(super) fn count_panel(
        &mut self,
        coded: Coded<'_>,
        products: &[i32],
        found: &[(u32, u32)],
        queries: Range<usize>,
        lanes: usize,
    ) -> Result<()> {
        let converses = queries.clone().map(|query| {
            let coded_query = &self.scan.coded[query];
            coded_query.converse(coded_query.panel(), Level::Bytes, self.threshold(query))
        });
        let converses: Vec<Margin> = converses.collect();
        let filled = u32::MAX >> (u32::BITS as usize - converses.len()); // in a lane without a query, NaN survives
        for &(at, bits) in found {
            let at = at as usize;
            let record = Record::from_bytes(&coded.records[self.places[at] as usize]);
            let products = &products[at * lanes..][..lanes];
            let mut unsure = 0;
            let mut rest = bits & filled;
            while rest != 0 {
                let lane = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                if survives(converses[lane].of(&record, Level::Bytes, -products[lane])) {
                    unsure |= 1 << lane;
                } else {
                    self.collectors[queries.start + lane].count(1);
                }
            }
            if unsure != 0 {
                self.count_row(self.rows[at] as usize, queries.start, unsure)?;
            }
        }
        Ok(())
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
            let threshold = tally.threshold();
            let [low, high] = query.merit_bounds(row, length);
            if high < f64::from(threshold.next_down().next_down()) {
                continue;
            }
            if low > f64::from(threshold.next_up().next_up()) {
                tally.count(1);
                continue;
            }
            let score = query.score_with(row, length).ok_or_else(|| self.scan.file.not_finite(number))?;
            tally.push(Hit { id: self.scan.file.ids.id(number), score })?;
        }
        Ok(())
    }
}
