//! The inner loops, and the choice of an instruction set, made once.
//!
//! Every kernel is written once, over plain slices: [`scalar`] compiles it for any processor, `avx2` and `avx512` compile
//! the same source with wider registers (`x86`). Only the products and the sums of the reference score are written by hand
//! for each, since no compiler finds the instructions. All sets give the same bits: integers are exact, and sums of floats
//! are fixed in their order.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod panel;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::Range;
use std::sync::OnceLock;

use crate::bound::{Level, Margin, Margins};
use crate::codes::Record;
use crate::error::{Error, Result};
pub(crate) use panel::{Panel, TILE, WIDEST, stride};

/// Rows whose products are summed over their lanes together.
pub(crate) const FOUR: usize = 4;

/// Bytes that a kernel may read past the end of a row; their products are with zeros.
pub(crate) const SLACK: usize = STEP;

/// Rows of nibbles: byte j of a row holds component j in its low half and component `width + j` in its high half.
#[derive(Clone, Copy)]
pub(crate) struct Plane<'a> {
    /// Rows without gaps, then at least [`SLACK`] bytes more.
    pub(crate) bytes: &'a [u8],
    /// Bytes of a row.
    pub(crate) width: usize,
}

/// Rows of a list ahead of the one that is read, that the processor is told of: it cannot foresee them.
const AHEAD: usize = 8;
/// Bytes ahead of rows that follow one another, that the processor is told of: by itself it stops at the end of a page.
const AHEAD_BYTES: usize = 4096;

impl<'a> Plane<'a> {
    /// A row.
    #[inline(always)]
    pub(crate) fn row(&self, row: u32) -> &'a [u8] {
        self.padded(row, self.width)
    }

    /// Four rows of a list from a position on, each `padded` bytes; past the end of the list the last one again.
    #[inline(always)]
    fn four(&self, rows: &[u32], at: usize, padded: usize) -> [&'a [u8]; FOUR] {
        std::array::from_fn(|i| self.padded(rows[(at + i).min(rows.len() - 1)], padded))
    }

    /// Has the processor fetch four rows that a list names further on.
    #[inline(always)]
    fn fetch(&self, rows: &[u32], at: usize) {
        for &row in rows.iter().skip(at + AHEAD).take(FOUR) {
            self.row(row).chunks(64).for_each(fetch);
        }
    }

    /// Has the processor fetch as much as four rows have, where the reading of rows that follow one another will come to.
    #[inline(always)]
    fn fetch_on(&self, row: u32) {
        let begin = row as usize * self.width + AHEAD_BYTES;
        if let Some(lines) = self.bytes.get(begin..begin + FOUR * self.width) {
            lines.chunks(64).for_each(fetch);
        }
    }

    /// A row and what follows it, `padded` bytes in all.
    #[inline(always)]
    fn padded(&self, row: u32, padded: usize) -> &'a [u8] {
        let begin = row as usize * self.width;
        &self.bytes[begin..begin + padded]
    }
}

