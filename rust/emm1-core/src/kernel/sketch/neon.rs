//! NEON with dot products: a vector is four registers, and each of their lanes is a row.

use std::arch::aarch64::*;

use super::{QUERY, Sums, zones_of};
use crate::kernel::neon::dot;
use crate::shape::{GROUP, VECTOR, Zones};

/// Registers of a vector.
const PARTS: usize = 4;

/// Four components of a query in every lane.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn four(query: &[i8], at: usize) -> int8x16_t {
    vreinterpretq_s8_s32(vdupq_n_s32(i32::from_le_bytes([0, 1, 2, 3].map(|i| query[4 * at + i] as u8))))
}

#[inline]
#[target_feature(enable = "neon,dotprod")]
fn load(vector: &[u8; VECTOR]) -> [uint8x16_t; PARTS] {
    // SAFETY: the vector has 64 bytes.
    [0, 16, 32, 48].map(|at| unsafe { vld1q_u8(vector.as_ptr().add(at)) })
}

#[inline]
#[target_feature(enable = "neon,dotprod")]
fn lanes(sums: [int32x4_t; PARTS]) -> [i32; GROUP] {
    let mut lanes = [0; GROUP];
    for (sum, lanes) in sums.into_iter().zip(lanes.as_chunks_mut::<4>().0) {
        // SAFETY: four lanes of 32 bits fit.
        unsafe { vst1q_s32(lanes.as_mut_ptr(), sum) };
    }
    lanes
}

/// The sums of products of a group. Codes are at most 15, so that they are the same when signed.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(in crate::kernel) fn sums(zones: Zones, group: &[u8], query: &[i8]) -> Sums {
    let [first, second, third] = zones_of(zones, group, query);
    let (nibble, pair, bit) = (vdupq_n_u8(15), vdupq_n_u8(3), vdupq_n_u8(1));
    let [mut high, mut low, mut two, mut one] = [[vdupq_n_s32(0); PARTS]; 4];
    for (vector, query) in first.0.iter().zip(first.1.as_chunks::<{ QUERY[0] }>().0) {
        for (part, bytes) in load(vector).into_iter().enumerate() {
            let lower = vreinterpretq_s8_u8(vandq_u8(bytes, nibble));
            let upper = vreinterpretq_s8_u8(vshrq_n_u8::<4>(bytes));
            high[part] = dot(dot(high[part], lower, four(query, 0)), upper, four(query, 1));
            low[part] = dot(dot(low[part], lower, four(query, 2)), upper, four(query, 3));
        }
    }
    for (vector, query) in second.0.iter().zip(second.1.as_chunks::<{ QUERY[1] }>().0) {
        for (part, mut bytes) in load(vector).into_iter().enumerate() {
            for at in 0..4 {
                two[part] = dot(two[part], vreinterpretq_s8_u8(vandq_u8(bytes, pair)), four(query, at));
                bytes = vshrq_n_u8::<2>(bytes);
            }
        }
    }
    for (vector, query) in third.0.iter().zip(third.1.as_chunks::<{ QUERY[2] }>().0) {
        for (part, mut bytes) in load(vector).into_iter().enumerate() {
            for at in 0..8 {
                one[part] = dot(one[part], vreinterpretq_s8_u8(vandq_u8(bytes, bit)), four(query, at));
                bytes = vshrq_n_u8::<1>(bytes);
            }
        }
    }
    [high, low, two, one].map(|sums| lanes(sums))
}
