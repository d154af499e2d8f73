//! Which rows can certainly be ruled out: upper bounds of the score from codes, with every rounding accounted for.
//!
//! Let x′ = x − μ be the centred row, q the query (for l2: minus μ), R the rotation, s·c the decoded row and t·b the
//! decoded query:
//!
//! ```text
//! |q·x′ − s·t·(b·c)|  ≤  |Rq·(Rx′ − s·c)| + |(Rq − t·b)·s·c|
//!                     ≤  ‖q‖·e + ε·(‖x′‖ + e)         e = ‖Rx′ − s·c‖,  ε = ‖Rq − t·b‖     (Cauchy–Schwarz)
//! q·x = q·μ + q·x′        ‖q − x′‖² = ‖q‖² + ‖x′‖² − 2 q·x′
//! ```
//!
//! If only the first part of the components was multiplied, the rest of the product is at most the product of the norms
//! of both rests: |Rq₂·Rx′₂| ≤ ‖Rq₂‖·‖Rx′₂‖.
//!
//! Where rows are counted, what the codes missed is coded again, in steps of a 256th (`FINER`). With the further products,
//! s/256·t·(b·c₂) for the row and s·t/256·(b₂·c) for the query, and e₂ and ε₂ for what is still missed, the error is
//!
//! ```text
//! |Rq·(Rx′ − s·c − s₂·c₂)| + |(Rq − t·b)·s₂·c₂| + |(Rq − t·b − t₂·b₂)·s·c|
//!                     ≤  ‖q‖·e₂ + ε·(e + e₂) + ε₂·(‖x′‖ + e)
//! ```
//!
//! The margin of a row is an upper bound of its score minus the threshold, and linear in what is stored about the row;
//! a row with a negative margin is not a hit. A margin that is NaN (nothing is known about the row, for example because
//! it has huge components) rules nothing out. The factors of a margin are computed in f64 once per query and threshold
//! and rounded up; the sum for each row is computed in f32.

mod coding;
#[cfg(test)]
mod tests;

use crate::codes::Encoder;
use crate::score::Metric;
use crate::shape::{FINER, Level, Margin, NARROW, Record, Terms};
pub(crate) use coding::{Coding, Residual};

/// Slack for all f64 arithmetic, relative to the norms involved.
const ROUNDING: f64 = 1e-9;

/// Which product a margin is for.
#[derive(Clone, Copy)]
pub(crate) enum Product<'a> {
    /// With the codes of a row up to a level.
    Codes(&'a Coding, Level),
    /// With whole bytes, and what both codings missed.
    Finer(&'a Coding, &'a Residual),
}

/// A query, coded.
pub(crate) struct CodedQuery {
    metric: Metric,
    /// ‖q‖.
    norm: f64,
    /// Components of the first part, and ‖Rq‖ of each.
    first: usize,
    parts: [f64; 2],
    /// q·μ and how far it may be off; 0 for l2.
    base: f64,
    slack: f64,
    /// Quantized in 127 steps, for one query at a time.
    pub(crate) fine: Coding,
    /// Quantized in as many steps as a panel allows, if that is fewer.
    panel: Option<Coding>,
    /// What the coding for panels missed, where rows are counted.
    residual: Option<Residual>,
}

impl CodedQuery {
    /// Quantizes a query; `most` is the largest component in a panel, and `finer` whether what it misses is needed.
    pub(crate) fn new(encoder: &Encoder, query: &[f32], metric: Metric, most: i8, finer: bool) -> Self {
        let mean = encoder.mean();
        let mut rotated: Vec<f64> = query.iter().map(|&value| f64::from(value)).collect();
        let (mut base, mut slack) = (0.0, 0.0);
        if metric == Metric::L2 {
            rotated.iter_mut().zip(mean).for_each(|(value, &mean)| *value -= f64::from(mean));
        } else {
            base = rotated.iter().zip(mean).map(|(value, &mean)| value * f64::from(mean)).sum();
            let mean = mean.iter().map(|&mean| f64::from(mean).powi(2)).sum::<f64>().sqrt();
            slack = ROUNDING * length(&rotated) * mean;
        }
        let norm = length(&rotated);
        encoder.rotation().rotate_exactly(&mut rotated);
        let first = encoder.parts().first;
        let parts = [&rotated[..first], &rotated[first..]].map(length);
        let panel = (most < i8::MAX).then(|| Coding::new(&rotated, first, most));
        let fine = Coding::new(&rotated, first, i8::MAX);
        let residual = finer.then(|| Residual::new(&rotated, panel.as_ref().unwrap_or(&fine)));
        Self { metric, norm, first, parts, base, slack, fine, panel, residual }
    }

    /// What the coding for panels missed.
    pub(crate) fn residual(&self) -> Option<&Residual> {
        self.residual.as_ref()
    }

    /// Quantized in as many steps as a panel allows.
    pub(crate) fn panel(&self) -> &Coding {
        self.panel.as_ref().unwrap_or(&self.fine)
    }

