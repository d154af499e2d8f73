//! AVX-512 with VNNI: a vector is a register, and each of its lanes is a row.

use std::arch::x86_64::*;

use super::{AHEAD, Fours, QUERY, Sums, prefetch, zones_of, zones_of_tile};
use crate::shape::{GROUP, SIDE, SketchFactors, SketchTile, Sketched, UNKNOWN, VECTOR, Zones};

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

/// Sums for each query of a tile.
type Tile = [__m512i; SIDE];

/// Adds the products of codes with four components of each query.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn add(sums: &mut Tile, codes: __m512i, fours: &Fours) {
    for (sum, query) in sums.iter_mut().zip(fours.as_chunks::<4>().0) {
        *sum = _mm512_dpbusd_epi32(*sum, codes, four(query, 0));
    }
}

/// The bounds and estimates of a group, from its sums and its lengths: the sums of `super::bound`, in the same order.
struct Group {
    wide: [__m512; SIDE],
    two: Tile,
    one: Tile,
    lengths: [__m512; 4],
    unknown: __mmask16,
}

impl Group {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn new(zones: Zones, group: &[u8], tile: &[i8], factors: &[SketchFactors; SIDE]) -> Self {
        let [first, second, third] = zones_of_tile(zones, group, tile);
        let (nibble, pair, bit) = (_mm512_set1_epi8(15), _mm512_set1_epi8(3), _mm512_set1_epi8(1));
        let [mut high, mut low, mut two, mut one] = [[_mm512_setzero_si512(); SIDE]; 4];
        for (vector, fours) in first.0.iter().zip(first.1.as_chunks::<{ QUERY[0] / 4 }>().0) {
            let bytes = load(vector);
            let codes = [_mm512_and_si512(bytes, nibble), _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), nibble)];
            for (half, codes) in codes.into_iter().enumerate() {
                add(&mut high, codes, &fours[half]);
                add(&mut low, codes, &fours[2 + half]);
            }
        }
        let mut wide = [_mm512_setzero_ps(); SIDE];
        for (lane, wide) in wide.iter_mut().enumerate() {
            let [high, low] = [(high, 0), (low, 1)].map(|(sums, at)| times(sums[lane], factors[lane].products[at]));
            *wide = _mm512_add_ps(high, low);
        }
        for (vector, fours) in second.0.iter().zip(second.1.as_chunks::<{ QUERY[1] / 4 }>().0) {
            let mut bytes = load(vector);
            for fours in fours {
                add(&mut two, _mm512_and_si512(bytes, pair), fours);
                bytes = _mm512_srli_epi16::<2>(bytes);
            }
        }
        for (vector, fours) in third.0.iter().zip(third.1.as_chunks::<{ QUERY[2] / 4 }>().0) {
            let mut bytes = load(vector);
            for fours in fours {
                add(&mut one, _mm512_and_si512(bytes, bit), fours);
                bytes = _mm512_srli_epi16::<1>(bytes);
            }
        }
        let lengths = load(group.last_chunk().expect("a group ends with a vector of lengths"));
        let byte = _mm512_set1_epi32(255);
        let last = _mm512_srli_epi32::<24>(lengths);
        let parts = [lengths, _mm512_srli_epi32::<8>(lengths), _mm512_srli_epi32::<16>(lengths), last];
        Self {
            wide,
            two,
            one,
            lengths: parts.map(|part| _mm512_cvtepi32_ps(_mm512_and_si512(part, byte))),
            unknown: _mm512_cmpeq_epi32_mask(last, _mm512_set1_epi32(i32::from(UNKNOWN))),
        }
    }

    /// The upper bounds and the estimates for a query.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn bounds(&self, lane: usize, factors: &SketchFactors) -> [__m512; 2] {
        let narrow =
            _mm512_add_ps(times(self.two[lane], factors.products[2]), times(self.one[lane], factors.products[3]));
        let estimate = _mm512_add_ps(_mm512_add_ps(self.wide[lane], narrow), _mm512_set1_ps(factors.offset));
        let missed = |zone: usize| _mm512_mul_ps(self.lengths[zone], _mm512_set1_ps(factors.lengths[zone]));
        let missed = _mm512_add_ps(_mm512_add_ps(missed(0), missed(1)), _mm512_add_ps(missed(2), missed(3)));
        let bound = _mm512_add_ps(estimate, _mm512_add_ps(missed, _mm512_set1_ps(factors.slack)));
        [_mm512_mask_mov_ps(bound, self.unknown, _mm512_set1_ps(f32::INFINITY)), estimate]
    }
}

/// A sum in f32, times a factor.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn times(sum: __m512i, factor: f32) -> __m512 {
    _mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_set1_ps(factor))
}

/// Bounds and estimates with a tile of queries.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::kernel) fn tile(sketched: Sketched<'_>, tile: &SketchTile<'_>, upper: &mut [f32], estimates: &mut [f32]) {
    let (zones, size, factors) = (sketched.zones, sketched.zones.group(), tile.factors());
    let rows = sketched.groups.len() / size * GROUP;
    let (upper, estimates) = (&mut upper[..tile.queries.len() * rows], &mut estimates[..tile.queries.len() * rows]);
    for (number, group) in sketched.groups.chunks_exact(size).enumerate() {
        if let Some(lines) = sketched.groups.get(number * size + AHEAD..(number + 1) * size + AHEAD) {
            lines.chunks(VECTOR).for_each(prefetch);
        }
        let group = Group::new(zones, group, &tile.components, &factors);
        // All lanes, so that the loop is unrolled and sums stay in registers.
        for (lane, factors) in factors.iter().enumerate() {
            if lane < tile.queries.len() {
                let place = lane * rows + number * GROUP;
                let [bound, estimate] = group.bounds(lane, factors);
                let (upper, estimates) = (&mut upper[place..place + GROUP], &mut estimates[place..place + GROUP]);
                // SAFETY: sixteen lanes fit each.
                unsafe {
                    _mm512_storeu_ps(upper.as_mut_ptr(), bound);
                    _mm512_storeu_ps(estimates.as_mut_ptr(), estimate);
                }
            }
        }
    }
}
