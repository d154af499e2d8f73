//! NEON with dot products: 16 bytes of nibbles a step.

use std::arch::aarch64::*;
use std::arch::asm;
use std::arch::is_aarch64_feature_detected;

use super::{GROUP, Kernels, Plane, STEP, scalar};

pub(super) fn kernels() -> Option<&'static Kernels> {
    is_aarch64_feature_detected!("dotprod").then_some(&KERNELS)
}

/// Sums of floats and margins are the scalar ones: every aarch64 compiler has NEON for them.
static KERNELS: Kernels = Kernels {
    name: "neon",
    dots: |plane, rows, queries, out| {
        // SAFETY: this table is given out only where dot products were detected; so for the next.
        unsafe { dots::<1>(plane, rows, queries, out) }
    },
    dots_group: |plane, rows, queries, out| {
        // SAFETY: as above.
        unsafe { dots::<GROUP>(plane, rows, queries, out) }
    },
    ..scalar::KERNELS
};

const BYTES: usize = 16;

#[target_feature(enable = "neon,dotprod")]
fn dots<const G: usize>(plane: Plane<'_>, rows: &[u32], queries: &[i8], out: &mut [[i32; G]]) {
    let steps = queries.len() / (2 * G * STEP);
    let nibble = vdupq_n_u8(15);
    for (&row, out) in rows.iter().zip(out) {
        let codes = plane.row(row, steps * STEP).as_ptr();
        let mut sums = [vdupq_n_s32(0); G];
        for step in 0..steps {
            for part in (0..STEP).step_by(BYTES) {
                // SAFETY: the row has `steps` · STEP bytes, and `queries` 2 · G times as many.
                let (bytes, queries) = unsafe {
                    (vld1q_u8(codes.add(step * STEP + part)), queries.as_ptr().add(step * 2 * G * STEP + part))
                };
                let low = vreinterpretq_s8_u8(vandq_u8(bytes, nibble));
                let high = vreinterpretq_s8_u8(vshrq_n_u8::<4>(bytes));
                for (g, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: as above.
                    let (first, second) = unsafe {
                        let query = queries.add(2 * g * STEP);
                        (vld1q_s8(query), vld1q_s8(query.add(STEP)))
                    };
                    *sum = dot(dot(*sum, low, first), high, second);
                }
            }
        }
        *out = sums.map(|sum| vaddvq_s32(sum));
    }
}

/// Adds to each lane the products of its four bytes. Nibbles are at most 15, so that they are the same with sign.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot(mut sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: the instruction reads and writes registers only, and is there wherever this function may be called.
    // (The intrinsic of the same name is not stable yet.)
    unsafe {
        asm!("sdot {sum:v}.4s, {a:v}.16b, {b:v}.16b", sum = inout(vreg) sum, a = in(vreg) a, b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags));
    }
    sum
}
