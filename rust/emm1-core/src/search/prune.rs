//! What a thread does with a block of rows: prune them by their codes, score the survivors.

use std::cmp::Reverse;

use super::finer::Finer;
use super::scan::{Collect, Scan, ordered};
use super::topk::Hit;
use crate::bound::Product;
use crate::codes::Coded;
use crate::error::{Result, zeros};
use crate::kernel::{Factor, RUN, consecutive};
use crate::matrix::View;
use crate::shape::{Level, Margin, Margins, Panel, Record, SLACK, Survivor, TILE, stride, survives};

/// If more than one in this many consecutive rows survives, reading all of them is faster than skipping the others.
const DENSE: usize = 4;
/// Sample of a block that decides how many planes are read for the other rows.
const SAMPLE: usize = 64;

/// The state of one thread of a search.
pub(super) struct Worker<'a, C> {
    pub(super) scan: &'a Scan<'a, C>,
    pub(super) view: View<'a>,
    pub(super) row: Vec<f32>,
    pub(super) collectors: Vec<C>,
    /// The rows of the block, and the position of each in the codes.
    pub(super) rows: Vec<u32>,
    pub(super) places: Vec<u32>,
    /// The unpacked rows of the block, their products with a panel, and the survivors of one query; kept to reuse their
    /// memory.
    bytes: Vec<u8>,
    pub(super) products: Vec<i32>,
    survivors: Vec<Survivor>,
    pub(super) finer: Finer,
}

impl<'a, C: Collect + Sync> Worker<'a, C> {
    pub(super) fn new(scan: &'a Scan<'a, C>, view: View<'a>) -> Result<Self> {
        Ok(Self {
            scan,
            view,
            row: zeros(scan.file.matrix.dims())?,
            collectors: scan.empty.clone(),
            rows: Vec::new(),
            places: Vec::new(),
            bytes: Vec::new(),
            products: Vec::new(),
            survivors: Vec::new(),
            finer: Finer::default(),
        })
    }

    /// Scores every row of the block against every query.
    pub(super) fn score_all(&mut self) -> Result<()> {
        for &number in &self.rows {
            let row = self.view.row(number as usize, &mut self.row)?;
            let Some(first) = self.scan.queries.first() else { return Ok(()) };
            let norm = first.norm_of(row);
            let id = self.scan.file.ids.id(number as usize);
            for (query, found) in self.scan.queries.iter().zip(&mut self.collectors) {
                let score = query.score_with(row, norm);
                let score = score.ok_or_else(|| self.scan.file.not_finite(number as usize))?;
                found.push(Hit { id, score })?;
            }
        }
        Ok(())
    }

    /// Prunes the block with all queries and scores the survivors.
    pub(super) fn prune(&mut self, coded: Coded<'_>) -> Result<()> {
        coded.check_records(&self.places)?;
        if self.scan.panels.is_empty() {
            return (0..self.scan.queries.len()).try_for_each(|query| self.prune_one(coded, query));
        }
        Level::ALL.into_iter().try_for_each(|level| coded.check_plane(level, &self.places))?;
        let scan = self.scan;
        let [first, second] = [0, 1].map(|part| 2 * coded.planes[part].width);
        let stride = stride((first + second) / 2);
        let mut bytes = std::mem::take(&mut self.bytes);
        let rows = self.places.len().next_multiple_of(TILE) * stride;
        bytes.resize(rows + SLACK, 0);
        for (&place, row) in self.places.iter().zip(bytes.chunks_exact_mut(stride)) {
            let [high, high_rest, low, low_rest] = coded.planes.map(|plane| plane.row(place));
            (scan.kernels.unpack)(high, low, &mut row[..first]);
            (scan.kernels.unpack)(high_rest, low_rest, &mut row[first..first + second]);
        }
        let mut panels = scan.panels.iter();
        let result = if C::COUNTS {
            self.finer.reset(self.places.len(), stride);
            panels.enumerate().try_for_each(|(number, (begin, panel))| {
                self.count_panel(coded, &bytes, *begin, panel, &scan.divisions[number])
            })
        } else {
            panels.try_for_each(|(begin, panel)| self.prune_panel(coded, &bytes[..rows], *begin, panel))
        };
        self.bytes = bytes;
        result
    }

