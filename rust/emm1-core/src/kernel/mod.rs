//! The inner loops, and the choice of an instruction set, made once.
//!
//! Every kernel is written once, over plain slices: [`scalar`] compiles it for any processor, `avx2` and `avx512` compile
//! the same source with wider registers. Only the product of nibbles is written by hand for each, and for `neon`, since no
//! compiler finds the instructions. All sets give the same bits: integers are exact, and sums of floats are fixed in
//! their order.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use std::sync::OnceLock;

use crate::bound::Margins;
use crate::codes::Record;
use crate::error::{Error, Result};

/// Queries that are multiplied with a row at once.
pub(crate) const GROUP: usize = 8;

/// Bytes that a kernel may read past the end of a row; their products are with zeros.
pub(crate) const SLACK: usize = STEP;

/// Rows of nibbles: byte j of a row holds component j in its low half and component `width + j` in its high half.
#[derive(Clone, Copy)]
pub(crate) struct Plane<'a> {
    /// Rows without gaps, then at least [`SLACK`] bytes more.
    pub(crate) bytes: &'a [u8],
    /// Bytes of a row.
    pub(crate) width: usize,
}

impl Plane<'_> {
    /// A row and what follows it, `padded` bytes in all.
    #[inline(always)]
    fn row(&self, row: u32, padded: usize) -> &[u8] {
        let begin = row as usize * self.width;
        &self.bytes[begin..begin + padded]
    }
}

/// Sums of products of nibbles (0 to 15) and query components (−127 to 127), for rows of a plane.
///
/// For each [`STEP`] bytes of a row, the queries hold, one after another, `STEP` components for the low halves and `STEP`
/// for the high ones (see [`pack`]).
pub(crate) type Dots<const G: usize> = fn(Plane<'_>, &[u32], &[i8], &mut [[i32; G]]);

/// Bytes of a row for which the components of all queries of a group lie together.
pub(crate) const STEP: usize = 64;

/// Arranges the components of a group of queries for [`Dots`]; `width` is that of the plane.
pub(crate) fn pack<const G: usize>(width: usize, queries: [&[i8]; G]) -> Vec<i8> {
    let mut packed = vec![0; width.next_multiple_of(STEP) * 2 * G];
    for (g, query) in queries.into_iter().enumerate() {
        let (low, high) = query.split_at(width);
        for (half, components) in [low, high].into_iter().enumerate() {
            for (step, components) in components.chunks(STEP).enumerate() {
                let place = ((step * G + g) * 2 + half) * STEP;
                packed[place..place + components.len()].copy_from_slice(components);
            }
        }
    }
    packed
}

/// Finds the rows that the margins of a group cannot leave out: by products with the high nibbles and, where they are
/// given, the low ones. Gives the position of each and a bit for each query.
pub(crate) type Sift<const G: usize> =
    fn(&[[u8; Record::BYTES]], &[u32], &[[i32; G]], Option<&[[i32; G]]>, &Margins<G>, &mut Vec<(u32, u8)>);

/// Codes values in steps of a scale into planes of high and low nibbles; gives the sums of squares that the high nibbles
/// alone miss, and that both miss.
pub(crate) type Quantize = fn(&[f32], f32, &mut [u8], &mut [u8]) -> [f32; 2];

/// The inner loops for one instruction set.
pub(crate) struct Kernels {
    /// `EMM1_SIMD` calls it so.
    pub(crate) name: &'static str,
    /// One query.
    pub(crate) dots: Dots<1>,
    /// A group of queries: a row is unpacked once for all.
    pub(crate) dots_group: Dots<GROUP>,
    /// One query.
    pub(crate) sift: Sift<1>,
    /// A group of queries.
    pub(crate) sift_group: Sift<GROUP>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Products one by one, from the definition.
    fn naive(plane: Plane<'_>, row: u32, query: &[i8]) -> i32 {
        let bytes = &plane.bytes[row as usize * plane.width..][..plane.width];
        let low = bytes.iter().zip(query).map(|(byte, &q)| i32::from(byte & 15) * i32::from(q));
        let high = bytes.iter().zip(&query[plane.width..]).map(|(byte, &q)| i32::from(byte >> 4) * i32::from(q));
        low.chain(high).sum()
    }

    proptest! {
        #[test]
        fn products_of_nibbles_agree_with_the_definition(
            width in 1usize..700,
            odd in 0usize..2,
            seed in any::<u64>(),
            extreme in any::<bool>(),
        ) {
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 56) as u8
            };
            let mut bytes: Vec<u8> = (0..5 * width + SLACK).map(|_| if extreme { 255 } else { next() }).collect();
            bytes[5 * width..].fill(0xab); // what lies behind the last row counts for nothing
            let plane = Plane { bytes: &bytes, width };
            let queries: Vec<Vec<i8>> = (0..GROUP)
                .map(|g| {
                    let one = if g % 2 == 0 { 127 } else { -127 };
                    let dims = 2 * width - odd;
                    (0..dims).map(|_| if extreme { one } else { (next() as i8).max(-127) }).collect()
                })
                .collect();
            let rows = [4, 0, 2, 2];
            let single_query = pack(width, [&*queries[0]]);
            let group_of_queries = pack::<GROUP>(width, std::array::from_fn(|g| &*queries[g]));
            for kernels in available() {
                let mut single = [[0]; 4];
                (kernels.dots)(plane, &rows, &single_query, &mut single);
                let mut group = [[0; GROUP]; 4];
                (kernels.dots_group)(plane, &rows, &group_of_queries, &mut group);
                for (at, &row) in rows.iter().enumerate() {
                    prop_assert_eq!(single[at][0], naive(plane, row, &queries[0]), "{}", kernels.name);
                    for g in 0..GROUP {
                        prop_assert_eq!(group[at][g], naive(plane, row, &queries[g]), "{} {}", kernels.name, g);
                    }
                }
            }
        }

        #[test]
        fn every_set_gives_the_same_bits(a in prop::collection::vec(-1e3f32..1e3, 1..300), shift in -2.0f32..2.0) {
            let b: Vec<f32> = a.iter().rev().map(|value| value * shift + 0.1).collect();
            let wide: Vec<f64> = a.iter().copied().map(f64::from).collect();
            let dot = (scalar::KERNELS.dot)(&wide, &b).to_bits();
            let square = (scalar::KERNELS.square)(&b).to_bits();
            let distance = (scalar::KERNELS.squared_distance)(&wide, &b).to_bits();
            let length = 1 << a.len().ilog2();
            let mut rotated = a[..length].to_vec();
            (scalar::KERNELS.hadamard)(&mut rotated);
            for kernels in available() {
                prop_assert_eq!((kernels.dot)(&wide, &b).to_bits(), dot);
                prop_assert_eq!((kernels.square)(&b).to_bits(), square);
                prop_assert_eq!((kernels.squared_distance)(&wide, &b).to_bits(), distance);
                let mut theirs = a[..length].to_vec();
                (kernels.hadamard)(&mut theirs);
                prop_assert_eq!(&theirs, &rotated);
            }
        }

        #[test]
        fn hadamard_is_its_own_inverse(a in prop::collection::vec(-100i32..100, 64)) {
            let mut values: Vec<f32> = a.iter().map(|&value| value as f32).collect();
            for _ in 0..2 {
                (scalar::KERNELS.hadamard)(&mut values);
            }
            prop_assert!(values.iter().zip(&a).all(|(&value, &was)| value == 64.0 * was as f32));
        }
    }
}
