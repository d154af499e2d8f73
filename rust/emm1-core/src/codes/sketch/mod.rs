//! Sketches of rows: the leading principal components in few bits, and the lengths of what they miss.
//!
//! Let x′ be the row minus the mean, B the axes, y = Bx′, and ŷ the middles of the steps that are coded. For each row are
//! stored, rounded up in units of the file, ‖y − ŷ‖ in each zone, and ‖x′⊥‖, the length of what is perpendicular to all
//! axes. A row that is farther from the mean than `reach`, or misses more than the units can say, is marked as unknown.
//!
//! The axes are f32 and orthonormal only up to η ≥ ‖BBᵀ − I‖, and y is computed in f32 as ỹ. With ρ ≥ ‖ỹ − y‖ / ‖x′‖,
//!
//! ```text
//! ‖(y − ŷ)_z‖ ≤ ‖(ỹ − ŷ)_z‖ + ρ·‖x′‖
//! ‖x′⊥‖²      ≤ ‖x′‖² − max(0, ‖ỹ‖ − ρ·‖x′‖)² / (1 + η)
//! ρ           = √(1 + η) · (√m·γ + 2⁻²⁴)            γ = n·2⁻²⁴ / (1 − n·2⁻²⁴)
//! ```
//!
//! where m is the number of axes and n how many roundings a term of a projection takes part in (`kernel::roundings`):
//! |ỹᵢ − Bᵢ·x̃| ≤ γ·‖Bᵢ‖·‖x̃‖ (Higham, Accuracy and Stability of Numerical Algorithms, 3.1), x̃ is x′ rounded, and no axis
//! is longer than √(1 + η). Everything else is computed in f64.

mod choose;
mod parameters;
mod principal;
#[cfg(all(test, unix))]
mod tests;

use crate::error::Result;
use crate::kernel::{Kernels, ROWS, kernels, panels, roundings};
use crate::shape::{Finish, GROUP, UNKNOWN, VECTOR, Zones};
pub(crate) use choose::choose;

/// Slack for all f64 arithmetic, relative to the lengths involved.
const ROUNDING: f64 = 1e-9;

/// Lengths for which neither squares nor products with queries leave the range of f32.
const REACHES: std::ops::RangeInclusive<f32> = 1e-15..=1e15;

/// Half a unit in the last place of an f32, relative to it.
const HALF: f64 = 1.0 / (1 << 24) as f64;

/// Axes that tell first whether a query is like the rows.
const LEADING: usize = 32;

/// What all sketches of a file share.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axes {
    pub(crate) zones: Zones,
    /// As many axes as components, one after another.
    pub(crate) basis: Vec<f32>,
    /// The step of each component.
    pub(crate) steps: Vec<f32>,
    /// At least ‖BBᵀ − I‖.
    pub(crate) skew: f32,
    /// No known row is farther from the mean.
    pub(crate) reach: f32,
    /// The least share that the leading axes have of the squared distance of a row from the mean; a few rows have less.
    pub(crate) lead: f32,
    /// The units of the four lengths of a row.
    pub(crate) units: [f32; 4],
    /// The smallest and the largest norm of a known row.
    pub(crate) norms: [f32; 2],
}

/// What it costs, besides the bytes of half a plane, to look closer at a row that its sketch leaves, and to rule out a row
/// by its planes; in bytes of a sketch that could be scanned in that time (measured on Zen 5).
const SURVIVOR: f64 = 8000.0;
const PLANES: f64 = 130.0;
/// And to make its bounds those of scores.
const FINISH: f64 = 32.0;

/// The same for batches, in products with whole bytes: for a row that is left, for the bounds of a row, and to make them
/// those of a score.
const SURVIVOR_IN_TILES: f64 = 10000.0;
const BOUND_IN_TILES: f64 = 64.0;
const FINISH_IN_TILES: f64 = 64.0;
/// How many times as many products they must save as they take: queries are tried first, in vain where they are not alike.
const MORE: f64 = 2.0;

impl Axes {
    /// What a row costs in a scan of sketches, whose bounds are finished so, in bytes of sketches.
    pub(crate) fn cost(&self, finish: Finish) -> f64 {
        self.zones.width() as f64 + if finish == Finish::Product { 0.0 } else { FINISH }
    }

    /// What it costs in a scan of planes.
    pub(crate) fn cost_of_planes(&self) -> f64 {
        PLANES + self.dims() as f64 / 4.0
    }

    /// The share of the rows that a sketch may leave: with more, planes are faster.
    pub(crate) fn affordable(&self, finish: Finish) -> f64 {
        (self.cost_of_planes() - self.cost(finish)).max(0.0) / (SURVIVOR + self.dims() as f64 / 2.0)
    }

