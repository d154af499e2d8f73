//! Prefetching, where the hardware prefetcher does not suffice.

use super::FOUR;
use crate::shape::Plane;

/// Prefetch distance for a list of rows, which the hardware prefetcher cannot predict.
const AHEAD: usize = 8;
/// Prefetch distance in bytes for consecutive rows: the hardware prefetcher stops at the end of a page.
const AHEAD_BYTES: usize = 4096;
/// Bytes of a cache line.
const LINE: usize = 64;

impl<'a> Plane<'a> {
    /// Four rows of a list from a position on, each `padded` bytes; past the end of the list, the last row is repeated.
    #[inline(always)]
    pub(super) fn four(&self, rows: &[u32], at: usize, padded: usize) -> [&'a [u8]; FOUR] {
        std::array::from_fn(|i| self.padded(rows[(at + i).min(rows.len() - 1)], padded))
    }

    /// Prefetches four rows of a list, a few positions after `at`.
    #[inline(always)]
    pub(super) fn prefetch_listed(&self, rows: &[u32], at: usize) {
        for &row in rows.iter().skip(at + AHEAD).take(FOUR) {
            self.row(row).chunks(LINE).for_each(prefetch);
        }
    }

    /// Prefetches the size of four rows, a page ahead of a sequential scan that is at `row`.
    #[inline(always)]
    pub(super) fn prefetch_sequential(&self, row: u32) {
        let begin = row as usize * self.width + AHEAD_BYTES;
        if let Some(lines) = self.bytes.get(begin..begin + FOUR * self.width) {
            lines.chunks(LINE).for_each(prefetch);
        }
    }
}

/// Prefetches a cache line, on processors for which stable Rust has the instruction.
#[inline(always)]
pub(crate) fn prefetch(line: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch changes nothing, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}
