//! How a row becomes codes: centred, rotated, rounded to eight bits, split into two planes of nibbles.

use crate::codes::Record;
use crate::error::Result;
use crate::kernel::{Kernels, SLACK, kernels};
use crate::rotation::Rotation;

/// Turns rows into codes; holds what all rows of a file share.
#[derive(Debug)]
pub(crate) struct Encoder {
    /// Subtracted from every row before it is coded: far from the origin, what is left is all that tells rows apart.
    mean: Vec<f32>,
    rotation: Rotation,
    kernels: &'static Kernels,
}

impl std::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Codes of consecutive rows, in memory.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) records: Vec<u8>,
    pub(crate) high: Vec<u8>,
    pub(crate) low: Vec<u8>,
}

/// Relative to the norm of the centred row, all that rounding in f32 may add to what the codes miss: the rotation (28
/// units of 2⁻²⁴ at the most dims there can be), the centred row itself, and the differences from the codes.
const ROUNDING: f64 = 2.5e-6;

impl Encoder {
    pub(crate) fn new(mean: Vec<f32>) -> Result<Self> {
        Ok(Self::with(kernels()?, mean))
    }

    pub(crate) fn with(kernels: &'static Kernels, mean: Vec<f32>) -> Self {
        Self { rotation: Rotation::new(mean.len()), mean, kernels }
    }

    pub(crate) fn mean(&self) -> &[f32] {
        &self.mean
    }

    pub(crate) fn rotation(&self) -> &Rotation {
        &self.rotation
    }

    /// Bytes of a row in each plane.
    pub(crate) fn width(&self) -> usize {
        self.mean.len().div_ceil(2)
    }

    /// Codes rows (finite, each as long as the mean) into an empty block; `fill` writes row i to the slice it is given.
    pub(crate) fn block(&self, rows: usize, mut fill: impl FnMut(usize, &mut [f32]) -> Result<()>) -> Result<Block> {
        let width = self.width();
        let mut block = Block {
            records: Vec::with_capacity(rows * Record::BYTES),
            high: vec![0; rows * width + SLACK],
            low: vec![0; rows * width + SLACK],
        };
        let mut row = vec![0.0; self.mean.len()];
        for number in 0..rows {
            fill(number, &mut row)?;
            let part = number * width..(number + 1) * width;
            let record = self.row(&mut row, &mut block.high[part.clone()], &mut block.low[part]);
            block.records.extend(record.to_bytes());
        }
        Ok(block)
    }

    /// Codes one row, which is overwritten.
    fn row(&self, row: &mut [f32], high: &mut [u8], low: &mut [u8]) -> Record {
        let norm = (self.kernels.square)(row).sqrt();
        for (value, &mean) in row.iter_mut().zip(&self.mean) {
            *value -= mean;
        }
        let centred = (self.kernels.square)(row).sqrt();
        self.rotation.rotate(self.kernels, row);
        let largest = row.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        let scale = largest / 127.0;
        let missed = (self.kernels.quantize)(row, scale, high, low);
        let lost = (row.len() as f64).sqrt() * 1e-22; // squares that underflow
        let added = 1.0001 + row.len() as f64 * 4e-9; // sums of squares in f32
        // Beyond these nothing is known: squares of lengths would leave the range of f32.
        let known = (centred == 0.0 || (1e-18..1e18).contains(&centred)) && (norm as f32).next_up().is_finite();
        let residual = |squares: f32| {
            let bound = f64::from(squares).sqrt() * added + ROUNDING * centred + lost;
            if known && bound.is_finite() { bound } else { f64::INFINITY }
        };
        Record::rounded_up(scale, norm, centred * (1.0 + 1e-6), missed.map(residual))
    }
}
