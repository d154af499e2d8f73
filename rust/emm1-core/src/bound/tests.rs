//! No level rules out a row that reaches the threshold exactly.

use super::*;
use crate::codes::Coded;
use crate::kernel::available;
use crate::score::Query;
use crate::shape::{Margins, Plane, survives};
use proptest::prelude::*;

/// Components of similar size, from harmless to the limits of f32; half of the vectors have an outlier.
fn vector(dims: usize) -> impl Strategy<Value = Vec<f32>> {
    let scale =
        prop::sample::select(vec![0.0f32, 1e-45, 1e-41, 1e-30, 1e-20, 1e-3, 1.0, 127.0, 6e4, 1e15, 1e19, 1e30, 3e38]);
    let shift = prop::sample::select(vec![0.0f32, 0.0, 0.5, 1e3]);
    let outlier = prop::option::of((0..dims, -1.0f32..1.0, 1.0f32..1e4));
    (prop::collection::vec(-1.0f32..1.0, dims), scale, shift, outlier).prop_map(
        |(mut values, scale, shift, outlier)| {
            values.iter_mut().for_each(|value| *value = ((*value + shift) * scale).clamp(f32::MIN, f32::MAX));
            if let Some((at, value, factor)) = outlier {
                values[at] = (value * scale * factor).clamp(f32::MIN, f32::MAX);
            }
            values
        },
    )
}

/// A few rows and queries of the same dims; sometimes a query is a row or its opposite.
pub(super) fn rows_and_queries() -> impl Strategy<Value = (Vec<Vec<f32>>, Vec<Vec<f32>>)> {
    prop_oneof![1usize..20, Just(64), Just(100), 120usize..140, Just(1000)].prop_flat_map(|dims| {
        let rows = prop::collection::vec(vector(dims), 1..6);
        let queries = prop::collection::vec(vector(dims), 1..4);
        (rows, queries, any::<bool>()).prop_map(|(rows, mut queries, near)| {
            if near {
                queries.push(rows[0].clone());
                queries.push(rows[0].iter().map(|value| -value).collect());
            }
            (rows, queries)
        })
    })
}

/// A component of a row in the codes up to a level.
fn code(coded: &Coded<'_>, row: usize, level: Level, at: usize) -> i32 {
    let first = 2 * coded.planes[0].width;
    let nibble = |plane: Plane<'_>, at: usize| {
        let byte = plane.row(row as u32)[at % plane.width];
        i32::from(if at < plane.width { byte & 15 } else { byte >> 4 })
    };
    let (part, at) = if at < first { (0, at) } else { (1, at - first) };
    let planes = Level::ALL.into_iter().take(level as usize + 1).filter(|level| level.part() == part);
    planes.map(|level| level.weight() * nibble(coded.planes[level as usize], at)).sum()
}

/// The product of a query with a row, component by component.
fn product(coded: &Coded<'_>, row: usize, level: Level, query: &[i8]) -> i32 {
    query.iter().enumerate().map(|(at, &component)| code(coded, row, level, at) * i32::from(component)).sum()
}

