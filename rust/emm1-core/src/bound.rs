//! Which rows can certainly be ruled out: upper bounds of the score from codes, with every rounding accounted for.
//!
//! Let x′ = x − μ be the centred row, q the query (for l2: minus μ), R the rotation, s·c the decoded row and t·b the
//! decoded query:
//!
//! ```text
//! |q·x′ − s·t·(b·c)|  ≤  |Rq·(Rx′ − s·c)| + |(Rq − t·b)·s·c|
//!                     ≤  ‖q‖·e + ε·(‖x′‖ + e)         e = ‖Rx′ − s·c‖,  ε = ‖Rq − t·b‖     (Cauchy–Schwarz)
//! q·x = q·μ + q·x′        ‖q − x′‖² = ‖q‖² + ‖x′‖² − 2 q·x′
//! ```
//!
//! If only the first part of the components was multiplied, the rest of the product is at most the product of the norms
//! of both rests: |Rq₂·Rx′₂| ≤ ‖Rq₂‖·‖Rx′₂‖.
//!
//! Where rows are counted, what the codes missed is coded again, in steps of a 256th (`FINER`). With the further products,
//! s/256·t·(b·c₂) for the row and s·t/256·(b₂·c) for the query, and e₂ and ε₂ for what is still missed, the error is
//!
//! ```text
//! |Rq·(Rx′ − s·c − s₂·c₂)| + |(Rq − t·b)·s₂·c₂| + |(Rq − t·b − t₂·b₂)·s·c|
//!                     ≤  ‖q‖·e₂ + ε·(e + e₂) + ε₂·(‖x′‖ + e)
//! ```
//!
//! The margin of a row is an upper bound of its score minus the threshold, and linear in what is stored about the row;
//! a row with a negative margin is not a hit. A margin that is NaN (nothing is known about the row, for example because
//! it has huge components) rules nothing out. The factors of a margin are computed in f64 once per query and threshold
//! and rounded up; the sum for each row is computed in f32.

use crate::codes::Encoder;
use crate::score::Metric;
use crate::shape::{FINER, Level, Margin, NARROW, Record, Terms};

/// Slack for all f64 arithmetic, relative to the norms involved.
const ROUNDING: f64 = 1e-9;

/// The components of a query, quantized.
#[derive(Debug)]
pub(crate) struct Coding {
    /// Components from −`most` to `most`.
    pub(crate) codes: Vec<i8>,
    /// The step t.
    step: f64,
    /// Σ b over each part.
    sums: [f64; 2],
    /// Σ |b|.
    weight: f64,
    /// ε.
    error: f64,
}

impl Coding {
    /// Quantizes a rotated query whose first part has `first` components.
    fn new(rotated: &[f64], first: usize, most: i8) -> Self {
        let largest = rotated.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
        let most = f64::from(most);
        let step = largest / most;
        let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
        let (mut sums, mut weight, mut squares) = ([0.0; 2], 0.0, 0.0);
        let codes = rotated.iter().enumerate().map(|(at, value)| {
            let code = (value * inverse).clamp(-most, most).round_ties_even();
            sums[usize::from(at >= first)] += code;
            weight += code.abs();
            squares += (value - step * code).powi(2);
            code as i8
        });
        let codes = codes.collect();
        Self { codes, step, sums, weight, error: squares.sqrt() }
    }

    /// What the products of a level exceed those of the values by: a byte encodes its value minus 128, and a high nibble
    /// stands for the middle of its sixteen bytes.
    fn offset(&self, level: Level) -> f64 {
        let [first, second] = self.sums;
        match level {
            Level::FirstHigh => 120.5 * first,
            Level::High => 120.5 * (first + second),
            Level::FirstBytes => 128.0 * first + 120.5 * second,
            Level::Bytes => 128.0 * (first + second),
        }
    }
}

/// What the coding of a query missed, quantized in steps of a 256th of its step.
#[derive(Debug)]
pub(crate) struct Residual {
    /// Components from −127 to 127.
    pub(crate) codes: Vec<i8>,
    /// Σ b₂ and Σ |b₂|.
    sum: f64,
    weight: f64,
    /// ε₂.
    error: f64,
}

