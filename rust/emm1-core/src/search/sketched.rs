//! The first pass over sketches, where there are some and as long as they rule out most rows.

use super::passes::SAMPLE;
use super::prune::Worker;
use super::scan::{Collect, ordered};
use crate::codes::Coded;
use crate::error::Result;
use crate::kernel::consecutive;
use crate::shape::{Finish, GROUP, Sketched, Survivor};

/// A row that its sketch cannot rule out, with its bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    pub(super) place: u32,
    pub(super) bound: f32,
}

/// Bounds and estimates of a block, kept to reuse their memory.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    upper: Vec<f32>,
    estimates: Vec<f32>,
}

impl<C: Collect + Sync> Worker<'_, C> {
    /// Lets the rows of the block wait that their sketch cannot rule out for a query, and notes the promising ones. False
    /// if there is no sketch or it rules out too few; then nothing was done.
    pub(super) fn sketch_block(&mut self, coded: Coded<'_>, query: usize) -> Result<bool> {
        let (Some(sketched), Some((_, sketch))) = (&self.scan.sketched[query], coded.sketch) else { return Ok(false) };
        let (Some(&first), count) = (self.rows.first(), self.rows.len()) else { return Ok(false) };
        let threshold = self.threshold(query);
        if !(first as usize).is_multiple_of(GROUP) || !consecutive(&self.rows) {
            return Ok(false);
        }
        coded.check_sketch(&self.rows)?;
        if sketched.finish != Finish::Product {
            coded.check_records(&self.rows)?;
        }
        let needed = sketched.needed(threshold);
        self.bounds.upper.resize(count.next_multiple_of(GROUP), 0.0);
        self.bounds.estimates.resize(count.next_multiple_of(GROUP), 0.0);
        let kernels = self.scan.kernels;
        let bound = |bounds: &mut Bounds, from: usize, to: usize| {
            let bytes = |at: usize| (first as usize + at).div_ceil(GROUP) * sketch.zones.group();
            let part = Sketched { zones: sketch.zones, groups: &sketch.groups[bytes(from)..bytes(to)] };
            let (upper, estimates) = (&mut bounds.upper[from..], &mut bounds.estimates[from..]);
            (kernels.sketch)(part, &sketched.coded, upper, estimates);
            (kernels.finish)(&coded.records[first as usize..][from..to], sketched.finish, upper, estimates);
        };
        let sample = SAMPLE.min(count);
        bound(&mut self.bounds, 0, sample);
        if threshold > f32::NEG_INFINITY {
            let left = self.bounds.upper[..sample].iter().filter(|&&upper| !(upper < needed)).count();
            if left > sample / 4 {
                return Ok(false);
            }
        }
        bound(&mut self.bounds, sample, count);
        let waiting = &mut self.waiting[query];
        let Bounds { upper, estimates } = &self.bounds;
        for (number, group) in upper[..count].chunks(GROUP).enumerate() {
            if !group.iter().fold(false, |any, &upper| any | !(upper < needed)) {
                continue;
            }
            for (at, &bound) in (number * GROUP..).zip(group) {
                if !(bound < needed) {
                    let place = first + at as u32;
                    waiting.sketched.push(Left { place, bound });
                    if estimates[at] >= needed {
                        waiting.promising.push((ordered(sketched.merit(estimates[at])), place));
                    }
                }
            }
        }
        Ok(true)
    }

    /// The rows that are still not ruled out by their sketches.
    pub(super) fn left_by_sketches(&self, query: usize, sketched: &[Left]) -> Vec<Survivor> {
        let Some(query_sketch) = &self.scan.sketched[query] else { return Vec::new() };
        let needed = query_sketch.needed(self.threshold(query));
        let left = sketched.iter().filter(|row| !(row.bound < needed));
        left.map(|row| Survivor { place: row.place, product: 0 }).collect()
    }
}
