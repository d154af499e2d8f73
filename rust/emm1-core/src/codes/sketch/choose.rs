//! Chooses the axes of a file and the bits of each component, by measuring on samples of its rows; or no sketch, where it
//! would not beat the planes.

use std::sync::Mutex;

use super::principal::{principal, skew, times};
use super::{Axes, LEADING, PLANES, REACHES, SURVIVOR, quantize};
use crate::codes::Vectors;
use crate::error::Result;
use crate::kernel::{Kernels, kernels};
use crate::matrix::{Access, View};
use crate::parallel::{Stop, in_parallel};
use crate::shape::{UNKNOWN, Zones};

/// Below these, a scan of the planes is too short to be worth the projection of a query.
const LEAST_ROWS: usize = 8192;
const LEAST_DIMS: usize = 48;
/// The covariance of more components takes longer than it is worth.
const MOST_DIMS: usize = 4096;
const MOST_AXES: usize = 256;
/// Bytes of a row: four of them are lengths.
const MOST_BYTES: usize = 132;
/// Rows whose axes are found, and as many others to measure with.
const SAMPLE: usize = 4096;
/// Rows that ask, and rows among which their hits are looked for.
const QUERIES: usize = 32;
const AMONG: usize = 1 << 16;
/// As many of the best rows are asked for.
const K: usize = 10;
/// One row in so many may have less in the leading axes than a query should have.
const ATYPICAL: usize = 16;
/// Consecutive rows that are read together where not all are.
const RUN: usize = 64;

/// Steps of the best uniform quantizer of normal values, in standard deviations (Max, Quantizing for minimum distortion,
/// 1960), and what is left then, for four, two and one bits.
const STEPS: [f64; Zones::COUNT] = [0.3352, 0.9957, 1.596];
const LEFT: [f64; Zones::COUNT] = [0.1075, 0.345, 0.603];
/// What a bit must gain to be worth its place, times dims.
const PRICES: [f64; 4] = [0.05, 0.1, 0.2, 0.4];

/// Centred rows of the file, their norms, and their numbers.
struct Sample {
    rows: Vec<f32>,
    norms: Vec<f64>,
    numbers: Vec<usize>,
}

/// Chooses a sketch for vectors with this mean.
///
/// # Errors
/// A row cannot be read or is not finite, or `stop` returned true.
pub(crate) fn choose(vectors: &Vectors<'_>, mean: &[f32], threads: usize, stop: Stop<'_>) -> Result<Option<Axes>> {
    let (rows, dims) = (vectors.matrix.rows(), mean.len());
    if rows < LEAST_ROWS || !(LEAST_DIMS..=MOST_DIMS).contains(&dims) {
        return Ok(None);
    }
    let kernels = kernels()?;
    let half = SAMPLE.min(rows / 2);
    let spaced = |first: usize| (0..half).map(move |at| (2 * at + first) * (rows / (2 * half)));
    let [train, fresh] = [0, 1].map(|first| sample(kernels, vectors, mean, spaced(first).collect()));
    let (train, fresh) = (train?, fresh?);
    let farthest = [&train, &fresh]
        .into_iter()
        .flat_map(|sample| sample.rows.chunks_exact(dims))
        .map(|row| kernels.square.of(&(), row.into()).sqrt());
    let reach = (1.25 * farthest.fold(0.0, f64::max)) as f32;
    if !REACHES.contains(&reach) {
        return Ok(None);
    }
    let count = MOST_AXES.min(dims);
    let scaled: Vec<f32> = train.rows.iter().map(|value| value / reach).collect();
    let axes = principal(kernels, &scaled, dims, count, threads, stop)?;
    let measured = Measured::new(kernels, vectors, mean, &fresh, axes, threads, stop)?;
    let mut best: Option<(f64, Axes)> = None;
    for price in PRICES {
        let Some(axes) = measured.axes(kernels, price, dims, reach) else { continue };
        let cost = axes.zones.width() as f64 + measured.survivors(&axes) * (SURVIVOR + dims as f64 / 2.0);
        if cost < best.as_ref().map_or(PLANES + dims as f64 / 4.0, |(least, _)| *least) {
            best = Some((cost, axes));
        }
    }
    Ok(best.map(|(_, axes)| axes))
}