impl Residual {
    fn new(rotated: &[f64], coding: &Coding) -> Self {
        let step = coding.step / FINER;
        let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
        let (mut sum, mut weight, mut squares) = (0.0, 0.0, 0.0);
        let codes = rotated.iter().zip(&coding.codes).map(|(value, &code)| {
            let missed = value - coding.step * f64::from(code);
            let code = (missed * inverse).clamp(-127.0, 127.0).round_ties_even();
            sum += code;
            weight += code.abs();
            squares += (missed - step * code).powi(2);
            code as i8
        });
        let codes = codes.collect();
        Self { codes, sum, weight, error: squares.sqrt() }
    }
}

/// Which product a margin is for.
#[derive(Clone, Copy)]
pub(crate) enum Product<'a> {
    /// With the codes of a row up to a level.
    Codes(&'a Coding, Level),
    /// With whole bytes, and what both codings missed.
    Finer(&'a Coding, &'a Residual),
}

/// A query, coded.
pub(crate) struct CodedQuery {
    metric: Metric,
    /// ‖q‖.
    norm: f64,
    /// Components of the first part, and ‖Rq‖ of each.
    first: usize,
    parts: [f64; 2],
    /// q·μ and how far it may be off; 0 for l2.
    base: f64,
    slack: f64,
    /// Quantized in 127 steps, for one query at a time.
    pub(crate) fine: Coding,
    /// Quantized in as many steps as a panel allows, if that is fewer.
    panel: Option<Coding>,
    /// What the coding for panels missed, where rows are counted.
    residual: Option<Residual>,
}

impl CodedQuery {
    /// Quantizes a query; `most` is the largest component in a panel, and `finer` whether what it misses is needed.
    pub(crate) fn new(encoder: &Encoder, query: &[f32], metric: Metric, most: i8, finer: bool) -> Self {
        let mean = encoder.mean();
        let mut rotated: Vec<f64> = query.iter().map(|&value| f64::from(value)).collect();
        let (mut base, mut slack) = (0.0, 0.0);
        if metric == Metric::L2 {
            rotated.iter_mut().zip(mean).for_each(|(value, &mean)| *value -= f64::from(mean));
        } else {
            base = rotated.iter().zip(mean).map(|(value, &mean)| value * f64::from(mean)).sum();
            let mean = mean.iter().map(|&mean| f64::from(mean).powi(2)).sum::<f64>().sqrt();
            slack = ROUNDING * length(&rotated) * mean;
        }
        let norm = length(&rotated);
        encoder.rotation().rotate_exactly(&mut rotated);
        let first = encoder.parts().first;
        let parts = [&rotated[..first], &rotated[first..]].map(length);
        let panel = (most < i8::MAX).then(|| Coding::new(&rotated, first, most));
        let fine = Coding::new(&rotated, first, i8::MAX);
        let residual = finer.then(|| Residual::new(&rotated, panel.as_ref().unwrap_or(&fine)));
        Self { metric, norm, first, parts, base, slack, fine, panel, residual }
    }

    /// What the coding for panels missed.
    pub(crate) fn residual(&self) -> Option<&Residual> {
        self.residual.as_ref()
    }

    /// Quantized in as many steps as a panel allows.
    pub(crate) fn panel(&self) -> &Coding {
        self.panel.as_ref().unwrap_or(&self.fine)
    }

    /// Whether a panel allows fewer steps than `fine` has.
    pub(crate) fn is_coarser_in_panels(&self) -> bool {
        self.panel.is_some()
    }

    /// The margin for products with a quantized query and a threshold, which is a merit (the score; for l2 its
    /// negative), rounded down.
    pub(crate) fn margin(&self, product: Product<'_>, threshold: f32) -> Margin {
        // A score is the exact value rounded to f32: no value two steps below a merit rounds to it or above.
        let threshold = f64::from(threshold.next_down().next_down());
        let square = -0.5 * (1.0 - 1e-5);
        let constant = if self.metric == Metric::L2 {
            let (far, near) = (threshold * threshold * (1.0 + 1e-6), self.norm * self.norm * (1.0 - ROUNDING));
            if threshold < 0.0 { (far - near) / 2.0 } else { -near / 2.0 }
        } else {
            self.base + self.slack
        };
        self.bound(product, 1.0, threshold, constant, square)
    }

