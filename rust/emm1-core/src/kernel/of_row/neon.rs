//! Four components at a time.

use std::arch::aarch64::*;
use std::arch::asm;

use super::parts;
use crate::kernel::scalar::{LANES, PARTIAL};

/// Sums `add(sums, a[i], b[i])` as defined by the reference score, with b in place of a if a is None; N sums at once. A
/// product of two f32 is exact in f64, so that fused sums have the same bits.
#[inline]
#[target_feature(enable = "neon")]
pub(in crate::kernel) fn lanes<T: Copy + Default, const N: usize>(
    b: &[T],
    load: impl Fn(&[T; 4]) -> [float64x2_t; 2],
    a: Option<&[f64]>,
    add: impl Fn([float64x2_t; N], float64x2_t, float64x2_t) -> [float64x2_t; N],
) -> [f64; N] {
    let (a, (b, b_rest)) = (a.map(|a| parts(&a[..b.len()])), parts(b));
    let mut sums = [[vdupq_n_f64(0.0); N]; LANES / 2];
    let mut step = |a: Option<&[f64; LANES]>, b: &[T; LANES]| {
        for (part, (sums, b)) in sums.as_chunks_mut::<2>().0.iter_mut().zip(b.as_chunks().0).enumerate() {
            for (half, (sums, y)) in sums.iter_mut().zip(load(b)).enumerate() {
                // SAFETY: there are sixteen elements.
                let x = a.map_or(y, |a| unsafe { vld1q_f64(a.as_ptr().add(4 * part + 2 * half)) });
                *sums = add(*sums, x, y);
            }
        }
    };
    match a {
        Some((a, a_rest)) => {
            a.iter().zip(b).for_each(|(a, b)| step(Some(a), b));
            a_rest.iter().zip(&b_rest).for_each(|(a, b)| step(Some(a), b));
        }
        None => b.iter().chain(&b_rest).for_each(|b| step(None, b)),
    }
    std::array::from_fn(|which| {
        let [a, b, c, d, e, f, g, h] = sums.map(|sums| sums[which]);
        let [a, b, c, d] = [vaddq_f64(a, e), vaddq_f64(b, f), vaddq_f64(c, g), vaddq_f64(d, h)];
        vaddvq_f64(vaddq_f64(vaddq_f64(a, c), vaddq_f64(b, d)))
    })
}

/// Four values as f64.
#[inline]
#[target_feature(enable = "neon")]
pub(in crate::kernel) fn doubles(values: float32x4_t) -> [float64x2_t; 2] {
    [vcvt_f64_f32(vget_low_f32(values)), vcvt_high_f64_f32(values)]
}

#[inline]
#[target_feature(enable = "neon")]
pub(in crate::kernel) fn of_f32(raw: &[f32; 4]) -> float32x4_t {
    // SAFETY: four elements are read; the same holds for all types.
    unsafe { vld1q_f32(raw.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
pub(in crate::kernel) fn of_f16(raw: &[[u8; 2]; 4]) -> float32x4_t {
    let values: float32x4_t;
    // SAFETY: as above; the instruction, which is part of NEON, only reads and writes registers. (Its intrinsic is not
    // stable yet.)
    unsafe {
        let raw = vld1_u8(raw.as_ptr().cast());
        asm!("fcvtl {values:v}.4s, {raw:v}.4h", values = lateout(vreg) values, raw = in(vreg) raw,
            options(pure, nomem, nostack, preserves_flags));
    }
    values
}

#[inline]
#[target_feature(enable = "neon")]
pub(in crate::kernel) fn of_bf16(raw: &[[u8; 2]; 4]) -> float32x4_t {
    // SAFETY: as above.
    let words = vreinterpret_u16_u8(unsafe { vld1_u8(raw.as_ptr().cast()) });
    vreinterpretq_f32_u32(vshll_n_u16::<16>(words))
}

#[inline]
#[target_feature(enable = "neon")]
pub(in crate::kernel) fn of_i8(raw: &[[u8; 1]; 4]) -> float32x4_t {
    let words = vmovl_s8(vcreate_s8(u32::from_le_bytes(raw.map(|[byte]| byte)).into()));
    vcvtq_f32_s32(vmovl_s16(vget_low_s16(words)))
}

#[inline]
#[target_feature(enable = "neon")]
pub(in crate::kernel) fn of_u8(raw: &[[u8; 1]; 4]) -> float32x4_t {
    let words = vmovl_u8(vcreate_u8(u32::from_le_bytes(raw.map(|[byte]| byte)).into()));
    vcvtq_f32_u32(vmovl_u16(vget_low_u16(words)))
}

#[inline]
#[target_feature(enable = "neon")]
pub(in crate::kernel) fn halves(raw: &[[u8; 2]; PARTIAL]) -> [f32; PARTIAL] {
    let mut out = [0.0; PARTIAL];
    for (out, raw) in out.as_chunks_mut::<4>().0.iter_mut().zip(raw.as_chunks().0) {
        // SAFETY: four elements are written.
        unsafe { vst1q_f32(out.as_mut_ptr(), of_f16(raw)) };
    }
    out
}
