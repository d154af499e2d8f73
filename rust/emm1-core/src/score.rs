//! The reference score: f64 sums in sixteen lanes (see `kernel`), rounded once, the same bits on every machine.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;
use crate::kernel::{Kernels, kernels};
use crate::shape::Row;

/// How similar two vectors are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// a·b / (√(a·a) · √(b·b)); 0 where either is a zero vector.
    Cosine,
    /// a·b.
    Dot,
    /// Euclidean distance: smaller is better.
    L2,
}

impl Metric {
    /// The score, or for l2 its negative, so that greater is better; −0.0 becomes 0.0.
    pub(crate) fn merit(self, score: f32) -> f32 {
        if self == Self::L2 { 0.0 - score } else { score + 0.0 }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cosine => "cosine",
            Self::Dot => "dot",
            Self::L2 => "l2",
        })
    }
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

/// A query, and what is computed from it once.
pub(crate) struct Query {
    vector: Vec<f64>,
    narrow: Vec<f32>,
    norm: f64,
    metric: Metric,
    kernels: &'static Kernels,
}

impl Query {
    pub(crate) fn new(kernels: &'static Kernels, vector: &[f32], metric: Metric) -> Self {
        let mut query = Self { vector: Vec::new(), narrow: Vec::new(), norm: 0.0, metric, kernels };
        query.set(vector.into());
        query
    }

    /// Replaces the query and reuses its memory.
    pub(crate) fn set(&mut self, vector: Row<'_>) {
        self.norm = self.kernels.square.of(&(), vector).sqrt();
        self.vector.clear();
        self.vector.reserve(vector.len());
        self.narrow.resize(vector.len(), 0.0);
        vector.widen(&mut self.narrow);
        self.vector.extend(self.narrow.iter().copied().map(f64::from));
    }

    /// Whether the query holds neither NaN nor an infinity.
    pub(crate) fn is_finite(&self) -> bool {
        self.norm.is_finite() // squares of f32 do not leave the range of f64
    }

    /// The score of a row; None if the row is not finite. A dot product or a distance beyond f32 becomes an infinity,
    /// which is ordered correctly but must not be returned.
    pub(crate) fn score(&self, row: Row<'_>) -> Option<f32> {
        if self.metric == Metric::Cosine {
            let [product, square] = self.kernels.dot_and_square.of(&self.vector, row);
            return rounded(self.cosine(product, square.sqrt()));
        }
        self.score_with(row, 0.0)
    }

    /// √(row·row), which cosine needs; 0 for the other metrics.
    pub(crate) fn norm_of(&self, row: Row<'_>) -> f64 {
        if self.metric == Metric::Cosine { self.kernels.square.of(&(), row).sqrt() } else { 0.0 }
    }

    /// Between which values the merit of a row lies before it is rounded, from a dot product in f32; `norm` is √(row·row).
    /// They are NaN if nothing is known.
    ///
    /// A sum of f32 products misses a·b by at most n·2⁻²⁴·‖a‖·‖b‖, where n is how many roundings a term passes (Higham,
    /// Accuracy and Stability of Numerical Algorithms, 3.1), and by what underflows.
    pub(crate) fn merit_bounds(&self, row: Row<'_>, norm: f64) -> [f64; 2] {
        let product = f64::from(self.kernels.rough_dot.of(&self.narrow, row));
        if !product.is_finite() {
            return [f64::NAN; 2];
        }
        let dims = row.len() as f64;
        let scale = self.norm * norm;
        let missed = (dims / 64.0 + 9.0) * 6e-8 * scale + dims * f64::from(f32::MIN_POSITIVE);
        match self.metric {
            Metric::Dot => [product - missed, product + missed],
            Metric::Cosine => [(product - missed) / scale, (product + missed) / scale],
            Metric::L2 => {
                let squares = self.norm * self.norm + norm * norm;
                let (square, missed) = (squares - 2.0 * product, 2.0 * missed + 1e-12 * squares);
                [-(square + missed).max(0.0).sqrt(), -(square - missed).max(0.0).sqrt()]
            }
        }
    }

    /// √(row·row), whatever the metric.
    pub(crate) fn length_of(&self, row: Row<'_>) -> f64 {
        self.kernels.square.of(&(), row).sqrt()
    }

    /// The score of a row whose norm (from [`norm_of`](Self::norm_of)) is known.
    pub(crate) fn score_with(&self, row: Row<'_>, norm: f64) -> Option<f32> {
        let value = match self.metric {
            Metric::Dot => self.kernels.dot.of(&self.vector, row),
            Metric::L2 => self.kernels.squared_distance.of(&self.vector, row).sqrt(),
            Metric::Cosine => self.cosine(self.kernels.dot.of(&self.vector, row), norm),
        };
        rounded(value)
    }

    /// The cosine of a row, given its dot product and its norm.
    fn cosine(&self, product: f64, norm: f64) -> f64 {
        if product.is_finite() && (self.norm == 0.0 || norm == 0.0) { 0.0 } else { product / (self.norm * norm) }
    }
}

/// A score, which is finite for finite vectors: anything else indicates a NaN or an infinity.
fn rounded(value: f64) -> Option<f32> {
    value.is_finite().then_some(value as f32)
}

/// The reference score of two vectors of the same length; None if one holds NaN or an infinity. A score beyond f32 is
/// an infinity.
///
/// # Errors
/// `EMM1_SIMD` names no instruction set of this processor.
///
/// ```
/// use emm1_core::{Metric, score};
/// assert_eq!(score(Metric::L2, &[3.0, 0.0], &[0.0, 4.0]).unwrap(), Some(5.0));
/// ```
pub fn score(metric: Metric, a: &[f32], b: &[f32]) -> Result<Option<f32>, Error> {
    Ok(Query::new(kernels()?, a, metric).score(b.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::available;
    use proptest::prelude::*;

    fn vector(dims: usize) -> impl Strategy<Value = Vec<f32>> {
        let scale = prop::sample::select(vec![0.0f32, 1e-41, 1e-30, 1e-20, 1.0, 1.0, 1.0, 6e4, 1e17, 1e30]);
        (prop::collection::vec(-1.0f32..1.0, dims), scale)
            .prop_map(|(values, scale)| values.iter().map(|value| value * scale).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn merits_lie_between_their_bounds(
            (a, b) in prop_oneof![1usize..20, Just(64), Just(100), Just(300)].prop_flat_map(|d| (vector(d), vector(d))),
            near in any::<bool>(),
        ) {
            let b = if near { a.iter().zip(&b).map(|(a, b)| a + b * 1e-3).collect() } else { b };
            for kernels in available() {
                for metric in [Metric::Dot, Metric::Cosine, Metric::L2] {
                    let query = Query::new(kernels, &a, metric);
                    let Some(score) = query.score(b[..].into()) else { continue };
                    let [low, high] = query.merit_bounds(b[..].into(), query.length_of(b[..].into()));
                    let merit = metric.merit(score);
                    prop_assert!(
                        !(low > f64::from(merit.next_up()) || high < f64::from(merit.next_down())),
                        "{metric:?} {low} {merit} {high}"
                    );
                }
            }
        }
    }
}