    /// Prunes the block with one query.
    fn prune_one(&mut self, coded: Coded<'_>, query: usize) -> Result<()> {
        let (kernels, coded_query) = (self.scan.kernels, &self.scan.coded[query]);
        let mut survivors = std::mem::take(&mut self.survivors);
        survivors.clear();
        // A sample shows the level at which most rows are ruled out: the planes up to that level are read in one pass.
        let sample = self.places.len().min(SAMPLE);
        survivors.extend((0..sample as u32).map(|at| Survivor { at, product: 0 }));
        let mut level = Level::FirstHigh;
        for each in Level::ALL {
            level = each;
            self.refine(coded, query, level, sample, &mut survivors)?;
            if survivors.len() * DENSE <= sample {
                break;
            }
        }
        // Consecutive rows, which is all rows unless the search names ids.
        let consecutive = consecutive(&self.places[sample..]);
        let scanned = if consecutive { (self.places.len() - sample) / RUN * RUN } else { 0 };
        if scanned > 0 {
            let factor = |level: Level| {
                (coded.planes[level as usize], &self.scan.packed[query][level.part()][..], level.weight())
            };
            for &level in &Level::ALL[..=level as usize] {
                coded.check_plane(level, &self.places[sample..sample + scanned])?;
            }
            let factors: Vec<Factor<'_>> = Level::ALL[..=level as usize].iter().map(|&level| factor(level)).collect();
            let margin = coded_query.margin(Product::Codes(&coded_query.fine, level), self.threshold(query));
            let (begin, before) = (self.places[sample] as usize, survivors.len());
            (kernels.dots_and_prune)(&factors, coded.records, begin..begin + scanned, level, &margin, &mut survivors);
            survivors[before..].iter_mut().for_each(|row| row.at += sample as u32);
        }
        let mut rest: Vec<Survivor> =
            (sample + scanned..self.places.len()).map(|at| Survivor { at: at as u32, product: 0 }).collect();
        for &level in &Level::ALL[..=level as usize] {
            self.refine(coded, query, level, self.places.len(), &mut rest)?;
        }
        survivors.append(&mut rest);
        let result = self.narrow(coded, query, &mut survivors, &Level::ALL[level as usize + 1..]);
        self.survivors = survivors;
        result
    }

    /// Prunes the block, whose unpacked rows are in `bytes`, with the queries of a panel.
    fn prune_panel(&mut self, coded: Coded<'_>, bytes: &[u8], begin: usize, panel: &Panel) -> Result<()> {
        let (kernels, count) = (self.scan.kernels, panel.lanes().min(self.scan.queries.len() - begin));
        let margins = (begin..begin + count).map(|query| {
            let coded_query = &self.scan.coded[query];
            coded_query.margin(Product::Codes(coded_query.panel(), Level::Bytes), self.threshold(query))
        });
        let margins = Margins::new(margins);
        let mut products = std::mem::take(&mut self.products);
        products.resize(self.places.len().next_multiple_of(TILE) * panel.lanes(), 0);
        (kernels.multiply)(bytes, panel, &mut products);
        let mut found = Vec::new();
        (kernels.prune_panel)(coded.records, &self.places, &products, &margins, panel.lanes(), &mut found);
        let mut result = Ok(());
        let lanes = if found.is_empty() { 0 } else { count };
        for lane in 0..lanes {
            let query = begin + lane;
            // If the panel's queries have all quantization steps, their products can be used again.
            let again = self.scan.coded[query].is_coarser_in_panels();
            let product = |at: u32| if again { 0 } else { products[at as usize * panel.lanes() + lane] };
            let rows = found.iter().filter(|(_, bits)| bits >> lane & 1 == 1);
            let mut survivors: Vec<Survivor> = rows.map(|&(at, _)| Survivor { at, product: product(at) }).collect();
            result =
                result.and_then(|()| self.narrow(coded, query, &mut survivors, if again { &Level::ALL } else { &[] }));
        }
        self.products = products;
        result
    }

