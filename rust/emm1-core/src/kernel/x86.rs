//! What the instruction sets of x86 have in common: the source of `scalar` compiled anew for each, and the table of all.

use super::scalar::LANES;

/// Parts of [`LANES`], and what is left, where anything is, filled with zeros: to add their products changes no bit.
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

/// Makes the table `KERNELS` of a set, and for the features of the set the kernels that are not written by hand. The module
/// that calls it has `four_dots`, `multiply`, `lanes`, `fused` and `squared_difference`.
macro_rules! kernels {
    ($name:literal, $features:literal, $most:expr) => {
        use crate::kernel::{Factor, Kernels};
        use crate::shape::{Left, Level, Margin, Margins, Plane, Record};

        static KERNELS: Kernels = Kernels {
            name: $name,
            most: $most,
            scan: |factors, records, rows, level, margin, left| {
                // SAFETY: this table is given out only where these features were detected; so for all that follow.
                unsafe { scan(factors, records, rows, level, margin, left) }
            },
            dots: |plane, rows, query, out| {
                // SAFETY: as above.
                unsafe { dots(plane, rows, query, out) }
            },
            sift: |records, places, level, margin, left| {
                // SAFETY: as above.
                unsafe { sift(records, places, level, margin, left) }
            },
            unpack: |high, low, out| {
                // SAFETY: as above.
                unsafe { unpack(high, low, out) }
            },
            multiply: |rows, panel, products| {
                // SAFETY: as above.
                unsafe { multiply(rows, panel, products) }
            },
            sift_panel: |records, places, products, margins, lanes, left| {
                // SAFETY: as above.
                unsafe { sift_panel(records, places, products, margins, lanes, left) }
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
            hadamard: |values| {
                // SAFETY: as above.
                unsafe { hadamard(values) }
            },
            quantize: |values, scale, high, low| {
                // SAFETY: as above.
                unsafe { quantize(values, scale, high, low) }
            },
        };

        #[target_feature(enable = $features)]
        fn scan(
            factors: &[Factor<'_>],
            records: &[[u8; Record::BYTES]],
            rows: std::ops::Range<usize>,
            level: Level,
            margin: &Margin,
            left: &mut Vec<Left>,
        ) {
            scalar::scan(factors, records, rows, level, margin, left, |rows, query| four_dots(rows, query));
        }

        #[target_feature(enable = $features)]
        fn dots(plane: Plane<'_>, rows: &[u32], query: &[i8], out: &mut [i32]) {
            scalar::dots(plane, rows, query, out, |rows, query| four_dots(rows, query));
        }

        #[target_feature(enable = $features)]
        fn sift(records: &[[u8; Record::BYTES]], places: &[u32], level: Level, margin: &Margin, left: &mut Vec<Left>) {
            scalar::sift(records, places, level, margin, left);
        }

        #[target_feature(enable = $features)]
        fn sift_panel(
            records: &[[u8; Record::BYTES]],
            places: &[u32],
            products: &[i32],
            margins: &Margins,
            lanes: usize,
            left: &mut Vec<(u32, u32)>,
        ) {
            scalar::sift_panel(records, places, products, margins, lanes, left);
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
        fn hadamard(values: &mut [f32]) {
            scalar::hadamard(values);
        }

        #[target_feature(enable = $features)]
        fn quantize(values: &[f32], scale: f32, high: &mut [u8], low: &mut [u8]) -> [f32; 2] {
            scalar::quantize(values, scale, high, low)
        }
    };
}

pub(super) use kernels;
