//! Margins: upper bounds of scores, in the form in which kernels compute them for each row.

use super::{Level, Record, WIDEST};

/// Slack for a margin computed in f32, relative to the sum of its terms: about ten roundings of 2⁻²⁴ each.
pub(crate) const NARROW: f64 = 2e-6;

/// What codes miss is coded again in steps of this fraction of a step.
pub(crate) const FINER: f64 = 256.0;

/// The factors by which the fields of a record are multiplied to give the margin, exact up to f64 rounding.
pub(crate) struct Terms {
    pub(crate) constant: f64,
    pub(crate) offset: f64,
    pub(crate) missed: f64,
    pub(crate) rest: f64,
    pub(crate) centred: f64,
    pub(crate) norm: f64,
    pub(crate) square: f64,
}

impl Terms {
    /// The margin in units of one query step, with each factor rounded up so that no f32 rounding lowers the sum.
    pub(crate) fn per(&self, unit: f64) -> Margin {
        let up = |value: f64| if value == 0.0 { 0.0 } else { ((value + value.abs() * NARROW) as f32).next_up() };
        let part = |value: f64| up(value / unit);
        let margin = Margin {
            constant: part(self.constant) + f32::MIN_POSITIVE, // for terms that underflow
            offset: up(self.offset),
            missed: part(self.missed),
            rest: part(self.rest),
            centred: part(self.centred),
            norm: part(self.norm),
            square: part(self.square),
        };
        let Margin { constant, offset, missed, rest, centred, norm, square } = margin;
        let parts = [constant, offset, missed, rest, centred, norm, square];
        if parts.iter().all(|part| part.is_finite()) { margin } else { Margin::UNKNOWN }
    }
}

/// An upper bound of a row's score minus the threshold, up to a positive factor: the factors for the fields of a
/// record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Margin {
    constant: f32,
    /// Added to the product.
    offset: f32,
    missed: f32,
    rest: f32,
    centred: f32,
    norm: f32,
    square: f32,
}

impl Margin {
    /// Rules nothing out.
    const UNKNOWN: Self =
        Self { constant: f32::INFINITY, offset: 0.0, missed: 0.0, rest: 0.0, centred: 0.0, norm: 0.0, square: 0.0 };

    /// A margin that rules out some rows and not others, for tests and benchmarks.
    pub(crate) fn example(constant: f32) -> Self {
        Self { constant, offset: 5.0, missed: 0.5, rest: 0.125, centred: 0.25, norm: -0.75, square: -0.01 }
    }

    /// The margin if codes had no errors and the product were a share of the whole one: it rules nothing out, but rows that
    /// survive it probably reach the threshold.
    pub(crate) fn without_errors(self, share: f32) -> Self {
        let [constant, norm, square] = [self.constant, self.norm, self.square].map(|part| part * share);
        Self { constant, offset: self.offset, missed: 0.0, rest: 0.0, centred: 0.0, norm, square }
    }

    /// The margin of a row, given its finer product, and the error that is left.
    #[inline(always)]
    pub(crate) fn of_finer(&self, record: &Record, missed: f32, product: f32) -> f32 {
        let scaled = record.scale * (product + self.offset);
        let lengths = self.missed * missed + self.rest * record.fine + self.centred * record.centred;
        let squares = self.norm * record.norm + self.square * (record.centred * record.centred);
        self.constant + lengths + squares + scaled
    }

    /// The margin of a row, given its product with the query.
    #[inline(always)]
    pub(crate) fn of(&self, record: &Record, level: Level, product: i32) -> f32 {
        let scaled = record.scale * (product as f32 + self.offset);
        let mut lengths = self.missed * record.missed(level) + self.centred * record.centred;
        if level == Level::FirstHigh {
            lengths += self.rest * record.rest;
        }
        let squares = self.norm * record.norm + self.square * (record.centred * record.centred);
        self.constant + lengths + squares + scaled
    }
}

