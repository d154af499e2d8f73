//! Codes of an embedding file: eight bits a component in two planes of nibbles, and what they miss.

mod encode;
mod file;

pub(crate) use encode::{Block, Encoder};
pub use file::CodesFile;
pub(crate) use file::sampled_mean;

use crate::bound::Level;
use crate::kernel::Plane;

/// What is known of a coded row: 16 bytes.
///
/// With x the row, x′ the row less the mean, R the rotation and c its codes, ‖R x′ − scale · c‖ is at most `fine`, and with
/// the high nibbles alone at most `coarse`. All are rounded up; an infinity says that nothing is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) scale: f32,
    /// ‖x‖, at most 2⁻²² too large.
    pub(crate) norm: f32,
    /// ‖x′‖, at most 2⁻¹⁹ too large.
    pub(crate) centred: f32,
    pub(crate) coarse: f32,
    pub(crate) fine: f32,
}

impl Record {
    pub(crate) const BYTES: usize = 16;

    /// What the codes miss at a level.
    #[inline(always)]
    pub(crate) fn missed(&self, level: Level) -> f32 {
        match level {
            Level::High => self.coarse,
            Level::Bytes => self.fine,
        }
    }

    fn rounded_up(scale: f32, norm: f64, centred: f64, [coarse, fine]: [f64; 2]) -> Self {
        let up = |value: f64| (value as f32).next_up();
        Self { scale, norm: up(norm), centred: up(centred), coarse: half_up(up(coarse)), fine: half_up(up(fine)) }
    }

    fn to_bytes(self) -> [u8; Self::BYTES] {
        let residuals = self.coarse.to_bits() | self.fine.to_bits() >> 16;
        let words = [self.scale.to_bits(), self.norm.to_bits(), self.centred.to_bits(), residuals];
        let mut bytes = [0; Self::BYTES];
        bytes.as_chunks_mut().0.iter_mut().zip(words).for_each(|(bytes, word)| *bytes = word.to_le_bytes());
        bytes
    }

    #[inline(always)]
    pub(crate) fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Self {
            scale: f32::from_bits(word(0)),
            norm: f32::from_bits(word(4)),
            centred: f32::from_bits(word(8)),
            coarse: f32::from_bits(word(12) & 0xffff_0000),
            fine: f32::from_bits(word(12) << 16),
        }
    }
}

/// The next value that has only the upper 16 bits of an f32.
fn half_up(value: f32) -> f32 {
    if value.is_finite() { f32::from_bits((value.to_bits() + 0xffff) & 0xffff_0000) } else { f32::INFINITY }
}

/// Coded rows, in a file or in memory; row 0 is the first of these.
#[derive(Clone, Copy)]
pub(crate) struct Coded<'a> {
    pub(crate) records: &'a [[u8; Record::BYTES]],
    pub(crate) high: Plane<'a>,
    pub(crate) low: Plane<'a>,
}

impl Block {
    pub(crate) fn coded(&self, width: usize) -> Coded<'_> {
        Coded {
            records: self.records.as_chunks().0,
            high: Plane { bytes: &self.high, width },
            low: Plane { bytes: &self.low, width },
        }
    }
}
