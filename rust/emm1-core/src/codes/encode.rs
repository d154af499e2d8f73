//! Encodes rows: centred, rotated, quantized to eight bits, split into four planes of nibbles.

use crate::error::Result;
use crate::kernel::{Kernels, kernels};
use crate::rotation::Rotation;
use crate::shape::{Level, Missed, Parts, Record, SLACK, round_up_to_bf16};

/// Encodes rows; holds what all rows of a file share.
#[derive(Debug)]
pub(crate) struct Encoder {
    /// Subtracted from every row before it is coded: if the rows are far from the origin, only the difference
    /// distinguishes them.
    mean: Vec<f32>,
    rotation: Rotation,
    kernels: &'static Kernels,
}

/// Codes of consecutive rows, in memory.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) records: Vec<u8>,
    /// In the order of the levels.
    pub(crate) planes: [Vec<u8>; 4],
}

/// An upper bound of what f32 rounding adds to the error of the codes, relative to the norm of the centred row: the
/// rotation (28 units of 2⁻²⁴ at the maximum dims), the centred row itself, and the differences from the codes.
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

    /// How rows are divided in two parts.
    pub(crate) fn parts(&self) -> Parts {
        Parts::of(self.mean.len())
    }

    /// Encodes rows (finite, each as long as the mean) into a new block; `fill` writes row i to the slice it is given.
    pub(crate) fn block(&self, rows: usize, mut fill: impl FnMut(usize, &mut [f32]) -> Result<()>) -> Result<Block> {
        let widths = self.parts().widths;
        let mut block = Block {
            records: Vec::with_capacity(rows * Record::BYTES),
            planes: Level::ALL.map(|level| vec![0; rows * widths[level.part()] + SLACK]),
        };
        let mut row = vec![0.0; self.mean.len()];
        for number in 0..rows {
            fill(number, &mut row)?;
            let mut levels = Level::ALL.into_iter();
            let planes = block.planes.each_mut().map(|plane| {
                let width = widths[levels.next().expect("as many as planes").part()];
                &mut plane[number * width..(number + 1) * width]
            });
            block.records.extend(self.row(&mut row, planes));
        }
        Ok(block)
    }

    /// Encodes one row, which is overwritten, into its part of each plane.
    fn row(&self, row: &mut [f32], [high, high_rest, low, low_rest]: [&mut [u8]; 4]) -> [u8; Record::BYTES] {
        let norm = self.kernels.square.of(&(), (&*row).into()).sqrt();
        for (value, &mean) in row.iter_mut().zip(&self.mean) {
            *value -= mean;
        }
        let centred = self.kernels.square.of(&(), (&*row).into()).sqrt();
        self.rotation.rotate(self.kernels, row);
        let largest = row.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        let scale = round_up_to_bf16(largest / 127.0);
        let (first, second) = row.split_at(self.parts().first);
        let [coarse, fine] = (self.kernels.quantize)(first, scale, high, low);
        let [coarse_rest, fine_rest] = (self.kernels.quantize)(second, scale, high_rest, low_rest);
        // Outside these ranges nothing is known: squared norms would leave the range of f32.
        let known = (centred == 0.0 || (1e-18..1e18).contains(&centred)) && (norm as f32).next_up().is_finite();
        let length = |squares: f64| {
            let bound = at_most(squares, centred, row.len());
            if known && bound.is_finite() { bound } else { f64::INFINITY }
        };
        let missed = Missed {
            coarse: length(f64::from(coarse) + f64::from(coarse_rest)),
            mixed: length(f64::from(fine) + f64::from(coarse_rest)),
            fine: length(f64::from(fine) + f64::from(fine_rest)),
        };
        let rest = length(self.kernels.square.of(&(), second.into()));
        Record::rounded_up(scale, norm, centred * (1.0 + 1e-6), rest, &missed)
    }

    /// Codes what the codes of a row missed in steps of a 256th of its scale, and gives a bound of what is missed still. The
    /// row is overwritten; both codes are bytes, in the order of the components.
    pub(crate) fn finer(&self, row: &mut [f32], record: &Record, codes: &[u8], out: &mut [u8]) -> f32 {
        for (value, &mean) in row.iter_mut().zip(&self.mean) {
            *value -= mean;
        }
        self.rotation.rotate(self.kernels, row);
        let squares = (self.kernels.quantize_finer)(row, record.scale, codes, out);
        let bound = at_most(f64::from(squares), f64::from(record.centred), row.len());
        // Where nothing is known about the codes, nothing is known about what they missed.
        if record.fine.is_finite() && bound.is_finite() { (bound as f32).next_up() } else { f32::INFINITY }
    }
}

/// An upper bound of a length, given the sum of squares in f32 and the norm of the centred row that it is part of.
fn at_most(squares: f64, centred: f64, dims: usize) -> f64 {
    let lost = if centred > 0.0 { (dims as f64).sqrt() * 1e-22 } else { 0.0 }; // squares that underflow
    let added = 1.0001 + dims as f64 * 4e-9; // sums of squares in f32
    squares.sqrt() * added + ROUNDING * centred + lost
}
