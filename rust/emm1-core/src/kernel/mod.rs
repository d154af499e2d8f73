//! The inner loops, and the choice of an instruction set, made once at run time.
//!
//! Every kernel is written once, over slices: [`scalar`] compiles it for any processor, and `avx2` and `avx512` compile
//! the same source with wider registers (`x86`). Only the integer products and the sums of the reference score are
//! written by hand for each instruction set, because compilers do not find those instructions. All instruction sets
//! give the same bits: integers are exact, and floating-point sums have a fixed order.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod divide;
#[cfg(target_arch = "aarch64")]
mod neon;
mod of_row;
mod prefetch;
mod scalar;
mod sketch;
#[cfg(test)]
mod tests;
pub mod workloads;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::Range;
use std::sync::OnceLock;

use crate::error::{Error, Result};
use crate::shape::{
    Finish, Level, Margin, Margins, Panel, Plane, Record, Row, STEP, SketchQuery, SketchTile, Sketched, Survivor,
    WIDEST,
};
pub(crate) use of_row::OfRow;
pub(crate) use prefetch::prefetch;
pub(crate) use sketch::{ROWS, panels, roundings};

/// Rows whose lanes are summed together.
pub(crate) const FOUR: usize = 4;

/// Whether ascending rows are consecutive.
pub(crate) fn consecutive(rows: &[u32]) -> bool {
    match rows {
        [first, .., last] => last.wrapping_sub(*first) as usize == rows.len() - 1,
        _ => true,
    }
}