    /// Prunes the survivors level by level and scores the rows that are left.
    fn narrow(
        &mut self,
        coded: Coded<'_>,
        query: usize,
        survivors: &mut Vec<Survivor>,
        levels: &[Level],
    ) -> Result<()> {
        for &level in levels {
            self.refine(coded, query, level, self.places.len(), survivors)?;
        }
        if C::COUNTS {
            return self.count_survivors(coded, query, survivors);
        }
        let candidates = survivors.iter().map(|&Survivor { at, product }| {
            let at = at as usize;
            let record = Record::from_bytes(&coded.records[self.places[at] as usize]);
            Candidate { row: self.rows[at] as usize, record, product }
        });
        self.score_candidates(query, candidates.collect())
    }

    /// Adds the products with the plane of a level to those of the survivors, which are among the first `among` rows of
    /// the block, and prunes them.
    fn refine(
        &self,
        coded: Coded<'_>,
        query: usize,
        level: Level,
        among: usize,
        survivors: &mut Vec<Survivor>,
    ) -> Result<()> {
        if survivors.is_empty() {
            return Ok(());
        }
        let (kernels, coded_query) = (self.scan.kernels, &self.scan.coded[query]);
        let (plane, packed) = (coded.planes[level as usize], &self.scan.packed[query][level.part()]);
        let all = &self.places[..among];
        if survivors.len() < among && survivors.len() * DENSE > among && consecutive(all) {
            coded.check_plane(level, all)?;
            let mut products = vec![0; among];
            (kernels.dots)(plane, all, packed, &mut products);
            survivors.iter_mut().for_each(|row| row.product += level.weight() * products[row.at as usize]);
        } else {
            let places: Vec<u32> = survivors.iter().map(|row| self.places[row.at as usize]).collect();
            coded.check_plane(level, &places)?;
            let mut products = vec![0; places.len()];
            (kernels.dots)(plane, &places, packed, &mut products);
            survivors.iter_mut().zip(products).for_each(|(row, product)| row.product += level.weight() * product);
        }
        let margin = coded_query.margin(Product::Codes(&coded_query.fine, level), self.threshold(query));
        (kernels.prune)(coded.records, &self.places, level, &margin, survivors);
        Ok(())
    }

    /// The highest threshold known for a query.
    pub(super) fn threshold(&self, query: usize) -> f32 {
        self.collectors[query].threshold().max(self.scan.thresholds[query].get())
    }

    /// Scores the candidates that the margin does not rule out, the most promising first.
    fn score_candidates(&mut self, query: usize, mut candidates: Vec<Candidate>) -> Result<()> {
        let coded = &self.scan.coded[query];
        candidates
            .sort_by_cached_key(|candidate| Reverse(ordered(coded.estimate(&candidate.record, candidate.product))));
        let margin_of = |threshold| coded.margin(Product::Codes(&coded.fine, Level::Bytes), threshold);
        let ruled_out = |margin: &Margin, candidate: &Candidate| {
            !survives(margin.of(&candidate.record, Level::Bytes, candidate.product))
        };
        let mut threshold = self.threshold(query);
        let mut margin = margin_of(threshold);
        for candidate in candidates {
            if ruled_out(&margin, &candidate) {
                continue;
            }
            let number = candidate.row;
            let score = self.scan.queries[query].score(self.view.row(number, &mut self.row)?);
            let score = score.ok_or_else(|| self.scan.file.not_finite(number))?;
            self.collectors[query].push(Hit { id: self.scan.file.ids.id(number), score })?;
            let reached = self.collectors[query].threshold();
            if reached > threshold {
                self.scan.thresholds[query].raise(reached);
                threshold = self.threshold(query);
                margin = margin_of(threshold);
            }
        }
        Ok(())
    }
}

/// A row that the margins could not rule out, and its product with the query.
struct Candidate {
    row: usize,
    record: Record,
    product: i32,
}
