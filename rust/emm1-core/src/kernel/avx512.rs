//! AVX-512 with VNNI: 64 bytes of nibbles a step, four products of bytes summed by one instruction.

use std::arch::x86_64::*;

use super::{GROUP, Kernels, Plane, scalar};

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
fn dot(a: &[f32], b: &[f32]) -> f64 {
    scalar::dot(a, b)
}

#[target_feature(enable = "avx512f,avx512bw")]
fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
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
fn dots<const G: usize>(plane: Plane<'_>, rows: &[u32], queries: [&[i8]; G], out: &mut [[i32; G]]) {
    let padded = queries[0].len() / 2;
    assert!(padded.is_multiple_of(64) && queries.iter().all(|query| query.len() == 2 * padded));
    let nibble = _mm512_set1_epi8(15);
    for (&row, out) in rows.iter().zip(out) {
        let codes = plane.row(row, padded).as_ptr();
        // Two sums a query: an instruction need not wait for the one before it.
        let mut sums = [[_mm512_setzero_si512(); 2]; G];
        for at in (0..padded).step_by(64) {
            // SAFETY: the row has `padded` bytes, and `padded` is a multiple of 64.
            let bytes = unsafe { _mm512_loadu_si512(codes.add(at).cast()) };
            let low = _mm512_and_si512(bytes, nibble);
            let high = _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), nibble);
            for g in 0..G {
                // SAFETY: every query has 2 · `padded` components, as asserted.
                let (first, second) = unsafe {
                    let query = queries[g].as_ptr().add(at);
                    (_mm512_loadu_si512(query.cast()), _mm512_loadu_si512(query.add(padded).cast()))
                };
                sums[g][0] = _mm512_dpbusd_epi32(sums[g][0], low, first);
                sums[g][1] = _mm512_dpbusd_epi32(sums[g][1], high, second);
            }
        }
        for g in 0..G {
            out[g] = _mm512_reduce_add_epi32(_mm512_add_epi32(sums[g][0], sums[g][1]));
        }
    }
}
