//! AVX-512 with VNNI: a vector is a register, and each of its lanes is a row.

use std::arch::x86_64::*;

use super::{QUERY, Sums, zones_of};
use crate::shape::{GROUP, VECTOR, Zones};

/// Four components of a query in every lane.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn four(query: &[i8], at: usize) -> __m512i {
    _mm512_set1_epi32(i32::from_le_bytes([0, 1, 2, 3].map(|i| query[4 * at + i] as u8)))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn load(vector: &[u8; VECTOR]) -> __m512i {
    // SAFETY: the vector has 64 bytes.
    unsafe { _mm512_loadu_si512(vector.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn lanes(sum: __m512i) -> [i32; GROUP] {
    let mut lanes = [0; GROUP];
    // SAFETY: sixteen lanes of 32 bits fit.
    unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), sum) };
    lanes
}

/// The sums of products of a group.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::kernel) fn sums(zones: Zones, group: &[u8], query: &[i8]) -> Sums {
    let [first, second, third] = zones_of(zones, group, query);
    let (nibble, pair, bit) = (_mm512_set1_epi8(15), _mm512_set1_epi8(3), _mm512_set1_epi8(1));
    // Several sums of each kind, so that no instruction waits for the previous one.
    let zero = _mm512_setzero_si512();
    let ([mut high, mut low], [mut two, mut one]) = ([[zero; 2]; 2], [[zero; 4]; 2]);
    for (vector, query) in first.0.iter().zip(first.1.as_chunks::<{ QUERY[0] }>().0) {
        let bytes = load(vector);
        let codes = [_mm512_and_si512(bytes, nibble), _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), nibble)];
        for (half, codes) in codes.into_iter().enumerate() {
            high[half] = _mm512_dpbusd_epi32(high[half], codes, four(query, half));
            low[half] = _mm512_dpbusd_epi32(low[half], codes, four(query, 2 + half));
        }
    }
    for (vector, query) in second.0.iter().zip(second.1.as_chunks::<{ QUERY[1] }>().0) {
        let mut bytes = load(vector);
        for (at, sum) in two.iter_mut().enumerate() {
            *sum = _mm512_dpbusd_epi32(*sum, _mm512_and_si512(bytes, pair), four(query, at));
            bytes = _mm512_srli_epi16::<2>(bytes);
        }
    }
    for (vector, query) in third.0.iter().zip(third.1.as_chunks::<{ QUERY[2] }>().0) {
        let mut bytes = load(vector);
        for at in 0..8 {
            one[at % 4] = _mm512_dpbusd_epi32(one[at % 4], _mm512_and_si512(bytes, bit), four(query, at));
            bytes = _mm512_srli_epi16::<1>(bytes);
        }
    }
    let both = |[a, b]: [__m512i; 2]| _mm512_add_epi32(a, b);
    let all = |[a, b, c, d]: [__m512i; 4]| both([both([a, b]), both([c, d])]);
    [both(high), both(low), all(two), all(one)].map(|sum| lanes(sum))
}
