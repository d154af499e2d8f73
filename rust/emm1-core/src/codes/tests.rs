//! Codes of other files and damaged codes: the answer is always that of a search without codes.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::file::EmbeddingFile;
use crate::locate::codes_beside;
use crate::score::Metric;
use crate::search::{Exclude, Goal, Hit, Search};

const DIMS: usize = 40;
const ROWS: usize = 300;

/// A folder on the disk of the build, since codes are refused where files lie in memory only.
fn folder() -> TempDir {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    fs::create_dir_all(&target).unwrap();
    tempfile::tempdir_in(target).unwrap()
}

/// Vectors that look random, half of them near each other.
fn vectors(seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..ROWS * DIMS).map(|at| if (at / DIMS).is_multiple_of(2) { next() } else { 1.0 + 0.1 * next() }).collect()
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn write_fbin(path: &Path, values: &[f32]) {
    let header = [values.len() / DIMS, DIMS].map(|word| (word as u32).to_le_bytes());
    fs::write(path, [header.as_flattened(), &bytes_of(values)].concat()).unwrap();
}

fn codes_of(path: &Path) -> PathBuf {
    codes_beside(path)
}

fn build(path: &Path) {
    let file = EmbeddingFile::open(path, None, &mut || false).unwrap();
    file.build_codes(&codes_of(path), 2, &|_| {}, &mut || false).unwrap();
}

fn open(path: &Path) -> EmbeddingFile {
    EmbeddingFile::open(path, None, &mut || false)
        .unwrap()
        .with_codes(&codes_of(path), KeepVerdict::InFile, &mut || false)
        .unwrap()
}

/// The answers to a few queries, one by one and together.
fn answers(file: &EmbeddingFile, queries: &[&[f32]]) -> Vec<Vec<Hit>> {
    let search = Search { metric: Metric::Cosine, among: None, exclude: Exclude::Nothing, threads: 2 };
    let mut all: Vec<Vec<Hit>> = queries
        .iter()
        .flat_map(|query| file.search(&[query], Goal::Best(5), &search, &mut || false).unwrap())
        .collect();
    all.extend(file.search(queries, Goal::Best(5), &search, &mut || false).unwrap());
    all
}

/// Whether a file with these codes answers as it does without; and whether it has codes.
fn check(file: &EmbeddingFile, values: &[f32]) -> bool {
    let queries: Vec<&[f32]> = values.chunks(DIMS).step_by(37).collect();
    let without = EmbeddingFile::open(file.matrix().path(), None, &mut || false).unwrap();
    assert_eq!(answers(file, &queries), answers(&without, &queries));
    file.codes().is_some()
}

