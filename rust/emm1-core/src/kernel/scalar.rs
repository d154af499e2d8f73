//! The kernels in portable Rust: used where nothing faster is available, and the source that the x86 instruction sets
//! recompile.

use std::ops::Range;

use super::{FOUR, Factor, Kernels, OfRow, RUN, consecutive, divide, sketch};
use crate::shape::{
    FINER, Level, Margin, Margins, Panel, Plane, QUAD, Record, STEP, Survivor, from_bf16, from_f16, from_i8, from_u8,
    survives,
};

/// An [`OfRow`] whose functions have the same body but for the value of a component of each type.
macro_rules! of_row {
    (fn($a:ident: &$A:ty, $b:ident, $value:ident) -> $T:ty $body:block) => {
        OfRow {
            f32: |$a: &$A, $b| {
                let $value = |value: f32| value;
                $body
            },
            f16: |$a: &$A, $b| {
                let $value = from_f16;
                $body
            },
            bf16: |$a: &$A, $b| {
                let $value = from_bf16;
                $body
            },
            i8: |$a: &$A, $b| {
                let $value = from_i8;
                $body
            },
            u8: |$a: &$A, $b| {
                let $value = from_u8;
                $body
            },
        }
    };
}

pub(super) const KERNELS: Kernels = Kernels {
    name: "scalar",
    max_component: i8::MAX,
    dots_and_prune: |factors, records, rows, level, margin, survivors| {
        dots_and_prune(factors, records, rows, level, margin, survivors, four_dots)
    },
    dots: |plane, rows, query, out| dots(plane, rows, query, out, four_dots),
    prune,
    unpack,
    multiply,
    prune_panel,
    divide: divide::divide,
    divide_finer: divide::divide_finer,
    row_dots,
    dot: of_row!(fn(a: &[f64], b, value) -> f64 { lanes(b, value, Some(a), |x, y| x * y) }),
    square: of_row!(fn(_a: &(), b, value) -> f64 { lanes(b, value, None, |x, y| x * y) }),
    dot_and_square: of_row!(fn(a: &[f64], b, value) -> [f64; 2] {
        [lanes(b, value, Some(a), |x, y| x * y), lanes(b, value, None, |x, y| x * y)]
    }),
    squared_distance: of_row!(fn(a: &[f64], b, value) -> f64 {
        lanes(b, value, Some(a), |x, y| {
            let difference = x - y;
            difference * difference
        })
    }),
    rough_dot: of_row!(fn(a: &[f32], b, value) -> f32 { rough_dot(a, b, |raw| raw.map(value)) }),
    hadamard,
    quantize,
    quantize_finer,
    sketch: |rows, query, upper, estimates| sketch::bounds(rows, query, upper, estimates, sketch::scalar),
    sketch_tile: |rows, tile, upper, estimates| {
        sketch::one_by_one(rows, tile, upper, estimates, |rows, query, upper, estimates| {
            sketch::bounds(rows, query, upper, estimates, sketch::scalar);
        });
    },
    finish: sketch::finish,
    reaching: sketch::reaching,
    project: sketch::project::<4, 1>,
};

/// Products of four rows with a query.
pub(super) trait FourDots: Fn([&[u8]; FOUR], &[i8]) -> [i32; FOUR] {}
impl<F: Fn([&[u8]; FOUR], &[i8]) -> [i32; FOUR]> FourDots for F {}

fn four_dots(rows: [&[u8]; FOUR], query: &[i8]) -> [i32; FOUR] {
    rows.map(|row| {
        let mut sum = 0;
        for (codes, query) in row.as_chunks::<STEP>().0.iter().zip(query.chunks_exact(2 * STEP)) {
            let (low, high) = query.split_at(STEP);
            for ((byte, &l), &h) in codes.iter().zip(low).zip(high) {
                sum += i32::from(byte & 15) * i32::from(l) + i32::from(byte >> 4) * i32::from(h);
            }
        }
        sum
    })
}

#[inline(always)]
pub(super) fn dots(plane: Plane<'_>, rows: &[u32], query: &[i8], out: &mut [i32], four_dots: impl FourDots) {
    let scattered = !consecutive(rows);
    for (number, out) in out.chunks_mut(FOUR).enumerate() {
        let at = number * FOUR;
        if scattered {
            plane.prefetch_listed(rows, at);
        } else {
            plane.prefetch_sequential(rows[at]);
        }
        let products = four_dots(plane.four(rows, at, query.len() / 2), query);
        out.copy_from_slice(&products[..out.len()]);
    }
}

