//! The k best of a stream of scores: best first, equal scores by ascending id, −0.0 equal to 0.0.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::score::Metric;

/// An item found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Its id.
    pub id: i64,
    /// Its score.
    pub score: f32,
}

/// Orders hits from best to worst.
#[derive(Clone, Copy, Debug)]
struct Ranked {
    hit: Hit,
    /// Greater is better.
    merit: f32,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        other.merit.total_cmp(&self.merit).then(self.hit.id.cmp(&other.hit.id))
    }
}
impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Ranked {}

/// Keeps the k best hits.
pub(crate) struct TopK {
    k: usize,
    metric: Metric,
    worst_first: BinaryHeap<Ranked>,
}

impl TopK {
    pub(crate) fn new(k: usize, metric: Metric) -> Self {
        Self { k, metric, worst_first: BinaryHeap::new() }
    }

    pub(crate) fn push(&mut self, hit: Hit) {
        let score = hit.score + 0.0; // −0.0 becomes 0.0
        let merit = if self.metric == Metric::L2 { 0.0 - score } else { score };
        let ranked = Ranked { hit, merit };
        if self.worst_first.len() < self.k {
            self.worst_first.push(ranked);
        } else if let Some(mut worst) = self.worst_first.peek_mut()
            && ranked < *worst
        {
            *worst = ranked;
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for ranked in other.worst_first {
            self.push(ranked.hit);
        }
    }

    /// The hits, best first.
    pub(crate) fn into_hits(self) -> Vec<Hit> {
        self.worst_first.into_sorted_vec().into_iter().map(|ranked| ranked.hit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_sorting(
            scores in prop::collection::vec(prop::sample::select(vec![-1.0f32, -0.0, 0.0, 0.5, 1.0]), 0..40),
            k in 1usize..50,
        ) {
            let hits: Vec<Hit> = scores.iter().enumerate().map(|(i, &score)| Hit { id: (i as i64 * 7) % 41, score }).collect();
            let mut top = TopK::new(k, Metric::Dot);
            hits.iter().for_each(|&hit| top.push(hit));
            let mut expected = hits.clone();
            expected.sort_by(|a, b| b.score.partial_cmp(&a.score).unwrap().then(a.id.cmp(&b.id)));
            expected.truncate(k);
            prop_assert_eq!(top.into_hits(), expected);
        }
    }
}