/// A row that reaches a threshold exactly survives it by its finer products, and is not taken for one that exceeds it.
fn survive_finer(
    encoder: &Encoder,
    query: &CodedQuery,
    row: &[f32],
    coded: &Coded<'_>,
    number: usize,
    merit: f32,
) -> Result<(), TestCaseError> {
    let record = Record::from_bytes(&coded.records[number]);
    let codes: Vec<u8> = (0..row.len()).map(|at| code(coded, number, Level::Bytes, at) as u8).collect();
    let mut again = vec![0; row.len()];
    let missed = encoder.finer(&mut row.to_vec(), &record, &codes, &mut again);
    let dot = |bytes: &[u8], query: &[i8]| -> i32 {
        bytes.iter().zip(query).map(|(&byte, &component)| i32::from(byte) * i32::from(component)).sum()
    };
    let (coding, residual) = (query.panel(), query.residual().unwrap());
    let more = dot(&codes, &residual.codes) + dot(&again, &coding.codes);
    let product = dot(&codes, &coding.codes) as f32 + more as f32 / FINER as f32;
    let margin = query.margin(Product::Finer(coding, residual), merit);
    let converse = query.converse(Product::Finer(coding, residual), merit);
    let [reached, above] = [(margin, product), (converse, -product)].map(|(m, p)| m.of_finer(&record, missed, p));
    prop_assert!(survives(reached) && survives(above), "{reached} {above} {missed} {record:?}");
    for (margin, product, alone) in [(margin, product, reached), (converse, -product, above)] {
        let (margins, mut eight) = (Margins::new(std::iter::repeat_n(margin, 8)), [0.0; 8]);
        margins.of_finer(&record, missed, &[product; 8], &mut eight);
        prop_assert!(
            eight.map(|one| one.total_cmp(&alone).is_eq() || alone.is_nan()) == [true; 8],
            "{eight:?} {alone}"
        );
    }
    Ok(())
}