#[inline(always)]
pub(super) fn prune(records: &[[u8; Record::BYTES]], level: Level, margin: &Margin, survivors: &mut Vec<Survivor>) {
    // Each level has its own loop, without a branch inside it.
    match level {
        Level::FirstHigh => prune_level(records, Level::FirstHigh, margin, survivors),
        Level::High => prune_level(records, Level::High, margin, survivors),
        Level::FirstBytes => prune_level(records, Level::FirstBytes, margin, survivors),
        Level::Bytes => prune_level(records, Level::Bytes, margin, survivors),
    }
}

#[inline(always)]
fn prune_level(records: &[[u8; Record::BYTES]], level: Level, margin: &Margin, survivors: &mut Vec<Survivor>) {
    // Each row is written, but counted only if it survives: there is no branch to mispredict.
    let mut count = 0;
    for number in 0..survivors.len() {
        let row = survivors[number];
        let record = Record::from_bytes(&records[row.place as usize]);
        survivors[count] = row;
        count += usize::from(survives(margin.of(&record, level, row.product)));
    }
    survivors.truncate(count);
}

#[inline(always)]
pub(super) fn dots_and_prune(
    factors: &[Factor<'_>],
    records: &[[u8; Record::BYTES]],
    rows: Range<usize>,
    level: Level,
    margin: &Margin,
    survivors: &mut Vec<Survivor>,
    four_dots: impl FourDots,
) {
    let begin = rows.start;
    let (runs, rest) = records[rows].as_chunks::<RUN>();
    assert!(rest.is_empty(), "consecutive rows come in runs");
    for (number, records) in runs.iter().enumerate() {
        let mut products = [0; RUN];
        for &(plane, query, weight) in factors {
            for (four, products) in products.as_chunks_mut::<FOUR>().0.iter_mut().enumerate() {
                let row = begin + number * RUN + four * FOUR;
                plane.prefetch_sequential(row as u32);
                let rows = std::array::from_fn(|i| plane.padded((row + i) as u32, query.len() / 2));
                for (sum, product) in products.iter_mut().zip(four_dots(rows, query)) {
                    *sum += weight * product;
                }
            }
        }
        let margins = margins(records, &products, level, margin);
        if margins.iter().fold(false, |any, &margin| any | survives(margin)) {
            let mut kept = [Survivor::default(); RUN];
            let mut count = 0;
            for i in 0..RUN {
                kept[count] = Survivor { place: (begin + number * RUN + i) as u32, product: products[i] };
                count += usize::from(survives(margins[i]));
            }
            survivors.extend_from_slice(&kept[..count]);
        }
    }
}

/// The margins of a run of rows.
#[inline(always)]
fn margins(records: &[[u8; Record::BYTES]; RUN], products: &[i32; RUN], level: Level, margin: &Margin) -> [f32; RUN] {
    let all = |level: Level| std::array::from_fn(|i| margin.of(&Record::from_bytes(&records[i]), level, products[i]));
    match level {
        Level::FirstHigh => all(Level::FirstHigh),
        Level::High => all(Level::High),
        Level::FirstBytes => all(Level::FirstBytes),
        Level::Bytes => all(Level::Bytes),
    }
}

#[inline(always)]
pub(super) fn unpack(high: &[u8], low: &[u8], out: &mut [u8]) {
    let (first, second) = out.split_at_mut(high.len());
    for (((high, low), first), second) in high.iter().zip(low).zip(first).zip(second) {
        *first = high << 4 | low & 15;
        *second = high & 0xf0 | low >> 4;
    }
}

fn multiply(rows: &[u8], panel: &Panel, products: &mut [i32]) {
    let lanes = panel.lanes();
    for (row, products) in rows.chunks_exact(panel.stride()).zip(products.chunks_exact_mut(lanes)) {
        products.fill(0);
        for (bytes, components) in row.chunks_exact(QUAD).zip(panel.components().chunks_exact(lanes * QUAD)) {
            for (product, four) in products.iter_mut().zip(components.as_chunks::<QUAD>().0) {
                *product += bytes.iter().zip(four).map(|(&byte, &q)| i32::from(byte) * i32::from(q)).sum::<i32>();
            }
        }
    }
}

#[inline(always)]
pub(super) fn prune_panel(
    records: &[[u8; Record::BYTES]],
    places: &[u32],
    products: &[i32],
    margins: &Margins,
    lanes: usize,
    survivors: &mut Vec<(u32, u32)>,
) {
    for (at, (&place, products)) in places.iter().zip(products.chunks_exact(lanes)).enumerate() {
        let record = Record::from_bytes(&records[place as usize]);
        let mut bits = 0u32;
        for (number, eight) in products.as_chunks::<8>().0.iter().enumerate() {
            let margins = margins.of_eight(&record, 8 * number, eight);
            if margins.iter().fold(false, |any, &margin| any | survives(margin)) {
                bits |= margins.iter().rev().fold(0, |bits, &margin| bits << 1 | u32::from(survives(margin)))
                    << (8 * number);
            }
        }
        if bits != 0 {
            survivors.push((at as u32, bits));
        }
    }
}

/// Queries with a bit, in ascending order.
#[inline(always)]
fn lanes_of(mut bits: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lane = (bits != 0).then_some(bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(lane)
    })
}