    /// The margin of the converse, for negated products: an upper bound of the threshold minus the score. A row with a
    /// negative one has a higher merit than the threshold for certain.
    ///
    /// It is the margin of −q, since −q·x is less than −t where q·x is more than t. For l2 the squares change their
    /// signs too.
    pub(crate) fn converse(&self, product: Product<'_>, threshold: f32) -> Margin {
        // No value two steps above a merit rounds to it or below.
        let threshold = f64::from(threshold.next_up().next_up());
        let square = 0.5 * (1.0 + 1e-5);
        let constant = if self.metric == Metric::L2 {
            let (far, near) = (threshold * threshold * (1.0 - 1e-6), self.norm * self.norm * (1.0 + ROUNDING));
            let underflow = f64::from(f32::MIN_POSITIVE); // of the square of a small norm
            if threshold < 0.0 { (near - far + underflow) / 2.0 } else { f64::INFINITY }
        } else {
            self.slack - self.base
        };
        self.bound(product, -1.0, threshold, constant, square)
    }

    /// The margin for products with `sign` times the query.
    fn bound(&self, product: Product<'_>, sign: f64, threshold: f64, constant: f64, square: f64) -> Margin {
        let (mut constant, mut norm) = (constant, 0.0);
        match self.metric {
            Metric::Dot => constant -= sign * threshold,
            Metric::Cosine => {
                let product = sign * threshold * self.norm;
                norm = -(product - product.abs() * 5e-7);
            }
            Metric::L2 => {}
        }
        let (coding, offset, weight, missed, rest, centred) = match product {
            Product::Codes(coding, level) => {
                let (multiplied, rest) = match level {
                    Level::FirstHigh => (self.parts[0], self.parts[1]),
                    _ => (self.norm, 0.0),
                };
                (coding, coding.offset(level), coding.weight, multiplied + coding.error, rest, coding.error)
            }
            Product::Finer(coding, residual) => {
                let sum: f64 = coding.sums.iter().sum();
                let offset = 128.0 * (sum + (sum + residual.sum) / FINER);
                let weight = coding.weight + (coding.weight + residual.weight) / FINER;
                (coding, offset, weight, self.norm + coding.error, coding.error + residual.error, residual.error)
            }
        };
        let slack = NARROW * (255.0 * weight + offset.abs());
        let terms = Terms {
            constant,
            offset: slack - sign * offset,
            missed: missed * (1.0 + ROUNDING),
            rest: rest * (1.0 + ROUNDING),
            centred: centred + ROUNDING * (self.norm + coding.error),
            norm,
            square: if self.metric == Metric::L2 { square } else { 0.0 },
        };
        terms.per(coding.step)
    }

    /// A margin without errors, the same for all levels: rows that survive it, by their products up to a level, probably
    /// reach the threshold; it rules nothing out.
    pub(crate) fn likely(&self, level: Level, threshold: f32) -> Margin {
        self.margin(Product::Codes(&self.fine, level), threshold).without_errors(self.share(level) as f32)
    }

    /// The share of the components that the products of a level include: every part tells equally much about the others.
    fn share(&self, level: Level) -> f64 {
        if level == Level::FirstHigh { self.first as f64 / self.fine.codes.len() as f64 } else { 1.0 }
    }

    /// An estimate of a row's merit from its codes up to a level, used only to order candidates; −∞ if there is none.
    /// The product is that with `fine`.
    pub(crate) fn estimate(&self, record: &Record, level: Level, product: i32) -> f32 {
        let product = (f64::from(product) - self.fine.offset(level)) / self.share(level);
        let score = self.base + f64::from(record.scale) * self.fine.step * product;
        let merit = match self.metric {
            Metric::Dot => score,
            Metric::Cosine => score / (self.norm * f64::from(record.norm)),
            Metric::L2 => -(self.norm.powi(2) + f64::from(record.centred).powi(2) - 2.0 * score).max(0.0).sqrt(),
        };
        if merit.is_nan() { f32::NEG_INFINITY } else { merit as f32 }
    }
}

fn length(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::Coded;
    use crate::kernel::available;
    use crate::score::Query;
    use crate::shape::{Margins, Plane, survives};
    use proptest::prelude::*;

    /// Components of similar size, from harmless to the limits of f32; half of the vectors have an outlier.
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

    /// A few rows and queries of the same dims; sometimes a query is a row or its opposite.
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
                        let Some(score) = exact.score(row) else { continue }; // beyond f32: an error, not a hit
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
                                prop_assert!(
                                    eight.map(survives) == [true; 8],
                                    "{metric:?} {score} {eight:?} {record:?}"
                                );
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
                let exact = metric.merit(Query::new(available().next().unwrap(), &query, metric).score(&row).unwrap());
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
}
