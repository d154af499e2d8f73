//! AVX-512 with VNNI: 64 bytes of nibbles a step, four products of bytes summed by one instruction.

use std::arch::x86_64::*;

use super::{FOUR, scalar, scalar::LANES, x86};
use crate::shape::{Panel, STEP, TILE};

pub(super) fn kernels() -> Option<&'static Kernels> {
    let has = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni");
    has.then_some(&KERNELS)
}

x86::kernels!("avx512", "avx512f,avx512bw,avx512vl,avx512vnni", i8::MAX);

/// Sums `add(sum, a[i], b[i])` as defined by the reference score, with b in place of a if a is None.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn lanes(b: &[f32], a: Option<&[f64]>, add: impl Fn(__m512d, __m512d, __m512d) -> __m512d) -> f64 {
    let (a, (b, b_rest)) = (a.map(|a| x86::parts(&a[..b.len()])), x86::parts(b));
    let mut sums = [_mm512_setzero_pd(); 2];
    let mut step = |a: Option<&[f64; LANES]>, b: &[f32; LANES]| {
        for (part, sum) in sums.iter_mut().enumerate() {
            // SAFETY: both have sixteen elements.
            let (x, y) = unsafe {
                let y = _mm512_cvtps_pd(_mm256_loadu_ps(b.as_ptr().add(8 * part)));
                (a.map_or(y, |a| _mm512_loadu_pd(a.as_ptr().add(8 * part))), y)
            };
            *sum = add(*sum, x, y);
        }
    };
    for (number, b) in b.iter().enumerate() {
        step(a.as_ref().map(|(a, _)| &a[number]), b);
    }
    if let Some(b) = &b_rest {
        step(a.as_ref().and_then(|(_, rest)| rest.as_ref()), b);
    }
    let eight = _mm512_add_pd(sums[0], sums[1]);
    let four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd::<1>(eight));
    let two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd::<1>(four));
    _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
}

/// A product of two f32 is exact in f64, so that the fused sum has the same bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn fused(sum: __m512d, x: __m512d, y: __m512d) -> __m512d {
    _mm512_fmadd_pd(x, y, sum)
}

/// Difference and square are rounded separately, not fused.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn squared_difference(sum: __m512d, x: __m512d, y: __m512d) -> __m512d {
    let difference = _mm512_sub_pd(x, y);
    _mm512_add_pd(sum, _mm512_mul_pd(difference, difference))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn four_dots(rows: [&[u8]; FOUR], query: &[i8]) -> [i32; FOUR] {
    let nibble = _mm512_set1_epi8(15);
    let steps = query.len() / (2 * STEP);
    // Row by row, as they are in memory: the hardware prefetcher follows one stream best. Each row has two sums, so
    // that no instruction waits for the previous one.
    let sums = rows.map(|row| {
        let row = row[..steps * STEP].as_ptr();
        let (mut low, mut high) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        for step in 0..steps {
            // SAFETY: the row has `steps` · STEP bytes, and `query` twice as many.
            let (bytes, first, second) = unsafe {
                let query = query.as_ptr().add(step * 2 * STEP);
                (
                    _mm512_loadu_si512(row.add(step * STEP).cast()),
                    _mm512_loadu_si512(query.cast()),
                    _mm512_loadu_si512(query.add(STEP).cast()),
                )
            };
            low = _mm512_dpbusd_epi32(low, _mm512_and_si512(bytes, nibble), first);
            high = _mm512_dpbusd_epi32(high, _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), nibble), second);
        }
        _mm512_add_epi32(low, high)
    });
    // Sums the sixteen lanes of each row: pairs, fours, then the four quarters.
    let pairs = |a, b| _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let (a, b) = (pairs(sums[0], sums[1]), pairs(sums[2], sums[3]));
    let fours = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    let halves = _mm256_add_epi32(_mm512_castsi512_si256(fours), _mm512_extracti64x4_epi64::<1>(fours));
    let whole = _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256::<1>(halves));
    let mut products = [0; FOUR];
    // SAFETY: four lanes of 32 bits fit.
    unsafe { _mm_storeu_si128(products.as_mut_ptr().cast(), whole) };
    products
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn multiply(rows: &[u8], panel: &Panel, products: &mut [i32]) {
    match panel.lanes() {
        8 => eights(rows, panel, products),
        16 => sixteens::<1, TILE>(rows, panel, products),
        _ => sixteens::<2, { TILE / 2 }>(rows, panel, products),
    }
}

/// Multiplies `R` rows by `16 · V` queries at a time, with each sum in a register.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn sixteens<const V: usize, const R: usize>(rows: &[u8], panel: &Panel, products: &mut [i32]) {
    let stride = panel.stride();
    let components = panel.components();
    assert!(components.len() == stride * V * 16);
    for (rows, products) in rows.chunks_exact(R * stride).zip(products.chunks_exact_mut(R * V * 16)) {
        let mut sums = [[_mm512_setzero_si512(); V]; R];
        for quad in 0..stride / 4 {
            // SAFETY: each of the R rows has `stride` bytes, and the panel V · 64 for each four of them.
            unsafe {
                let queries: [__m512i; V] =
                    std::array::from_fn(|v| _mm512_loadu_si512(components.as_ptr().add((quad * V + v) * 64).cast()));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let bytes = rows.as_ptr().add(r * stride + 4 * quad).cast::<i32>().read_unaligned();
                    let bytes = _mm512_set1_epi32(bytes);
                    for (sum, &query) in sums.iter_mut().zip(&queries) {
                        *sum = _mm512_dpbusd_epi32(*sum, bytes, query);
                    }
                }
            }
        }
        for (sum, products) in sums.as_flattened().iter().zip(products.chunks_exact_mut(16)) {
            // SAFETY: sixteen lanes of 32 bits fit.
            unsafe { _mm512_storeu_si512(products.as_mut_ptr().cast(), *sum) };
        }
    }
}

/// Like [`sixteens`], for eight queries.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn eights(rows: &[u8], panel: &Panel, products: &mut [i32]) {
    let stride = panel.stride();
    let components = panel.components();
    assert!(components.len() == stride * 8);
    for (rows, products) in rows.chunks_exact(TILE * stride).zip(products.chunks_exact_mut(TILE * 8)) {
        let mut sums = [_mm256_setzero_si256(); TILE];
        for quad in 0..stride / 4 {
            // SAFETY: each of the rows has `stride` bytes, and the panel 32 for each four of them.
            unsafe {
                let query = _mm256_loadu_si256(components.as_ptr().add(quad * 32).cast());
                for (r, sum) in sums.iter_mut().enumerate() {
                    let bytes = rows.as_ptr().add(r * stride + 4 * quad).cast::<i32>().read_unaligned();
                    *sum = _mm256_dpbusd_epi32(*sum, _mm256_set1_epi32(bytes), query);
                }
            }
        }
        for (sum, products) in sums.iter().zip(products.chunks_exact_mut(8)) {
            // SAFETY: eight lanes of 32 bits fit.
            unsafe { _mm256_storeu_si256(products.as_mut_ptr().cast(), *sum) };
        }
    }
}