#[inline(always)]
pub(super) fn row_dots(row: &[u8], queries: &[i8], bits: u32, sums: &mut [i32]) {
    for lane in lanes_of(bits) {
        let query = &queries[lane * row.len()..][..row.len()];
        sums[lane] += row.iter().zip(query).map(|(&byte, &q)| i32::from(byte) * i32::from(q)).sum::<i32>();
    }
}

/// Lanes of the sums of the reference score.
pub(super) const LANES: usize = 16;

/// Sums `term(a[i], b[i])`, with b in place of a if a is None: lane j takes the elements i with i mod 16 = j in order,
/// then the lanes are folded in halves.
fn lanes<T: Copy>(b: &[T], value: impl Fn(T) -> f32, a: Option<&[f64]>, term: impl Fn(f64, f64) -> f64) -> f64 {
    let mut sums = [0.0f64; LANES];
    for (i, &y) in b.iter().enumerate() {
        let y = f64::from(value(y));
        sums[i % LANES] += term(a.map_or(y, |a| a[i]), y);
    }
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
    }
    sums[0]
}

/// Partial sums of a rough dot product; enough that compilers use several registers.
pub(super) const PARTIAL: usize = 64;

#[inline(always)]
pub(super) fn rough_dot<T: Copy + Default>(a: &[f32], b: &[T], widen: impl Fn(&[T; PARTIAL]) -> [f32; PARTIAL]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<PARTIAL>(), b.as_chunks::<PARTIAL>());
    let mut sums = [0.0; PARTIAL];
    let mut add = |a: &[f32], b: &[f32]| {
        for ((sum, x), y) in sums.iter_mut().zip(a).zip(b) {
            *sum += x * y;
        }
    };
    for (a, b) in a.iter().zip(b) {
        add(a, &widen(b));
    }
    if !b_rest.is_empty() {
        let mut padded = [T::default(); PARTIAL];
        padded[..b_rest.len()].copy_from_slice(b_rest);
        add(a_rest, &widen(&padded));
    }
    let mut half = PARTIAL;
    while half > 1 {
        half /= 2;
        let (first, second) = sums.split_at_mut(half);
        first.iter_mut().zip(second).for_each(|(a, b)| *a += *b);
    }
    sums[0]
}

#[inline(always)]
pub(super) fn hadamard(values: &mut [f32]) {
    let mut half = 1;
    // The first three steps at once, in registers: pairs, fours and eights.
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

/// Quantizes `values` in steps of `scale` to bytes from 1 to 255, centred at 128, and splits them into planes of high
/// and low nibbles. Gives the sums of squared errors of the high nibbles alone, and of both.
#[inline(always)]
pub(super) fn quantize(values: &[f32], scale: f32, high: &mut [u8], low: &mut [u8]) -> [f32; 2] {
    const BLOCK: usize = 32;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let width = high.len();
    let (first, second) = values.split_at(width.min(values.len()));
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

/// Quantizes what the bytes of a rotated row missed, in steps of `scale` / [`FINER`], to bytes from 1 to 255.
#[inline(always)]
pub(super) fn quantize_finer(values: &[f32], scale: f32, codes: &[u8], out: &mut [u8]) -> f32 {
    const BLOCK: usize = 32;
    let step = scale / FINER as f32;
    let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
    let mut squares = [0.0f32; BLOCK];
    for ((values, codes), out) in values.chunks(BLOCK).zip(codes.chunks(BLOCK)).zip(out.chunks_mut(BLOCK)) {
        for (((square, &value), &code), out) in squares.iter_mut().zip(values).zip(codes).zip(out) {
            let missed = value - scale * (f32::from(code) - 128.0);
            let finer = round((missed * inverse).clamp(-127.0, 127.0));
            let left = missed - step * finer;
            *square += left * left;
            *out = (finer as i32 + 128) as u8;
        }
    }
    squares.iter().sum()
}

/// Rounds to the nearest integer, for |value| < 2²²: adding 1.5·2²³ leaves no bits for a fraction.
#[inline(always)]
fn round(value: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0;
    (value + SHIFT) - SHIFT
}
