//! Upper bounds from sketches.
//!
//! With the notation of `codes::sketch`, p = Bq, zones z, and P the projection onto the span of the axes,
//!
//! ```text
//! q·x′ = Pq·Px′ + q⊥·x′⊥            Pq·Px′ = pᵀ(BBᵀ)⁻¹y = p·y + pᵀEy,   ‖E‖ ≤ η/(1 − η)
//!      ≤ p·ŷ + Σ_z ‖p_z‖·‖(y − ŷ)_z‖ + η/(1 − η)·‖p‖·‖y‖ + ‖q⊥‖·‖x′⊥‖          (Cauchy–Schwarz)
//!
//! ‖q⊥‖² = ‖q‖² − pᵀ(BBᵀ)⁻¹p ≤ ‖q‖² − ‖p‖²/(1 + η)         ‖y‖ ≤ √(1 + η)·‖x′‖ ≤ √(1 + η)·reach
//! ```
//!
//! A row's component i is code cᵢ, which stands for sᵢ·(cᵢ − o) with the step sᵢ and o = 7.5, 1.5 or 0.5 in the three
//! zones. The steps are multiplied into the query: pᵢ·sᵢ = t_z·bᵢ + δᵢ with integers bᵢ, and |cᵢ − o| ≤ o:
//!
//! ```text
//! p·ŷ ≤ Σ_z t_z·(b_z·c_z − o·Σ bᵢ) + Σ |δᵢ|·o
//! ```
//!
//! p is computed in f64, so that it is off by less than `ROUNDING`·‖q‖, and with it p·ŷ by less than that times
//! ‖ŷ‖ ≤ √(1 + η)·reach + Σ ‖(y − ŷ)_z‖. All lengths of a row are below 255 units.
//!
//! Bounds are in units of ‖q‖·reach, so that they are near 1 whatever the vectors are, and a threshold is brought to the
//! same form (`needed`): of a product; for cosine, where norms differ, of a quotient; for l2 of half of ‖q‖² minus the
//! squared distance. The sum for a row is computed in f32: its terms are rounded up by `NARROW`, or a slack is added for
//! them. A query or a file that is so long or short that this could leave the range of f32 has no sketch.

use super::{ROUNDING, length};
use crate::codes::Axes;
use crate::kernel::Kernels;
use crate::score::Metric;
use crate::shape::{Finish, NARROW, SketchFactors, SketchQuery, Zones};

/// Lengths, and ratios of them, with which no term leaves the range of f32.
const LENGTHS: std::ops::RangeInclusive<f64> = 1e-15..=1e15;
const RATIOS: std::ops::RangeInclusive<f64> = 1e-9..=1e9;
/// Adding it leaves no bits for a fraction.
const SHIFT: f64 = 6_755_399_441_055_744.0;
/// Norms of rows that differ by less than this count as one.
const EVEN: f64 = 1e-3;

/// A query, coded for sketches.
#[derive(Clone)]
pub(crate) struct SketchedQuery {
    metric: Metric,
    pub(crate) coded: SketchQuery,
    pub(crate) finish: Finish,
    /// ‖q‖, for l2 of q minus the mean.
    norm: f64,
    /// ‖q‖·reach.
    unit: f64,
    /// An upper bound of q·μ; 0 for l2.
    base: f64,
    /// The smallest and the largest norm of rows, in units of reach, where they count as one.
    norms: [f64; 2],
}

impl SketchedQuery {
    /// None if its bounds would leave the range of f32.
    pub(crate) fn new(kernels: &Kernels, axes: &Axes, mean: &[f32], query: &[f32], metric: Metric) -> Option<Self> {
        let mut query: Vec<f64> = query.iter().map(|&value| f64::from(value)).collect();
        let middle = mean.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
        let mut base = query.iter().zip(mean).map(|(value, &mean)| value * f64::from(mean)).sum::<f64>();
        base += ROUNDING * length(&query) * middle;
        if metric == Metric::L2 {
            query.iter_mut().zip(mean).for_each(|(value, &mean)| *value -= f64::from(mean));
            base = 0.0;
        }
        let (norm, reach) = (length(&query), f64::from(axes.reach));
        let [low, high] = axes.norms.map(|norm| f64::from(norm) / reach);
        let unit = norm * reach;
        let sane =
            LENGTHS.contains(&norm) && RATIOS.contains(&(norm / reach)) && (base / unit).abs() < 1e9 && high < 1e9;
        if !sane {
            return None;
        }
        let even = low > 0.0 && high - low <= EVEN * low;
        let finish = match metric {
            Metric::Cosine if !even => {
                let constant = base / unit;
                Finish::Quotient { constant: up(constant + constant.abs() * NARROW), factor: (1.0 / reach) as f32 }
            }
            Metric::L2 => Finish::Difference { factor: (0.5 * (1.0 - 1e-5) / unit) as f32 },
            _ => Finish::Product,
        };
        let coded = code(kernels, axes, &query, norm);
        Some(Self { metric, coded, finish, norm, unit, base, norms: [low, high] })
    }

