//! One property for every format: whatever the bytes, reading a header does not panic and gives no row beyond them.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;
use tempfile::TempDir;

use super::format::FORMATS;
use super::*;

/// Components of a matrix, each small enough for every type.
fn component(row: usize, column: usize) -> i8 {
    ((row * 7 + column * 3) % 100) as i8
}

fn data(dtype: Dtype, row: usize, dims: usize) -> Vec<u8> {
    let value = |column| component(row, column);
    match dtype {
        Dtype::F32 => (0..dims).flat_map(|i| f32::from(value(i)).to_le_bytes()).collect(),
        Dtype::F16 => (0..dims).flat_map(|i| half::f16::from_f32(value(i).into()).to_le_bytes()).collect(),
        Dtype::BF16 => (0..dims).flat_map(|i| half::bf16::from_f32(value(i).into()).to_le_bytes()).collect(),
        Dtype::I8 | Dtype::U8 => (0..dims).map(|i| value(i) as u8).collect(),
    }
}

fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.extend(data);
    bytes
}

fn safetensors(json: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    bytes.extend(json.as_bytes());
    bytes.extend(data);
    bytes
}

/// A whole file of each format; safetensors has a second tensor before the one that is found.
fn valid(format: Format, rows: usize, dims: usize) -> Vec<u8> {
    let all = |dtype| (0..rows).flat_map(|row| data(dtype, row, dims)).collect::<Vec<u8>>();
    match format {
        Format::Npy => npy("<f2", &format!("({rows}, {dims})"), &all(Dtype::F16)),
        Format::Safetensors => {
            let end = 3 + rows * dims * 2;
            let json = format!(
                r#"{{"__metadata__":{{"a":"b"}},"ids":{{"dtype":"U8","shape":[3],"data_offsets":[0,3]}},"v":{{"dtype":"BF16","shape":[{rows},{dims}],"data_offsets":[3,{end}]}}}}"#
            );
            safetensors(&json, &[vec![1, 2, 3], all(Dtype::BF16)].concat())
        }
        Format::Bin(dtype) => {
            let header = [rows, dims].into_iter().flat_map(|n| (n as u32).to_le_bytes());
            header.chain(all(dtype)).collect()
        }
        Format::Fvecs => {
            let row = |row| [(dims as u32).to_le_bytes().to_vec(), data(Dtype::F32, row, dims)].concat();
            (0..rows).flat_map(row).collect()
        }
    }
}