/// Sums of products of nibbles (0 to 15) and query components (−127 to 127), for rows of a plane.
///
/// For each [`STEP`] bytes of a row, the query holds `STEP` components for the low nibbles, then `STEP` for the high
/// ones (see [`pack`]).
pub(crate) type Dots = fn(Plane<'_>, &[u32], &[i8], &mut [i32]);

/// Arranges the components of a query for [`Dots`] with a plane of this width; they are those of the part that the
/// plane holds.
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

/// Removes the rows that the margin of a query rules out.
pub(crate) type Prune = fn(&[[u8; Record::BYTES]], Level, &Margin, &mut Vec<Survivor>);

/// A plane, the packed components of a query, and the weight of their products.
pub(crate) type Factor<'a> = (Plane<'a>, &'a [i8], i32);

/// [`Dots`] and [`Prune`] fused, for consecutive rows whose number is a multiple of [`RUN`]: appends the rows that
/// survive the sum of their products with all factors.
pub(crate) type DotsAndPrune =
    fn(&[Factor<'_>], &[[u8; Record::BYTES]], Range<usize>, Level, &Margin, &mut Vec<Survivor>);

/// Consecutive rows that are multiplied and pruned at a time.
pub(crate) const RUN: usize = 16;

/// [`Prune`] for the queries of a panel and products of whole bytes: gives the rows that survive and, for each, a bit
/// for each query.
pub(crate) type PrunePanel = fn(&[[u8; Record::BYTES]], &[u32], &[i32], &Margins, usize, &mut Vec<(u32, u32)>);

/// [`PrunePanel`] with the converses too: counts for each query the rows that it is certain about, whose margin survives
/// and whose converse does not, and gives the rows of which neither is certain, with a bit for each query.
pub(crate) type Divide = fn(&[[u8; Record::BYTES]], &[u32], &[i32], &[Margins; 2], usize, &mut Divided);

/// [`Divide`] again for the rows that it gave, with what both codings missed: the finer products are added to the others,
/// and for each row the error that is then left is known. Rows without finer products have an infinite one, and stay.
pub(crate) type DivideFiner =
    fn(&[[u8; Record::BYTES]], &[u32], [&[i32]; 2], &[f32], &[Margins; 2], usize, &mut Divided);

/// Adds the products of a row of bytes with those queries that have a bit to their sums. Its length is a multiple of
/// [`STEP`], and the queries are as long, one after another.
pub(crate) type RowDots = fn(&[u8], &[i8], u32, &mut [i32]);

/// What [`Divide`] finds.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Divided {
    /// For each query the rows that are above all that it ranks.
    pub(crate) above: [u32; WIDEST],
    /// The rows that are undecided, and a bit for each query.
    pub(crate) unsure: Vec<(u32, u32)>,
}

/// Joins the high and low nibbles of a part of a row into bytes, in the order of the components; a byte is the code
/// plus 128.
pub(crate) type Unpack = fn(&[u8], &[u8], &mut [u8]);

/// Multiplies rows of bytes, each [`stride`](crate::shape::stride) long and a multiple of [`TILE`](crate::shape::TILE)
/// in number, by a panel: gives the products of each row with all queries.
pub(crate) type Multiply = fn(&[u8], &Panel, &mut [i32]);

/// Quantizes values in steps of a scale into planes of high and low nibbles; gives the sums of squared errors of the
/// high nibbles alone, and of both.
pub(crate) type Quantize = fn(&[f32], f32, &mut [u8], &mut [u8]) -> [f32; 2];

/// Quantizes what the bytes of a rotated row missed, in steps of `scale` / [`FINER`](crate::shape::FINER), to bytes; gives
/// the sum of squared errors.
pub(crate) type QuantizeFiner = fn(&[f32], f32, &[u8], &mut [u8]) -> f32;

/// Upper bounds and estimates of the products of a query with sketched rows, in the units of its factors.
pub(crate) type Sketch = fn(Sketched<'_>, &SketchQuery, &mut [f32], &mut [f32]);

/// [`Sketch`] with several queries: the bounds and estimates of all rows for the first query, then for the second, and so on.
pub(crate) type SketchedTile = fn(Sketched<'_>, &SketchTile<'_>, &mut [f32], &mut [f32]);

/// Makes the bounds and estimates of rows with these records, in place, those of scores.
pub(crate) type Finished = fn(&[[u8; Record::BYTES]], Finish, &mut [f32], &mut [f32]);

/// Appends the positions of the bounds that do not rule out that what is needed is reached.
pub(crate) type Reaching = fn(&[f32], f32, &mut Vec<u32>);

/// Products of rows, a multiple of [`ROWS`], with axes in [`panels`], for rows of so many components: for each row those
/// with all axes, and with the zeros after them.
pub(crate) type Project = fn(&[f32], &[f32], usize, &mut [f32]);

/// The inner loops for one instruction set.
pub(crate) struct Kernels {
    /// Its name in `EMM1_SIMD`.
    pub(crate) name: &'static str,
    /// The largest component of a query in a panel for which `multiply` does not overflow.
    pub(crate) max_component: i8,
    pub(crate) dots_and_prune: DotsAndPrune,
    pub(crate) dots: Dots,
    pub(crate) prune: Prune,
    pub(crate) unpack: Unpack,
    pub(crate) multiply: Multiply,
    pub(crate) prune_panel: PrunePanel,
    pub(crate) divide: Divide,
    pub(crate) divide_finer: DivideFiner,
    pub(crate) row_dots: RowDots,
    /// a·b as defined by the reference score.
    pub(crate) dot: OfRow<[f64], f64>,
    /// b·b as defined by the reference score.
    pub(crate) square: OfRow<(), f64>,
    /// The bits of [`dot`](Self::dot) and those of [`square`](Self::square), from reading b once.
    pub(crate) dot_and_square: OfRow<[f64], [f64; 2]>,
    /// The sum of squared differences as defined by the reference score.
    pub(crate) squared_distance: OfRow<[f64], f64>,
    /// a·b in f32: each product and each sum is rounded, and no term takes part in more than a 64th of them and seven.
    pub(crate) rough_dot: OfRow<[f32], f32>,
    /// The fast Walsh–Hadamard transform in place; the length is a power of two.
    pub(crate) hadamard: fn(&mut [f32]),
    /// Quantizes a rotated row (see `codes::encode`).
    pub(crate) quantize: Quantize,
    pub(crate) quantize_finer: QuantizeFiner,
    pub(crate) sketch: Sketch,
    pub(crate) sketch_tile: SketchedTile,
    pub(crate) finish: Finished,
    pub(crate) reaching: Reaching,
    pub(crate) project: Project,
}

impl std::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The kernels for this processor, or those that `EMM1_SIMD` names (scalar, avx2, avx512, neon).
///
/// # Errors
/// `EMM1_SIMD` names an instruction set that does not exist or that this processor lacks.
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

/// The instruction sets of this processor, the fastest first.
pub(crate) fn available() -> impl Iterator<Item = &'static Kernels> {
    #[cfg(target_arch = "x86_64")]
    let sets = [avx512::kernels(), avx2::kernels(), Some(&scalar::KERNELS)];
    #[cfg(target_arch = "aarch64")]
    let sets = [neon::kernels(), Some(&scalar::KERNELS)];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let sets = [Some(&scalar::KERNELS)];
    sets.into_iter().flatten()
}
