//! NEON with dot products: 16 bytes of nibbles a step.

use std::arch::aarch64::*;
use std::arch::asm;
use std::arch::is_aarch64_feature_detected;
use std::ops::Range;

use super::of_row::neon::{doubles, halves, lanes, of_bf16, of_f16, of_f32, of_i8, of_u8};
use super::of_row::of_row;
use super::scalar::PARTIAL;
use super::{FOUR, Factor, Kernels, scalar, sketch};
use crate::shape::{
    Level, Margin, Panel, Plane, Record, STEP, SketchQuery, Sketched, Survivor, from_bf16, from_i8, from_u8,
};

pub(super) fn kernels() -> Option<&'static Kernels> {
    is_aarch64_feature_detected!("dotprod").then_some(&KERNELS)
}

/// Margins are the scalar ones: the compiler vectorizes them with NEON, which every aarch64 has.
static KERNELS: Kernels = Kernels {
    name: "neon",
    dots_and_prune: |factors, records, rows, level, margin, survivors| {
        // SAFETY: this table is returned only where dot products were detected; the same holds for the next three.
        unsafe { dots_and_prune(factors, records, rows, level, margin, survivors) }
    },
    dots: |plane, rows, query, out| {
        // SAFETY: as above.
        unsafe { dots(plane, rows, query, out) }
    },
    multiply: |rows, panel, products| {
        // SAFETY: as above.
        unsafe { multiply(rows, panel, products) }
    },
    sketch: |rows, query, upper, estimates| {
        // SAFETY: as above.
        unsafe { sketch(rows, query, upper, estimates) }
    },
    sketch_tile: |rows, tile, upper, estimates| {
        sketch::one_by_one(rows, tile, upper, estimates, |rows, query, upper, estimates| {
            // SAFETY: as above.
            unsafe { sketch(rows, query, upper, estimates) }
        });
    },
    dot: of_row!("neon", [|raw: &_| doubles(of_f32(raw)), |raw: &_| doubles(of_f16(raw)), |raw: &_| doubles(of_bf16(raw)), |raw: &_| doubles(of_i8(raw)), |raw: &_| doubles(of_u8(raw))], fn(a: &[f64], b, load) -> f64 {
        let [product] = lanes(b, load, Some(a), |[sum], x, y| [vfmaq_f64(sum, x, y)]);
        product
    }),
    square: of_row!("neon", [|raw: &_| doubles(of_f32(raw)), |raw: &_| doubles(of_f16(raw)), |raw: &_| doubles(of_bf16(raw)), |raw: &_| doubles(of_i8(raw)), |raw: &_| doubles(of_u8(raw))], fn(_a: &(), b, load) -> f64 {
        let [square] = lanes(b, load, None, |[sum], x, y| [vfmaq_f64(sum, x, y)]);
        square
    }),
    dot_and_square: of_row!("neon", [|raw: &_| doubles(of_f32(raw)), |raw: &_| doubles(of_f16(raw)), |raw: &_| doubles(of_bf16(raw)), |raw: &_| doubles(of_i8(raw)), |raw: &_| doubles(of_u8(raw))], fn(a: &[f64], b, load) -> [f64; 2] {
        lanes(b, load, Some(a), |[product, square], x, y| [vfmaq_f64(product, x, y), vfmaq_f64(square, y, y)])
    }),
    squared_distance: of_row!("neon", [|raw: &_| doubles(of_f32(raw)), |raw: &_| doubles(of_f16(raw)), |raw: &_| doubles(of_bf16(raw)), |raw: &_| doubles(of_i8(raw)), |raw: &_| doubles(of_u8(raw))], fn(a: &[f64], b, load) -> f64 {
        let [distance] = lanes(b, load, Some(a), |[sum], x, y| {
            let difference = vsubq_f64(x, y);
            [vaddq_f64(sum, vmulq_f64(difference, difference))] // rounded separately, not fused
        });
        distance
    }),
    rough_dot: of_row!("neon", [|raw: &[_; PARTIAL]| *raw, |raw: &_| halves(raw), |raw: &[_; PARTIAL]| raw.map(from_bf16), |raw: &[_; PARTIAL]| raw.map(from_i8), |raw: &[_; PARTIAL]| raw.map(from_u8)], fn(a: &[f32], b, widen) -> f32 { scalar::rough_dot(a, b, widen) }),
    ..scalar::KERNELS
};

const BYTES: usize = 16;

