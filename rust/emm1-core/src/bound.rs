//! Which rows can be left out for certain: upper bounds of the score from codes, with every rounding accounted for.
//!
//! With x′ = x − μ the centred row, q the query (for l2: less μ), R the rotation, s·c the decoded row and t·b the decoded
//! query:
//!
//! ```text
//! |q·x′ − s·t·(b·c)|  ≤  |Rq·(Rx′ − s·c)| + |(Rq − t·b)·s·c|
//!                     ≤  ‖q‖·e + ε·(‖x′‖ + e)         e = ‖Rx′ − s·c‖,  ε = ‖Rq − t·b‖     (Cauchy–Schwarz)
//! q·x = q·μ + q·x′        ‖q − x′‖² = ‖q‖² + ‖x′‖² − 2 q·x′
//! ```
//!
//! The margin of a row is an upper bound of its score less the threshold, in a form that is linear in what is stored of
//! the row; a row whose margin is below zero is not among the results. A margin that is NaN (of a row that nothing is
//! known of, such as one with huge components) leaves nothing out.

use crate::codes::{Encoder, Record};
use crate::score::Metric;

/// Slack for all arithmetic in f64, relative to the norms involved.
const ROUNDING: f64 = 1e-9;

/// A query, coded.
pub(crate) struct CodedQuery {
    /// Components from −127 to 127.
    pub(crate) codes: Vec<i8>,
    metric: Metric,
    /// ‖q‖.
    norm: f64,
    /// q·μ and the slack for it; 0 for l2.
    base: f64,
    /// The step t.
    step: f64,
    /// Σ b.
    sum: f64,
    /// Weight of e.
    missed: f64,
    /// Weight of ‖x′‖.
    centred: f64,
}

impl CodedQuery {
    pub(crate) fn new(encoder: &Encoder, query: &[f32], metric: Metric) -> Self {
        let mean = encoder.mean();
        let mut rotated: Vec<f64> = query.iter().map(|&value| f64::from(value)).collect();
        let mut base = 0.0;
        if metric == Metric::L2 {
            rotated.iter_mut().zip(mean).for_each(|(value, &mean)| *value -= f64::from(mean));
        } else {
            let product: f64 = rotated.iter().zip(mean).map(|(value, &mean)| value * f64::from(mean)).sum();
            let mean = mean.iter().map(|&mean| f64::from(mean).powi(2)).sum::<f64>().sqrt();
            base = product + ROUNDING * length(&rotated) * mean;
        }
        let norm = length(&rotated);
        encoder.rotation().rotate_exactly(&mut rotated);
        let largest = rotated.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
        let step = largest / 127.0;
        let mut codes = Vec::with_capacity(rotated.len());
        let (mut sum, mut squares) = (0.0, 0.0);
        for value in rotated {
            let code = if step > 0.0 { (value / step).round().clamp(-127.0, 127.0) } else { 0.0 };
            sum += code;
            squares += (value - step * code).powi(2);
            codes.push(code as i8);
        }
        let error = squares.sqrt();
        Self {
            codes,
            metric,
            norm,
            base,
            step,
            sum,
            missed: (norm + error) * (1.0 + ROUNDING),
            centred: error + ROUNDING * (norm + error),
        }
    }

    /// The margins against a threshold: a merit (the score; for l2 its negative), rounded down.
    pub(crate) fn margin(&self, threshold: f32) -> Margin {
        // A score is the exact value rounded to f32: two steps below a merit, no value rounds to it or above.
        let threshold = f64::from(threshold.next_down().next_down());
        let (mut constant, mut norm, mut square) = (self.base, 0.0, 0.0);
        match self.metric {
            Metric::Dot => constant -= threshold,
            Metric::Cosine => {
                let product = threshold * self.norm;
                norm = -(product - product.abs() * 5e-7);
            }
            Metric::L2 => {
                let (far, near) = (threshold * threshold * (1.0 + 1e-6), self.norm * self.norm * (1.0 - ROUNDING));
                constant += if threshold < 0.0 { (far - near) / 2.0 } else { -near / 2.0 };
                square = -0.5 * (1.0 - 1e-5);
            }
        }
        Margin {
            constant,
            coarse: [16.0 * self.step, -120.5 * self.step * self.sum],
            fine: [self.step, -128.0 * self.step * self.sum],
            missed: self.missed,
            centred: self.centred,
            norm,
            square,
        }
    }

    /// The merit of a row as its codes have it, for an order of promise only: nothing is certain of it.
    pub(crate) fn estimate(&self, record: &Record, high: i32, low: i32) -> f32 {
        let product = 16.0 * f64::from(high) + f64::from(low) - 128.0 * self.sum;
        let score = self.base + f64::from(record.scale) * self.step * product;
        let merit = match self.metric {
            Metric::Dot => score,
            Metric::Cosine => score / f64::from(record.norm),
            Metric::L2 => score - f64::from(record.centred).powi(2) / 2.0,
        };
        merit as f32
    }
}

fn length(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// The margin of a row for one query and threshold: what its parts are multiplied with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Margin {
    constant: f64,
    /// Step and offset of the products with the high nibbles.
    coarse: [f64; 2],
    /// Step and offset of the products with the whole codes.
    fine: [f64; 2],
    missed: f64,
    centred: f64,
    norm: f64,
    square: f64,
}

/// The margins of a group of queries, part by part.
pub(crate) struct Margins<const G: usize> {
    constant: [f64; G],
    coarse: [[f64; G]; 2],
    fine: [[f64; G]; 2],
    missed: [f64; G],
    centred: [f64; G],
    norm: [f64; G],
    square: [f64; G],
}

