//! AVX2: 32 bytes of nibbles a step.

use std::arch::x86_64::*;

use super::{GROUP, Kernels, Plane, STEP, scalar};
use crate::bound::Margins;
use crate::codes::Record;

pub(super) fn kernels() -> Option<&'static Kernels> {
    // f16c comes with every processor that has AVX2.
    is_x86_feature_detected!("avx2").then_some(&KERNELS)
}

static KERNELS: Kernels = Kernels {
    name: "avx2",
    dots: |plane, rows, queries, out| {
        // SAFETY: this table is given out only where AVX2 was detected; so for all that follow.
        unsafe { dots::<1>(plane, rows, queries, out) }
    },
    dots_group: |plane, rows, queries, out| {
        // SAFETY: as above.
        unsafe { dots::<GROUP>(plane, rows, queries, out) }
    },
    sift: |records, places, high, low, margins, left| {
        // SAFETY: as above.
        unsafe { sift(records, places, high, low, margins, left) }
    },
    sift_group: |records, places, high, low, margins, left| {
        // SAFETY: as above.
        unsafe { sift(records, places, high, low, margins, left) }
    },
    square: |a| {
        // SAFETY: as above.
        unsafe { square(a) }
    },
    dot: |a, b| {
        // SAFETY: as above.
        unsafe { dot(a, b) }
    },
    squared_distance: |a, b| {
        // SAFETY: as above.
        unsafe { squared_distance(a, b) }
    },
    hadamard: |values| {
        // SAFETY: as above.
        unsafe { hadamard(values) }
    },
    quantize: |values, scale, high, low| {
        // SAFETY: as above.
        unsafe { quantize(values, scale, high, low) }
    },
};

#[target_feature(enable = "avx2")]
fn dot(a: &[f64], b: &[f32]) -> f64 {
    scalar::dot(a, b)
}

#[target_feature(enable = "avx2")]
fn square(a: &[f32]) -> f64 {
    scalar::square(a)
}

#[target_feature(enable = "avx2")]
fn sift<const G: usize>(
    records: &[[u8; Record::BYTES]],
    places: &[u32],
    high: &[[i32; G]],
    low: Option<&[[i32; G]]>,
    margins: &Margins<G>,
    left: &mut Vec<(u32, u8)>,
) {
    scalar::sift(records, places, high, low, margins, left);
}

#[target_feature(enable = "avx2")]
fn squared_distance(a: &[f64], b: &[f32]) -> f64 {
    scalar::squared_distance(a, b)
}

#[target_feature(enable = "avx2")]
fn hadamard(values: &mut [f32]) {
    scalar::hadamard(values);
}

#[target_feature(enable = "avx2")]
fn quantize(values: &[f32], scale: f32, high: &mut [u8], low: &mut [u8]) -> [f32; 2] {
    scalar::quantize(values, scale, high, low)
}

/// Steps after which sums of 16 bits are emptied into sums of 32: 8 products of pairs, 8 · 2 · 15 · 127 = 30,480.
const FULL: usize = 2;

#[target_feature(enable = "avx2")]
fn dots<const G: usize>(plane: Plane<'_>, rows: &[u32], queries: &[i8], out: &mut [[i32; G]]) {
    let steps = queries.len() / (2 * G * STEP);
    let (nibble, ones) = (_mm256_set1_epi8(15), _mm256_set1_epi16(1));
    for (&row, out) in rows.iter().zip(out) {
        let codes = plane.row(row, steps * STEP).as_ptr();
        let mut sums = [_mm256_setzero_si256(); G];
        for begin in (0..steps).step_by(FULL) {
            let mut short = [_mm256_setzero_si256(); G];
            for step in begin..steps.min(begin + FULL) {
                for half in [0, STEP / 2] {
                    // SAFETY: the row has `steps` · STEP bytes, and `queries` 2 · G times as many.
                    let (bytes, queries) = unsafe {
                        let bytes = codes.add(step * STEP + half);
                        (_mm256_loadu_si256(bytes.cast()), queries.as_ptr().add(step * 2 * G * STEP + half))
                    };
                    let low = _mm256_and_si256(bytes, nibble);
                    let high = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble);
                    for (g, short) in short.iter_mut().enumerate() {
                        // SAFETY: as above.
                        let (first, second) = unsafe {
                            let query = queries.add(2 * g * STEP);
                            (_mm256_loadu_si256(query.cast()), _mm256_loadu_si256(query.add(STEP).cast()))
                        };
                        let pairs =
                            _mm256_add_epi16(_mm256_maddubs_epi16(low, first), _mm256_maddubs_epi16(high, second));
                        *short = _mm256_add_epi16(*short, pairs);
                    }
                }
            }
            for g in 0..G {
                sums[g] = _mm256_add_epi32(sums[g], _mm256_madd_epi16(short[g], ones));
            }
        }
        *out = reduce(sums);
    }
}

/// The sum of the eight lanes of each.
#[inline]
#[target_feature(enable = "avx2")]
fn reduce<const G: usize>(sums: [__m256i; G]) -> [i32; G] {
    let mut reduced = [0; G];
    for (four, reduced) in sums.chunks(4).zip(reduced.chunks_mut(4)) {
        let at = |g: usize| four[g.min(four.len() - 1)];
        let pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(at(0), at(1)), _mm256_hadd_epi32(at(2), at(3)));
        let both = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256::<1>(pairs));
        let mut lanes = [0i32; 4];
        // SAFETY: four lanes of 32 bits fit.
        unsafe { _mm_storeu_si128(lanes.as_mut_ptr().cast(), both) };
        reduced.copy_from_slice(&lanes[..reduced.len()]);
    }
    reduced
}
