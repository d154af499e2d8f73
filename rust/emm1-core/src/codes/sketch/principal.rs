//! Principal axes by orthogonal iteration on the covariance of sampled rows.
//!
//! Any orthonormal axes give right bounds; better ones give tighter bounds. So a few steps suffice, and products are in
//! f32: only the last orthonormalisation matters, and how far it is off is measured (`skew`).

use std::sync::Mutex;

use crate::error::Result;
use crate::kernel::{Kernels, ROWS, panels};
use crate::parallel::{Stop, in_parallel};
use crate::rotation::mixed;

/// Multiplications by the covariance.
const STEPS: usize = 8;
/// Rows of a matrix that are multiplied between two calls of `stop`.
const TILE: usize = 8 * ROWS;

/// About the `count` leading axes of rows (`dims` components each, centred), orthonormal up to the rounding to f32.
pub(super) fn principal(
    kernels: &Kernels,
    rows: &[f32],
    dims: usize,
    count: usize,
    threads: usize,
    stop: Stop<'_>,
) -> Result<Vec<f32>> {
    let columns = transposed(rows, dims);
    let mut covariance = times(kernels, &columns, &columns, rows.len() / dims, threads, stop)?;
    let largest = (0..dims).map(|at| covariance[at * dims + at]).fold(f32::MIN_POSITIVE, f32::max);
    covariance.iter_mut().for_each(|value| *value /= largest);
    let mut axes: Vec<f32> = (0..count * dims).map(|at| noise(at as u64)).collect();
    for step in 0..STEPS {
        axes = times(kernels, &covariance, &axes, dims, threads, stop)?;
        orthonormalize(kernels, &mut axes, dims, if step + 1 == STEPS { 2 } else { 1 });
    }
    Ok(axes)
}

/// The matrix whose rows are the columns of another.
fn transposed(matrix: &[f32], width: usize) -> Vec<f32> {
    let height = matrix.len() / width;
    let mut columns = vec![0.0; matrix.len()];
    for (at, row) in matrix.chunks_exact(width).enumerate() {
        columns[at..].iter_mut().step_by(height).zip(row).for_each(|(place, &value)| *place = value);
    }
    columns
}

/// The products of the rows of `many` with those of `axes`: as many rows as `many` has.
pub(super) fn times(
    kernels: &Kernels,
    axes: &[f32],
    many: &[f32],
    dims: usize,
    threads: usize,
    stop: Stop<'_>,
) -> Result<Vec<f32>> {
    let (count, rows) = (axes.len() / dims, many.len() / dims);
    let panels = panels(axes, dims);
    let wide = panels.len() / dims;
    let all = Mutex::new(vec![0.0; rows * count]);
    in_parallel(threads, (0..rows).step_by(TILE), stop, |begin| {
        let end = rows.min(begin + TILE);
        let mut padded = many[begin * dims..end * dims].to_vec();
        padded.resize((end - begin).next_multiple_of(ROWS) * dims, 0.0);
        let mut products = vec![0.0; padded.len() / dims * wide];
        (kernels.project)(&panels, &padded, dims, &mut products);
        let mut all = all.lock().expect("no thread panicked while it copied");
        let places = all[begin * count..end * count].chunks_exact_mut(count);
        places.zip(products.chunks_exact(wide)).for_each(|(place, row)| place.copy_from_slice(&row[..count]));
        Ok(())
    })?;
    Ok(all.into_inner().expect("no thread panicked while it copied"))
}

/// Gram–Schmidt in f64, `passes` times for each axis; an axis that depends on earlier ones is replaced.
pub(super) fn orthonormalize(kernels: &Kernels, axes: &mut [f32], dims: usize, passes: usize) {
    let mut spare = 0;
    for at in 0..axes.len() / dims {
        let (earlier, rest) = axes.split_at_mut(at * dims);
        let mut axis: Vec<f64> = rest[..dims].iter().map(|&value| f64::from(value)).collect();
        let mut passes = passes;
        loop {
            let before = length(&axis);
            for _ in 0..passes {
                for earlier in earlier.chunks_exact(dims) {
                    let share = kernels.dot.of(&axis, earlier.into());
                    axis.iter_mut().zip(earlier).for_each(|(value, &other)| *value -= share * f64::from(other));
                }
            }
            let after = length(&axis);
            if after > before * 1e-4 && after > 0.0 {
                let scale = 1.0 / after;
                rest[..dims].iter_mut().zip(&axis).for_each(|(place, value)| *place = (value * scale) as f32);
                break;
            }
            // Some unit vector is independent, since there are fewer axes than components.
            axis.fill(0.0);
            axis[spare % dims] = 1.0;
            spare += 1;
            passes = 2;
        }
    }
}

fn length(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// An upper bound of ‖BBᵀ − I‖: of the largest sum of a row of it.
pub(super) fn skew(kernels: &Kernels, axes: &[f32], dims: usize) -> f32 {
    let wide: Vec<f64> = axes.iter().map(|&value| f64::from(value)).collect();
    let row = |at: usize| {
        let axis = &wide[at * dims..(at + 1) * dims];
        let products = axes.chunks_exact(dims).enumerate().map(|(other, axis_f32)| {
            let product = kernels.dot.of(axis, axis_f32.into());
            (product - f64::from(u8::from(at == other))).abs()
        });
        products.sum::<f64>()
    };
    let count = axes.len() / dims;
    let largest = (0..count).map(row).fold(0.0, f64::max);
    ((largest * (1.0 + 1e-9) + count as f64 * 1e-11) as f32).next_up() // of sums of up to 2¹² products in f64
}

/// Pseudo-random numbers between −½ and ½, the same on every machine.
fn noise(seed: u64) -> f32 {
    (mixed(seed) >> 40) as f32 / (1 << 24) as f32 - 0.5
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::available;

    #[test]
    fn finds_the_leading_axes_and_says_how_skew_they_are() {
        let (dims, rows, count) = (40, 2000, 16);
        // Components of falling size, mixed by a rotation that exchanges neighbours.
        let sample: Vec<f32> = (0..rows * dims).map(|at| noise(at as u64) * 0.8f32.powi((at % dims) as i32)).collect();
        for kernels in available() {
            let axes = principal(kernels, &sample, dims, count, 2, &mut || false).unwrap();
            let wide = skew(kernels, &axes, dims);
            assert!(wide > 0.0 && wide < 1e-5, "{wide}");
            for (at, axis) in axes.chunks(dims).enumerate().take(8) {
                assert!(axis[at].abs() > 0.9, "{at}: {axis:?}");
            }
            let inside: f32 =
                times(kernels, &axes, &sample, dims, 1, &mut || false).unwrap().iter().map(|y| y * y).sum();
            let all: f32 = sample.iter().map(|x| x * x).sum();
            assert!(inside > 0.999 * (1.0 - 0.64f32.powi(count as i32)) * all && inside < all * 1.0001);
        }
    }

    #[test]
    fn axes_of_rows_in_a_plane_are_orthonormal_too() {
        let (dims, count) = (24, 16);
        let sample: Vec<f32> = (0..500 * dims).map(|at| if at % dims < 2 { noise(at as u64) } else { 0.0 }).collect();
        for sample in [sample, vec![0.0; 500 * dims]] {
            let kernels = available().next().unwrap();
            let axes = principal(kernels, &sample, dims, count, 1, &mut || false).unwrap();
            assert!(skew(kernels, &axes, dims) < 1e-5);
        }
    }
}