fn says(file: &EmbeddingFile) -> String {
    file.remarks().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn codes_of_this_file_are_used_and_nothing_is_said() {
    let folder = folder();
    let path = folder.path().join("x.fbin");
    write_fbin(&path, &vectors(1));
    build(&path);
    for _ in 0..2 {
        let file = open(&path);
        assert!(check(&file, &vectors(1)));
        assert_eq!(says(&file), "");
        assert!(file.verify_codes(2, &|_| {}, &mut || false).unwrap());
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "the file and its codes");
}

#[test]
fn a_file_of_the_same_size_and_time_is_told_apart() {
    let folder = folder();
    let (path, other) = (folder.path().join("x.fbin"), folder.path().join("y.fbin"));
    write_fbin(&path, &vectors(1));
    build(&path);
    let mut changed = vectors(1);
    changed[100 * DIMS] += 0.25; // one component of one row
    write_fbin(&other, &changed);
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    File::options().write(true).open(&other).unwrap().set_modified(time).unwrap();
    fs::rename(&other, &path).unwrap();
    let file = open(&path);
    assert!(!check(&file, &changed));
    assert!(says(&file).contains("earlier state"));
    assert!(!file.verify_codes(1, &|_| {}, &mut || false).unwrap());
}

#[test]
fn moved_and_copied_files_keep_their_codes_and_it_is_said_once() {
    let folder = folder();
    let (path, other) = (folder.path().join("x.fbin"), folder.path().join("y.fbin"));
    write_fbin(&path, &vectors(2));
    build(&path);
    fs::copy(&path, &other).unwrap();
    fs::copy(codes_of(&path), codes_of(&other)).unwrap();
    let file = open(&other);
    assert!(check(&file, &vectors(2)));
    assert!(says(&file).contains("its rows are the same"));
    let again = open(&other);
    assert!(check(&again, &vectors(2)));
    assert_eq!(says(&again), "", "the new identity was kept with the codes");

    // Where it cannot be, it is kept in the process.
    fs::copy(codes_of(&path), codes_of(&other)).unwrap();
    let in_process = || {
        let file = EmbeddingFile::open(&other, None, &mut || false).unwrap();
        file.with_codes(&codes_of(&other), KeepVerdict::InProcess, &mut || false).unwrap()
    };
    let before = fs::read(codes_of(&other)).unwrap();
    assert!(check(&in_process(), &vectors(2)));
    assert!(check(&in_process(), &vectors(2)));
    assert_eq!(fs::read(codes_of(&other)).unwrap(), before);
}

#[test]
fn an_open_file_that_is_moved_keeps_its_codes() {
    let folder = folder();
    let path = folder.path().join("x.fbin");
    write_fbin(&path, &vectors(2));
    build(&path);
    let file = open(&path);
    let moved = folder.path().join("z.fbin");
    fs::rename(&path, &moved).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(file.codes().unwrap().can_be_used(file.matrix(), &mut || false).unwrap());
    let codes = codes_of(&moved);
    fs::rename(codes_of(&path), &codes).unwrap();
    assert!(check(&open(&moved), &vectors(2)));
}

#[test]
fn shards_count_each() {
    let folder = folder();
    let path = folder.path().join("shards");
    fs::create_dir(&path).unwrap();
    let values = vectors(4);
    let shard = |name: &str, rows: &[f32]| {
        let dict = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {DIMS}), }}", rows.len() / DIMS);
        let text = format!("{dict:<117}\n");
        let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        bytes.extend([text.as_bytes(), &bytes_of(rows)].concat());
        fs::write(path.join(name), bytes).unwrap();
    };
    shard("a.npy", &values[..101 * DIMS]);
    shard("b.npy", &values[101 * DIMS..]);
    build(&path);
    assert!(check(&open(&path), &values));
    let time = fs::metadata(path.join("b.npy")).unwrap().modified().unwrap();
    let mut changed = values.clone();
    *changed.last_mut().unwrap() += 1.0;
    shard("c", &changed[101 * DIMS..]);
    File::options().write(true).open(path.join("c")).unwrap().set_modified(time).unwrap();
    fs::rename(path.join("c"), path.join("b.npy")).unwrap();
    assert!(!check(&open(&path), &changed));
}

#[test]
fn no_codes_where_writes_leave_no_trace() {
    let Ok(folder) = tempfile::tempdir_in("/dev/shm") else { return eprintln!("not run, for want of /dev/shm") };
    let path = folder.path().join("x.fbin");
    write_fbin(&path, &vectors(5));
    let file = EmbeddingFile::open(&path, None, &mut || false).unwrap();
    let Some(why) = file.why_no_codes() else { return eprintln!("not run: /dev/shm is a disk") };
    assert!(why.contains("is on tmpfs"), "{why}");
    let built = file.build_codes(&codes_of(&path), 1, &|_| {}, &mut || false);
    assert_eq!(built.unwrap_err().to_string(), why);
    // Codes that came with the file from a disk.
    let disk = self::folder();
    let source = disk.path().join("x.fbin");
    write_fbin(&source, &vectors(5));
    build(&source);
    fs::copy(codes_of(&source), codes_of(&path)).unwrap();
    let file = open(&path);
    assert!(!check(&file, &vectors(5)));
    assert_eq!(says(&file), why);
}