/// Has the processor fetch a line of memory, where it can be told to.
#[inline(always)]
pub(crate) fn fetch(line: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: fetching changes nothing, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

/// Whether ascending rows follow one another without gaps.
pub(crate) fn consecutive(rows: &[u32]) -> bool {
    match rows {
        [first, .., last] => last.wrapping_sub(*first) as usize == rows.len() - 1,
        _ => true,
    }
}

/// Sums of products of nibbles (0 to 15) and query components (−127 to 127), for rows of a plane.
///
/// For each [`STEP`] bytes of a row, the query holds `STEP` components for the low halves and `STEP` for the high ones (see
/// [`pack`]).
pub(crate) type Dots = fn(Plane<'_>, &[u32], &[i8], &mut [i32]);

/// Bytes of a row for which the components of a query lie together.
pub(crate) const STEP: usize = 64;

/// Arranges the components of a query, those of the part that a plane has, for [`Dots`]; `width` is that of the plane.
pub(crate) fn pack(width: usize, query: &[i8]) -> Vec<i8> {
    let mut packed = vec![0; width.next_multiple_of(STEP) * 2];
    let (low, high) = query.split_at(width.min(query.len()));
    for (half, components) in [low, high].into_iter().enumerate() {
        for (step, components) in components.chunks(STEP).enumerate() {
            let place = (step * 2 + half) * STEP;
            packed[place..place + components.len()].copy_from_slice(components);
        }
    }
    packed
}

/// A row that its margin cannot leave out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Left {
    /// Its position among those looked at.
    pub(crate) at: u32,
    /// Its product with the query, as far as it is known.
    pub(crate) product: i32,
}

/// Keeps the rows that the margin of a query cannot leave out.
pub(crate) type Sift = fn(&[[u8; Record::BYTES]], &[u32], Level, &Margin, &mut Vec<Left>);

/// A plane, the components of a query to multiply it with, and what the products count.
pub(crate) type Factor<'a> = (Plane<'a>, &'a [i8], i32);

/// For as many consecutive rows as [`RUN`] divides: the sums of their products with all factors, and those rows that the
/// margin at a level leaves, appended with their positions.
pub(crate) type Scan = fn(&[Factor<'_>], &[[u8; Record::BYTES]], Range<usize>, Level, &Margin, &mut Vec<Left>);

/// Consecutive rows are scanned so many at a time.
pub(crate) const RUN: usize = 16;

/// The same for the queries of a panel and products with whole bytes; gives a bit for each query too.
pub(crate) type SiftPanel = fn(&[[u8; Record::BYTES]], &[u32], &[i32], &Margins, usize, &mut Vec<(u32, u32)>);

/// Puts the high and low nibbles of a part of a row together: bytes in the order of the components, each its code plus 128.
pub(crate) type Unpack = fn(&[u8], &[u8], &mut [u8]);

/// Sums of products of rows of bytes (each [`stride`] long, a multiple of [`TILE`] of them) and the queries of a panel: for
/// each row, those with all queries.
pub(crate) type Multiply = fn(&[u8], &Panel, &mut [i32]);

/// Codes values in steps of a scale into planes of high and low nibbles; gives the sums of squares that the high nibbles
/// alone miss, and that both miss.
pub(crate) type Quantize = fn(&[f32], f32, &mut [u8], &mut [u8]) -> [f32; 2];

/// The inner loops for one instruction set.
pub(crate) struct Kernels {
    /// `EMM1_SIMD` calls it so.
    pub(crate) name: &'static str,
    /// The largest component of a query in a panel: what `multiply` can take without an overflow.
    pub(crate) most: i8,
    pub(crate) scan: Scan,
    pub(crate) dots: Dots,
    pub(crate) sift: Sift,
    pub(crate) unpack: Unpack,
    pub(crate) multiply: Multiply,
    pub(crate) sift_panel: SiftPanel,
    /// a·b as the reference score has it.
    pub(crate) dot: fn(&[f64], &[f32]) -> f64,
    /// a·a, likewise.
    pub(crate) square: fn(&[f32]) -> f64,
    /// The sum of squared differences as the reference score has it.
    pub(crate) squared_distance: fn(&[f64], &[f32]) -> f64,
    /// The fast Walsh–Hadamard transform in place; the length is a power of two.
    pub(crate) hadamard: fn(&mut [f32]),
    /// Codes a rotated row (see `codes::encode`).
    pub(crate) quantize: Quantize,
}

/// The loops for this processor, or those that `EMM1_SIMD` names (scalar, avx2, avx512, neon).
///
/// # Errors
/// `EMM1_SIMD` names a set that does not exist or that this processor lacks.
pub(crate) fn kernels() -> Result<&'static Kernels> {
    static CHOSEN: OnceLock<Option<&'static Kernels>> = OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| {
        let mut available = available();
        match std::env::var("EMM1_SIMD") {
            Ok(wanted) if !wanted.is_empty() => available.find(|kernels| kernels.name == wanted),
            _ => available.next(),
        }
    });
    chosen.ok_or_else(|| {
        let names: Vec<_> = available().map(|kernels| kernels.name).collect();
        Error::Request(format!("EMM1_SIMD is none of the instruction sets of this processor: {}", names.join(", ")))
    })
}