fn sample(kernels: &Kernels, vectors: &Vectors<'_>, mean: &[f32], numbers: Vec<usize>) -> Result<Sample> {
    let view = vectors.matrix.view(Access::Bulk)?;
    let mut rows = vec![0.0; numbers.len() * mean.len()];
    let mut norms = Vec::with_capacity(numbers.len());
    for (row, &number) in rows.chunks_exact_mut(mean.len()).zip(&numbers) {
        (vectors.read)(&view, number, row)?;
        norms.push(kernels.square.of(&(), (&*row).into()).sqrt());
        row.iter_mut().zip(mean).for_each(|(value, &mean)| *value -= mean);
    }
    Ok(Sample { rows, norms, numbers })
}

/// Rows that were not used to find the axes, projected; some of them are queries.
struct Measured {
    /// All axes, those with the greatest variance first, and their variances.
    axes: Vec<f32>,
    variances: Vec<f64>,
    /// The mean square of the rows' lengths.
    total: f64,
    /// The rows in the order of the axes, the norms of the rows, and what no axis has of them.
    projected: Vec<f32>,
    norms: Vec<f64>,
    squares: Vec<f64>,
    /// For each query the position of its row, its product with the mean, and the cosine that its k-th hit has.
    queries: Vec<(usize, f64, f64)>,
}

