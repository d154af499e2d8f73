//! The reference score: f64 sums in sixteen lanes (see `kernel`), rounded once, the same bits on every machine.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;
use crate::kernel::{Kernels, kernels};

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
    norm: f64,
    metric: Metric,
    kernels: &'static Kernels,
}

impl Query {
    pub(crate) fn new(kernels: &'static Kernels, vector: &[f32], metric: Metric) -> Self {
        let mut query = Self { vector: Vec::new(), norm: 0.0, metric, kernels };
        query.set(vector);
        query
    }

    /// Replaces the query and reuses its memory.
    pub(crate) fn set(&mut self, vector: &[f32]) {
        self.norm = (self.kernels.square)(vector).sqrt();
        self.vector.clear();
        self.vector.extend(vector.iter().copied().map(f64::from));
    }

    /// The score of a row; None if the row is not finite. A dot product or a distance beyond f32 becomes an infinity,
    /// which is ordered correctly but must not be returned.
    pub(crate) fn score(&self, row: &[f32]) -> Option<f32> {
        self.score_with(row, self.norm_of(row))
    }

    /// √(row·row), which cosine needs; 0 for the other metrics.
    pub(crate) fn norm_of(&self, row: &[f32]) -> f64 {
        if self.metric == Metric::Cosine { (self.kernels.square)(row).sqrt() } else { 0.0 }
    }

    /// The score of a row whose norm (from [`norm_of`](Self::norm_of)) is known.
    pub(crate) fn score_with(&self, row: &[f32], norm: f64) -> Option<f32> {
        let value = match self.metric {
            Metric::Dot => (self.kernels.dot)(&self.vector, row),
            Metric::L2 => (self.kernels.squared_distance)(&self.vector, row).sqrt(),
            Metric::Cosine => {
                let product = (self.kernels.dot)(&self.vector, row);
                if product.is_finite() && (self.norm == 0.0 || norm == 0.0) {
                    0.0
                } else {
                    product / (self.norm * norm)
                }
            }
        };
        // Finite for finite vectors: anything else indicates a NaN or an infinity.
        value.is_finite().then_some(value as f32)
    }
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
    Ok(Query::new(kernels()?, a, metric).score(b))
}