#[target_feature(enable = "neon,dotprod")]
fn dots_and_prune(
    factors: &[Factor<'_>],
    records: &[[u8; Record::BYTES]],
    rows: Range<usize>,
    level: Level,
    margin: &Margin,
    survivors: &mut Vec<Survivor>,
) {
    scalar::dots_and_prune(factors, records, rows, level, margin, survivors, |rows, query| four_dots(rows, query));
}

#[target_feature(enable = "neon,dotprod")]
fn dots(plane: Plane<'_>, rows: &[u32], query: &[i8], out: &mut [i32]) {
    scalar::dots(plane, rows, query, out, |rows, query| four_dots(rows, query));
}

#[target_feature(enable = "neon,dotprod")]
fn sketch(rows: Sketched<'_>, query: &SketchQuery, upper: &mut [f32], estimates: &mut [f32]) {
    sketch::bounds(rows, query, upper, estimates, |zones, group, query| sketch::neon::sums(zones, group, query));
}

#[inline]
#[target_feature(enable = "neon,dotprod")]
fn four_dots(rows: [&[u8]; FOUR], query: &[i8]) -> [i32; FOUR] {
    let steps = query.len() / (2 * STEP);
    let nibble = vdupq_n_u8(15);
    rows.map(|row| {
        let row = row[..steps * STEP].as_ptr();
        let mut sum = vdupq_n_s32(0);
        for step in 0..steps {
            for part in (0..STEP).step_by(BYTES) {
                // SAFETY: the row has `steps` · STEP bytes, and `query` twice as many.
                let (bytes, first, second) = unsafe {
                    let query = query.as_ptr().add(step * 2 * STEP + part);
                    (vld1q_u8(row.add(step * STEP + part)), vld1q_s8(query), vld1q_s8(query.add(STEP)))
                };
                let low = vreinterpretq_s8_u8(vandq_u8(bytes, nibble));
                let high = vreinterpretq_s8_u8(vshrq_n_u8::<4>(bytes));
                sum = dot(dot(sum, low, first), high, second);
            }
        }
        vaddvq_s32(sum)
    })
}

/// Rows that are multiplied by four queries at a time, with each sum in a register.
const ROWS: usize = 8;

#[target_feature(enable = "neon,dotprod")]
fn multiply(rows: &[u8], panel: &Panel, products: &mut [i32]) {
    let (stride, lanes) = (panel.stride(), panel.lanes());
    let components = panel.components();
    assert!(components.len() == stride * lanes);
    // The instruction takes signed bytes on both sides: bytes minus 128 are multiplied, and 128 times the query is
    // added.
    let (sign, ones) = (vdupq_n_s8(i8::MIN), vdupq_n_s8(1));
    for first in (0..lanes).step_by(4) {
        let query = |quad: usize| {
            // SAFETY: the panel has four times `lanes` components for each four of `stride`.
            unsafe { vld1q_s8(components.as_ptr().add((quad * lanes + first) * 4)) }
        };
        let sum = (0..stride / 4).fold(vdupq_n_s32(0), |sum, quad| dot(sum, query(quad), ones));
        let begin = vshlq_n_s32::<7>(sum);
        for (rows, products) in rows.chunks_exact(ROWS * stride).zip(products.chunks_exact_mut(ROWS * lanes)) {
            let mut sums = [begin; ROWS];
            for quad in 0..stride / 4 {
                let query = query(quad);
                for (r, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: each of the rows has `stride` bytes.
                    let bytes = unsafe { rows.as_ptr().add(r * stride + 4 * quad).cast::<i32>().read_unaligned() };
                    *sum = dot(*sum, veorq_s8(vreinterpretq_s8_s32(vdupq_n_s32(bytes)), sign), query);
                }
            }
            for (sum, products) in sums.iter().zip(products.chunks_exact_mut(lanes)) {
                // SAFETY: four lanes of 32 bits fit.
                unsafe { vst1q_s32(products[first..first + 4].as_mut_ptr(), *sum) };
            }
        }
    }
}

/// Adds to each lane the products of its four bytes. Nibbles are at most 15, so that they are the same when signed.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(super) fn dot(mut sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: the instruction only reads and writes registers, and is available wherever this function may be called.
    // (The intrinsic of the same name is not stable yet.)
    unsafe {
        asm!("sdot {sum:v}.4s, {a:v}.16b, {b:v}.16b", sum = inout(vreg) sum, a = in(vreg) a, b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags));
    }
    sum
}
