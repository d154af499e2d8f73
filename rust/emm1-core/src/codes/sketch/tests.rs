//! Files with a sketch: they answer as they do without, and damage in it is found.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Axes, lost};
use crate::codes::KeepVerdict;
use crate::codes::sections::Sections;
use crate::file::EmbeddingFile;
use crate::kernel::{kernels, panels};
use crate::rotation::mixed;
use crate::score::Metric;
use crate::search::{Exclude, Goal, Hit, Search};
use crate::shape::Zones;

const DIMS: usize = 128;
const ROWS: usize = 9000;

/// Clusters that are not narrow, whose components get smaller: more than 64 of them are sketched.
fn vectors() -> Vec<f32> {
    let noise = |at: usize| mixed(at as u64) as i32 as f32 / i32::MAX as f32;
    let value = |row: usize, at: usize| noise(row % 500 * DIMS + at) + 0.8 * noise((row + 1000) * DIMS + at);
    (0..ROWS * DIMS).map(|place| value(place / DIMS, place % DIMS) * 0.975f32.powi((place % DIMS) as i32)).collect()
}

fn open(path: &Path, codes: &Path) -> EmbeddingFile {
    let file = EmbeddingFile::open(path, None, &mut || false).unwrap();
    file.with_codes(codes, KeepVerdict::InFile, &mut || false).unwrap()
}

/// The embedding file and its codes.
fn paths(folder: &Path) -> (PathBuf, PathBuf) {
    (folder.join("x.fbin"), folder.join("x.codes"))
}

/// A file with codes, in a folder that is deleted when it is dropped, and its vectors.
fn coded() -> (TempDir, EmbeddingFile, Vec<f32>) {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let folder = tempfile::tempdir_in(target).unwrap();
    let (path, codes) = paths(folder.path());
    let values = vectors();
    let header = [ROWS, DIMS].map(|word| (word as u32).to_le_bytes());
    let components: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    fs::write(&path, [header.as_flattened(), &components].concat()).unwrap();
    let file = EmbeddingFile::open(&path, None, &mut || false).unwrap();
    file.build_codes(&codes, 2, &|_| {}, &mut || false).unwrap();
    (folder, open(&path, &codes), values)
}

fn answers(file: &EmbeddingFile, values: &[f32]) -> Vec<Vec<Hit>> {
    let mut all = Vec::new();
    for metric in [Metric::Dot, Metric::Cosine, Metric::L2] {
        let search = Search { metric, among: None, exclude: Exclude::Nothing, threads: 2 };
        for query in values.chunks(DIMS).step_by(997) {
            let far: Vec<f32> = query.iter().rev().map(|value| 0.3 - value).collect();
            for (query, k) in [(query, 1), (query, 10), (query, 300), (&far, 10), (query, ROWS / 5)] {
                all.extend(file.search(&[query], Goal::Best(k), &search, &mut || false).unwrap());
            }
            let threshold = f64::from(all.last().unwrap()[9].score);
            all.extend(file.search(&[query], Goal::Within(threshold), &search, &mut || false).unwrap());
        }
    }
    all
}

#[test]
fn a_sketch_changes_no_answer() {
    let (folder, file, values) = coded();
    let without = EmbeddingFile::open(&paths(folder.path()).0, None, &mut || false).unwrap();
    assert_eq!(answers(&file, &values), answers(&without, &values));
    assert!(file.remarks().is_empty());
    assert!(file.verify_codes(2, &|_| {}, &mut || false).unwrap());
}

#[test]
fn damage_in_a_sketch_is_found() {
    let (folder, file, values) = coded();
    let (path, codes) = paths(folder.path());
    let expected = answers(&file, &values);
    let whole = fs::read(&codes).unwrap();
    let (_, sections) = Sections::read(&whole).unwrap();
    let place = |kind| sections.get(kind).expect("these vectors are sketched");
    let [axes, sketch, checks] = [place(b"axes\0\0\0\0"), place(b"sketch\0\0"), place(b"sketched")];

    // A flipped bit in the sketch or a checksum of it is found when it is met, one in the axes when the file is opened.
    for at in [sketch.start + 5, sketch.end - 1, checks.start, checks.end - 1, axes.start, axes.end - 3] {
        let mut damaged = whole.clone();
        damaged[at] ^= 16;
        fs::write(&codes, &damaged).unwrap();
        let file = open(&path, &codes);
        let verified = file.verify_codes(2, &|_| {}, &mut || false);
        assert!(!verified.is_ok_and(|sound| sound), "byte {at}");
        let file = open(&path, &codes);
        assert_eq!(answers(&file, &values), expected, "byte {at}");
        assert_eq!(file.remarks().len(), 1, "byte {at}");
    }
}

#[test]
fn few_axes_tell_whether_a_query_is_like_the_rows() {
    let (_folder, file, values) = coded();
    let codes = file.codes().unwrap();
    let coded = codes.coded().unwrap();
    let (axes, mean) = (coded.sketch.expect("these vectors are sketched").0, codes.encoder().mean());
    let kernels = kernels().unwrap();
    let alike = |queries: &[f32]| queries.chunks(DIMS).filter(|query| axes.suit(kernels, mean, query)).count();
    assert!(alike(&values) > ROWS * 9 / 10 && alike(&values) < ROWS);
    // Isotropic queries have as much outside of the leading axes.
    let queries: Vec<f32> = (0..100 * DIMS).map(|at| mixed(!at as u64) as i32 as f32).collect();
    assert_eq!(alike(&queries), 0);
}

#[test]
fn projections_are_off_by_no_more_than_is_allowed_for() {
    for dims in [16, 128, 1000] {
        let noise = |at: usize| mixed(at as u64) as i32 as f32 / i32::MAX as f32;
        let row: Vec<f32> = (0..16 * dims).map(noise).collect();
        let zones = Zones { vectors: [2, 0, 0] };
        let axes = Axes::example(kernels().unwrap(), zones, &[row[..dims].to_vec()], 30.0, 0.0);
        let exact =
            |row: &[f32], axis: &[f32]| row.iter().zip(axis).map(|(&x, &b)| f64::from(x) * f64::from(b)).sum::<f64>();
        let panels = panels(&axes.basis, dims);
        let mut found = vec![0.0; row.len() / dims * panels.len() / dims];
        (kernels().unwrap().project)(&panels, &row, dims, &mut found);
        for (row, found) in row.chunks(dims).zip(found.chunks(panels.len() / dims)) {
            let missed = axes.basis.chunks(dims).zip(found).map(|(axis, &y)| (exact(row, axis) - f64::from(y)).powi(2));
            let off = missed.sum::<f64>().sqrt() / exact(row, row).sqrt();
            assert!(off > 0.0 && off <= lost(axes.skew, zones.components(), dims), "{off}");
        }
    }
}
