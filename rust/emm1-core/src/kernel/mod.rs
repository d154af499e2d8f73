//! The inner loops, and the choice of an instruction set, made once.
//!
//! Every kernel is written once, over plain slices: [`scalar`] compiles it for any processor, `avx2` and `avx512` compile
//! the same source with wider registers (`x86`). Only the products and the sums of the reference score are written by hand
//! for each, since no compiler finds the instructions. All sets give the same bits: integers are exact, and sums of floats
//! are fixed in their order.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod prefetch;
mod scalar;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::Range;
use std::sync::OnceLock;

use crate::error::{Error, Result};
use crate::shape::{Level, Margin, Margins, Panel, Plane, Record, STEP, Survivor};
pub(crate) use prefetch::prefetch;

/// Rows whose products are summed over their lanes together.
pub(crate) const FOUR: usize = 4;

/// Whether ascending rows follow one another without gaps.
pub(crate) fn consecutive(rows: &[u32]) -> bool {
    match rows {
        [first, .., last] => last.wrapping_sub(*first) as usize == rows.len() - 1,
        _ => true,
    }
}

/// Sums of products of nibbles (0 to 15) and query components (−127 to 127), for rows of a plane.
///
/// For each [`STEP`] bytes of a row, the query holds `STEP` components for the low halves and `STEP` for the high ones (see
/// [`pack`]).
pub(crate) type Dots = fn(Plane<'_>, &[u32], &[i8], &mut [i32]);

/// Arranges the components of a query, those of the part that a plane has, for [`Dots`]; `width` is that of the plane.
pub(crate) fn pack(width: usize, query: &[i8]) -> Vec<i8> {
    let mut packed = vec![0; width.next_multiple_of(STEP) * 2];
    let (low, high) = query.split_at(width.min(query.len()));
    for (half, components) in [low, high].into_iter().enumerate() {
        for (step, components) in components.chunks(STEP).enumerate() {
            let place = (step * 2 + half) * STEP;
            packed[place..place + components.len()].copy_from_slice(components);
        }
    }
    packed
}

/// Keeps the rows that the margin of a query cannot leave out.
pub(crate) type Prune = fn(&[[u8; Record::BYTES]], &[u32], Level, &Margin, &mut Vec<Survivor>);

/// A plane, the components of a query to multiply it with, and what the products count.
pub(crate) type Factor<'a> = (Plane<'a>, &'a [i8], i32);

/// For as many consecutive rows as [`RUN`] divides: the sums of their products with all factors, and those rows that the
/// margin at a level leaves, appended with their positions.
pub(crate) type DotsAndPrune =
    fn(&[Factor<'_>], &[[u8; Record::BYTES]], Range<usize>, Level, &Margin, &mut Vec<Survivor>);

/// Consecutive rows are scanned so many at a time.
pub(crate) const RUN: usize = 16;

/// The same for the queries of a panel and products with whole bytes; gives a bit for each query too.
pub(crate) type PrunePanel = fn(&[[u8; Record::BYTES]], &[u32], &[i32], &Margins, usize, &mut Vec<(u32, u32)>);

/// Puts the high and low nibbles of a part of a row together: bytes in the order of the components, each its code plus 128.
pub(crate) type Unpack = fn(&[u8], &[u8], &mut [u8]);

/// Sums of products of rows of bytes (each [`stride`] long, a multiple of [`TILE`] of them) and the queries of a panel: for
/// each row, those with all queries.
pub(crate) type Multiply = fn(&[u8], &Panel, &mut [i32]);

/// Codes values in steps of a scale into planes of high and low nibbles; gives the sums of squares that the high nibbles
/// alone miss, and that both miss.
pub(crate) type Quantize = fn(&[f32], f32, &mut [u8], &mut [u8]) -> [f32; 2];

/// The inner loops for one instruction set.
pub(crate) struct Kernels {
    /// `EMM1_SIMD` calls it so.
    pub(crate) name: &'static str,
    /// The largest component of a query in a panel: what `multiply` can take without an overflow.
    pub(crate) max_component: i8,
    pub(crate) dots_and_prune: DotsAndPrune,
    pub(crate) dots: Dots,
    pub(crate) prune: Prune,
    pub(crate) unpack: Unpack,
    pub(crate) multiply: Multiply,
    pub(crate) prune_panel: PrunePanel,
    /// a·b as the reference score has it.
    pub(crate) dot: fn(&[f64], &[f32]) -> f64,
    /// a·a, likewise.
    pub(crate) square: fn(&[f32]) -> f64,
    /// The sum of squared differences as the reference score has it.
    pub(crate) squared_distance: fn(&[f64], &[f32]) -> f64,
    /// The fast Walsh–Hadamard transform in place; the length is a power of two.
    pub(crate) hadamard: fn(&mut [f32]),
    /// Codes a rotated row (see `codes::encode`).
    pub(crate) quantize: Quantize,
}

impl std::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The loops for this processor, or those that `EMM1_SIMD` names (scalar, avx2, avx512, neon).
///
/// # Errors
/// `EMM1_SIMD` names a set that does not exist or that this processor lacks.
pub(crate) fn kernels() -> Result<&'static Kernels> {
    static CHOSEN: OnceLock<Option<&'static Kernels>> = OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| {
        let mut available = available();
        match std::env::var("EMM1_SIMD") {
            Ok(wanted) if !wanted.is_empty() => available.find(|kernels| kernels.name == wanted),
            _ => available.next(),
        }
    });
    chosen.ok_or_else(|| {
        let names: Vec<_> = available().map(|kernels| kernels.name).collect();
        Error::Request(format!("EMM1_SIMD is none of the instruction sets of this processor: {}", names.join(", ")))
    })
}

/// The sets that this processor has, the fastest first.
pub(crate) fn available() -> impl Iterator<Item = &'static Kernels> {
    #[cfg(target_arch = "x86_64")]
    let sets = [avx512::kernels(), avx2::kernels(), Some(&scalar::KERNELS)];
    #[cfg(target_arch = "aarch64")]
    let sets = [neon::kernels(), Some(&scalar::KERNELS)];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let sets = [Some(&scalar::KERNELS)];
    sets.into_iter().flatten()
}
