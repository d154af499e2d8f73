//! What the x86 instruction sets share: the source of `scalar`, recompiled for each, and the table of kernels.

/// Defines the table `KERNELS` of an instruction set and compiles the kernels that are not written by hand with its
/// features. The calling module defines `four_dots`, `row_with`, `divide`, `divide_finer` and `multiply`, and
/// `TILES`, how many rows and panels are projected at a time.
macro_rules! kernels {
    ($module:ident, $name:literal, $features:literal, $max_component:expr) => {
        use crate::kernel::sketch;
        use crate::kernel::of_row::$module::{
            fused, halves, lanes, of_bf16, of_f16, of_f32, of_i8, of_u8, squared_difference,
        };
        use crate::kernel::of_row::of_row;
        use crate::kernel::scalar::PARTIAL;
        use crate::kernel::{Divided, Factor, Kernels};
        use crate::shape::{Finish, Level, Margin, Margins, Plane, Record, SketchQuery, Sketched, Survivor, from_bf16, from_i8, from_u8};

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
            dot: of_row!($features, [|raw: &_| of_f32(raw), |raw: &_| of_f16(raw), |raw: &_| of_bf16(raw), |raw: &_| of_i8(raw), |raw: &_| of_u8(raw)], fn(a: &[f64], b, load) -> f64 {
                let [product] = lanes(b, load, Some(a), |[sum], x, y| [fused(sum, x, y)]);
                product
            }),
            square: of_row!($features, [|raw: &_| of_f32(raw), |raw: &_| of_f16(raw), |raw: &_| of_bf16(raw), |raw: &_| of_i8(raw), |raw: &_| of_u8(raw)], fn(_a: &(), b, load) -> f64 {
                let [square] = lanes(b, load, None, |[sum], x, y| [fused(sum, x, y)]);
                square
            }),
            dot_and_square: of_row!($features, [|raw: &_| of_f32(raw), |raw: &_| of_f16(raw), |raw: &_| of_bf16(raw), |raw: &_| of_i8(raw), |raw: &_| of_u8(raw)], fn(a: &[f64], b, load) -> [f64; 2] {
                lanes(b, load, Some(a), |[product, square], x, y| [fused(product, x, y), fused(square, y, y)])
            }),
            squared_distance: of_row!($features, [|raw: &_| of_f32(raw), |raw: &_| of_f16(raw), |raw: &_| of_bf16(raw), |raw: &_| of_i8(raw), |raw: &_| of_u8(raw)], fn(a: &[f64], b, load) -> f64 {
                let [distance] = lanes(b, load, Some(a), |[sum], x, y| [squared_difference(sum, x, y)]);
                distance
            }),
            rough_dot: of_row!($features, [|raw: &[_; PARTIAL]| *raw, |raw: &_| halves(raw), |raw: &[_; PARTIAL]| raw.map(from_bf16), |raw: &[_; PARTIAL]| raw.map(from_i8), |raw: &[_; PARTIAL]| raw.map(from_u8)], fn(a: &[f32], b, widen) -> f32 {
                scalar::rough_dot(a, b, widen)
            }),
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
            sketch: |rows, query, upper, estimates| {
                // SAFETY: as above.
                unsafe { sketch(rows, query, upper, estimates) }
            },
            sketch_tile: |rows, tile, upper, estimates| {
                // SAFETY: as above.
                unsafe { sketch::$module::tile(rows, tile, upper, estimates) }
            },
            finish: |records, finish, upper, estimates| {
                // SAFETY: as above.
                unsafe { finish_bounds(records, finish, upper, estimates) }
            },
            reaching: |upper, needed, out| {
                // SAFETY: as above.
                unsafe { reaching(upper, needed, out) }
            },
            project: |panels, rows, dims, out| {
                // SAFETY: as above.
                unsafe { project(panels, rows, dims, out) }
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

        #[target_feature(enable = $features)]
        fn sketch(rows: Sketched<'_>, query: &SketchQuery, upper: &mut [f32], estimates: &mut [f32]) {
            sketch::bounds(rows, query, upper, estimates, |zones, group, query| {
                sketch::$module::sums(zones, group, query)
            });
        }

        #[target_feature(enable = $features)]
        fn finish_bounds(records: &[[u8; Record::BYTES]], finish: Finish, upper: &mut [f32], estimates: &mut [f32]) {
            sketch::finish(records, finish, upper, estimates);
        }

        #[target_feature(enable = $features)]
        fn reaching(upper: &[f32], needed: f32, out: &mut Vec<u32>) {
            sketch::reaching(upper, needed, out);
        }

        #[target_feature(enable = $features)]
        fn project(panels: &[f32], rows: &[f32], dims: usize, out: &mut [f32]) {
            sketch::project::<{ TILES[0] }, { TILES[1] }>(panels, rows, dims, out);
        }
    };
}

pub(super) use kernels;
