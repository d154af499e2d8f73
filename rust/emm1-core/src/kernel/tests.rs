//! Every instruction set gives the same bits as a simple definition.

use super::workloads::noise;
use super::*;
use crate::shape::{FINER, SLACK, TILE, stride, survives};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

fn products(row: &[u8], query: &[i8]) -> i32 {
    row.iter().zip(query).map(|(&byte, &component)| i32::from(byte) * i32::from(component)).sum()
}

/// Every kernel for scores gives, for a row and its values, the bits of the definition; NaN has no particular bits.
fn scores_agree(a: &[f32], row: Row<'_>, values: &[f32]) -> std::result::Result<(), TestCaseError> {
    let wide: Vec<f64> = a.iter().copied().map(f64::from).collect();
    // Lane by lane, as defined.
    let lanes = |term: &dyn Fn(f64, f64) -> f64| {
        let mut sums = [0.0f64; 16];
        for (i, (&x, &y)) in wide.iter().zip(values).enumerate() {
            sums[i % 16] += term(x, f64::from(y));
        }
        for half in [8, 4, 2, 1] {
            (0..half).for_each(|lane| sums[lane] += sums[lane + half]);
        }
        sums[0]
    };
    let bits = |value: f64| if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
    let (dot, square) = (bits(lanes(&|x, y| x * y)), bits(lanes(&|_, y| y * y)));
    let distance = bits(lanes(&|x, y| (x - y) * (x - y)));
    let scale = a.iter().zip(values).map(|(x, y)| f64::from(x * y).abs()).sum::<f64>();
    for kernels in available() {
        let both = kernels.dot_and_square.of(&wide, row).map(bits);
        prop_assert_eq!(bits(kernels.dot.of(&wide, row)), dot, "{} {:?}", kernels.name, row);
        prop_assert_eq!(bits(kernels.square.of(&(), row)), square, "{} {:?}", kernels.name, row);
        prop_assert_eq!(both, [dot, square], "{} {:?}", kernels.name, row);
        prop_assert_eq!(bits(kernels.squared_distance.of(&wide, row)), distance, "{} {:?}", kernels.name, row);
        let rough = f64::from(kernels.rough_dot.of(a, row));
        let near = (rough - f64::from_bits(dot)).abs() <= 1e-5 * scale + 1e-35;
        prop_assert!(near || scale.is_nan() || scale > 3e38, "{} {rough} {:?}", kernels.name, row);
    }
    let mut widened = vec![0.0; values.len()];
    row.widen(&mut widened);
    let same = |(x, y): (&f32, &f32)| x.to_bits() == y.to_bits() || x.is_nan() && y.is_nan();
    prop_assert!(widened.iter().zip(values).all(same), "{row:?}");
    prop_assert!(row == *values || values.iter().any(|value| value.is_nan()));
    Ok(())
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
        bytes[5 * width..].fill(0xab); // bytes after the last row must not count
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
        let all: Vec<Survivor> = (0..count)
            .map(|at| {
                let product = factors.iter().zip(&queries).map(|((plane, _, weight), query)| {
                    let row = plane.row((begin + at) as u32);
                    let nibbles = row.iter().map(|byte| byte & 15).chain(row.iter().map(|byte| byte >> 4));
                    weight * products(&nibbles.collect::<Vec<_>>(), query)
                });
                Survivor { place: (begin + at) as u32, product: product.sum() }
            })
            .collect();
        for kernels in available() {
            for level in Level::ALL {
                let mut expected = all.clone();
                expected.retain(|row| {
                    let record = Record::from_bytes(&records[row.place as usize]);
                    survives(margin.of(&record, level, row.product))
                });
                let mut survivors = Vec::new();
                (kernels.dots_and_prune)(&factors, &records, begin..rows, level, &margin, &mut survivors);
                prop_assert_eq!(&survivors, &expected, "{} {:?}", kernels.name, level);
                survivors = all.clone();
                (kernels.prune)(&records, level, &margin, &mut survivors);
                prop_assert_eq!(&survivors, &expected, "{} {:?}", kernels.name, level);
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
        // Lanes without a query hold products with zeros.
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
            let mut survivors = Vec::new();
            (kernels.prune_panel)(&records, &places, &products, &margins, lanes, &mut survivors);
            prop_assert_eq!(&survivors, &expected, "{}", kernels.name);
        }
    }

    #[test]
    fn rows_are_divided_query_by_query(
        rows in 1usize..40,
        queries in 1usize..=WIDEST,
        seed in any::<u64>(),
    ) {
        let mut next = noise(seed);
        let lanes = Panel::new(1, vec![&[0i8][..]; queries].into_iter()).lanes();
        let records: Vec<[u8; Record::BYTES]> = (0..rows)
            .map(|_| std::array::from_fn(|at| if at % 4 == 3 { 0x3d + (next() & 3) } else { next() }))
            .collect();
        let places: Vec<u32> = (0..rows as u32).rev().collect();
        let mut some = || (0..queries).map(|_| Margin::example(-f32::from(next()) / 128.0)).collect::<Vec<_>>();
        let margins = [some(), some()];
        let mut product = |at: usize| if at % lanes < queries { i32::from(next()) - 128 } else { 0 };
        let products: Vec<i32> = (0..rows * lanes).map(&mut product).collect();
        let finer: Vec<i32> = (0..rows * lanes).map(|at| 999 * product(at)).collect();
        // What is left of the error, for rows that have finer products.
        let left: Vec<f32> = (0..rows).map(|_| if next() < 85 { f32::INFINITY } else { f32::from(next()) }).collect();
        let [mut whole, mut again] = [(); 2].map(|()| Divided::default());
        for (at, &place) in places.iter().enumerate() {
            let record = Record::from_bytes(&records[place as usize]);
            let (mut unsure, mut still) = (0, 0);
            for lane in 0..queries {
                let (product, more) = (products[at * lanes + lane], finer[at * lanes + lane]);
                let of = |which: usize, sign: i32| survives(margins[which][lane].of(&record, Level::Bytes, sign * product));
                let wide = product as f32 + more as f32 / FINER as f32;
                let finer = |which: usize, wide: f32| survives(margins[which][lane].of_finer(&record, left[at], wide));
                match (of(0, 1), of(1, -1)) {
                    (false, _) => continue,
                    (true, false) => whole.above[lane] += 1,
                    (true, true) => unsure |= 1 << lane,
                }
                if unsure >> lane & 1 == 1 {
                    match (left[at] == f32::INFINITY, finer(0, wide), finer(1, -wide)) {
                        (true, ..) | (_, true, true) => still |= 1 << lane,
                        (_, true, false) => again.above[lane] += 1,
                        (_, false, _) => {}
                    }
                }
            }
            whole.unsure.extend((unsure != 0).then_some((at as u32, unsure)));
            again.unsure.extend((still != 0).then_some((at as u32, still)));
        }
        again.above.iter_mut().zip(&whole.above).for_each(|(all, before)| *all += before);
        let margins = margins.map(|margins| Margins::new(margins.into_iter()));
        for kernels in available() {
            let mut found = Divided::default();
            (kernels.divide)(&records, &places, &products, &margins, lanes, &mut found);
            prop_assert_eq!(&found, &whole, "{}", kernels.name);
            (kernels.divide_finer)(&records, &places, [&products, &finer], &left, &margins, lanes, &mut found);
            prop_assert_eq!(&found, &again, "{}", kernels.name);
        }
    }

    #[test]
    fn products_of_one_row_agree_with_the_definition(
        steps in 1usize..12,
        bits in any::<u32>(),
        seed in any::<u64>(),
        extreme in any::<bool>(),
    ) {
        let mut next = noise(seed);
        let width = steps * STEP;
        let row: Vec<u8> = (0..width).map(|_| if extreme { 255 } else { next() }).collect();
        let queries: Vec<i8> =
            (0..WIDEST * width).map(|at| if extreme { [127, -127][at / width % 2] } else { (next() as i8).max(-127) }).collect();
        let mut expected: Vec<i32> = (0..WIDEST as i32).collect();
        for (lane, (sum, query)) in expected.iter_mut().zip(queries.chunks(width)).enumerate() {
            *sum += if bits >> lane & 1 == 1 { products(&row, query) } else { 0 };
        }
        for kernels in available() {
            let mut sums: Vec<i32> = (0..WIDEST as i32).collect();
            (kernels.row_dots)(&row, &queries, bits, &mut sums);
            prop_assert_eq!(&sums, &expected, "{}", kernels.name);
        }
    }

    #[test]
    fn what_bytes_missed_is_coded_alike(
        values in prop::collection::vec(-1.0f32..1.0, 1..200),
        scale in prop::sample::select(vec![0.0f32, 1e-10, 1e-3, 0.0078125, 1.0]),
        seed in any::<u64>(),
    ) {
        let mut next = noise(seed);
        let codes: Vec<u8> = values.iter().map(|_| next().max(1)).collect();
        let near: Vec<f32> =
            values.iter().zip(&codes).map(|(value, &code)| scale * (f32::from(code) - 128.0 + 0.6 * value)).collect();
        let mut expected = vec![0; values.len()];
        let squares = (scalar::KERNELS.quantize_finer)(&near, scale, &codes, &mut expected);
        for ((&value, &code), &again) in near.iter().zip(&codes).zip(&expected) {
            let finer = (f64::from(again) - 128.0) / FINER;
            let missed = f64::from(value) - f64::from(scale) * (f64::from(code) - 128.0 + finer);
            prop_assert!(missed.abs() <= f64::from(scale) * (0.105 + 1e-5), "{value} {code} {again}");
            // The product of scale and code, up to 127 steps, is rounded by at most 2⁻²⁴ of it (`codes` adds that to the error).
            prop_assert!(missed.abs() <= f64::from(squares).sqrt() * 1.0005 + 8e-6 * f64::from(scale), "{value} {code} {again}");
        }
        for kernels in available() {
            let mut out = vec![0; values.len()];
            let theirs = (kernels.quantize_finer)(&near, scale, &codes, &mut out);
            prop_assert_eq!((theirs.to_bits(), &out), (squares.to_bits(), &expected), "{}", kernels.name);
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
            let most = kernels.max_component;
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
        scores_agree(&a, b[..].into(), &b)?;
        let length = 1 << a.len().ilog2();
        let mut rotated = a[..length].to_vec();
        (scalar::KERNELS.hadamard)(&mut rotated);
        for kernels in available() {
            let mut theirs = a[..length].to_vec();
            (kernels.hadamard)(&mut theirs);
            prop_assert_eq!(&theirs, &rotated);
        }
    }

    #[test]
    fn rows_of_every_type_give_the_bits_of_their_values(
        a in prop::collection::vec((-1e3f32..1e3, prop::sample::select(vec![1.0, 0.0, -0.0, 1e-40, 1e30])), 1..300),
        unaligned in 0usize..4,
        among in prop::sample::select(vec![&[0u16; 0][..], &[0, 0x8000, 1, 0x8001, 0x03ff, 0x0400, 0x7bff, 0xfbff], &[0x7c00, 0xfc00, 0x7e01, 0x7d01, 0x7f80]]),
        seed in any::<u64>(),
    ) {
        let a: Vec<f32> = a.into_iter().map(|(value, scale)| value * scale).collect();
        let mut next = noise(seed);
        let bytes: Vec<u8> = (0..2 * a.len() + unaligned).map(|_| next()).collect();
        let mut halves: Vec<u8> = bytes.clone();
        // Zeros, subnormals, the largest; infinities and NaNs of either type.
        for two in halves[unaligned..].as_chunks_mut::<2>().0.iter_mut().filter(|_| !among.is_empty()) {
            *two = if next() < 128 { *two } else { among[usize::from(next()) % among.len()].to_le_bytes() };
        }
        let (halves, bytes) = (halves[unaligned..].as_chunks().0, bytes[unaligned..][..a.len()].as_chunks().0);
        let f16 = |raw: &[u8; 2]| half::f16::from_le_bytes(*raw).to_f32();
        let bf16 = |raw: &[u8; 2]| half::bf16::from_le_bytes(*raw).to_f32();
        scores_agree(&a, Row::F16(halves), &halves.iter().map(f16).collect::<Vec<_>>())?;
        scores_agree(&a, Row::BF16(halves), &halves.iter().map(bf16).collect::<Vec<_>>())?;
        scores_agree(&a, Row::I8(bytes), &bytes.iter().map(|[byte]| f32::from(*byte as i8)).collect::<Vec<_>>())?;
        scores_agree(&a, Row::U8(bytes), &bytes.iter().map(|[byte]| f32::from(*byte)).collect::<Vec<_>>())?;
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
