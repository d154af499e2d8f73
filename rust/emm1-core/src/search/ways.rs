//! The ways in which queries are searched for; those of a batch may differ.

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use super::finer::{Division, MAX_FINER_DIMS};
use super::plan::{BATCH, CodeSource, Rows, Search, block_rows, pack_parts, panels};
use super::scan::{Collect, Kept, Scan, Threshold};
use super::tiles::{BLOCK, Chosen, FEWEST};
use crate::bound::{CodedQuery, SketchedQuery};
use crate::codes::{Coded, Encoder};
use crate::error::Result;
use crate::file::EmbeddingFile;
use crate::kernel::{Kernels, kernels};
use crate::parallel::Stop;
use crate::score::Query;

/// How queries are searched for.
pub(super) enum Way {
    /// One after the other.
    Few,
    /// Panels of them, with the whole bytes of all rows.
    Panels,
    /// Tiles of them, with sketches first.
    Tiles(Vec<Chosen>),
}

impl EmbeddingFile {
    /// What `empty` collects about the rows of each query of a batch: those that are chosen are searched for in tiles.
    pub(super) fn scan_in_ways<C: Collect + Sync>(
        &self,
        chosen: Vec<Option<Chosen>>,
        (encoder, coded): (&Encoder, &Coded<'_>),
        queries: &[&[f32]],
        search: &Search,
        empty: &[C],
        stop: Stop<'_>,
    ) -> Result<Vec<C>> {
        let mut found = empty.to_vec();
        let mut scan = |way: Way, which: &[usize], found: &mut [C]| -> Result<()> {
            if which.is_empty() {
                return Ok(());
            }
            let queries: Vec<&[f32]> = which.iter().map(|&at| queries[at]).collect();
            let empty: Vec<C> = which.iter().map(|&at| empty[at].clone()).collect();
            let source = CodeSource::File(encoder, Box::new(*coded));
            let collected = self.scan_by(way, Some(source), &queries, search, &empty, stop)?;
            which.iter().zip(collected).for_each(|(&at, collected)| found[at] = collected);
            Ok(())
        };
        let (tiled, others): (Vec<usize>, Vec<usize>) = (0..queries.len()).partition(|&at| chosen[at].is_some());
        if tiled.len() < FEWEST {
            scan(Way::Panels, &(0..queries.len()).collect::<Vec<_>>(), &mut found)?;
            return Ok(found);
        }
        scan(if others.len() < BATCH { Way::Few } else { Way::Panels }, &others, &mut found)?;
        let chosen: Vec<Chosen> = chosen.into_iter().flatten().collect();
        scan(Way::Tiles(chosen.clone()), &tiled, &mut found)?;
        // A threshold that enough rows reach is known now for those whose first one they did not reach.
        let again = tiled.into_iter().zip(chosen).filter(|(at, chosen)| found[*at].threshold() < chosen.threshold);
        let again = again.map(|(at, chosen)| (at, Chosen { threshold: found[at].threshold(), ..chosen }));
        let (again, chosen): (Vec<usize>, Vec<Chosen>) = again.unzip();
        scan(Way::Tiles(chosen), &again, &mut found)?;
        Ok(found)
    }

    /// What `empty` collects about the rows of each query, if all are searched for in one way.
    pub(super) fn scan_by<C: Collect + Sync>(
        &self,
        way: Way,
        code_source: Option<CodeSource<'_>>,
        queries: &[&[f32]],
        search: &Search,
        empty: &[C],
        stop: Stop<'_>,
    ) -> Result<Vec<C>> {
        let kernels = kernels()?;
        let batch = matches!(way, Way::Panels);
        let tiled = matches!(way, Way::Tiles(_));
        let most = if batch { kernels.max_component } else { i8::MAX };
        let coded: Vec<CodedQuery> = code_source.as_ref().map_or(Vec::new(), |source| {
            let finer = batch && C::COUNTS && self.matrix.dims() <= MAX_FINER_DIMS;
            queries.iter().map(|query| CodedQuery::new(source.encoder(), query, search.metric, most, finer)).collect()
        });
        let thresholds: Vec<Threshold> = empty.iter().map(|empty| Threshold::new(empty.threshold())).collect();
        let sketched = match way {
            Way::Tiles(chosen) => {
                chosen.iter().zip(&thresholds).for_each(|(chosen, shared)| shared.raise(chosen.threshold));
                chosen.into_iter().map(|chosen| Some(chosen.sketched)).collect()
            }
            Way::Few => self.sketched(code_source.as_ref(), kernels, queries, search, empty),
            Way::Panels => queries.iter().map(|_| None).collect(),
        };
        let width = self.matrix.dims().div_ceil(2);
        let panels = if batch { panels(width, &coded) } else { Vec::new() };
        let divided = panels.iter().filter(|_| C::COUNTS);
        let divisions = divided.map(|(begin, panel)| Division::new(*begin, panel, &coded, empty)).collect();
        let several = (batch || tiled) && code_source.is_some();
        let together = empty.iter().filter(|empty| several && empty.wanted().is_some());
        let mut scan = Scan {
            file: self,
            kernels,
            metric: search.metric,
            queries: queries.iter().map(|query| Query::new(kernels, query, search.metric)).collect(),
            packed: coded.iter().map(|query| pack_parts(self.matrix.dims(), &query.fine.codes)).collect(),
            coded,
            sketched,
            tiled,
            deferred: Vec::new(),
            panels,
            divisions,
            thresholds,
            empty: empty.to_vec(),
            kept: together.map(Kept::new).collect(),
            collectors: Mutex::new(empty.to_vec()),
            block: if tiled { BLOCK } else { block_rows(self.matrix.dims(), code_source.is_some(), queries.len()) },
            code_source,
            rows: Rows::of(search, self),
            next: AtomicUsize::new(0),
        };
        if !tiled {
            scan.deferred = (0..queries.len()).map(|query| scan.probe(query)).collect::<Result<_>>()?;
        }
        scan.run(search.threads, stop)?;
        if !scan.kept.is_empty() {
            return Ok(scan.kept.into_iter().map(Kept::into_inner).collect());
        }
        Ok(scan.collectors.into_inner().expect("no thread panicked while it held the result"))
    }

    /// The queries for sketches, one by one, where they are of use.
    fn sketched<C: Collect>(
        &self,
        source: Option<&CodeSource<'_>>,
        kernels: &'static Kernels,
        queries: &[&[f32]],
        search: &Search,
        empty: &[C],
    ) -> Vec<Option<SketchedQuery>> {
        let sketch = match source {
            Some(CodeSource::File(encoder, coded)) if search.among.is_none() => {
                coded.sketch.map(|(axes, _)| (axes, encoder.mean()))
            }
            _ => None,
        };
        let sketched = queries.iter().zip(empty).map(|(query, collector)| {
            let (axes, mean) = sketch?;
            // Where the threshold is known from the start, every block tells whether its sketch is of use.
            let of_use = collector.wanted().is_none() || axes.suit(kernels, mean, query);
            of_use.then(|| SketchedQuery::new(kernels, axes, mean, query, search.metric)).flatten()
        });
        sketched.collect()
    }
}