    /// The share of the rows that a sketch may leave in a batch: with more, the products with whole bytes are faster.
    pub(crate) fn affordable_in_tiles(&self, finish: Finish) -> f64 {
        let finished = if finish == Finish::Product { 0.0 } else { FINISH_IN_TILES };
        let products = self.zones.products() as f64 + BOUND_IN_TILES + finished;
        (self.dims() as f64 - products * MORE).max(0.0) / SURVIVOR_IN_TILES
    }

    fn dims(&self) -> usize {
        self.basis.len() / self.steps.len()
    }

    /// Whether the leading axes have as much of a query as they have of the rows. Where they do not, which is where queries
    /// are of another distribution, sketches rule out little: this is found without a projection on all axes, and sparse
    /// reads of rows.
    pub(crate) fn suit(&self, kernels: &Kernels, mean: &[f32], query: &[f32]) -> bool {
        let centred: Vec<f32> = query.iter().zip(mean).map(|(value, mean)| value - mean).collect();
        let axes = self.basis.chunks_exact(mean.len()).take(LEADING);
        let inside: f32 = axes.map(|axis| kernels.rough_dot.of(&centred, axis.into()).powi(2)).sum();
        inside >= self.lead * kernels.rough_dot.of(&centred, centred[..].into())
    }
}

/// Sketches of consecutive rows, in memory.
#[derive(Debug, PartialEq)]
pub(crate) struct SketchBlock {
    /// Whole groups; rows past the end are zeros.
    pub(crate) groups: Vec<u8>,
    /// The smallest and the largest norm of a known row.
    pub(crate) norms: [f32; 2],
}

/// Sketches rows.
#[derive(Debug)]
pub(crate) struct Sketcher<'a> {
    axes: &'a Axes,
    mean: &'a [f32],
    panels: Vec<f32>,
    kernels: &'static Kernels,
    /// ρ.
    lost: f64,
}

impl<'a> Sketcher<'a> {
    pub(crate) fn new(axes: &'a Axes, mean: &'a [f32]) -> Result<Self> {
        Ok(Self::with(kernels()?, axes, mean))
    }

    pub(crate) fn with(kernels: &'static Kernels, axes: &'a Axes, mean: &'a [f32]) -> Self {
        let dims = mean.len();
        let lost = lost(axes.skew, axes.steps.len(), dims);
        Self { axes, mean, panels: panels(&axes.basis, dims), kernels, lost }
    }

    /// Sketches rows (finite, each as long as the mean); `fill` writes row i to the slice it is given.
    pub(crate) fn block(
        &self,
        rows: usize,
        mut fill: impl FnMut(usize, &mut [f32]) -> Result<()>,
    ) -> Result<SketchBlock> {
        const { assert!(GROUP.is_multiple_of(ROWS)) };
        /// Groups that are projected together, so that the axes are read less often.
        const TOGETHER: usize = 4;
        let (dims, size) = (self.mean.len(), self.axes.zones.group());
        let count = self.panels.len() / dims;
        let mut block =
            SketchBlock { groups: vec![0; rows.div_ceil(GROUP) * size], norms: [f32::INFINITY, f32::NEG_INFINITY] };
        let mut centred = vec![0.0; TOGETHER * GROUP * dims];
        let mut projected = vec![0.0; TOGETHER * GROUP * count];
        for (number, groups) in block.groups.chunks_mut(TOGETHER * size).enumerate() {
            let begin = number * TOGETHER * GROUP;
            let present = (rows - begin).min(TOGETHER * GROUP);
            let mut norms = [0.0; TOGETHER * GROUP];
            for (at, row) in centred.chunks_exact_mut(dims).enumerate() {
                if at < present {
                    fill(begin + at, row)?;
                    norms[at] = self.kernels.square.of(&(), (&*row).into()).sqrt();
                    row.iter_mut().zip(self.mean).for_each(|(value, &mean)| *value -= mean);
                } else {
                    row.fill(0.0);
                }
            }
            (self.kernels.project)(&self.panels, &centred, dims, &mut projected);
            for at in 0..present {
                let (centred, projected) = (&centred[at * dims..][..dims], &projected[at * count..][..count]);
                let group = &mut groups[at / GROUP * size..][..size];
                if self.row(centred, projected, norms[at], at % GROUP, group) {
                    let [low, high] = block.norms;
                    block.norms = [low.min((norms[at] as f32).next_down()), high.max((norms[at] as f32).next_up())];
                }
            }
        }
        Ok(block)
    }