    /// The bound that a row of this merit reaches: no row with a lower one reaches it.
    pub(crate) fn needed(&self, threshold: f32) -> f32 {
        // A score is the exact value rounded to f32: no value two steps below a merit rounds to it or above.
        let threshold = f64::from(threshold.next_down().next_down());
        let needed = match (self.metric, self.finish) {
            (Metric::Cosine, Finish::Quotient { .. }) => threshold,
            (Metric::Cosine, _) => {
                let [low, high] = self.norms.map(|norm| threshold * norm);
                low.min(high) - self.base / self.unit
            }
            (Metric::Dot, _) => (threshold - self.base) / self.unit,
            (Metric::L2, _) => {
                let far = if threshold < 0.0 { threshold * threshold * (1.0 + 1e-6) } else { 0.0 };
                (self.norm * self.norm * (1.0 - ROUNDING) - far) / 2.0 / self.unit
            }
        };
        // The terms of a difference are each off by little relative to themselves.
        let off = match self.metric {
            Metric::L2 => 0.0,
            _ => (self.base / self.unit).abs() + needed.abs(),
        };
        ((needed - 1e-12 * off) as f32).next_down()
    }
}

/// Quantizes a query of this norm.
fn code(kernels: &Kernels, axes: &Axes, query: &[f64], norm: f64) -> SketchQuery {
    let (zones, reach, skew) = (axes.zones, f64::from(axes.reach), f64::from(axes.skew));
    let products: Vec<f64> =
        axes.basis.chunks_exact(query.len()).map(|axis| kernels.dot.of(query, axis.into())).collect();
    let unit = norm * reach;
    let mut coded = SketchQuery::default();
    let SketchFactors { products: factors, lengths, .. } = &mut coded.factors;
    let (mut offset, mut slack, mut weight) = (0.0, 0.0, 0.0);
    for zone in 0..Zones::COUNT {
        let (range, half) = (zones.range(zone), f64::from(Zones::half(zone)));
        let scaled: Vec<f64> = products[range.clone()]
            .iter()
            .zip(&axes.steps[range.clone()])
            .map(|(&product, &step)| product * f64::from(step))
            .collect();
        let most = if zone == 0 { 257.0 * 127.0 } else { 127.0 };
        let step = scaled.iter().fold(0.0f64, |most, value| most.max(value.abs())) / most;
        let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
        let (mut sum, mut sizes) = (0.0, 0.0);
        let mut codes = Vec::with_capacity(scaled.len());
        for value in scaled {
            let code = ((value * inverse).clamp(-most, most) + SHIFT) - SHIFT;
            sum += code;
            sizes += code.abs() + 255.0; // of both halves together
            slack += (value - step * code).abs() * (half - 0.5);
            codes.push(code as i32);
        }
        pack(zone, &codes, &mut coded.components);
        offset -= step * (half - 0.5) * sum;
        weight += step * (2.0 * half * sizes + half * sum.abs());
        match zone {
            0 => (factors[0], factors[1]) = ((256.0 * step / unit) as f32, (step / unit) as f32),
            _ => factors[zone + 1] = (step / unit) as f32,
        }
        lengths[zone] = up(length(&products[range]) * f64::from(axes.units[zone]) / unit);
    }
    let inside = length(&products);
    let outside = (norm * norm * (1.0 + ROUNDING) - inside * inside * (1.0 - ROUNDING) / (1.0 + skew)).max(0.0).sqrt();
    lengths[3] = up(outside * f64::from(axes.units[3]) / unit);
    slack += skew / (1.0 - skew) * (1.0 + skew).sqrt() * (inside + ROUNDING * norm) * reach;
    let longest = 2.0 * reach + 255.0 * axes.units[..Zones::COUNT].iter().map(|&unit| f64::from(unit)).sum::<f64>();
    slack += ROUNDING * norm * longest + NARROW * weight;
    coded.factors.offset = (offset / unit) as f32;
    coded.factors.slack = up(slack / unit);
    coded
}

/// Appends the components of a zone as kernels multiply them.
fn pack(zone: usize, codes: &[i32], packed: &mut Vec<i8>) {
    for vector in codes.chunks_exact(Zones::per_vector(zone)) {
        if zone == 0 {
            let high = |code: i32| (code + 128) >> 8;
            packed.extend(vector.iter().map(|&code| high(code) as i8));
            packed.extend(vector.iter().map(|&code| (code - 256 * high(code)) as i8));
        } else {
            packed.extend(vector.iter().map(|&code| code as i8));
        }
    }
}

/// Rounded up so that no f32 rounding of its term lowers a sum.
fn up(value: f64) -> f32 {
    ((value + value.abs() * NARROW) as f32).next_up()
}