/// A file with these numbers in its header, rows and dims first, and 64 zeros after it.
fn claiming(format: Format, numbers: [u64; 4]) -> Vec<u8> {
    let [rows, dims, begin, end] = numbers;
    match format {
        Format::Npy => npy("<f4", &format!("({rows}, {dims})"), &[0; 64]),
        Format::Safetensors => safetensors(
            &format!(r#"{{"v":{{"dtype":"F32","shape":[{rows},{dims}],"data_offsets":[{begin},{end}]}}}}"#),
            &[0; 64],
        ),
        Format::Bin(_) => [[rows, dims].map(|n| (n as u32).to_le_bytes()).concat(), vec![0; 64]].concat(),
        Format::Fvecs => [(dims as u32).to_le_bytes().to_vec(), vec![0; 64]].concat(),
    }
}

fn parse(format: Format, bytes: &[u8]) -> Result<Layout> {
    format.layout(Path::new("x"), bytes, None)
}

/// Whether every row of a layout lies within so many bytes.
fn within(layout: &Layout, length: usize) -> bool {
    let last = layout.rows.checked_sub(1).map_or(Some(0), |last| last.checked_mul(layout.stride));
    let end = layout.start.checked_add(last.unwrap()).and_then(|last| last.checked_add(layout.width()));
    layout.dims > 0 && layout.width() <= layout.stride && (layout.rows == 0 || end.is_some_and(|end| end <= length))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        for &(_, format) in FORMATS {
            if let Ok(layout) = parse(format, &bytes) {
                prop_assert!(within(&layout, bytes.len()), "{layout:?}");
            }
        }
    }

    #[test]
    fn mutated_files(
        rows in 1usize..5,
        dims in 1usize..9,
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<Index>()),
        more in prop::collection::vec(any::<u8>(), 0..6),
    ) {
        for &(_, format) in FORMATS {
            let mut bytes = valid(format, rows, dims);
            // Most changes go where they do harm: into the header.
            let header = bytes.len().min(160);
            for (at, byte) in &changes {
                bytes[at.index(header)] = *byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            bytes.extend(&more);
            if let Ok(layout) = parse(format, &bytes) {
                prop_assert!(within(&layout, bytes.len()), "{layout:?}");
            }
        }
    }

    #[test]
    fn headers_of_any_numbers(numbers in prop::array::uniform4(prop_oneof![0u64..20, any::<u64>(), Just(1 << 63), Just(1 << 32)])) {
        for &(_, format) in FORMATS {
            let bytes = claiming(format, numbers);
            if let Ok(layout) = parse(format, &bytes) {
                prop_assert!(within(&layout, bytes.len()), "{layout:?}");
            }
        }
    }

    #[test]
    fn tensors_of_any_places(places in prop::collection::vec((0u64..20, 0u64..20, 0u64..4, 0u64..5), 0..4)) {
        let tensors: Vec<String> = places.iter().enumerate().map(|(i, (begin, end, rows, dims))| {
            format!(r#""t{i}":{{"dtype":"I8","shape":[{rows},{dims}],"data_offsets":[{begin},{end}]}}"#)
        }).collect();
        let bytes = safetensors(&format!("{{{}}}", tensors.join(",")), &[0; 12]);
        for name in [None, Some("t0"), Some("t1"), Some("t9")] {
            if let Ok(layout) = Format::Safetensors.layout(Path::new("x"), &bytes, name) {
                prop_assert!(within(&layout, bytes.len()), "{layout:?}");
            }
        }
    }
}

fn written(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn rows_of(matrix: &Matrix) -> Vec<Vec<f32>> {
    let view = matrix.view(Access::Bulk).unwrap();
    let row = |number| {
        let mut row = vec![0.0; matrix.dims()];
        view.row_f32(number, &mut row).unwrap();
        row
    };
    (0..matrix.rows()).map(row).collect()
}

fn expected(rows: usize, dims: usize) -> Vec<Vec<f32>> {
    (0..rows).map(|row| (0..dims).map(|column| component(row, column).into()).collect()).collect()
}

/// Opening it fails with a message that holds these words.
fn refused(path: &Path, words: &[&str]) {
    let text = Matrix::open(path).unwrap_err().to_string();
    for word in words {
        assert!(text.contains(word), "{text} (expected: {word})");
    }
}

#[test]
fn every_format_gives_the_same_rows() {
    let folder = TempDir::new().unwrap();
    for &(suffix, format) in FORMATS {
        let name: &str = &format!("x.{suffix}");
        for (rows, dims) in [(1, 1), (5, 3), (3, 300)] {
            let matrix = Matrix::open(&written(&folder, name, &valid(format, rows, dims))).unwrap();
            assert_eq!((matrix.rows(), matrix.dims()), (rows, dims), "{name}");
            assert_eq!(rows_of(&matrix), expected(rows, dims), "{name}");
        }
    }
}

#[test]
fn every_format_says_when_it_is_cut_longer_or_a_pointer() {
    let folder = TempDir::new().unwrap();
    for &(suffix, format) in FORMATS {
        let name: &str = &format!("x.{suffix}");
        let whole = valid(format, 3, 4);
        for length in 0..whole.len() {
            // Without a header, less of a file at the end of a row is a smaller file.
            if !(1..3).any(|rows| whole[..length] == valid(format, rows, 4)) {
                refused(&written(&folder, name, &whole[..length]), &[name]);
            }
        }
        refused(&written(&folder, name, &[&whole[..], &[0]].concat()), &[name]);
        refused(&written(&folder, name, b"version https://git-lfs.github.com/spec/v1\n"), &[name, "git lfs pull"]);
    }
}

#[test]
#[cfg(not(windows))] // Windows refuses to cut a file that is mapped
fn a_file_cut_after_it_was_opened_is_an_error() {
    let folder = TempDir::new().unwrap();
    for &(suffix, format) in FORMATS {
        let name: &str = &format!("x.{suffix}");
        let path = written(&folder, name, &valid(format, 3, 4));
        let matrix = Matrix::open(&path).unwrap();
        let length = path.metadata().unwrap().len();
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 1).unwrap();
        let text = matrix.view(Access::Bulk).err().unwrap().to_string();
        assert!(text.contains(name) && text.contains("cut short since it was opened"), "{text}");
    }
}

#[test]
fn shards_are_one_matrix_in_the_order_of_their_names() {
    let folder = TempDir::new().unwrap();
    let shard = |rows: std::ops::Range<usize>| {
        let data: Vec<u8> = rows.clone().flat_map(|row| data(Dtype::F32, row, 3)).collect();
        npy("<f4", &format!("({}, 3)", rows.len()), &data)
    };
    for (name, rows) in [("b.npy", 2..2), ("c.npy", 2..7), ("a.npy", 0..2), ("d.npy", 7..7)] {
        written(&folder, name, &shard(rows));
    }
    for other in ["a.ids.npy", "README.md", "._a.npy"] {
        written(&folder, other, b"not a shard");
    }
    let matrix = Matrix::open(folder.path()).unwrap();
    assert_eq!(matrix.files().map(|(_, rows)| rows).collect::<Vec<_>>(), [2, 0, 5, 0]);
    assert_eq!(rows_of(&matrix), expected(7, 3));

    written(&folder, "e.npy", &npy("<f2", "(1, 3)", &[0; 6]));
    refused(folder.path(), &["e.npy", "3 float16", "a.npy", "3 float32", "alike"]);
    written(&folder, "e.npy", &npy("<f4", "(1, 4)", &[0; 15]));
    refused(folder.path(), &["e.npy", "is cut short"]);
    let empty = TempDir::new().unwrap();
    refused(empty.path(), &["without .npy files", "emm1 embeddings import"]);
}

#[test]
fn npy_files_that_are_refused() {
    let folder = TempDir::new().unwrap();
    for (descr, shape, words) in [
        (">f4", "(2, 2)", "big-endian: convert it with `emm1 embeddings import"),
        ("|O", "(2, 2)", "Python objects"),
        ("<f8", "(2, 2)", "float32, float16 or int8"),
        ("<f4", "(4,)", "expected 2"),
        ("<f4", "(4, 0)", "no components"),
        ("<f4", "(0, 4611686018427387904)", "at most"),
        ("<f4", "(4611686018427387904, 4)", "more than any file"),
        ("<f4", "(2, 3)", "is cut short"),
        ("<f4", "(1, 2)", "its header lies"),
    ] {
        refused(&written(&folder, "x.npy", &npy(descr, shape, &[0; 16])), &["x.npy", words]);
    }
}

#[test]
fn tensors_are_found_by_name() {
    let folder = TempDir::new().unwrap();
    let tensor = |name, dtype, shape, begin, end| {
        format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{begin},{end}]}}"#)
    };
    let (a, b) = (tensor("a", "I8", "[2,2]", 0, 4), tensor("b#2", "F64", "[1,2]", 4, 20));
    let path = written(&folder, "x.safetensors", &safetensors(&format!("{{{b},{a}}}"), &[7; 20]));
    let named = |name: &str| PathBuf::from(format!("{}#{name}", path.display()));
    assert_eq!(rows_of(&Matrix::open(&named("a")).unwrap()), [[7.0, 7.0], [7.0, 7.0]]);
    refused(&path, &["several", "x.safetensors#NAME", "a, b#2"]);
    refused(&named("c"), &["no tensor is called 'c'", "a, b#2"]);
    refused(&named("b#2"), &["'b#2'", "F64", "convert"]);

    let (hole, overlap) = (tensor("c", "I8", "[2,2]", 5, 9), tensor("c", "I8", "[2,2]", 3, 7));
    let (short, solid) = (tensor("c", "I8", "[2,3]", 4, 8), tensor("c", "I8", "[2,2,1]", 0, 4));
    for (json, data, words) in [
        (format!("{{{a},{a}}}"), 4, "'a' appears twice"),
        (format!("{{{a},{hole}}}"), 9, "expected to begin at 4"),
        (format!("{{{a},{overlap}}}"), 7, "expected to begin at 4"),
        (format!("{{{a}}}"), 3, "cut short"),
        (format!("{{{a}}}"), 5, "belong to no tensor"),
        (format!("{{{solid}}}"), 4, "holds no tensor of 2 dimensions"),
        ("{}".into(), 0, "no tensor at all"),
        ("[]".into(), 0, "damaged"),
        ("{\"a\":3}".into(), 0, "damaged"),
    ] {
        refused(&written(&folder, "y.safetensors", &safetensors(&json, &vec![0; data])), &["y.safetensors", words]);
    }
    let lying = written(&folder, "z.safetensors", &safetensors(&format!("{{{a},{short}}}"), &[0; 8]));
    refused(&PathBuf::from(format!("{}#c", lying.display())), &["'c'", "header lies"]);
    refused(&written(&folder, "w.safetensors", &[0xff; 64]), &["not a .safetensors file"]);
}

