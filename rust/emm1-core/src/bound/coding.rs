//! Queries, quantized to signed bytes.

use crate::shape::{FINER, Level};

/// The components of a query, quantized.
#[derive(Debug)]
pub(crate) struct Coding {
    /// Components from −`most` to `most`.
    pub(crate) codes: Vec<i8>,
    /// The step t.
    pub(super) step: f64,
    /// Σ b over each part.
    pub(super) sums: [f64; 2],
    /// Σ |b|.
    pub(super) weight: f64,
    /// ε.
    pub(super) error: f64,
}

impl Coding {
    /// Quantizes a rotated query whose first part has `first` components.
    pub(super) fn new(rotated: &[f64], first: usize, most: i8) -> Self {
        let largest = rotated.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
        let most = f64::from(most);
        let step = largest / most;
        let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
        let (mut sums, mut weight, mut squares) = ([0.0; 2], 0.0, 0.0);
        let codes = rotated.iter().enumerate().map(|(at, value)| {
            let code = (value * inverse).clamp(-most, most).round_ties_even();
            sums[usize::from(at >= first)] += code;
            weight += code.abs();
            squares += (value - step * code).powi(2);
            code as i8
        });
        let codes = codes.collect();
        Self { codes, step, sums, weight, error: squares.sqrt() }
    }

    /// What the products of a level exceed those of the values by: a byte encodes its value minus 128, and a high nibble
    /// stands for the middle of its sixteen bytes.
    pub(super) fn offset(&self, level: Level) -> f64 {
        let [first, second] = self.sums;
        match level {
            Level::FirstHigh => 120.5 * first,
            Level::High => 120.5 * (first + second),
            Level::FirstBytes => 128.0 * first + 120.5 * second,
            Level::Bytes => 128.0 * (first + second),
        }
    }
}

/// What the coding of a query missed, quantized in steps of a 256th of its step.
#[derive(Debug)]
pub(crate) struct Residual {
    /// Components from −127 to 127.
    pub(crate) codes: Vec<i8>,
    /// Σ b₂ and Σ |b₂|.
    pub(super) sum: f64,
    pub(super) weight: f64,
    /// ε₂.
    pub(super) error: f64,
}

impl Residual {
    pub(super) fn new(rotated: &[f64], coding: &Coding) -> Self {
        let step = coding.step / FINER;
        let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
        let (mut sum, mut weight, mut squares) = (0.0, 0.0, 0.0);
        let codes = rotated.iter().zip(&coding.codes).map(|(value, &code)| {
            let missed = value - coding.step * f64::from(code);
            let code = (missed * inverse).clamp(-127.0, 127.0).round_ties_even();
            sum += code;
            weight += code.abs();
            squares += (missed - step * code).powi(2);
            code as i8
        });
        let codes = codes.collect();
        Self { codes, sum, weight, error: squares.sqrt() }
    }
}
