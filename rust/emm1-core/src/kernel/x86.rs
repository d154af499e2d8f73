//! What the x86 instruction sets share: the source of `scalar`, recompiled for each, and the table of kernels.

use super::scalar::LANES;

/// Chunks of [`LANES`], and the remainder, if there is one, padded with zeros: adding their products changes no bit.
#[inline(always)]
pub(super) fn parts<T: Copy + Default>(values: &[T]) -> (&[[T; LANES]], Option<[T; LANES]>) {
    let (parts, rest) = values.as_chunks();
    if rest.is_empty() {
        return (parts, None);
    }
    let mut padded = [T::default(); LANES];
    padded[..rest.len()].copy_from_slice(rest);
    (parts, Some(padded))
}

/// Defines the table `KERNELS` of an instruction set and compiles the kernels that are not written by hand with its
/// features. The calling module defines `four_dots`, `row_with`, `divide`, `divide_finer`, `multiply`, `lanes`, `fused` and `squared_difference`.
macro_rules! kernels {
    ($name:literal, $features:literal, $max_component:expr) => {
        use crate::kernel::{Divided, Factor, Kernels};
        use crate::shape::{Level, Margin, Margins, Plane, Record, Survivor};

        static KERNELS: Kernels = Kernels {
            name: $name,
            max_component: $max_component,
            dots_and_prune: |factors, records, rows, level, margin, survivors| {
                // SAFETY: this table is returned only where these features were detected; the same holds for all that
                // follow.
                unsafe { dots_and_prune(factors, records, rows, level, margin, survivors) }
            },
            dots: |plane, rows, query, out| {
                // SAFETY: as above.
                unsafe { dots(plane, rows, query, out) }
            },
            prune: |records, level, margin, survivors| {
                // SAFETY: as above.
                unsafe { prune(records, level, margin, survivors) }
            },
            unpack: |high, low, out| {
                // SAFETY: as above.
                unsafe { unpack(high, low, out) }
            },
            multiply: |rows, panel, products| {
                // SAFETY: as above.
                unsafe { multiply(rows, panel, products) }
            },
            prune_panel: |records, places, products, margins, lanes, survivors| {
                // SAFETY: as above.
                unsafe { prune_panel(records, places, products, margins, lanes, survivors) }
            },
            divide: |records, places, products, margins, lanes, found| {
                // SAFETY: as above.
                unsafe { divide(records, places, products, margins, lanes, found) }
            },
            divide_finer: |records, places, products, missed, margins, lanes, found| {
                // SAFETY: as above.
                unsafe { divide_finer(records, places, products, missed, margins, lanes, found) }
            },
            row_dots: |row, queries, bits, sums| {
                // SAFETY: as above.
                unsafe { row_dots(row, queries, bits, sums) }
            },
            dot: |a, b| {
                // SAFETY: as above.
                unsafe { dot(a, b) }
            },
            square: |a| {
                // SAFETY: as above.
                unsafe { square(a) }
            },
            squared_distance: |a, b| {
                // SAFETY: as above.
                unsafe { squared_distance(a, b) }
            },
            rough_dot: |a, b| {
                // SAFETY: as above.
                unsafe { rough_dot(a, b) }
            },
            hadamard: |values| {
                // SAFETY: as above.
                unsafe { hadamard(values) }
            },
            quantize: |values, scale, high, low| {
                // SAFETY: as above.
                unsafe { quantize(values, scale, high, low) }
            },
            quantize_finer: |values, scale, codes, out| {
                // SAFETY: as above.
                unsafe { quantize_finer(values, scale, codes, out) }
            },
        };

        #[target_feature(enable = $features)]
        fn dots_and_prune(
            factors: &[Factor<'_>],
            records: &[[u8; Record::BYTES]],
            rows: std::ops::Range<usize>,
            level: Level,
            margin: &Margin,
            survivors: &mut Vec<Survivor>,
        ) {
            scalar::dots_and_prune(factors, records, rows, level, margin, survivors, |rows, query| {
                four_dots(rows, query)
            });
        }

        #[target_feature(enable = $features)]
        fn dots(plane: Plane<'_>, rows: &[u32], query: &[i8], out: &mut [i32]) {
            scalar::dots(plane, rows, query, out, |rows, query| four_dots(rows, query));
        }

        #[target_feature(enable = $features)]
        fn prune(records: &[[u8; Record::BYTES]], level: Level, margin: &Margin, survivors: &mut Vec<Survivor>) {
            scalar::prune(records, level, margin, survivors);
        }

        #[target_feature(enable = $features)]
        fn prune_panel(
            records: &[[u8; Record::BYTES]],
            places: &[u32],
            products: &[i32],
            margins: &Margins,
            lanes: usize,
            survivors: &mut Vec<(u32, u32)>,
        ) {
            scalar::prune_panel(records, places, products, margins, lanes, survivors);
        }

        #[target_feature(enable = $features)]
        fn row_dots(row: &[u8], queries: &[i8], bits: u32, sums: &mut [i32]) {
            let query = |lane: usize| &queries[lane * row.len()..][..row.len()];
            let mut rest = bits;
            while rest != 0 {
                let (mut four, count) = ([0; FOUR], FOUR.min(rest.count_ones() as usize));
                for lane in &mut four[..count] {
                    *lane = rest.trailing_zeros() as usize;
                    rest &= rest - 1;
                }
                let [a, b, c, d] = four;
                let products = match count {
                    1 => row_with(row, [query(a)]),
                    2 => row_with(row, [query(a), query(b)]),
                    3 => row_with(row, [query(a), query(b), query(c)]),
                    _ => row_with(row, [query(a), query(b), query(c), query(d)]),
                };
                for (lane, product) in four.into_iter().zip(products).take(count) {
                    sums[lane] += product;
                }
            }
        }

        #[target_feature(enable = $features)]
        fn unpack(high: &[u8], low: &[u8], out: &mut [u8]) {
            scalar::unpack(high, low, out);
        }

        #[target_feature(enable = $features)]
        fn dot(a: &[f64], b: &[f32]) -> f64 {
            lanes(b, Some(a), |sum, x, y| fused(sum, x, y))
        }

        #[target_feature(enable = $features)]
        fn square(a: &[f32]) -> f64 {
            lanes(a, None, |sum, x, y| fused(sum, x, y))
        }

        #[target_feature(enable = $features)]
        fn squared_distance(a: &[f64], b: &[f32]) -> f64 {
            lanes(b, Some(a), |sum, x, y| squared_difference(sum, x, y))
        }

        #[target_feature(enable = $features)]
        fn rough_dot(a: &[f32], b: &[f32]) -> f32 {
            scalar::rough_dot(a, b)
        }

        #[target_feature(enable = $features)]
        fn hadamard(values: &mut [f32]) {
            scalar::hadamard(values);
        }

        #[target_feature(enable = $features)]
        fn quantize(values: &[f32], scale: f32, high: &mut [u8], low: &mut [u8]) -> [f32; 2] {
            scalar::quantize(values, scale, high, low)
        }

        #[target_feature(enable = $features)]
        fn quantize_finer(values: &[f32], scale: f32, codes: &[u8], out: &mut [u8]) -> f32 {
            scalar::quantize_finer(values, scale, codes, out)
        }
    };
}

pub(super) use kernels;
