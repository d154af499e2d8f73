//! Whether codes belong to an embedding file as it is now.
//!
//! A file with the identity recorded in its codes (`FileId`) was not written to. A file with another identity was
//! written to, copied, moved or restored; then the checksums of all its rows, which are stored with the codes, are
//! compared once. The verdict is kept for the process, and a positive one also in the file of codes.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::checks::BLOCK;
use crate::error::{Error, Result};
use crate::identity::FileId;
use crate::lock::Lock;
use crate::matrix::{Access, Matrix};
use crate::parallel::{Stop, in_parallel};

/// Where to keep the identity of an embedding file whose rows were compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepVerdict {
    /// In the file of codes, if it can be written.
    InFile,
    /// In this process only: nothing is written.
    InProcess,
}

/// The verdicts of this process, by the identities of the codes and the embedding file.
static VERDICTS: Lock<Option<Verdicts>> = Lock::new(None);
type Verdicts = HashMap<(FileId, Vec<FileId>), bool>;
/// The maximum number of verdicts kept: files that change continually would each add one.
const VERDICTS_KEPT: usize = 4096;
/// How often a file that is being written is examined before giving up.
const ROUNDS: usize = 8;
/// Blocks of rows that a thread compares between two calls of `stop`.
const BLOCKS: usize = 64;

/// Whether codes belong to a file of an identity.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) identity: Vec<FileId>,
    pub(super) belongs: bool,
}

impl Verdict {
    /// No verdict yet: no file has this identity.
    pub(super) const NONE: Self = Self { identity: Vec::new(), belongs: false };
}

/// Judges a file whose identity is not the one recorded in its codes; None if it is being written, so that nothing can
/// be said yet. `codes` is the identity of the file of codes.
pub(super) fn judge(
    matrix: &Matrix,
    checksums: &[[u8; 4]],
    codes: FileId,
    wait: bool,
    stop: Stop<'_>,
) -> Result<Option<Verdict>> {
    let Some(identity) = settled(matrix, wait)? else { return Ok(None) };
    let key = (codes, identity.clone());
    let known = VERDICTS.lock().get_or_insert_default().get(&key).copied();
    if let Some(belongs) = known {
        return Ok(Some(Verdict { identity, belongs }));
    }
    let belongs = same_rows(matrix, checksums, stop)?;
    if matrix.identity()? != identity {
        return Ok(None);
    }
    let mut verdicts = VERDICTS.lock();
    let verdicts = verdicts.get_or_insert_default();
    if verdicts.len() >= VERDICTS_KEPT {
        verdicts.clear();
    }
    verdicts.insert(key, belongs);
    Ok(Some(Verdict { identity, belongs }))
}

/// The identity of the files, once every later write will change it: they were written back to disk, and the clock of
/// file times has ticked since. (A write through a map to a page that was not written back does not change the mtime,
/// so nobody may have written in between either.) None if somebody keeps writing, if the files cannot be written back,
/// or if `wait` is false and waiting is necessary.
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

/// Whether every block of rows matches its checksum.
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

/// An identity, encoded as in the file of codes.
pub(super) fn to_bytes(identity: &[FileId]) -> Vec<u8> {
    identity.iter().flat_map(FileId::words).flat_map(u64::to_le_bytes).collect()
}

/// Writes an identity to its place in a file of codes, if that is still the same file; returns the file's own identity
/// after the write. A reader that sees a partial write sees an identity that no file has, and compares the rows.
pub(super) fn keep(path: &Path, codes: FileId, place: Range<usize>, identity: &[FileId]) -> Result<FileId> {
    let bytes = to_bytes(identity);
    let failed = |error| Error::cannot_write(path, error);
    let mut file = OpenOptions::new().write(true).open(path).map_err(failed)?;
    let now = |file: &File| file.metadata().map(|metadata| FileId::of(&metadata)).map_err(failed);
    if bytes.len() != place.len() || now(&file)? != codes {
        return Ok(codes);
    }
    file.seek(SeekFrom::Start(place.start as u64)).and_then(|_| file.write_all(&bytes)).map_err(failed)?;
    now(&file)
}
