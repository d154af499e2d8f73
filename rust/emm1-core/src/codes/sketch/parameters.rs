//! What all sketches of a file share, as it is stored: little-endian, without gaps.
//!
//! ```text
//! vectors   3 × u32: vectors of a group for each zone
//! skew, reach, lead, units (4), norms (2)   f32
//! steps     components × f32
//! basis     components × dims × f32
//! ```

use super::Axes;
use crate::shape::Zones;

/// Numbers of four bytes before the steps.
const HEAD: usize = Zones::COUNT + 9;
/// More vectors than any sketch has: products of lengths do not overflow below.
const MOST: u32 = 1 << 8;

impl Axes {
    pub(in crate::codes) fn bytes(zones: Zones, dims: usize) -> usize {
        size_of::<f32>() * (HEAD + zones.components() * (1 + dims))
    }

    pub(in crate::codes) fn to_bytes(&self) -> Vec<u8> {
        let Self { zones, basis, steps, skew, reach, lead, units, norms } = self;
        let counts = zones.vectors.iter().map(|&count| (count as u32).to_le_bytes());
        let head = [*skew, *reach, *lead].into_iter().chain(*units).chain(*norms);
        let values = head.chain(steps.iter().copied()).chain(basis.iter().copied()).map(f32::to_le_bytes);
        counts.chain(values).flatten().collect()
    }

    /// None if these are not parameters of vectors of so many components.
    pub(in crate::codes) fn from_bytes(bytes: &[u8], dims: usize) -> Option<Self> {
        let (words, rest) = bytes.as_chunks();
        let (counts, values) = words.split_at_checked(Zones::COUNT)?;
        let mut vectors = [0; Zones::COUNT];
        for (place, &count) in vectors.iter_mut().zip(counts) {
            let count = u32::from_le_bytes(count);
            *place = (count < MOST).then_some(count as usize)?;
        }
        let zones = Zones { vectors };
        if !rest.is_empty() || zones.components() == 0 || bytes.len() != Self::bytes(zones, dims) {
            return None;
        }
        let values: Vec<f32> = values.iter().map(|&word| f32::from_le_bytes(word)).collect();
        let (head, values) = values.split_at(HEAD - Zones::COUNT);
        let (steps, basis) = values.split_at(zones.components());
        let [skew, reach, lead, first, second, third, rest, low, high] = *head.first_chunk()?;
        let sound = head[..7].iter().chain(steps).all(|&value| value >= 0.0)
            && head[..7].iter().chain(steps).chain(basis).all(|value| value.is_finite())
            && skew < 0.5
            && super::REACHES.contains(&reach);
        sound.then(|| Self {
            zones,
            basis: basis.to_vec(),
            steps: steps.to_vec(),
            skew,
            reach,
            lead,
            units: [first, second, third, rest],
            norms: [low, high],
        })
    }
}
