//! Which rows can be left out for certain: upper bounds of the score from codes, with every rounding accounted for.
//!
//! With x′ = x − μ the centred row, q the query (for l2: less μ), R the rotation, s·c the decoded row and t·b the decoded
//! query:
//!
//! ```text
//! |q·x′ − s·t·(b·c)|  ≤  |Rq·(Rx′ − s·c)| + |(Rq − t·b)·s·c|
//!                     ≤  ‖q‖·e + ε·(‖x′‖ + e)         e = ‖Rx′ − s·c‖,  ε = ‖Rq − t·b‖     (Cauchy–Schwarz)
//! q·x = q·μ + q·x′        ‖q − x′‖² = ‖q‖² + ‖x′‖² − 2 q·x′
//! ```
//!
//! The margin of a row is an upper bound of its score less the threshold, in a form that is linear in what is stored of
//! the row; a row whose margin is below zero is not among the results. A margin that is NaN (of a row that nothing is
//! known of, such as one with huge components) leaves nothing out.

use crate::codes::{Encoder, Record};
use crate::score::Metric;

/// Slack for all arithmetic in f64, relative to the norms involved.
const ROUNDING: f64 = 1e-9;

/// A query, coded.
pub(crate) struct CodedQuery {
    /// Components from −127 to 127.
    pub(crate) codes: Vec<i8>,
    metric: Metric,
    /// ‖q‖.
    norm: f64,
    /// q·μ and the slack for it; 0 for l2.
    base: f64,
    /// The step t.
    step: f64,
    /// Σ b.
    sum: f64,
    /// Weight of e.
    missed: f64,
    /// Weight of ‖x′‖.
    centred: f64,
}

impl CodedQuery {
    pub(crate) fn new(encoder: &Encoder, query: &[f32], metric: Metric) -> Self {
        let mean = encoder.mean();
        let mut rotated: Vec<f64> = query.iter().map(|&value| f64::from(value)).collect();
        let mut base = 0.0;
        if metric == Metric::L2 {
            rotated.iter_mut().zip(mean).for_each(|(value, &mean)| *value -= f64::from(mean));
        } else {
            let product: f64 = rotated.iter().zip(mean).map(|(value, &mean)| value * f64::from(mean)).sum();
            let mean = mean.iter().map(|&mean| f64::from(mean).powi(2)).sum::<f64>().sqrt();
            base = product + ROUNDING * length(&rotated) * mean;
        }
        let norm = length(&rotated);
        encoder.rotation().rotate_exactly(&mut rotated);
        let largest = rotated.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
        let step = largest / 127.0;
        let mut codes = Vec::with_capacity(rotated.len());
        let (mut sum, mut squares) = (0.0, 0.0);
        for value in rotated {
            let code = if step > 0.0 { (value / step).round().clamp(-127.0, 127.0) } else { 0.0 };
            sum += code;
            squares += (value - step * code).powi(2);
            codes.push(code as i8);
        }
        let error = squares.sqrt();
        Self {
            codes,
            metric,
            norm,
            base,
            step,
            sum,
            missed: (norm + error) * (1.0 + ROUNDING),
            centred: error + ROUNDING * (norm + error),
        }
    }

    /// The margins against a threshold: a merit (the score; for l2 its negative), rounded down.
    pub(crate) fn margin(&self, threshold: f32) -> Margin {
        // A score is the exact value rounded to f32: two steps below a merit, no value rounds to it or above.
        let threshold = f64::from(threshold.next_down().next_down());
        let (mut constant, mut norm, mut square) = (self.base, 0.0, 0.0);
        match self.metric {
            Metric::Dot => constant -= threshold,
            Metric::Cosine => {
                let product = threshold * self.norm;
                norm = -(product - product.abs() * 5e-7);
            }
            Metric::L2 => {
                let (far, near) = (threshold * threshold * (1.0 + 1e-6), self.norm * self.norm * (1.0 - ROUNDING));
                constant += if threshold < 0.0 { (far - near) / 2.0 } else { -near / 2.0 };
                square = -0.5 * (1.0 - 1e-5);
            }
        }
        Margin {
            constant,
            coarse: [16.0 * self.step, -120.5 * self.step * self.sum],
            fine: [self.step, -128.0 * self.step * self.sum],
            missed: self.missed,
            centred: self.centred,
            norm,
            square,
        }
    }

    /// The merit of a row as its codes have it, for an order of promise only: nothing is certain of it.
    pub(crate) fn estimate(&self, record: &Record, high: i32, low: i32) -> f32 {
        let product = 16.0 * f64::from(high) + f64::from(low) - 128.0 * self.sum;
        let score = self.base + f64::from(record.scale) * self.step * product;
        let merit = match self.metric {
            Metric::Dot => score,
            Metric::Cosine => score / f64::from(record.norm),
            Metric::L2 => score - f64::from(record.centred).powi(2) / 2.0,
        };
        merit as f32
    }
}

fn length(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// The margin of a row for one query and threshold: what its parts are multiplied with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Margin {
    constant: f64,
    /// Step and offset of the products with the high nibbles.
    coarse: [f64; 2],
    /// Step and offset of the products with the whole codes.
    fine: [f64; 2],
    missed: f64,
    centred: f64,
    norm: f64,
    square: f64,
}

/// The margins of a group of queries, part by part.
pub(crate) struct Margins<const G: usize> {
    constant: [f64; G],
    coarse: [[f64; G]; 2],
    fine: [[f64; G]; 2],
    missed: [f64; G],
    centred: [f64; G],
    norm: [f64; G],
    square: [f64; G],
}

impl<const G: usize> From<[Margin; G]> for Margins<G> {
    fn from(margins: [Margin; G]) -> Self {
        Self {
            constant: margins.map(|margin| margin.constant),
            coarse: [margins.map(|margin| margin.coarse[0]), margins.map(|margin| margin.coarse[1])],
            fine: [margins.map(|margin| margin.fine[0]), margins.map(|margin| margin.fine[1])],
            missed: margins.map(|margin| margin.missed),
            centred: margins.map(|margin| margin.centred),
            norm: margins.map(|margin| margin.norm),
            square: margins.map(|margin| margin.square),
        }
    }
}

impl<const G: usize> Margins<G> {
    /// From the products with the high nibbles.
    #[inline(always)]
    pub(crate) fn coarse(&self, record: &Record, high: &[i32; G]) -> [f64; G] {
        self.of(record, |g| f64::from(high[g]), &self.coarse, record.coarse)
    }

    /// From the products with both nibbles.
    #[inline(always)]
    pub(crate) fn fine(&self, record: &Record, high: &[i32; G], low: &[i32; G]) -> [f64; G] {
        self.of(record, |g| 16.0 * f64::from(high[g]) + f64::from(low[g]), &self.fine, record.fine)
    }

    #[inline(always)]
    fn of(&self, record: &Record, product: impl Fn(usize) -> f64, level: &[[f64; G]; 2], missed: f32) -> [f64; G] {
        let (scale, missed, norm) = (f64::from(record.scale), f64::from(missed), f64::from(record.norm));
        let centred = f64::from(record.centred);
        let square = centred * centred;
        let mut margins = self.constant;
        for g in 0..G {
            margins[g] += scale * (level[0][g] * product(g) + level[1][g])
                + self.missed[g] * missed
                + self.centred[g] * centred
                + self.norm[g] * norm
                + self.square[g] * square;
        }
        margins
    }
}

/// Whether a row must be looked at more closely; NaN knows nothing.
#[inline(always)]
pub(crate) fn survives(margin: f64) -> bool {
    margin >= 0.0 || margin.is_nan()
}