impl Measured {
    fn new(
        kernels: &Kernels,
        vectors: &Vectors<'_>,
        mean: &[f32],
        fresh: &Sample,
        axes: Vec<f32>,
        threads: usize,
        stop: Stop<'_>,
    ) -> Result<Self> {
        let (dims, rows) = (mean.len(), fresh.numbers.len());
        let count = axes.len() / dims;
        let raw = times(kernels, &axes, &fresh.rows, dims, threads, stop)?;
        let mut variances = vec![0.0; count];
        for row in raw.chunks_exact(count) {
            variances.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value).powi(2) / rows as f64);
        }
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|&a, &b| variances[b].total_cmp(&variances[a]));
        let axes = order.iter().flat_map(|&at| &axes[at * dims..(at + 1) * dims]).copied().collect();
        let projected = raw.chunks_exact(count).flat_map(|row| order.iter().map(|&at| row[at])).collect();
        let variances = order.iter().map(|&at| variances[at]).collect();
        let squares: Vec<f64> = fresh.rows.chunks_exact(dims).map(|row| kernels.square.of(&(), row.into())).collect();
        let asking: Vec<usize> = (0..QUERIES).map(|at| (2 * at + 1) * rows / (2 * QUERIES)).collect();
        let lengths = fresh.norms.clone();
        let thresholds = thresholds(kernels, vectors, mean, fresh, &asking, threads, stop)?;
        let queries = asking.into_iter().zip(thresholds).map(|(at, threshold)| {
            let row = &fresh.rows[at * dims..][..dims];
            let middle =
                row.iter().zip(mean).map(|(&value, &mean)| (f64::from(value) + f64::from(mean)) * f64::from(mean));
            (at, middle.sum(), threshold)
        });
        let queries = queries.collect();
        let total = squares.iter().sum::<f64>() / rows as f64;
        Ok(Self { axes, variances, total, projected, norms: lengths, squares, queries })
    }

    /// Axes with bits for those components that are worth `price`; None if none is.
    fn axes(&self, kernels: &Kernels, price: f64, dims: usize, reach: f32) -> Option<Axes> {
        let price = price / dims as f64 * self.total;
        // The best number of bits of a component minimizes what is left of its variance, and the price of the bits.
        let cost = |variance: f64, zone: usize| variance * LEFT[zone] + price * Zones::BITS[zone] as f64;
        let mut counts = [0; Zones::COUNT];
        for &variance in &self.variances {
            let best = (0..Zones::COUNT).min_by(|&a, &b| cost(variance, a).total_cmp(&cost(variance, b)));
            if let Some(zone) = best.filter(|&zone| cost(variance, zone) < variance) {
                counts[zone] += 1;
            }
        }
        let mut zones = Zones { vectors: [0; Zones::COUNT] };
        for (zone, count) in counts.into_iter().enumerate() {
            let per = Zones::per_vector(zone);
            let room = (MOST_BYTES - zones.width()) / 4;
            let left = (self.variances.len() - zones.components()) / per;
            zones.vectors[zone] = ((count + per / 2) / per).min(room).min(left);
        }
        let components = zones.components();
        if components == 0 {
            return None;
        }
        let zone_of =
            |at: usize| (0..Zones::COUNT).find(|&zone| zones.range(zone).contains(&at)).expect("all are in one");
        let steps: Vec<f32> =
            (0..components).map(|at| (STEPS[zone_of(at)] * self.variances[at].sqrt()) as f32).collect();
        let basis = self.axes[..components * dims].to_vec();
        let skew = skew(kernels, &basis, dims);
        let mut axes =
            Axes { zones, basis, steps, skew, reach, lead: self.lead(components), units: [1.0; 4], norms: [0.0; 2] };
        let mut largest = [0.0f64; 4];
        for row in 0..self.norms.len() {
            let (_, missed) = self.decoded(&axes, row);
            largest.iter_mut().zip(missed).for_each(|(largest, missed)| *largest = largest.max(missed));
        }
        // What rounding adds (`Sketcher`), and a little more for rows that were not sampled.
        let lost = super::lost(axes.skew, axes.steps.len(), dims);
        let rounded = f64::from(reach) * (lost + 1e-6);
        let outside = f64::from(reach) * (2.0 * lost + f64::from(axes.skew) + 1e-6).sqrt();
        axes.units = std::array::from_fn(|zone| {
            let rounded = if zone < Zones::COUNT { rounded } else { outside };
            ((1.15 * largest[zone] + rounded) / f64::from(UNKNOWN - 1)) as f32
        });
        Some(axes)
    }

    /// The share that the leading axes of so many have at least of a row; 0 where a projection on all takes little longer.
    fn lead(&self, components: usize) -> f32 {
        if components < 2 * LEADING {
            return 0.0;
        }
        let rows = self.projected.chunks_exact(self.variances.len()).zip(&self.squares).filter(|row| *row.1 > 0.0);
        let inside = |row: &[f32]| row.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>();
        let mut shares: Vec<f64> = rows.map(|(row, square)| inside(&row[..LEADING]) / square).collect();
        shares.sort_by(f64::total_cmp);
        shares.get(shares.len() / ATYPICAL).map_or(0.0, |&share| share as f32)
    }

    /// The middles of the steps that a row is in, and what they miss: in each zone, and outside of the axes.
    fn decoded(&self, axes: &Axes, row: usize) -> (Vec<f64>, [f64; 4]) {
        let count = self.variances.len();
        let values = &self.projected[row * count..][..axes.steps.len()];
        let (mut middles, mut missed) = (Vec::with_capacity(values.len()), [0.0; 4]);
        for (zone, missed) in missed.iter_mut().take(Zones::COUNT).enumerate() {
            let (range, per, half) = (axes.zones.range(zone), Zones::per_vector(zone), Zones::half(zone));
            for (values, steps) in values[range.clone()].chunks(per).zip(axes.steps[range].chunks(per)) {
                let mut codes = [0; 32];
                *missed += quantize(zone, values, steps, &mut codes);
                let middle = |(&code, &step): (&u8, &f32)| (f64::from(code) - f64::from(half) + 0.5) * f64::from(step);
                middles.extend(codes.iter().zip(steps).map(middle));
            }
        }
        let inside: f64 = values.iter().map(|&value| f64::from(value).powi(2)).sum();
        missed[3] = (self.squares[row] - inside).max(0.0);
        (middles, missed.map(f64::sqrt))
    }

    /// The share of the rows that survive the thresholds of the queries.
    fn survivors(&self, axes: &Axes) -> f64 {
        let rows = self.norms.len();
        let decoded: Vec<_> = (0..rows).map(|row| self.decoded(axes, row)).collect();
        let mut survivors = 0;
        for &(at, middle, threshold) in &self.queries {
            let count = self.variances.len();
            let query = &self.projected[at * count..][..axes.steps.len()];
            let lengths: [f64; 4] = std::array::from_fn(|zone| {
                let of = |values: &[f32]| values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>();
                if zone < Zones::COUNT {
                    of(&query[axes.zones.range(zone)]).sqrt()
                } else {
                    (self.squares[at] - of(query)).max(0.0).sqrt()
                }
            });
            for (row, (middles, missed)) in decoded.iter().enumerate() {
                let product: f64 = middles.iter().zip(query).map(|(middle, &value)| middle * f64::from(value)).sum();
                let missed: f64 = lengths.iter().zip(missed).map(|(length, missed)| length * missed).sum();
                let reached = product + missed + middle >= threshold * self.norms[at] * self.norms[row];
                survivors += usize::from(reached);
            }
        }
        survivors as f64 / (rows * self.queries.len()) as f64
    }
}

