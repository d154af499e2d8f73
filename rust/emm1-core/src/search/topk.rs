//! The k best of a stream of scores: best first, equal scores by ascending id, −0.0 equal to 0.0.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::scan::Collect;
use crate::error::Result;
use crate::score::Metric;

/// A row that was found.
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

/// Which hits a search returns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// This many of the best.
    Best(usize),
    /// All whose score is at least this; for l2, at most this.
    Within(f64),
}

/// Collects the hits of one query.
#[derive(Clone)]
pub(crate) struct Collector {
    metric: Metric,
    goal: Goal,
    /// Ids whose rows are left out, ascending.
    excluded: Arc<[i64]>,
    worst_first: BinaryHeap<Ranked>,
}

impl Collector {
    /// Leaves out the rows of some ids, which ascend.
    pub(crate) fn new(goal: Goal, metric: Metric, excluded: Arc<[i64]>) -> Self {
        Self { metric, goal, excluded, worst_first: BinaryHeap::new() }
    }

    /// The hits, best first.
    pub(crate) fn into_hits(self) -> Vec<Hit> {
        self.worst_first.into_sorted_vec().into_iter().map(|ranked| ranked.hit).collect()
    }
}

impl Collect for Collector {
    fn threshold(&self) -> f32 {
        match self.goal {
            Goal::Within(score) => {
                let merit = if self.metric == Metric::L2 { -score } else { score } + 0.0;
                let nearest = merit as f32;
                // Scores beyond f32 cannot be distinguished from such a threshold: they are collected, and are an error
                // later.
                let beyond = nearest == f32::NEG_INFINITY;
                if f64::from(nearest) < merit && !beyond { nearest.next_up() } else { nearest }
            }
            Goal::Best(k) if self.worst_first.len() < k => f32::NEG_INFINITY,
            Goal::Best(_) => self.worst_first.peek().map_or(f32::NEG_INFINITY, |worst| worst.merit),
        }
    }

    fn wanted(&self) -> Option<usize> {
        match self.goal {
            Goal::Best(k) => Some(k),
            Goal::Within(_) => None,
        }
    }

    fn push(&mut self, hit: Hit) -> Result<()> {
        if self.excluded.binary_search(&hit.id).is_ok() {
            return Ok(());
        }
        let ranked = Ranked { hit, merit: self.metric.merit(hit.score) };
        let wanted = match self.goal {
            Goal::Within(_) => ranked.merit >= self.threshold(),
            Goal::Best(k) => self.worst_first.len() < k,
        };
        if wanted {
            self.worst_first.try_reserve(1)?;
            self.worst_first.push(ranked);
        } else if let Goal::Best(_) = self.goal
            && let Some(mut worst) = self.worst_first.peek_mut()
            && ranked < *worst
        {
            *worst = ranked;
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        other.worst_first.into_iter().try_for_each(|ranked| self.push(ranked.hit))
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
            let mut top = Collector::new(Goal::Best(k), Metric::Dot, Arc::default());
            hits.iter().for_each(|&hit| top.push(hit).unwrap());
            let mut expected = hits.clone();
            expected.sort_by(|a, b| b.score.partial_cmp(&a.score).unwrap().then(a.id.cmp(&b.id)));
            expected.truncate(k);
            prop_assert_eq!(top.into_hits(), expected);
        }
    }
}
