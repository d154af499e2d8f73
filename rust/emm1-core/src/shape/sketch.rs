//! Sketches: the leading principal components of each row in four bits, two or one, sixteen rows side by side.

use std::ops::Range;

/// Rows side by side.
pub(crate) const GROUP: usize = 16;

/// Bytes of a vector: four of each row of a group.
pub(crate) const VECTOR: usize = 4 * GROUP;

/// The last byte of the lengths of a row about which nothing is known.
pub(crate) const UNKNOWN: u8 = u8::MAX;

/// The components of a row in three zones: the leading ones have four bits, the next two, the last one.
///
/// A group has `vectors` vectors for each zone, then one with the lengths of each row. Component k of a vector is in byte
/// k mod 4 of its row, shifted by k / 4 times its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Zones {
    pub(crate) vectors: [usize; Self::COUNT],
}

impl Zones {
    pub(crate) const COUNT: usize = 3;
    pub(crate) const BITS: [usize; Self::COUNT] = [4, 2, 1];

    /// Components of a row in a vector of a zone.
    pub(crate) const fn per_vector(zone: usize) -> usize {
        32 / Self::BITS[zone]
    }

    /// The components of a zone.
    pub(crate) fn range(&self, zone: usize) -> Range<usize> {
        let end = |zone: usize| (0..zone).map(|zone| self.vectors[zone] * Self::per_vector(zone)).sum();
        end(zone)..end(zone + 1)
    }

    /// All components.
    pub(crate) fn components(&self) -> usize {
        self.range(Self::COUNT - 1).end
    }

    /// Products of a row with a query: two for each component of the first zone.
    pub(crate) fn products(&self) -> usize {
        self.range(0).len() + self.components()
    }

    /// Half of the number of codes in a zone: code c of a component stands for c + ½ − `half` steps.
    pub(crate) const fn half(zone: usize) -> u8 {
        1 << (Self::BITS[zone] - 1)
    }

    /// Bytes of a row, on average over its group.
    pub(crate) fn width(&self) -> usize {
        4 * (self.vectors.iter().sum::<usize>() + 1)
    }

    /// Bytes of a group.
    pub(crate) fn group(&self) -> usize {
        GROUP * self.width()
    }
}

/// A query, quantized for sketches: sixteen bits for components of rows that have four, eight for the others.
#[derive(Clone, Debug, Default)]
pub(crate) struct SketchQuery {
    /// For each vector of a group the components as they follow there; for a vector of the first zone the high halves of
    /// its components, then the low halves: 256 · high + low.
    pub(crate) components: Vec<i8>,
    pub(crate) factors: SketchFactors,
}

/// Queries that are multiplied with sketches together.
pub(crate) const SIDE: usize = 8;

/// Up to [`SIDE`] queries for the same sketches, interleaved: four components of the first query, four of the second, and
/// so on.
pub(crate) struct SketchTile<'a> {
    pub(crate) queries: Vec<&'a SketchQuery>,
    /// Those of queries that are missing are zeros.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "other sets take the queries one by one"))]
    pub(crate) components: Vec<i8>,
}

impl<'a> SketchTile<'a> {
    pub(crate) fn new(queries: Vec<&'a SketchQuery>) -> Self {
        assert!((1..=SIDE).contains(&queries.len()));
        let mut components = vec![0; queries[0].components.len() * SIDE];
        for (lane, query) in queries.iter().enumerate() {
            let places = components.chunks_exact_mut(4).skip(lane).step_by(SIDE);
            places.zip(query.components.chunks_exact(4)).for_each(|(place, four)| place.copy_from_slice(four));
        }
        Self { queries, components }
    }

    /// The factors of each query.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "other sets take the queries one by one"))]
    pub(crate) fn factors(&self) -> [SketchFactors; SIDE] {
        std::array::from_fn(|lane| self.queries.get(lane).map_or_else(SketchFactors::default, |query| query.factors))
    }
}

/// What the sums of products and the lengths of a row are multiplied by.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SketchFactors {
    /// For the products with the high halves, with the low halves, and those of the second and the third zone.
    pub(crate) products: [f32; 4],
    /// Added to the products: what the middles of the steps lie off.
    pub(crate) offset: f32,
    /// For what each zone missed, and for what is not in the sketch.
    pub(crate) lengths: [f32; 4],
    /// Added to the lengths.
    pub(crate) slack: f32,
}

/// What makes the bounds of a product those of a score, up to a factor; `Record` has the lengths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Finish {
    /// Nothing: products are compared.
    Product,
    /// The product plus a constant, divided by the norm times a factor.
    Quotient { constant: f32, factor: f32 },
    /// The product minus the square of the centred norm times a factor.
    Difference { factor: f32 },
}

/// Groups of sketched rows.
#[derive(Clone, Copy)]
pub(crate) struct Sketched<'a> {
    pub(crate) zones: Zones,
    pub(crate) groups: &'a [u8],
}

/// Whether a bound does not rule out that what is needed is reached; NaN means that nothing is known.
#[inline(always)]
#[expect(clippy::neg_cmp_op_on_partial_ord, reason = "one comparison, and NaN reaches everything")]
pub(crate) fn reaches(bound: f32, needed: f32) -> bool {
    !(bound < needed)
}