/// The cosine of about the k-th hit of some rows of a sample among rows of the file, without themselves.
fn thresholds(
    kernels: &Kernels,
    vectors: &Vectors<'_>,
    mean: &[f32],
    fresh: &Sample,
    asking: &[usize],
    threads: usize,
    stop: Stop<'_>,
) -> Result<Vec<f64>> {
    let (rows, dims) = (vectors.matrix.rows(), mean.len());
    let runs = rows.div_ceil(RUN);
    let some = runs.min(AMONG / RUN);
    let wanted = (K * some).div_ceil(runs);
    let mut queries = Vec::new();
    for &at in asking {
        let scale = if fresh.norms[at] > 0.0 { 1.0 / fresh.norms[at] } else { 0.0 };
        let row = fresh.rows[at * dims..][..dims].iter().zip(mean);
        queries.extend(row.map(|(&value, &mean)| ((f64::from(value) + f64::from(mean)) * scale) as f32));
    }
    let best = Mutex::new(vec![Vec::new(); asking.len()]);
    in_parallel(threads, 0..some, stop, |run| {
        let view: View<'_> = vectors.matrix.view(Access::Bulk)?;
        let begin = (run as u128 * runs as u128 / some as u128) as usize * RUN;
        let numbers: Vec<usize> = (begin..rows.min(begin + RUN)).collect();
        let mut these = vec![0.0; numbers.len() * dims];
        for (row, &number) in these.chunks_exact_mut(dims).zip(&numbers) {
            (vectors.read)(&view, number, row)?;
        }
        let norms: Vec<f64> = these.chunks_exact(dims).map(|row| kernels.square.of(&(), row.into()).sqrt()).collect();
        let products = times(kernels, &queries, &these, dims, 1, &mut || false)?;
        let mut best = best.lock().expect("no thread panicked while it compared");
        for (row, &number) in numbers.iter().enumerate() {
            for (query, hits) in best.iter_mut().enumerate() {
                if fresh.numbers[asking[query]] != number && norms[row] > 0.0 {
                    hits.push(f64::from(products[row * asking.len() + query]) / norms[row]);
                }
            }
        }
        for hits in best.iter_mut() {
            hits.sort_by(|a: &f64, b| b.total_cmp(a));
            hits.truncate(wanted);
        }
        Ok(())
    })?;
    let best = best.into_inner().expect("no thread panicked while it compared");
    Ok(best.iter().map(|hits| hits.last().copied().unwrap_or(-1.0)).collect())
}
