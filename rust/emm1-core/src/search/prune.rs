//! What a thread does with rows: prune them by their codes, score the survivors.

use std::cmp::Reverse;

use super::finer::Finer;
use super::passes::Waiting;
use super::plan::CodeSource;
use super::scan::{Collect, Scan, ordered};
use super::sketched::Bounds;
use super::topk::Hit;
use crate::bound::Product;
use crate::codes::Coded;
use crate::error::{Result, zeros};
use crate::kernel::prefetch;
use crate::matrix::View;
use crate::shape::{Level, Margins, Panel, Record, SLACK, SketchTile, Survivor, TILE, stride, survives};

/// If more than one in this many consecutive rows survives, reading all of them is faster than skipping the others.
pub(super) const DENSE: usize = 4;
/// Survivors that are multiplied at a time.
const CHUNK: usize = 1024;

/// The state of one thread of a search.
pub(super) struct Worker<'a, C> {
    pub(super) scan: &'a Scan<'a, C>,
    pub(super) view: View<'a>,
    pub(super) row: Vec<f32>,
    /// What this thread collects for itself.
    pub(super) collectors: Vec<C>,
    /// The rows of the block, and the position of each in the codes.
    pub(super) rows: Vec<u32>,
    pub(super) places: Vec<u32>,
    /// The unpacked rows of the block, and their products with a panel; kept to reuse their memory.
    bytes: Vec<u8>,
    pub(super) products: Vec<i32>,
    /// For few queries: the rows that wait for the second pass of each, and a list to reuse.
    pub(super) waiting: Vec<Waiting>,
    pub(super) likely: Vec<Survivor>,
    pub(super) bounds: Bounds,
    /// The tiles of queries that are searched for with sketches.
    pub(super) tiles: &'a [SketchTile<'a>],
    /// How many rows these have left since queries looked closer.
    pub(super) left: usize,
    pub(super) finer: Finer,
}

