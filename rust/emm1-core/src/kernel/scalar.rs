//! The kernels in plain Rust: what runs where there is nothing better, and the source that the others compile anew.

use super::{Kernels, Plane, STEP};
use crate::bound::{Margins, survives};
use crate::codes::Record;

pub(super) const KERNELS: Kernels = Kernels {
    name: "scalar",
    dots,
    dots_group: dots,
    sift,
    sift_group: sift,
    dot,
    square,
    squared_distance,
    hadamard,
    quantize,
};

fn dots<const G: usize>(plane: Plane<'_>, rows: &[u32], queries: &[i8], out: &mut [[i32; G]]) {
    let padded = queries.len() / (2 * G);
    for (&row, out) in rows.iter().zip(out) {
        *out = [0; G];
        let steps = plane.row(row, padded).as_chunks::<STEP>().0;
        for (codes, queries) in steps.iter().zip(queries.chunks_exact(2 * G * STEP)) {
            for (query, out) in queries.chunks_exact(2 * STEP).zip(out.iter_mut()) {
                let (low, high) = query.split_at(STEP);
                for ((byte, &l), &h) in codes.iter().zip(low).zip(high) {
                    *out += i32::from(byte & 15) * i32::from(l) + i32::from(byte >> 4) * i32::from(h);
                }
            }
        }
    }
}

#[inline(always)]
pub(super) fn sift<const G: usize>(
    records: &[[u8; Record::BYTES]],
    places: &[u32],
    high: &[[i32; G]],
    low: Option<&[[i32; G]]>,
    margins: &Margins<G>,
    left: &mut Vec<(u32, u8)>,
) {
    for (at, (&place, high)) in places.iter().zip(high).enumerate() {
        let record = Record::from_bytes(&records[place as usize]);
        let margins = match low {
            None => margins.coarse(&record, high),
            Some(low) => margins.fine(&record, high, &low[at]),
        };
        if margins.iter().fold(false, |any, &margin| any | survives(margin)) {
            let bits = margins.iter().enumerate().fold(0, |bits, (g, &margin)| bits | u8::from(survives(margin)) << g);
            left.push((at as u32, bits));
        }
    }
}

const LANES: usize = 16;

/// Sums `term(a[i], b[i])`: lane j takes the elements i with i mod 16 = j in order, then the lanes are folded in halves.
#[inline(always)]
fn lanes<A: Copy + Into<f64>>(a: &[A], b: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    let mut sums = [0.0f64; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (x, y) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += term(x[lane].into(), f64::from(y[lane]));
        }
    }
    for (lane, (&x, &y)) in a_rest.iter().zip(b_rest).enumerate() {
        sums[lane] += term(x.into(), f64::from(y));
    }
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
    }
    sums[0]
}

#[inline(always)]
pub(super) fn dot(a: &[f64], b: &[f32]) -> f64 {
    lanes(a, b, |x, y| x * y)
}

#[inline(always)]
pub(super) fn square(a: &[f32]) -> f64 {
    lanes(a, a, |x, y| x * y)
}

#[inline(always)]
pub(super) fn squared_distance(a: &[f64], b: &[f32]) -> f64 {
    lanes(a, b, |x, y| {
        let difference = x - y;
        difference * difference
    })
}

#[inline(always)]
pub(super) fn hadamard(values: &mut [f32]) {
    let mut half = 1;
    // The first steps at once, in registers: pairs, fours and eights.
    let (eights, _) = values.as_chunks_mut::<8>();
    if !eights.is_empty() {
        for v in eights {
            let p = [
                v[0] + v[1],
                v[0] - v[1],
                v[2] + v[3],
                v[2] - v[3],
                v[4] + v[5],
                v[4] - v[5],
                v[6] + v[7],
                v[6] - v[7],
            ];
            let q = [
                p[0] + p[2],
                p[1] + p[3],
                p[0] - p[2],
                p[1] - p[3],
                p[4] + p[6],
                p[5] + p[7],
                p[4] - p[6],
                p[5] - p[7],
            ];
            for i in 0..4 {
                v[i] = q[i] + q[i + 4];
                v[i + 4] = q[i] - q[i + 4];
            }
        }
        half = 8;
    }
    while half < values.len() {
        for pair in values.chunks_exact_mut(2 * half) {
            let (first, second) = pair.split_at_mut(half);
            for (a, b) in first.iter_mut().zip(second) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
}

/// Codes `values` in steps of `scale`, as bytes from 1 to 255 around 128, split into planes of high and low nibbles.
/// Gives the sums of squares of what the high nibbles alone miss, and of what both miss.
#[inline(always)]
pub(super) fn quantize(values: &[f32], scale: f32, high: &mut [u8], low: &mut [u8]) -> [f32; 2] {
    const BLOCK: usize = 32;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let width = high.len();
    let (first, second) = values.split_at(width);
    let mut missed = [[0.0f32; BLOCK]; 2];
    for begin in (0..width).step_by(BLOCK) {
        let end = width.min(begin + BLOCK);
        let mut bytes = [[128u8; BLOCK]; 2];
        for (half, bytes) in [first, second].into_iter().zip(&mut bytes) {
            let half = &half[begin.min(half.len())..end.min(half.len())];
            for (lane, (&value, byte)) in half.iter().zip(bytes.iter_mut()).enumerate() {
                let code = round((value * inverse).clamp(-127.0, 127.0));
                let coarse = ((code as i32 + 128) & 0xf0) as f32 - 120.5;
                let (near, far) = (value - scale * code, value - scale * coarse);
                missed[0][lane] += far * far;
                missed[1][lane] += near * near;
                *byte = (code as i32 + 128) as u8;
            }
        }
        for (j, (high, low)) in high[begin..end].iter_mut().zip(&mut low[begin..end]).enumerate() {
            *high = bytes[0][j] >> 4 | bytes[1][j] & 0xf0;
            *low = bytes[0][j] & 15 | bytes[1][j] << 4;
        }
    }
    missed.map(|lanes| lanes.iter().sum())
}

/// To the nearest integer, for |value| < 2²²: adding 1.5·2²³ leaves no bits for a fraction.
#[inline(always)]
fn round(value: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0;
    (value + SHIFT) - SHIFT
}
