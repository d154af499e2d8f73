//! Checksums of blocks of codes, verified when a block is first used.

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::shape::Level;

/// Rows of a block. Each block has a checksum for its records, for its part of each plane, and for the rows themselves.
pub(crate) const BLOCK: usize = 64;
/// The sections that all codes have and that have checksums: the records, and the planes in the order of the levels.
pub(super) const CHECKED_SECTIONS: usize = 1 + Level::ALL.len();
/// The sketch follows them, where there is one.
pub(super) const SKETCH_SECTION: usize = CHECKED_SECTIONS;
const SECTIONS: usize = CHECKED_SECTIONS + 1;

/// The blocks that were verified, for as long as a file of codes is open.
#[derive(Debug)]
pub(crate) struct Verified {
    blocks: [Box<[AtomicU64]>; SECTIONS],
    damaged: AtomicBool,
    reported: AtomicBool,
}

impl Verified {
    pub(super) fn none(rows: usize) -> Self {
        let words = rows.div_ceil(BLOCK).div_ceil(64);
        let blocks = [(); SECTIONS].map(|()| (0..words).map(|_| AtomicU64::new(0)).collect());
        Self { blocks, damaged: AtomicBool::new(false), reported: AtomicBool::new(false) }
    }

    /// Marks every block as not verified.
    pub(super) fn forget(&self) {
        self.blocks.iter().flatten().for_each(|word| word.store(0, Ordering::Relaxed));
    }

    /// Records that the file is damaged.
    pub(super) fn note_damage(&self) {
        self.damaged.store(true, Ordering::Relaxed);
    }

    /// Whether the file, or a block of it, was found to be damaged.
    pub(super) fn found_damage(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Whether the damage was not reported yet; it counts as reported from here on.
    pub(super) fn should_report_damage(&self) -> bool {
        !self.reported.swap(true, Ordering::Relaxed)
    }
}

/// The checksums of the codes in a file.
#[derive(Clone, Copy)]
pub(crate) struct Checks<'a> {
    pub(super) path: &'a Path,
    pub(super) verified: &'a Verified,
    /// For each section, the checksums of all blocks; none for a sketch that is not there.
    pub(super) checksums: [&'a [[u8; 4]]; SECTIONS],
}

/// What a section holds: rows of this width.
#[derive(Clone, Copy)]
pub(super) struct Content<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) width: usize,
    pub(super) rows: usize,
}

impl Content<'_> {
    /// The checksum of a block.
    fn checksum(&self, block: usize) -> [u8; 4] {
        let rows = BLOCK * block..self.rows.min(BLOCK * (block + 1));
        crc32fast::hash(&self.bytes[rows.start * self.width..rows.end * self.width]).to_le_bytes()
    }
}

impl Checks<'_> {
    /// Verifies what a section holds of ascending rows, unless that was done before.
    #[inline]
    pub(super) fn verify(&self, section: usize, content: Content<'_>, rows: &[u32]) -> Result<()> {
        let (Some(&first), Some(&last)) = (rows.first(), rows.last()) else { return Ok(()) };
        let block = |row: u32| row as usize / BLOCK;
        if (last - first) as usize + 1 == rows.len() {
            return self.verify_blocks(section, content, block(first)..=block(last));
        }
        let words = &self.verified.blocks[section];
        for &row in rows {
            let (word, bit) = (block(row) / 64, 1 << (block(row) % 64));
            if words[word].load(Ordering::Relaxed) & bit == 0 {
                self.verify_missing(section, content, word, bit)?;
            }
        }
        Ok(())
    }

    /// Verifies consecutive blocks, a word of the bitmap at a time.
    #[inline]
    fn verify_blocks(&self, section: usize, content: Content<'_>, blocks: RangeInclusive<usize>) -> Result<()> {
        for word in blocks.start() / 64..=blocks.end() / 64 {
            let (first, last) = ((*blocks.start()).max(64 * word), (*blocks.end()).min(64 * word + 63));
            let wanted = u64::MAX >> (63 - (last - first)) << (first % 64);
            let missing = wanted & !self.verified.blocks[section][word].load(Ordering::Relaxed);
            if missing != 0 {
                self.verify_missing(section, content, word, missing)?;
            }
        }
        Ok(())
    }

    #[cold]
    fn verify_missing(&self, section: usize, content: Content<'_>, word: usize, mut missing: u64) -> Result<()> {
        while missing != 0 {
            let block = 64 * word + missing.trailing_zeros() as usize;
            if content.checksum(block) != self.checksums[section][block] {
                self.verified.note_damage();
                return Err(damaged(self.path, BLOCK * block));
            }
            self.verified.blocks[section][word].fetch_or(missing & missing.wrapping_neg(), Ordering::Relaxed);
            missing &= missing - 1;
        }
        Ok(())
    }
}

/// The error for codes that are not what was written.
pub(super) fn damaged(path: &Path, row: usize) -> Error {
    Error::codes(
        path,
        format!("is damaged: the codes of row {row} or one soon after it are not those of the row. Build it again"),
    )
}
