//! Every instruction set gives the same bits as a simple definition.

use super::*;
use crate::kernel::available;
use crate::shape::SIDE;
use proptest::prelude::*;
use std::ops::Range;

/// The code of a component of a row, found bit by bit.
fn code(zones: Zones, groups: &[u8], row: usize, component: usize) -> i32 {
    let zone = (0..Zones::COUNT).find(|&zone| zones.range(zone).contains(&component)).unwrap();
    let (bits, per, within) = (Zones::BITS[zone], Zones::per_vector(zone), component - zones.range(zone).start);
    let vector = zones.vectors[..zone].iter().sum::<usize>() + within / per;
    let byte = groups[row / GROUP * zones.group() + vector * VECTOR + row % GROUP * 4 + within % per % 4];
    (0..bits).map(|bit| i32::from(byte >> (within % per / 4 * bits + bit) & 1) << bit).sum()
}

/// The components of a query in the order in which they are multiplied, and the packed ones.
fn query(zones: Zones, mut next: impl FnMut() -> i8) -> ([Vec<i32>; 2], SketchQuery) {
    let (mut halves, mut packed) = ([vec![], vec![]], SketchQuery::default());
    for zone in 0..Zones::COUNT {
        for _ in 0..zones.vectors[zone] {
            for half in &mut halves[..if zone == 0 { 2 } else { 1 }] {
                for _ in 0..Zones::per_vector(zone) {
                    let component = next();
                    half.push(i32::from(component));
                    packed.components.push(component);
                }
            }
        }
    }
    (halves, packed)
}