impl<'a, C: Collect + Sync> Worker<'a, C> {
    pub(super) fn new(scan: &'a Scan<'a, C>, tiles: &'a [SketchTile<'a>], view: View<'a>) -> Result<Self> {
        let few = if scan.panels.is_empty() { &scan.empty[..] } else { &[] };
        Ok(Self {
            scan,
            view,
            row: zeros(scan.file.matrix.dims())?,
            collectors: if scan.kept.is_empty() { scan.empty.clone() } else { Vec::new() },
            rows: Vec::new(),
            places: Vec::new(),
            bytes: Vec::new(),
            products: Vec::new(),
            waiting: few.iter().map(|collector| Waiting::new(collector.wanted())).collect(),
            likely: Vec::new(),
            bounds: Bounds::default(),
            tiles,
            left: 0,
            finer: Finer::default(),
        })
    }

    /// Scores every row of the block against every query.
    pub(super) fn score_all(&mut self) -> Result<()> {
        for &number in &self.rows {
            let row = self.view.row(number as usize, &mut self.row)?;
            let Some(first) = self.scan.queries.first() else { return Ok(()) };
            // One query takes it from the same pass over the row as its product.
            let norm = (self.scan.queries.len() > 1).then(|| first.norm_of(row));
            let id = self.scan.file.ids.id(number as usize);
            for (query, found) in self.scan.queries.iter().zip(&mut self.collectors) {
                let score = norm.map_or_else(|| query.score(row), |norm| query.score_with(row, norm));
                let score = score.ok_or_else(|| self.scan.file.not_finite(number as usize))?;
                found.push(Hit { id, score })?;
            }
        }
        Ok(())
    }

    /// Prunes the block with the panels of all queries and scores the survivors.
    pub(super) fn prune(&mut self, coded: Coded<'_>) -> Result<()> {
        coded.check_records(&self.places)?;
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
            let survivor = |&(at, _): &(u32, u32)| Survivor { place: self.places[at as usize], product: product(at) };
            let mut survivors: Vec<Survivor> = rows.map(survivor).collect();
            result =
                result.and_then(|()| self.narrow(coded, query, &mut survivors, if again { &Level::ALL } else { &[] }));
        }
        self.products = products;
        result
    }

    /// Prunes the survivors level by level and scores or counts the rows that are left.
    fn narrow(
        &mut self,
        coded: Coded<'_>,
        query: usize,
        survivors: &mut Vec<Survivor>,
        levels: &[Level],
    ) -> Result<()> {
        levels.iter().try_for_each(|&level| self.refine(coded, query, level, survivors))?;
        self.finish(coded, query, survivors)
    }

    /// Scores or counts the survivors of all levels.
    pub(super) fn finish(&mut self, coded: Coded<'_>, query: usize, survivors: &[Survivor]) -> Result<()> {
        if C::COUNTS {
            self.count_survivors(coded, query, survivors)
        } else {
            self.score_survivors(coded, query, survivors)
        }
    }

    /// Adds the products with the plane of a level to those of the survivors, whose places ascend, and prunes them.
    pub(super) fn refine(
        &self,
        coded: Coded<'_>,
        query: usize,
        level: Level,
        survivors: &mut Vec<Survivor>,
    ) -> Result<()> {
        let (plane, packed) = (coded.planes[level as usize], &self.scan.packed[query][level.part()]);
        let (mut places, mut products) = (Vec::new(), Vec::new());
        for rows in survivors.chunks_mut(CHUNK) {
            let (first, last) = (rows[0].place, rows[rows.len() - 1].place);
            let span = (last - first) as usize + 1;
            let all = rows.len() < span && rows.len() * DENSE > span;
            places.clear();
            if all {
                places.extend(first..=last);
            } else {
                places.extend(rows.iter().map(|row| row.place));
                // They are needed next, and their reads need not wait for each other.
                rows.iter().for_each(|row| prefetch(&coded.records[row.place as usize]));
            }
            coded.check_plane(level, &places)?;
            products.clear();
            products.resize(places.len(), 0);
            (self.scan.kernels.dots)(plane, &places, packed, &mut products);
            for (at, row) in rows.iter_mut().enumerate() {
                row.product += level.weight() * products[if all { (row.place - first) as usize } else { at }];
            }
        }
        self.prune_at(coded, query, level, survivors);
        Ok(())
    }

    /// Prunes survivors by their products up to a level.
    pub(super) fn prune_at(&self, coded: Coded<'_>, query: usize, level: Level, survivors: &mut Vec<Survivor>) {
        let coded_query = &self.scan.coded[query];
        let margin = coded_query.margin(Product::Codes(&coded_query.fine, level), self.threshold(query));
        (self.scan.kernels.prune)(coded.records, level, &margin, survivors);
    }

    /// The highest threshold known for a query.
    pub(super) fn threshold(&self, query: usize) -> f32 {
        self.scan.thresholds[query].get()
    }

    /// The number of the row at a place of the codes.
    pub(super) fn row_at(&self, place: u32) -> usize {
        match self.scan.code_source {
            Some(CodeSource::OnTheFly(_)) => self.rows[place as usize] as usize,
            _ => place as usize,
        }
    }

    /// Scores the survivors that the margin does not rule out, the most promising first.
    fn score_survivors(&mut self, coded: Coded<'_>, query: usize, survivors: &[Survivor]) -> Result<()> {
        let coded_query = &self.scan.coded[query];
        let record = |row: &Survivor| Record::from_bytes(&coded.records[row.place as usize]);
        let margin_of = |threshold| coded_query.margin(Product::Codes(&coded_query.fine, Level::Bytes), threshold);
        let mut promising = survivors.to_vec();
        promising
            .sort_by_cached_key(|row| Reverse(ordered(coded_query.estimate(&record(row), Level::Bytes, row.product))));
        let mut threshold = self.threshold(query);
        let mut margin = margin_of(threshold);
        for (at, row) in promising.iter().enumerate() {
            if !survives(margin.of(&record(row), Level::Bytes, row.product)) {
                continue;
            }
            if let Some(next) = promising.get(at + 1) {
                self.view.prefetch(self.row_at(next.place))?;
            }
            self.score_row(query, row.place)?;
            let raised = self.threshold(query);
            if raised > threshold {
                threshold = raised;
                margin = margin_of(threshold);
            }
        }
        Ok(())
    }

    /// Scores a row against a query; gives its merit.
    pub(super) fn score_row(&mut self, query: usize, place: u32) -> Result<f32> {
        let number = self.row_at(place);
        let score = self.scan.queries[query].score(self.view.row(number, &mut self.row)?);
        let score = score.ok_or_else(|| self.scan.file.not_finite(number))?;
        let (hit, merit) = (Hit { id: self.scan.file.ids.id(number), score }, self.scan.metric.merit(score));
        let threshold = match self.scan.kept.get(query) {
            Some(kept) => kept.push(hit, merit)?,
            None => {
                self.collectors[query].push(hit)?;
                self.collectors[query].threshold()
            }
        };
        self.scan.thresholds[query].raise(threshold);
        Ok(merit)
    }
}
