//! Batches over sketches answer as a scan of every row does, whatever thresholds they begin with.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use tempfile::TempDir;

use super::rank::Tally;
use super::scan::Collect;
use super::tiles::Chosen;
use super::{Collector, Exclude, Goal, Search};
use crate::bound::SketchedQuery;
use crate::codes::KeepVerdict;
use crate::file::EmbeddingFile;
use crate::kernel::kernels;
use crate::rotation::mixed;
use crate::score::Metric;

const DIMS: usize = 128;
const ROWS: usize = 8700;
/// The rows before it are those that a sketch is chosen by.
const SAMPLED: usize = 8192;

/// No row from which the mean is found.
const HUGE: usize = 8699;

/// Clusters whose components get smaller; after them rows that are alike, opposite, zero, huge and tiny.
fn vectors() -> Vec<f32> {
    let noise = |at: usize| mixed(at as u64) as i32 as f32 / i32::MAX as f32;
    let value = |row: usize, at: usize| {
        let value = noise(row % 500 * DIMS + at) + 0.8 * noise((row + 1000) * DIMS + at);
        value * 0.975f32.powi(at as i32)
    };
    let factor = |row: usize| match row {
        ..SAMPLED => 1.0,
        HUGE => 1e18,
        _ => [1.0, 1.0, -1.0, 0.0, 30.0, -30.0, 1e-38, 3.0][row % 8],
    };
    (0..ROWS * DIMS)
        .map(|place| {
            let (row, at) = (place / DIMS, place % DIMS);
            factor(row) * value(if row < SAMPLED { row } else { row - SAMPLED }, at)
        })
        .collect()
}

struct Files {
    with: EmbeddingFile,
    without: EmbeddingFile,
    values: Vec<f32>,
    _folder: TempDir,
}

static FILES: LazyLock<Files> = LazyLock::new(|| {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let folder = tempfile::tempdir_in(target).unwrap();
    let (path, codes) = (folder.path().join("x.fbin"), folder.path().join("x.codes"));
    let values = vectors();
    let header = [ROWS, DIMS].map(|word| (word as u32).to_le_bytes());
    let components: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    fs::write(&path, [header.as_flattened(), &components].concat()).unwrap();
    let open = || EmbeddingFile::open(&path, None, &mut || false).unwrap();
    open().build_codes(&codes, 2, &|_| {}, &mut || false).unwrap();
    let with = open().with_codes(&codes, KeepVerdict::InFile, &mut || false).unwrap();
    assert!(with.codes().unwrap().coded().unwrap().sketch.is_some(), "these vectors are sketched");
    Files { with, without: open(), values, _folder: folder }
});

/// The rows that one query is made of, and how.
type Made = (usize, usize, u8);

fn query(values: &[f32], (row, other, kind): Made) -> Vec<f32> {
    let [row, other] = [row, other].map(|row| &values[row * DIMS..][..DIMS]);
    let pairs = row.iter().zip(other);
    match kind {
        0 => row.to_vec(),
        1 => pairs.map(|(a, b)| a + 0.25 * b).collect(),
        2 => row.iter().rev().map(|a| 0.3 - a).collect(),
        3 => vec![0.0; DIMS],
        4 => row.iter().map(|a| a * 1e12).collect(),
        _ => row.iter().map(|a| a * 1e-12).collect(),
    }
}

