//! AVX2: a vector is two registers, and each of their lanes is a row.

use std::arch::x86_64::*;

use super::{Fours, QUERY, Sums, bound, zones_of, zones_of_tile};
use crate::shape::{GROUP, SIDE, SketchTile, Sketched, VECTOR, Zones};

/// Four components of a query in every lane.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn four(query: &[i8], at: usize) -> __m256i {
    _mm256_set1_epi32(i32::from_le_bytes([0, 1, 2, 3].map(|i| query[4 * at + i] as u8)))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn load(vector: &[u8; VECTOR]) -> [__m256i; 2] {
    // SAFETY: the vector has 64 bytes.
    [0, 32].map(|at| unsafe { _mm256_loadu_si256(vector.as_ptr().add(at).cast()) })
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn lanes(sums: [__m256i; 2]) -> [i32; GROUP] {
    let mut lanes = [0; GROUP];
    for (sum, lanes) in sums.into_iter().zip(lanes.as_chunks_mut::<8>().0) {
        // SAFETY: eight lanes of 32 bits fit.
        unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sum) };
    }
    lanes
}

/// The sums of products of a group. Those of a vector fit 16 bits: 2 · 2 · 15 · 128 in the first zone, 4 · 2 · 3 · 128 in
/// the second, 8 · 2 · 128 in the third.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(in crate::kernel) fn sums(zones: Zones, group: &[u8], query: &[i8]) -> Sums {
    let [first, second, third] = zones_of(zones, group, query);
    let (nibble, pair, bit) = (_mm256_set1_epi8(15), _mm256_set1_epi8(3), _mm256_set1_epi8(1));
    let ones = _mm256_set1_epi16(1);
    let [mut high, mut low, mut two, mut one] = [[_mm256_setzero_si256(); 2]; 4];
    for (vector, query) in first.0.iter().zip(first.1.as_chunks::<{ QUERY[0] }>().0) {
        for (half, bytes) in load(vector).into_iter().enumerate() {
            let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble);
            let lower = _mm256_and_si256(bytes, nibble);
            for (sum, at) in [(&mut high, 0), (&mut low, 2)] {
                let [a, b] =
                    [(lower, at), (upper, at + 1)].map(|(codes, at)| _mm256_maddubs_epi16(codes, four(query, at)));
                sum[half] = _mm256_add_epi32(sum[half], _mm256_madd_epi16(_mm256_add_epi16(a, b), ones));
            }
        }
    }
    for (vector, query) in second.0.iter().zip(second.1.as_chunks::<{ QUERY[1] }>().0) {
        for (half, mut bytes) in load(vector).into_iter().enumerate() {
            let mut short = _mm256_setzero_si256();
            for at in 0..4 {
                let codes = _mm256_and_si256(bytes, pair);
                short = _mm256_add_epi16(short, _mm256_maddubs_epi16(codes, four(query, at)));
                bytes = _mm256_srli_epi16::<2>(bytes);
            }
            two[half] = _mm256_add_epi32(two[half], _mm256_madd_epi16(short, ones));
        }
    }
    for (vector, query) in third.0.iter().zip(third.1.as_chunks::<{ QUERY[2] }>().0) {
        for (half, mut bytes) in load(vector).into_iter().enumerate() {
            let mut short = _mm256_setzero_si256();
            for at in 0..8 {
                let codes = _mm256_and_si256(bytes, bit);
                short = _mm256_add_epi16(short, _mm256_maddubs_epi16(codes, four(query, at)));
                bytes = _mm256_srli_epi16::<1>(bytes);
            }
            one[half] = _mm256_add_epi32(one[half], _mm256_madd_epi16(short, ones));
        }
    }
    [high, low, two, one].map(|sums| lanes(sums))
}

/// Queries of a tile whose sums fit the registers.
const SOME: usize = 4;

/// Sums for some queries of a tile, and half of the rows of a group.
type Some = [__m256i; SOME];