proptest! {
    #[test]
    fn bounds_agree_with_the_definition(
        vectors in [0usize..5, 0usize..4, 0usize..3],
        groups in 1usize..4,
        bytes in prop::collection::vec(any::<u8>(), 4 * 13 * VECTOR),
        components in prop::collection::vec(any::<i8>(), 1..300),
        extreme in any::<bool>(),
        factors in [-1f32..1.0, -1f32..1.0, -1f32..1.0, -1f32..1.0, -9f32..9.0, 0f32..1.0, 0f32..1.0, 0f32..1.0, 0f32..1.0],
    ) {
        let zones = Zones { vectors };
        let mut bytes = bytes[..groups * zones.group()].to_vec();
        if extreme {
            bytes.iter_mut().for_each(|byte| *byte |= 0xf7);
        }
        let mut endless = components.iter().copied().cycle();
        let ([high, low], mut query) = query(zones, || if extreme { i8::MIN } else { endless.next().unwrap() });
        let [a, b, c, d, offset, e, f, g, h] = factors;
        query.factors = SketchFactors { products: [a, b, c, d], offset, lengths: [e, f, g, h], slack: 0.5 };
        let [first, second, third] = [0, 1, 2].map(|zone| zones.range(zone));
        let mut expected = Vec::new();
        for row in 0..groups * GROUP {
            let sum = |range: &Range<usize>, query: &[i32]| -> f32 {
                range.clone().map(|at| code(zones, &bytes, row, at) * query[at]).sum::<i32>() as f32
            };
            let estimate = ((sum(&first, &high) * a + sum(&first, &low) * b) + (sum(&second, &high) * c + sum(&third, &high) * d)) + offset;
            let place = row / GROUP * zones.group() + zones.group() - VECTOR + row % GROUP * 4;
            let lengths: [f32; 4] = std::array::from_fn(|at| f32::from(bytes[place + at]));
            let missed = (lengths[0] * e + lengths[1] * f) + (lengths[2] * g + lengths[3] * h);
            let unknown = bytes[place + 3] == UNKNOWN;
            // What bounds allow for the rounding of these sums, relative to their terms.
            let wide = |range: &Range<usize>, query: &[i32], factor: f32| f64::from(sum(range, query)) * f64::from(factor);
            let far = lengths.iter().zip([e, f, g, h]).map(|(&length, factor)| f64::from(length) * f64::from(factor));
            let terms: Vec<f64> = [wide(&first, &high, a), wide(&first, &low, b), wide(&second, &high, c), wide(&third, &high, d)]
                .into_iter().chain(far).chain([f64::from(offset), 0.5]).collect();
            let (exact, size) = (terms.iter().sum::<f64>(), terms.iter().map(|term| term.abs()).sum::<f64>());
            prop_assert!((exact - f64::from(estimate + (missed + 0.5))).abs() <= NARROW / 4.0 * size);
            expected.push((if unknown { f32::INFINITY } else { estimate + (missed + 0.5) }, estimate));
        }
        for kernels in available() {
            let (mut upper, mut estimates) = (vec![0.0; groups * GROUP], vec![0.0; groups * GROUP]);
            (kernels.sketch)(Sketched { zones, groups: &bytes }, &query, &mut upper, &mut estimates);
            let found: Vec<(f32, f32)> = upper.into_iter().zip(estimates).collect();
            prop_assert_eq!(&found, &expected, "{}", kernels.name);
        }
    }

    #[test]
    fn a_tile_has_the_bounds_of_each_of_its_queries(
        vectors in [0usize..5, 0usize..4, 0usize..3],
        groups in 1usize..4,
        bytes in prop::collection::vec(any::<u8>(), 4 * 13 * VECTOR),
        components in prop::collection::vec(any::<i8>(), 1..2000),
        extreme in any::<bool>(),
        factors in prop::collection::vec(-1f32..1.0, 30),
        count in 1usize..=SIDE,
    ) {
        let zones = Zones { vectors };
        let mut bytes = bytes[..groups * zones.group()].to_vec();
        if extreme {
            bytes.iter_mut().for_each(|byte| *byte |= 0xf7);
        }
        let sketched = Sketched { zones, groups: &bytes };
        let mut endless = components.iter().copied().cycle();
        let mut factor = factors.iter().copied().cycle();
        let queries = (0..count).map(|_| {
            let (_, mut query) = query(zones, || if extreme { i8::MIN } else { endless.next().unwrap() });
            let mut some = || std::array::from_fn(|_| factor.next().unwrap());
            query.factors = SketchFactors { products: some(), offset: 0.25, lengths: some(), slack: 0.5 };
            query
        });
        let queries: Vec<SketchQuery> = queries.collect();
        let rows = groups * GROUP;
        let mut expected = [(); 2].map(|()| vec![0.0; count * rows]);
        let [upper, estimates] = &mut expected;
        for (query, (upper, estimates)) in queries.iter().zip(upper.chunks_mut(rows).zip(estimates.chunks_mut(rows))) {
            bounds(sketched, query, upper, estimates, scalar);
        }
        for kernels in available() {
            let mut found = [(); 2].map(|()| vec![1.0; count * rows]);
            let [upper, estimates] = &mut found;
            (kernels.sketch_tile)(sketched, &SketchTile::new(queries.iter().collect()), upper, estimates);
            prop_assert_eq!(&found, &expected, "{}", kernels.name);
        }
    }

    #[test]
    fn projections_agree_with_the_definition(
        dims in 1usize..150,
        axes in 1usize..50,
        tiles in 1usize..3,
        values in prop::collection::vec(-1f32..1.0, 100..200),
    ) {
        let mut endless = values.iter().copied().cycle();
        let axes: Vec<f32> = (0..axes * dims).map(|_| endless.next().unwrap()).collect();
        let rows: Vec<f32> = (0..tiles * ROWS * dims).map(|_| endless.next().unwrap()).collect();
        let mut expected = Vec::new();
        let count = (axes.len() / dims).next_multiple_of(PANEL);
        for row in rows.chunks(dims) {
            for axis in axes.chunks(dims) {
                let chunks = row.chunks(CHUNK).zip(axis.chunks(CHUNK));
                let sum = chunks.fold(0f32, |sum, (row, axis)| sum + row.iter().zip(axis).fold(0f32, |sum, (x, y)| sum + x * y));
                let exact: f64 = row.iter().zip(axis).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
                let size: f64 = row.iter().zip(axis).map(|(&x, &y)| (f64::from(x) * f64::from(y)).abs()).sum();
                prop_assert!((f64::from(sum) - exact).abs() <= size * roundings(dims) as f64 / f64::from(1 << 24));
                expected.push(sum);
            }
            expected.resize(expected.len().next_multiple_of(count), 0.0);
        }
        let panels = panels(&axes, dims);
        for kernels in available() {
            let mut out = vec![1.0; expected.len()];
            (kernels.project)(&panels, &rows, dims, &mut out);
            prop_assert_eq!(&out, &expected, "{}", kernels.name);
        }
    }
}