    /// Sketches a row into its place in a group; says whether anything is known about it.
    fn row(&self, centred: &[f32], projected: &[f32], norm: f64, place: usize, group: &mut [u8]) -> bool {
        let zones = self.axes.zones;
        let (lengths, distance) =
            (group.len() - VECTOR + 4 * place, self.kernels.square.of(&(), centred.into()).sqrt());
        let slack = self.lost * distance * (1.0 + 4.0 * HALF) + 1e-12 * f64::from(self.axes.reach); // what underflows
        let mut vectors = group.chunks_exact_mut(VECTOR);
        let (mut known, mut codes) = ([0.0f64; Zones::COUNT], [0u8; 32]);
        for (zone, known) in known.iter_mut().enumerate() {
            let (bits, per, range) = (Zones::BITS[zone], Zones::per_vector(zone), zones.range(zone));
            let components = projected[range.clone()].chunks_exact(per).zip(self.axes.steps[range].chunks_exact(per));
            for ((values, steps), vector) in components.zip(&mut vectors) {
                *known += quantize(zone, values, steps, &mut codes);
                for (byte, at) in vector[4 * place..].iter_mut().take(4).zip(0..) {
                    *byte = (0..per / 4).fold(0, |byte, k| byte | codes[4 * k + at] << (bits * k));
                }
            }
        }
        let squares: f64 = projected[..zones.components()].iter().map(|&value| f64::from(value).powi(2)).sum();
        let inside = (squares.sqrt() * (1.0 - ROUNDING) - slack).max(0.0);
        let outside = (distance * (1.0 + 2.0 * HALF)).powi(2) * (1.0 + ROUNDING)
            - inside.powi(2) / (1.0 + f64::from(self.axes.skew));
        let [first, second, third] = known.map(|squares| squares.sqrt() * (1.0 + ROUNDING) + slack);
        let missed = [first, second, third, outside.max(0.0).sqrt() * (1.0 + ROUNDING)];
        let within = distance * (1.0 + 2.0 * HALF) <= f64::from(self.axes.reach) && norm < f64::from(f32::MAX);
        let mut stored = [UNKNOWN; 4];
        let mut fits = within;
        for (zone, ((stored, missed), &unit)) in stored.iter_mut().zip(missed).zip(&self.axes.units).enumerate() {
            if zone < Zones::COUNT && zones.vectors[zone] == 0 {
                *stored = 0;
                continue;
            }
            let units = (missed / f64::from(unit) * (1.0 + ROUNDING)).ceil();
            fits &= units < f64::from(UNKNOWN);
            *stored = units as u8;
        }
        group[lengths..lengths + 4].copy_from_slice(if fits { &stored } else { &[UNKNOWN; 4] });
        fits
    }
}

/// ρ, for so many axes.
fn lost(skew: f32, axes: usize, dims: usize) -> f64 {
    let rounded = roundings(dims) as f64 * HALF;
    let gamma = rounded / (1.0 - rounded) * (1.0 + 4.0 * HALF); // of x̃, which may be longer than x′
    (1.0 + f64::from(skew)).sqrt() * ((axes as f64).sqrt() * gamma + 1.01 * HALF)
}

/// Quantizes components of a vector of a zone; gives the sum of squares of what the codes miss.
#[inline(always)]
fn quantize(zone: usize, values: &[f32], steps: &[f32], codes: &mut [u8; 32]) -> f64 {
    let half = f64::from(Zones::half(zone));
    let mut squares = 0.0;
    for ((&value, &step), code) in values.iter().zip(steps).zip(codes) {
        let (value, step) = (f64::from(value), f64::from(step));
        let steps = if step > 0.0 { (value / step).floor().clamp(-half, half - 1.0) } else { 0.0 };
        squares += (value - step * (steps + 0.5)).powi(2);
        *code = (steps + half) as u8;
    }
    squares
}

#[cfg(test)]
impl Axes {
    /// Arbitrary axes: bounds must be right with any. Some are rows, but not the first row, the others are random; `bent` is how far
    /// they are from being orthonormal.
    pub(crate) fn example(kernels: &Kernels, zones: Zones, rows: &[Vec<f32>], reach: f32, bent: f32) -> Self {
        let (dims, count) = (rows[0].len(), zones.components());
        let scaled = |row: &Vec<f32>| row.iter().map(|value| value / reach).collect::<Vec<f32>>();
        let random = (0..count * dims).map(|at| crate::rotation::mixed(at as u64) as i32 as f32);
        let mut basis: Vec<f32> =
            rows.iter().skip(1).map(scaled).filter(|row| row.iter().all(|value| value.is_finite())).flatten().collect();
        basis.extend(random);
        basis.truncate(count * dims);
        principal::orthonormalize(kernels, &mut basis, dims, 2);
        basis[..dims].iter_mut().for_each(|value| *value *= 1.0 + bent);
        let length = |zone: usize| reach * [0.01, 0.02, 0.05, 0.1][zone];
        Self {
            zones,
            steps: (0..count).map(|at| reach * (1 + at % 5) as f32 / 40.0).collect(),
            skew: principal::skew(kernels, &basis, dims),
            basis,
            reach,
            lead: 0.0,
            units: std::array::from_fn(length),
            norms: [0.0; 2],
        }
    }
}