/// Adds the sums of neighbours, which fit 16 bits, to sums of 32.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn widen(sums: &mut Some, short: Some) {
    for (sum, short) in sums.iter_mut().zip(short) {
        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(short, _mm256_set1_epi16(1)));
    }
}

/// Adds the products of codes with four components of each query from `begin` on.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn add(short: &mut Some, codes: __m256i, fours: &Fours, begin: usize) {
    for (lane, short) in short.iter_mut().enumerate() {
        *short = _mm256_add_epi16(*short, _mm256_maddubs_epi16(codes, four(fours, begin + lane)));
    }
}

/// The four sums of half of a group with the queries of a tile from `begin` on; see [`sums`].
#[inline]
#[target_feature(enable = "avx2,fma")]
fn sums_of_some(zones: Zones, group: &[u8], tile: &[i8], half: usize, begin: usize) -> [Some; 4] {
    let [first, second, third] = zones_of_tile(zones, group, tile);
    let (nibble, pair, bit) = (_mm256_set1_epi8(15), _mm256_set1_epi8(3), _mm256_set1_epi8(1));
    let zero = [_mm256_setzero_si256(); SOME];
    let [mut high, mut low, mut two, mut one] = [zero; 4];
    for (vector, fours) in first.0.iter().zip(first.1.as_chunks::<{ QUERY[0] / 4 }>().0) {
        let bytes = load(vector)[half];
        let codes = [_mm256_and_si256(bytes, nibble), _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble)];
        for (sums, at) in [(&mut high, 0), (&mut low, 2)] {
            let mut short = zero;
            add(&mut short, codes[0], &fours[at], begin);
            add(&mut short, codes[1], &fours[at + 1], begin);
            widen(sums, short);
        }
    }
    for (vector, fours) in second.0.iter().zip(second.1.as_chunks::<{ QUERY[1] / 4 }>().0) {
        let (mut bytes, mut short) = (load(vector)[half], zero);
        for fours in fours {
            add(&mut short, _mm256_and_si256(bytes, pair), fours, begin);
            bytes = _mm256_srli_epi16::<2>(bytes);
        }
        widen(&mut two, short);
    }
    for (vector, fours) in third.0.iter().zip(third.1.as_chunks::<{ QUERY[2] / 4 }>().0) {
        let (mut bytes, mut short) = (load(vector)[half], zero);
        for fours in fours {
            add(&mut short, _mm256_and_si256(bytes, bit), fours, begin);
            bytes = _mm256_srli_epi16::<1>(bytes);
        }
        widen(&mut one, short);
    }
    [high, low, two, one]
}

/// Bounds and estimates with a tile of queries.
#[target_feature(enable = "avx2,fma")]
pub(in crate::kernel) fn tile(sketched: Sketched<'_>, tile: &SketchTile<'_>, upper: &mut [f32], estimates: &mut [f32]) {
    let (zones, size) = (sketched.zones, sketched.zones.group());
    let rows = sketched.groups.len() / size * GROUP;
    for (number, group) in sketched.groups.chunks_exact(size).enumerate() {
        let lengths = group.last_chunk().expect("a group ends with a vector of lengths");
        for begin in (0..SIDE).step_by(SOME).take_while(|&begin| begin < tile.queries.len()) {
            let [first, second] = [0, 1].map(|half| sums_of_some(zones, group, &tile.components, half, begin));
            for (lane, query) in tile.queries[begin..].iter().enumerate().take(SOME) {
                let sums = std::array::from_fn(|kind| lanes([first[kind][lane], second[kind][lane]]));
                let place = (begin + lane) * rows + number * GROUP;
                let found = bound(&query.factors, &sums, lengths);
                upper[place..place + GROUP].copy_from_slice(&found[0]);
                estimates[place..place + GROUP].copy_from_slice(&found[1]);
            }
        }
    }
}
