//! A fixed rotation that spreads outliers over all components: random signs, then the Walsh–Hadamard transform.

use crate::kernel::Kernels;

/// Rotates vectors in blocks of powers of two, so that no component needs to be added: 1,000 is 512 + 256 + … + 8.
#[derive(Debug)]
pub(crate) struct Rotation {
    /// ±1 for each component.
    signs: Vec<f32>,
}

impl Rotation {
    pub(crate) fn new(dims: usize) -> Self {
        let sign = |component: usize| if mixed(component as u64) & 1 == 0 { 1.0 } else { -1.0 };
        Self { signs: (0..dims).map(sign).collect() }
    }

    /// Rotates in f32. The error relative to exact arithmetic is at most 2⁻²⁴ · (log₂ dims + 4) of the norm.
    pub(crate) fn rotate(&self, kernels: &Kernels, values: &mut [f32]) {
        for (value, sign) in values.iter_mut().zip(&self.signs) {
            *value *= sign;
        }
        for block in Blocks(values) {
            (kernels.hadamard)(block);
            let norm = (1.0 / (block.len() as f64).sqrt()) as f32;
            block.iter_mut().for_each(|value| *value *= norm);
        }
    }

    /// Rotates in f64, for queries.
    pub(crate) fn rotate_exactly(&self, values: &mut [f64]) {
        for (value, &sign) in values.iter_mut().zip(&self.signs) {
            *value *= f64::from(sign);
        }
        for block in Blocks(values) {
            let length = block.len();
            let mut half = 1;
            while half < length {
                for pair in block.chunks_exact_mut(2 * half) {
                    let (first, second) = pair.split_at_mut(half);
                    for (a, b) in first.iter_mut().zip(second) {
                        (*a, *b) = (*a + *b, *a - *b);
                    }
                }
                half *= 2;
            }
            let norm = 1.0 / (length as f64).sqrt();
            block.iter_mut().for_each(|value| *value *= norm);
        }
    }
}

/// Slices whose lengths are descending powers of two and add up to the whole.
struct Blocks<'a, T>(&'a mut [T]);

impl<'a, T> Iterator for Blocks<'a, T> {
    type Item = &'a mut [T];

    fn next(&mut self) -> Option<Self::Item> {
        let rest = std::mem::take(&mut self.0);
        let length = 1usize.checked_shl(rest.len().checked_ilog2()?)?;
        let (block, rest) = rest.split_at_mut(length);
        self.0 = rest;
        Some(block)
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): the same bits on every machine.
pub(crate) fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::kernels;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keeps_lengths_and_angles(a in prop::collection::vec(-1e3f32..1e3, 1..300)) {
            let rotation = Rotation::new(a.len());
            let mut exact: Vec<f64> = a.iter().copied().map(f64::from).collect();
            let norm = exact.iter().map(|value| value * value).sum::<f64>().sqrt();
            rotation.rotate_exactly(&mut exact);
            prop_assert!((exact.iter().map(|value| value * value).sum::<f64>().sqrt() - norm).abs() <= 1e-12 * norm);
            let mut rounded = a.clone();
            rotation.rotate(kernels().unwrap(), &mut rounded);
            let error = rounded.iter().zip(&exact).map(|(&x, y)| (f64::from(x) - y).powi(2)).sum::<f64>().sqrt();
            let stages = f64::from(a.len().ilog2()) + 4.0;
            prop_assert!(error <= stages * norm / f64::from(1 << 24), "{error} of {norm}");
        }
    }
}
