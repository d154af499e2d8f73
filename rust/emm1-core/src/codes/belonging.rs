//! Whether codes are those of an embedding file as it is now.
//!
//! A file that has the identity it was coded with (`FileId`) was not written to. One that has another was written to, or it
//! was copied, moved or restored; then the checksums of all its rows, which lie with the codes, are compared once. The
//! verdict is kept for the process, and a good one in the file of codes as well.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::checks::BLOCK;
use crate::error::{Error, Result};
use crate::identity::FileId;
use crate::matrix::{Access, Matrix};
use crate::parallel::{Stop, in_parallel};

/// Where the identity of an embedding file is kept whose rows were compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepVerdict {
    /// In the file of codes, where that can be written.
    InFile,
    /// In this process only: nothing is written.
    InProcess,
}

/// Verdicts of this process: by the identities of codes and of embedding file.
static VERDICTS: Mutex<Option<Verdicts>> = Mutex::new(None);
type Verdicts = HashMap<(FileId, Vec<FileId>), bool>;
/// Verdicts kept at most; files that change all the time would add one each time.
const VERDICTS_KEPT: usize = 4096;
/// How often a file that is being written is looked at before it is given up.
const ROUNDS: usize = 8;
/// Blocks of rows compared by one thread before it looks up.
const BLOCKS: usize = 64;

/// What came of looking whether codes belong to a file.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) identity: Vec<FileId>,
    pub(super) belongs: bool,
}

impl Verdict {
    /// Nothing was looked at yet: no file has this identity.
    pub(super) const NONE: Self = Self { identity: Vec::new(), belongs: false };
}

/// Judges a file whose identity is not the one that its codes know; None where it is being written, so that nothing can be
/// said of it yet. `codes` is the identity of the codes.
pub(super) fn judge(
    matrix: &Matrix,
    checksums: &[[u8; 4]],
    codes: FileId,
    wait: bool,
    stop: Stop<'_>,
) -> Result<Option<Verdict>> {
    let Some(identity) = settled(matrix, wait)? else { return Ok(None) };
    let key = (codes, identity.clone());
    let known = VERDICTS.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().get(&key).copied();
    if let Some(belongs) = known {
        return Ok(Some(Verdict { identity, belongs }));
    }
    let belongs = same_rows(matrix, checksums, stop)?;
    if matrix.identity()? != identity {
        return Ok(None);
    }
    let mut verdicts = VERDICTS.lock().unwrap_or_else(PoisonError::into_inner);
    let verdicts = verdicts.get_or_insert_default();
    if verdicts.len() >= VERDICTS_KEPT {
        verdicts.clear();
    }
    verdicts.insert(key, belongs);
    Ok(Some(Verdict { identity, belongs }))
}

/// The identity of the files once every later write will change it: they were written back, and the clock that their times
/// are taken from has ticked since. A write through a map to a page that is not written back yet moves no time, so nobody
/// may have written in between either. None where somebody goes on writing, they cannot be written back, or `wait` is
/// false and it takes a wait.
pub(super) fn settled(matrix: &Matrix, wait: bool) -> Result<Option<Vec<FileId>>> {
    for _ in 0..ROUNDS {
        let identity = matrix.identity()?;
        match identity.iter().filter_map(FileId::unsettled).max() {
            Some(_) if !wait => return Ok(None),
            Some(rest) => thread::sleep(rest),
            None if matrix.write_back().is_err() => return Ok(None),
            None if matrix.identity()? == identity => return Ok(Some(identity)),
            None => {}
        }
    }
    Ok(None)
}

/// Whether every block of rows has its checksum.
fn same_rows(matrix: &Matrix, checksums: &[[u8; 4]], stop: Stop<'_>) -> Result<bool> {
    let differs = AtomicBool::new(false);
    let threads = thread::available_parallelism().map_or(1, usize::from).min(checksums.len().div_ceil(BLOCKS));
    let pieces = (0..checksums.len()).step_by(BLOCKS);
    in_parallel(threads, pieces, stop, |begin| {
        if differs.load(Ordering::Relaxed) {
            return Ok(());
        }
        let view = matrix.view(Access::Bulk)?;
        for (block, expected) in checksums.iter().enumerate().skip(begin).take(BLOCKS) {
            let found = view.checksum(rows_of(block, matrix.rows()));
            if found.map(u32::to_le_bytes).ok() != Some(*expected) {
                differs.store(true, Ordering::Relaxed);
                return Ok(());
            }
        }
        Ok(())
    })?;
    Ok(!differs.into_inner())
}

/// The rows of a block.
pub(super) fn rows_of(block: usize, rows: usize) -> Range<usize> {
    BLOCK * block..rows.min(BLOCK * (block + 1))
}

/// An identity as it is kept.
pub(super) fn to_bytes(identity: &[FileId]) -> Vec<u8> {
    identity.iter().flat_map(FileId::words).flat_map(u64::to_le_bytes).collect()
}

/// Writes an identity to its place in a file of codes, if there still is that file and not another: the file's own identity
/// after that. A reader that sees half of it sees one that no file has, and compares the rows.
pub(super) fn keep(path: &Path, codes: FileId, place: Range<usize>, identity: &[FileId]) -> Result<FileId> {
    let bytes = to_bytes(identity);
    let failed = |error| Error::cannot_write(path, &error);
    let mut file = OpenOptions::new().write(true).open(path).map_err(failed)?;
    let now = |file: &File| file.metadata().map(|metadata| FileId::of(&metadata)).map_err(failed);
    if bytes.len() != place.len() || now(&file)? != codes {
        return Ok(codes);
    }
    file.seek(SeekFrom::Start(place.start as u64)).and_then(|_| file.write_all(&bytes)).map_err(failed)?;
    now(&file)
}