#[test]
fn two_builds_at_once_leave_whole_codes_and_nothing_else() {
    let folder = folder();
    let path = folder.path().join("x.fbin");
    write_fbin(&path, &vectors(6));
    fs::write(folder.path().join(format!("x.fbin.codes.{}.building", std::process::id())), "left behind").unwrap();
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(|| build(&path)))));
    let file = open(&path);
    assert!(check(&file, &vectors(6)));
    assert!(file.verify_codes(2, &|_| {}, &mut || false).unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&codes_of(&path)), mode(&path), "as readable as any file");
}

#[test]
fn a_build_that_is_stopped_leaves_nothing() {
    let folder = folder();
    let path = folder.path().join("x.fbin");
    write_fbin(&path, &vectors(6));
    let file = EmbeddingFile::open(&path, None, &mut || false).unwrap();
    assert!(file.build_codes(&codes_of(&path), 1, &|_| {}, &mut || true).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn verify_codes_every_row_anew() {
    let folder = folder();
    let path = folder.path().join("x.fbin");
    write_fbin(&path, &vectors(7));
    build(&path);
    // Codes of other rows, with all their checksums right.
    let other = folder.path().join("other.fbin");
    let mut changed = vectors(7);
    changed[42 * DIMS] += 0.5;
    write_fbin(&other, &changed);
    build(&other);
    let (mine, theirs) = (fs::read(codes_of(&path)).unwrap(), fs::read(codes_of(&other)).unwrap());
    let (_, sections) = sections::Sections::read(&mine).unwrap();
    let mut forged = theirs;
    for kind in [b"source\0\0", b"rows\0\0\0\0"] {
        let place = sections.get(kind).unwrap();
        forged[place.clone()].copy_from_slice(&mine[place]);
    }
    fs::write(codes_of(&path), forged).unwrap();
    let file = open(&path);
    assert!(file.codes().is_some());
    let error = file.verify_codes(2, &|_| {}, &mut || false).unwrap_err().to_string();
    assert!(error.contains("x.fbin.codes: is damaged"), "{error}");
}

#[test]
fn unknown_sections_and_other_versions() {
    let folder = folder();
    let path = folder.path().join("x.fbin");
    write_fbin(&path, &vectors(8));
    build(&path);
    let whole = fs::read(codes_of(&path)).unwrap();
    fs::write(codes_of(&path), [b"emm1cod3", &whole[8..]].concat()).unwrap();
    let file = open(&path);
    assert!(!check(&file, &vectors(8)));
    assert!(says(&file).contains("another version of emm1"));
    // The table with one more entry, of a kind that a later version may write.
    let (shape, sections) = sections::Sections::read(&whole).unwrap();
    let kinds = [
        b"mean\0\0\0\0",
        b"source\0\0",
        b"rows\0\0\0\0",
        b"checks\0\0",
        b"records\0",
        b"high1\0\0\0",
        b"high2\0\0\0",
        b"low1\0\0\0\0",
        b"low2\0\0\0\0",
    ];
    let mut lengths = vec![(*b"sketch\0\0", Some(100))];
    lengths.extend(kinds.map(|kind| (*kind, sections.get(kind).map(|place| place.len()))));
    let mut later = sections::Sections::place(&lengths).unwrap();
    later.set_checksum(b"mean\0\0\0\0", &whole[sections.get(b"mean\0\0\0\0").unwrap()]);
    let mut bytes = later.header(shape);
    bytes.resize(later.end(), 9);
    for kind in kinds {
        bytes[later.get(kind).unwrap()].copy_from_slice(&whole[sections.get(kind).unwrap()]);
    }
    fs::write(codes_of(&path), bytes).unwrap();
    let file = open(&path);
    assert!(check(&file, &vectors(8)));
    assert!(file.verify_codes(1, &|_| {}, &mut || false).unwrap());
}

/// A folder with a file and its codes, made once for all cases.
fn coded() -> (TempDir, PathBuf, Vec<u8>) {
    let folder = folder();
    let path = folder.path().join("x.fbin");
    write_fbin(&path, &vectors(9));
    build(&path);
    let codes = fs::read(codes_of(&path)).unwrap();
    (folder, path, codes)
}

fn flip(path: &Path, at: usize, bit: u32) {
    let mut file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(at as u64)).unwrap();
    std::io::Read::read_exact(&mut file, &mut byte).unwrap();
    file.seek(SeekFrom::Start(at as u64)).unwrap();
    file.write_all(&[byte[0] ^ 1 << bit]).unwrap();
}

#[test]
fn a_flipped_bit_anywhere_changes_no_answer() {
    let (_folder, path, codes) = coded();
    let (_, sections) = sections::Sections::read(&codes).unwrap();
    let places = [b"records\0", b"high1\0\0\0", b"high2\0\0\0", b"low1\0\0\0\0", b"low2\0\0\0\0"]
        .map(|kind| sections.get(kind).unwrap());
    proptest!(ProptestConfig::with_cases(100), |(share in 0.0f64..1.0, bit in 0u32..8)| {
        let at = (share * codes.len() as f64) as usize;
        flip(&codes_of(&path), at, bit);
        let file = open(&path);
        check(&file, &vectors(9));
        let (said, verified) = (says(&file), file.verify_codes(1, &|_| {}, &mut || false));
        // Gaps and zeros behind the last row count for nothing.
        let counts = places.iter().any(|place| place.contains(&at) && at < place.end - crate::shape::SLACK);
        if counts {
            prop_assert!(verified.is_err(), "byte {}", at);
            prop_assert!(said.is_empty() || said.contains("is damaged"), "{}", said);
        }
        flip(&codes_of(&path), at, bit);
        let whole = open(&path);
        let sound = whole.verify_codes(1, &|_| {}, &mut || false).unwrap();
        prop_assert!(sound);
    });
}

#[test]
fn damage_is_found_when_it_is_touched_and_said_once() {
    let (_folder, path, codes) = coded();
    let (_, sections) = sections::Sections::read(&codes).unwrap();
    flip(&codes_of(&path), sections.get(b"records\0").unwrap().start + 16 * 200 + 13, 6);
    let file = open(&path);
    assert!(file.codes().is_some());
    check(&file, &vectors(9));
    let said = says(&file);
    assert!(said.contains("x.fbin.codes: is damaged") && said.lines().count() == 1, "{said}");
    check(&file, &vectors(9));
    assert_eq!(says(&file), "");
}

#[test]
fn codes_that_are_overwritten_while_they_are_open_are_not_used() {
    let (_folder, path, codes) = coded();
    let (_, sections) = sections::Sections::read(&codes).unwrap();
    let records = sections.get(b"records\0").unwrap();
    let mut zeros = codes.clone();
    zeros[records.clone()].fill(0); // rows that no query can be near to
    let mut other = codes.clone();
    other[sections.get(b"mean\0\0\0\0").unwrap()].fill(0);
    for (overwritten, said) in
        [(&zeros[..], "is damaged"), (&other, "was overwritten"), (&codes[..records.start], "cut short")]
    {
        let file = open(&path);
        assert!(check(&file, &vectors(9)) && says(&file).is_empty());
        overwrite(&codes_of(&path), overwritten);
        check(&file, &vectors(9));
        let lines = says(&file);
        assert!(lines.contains(said) && lines.lines().count() == 1, "{lines}");
        check(&file, &vectors(9));
        assert_eq!(says(&file), "");
        overwrite(&codes_of(&path), &codes);
    }
    // The same codes again, as where another process keeps an identity there.
    let file = open(&path);
    overwrite(&codes_of(&path), &codes);
    assert!(check(&file, &vectors(9)) && says(&file).is_empty());
    assert!(file.codes().unwrap().can_be_used(file.matrix(), &mut || false).unwrap());
}

/// Writes a file in its place, as `cp` does.
fn overwrite(path: &Path, bytes: &[u8]) {
    std::thread::sleep(std::time::Duration::from_millis(50)); // the file's time has ticked since it was opened
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
}