/// The margins of the queries of a panel, one array for each factor. A lane without a query has the constant −∞, so
/// that no row survives in it.
pub(crate) struct Margins {
    pub(crate) constant: [f32; WIDEST],
    pub(crate) offset: [f32; WIDEST],
    pub(crate) missed: [f32; WIDEST],
    pub(crate) rest: [f32; WIDEST],
    pub(crate) centred: [f32; WIDEST],
    pub(crate) norm: [f32; WIDEST],
    pub(crate) square: [f32; WIDEST],
}

impl Margins {
    pub(crate) fn new(margins: impl Iterator<Item = Margin>) -> Self {
        let zeros = [0.0; WIDEST];
        let constant = [f32::NEG_INFINITY; WIDEST];
        let mut parts =
            Self { constant, offset: zeros, missed: zeros, rest: zeros, centred: zeros, norm: zeros, square: zeros };
        for (lane, margin) in margins.enumerate() {
            parts.constant[lane] = margin.constant;
            parts.offset[lane] = margin.offset;
            parts.missed[lane] = margin.missed;
            parts.rest[lane] = margin.rest;
            parts.centred[lane] = margin.centred;
            parts.norm[lane] = margin.norm;
            parts.square[lane] = margin.square;
        }
        parts
    }

    /// The margins of a row for as many queries as there are products, which are of whole bytes.
    #[inline(always)]
    pub(crate) fn of_products(&self, record: &Record, products: &[f32], out: &mut [f32]) {
        let lanes = products.len();
        let [constant, offset, missed, centred, norm, square] =
            [&self.constant, &self.offset, &self.missed, &self.centred, &self.norm, &self.square]
                .map(|part| &part[..lanes]);
        let squared = record.centred * record.centred;
        let out = &mut out[..lanes];
        for at in 0..lanes {
            let scaled = record.scale * (products[at] + offset[at]);
            let lengths = missed[at] * record.fine + centred[at] * record.centred;
            let squares = norm[at] * record.norm + square[at] * squared;
            out[at] = constant[at] + lengths + squares + scaled;
        }
    }

    /// The same for finer products, with the error that is left.
    #[inline(always)]
    pub(crate) fn of_finer(&self, record: &Record, left: f32, products: &[f32], out: &mut [f32]) {
        let lanes = products.len();
        let [constant, offset, missed, rest, centred, norm, square] =
            [&self.constant, &self.offset, &self.missed, &self.rest, &self.centred, &self.norm, &self.square]
                .map(|part| &part[..lanes]);
        let squared = record.centred * record.centred;
        let out = &mut out[..lanes];
        for at in 0..lanes {
            let scaled = record.scale * (products[at] + offset[at]);
            let lengths = missed[at] * left + rest[at] * record.fine + centred[at] * record.centred;
            let squares = norm[at] * record.norm + square[at] * squared;
            out[at] = constant[at] + lengths + squares + scaled;
        }
    }

    /// The margins of a row for eight queries from `begin` on, given its products of whole bytes.
    #[inline(always)]
    pub(crate) fn of_eight(&self, record: &Record, begin: usize, products: &[i32; 8]) -> [f32; 8] {
        let square = record.centred * record.centred;
        let mut margins = [0.0; 8];
        for (lane, margin) in margins.iter_mut().enumerate() {
            let at = begin + lane;
            let scaled = record.scale * (products[lane] as f32 + self.offset[at]);
            let lengths = self.missed[at] * record.fine + self.centred[at] * record.centred;
            let squares = self.norm[at] * record.norm + self.square[at] * square;
            *margin = self.constant[at] + lengths + squares + scaled;
        }
        margins
    }
}

/// Whether a row must be examined more closely; NaN means that nothing is known, and survives.
#[inline(always)]
#[expect(clippy::neg_cmp_op_on_partial_ord, reason = "one comparison, and NaN survives")]
pub(crate) fn survives(margin: f32) -> bool {
    !(margin < 0.0)
}