/// What a search in tiles collects, with the thresholds that the queries begin with; those without one are left to panels.
fn in_tiles<C: Collect + Sync>(
    file: &EmbeddingFile,
    queries: &[&[f32]],
    search: &Search,
    empty: &[C],
    thresholds: &[Option<f32>],
) -> Vec<C> {
    let codes = file.codes().unwrap();
    let coded = codes.coded().unwrap();
    let (axes, mean) = (coded.sketch.unwrap().0, codes.encoder().mean());
    let chosen = queries.iter().zip(thresholds).map(|(query, threshold)| {
        let sketched = SketchedQuery::new(kernels().unwrap(), axes, mean, query, search.metric);
        Some(Chosen { sketched: sketched?, threshold: (*threshold)? })
    });
    file.scan_in_ways(chosen.collect(), (codes.encoder(), &coded), queries, search, empty, &mut || false).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn batches_in_tiles_answer_as_scans_do(
        made in prop::collection::vec((0..ROWS, 0..ROWS, 0u8..6), 6..20),
        metric in prop::sample::select(vec![Metric::Dot, Metric::Cosine, Metric::L2]),
        k in prop::sample::select(vec![1usize, 2, 10, 100, ROWS / 8]),
        begin in prop::collection::vec(0u8..6, 20),
        within in any::<bool>(),
        leave_out in any::<bool>(),
        threads in 1usize..3,
    ) {
        let Files { with, without, values, .. } = &*FILES;
        let queries: Vec<Vec<f32>> = made.iter().map(|&made| query(values, made)).collect();
        let queries: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
        let exclude = if leave_out { Exclude::Equal } else { Exclude::Nothing };
        let search = Search { metric, among: None, exclude, threads };
        // Scores that are beyond f32 are errors of both.
        let Ok(best) = without.search(&queries, Goal::Best(k), &search, &mut || false) else { return Ok(()) };
        let merit = |at: usize, place: usize| best[at].get(place).map_or(f32::NEG_INFINITY, |hit| metric.merit(hit.score));
        let goal = if within { Goal::Within(f64::from(best[0].last().map_or(0.0, |hit| hit.score))) } else { Goal::Best(k) };
        let Ok(expected) = without.search(&queries, goal, &search, &mut || false) else { return Ok(()) };
        let left_out = with.left_out(&queries, &search, &mut || false).unwrap();
        let empty: Vec<Collector> = left_out.into_iter().map(|ids| Collector::new(goal, metric, ids)).collect();
        // Thresholds that are right, too high, too low, and none.
        let first = |at: usize| match begin[at] {
            _ if within => Some(f32::NEG_INFINITY).filter(|_| begin[at] > 0),
            0 => None,
            1 => Some(f32::NEG_INFINITY),
            2 => Some(merit(at, k - 1).next_up()),
            3 => Some(merit(at, 0).next_up()),
            4 => Some(merit(at, k - 1)),
            _ => Some(merit(at, (2 * k).min(best[at].len().max(1)) - 1)),
        };
        let thresholds: Vec<Option<f32>> = (0..queries.len()).map(first).collect();
        let found = in_tiles(with, &queries, &search, &empty, &thresholds);
        let found: Vec<_> = found.into_iter().map(Collector::into_hits).collect();
        prop_assert_eq!(found, expected);
        prop_assert!(with.remarks().is_empty());
    }

    #[test]
    fn ranks_in_tiles_are_those_of_scans(
        made in prop::collection::vec((0..ROWS, 0..ROWS, 0u8..6), 6..20),
        metric in prop::sample::select(vec![Metric::Dot, Metric::Cosine, Metric::L2]),
        ids in prop::collection::vec(0..ROWS as i64, 20),
        own in any::<bool>(),
        panels in 0usize..8,
        threads in 1usize..3,
    ) {
        let Files { with, without, values, .. } = &*FILES;
        let queries: Vec<Vec<f32>> = made.iter().map(|&made| query(values, made)).collect();
        let queries: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
        // The rows that queries are made of have few before them.
        let ids: Vec<i64> = made.iter().zip(ids).map(|(&(row, ..), other)| if own { row as i64 } else { other }).collect();
        let search = Search { metric, among: None, exclude: Exclude::Nothing, threads };
        let Ok(expected) = without.ranks(&ids, &queries, None, &search, &mut || false) else { return Ok(()) };
        let score = |(&id, query): (&i64, &&[f32])| without.score(&[id], query, metric, &mut || false).unwrap()[0];
        let scores: Vec<f32> = ids.iter().zip(&queries).map(score).collect();
        let empty: Vec<Tally> = scores.iter().map(|&score| Tally::new(metric, &[score])).collect();
        let thresholds: Vec<_> = (0..ids.len()).map(|at| (at >= panels).then_some(f32::NEG_INFINITY)).collect();
        let found = in_tiles(with, &queries, &search, &empty, &thresholds);
        let found: Vec<_> = found.iter().zip(scores).map(|(tally, score)| tally.rank(score, true)).collect();
        prop_assert_eq!(found, expected);
    }
}