    /// Whether a panel allows fewer steps than `fine` has.
    pub(crate) fn is_coarser_in_panels(&self) -> bool {
        self.panel.is_some()
    }

    /// The margin for products with a quantized query and a threshold, which is a merit (the score; for l2 its
    /// negative), rounded down.
    pub(crate) fn margin(&self, product: Product<'_>, threshold: f32) -> Margin {
        // A score is the exact value rounded to f32: no value two steps below a merit rounds to it or above.
        let threshold = f64::from(threshold.next_down().next_down());
        let square = -0.5 * (1.0 - 1e-5);
        let constant = if self.metric == Metric::L2 {
            let (far, near) = (threshold * threshold * (1.0 + 1e-6), self.norm * self.norm * (1.0 - ROUNDING));
            if threshold < 0.0 { (far - near) / 2.0 } else { -near / 2.0 }
        } else {
            self.base + self.slack
        };
        self.bound(product, 1.0, threshold, constant, square)
    }

    /// The margin of the converse, for negated products: an upper bound of the threshold minus the score. A row with a
    /// negative one has a higher merit than the threshold for certain.
    ///
    /// It is the margin of −q, since −q·x is less than −t where q·x is more than t. For l2 the squares change their
    /// signs too.
    pub(crate) fn converse(&self, product: Product<'_>, threshold: f32) -> Margin {
        // No value two steps above a merit rounds to it or below.
        let threshold = f64::from(threshold.next_up().next_up());
        let square = 0.5 * (1.0 + 1e-5);
        let constant = if self.metric == Metric::L2 {
            let (far, near) = (threshold * threshold * (1.0 - 1e-6), self.norm * self.norm * (1.0 + ROUNDING));
            let underflow = f64::from(f32::MIN_POSITIVE); // of the square of a small norm
            if threshold < 0.0 { (near - far + underflow) / 2.0 } else { f64::INFINITY }
        } else {
            self.slack - self.base
        };
        self.bound(product, -1.0, threshold, constant, square)
    }

    /// The margin for products with `sign` times the query.
    fn bound(&self, product: Product<'_>, sign: f64, threshold: f64, constant: f64, square: f64) -> Margin {
        let (mut constant, mut norm) = (constant, 0.0);
        match self.metric {
            Metric::Dot => constant -= sign * threshold,
            Metric::Cosine => {
                let product = sign * threshold * self.norm;
                norm = -(product - product.abs() * 5e-7);
            }
            Metric::L2 => {}
        }
        let (coding, offset, weight, missed, rest, centred) = match product {
            Product::Codes(coding, level) => {
                let (multiplied, rest) = match level {
                    Level::FirstHigh => (self.parts[0], self.parts[1]),
                    _ => (self.norm, 0.0),
                };
                (coding, coding.offset(level), coding.weight, multiplied + coding.error, rest, coding.error)
            }
            Product::Finer(coding, residual) => {
                let sum: f64 = coding.sums.iter().sum();
                let offset = 128.0 * (sum + (sum + residual.sum) / FINER);
                let weight = coding.weight + (coding.weight + residual.weight) / FINER;
                (coding, offset, weight, self.norm + coding.error, coding.error + residual.error, residual.error)
            }
        };
        let slack = NARROW * (255.0 * weight + offset.abs());
        let terms = Terms {
            constant,
            offset: slack - sign * offset,
            missed: missed * (1.0 + ROUNDING),
            rest: rest * (1.0 + ROUNDING),
            centred: centred + ROUNDING * (self.norm + coding.error),
            norm,
            square: if self.metric == Metric::L2 { square } else { 0.0 },
        };
        terms.per(coding.step)
    }

    /// A margin without errors, the same for all levels: rows that survive it, by their products up to a level, probably
    /// reach the threshold; it rules nothing out.
    pub(crate) fn likely(&self, level: Level, threshold: f32) -> Margin {
        self.margin(Product::Codes(&self.fine, level), threshold).without_errors(self.share(level) as f32)
    }

    /// The share of the components that the products of a level include: every part tells equally much about the others.
    fn share(&self, level: Level) -> f64 {
        if level == Level::FirstHigh { self.first as f64 / self.fine.codes.len() as f64 } else { 1.0 }
    }

    /// An estimate of a row's merit from its codes up to a level, used only to order candidates; −∞ if there is none.
    /// The product is that with `fine`.
    pub(crate) fn estimate(&self, record: &Record, level: Level, product: i32) -> f32 {
        let product = (f64::from(product) - self.fine.offset(level)) / self.share(level);
        let score = self.base + f64::from(record.scale) * self.fine.step * product;
        let merit = match self.metric {
            Metric::Dot => score,
            Metric::Cosine => score / (self.norm * f64::from(record.norm)),
            Metric::L2 => -(self.norm.powi(2) + f64::from(record.centred).powi(2) - 2.0 * score).max(0.0).sqrt(),
        };
        if merit.is_nan() { f32::NEG_INFINITY } else { merit as f32 }
    }
}

fn length(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}