#[test]
fn a_row_of_another_length_in_fvecs_is_named() {
    let folder = TempDir::new().unwrap();
    let mut bytes = valid(Format::Fvecs, 4, 3);
    bytes[2 * 16] = 7;
    let path = written(&folder, "x.fvecs", &bytes);
    let matrix = Matrix::open(&path).unwrap();
    let text = matrix.view(Access::Bulk).unwrap().row_f32(2, &mut [0.0; 3]).unwrap_err().to_string();
    assert!(text.contains("x.fvecs") && text.contains("row 2 says that it has 7 components"), "{text}");
    matrix.view(Access::Bulk).unwrap().row_f32(3, &mut [0.0; 3]).unwrap();
    drop(matrix); // Windows overwrites no file that is mapped
    bytes.push(0);
    refused(&written(&folder, "x.fvecs", &bytes), &["row 2 says"]);
    refused(&written(&folder, "x.fvecs", &[0xff; 20]), &["-1 components"]);
    refused(&written(&folder, "x.fvecs", &[0; 20]), &["no components"]);
}

#[test]
fn other_formats_are_for_import() {
    let folder = TempDir::new().unwrap();
    for name in ["x.pt", "x.npz", "x.parquet", "x.arrow", "x.feather", "x.csv", "x"] {
        refused(&written(&folder, name, b"PK"), &[name, "emm1 embeddings import", ".safetensors"]);
        fs::remove_file(folder.path().join(name)).unwrap();
        refused(&folder.path().join(name), &["does not exist"]);
    }
}
