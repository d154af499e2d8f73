//! Planes of nibbles: the layout of codes that kernels read.

/// Bytes of a row for which the components of a query are adjacent.
pub(crate) const STEP: usize = 64;

/// Bytes that a kernel may read past the end of a row; they are multiplied by zeros.
pub(crate) const SLACK: usize = STEP;

/// How the components of a row are divided in two: the first part often suffices to rule out a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    /// Components of the first part.
    pub(crate) first: usize,
    /// Bytes of each part of a row in a plane of nibbles. The first is about half of the row and a multiple of
    /// [`STEP`]; the second may be 0.
    pub(crate) widths: [usize; 2],
}

impl Parts {
    pub(crate) fn of(dims: usize) -> Self {
        let width = dims.div_ceil(2);
        let first = width.div_ceil(2).next_multiple_of(STEP).min(width);
        Self { first: dims.min(2 * first), widths: [first, width - first] }
    }
}

/// Rows of nibbles: byte j of a row holds component j in its low nibble and component `width + j` in its high nibble.
#[derive(Clone, Copy)]
pub(crate) struct Plane<'a> {
    /// Rows without gaps, followed by at least [`SLACK`] bytes.
    pub(crate) bytes: &'a [u8],
    /// Bytes of a row.
    pub(crate) width: usize,
}

impl<'a> Plane<'a> {
    /// A row.
    #[inline(always)]
    pub(crate) fn row(&self, row: u32) -> &'a [u8] {
        self.padded(row, self.width)
    }

    /// `padded` bytes from the beginning of a row.
    #[inline(always)]
    pub(crate) fn padded(&self, row: u32, padded: usize) -> &'a [u8] {
        let begin = row as usize * self.width;
        &self.bytes[begin..begin + padded]
    }
}
