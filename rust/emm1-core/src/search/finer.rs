//! Finer products, where rows are counted: a row near the one that is ranked is no better or worse for certain by its codes.
//!
//! What the codes of a row missed is then coded too, once for all queries, and what the codes of a query missed is known
//! from the start. Products with both decide nearly every row, and cost less than one of f32.

use super::prune::Worker;
use super::scan::Collect;
use crate::bound::{CodedQuery, Product};
use crate::codes::Coded;
use crate::error::Result;
use crate::kernel::Divided;
use crate::shape::{FINER, Level, Margin, Margins, Panel, Record, STEP, survives};

/// With more dims, the sum of both products could overflow.
pub(super) const MAX_FINER_DIMS: usize = 1 << 15;
/// Coding what the codes of a row missed takes as long as about this many products in f32.
const WORTHWHILE: u32 = 16;

/// What divides the rows for the queries of a panel.
pub(crate) struct Division {
    /// The margins below the lowest merit that each query ranks, and the converses above the highest.
    pub(super) whole: [Margins; 2],
    /// The same for finer products, with what both codings of a query consist of; None if there are none.
    finer: Option<FinerDivision>,
    /// For queries that rank several: margin and converse of each merit, ascending; for others nothing.
    pub(super) several: Vec<Vec<[Margin; 2]>>,
}

struct FinerDivision {
    margins: [Margins; 2],
    /// What the coding of each query missed, and the coding, query after query, each `width` long.
    residuals: Vec<i8>,
    codings: Vec<i8>,
}

impl Division {
    pub(super) fn new<C: Collect>(begin: usize, panel: &Panel, coded: &[CodedQuery], collectors: &[C]) -> Self {
        let end = coded.len().min(begin + panel.lanes());
        let (coded, collectors) = (&coded[begin..end], &collectors[begin..end]);
        let pairs = |product: fn(&CodedQuery) -> Option<Product<'_>>| {
            let margins = coded.iter().zip(collectors).map(|(query, ranked)| {
                let (lowest, highest) = (ranked.threshold(), ranked.merits().last().copied().unwrap_or(f32::INFINITY));
                let product = product(query)?;
                Some([query.margin(product, lowest), query.converse(product, highest)])
            });
            let margins: Vec<[Margin; 2]> = margins.collect::<Option<_>>()?;
            Some([0, 1].map(|which| Margins::new(margins.iter().map(|pair| pair[which]))))
        };
        let whole = pairs(|query| Some(Product::Codes(query.panel(), Level::Bytes)));
        let several = coded.iter().zip(collectors).map(|(query, ranked)| {
            let merits = ranked.merits().iter().filter(|_| ranked.merits().len() > 1);
            let pair = |&merit: &f32| Some([query.margin(finer(query)?, merit), query.converse(finer(query)?, merit)]);
            merits.map_while(pair).collect()
        });
        Self {
            whole: whole.expect("every query has codes"),
            several: several.collect(),
            finer: pairs(finer).map(|margins| {
                let width = panel.stride().next_multiple_of(STEP);
                let (mut residuals, mut codings) = (vec![0; coded.len() * width], vec![0; coded.len() * width]);
                let places = residuals.chunks_exact_mut(width).zip(codings.chunks_exact_mut(width));
                for (query, (residual, coding)) in coded.iter().zip(places) {
                    let (codes, missed) =
                        (&query.panel().codes, query.residual().map_or(&[][..], |missed| &missed.codes));
                    residual[..missed.len()].copy_from_slice(missed);
                    coding[..codes.len()].copy_from_slice(codes);
                }
                FinerDivision { margins, residuals, codings }
            }),
        }
    }
}

/// The finer product with a query, if it has one.
fn finer(query: &CodedQuery) -> Option<Product<'_>> {
    Some(Product::Finer(query.panel(), query.residual()?))
}

