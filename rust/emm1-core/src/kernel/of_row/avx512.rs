//! Eight components at a time.

use std::arch::x86_64::*;

use super::parts;
use crate::kernel::scalar::{LANES, PARTIAL};

/// Sums `add(sums, a[i], b[i])` as defined by the reference score, with b in place of a if a is None; N sums at once.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::kernel) fn lanes<T: Copy + Default, const N: usize>(
    b: &[T],
    load: impl Fn(&[T; 8]) -> __m512d,
    a: Option<&[f64]>,
    add: impl Fn([__m512d; N], __m512d, __m512d) -> [__m512d; N],
) -> [f64; N] {
    let (a, (b, b_rest)) = (a.map(|a| parts(&a[..b.len()])), parts(b));
    let mut sums = [[_mm512_setzero_pd(); N]; LANES / 8];
    let mut step = |a: Option<&[f64; LANES]>, b: &[T; LANES]| {
        for (part, (sums, b)) in sums.iter_mut().zip(b.as_chunks().0).enumerate() {
            let y = load(b);
            // SAFETY: there are sixteen elements.
            let x = a.map_or(y, |a| unsafe { _mm512_loadu_pd(a.as_ptr().add(8 * part)) });
            *sums = add(*sums, x, y);
        }
    };
    match a {
        Some((a, a_rest)) => {
            a.iter().zip(b).for_each(|(a, b)| step(Some(a), b));
            a_rest.iter().zip(&b_rest).for_each(|(a, b)| step(Some(a), b));
        }
        None => b.iter().chain(&b_rest).for_each(|b| step(None, b)),
    }
    std::array::from_fn(|which| folded(sums.map(|sums| sums[which])))
}

/// The sum of sixteen lanes, folded in halves.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::kernel) fn folded(sums: [__m512d; LANES / 8]) -> f64 {
    let eight = _mm512_add_pd(sums[0], sums[1]);
    let four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd::<1>(eight));
    let two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd::<1>(four));
    _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
}

/// Eight components of each type, widened.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::kernel) fn of_f32(raw: &[f32; 8]) -> __m512d {
    // SAFETY: eight elements are read; the same holds for all types.
    _mm512_cvtps_pd(unsafe { _mm256_loadu_ps(raw.as_ptr()) })
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::kernel) fn of_f16(raw: &[[u8; 2]; 8]) -> __m512d {
    // SAFETY: as above.
    _mm512_cvtps_pd(_mm256_cvtph_ps(unsafe { _mm_loadu_si128(raw.as_ptr().cast()) }))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::kernel) fn of_bf16(raw: &[[u8; 2]; 8]) -> __m512d {
    // SAFETY: as above.
    let words = _mm256_cvtepu16_epi32(unsafe { _mm_loadu_si128(raw.as_ptr().cast()) });
    _mm512_cvtps_pd(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(words)))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::kernel) fn of_i8(raw: &[[u8; 1]; 8]) -> __m512d {
    // SAFETY: as above.
    _mm512_cvtepi32_pd(_mm256_cvtepi8_epi32(unsafe { _mm_loadl_epi64(raw.as_ptr().cast()) }))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::kernel) fn of_u8(raw: &[[u8; 1]; 8]) -> __m512d {
    // SAFETY: as above.
    _mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(unsafe { _mm_loadl_epi64(raw.as_ptr().cast()) }))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::kernel) fn halves(raw: &[[u8; 2]; PARTIAL]) -> [f32; PARTIAL] {
    let mut out = [0.0; PARTIAL];
    for (out, raw) in out.chunks_exact_mut(16).zip(raw.as_chunks::<16>().0) {
        // SAFETY: sixteen elements are read and written.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), _mm512_cvtph_ps(_mm256_loadu_si256(raw.as_ptr().cast()))) };
    }
    out
}

/// A product of two f32 is exact in f64, so that the fused sum has the same bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::kernel) fn fused(sum: __m512d, x: __m512d, y: __m512d) -> __m512d {
    _mm512_fmadd_pd(x, y, sum)
}

/// Difference and square are rounded separately, not fused.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::kernel) fn squared_difference(sum: __m512d, x: __m512d, y: __m512d) -> __m512d {
    let difference = _mm512_sub_pd(x, y);
    _mm512_add_pd(sum, _mm512_mul_pd(difference, difference))
}