/// A row that reaches a threshold exactly survives it at every level, with every instruction set, and is not taken
/// for one that exceeds it.
fn survive_their_own_scores(rows: &[Vec<f32>], queries: &[Vec<f32>], centre: bool) -> Result<(), TestCaseError> {
    let dims = rows[0].len();
    for kernels in available() {
        let mean = if centre { rows.last().unwrap().clone() } else { vec![0.0; dims] };
        let encoder = Encoder::with(kernels, mean);
        let block = encoder
            .block(rows.len(), |number, row| {
                row.copy_from_slice(&rows[number]);
                Ok(())
            })
            .unwrap();
        let coded = block.coded(encoder.parts());
        for query in queries {
            for metric in [Metric::Dot, Metric::Cosine, Metric::L2] {
                let coded_query = CodedQuery::new(&encoder, query, metric, kernels.max_component, true);
                let exact = Query::new(kernels, query, metric);
                for (number, row) in rows.iter().enumerate() {
                    let Some(score) = exact.score(row[..].into()) else { continue }; // beyond f32: an error, not a hit
                    let record = Record::from_bytes(&coded.records[number]);
                    survive_finer(&encoder, &coded_query, row, &coded, number, metric.merit(score))?;
                    let fine = Level::ALL.map(|level| (&coded_query.fine, level));
                    for (coding, level) in fine.into_iter().chain([(coded_query.panel(), Level::Bytes)]) {
                        let product = product(&coded, number, level, &coding.codes);
                        let margin = coded_query.margin(Product::Codes(coding, level), metric.merit(score));
                        let alone = margin.of(&record, level, product);
                        prop_assert!(survives(alone), "{metric:?} {level:?} {score} {alone} {record:?}");
                        let converse = coded_query.converse(Product::Codes(coding, level), metric.merit(score));
                        let above = converse.of(&record, level, -product);
                        prop_assert!(survives(above), "{metric:?} {level:?} {score} {above} {record:?}");
                        if level == Level::Bytes {
                            let margins = Margins::new(std::iter::repeat_n(margin, 8));
                            let eight = margins.of_eight(&record, 0, &[product; 8]);
                            prop_assert!(eight.map(survives) == [true; 8], "{metric:?} {score} {eight:?} {record:?}");
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

#[test]
fn squares_beyond_f32_leave_nothing_out() {
    // Cases that the test below found, about once in a hundred thousand.
    let (huge, tiny, small) = (vec![1e22], vec![-1.787_464_5e-38], vec![4.187_877_7e-21]);
    survive_their_own_scores(&[vec![0.0], huge], &[vec![0.0]], true).unwrap();
    survive_their_own_scores(&[tiny.clone(), small], &[vec![0.0], tiny], false).unwrap();
}

proptest! {
    /// What is likely by its margin is so by its estimate, and estimates are near the scores of ordinary rows.
    #[test]
    fn likely_rows_have_estimates_that_reach_the_threshold(
        (row, noise) in prop_oneof![Just(100usize), Just(384), Just(1000)].prop_flat_map(|dims| {
            let values = || prop::collection::vec(-1.0f32..1.0, dims);
            (values(), values())
        }),
        similar in 0.0f32..1.0,
        scale in prop::sample::select(vec![0.01f32, 1.0, 300.0]),
        above in any::<bool>(),
    ) {
        prop_assume!(row.iter().chain(&noise).filter(|value| value.abs() > 0.1).count() > row.len());
        let query: Vec<f32> =
            row.iter().zip(&noise).map(|(x, y)| scale * (similar * x + (1.0 - similar) * y)).collect();
        let encoder = Encoder::with(available().next().unwrap(), vec![0.1; row.len()]);
        let block = encoder.block(1, |_, out| { out.copy_from_slice(&row); Ok(()) }).unwrap();
        let coded = block.coded(encoder.parts());
        let record = Record::from_bytes(&coded.records[0]);
        for metric in [Metric::Dot, Metric::Cosine, Metric::L2] {
            let coded_query = CodedQuery::new(&encoder, &query, metric, 127, false);
            let exact = metric.merit(Query::new(available().next().unwrap(), &query, metric).score(row[..].into()).unwrap());
            // What a score can be at most, or the distance of vectors that have nothing in common.
            let most = match metric {
                Metric::Cosine => 1.0,
                Metric::Dot => length(&query.iter().map(|&x| f64::from(x)).collect::<Vec<_>>()) as f32 * record.norm,
                Metric::L2 => coded_query.norm.hypot(f64::from(record.centred)) as f32,
            };
            for level in Level::ALL {
                let product = product(&coded, 0, level, &coded_query.fine.codes);
                let estimate = coded_query.estimate(&record, level, product);
                let near = if level == Level::FirstHigh { 0.5 } else { 0.1 };
                // An error in the square of a distance counts for more in a small distance.
                let missed = match metric {
                    Metric::L2 => (estimate * estimate - exact * exact).abs() / (most * most),
                    _ => (estimate - exact).abs() / most,
                };
                prop_assert!(missed < near, "{metric:?} {level:?} {estimate} {exact} {most}");
                if metric == Metric::L2 && estimate > -0.02 * most {
                    continue; // no distance is less than zero
                }
                let threshold = estimate + if above { 0.01 } else { -0.01 } * most;
                let likely = coded_query.likely(level, threshold).of(&record, level, product);
                prop_assert_eq!(survives(likely), !above, "{:?} {:?} {} {}", metric, level, estimate, likely);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// The property that exactness rests on: no level rules out a row that reaches the threshold exactly.
    #[test]
    fn a_row_survives_its_own_score((rows, queries) in rows_and_queries(), centre in any::<bool>()) {
        survive_their_own_scores(&rows, &queries, centre)?;
    }

    /// The bounds are useful: ordinary rows far below the threshold are ruled out.
    #[test]
    fn a_row_far_below_is_left_out(values in prop::collection::vec(0.5f32..1.0, 256)) {
        let encoder = Encoder::with(available().next().unwrap(), vec![0.0; 256]);
        let block = encoder.block(1, |_, row| { row.copy_from_slice(&values); Ok(()) }).unwrap();
        let query: Vec<f32> = values.iter().map(|value| -value).collect();
        let coded = block.coded(encoder.parts());
        let record = Record::from_bytes(&coded.records[0]);
        let coded_query = CodedQuery::new(&encoder, &query, Metric::Cosine, 127, false);
        for level in Level::ALL {
            // One part of the components says nothing about the similarity of the other.
            let threshold = if level == Level::FirstHigh { 0.5 } else { -0.5 };
            let product = product(&coded, 0, level, &coded_query.fine.codes);
            let margin = coded_query.margin(Product::Codes(&coded_query.fine, level), threshold);
            prop_assert!(!survives(margin.of(&record, level, product)));
        }
    }
}
