//! No sketch rules out a row that reaches the threshold exactly.

use super::tests::rows_and_queries;
use super::*;
use crate::codes::{Axes, SketchBlock, Sketcher};
use crate::kernel::{Kernels, available};
use crate::score::Query;
use crate::shape::{Sketched, VECTOR, Zones};
use proptest::prelude::*;

/// The middle of the step that each component of a row is in.
fn middles(axes: &Axes, groups: &[u8], row: usize) -> Vec<f64> {
    let (zones, place) = (axes.zones, row / 16 * axes.zones.group() + row % 16 * 4);
    (0..zones.components())
        .map(|at| {
            let zone = (0..Zones::COUNT).find(|&zone| zones.range(zone).contains(&at)).unwrap();
            let (bits, per, within) = (Zones::BITS[zone], Zones::per_vector(zone), at - zones.range(zone).start);
            let vector = zones.vectors[..zone].iter().sum::<usize>() + within / per;
            let code = groups[place + vector * VECTOR + within % 4] >> (within % per / 4 * bits) & ((1 << bits) - 1);
            f64::from(axes.steps[at]) * (f64::from(code) + 0.5 - f64::from(Zones::half(zone)))
        })
        .collect()
}

fn norm(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// What a row is more than its sketch says: a query for which every inequality of the bound is nearly an equality; and how
/// much each zone misses.
fn residual(axes: &Axes, groups: &[u8], row: usize, centred: &[f64]) -> (Vec<f64>, [f64; 4]) {
    let dims = centred.len();
    let (middles, mut left) = (middles(axes, groups, row), centred.to_vec());
    let (mut missed, mut inside) = ([0.0; 4], Vec::new());
    for ((axis, middle), at) in axes.basis.chunks(dims).zip(&middles).zip(0..) {
        let component: f64 = axis.iter().zip(centred).map(|(&b, x)| f64::from(b) * x).sum();
        let zone = (0..Zones::COUNT).find(|&zone| axes.zones.range(zone).contains(&at)).unwrap();
        missed[zone] = norm([missed[zone], component - middle]);
        inside.push(component);
        left.iter_mut().zip(axis).for_each(|(left, &b)| *left -= middle * f64::from(b));
    }
    let outside = norm(centred.iter().copied()).powi(2) - norm(inside).powi(2) / (1.0 + f64::from(axes.skew));
    missed[3] = outside.max(0.0).sqrt();
    (left, missed)
}

/// A row whose components are middles of steps, so that its sketch misses nothing of them: the first is as far out as codes
/// go. Axes that are not quite orthonormal are then all that the bound must allow for.
fn on_middles(axes: &Axes, mean: &[f32]) -> Vec<f32> {
    let first = (0..Zones::COUNT).find(|&zone| axes.zones.vectors[zone] > 0).unwrap();
    let steps = axes.steps.iter().enumerate();
    let middle = |at: usize| if at == 0 { f64::from(Zones::half(first)) - 0.5 } else { 0.5 - (at % 2) as f64 };
    let aim: Vec<f64> = steps.map(|(at, &step)| f64::from(step) * middle(at)).collect();
    let axis = |at: usize| axes.basis[at * mean.len()..(at + 1) * mean.len()].iter().map(|&b| f64::from(b));
    let (mut weights, mut row) = (vec![0.0; aim.len()], vec![0.0; mean.len()]);
    for _ in 0..20 {
        // The equations BBᵀw = y by Gauss and Seidel, as the axes are nearly orthonormal.
        for at in 0..aim.len() {
            let missing = aim[at] - axis(at).zip(&row).map(|(b, x)| b * x).sum::<f64>();
            weights[at] += missing;
            row.iter_mut().zip(axis(at)).for_each(|(x, b)| *x += missing * b);
        }
    }
    row.iter().zip(mean).map(|(&x, &mean)| (x + f64::from(mean)) as f32).collect()
}

fn sketch(kernels: &'static Kernels, axes: &Axes, mean: &[f32], rows: &[Vec<f32>]) -> SketchBlock {
    let fill = |number: usize, row: &mut [f32]| {
        row.copy_from_slice(&rows[number]);
        Ok(())
    };
    Sketcher::with(kernels, axes, mean).block(rows.len(), fill).unwrap()
}

fn survive_in_sketches(
    rows: &[Vec<f32>],
    queries: &[Vec<f32>],
    centre: bool,
    vectors: [usize; 3],
    far: f32,
    bent: f32,
    aimed: bool,
) -> Result<(), TestCaseError> {
    let (zones, dims) = (Zones { vectors }, rows[0].len());
    if zones.components() == 0 || zones.components() > dims {
        return Ok(());
    }
    let mean = if centre { rows.last().unwrap().clone() } else { vec![0.0; dims] };
    let centred = |row: &[f32]| row.iter().zip(&mean).map(|(&x, &m)| f64::from(x) - f64::from(m)).collect::<Vec<f64>>();
    let farthest = rows.iter().map(|row| norm(centred(row))).fold(0.0, f64::max);
    let reach = (far * farthest as f32).clamp(1e-15, 1e15);
    let first = available().next().unwrap();
    let mut axes = Axes::example(first, zones, rows, reach, bent);
    let (mut rows, mut queries) = (rows.to_vec(), queries.to_vec());
    rows.push(on_middles(&axes, &mean));
    let rows = &rows;
    let sane = |row: &usize| (1e-12..1e12).contains(&norm(centred(&rows[*row])));
    let tight = if aimed { rows.len() - 1..rows.len() } else { 0..rows.len() };
    if let Some(row) = tight.into_iter().find(sane) {
        let opposite = |row: &[f64]| row.iter().map(|&value| -value as f32).collect();
        queries.extend([rows[row].clone(), opposite(&centred(&rows[row]))]);
        let (left, missed) = residual(&axes, &sketch(first, &axes, &mean, rows).groups, row, &centred(&rows[row]));
        // As tight as can be for this row: nearly no rounding up to units.
        axes.units = missed.map(|missed| ((missed * 1.0001 + 1e-4 * f64::from(reach)) / 253.999) as f32);
        queries.push(left.iter().map(|&left| left as f32).collect());
        queries.push(left.iter().zip(&mean).map(|(&left, &mean)| left as f32 + mean).collect());
    }
    let blocks: Vec<_> = available().map(|kernels| sketch(kernels, &axes, &mean, rows)).collect();
    prop_assert!(blocks.iter().all(|block| *block == blocks[0]), "all instruction sets give the same bits");
    let SketchBlock { groups, norms } = &blocks[0];
    axes.norms = *norms;
    for kernels in available() {
        let encoder = Encoder::with(kernels, mean.clone());
        let block = encoder.block(rows.len(), |number, row| {
            row.copy_from_slice(&rows[number]);
            Ok(())
        });
        let block = block.unwrap();
        let records = block.coded(encoder.parts()).records;
        for query in &queries {
            for metric in [Metric::Dot, Metric::Cosine, Metric::L2] {
                let Some(sketched) = SketchedQuery::new(kernels, &axes, &mean, query, metric) else { continue };
                let (mut upper, mut estimates) =
                    (vec![0.0; groups.len() / zones.width()], vec![0.0; groups.len() / zones.width()]);
                (kernels.sketch)(Sketched { zones, groups }, &sketched.coded, &mut upper, &mut estimates);
                (kernels.finish)(records, sketched.finish, &mut upper, &mut estimates);
                let exact = Query::new(kernels, query, metric);
                for ((row, upper), estimate) in rows.iter().zip(upper).zip(estimates) {
                    let Some(score) = exact.score(row[..].into()) else { continue };
                    let needed = sketched.needed(metric.merit(score));
                    let left_out = upper < needed;
                    prop_assert!(!left_out, "{} {metric:?} {score} {upper} {estimate} {needed}", kernels.name);
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_row_survives_its_own_score_in_a_sketch(
        (rows, queries) in rows_and_queries(),
        centre in any::<bool>(),
        vectors in [0usize..4, 0usize..3, 0usize..2],
        far in prop::sample::select(vec![0.3f32, 1.0, 1.0, 1.25, 100.0]),
        bent in prop::sample::select(vec![0.0f32, 0.0, 0.0, 1e-3, 0.1, -0.1]),
        aimed in any::<bool>(),
    ) {
        survive_in_sketches(&rows, &queries, centre, vectors, far, bent, aimed)?;
    }
}