/// The sets that this processor has, the fastest first.
pub(crate) fn available() -> impl Iterator<Item = &'static Kernels> {
    #[cfg(target_arch = "x86_64")]
    let sets = [avx512::kernels(), avx2::kernels(), Some(&scalar::KERNELS)];
    #[cfg(target_arch = "aarch64")]
    let sets = [neon::kernels(), Some(&scalar::KERNELS)];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let sets = [Some(&scalar::KERNELS)];
    sets.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bound::survives;
    use proptest::prelude::*;

    /// Bytes that look random.
    fn noise(seed: u64) -> impl FnMut() -> u8 {
        let mut state = seed;
        move || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 56) as u8
        }
    }

    fn products(row: &[u8], query: &[i8]) -> i32 {
        row.iter().zip(query).map(|(&byte, &component)| i32::from(byte) * i32::from(component)).sum()
    }

    proptest! {
        #[test]
        fn products_of_nibbles_agree_with_the_definition(
            width in 1usize..700,
            odd in 0usize..2,
            seed in any::<u64>(),
            extreme in any::<bool>(),
        ) {
            let mut next = noise(seed);
            let mut bytes: Vec<u8> = (0..5 * width + SLACK).map(|_| if extreme { 255 } else { next() }).collect();
            bytes[5 * width..].fill(0xab); // what lies behind the last row counts for nothing
            let plane = Plane { bytes: &bytes, width };
            let query: Vec<i8> = (0..2 * width - odd).map(|_| if extreme { -127 } else { (next() as i8).max(-127) }).collect();
            let rows = [4, 0, 2, 2];
            let packed = pack(width, &query);
            for kernels in available() {
                let mut out = [0; 4];
                (kernels.dots)(plane, &rows, &packed, &mut out);
                for (out, &row) in out.into_iter().zip(&rows) {
                    let nibbles = plane.row(row).iter().map(|byte| byte & 15).chain(plane.row(row).iter().map(|byte| byte >> 4));
                    prop_assert_eq!(out, products(&nibbles.collect::<Vec<_>>(), &query), "{}", kernels.name);
                }
            }
        }

        #[test]
        fn consecutive_rows_are_sifted_like_a_list(
            widths in prop::collection::vec(0usize..100, 1..4),
            begin in 0usize..3,
            runs in 1usize..3,
            seed in any::<u64>(),
        ) {
            let mut next = noise(seed);
            let (count, rows) = (RUN * runs, begin + RUN * runs);
            let bytes: Vec<Vec<u8>> =
                widths.iter().map(|width| (0..rows * width + SLACK).map(|_| next()).collect()).collect();
            let queries: Vec<Vec<i8>> =
                widths.iter().map(|width| (0..2 * width).map(|_| (next() as i8).max(-127)).collect()).collect();
            let packed: Vec<Vec<i8>> = widths.iter().zip(&queries).map(|(&width, query)| pack(width, query)).collect();
            let planes = || bytes.iter().zip(&widths).map(|(bytes, &width)| Plane { bytes, width });
            let factors: Vec<Factor<'_>> =
                planes().zip(&packed).zip([16, 1, 16]).map(|((plane, packed), weight)| (plane, &packed[..], weight)).collect();
            let records: Vec<[u8; Record::BYTES]> = (0..rows)
                .map(|_| std::array::from_fn(|at| if at % 4 == 3 { 0x3d + (next() & 3) } else { next() }))
                .collect();
            let margin = Margin::example(-0.3);
            let places: Vec<u32> = (begin as u32..rows as u32).collect();
            let all: Vec<Left> = (0..count)
                .map(|at| {
                    let product = factors.iter().zip(&queries).map(|((plane, _, weight), query)| {
                        let row = plane.row((begin + at) as u32);
                        let nibbles = row.iter().map(|byte| byte & 15).chain(row.iter().map(|byte| byte >> 4));
                        weight * products(&nibbles.collect::<Vec<_>>(), query)
                    });
                    Left { at: at as u32, product: product.sum() }
                })
                .collect();
            for kernels in available() {
                for level in Level::ALL {
                    let mut expected = all.clone();
                    expected.retain(|row| {
                        let record = Record::from_bytes(&records[begin + row.at as usize]);
                        survives(margin.of(&record, level, row.product))
                    });
                    let mut left = Vec::new();
                    (kernels.scan)(&factors, &records, begin..rows, level, &margin, &mut left);
                    prop_assert_eq!(&left, &expected, "{} {:?}", kernels.name, level);
                    left = all.clone();
                    (kernels.sift)(&records, &places, level, &margin, &mut left);
                    prop_assert_eq!(&left, &expected, "{} {:?}", kernels.name, level);
                }
            }
        }

        #[test]
        fn panels_are_sifted_query_by_query(
            rows in 1usize..2 * TILE,
            queries in 1usize..=WIDEST,
            seed in any::<u64>(),
        ) {
            let mut next = noise(seed);
            let lanes = Panel::new(1, vec![&[0i8][..]; queries].into_iter()).lanes();
            let records: Vec<[u8; Record::BYTES]> = (0..rows)
                .map(|_| std::array::from_fn(|at| if at % 4 == 3 { 0x3d + (next() & 3) } else { next() }))
                .collect();
            let places: Vec<u32> = (0..rows as u32).rev().collect();
            let margins: Vec<Margin> = (0..queries).map(|_| Margin::example(-f32::from(next()) / 128.0)).collect();
            // Products with the lanes that have no query are those with zeros.
            let product = |lane: usize, byte: u8| if lane < queries { i32::from(byte) - 128 } else { 0 };
            let products: Vec<i32> = (0..rows * lanes).map(|at| product(at % lanes, next())).collect();
            let mut expected = Vec::new();
            for (at, (&place, products)) in places.iter().zip(products.chunks(lanes)).enumerate() {
                let record = Record::from_bytes(&records[place as usize]);
                let bit = |(lane, margin): (usize, &Margin)| {
                    u32::from(survives(margin.of(&record, Level::Bytes, products[lane]))) << lane
                };
                let bits = margins.iter().enumerate().map(bit).sum::<u32>();
                if bits != 0 {
                    expected.push((at as u32, bits));
                }
            }
            let margins = Margins::new(margins.into_iter());
            for kernels in available() {
                let mut left = Vec::new();
                (kernels.sift_panel)(&records, &places, &products, &margins, lanes, &mut left);
                prop_assert_eq!(&left, &expected, "{}", kernels.name);
            }
        }

        #[test]
        fn products_of_panels_agree_with_the_definition(
            width in 1usize..300,
            odd in 0usize..2,
            queries in 1usize..=WIDEST,
            seed in any::<u64>(),
            extreme in any::<bool>(),
        ) {
            let mut next = noise(seed);
            let rows: Vec<u8> = (0..2 * TILE * stride(width)).map(|_| if extreme { 255 } else { next() }).collect();
            for kernels in available() {
                let most = kernels.most;
                let queries: Vec<Vec<i8>> = (0..queries)
                    .map(|g| {
                        let one = if g % 2 == 0 { most } else { -most };
                        (0..2 * width - odd).map(|_| if extreme { one } else { (next() as i8).clamp(-most, most) }).collect()
                    })
                    .collect();
                let panel = Panel::new(width, queries.iter().map(Vec::as_slice));
                let mut out = vec![1; 2 * TILE * panel.lanes()];
                (kernels.multiply)(&rows, &panel, &mut out);
                for (row, out) in rows.chunks(stride(width)).zip(out.chunks(panel.lanes())) {
                    let expected: Vec<i32> = queries.iter().map(|query| products(row, query)).collect();
                    prop_assert_eq!(&out[..queries.len()], expected, "{}", kernels.name);
                }
            }
        }

        #[test]
        fn nibbles_are_put_together_in_the_order_of_components(planes in prop::collection::vec(any::<[u8; 2]>(), 1..300)) {
            let (high, low): (Vec<u8>, Vec<u8>) = planes.iter().map(|&[high, low]| (high, low)).unzip();
            let firsts = planes.iter().map(|[high, low]| high << 4 | low & 15);
            let expected: Vec<u8> = firsts.chain(planes.iter().map(|[high, low]| high & 0xf0 | low >> 4)).collect();
            for kernels in available() {
                let mut out = vec![0; 2 * planes.len()];
                (kernels.unpack)(&high, &low, &mut out);
                prop_assert_eq!(&out, &expected, "{}", kernels.name);
            }
        }

        #[test]
        fn every_set_gives_the_same_bits(a in prop::collection::vec(-1e3f32..1e3, 1..300), shift in -2.0f32..2.0) {
            let b: Vec<f32> = a.iter().rev().map(|value| value * shift + 0.1).collect();
            let wide: Vec<f64> = a.iter().copied().map(f64::from).collect();
            // Lane by lane, as it is defined.
            let lanes = |term: &dyn Fn(f64, f64) -> f64| {
                let mut sums = [0.0f64; 16];
                for (i, (&x, &y)) in wide.iter().zip(&b).enumerate() {
                    sums[i % 16] += term(x, f64::from(y));
                }
                for half in [8, 4, 2, 1] {
                    (0..half).for_each(|lane| sums[lane] += sums[lane + half]);
                }
                sums[0].to_bits()
            };
            let (dot, square) = (lanes(&|x, y| x * y), lanes(&|_, y| y * y));
            let distance = lanes(&|x, y| (x - y) * (x - y));
            let length = 1 << a.len().ilog2();
            let mut rotated = a[..length].to_vec();
            (scalar::KERNELS.hadamard)(&mut rotated);
            for kernels in available() {
                prop_assert_eq!((kernels.dot)(&wide, &b).to_bits(), dot, "{}", kernels.name);
                prop_assert_eq!((kernels.square)(&b).to_bits(), square, "{}", kernels.name);
                prop_assert_eq!((kernels.squared_distance)(&wide, &b).to_bits(), distance, "{}", kernels.name);
                let mut theirs = a[..length].to_vec();
                (kernels.hadamard)(&mut theirs);
                prop_assert_eq!(&theirs, &rotated);
            }
        }

        #[test]
        fn hadamard_is_its_own_inverse(a in prop::collection::vec(-100i32..100, 64)) {
            let mut values: Vec<f32> = a.iter().map(|&value| value as f32).collect();
            for _ in 0..2 {
                (scalar::KERNELS.hadamard)(&mut values);
            }
            prop_assert!(values.iter().zip(&a).all(|(&value, &was)| value == 64.0 * was as f32));
        }
    }
}
