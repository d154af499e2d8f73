//! AVX-512 with VNNI: 64 bytes of nibbles a step, four products of bytes summed by one instruction.

use std::arch::x86_64::*;

use super::{GROUP, Kernels, Plane, STEP, scalar};
use crate::bound::Margins;
use crate::codes::Record;

pub(super) fn kernels() -> Option<&'static Kernels> {
    let has = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vnni");
    has.then_some(&KERNELS)
}

static KERNELS: Kernels = Kernels {
    name: "avx512",
    dots: |plane, rows, queries, out| {
        // SAFETY: this table is given out only where these instructions were detected; so for all that follow.
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

#[target_feature(enable = "avx512f,avx512bw")]
fn dot(a: &[f64], b: &[f32]) -> f64 {
    scalar::dot(a, b)
}

#[target_feature(enable = "avx512f,avx512bw")]
fn square(a: &[f32]) -> f64 {
    scalar::square(a)
}

#[target_feature(enable = "avx512f,avx512bw")]
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

#[target_feature(enable = "avx512f,avx512bw")]
fn squared_distance(a: &[f64], b: &[f32]) -> f64 {
    scalar::squared_distance(a, b)
}

#[target_feature(enable = "avx512f,avx512bw")]
fn hadamard(values: &mut [f32]) {
    scalar::hadamard(values);
}

#[target_feature(enable = "avx512f,avx512bw")]
fn quantize(values: &[f32], scale: f32, high: &mut [u8], low: &mut [u8]) -> [f32; 2] {
    scalar::quantize(values, scale, high, low)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn dots<const G: usize>(plane: Plane<'_>, rows: &[u32], queries: &[i8], out: &mut [[i32; G]]) {
    let steps = queries.len() / (2 * G * STEP);
    let nibble = _mm512_set1_epi8(15);
    for (&row, out) in rows.iter().zip(out) {
        let codes = plane.row(row, steps * STEP).as_ptr();
        // Two sums a query: an instruction need not wait for the one before it.
        let mut sums = [[_mm512_setzero_si512(); 2]; G];
        for step in 0..steps {
            // SAFETY: the row has `steps` · STEP bytes, and `queries` 2 · G times as many.
            let (bytes, queries) = unsafe {
                (_mm512_loadu_si512(codes.add(step * STEP).cast()), queries.as_ptr().add(step * 2 * G * STEP))
            };
            let low = _mm512_and_si512(bytes, nibble);
            let high = _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), nibble);
            for (g, [sum, other]) in sums.iter_mut().enumerate() {
                // SAFETY: as above.
                let (first, second) = unsafe {
                    let query = queries.add(2 * g * STEP);
                    (_mm512_loadu_si512(query.cast()), _mm512_loadu_si512(query.add(STEP).cast()))
                };
                *sum = _mm512_dpbusd_epi32(*sum, low, first);
                *other = _mm512_dpbusd_epi32(*other, high, second);
            }
        }
        *out = sums.map(|[sum, other]| _mm512_reduce_add_epi32(_mm512_add_epi32(sum, other)));
    }
}
