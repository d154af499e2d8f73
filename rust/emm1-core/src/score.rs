//! The reference score: f64 sums in sixteen lanes, rounded once, the same bits on every machine.

use std::str::FromStr;

use crate::error::Error;

/// How alike two vectors are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// a·b / (√(a·a) · √(b·b)); 0 where either is a zero vector.
    Cosine,
    /// a·b.
    Dot,
    /// Euclidean distance: the smallest is best.
    L2,
}

impl FromStr for Metric {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "cosine" => Ok(Self::Cosine),
            "dot" => Ok(Self::Dot),
            "l2" => Ok(Self::L2),
            _ => Err(Error::Request(format!("unknown metric '{name}': cosine, dot or l2"))),
        }
    }
}

const LANES: usize = 16;

/// Sums `term(a[i], b[i])`: lane j takes the elements i with i mod 16 = j in order, then the lanes are folded in halves.
#[inline(always)]
fn lanes(a: &[f32], b: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    let mut sums = [0.0f64; LANES];
    let (mut a, mut b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    for (x, y) in a.by_ref().zip(b.by_ref()) {
        for lane in 0..LANES {
            sums[lane] += term(f64::from(x[lane]), f64::from(y[lane]));
        }
    }
    for (lane, (&x, &y)) in a.remainder().iter().zip(b.remainder()).enumerate() {
        sums[lane] += term(f64::from(x), f64::from(y));
    }
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
    }
    sums[0]
}

/// a·b in f64. Finite for finite vectors, so that anything else betrays a NaN or an infinity.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    lanes(a, b, |x, y| x * y)
}

fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    lanes(a, b, |x, y| {
        let difference = x - y;
        difference * difference
    })
}

/// A query, with what is computed of it once.
pub(crate) struct Query<'a> {
    vector: &'a [f32],
    norm: f64,
}

impl<'a> Query<'a> {
    pub(crate) fn new(vector: &'a [f32]) -> Self {
        Self { vector, norm: dot(vector, vector).sqrt() }
    }

    /// Score of a row whose norm is `norm` (used by cosine alone); None where the row is not finite.
    pub(crate) fn score(&self, metric: Metric, row: &[f32], norm: f64) -> Option<f32> {
        let value = match metric {
            Metric::Dot => dot(self.vector, row),
            Metric::L2 => squared_distance(self.vector, row).sqrt(),
            Metric::Cosine => {
                let product = dot(self.vector, row);
                if product.is_finite() && (self.norm == 0.0 || norm == 0.0) {
                    0.0
                } else {
                    product / (self.norm * norm)
                }
            }
        };
        value.is_finite().then_some(value as f32)
    }
}

/// √(row·row), which cosine needs; 0 for the other metrics.
pub(crate) fn norm(metric: Metric, row: &[f32]) -> f64 {
    if metric == Metric::Cosine { dot(row, row).sqrt() } else { 0.0 }
}

/// Reference score of two vectors of the same length; None where one holds NaN or an infinity.
///
/// ```
/// use emm1_core::{Metric, score};
/// assert_eq!(score(Metric::L2, &[3.0, 0.0], &[0.0, 4.0]), Some(5.0));
/// ```
pub fn score(metric: Metric, a: &[f32], b: &[f32]) -> Option<f32> {
    Query::new(a).score(metric, b, norm(metric, b))
}