impl<const G: usize> From<[Margin; G]> for Margins<G> {
    fn from(margins: [Margin; G]) -> Self {
        Self {
            constant: margins.map(|margin| margin.constant),
            coarse: [margins.map(|margin| margin.coarse[0]), margins.map(|margin| margin.coarse[1])],
            fine: [margins.map(|margin| margin.fine[0]), margins.map(|margin| margin.fine[1])],
            missed: margins.map(|margin| margin.missed),
            centred: margins.map(|margin| margin.centred),
            norm: margins.map(|margin| margin.norm),
            square: margins.map(|margin| margin.square),
        }
    }
}

impl<const G: usize> Margins<G> {
    /// From the products with the high nibbles.
    #[inline(always)]
    pub(crate) fn coarse(&self, record: &Record, high: &[i32; G]) -> [f64; G] {
        self.of(record, |g| f64::from(high[g]), &self.coarse, record.coarse)
    }

    /// From the products with both nibbles.
    #[inline(always)]
    pub(crate) fn fine(&self, record: &Record, high: &[i32; G], low: &[i32; G]) -> [f64; G] {
        self.of(record, |g| 16.0 * f64::from(high[g]) + f64::from(low[g]), &self.fine, record.fine)
    }

    #[inline(always)]
    fn of(&self, record: &Record, product: impl Fn(usize) -> f64, level: &[[f64; G]; 2], missed: f32) -> [f64; G] {
        let (scale, missed, norm) = (f64::from(record.scale), f64::from(missed), f64::from(record.norm));
        let centred = f64::from(record.centred);
        let square = centred * centred;
        let mut margins = self.constant;
        for g in 0..G {
            margins[g] += scale * (level[0][g] * product(g) + level[1][g])
                + self.missed[g] * missed
                + self.centred[g] * centred
                + self.norm[g] * norm
                + self.square[g] * square;
        }
        margins
    }
}

/// Whether a row must be looked at more closely; NaN knows nothing.
#[inline(always)]
pub(crate) fn survives(margin: f64) -> bool {
    margin >= 0.0 || margin.is_nan()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{available, pack};
    use crate::score::Query;
    use proptest::prelude::*;

    /// Components of one kind in a vector, from harmless to the ends of f32, half of them with outliers.
    fn vector(dims: usize) -> impl Strategy<Value = Vec<f32>> {
        let scale = prop::sample::select(vec![
            0.0f32, 1e-45, 1e-41, 1e-30, 1e-20, 1e-3, 1.0, 127.0, 6e4, 1e15, 1e19, 1e30, 3e38,
        ]);
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

    /// A few rows and queries of the same dims; now and then a query that is a row, or its opposite.
    fn rows_and_queries() -> impl Strategy<Value = (Vec<Vec<f32>>, Vec<Vec<f32>>)> {
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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        /// What everything rests on: a row that reaches a threshold exactly is never left out, by either level.
        #[test]
        fn a_row_survives_its_own_score((rows, queries) in rows_and_queries(), centre in any::<bool>()) {
            let dims = rows[0].len();
            for kernels in available() {
                let mean = if centre { rows.last().unwrap().clone() } else { vec![0.0; dims] };
                let encoder = Encoder::with(kernels, mean);
                let block = encoder.block(rows.len(), |number, row| { row.copy_from_slice(&rows[number]); Ok(()) }).unwrap();
                let coded = block.coded(encoder.width());
                let places: Vec<u32> = (0..rows.len() as u32).collect();
                for query in &queries {
                    for metric in [Metric::Dot, Metric::Cosine, Metric::L2] {
                        let coded_query = CodedQuery::new(&encoder, query, metric);
                        let packed = pack(encoder.width(), [&*coded_query.codes]);
                        let (mut high, mut low) = (vec![[0]; rows.len()], vec![[0]; rows.len()]);
                        (kernels.dots)(coded.high, &places, &packed, &mut high);
                        (kernels.dots)(coded.low, &places, &packed, &mut low);
                        let exact = Query::new(kernels, query, metric);
                        for (number, row) in rows.iter().enumerate() {
                            let Some(score) = exact.score(row) else { continue }; // beyond f32: an error, not a rank
                            let margin = Margins::from([coded_query.margin(metric.merit(score))]);
                            let record = Record::from_bytes(&coded.records[number]);
                            let coarse = margin.coarse(&record, &high[number])[0];
                            let fine = margin.fine(&record, &high[number], &low[number])[0];
                            prop_assert!(survives(coarse), "{metric:?} {score} {coarse} {record:?}");
                            prop_assert!(survives(fine), "{metric:?} {score} {fine} {record:?}");
                        }
                    }
                }
            }
        }

        /// And the bounds say something: of ordinary rows, one far below the threshold is left out.
        #[test]
        fn a_row_far_below_is_left_out(values in prop::collection::vec(0.5f32..1.0, 256)) {
            let encoder = Encoder::with(available().next().unwrap(), vec![0.0; 256]);
            let block = encoder.block(1, |_, row| { row.copy_from_slice(&values); Ok(()) }).unwrap();
            let query: Vec<f32> = values.iter().map(|value| -value).collect();
            let coded = block.coded(encoder.width());
            let coded_query = CodedQuery::new(&encoder, &query, Metric::Cosine);
            let mut high = [[0]];
            (available().next().unwrap().dots)(coded.high, &[0], &pack(encoder.width(), [&*coded_query.codes]), &mut high);
            let margin = Margins::from([coded_query.margin(-0.5)]);
            prop_assert!(!survives(margin.coarse(&Record::from_bytes(&coded.records[0]), &high[0])[0]));
        }
    }
}