/// What the codes of the rows of a block missed, as far as it has been needed.
#[derive(Default)]
pub(super) struct Finer {
    /// Bytes from one row to the next in the block, and here.
    stride: usize,
    width: usize,
    /// How many queries were undecided about a row.
    asked: Vec<u32>,
    /// The error that is left; infinity if the row has not been coded again.
    missed: Vec<f32>,
    /// Bytes, row after row.
    bytes: Vec<u8>,
    /// The finer products of a panel.
    products: Vec<i32>,
}

impl Finer {
    /// Prepares for another block.
    pub(super) fn reset(&mut self, rows: usize, stride: usize) {
        self.stride = stride;
        self.width = stride.next_multiple_of(STEP);
        self.asked.clear();
        self.asked.resize(rows, 0);
        self.missed.clear();
        self.missed.resize(rows, f32::INFINITY);
        self.bytes.resize(rows * self.width, 0);
    }

    /// Whether a row has been coded again.
    pub(super) fn is_known(&self, at: usize) -> bool {
        self.missed[at].is_finite()
    }

    /// Than how many of several merits a row is better, if it is worse than all others.
    pub(super) fn worse(
        &self,
        at: usize,
        lane: usize,
        lanes: usize,
        product: i32,
        record: &Record,
        several: &[[Margin; 2]],
    ) -> Option<usize> {
        let product = product as f32 + self.products[at * lanes + lane] as f32 / FINER as f32;
        let above = |[_, converse]: &[Margin; 2]| !survives(converse.of_finer(record, self.missed[at], -product));
        let reached = |[margin, _]: &[Margin; 2]| survives(margin.of_finer(record, self.missed[at], product));
        let worse = several.partition_point(above);
        (!several.is_empty() && worse == several.partition_point(reached)).then_some(worse)
    }
}

impl<C: Collect + Sync> Worker<'_, C> {
    /// Divides again the rows that the queries of a panel are undecided about, with finer products.
    pub(super) fn divide_finer(
        &mut self,
        coded: Coded<'_>,
        bytes: &[u8],
        products: &[i32],
        division: &Division,
        lanes: usize,
        found: &mut Divided,
    ) -> Result<()> {
        let Some(with) = &division.finer else { return Ok(()) };
        for &(at, bits) in &found.unsure {
            self.code_again(coded, bytes, at as usize, bits.count_ones())?;
        }
        let Finer { stride, width, missed, bytes: again, products: sums, .. } = &mut self.finer;
        let (stride, width) = (*stride, *width);
        sums.clear();
        sums.resize(self.places.len() * lanes, 0);
        // One after the other, so that the queries stay in the L1 cache.
        for (rows, stride, queries) in [(bytes, stride, &with.residuals), (&again[..], width, &with.codings)] {
            for &(at, bits) in found.unsure.iter().filter(|&&(at, _)| missed[at as usize].is_finite()) {
                let at = at as usize;
                let sums = &mut sums[at * lanes..][..lanes];
                (self.scan.kernels.row_dots)(&rows[at * stride..][..width], queries, bits, sums);
            }
        }
        let products = [products, &sums[..]];
        (self.scan.kernels.divide_finer)(coded.records, &self.places, products, missed, &with.margins, lanes, found);
        Ok(())
    }

    /// Codes what the codes of a row missed, if queries were undecided about it often enough.
    fn code_again(&mut self, coded: Coded<'_>, bytes: &[u8], at: usize, queries: u32) -> Result<()> {
        let finer = &mut self.finer;
        if finer.missed[at].is_finite() || finer.asked[at] == u32::MAX {
            return Ok(());
        }
        finer.asked[at] += queries;
        let Some(source) = self.scan.code_source.as_ref().filter(|_| finer.asked[at] >= WORTHWHILE) else {
            return Ok(());
        };
        finer.asked[at] = u32::MAX; // only once, whether the error is known or not
        self.view.row_f32(self.rows[at] as usize, &mut self.row)?;
        let record = Record::from_bytes(&coded.records[self.places[at] as usize]);
        let codes = &bytes[at * finer.stride..][..self.row.len()];
        let again = &mut finer.bytes[at * finer.width..][..self.row.len()];
        finer.missed[at] = source.encoder().finer(&mut self.row, &record, codes, again);
        Ok(())
    }
}
