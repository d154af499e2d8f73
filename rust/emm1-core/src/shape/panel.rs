//! A panel of queries, interleaved for products of many rows with many queries.

/// The maximum number of queries in a panel.
pub(crate) const WIDEST: usize = 32;

/// Rows are multiplied by a panel in multiples of this number, which every instruction set's register tile divides.
pub(crate) const TILE: usize = 24;

/// Consecutive components of a query, as the instructions multiply them.
pub(crate) const QUAD: usize = 4;

/// Bytes from one unpacked row to the next: a multiple of eight, since some instructions take two quads. `width` is
/// that of the planes.
pub(crate) fn stride(width: usize) -> usize {
    (2 * width).next_multiple_of(2 * QUAD)
}

/// Up to [`WIDEST`] coded queries: for each quad, four components of the first query, four of the second, and so on.
pub(crate) struct Panel {
    lanes: usize,
    components: Vec<i8>,
}

impl Panel {
    /// Interleaves queries; `width` is that of the planes.
    pub(crate) fn new<'a>(width: usize, queries: impl ExactSizeIterator<Item = &'a [i8]>) -> Self {
        let lanes = match queries.len() {
            0..=8 => 8,
            9..=16 => 16,
            _ => WIDEST,
        };
        let mut components = vec![0; stride(width) * lanes];
        for (lane, query) in queries.enumerate() {
            for (quad, four) in query.chunks(QUAD).enumerate() {
                let place = (quad * lanes + lane) * QUAD;
                components[place..place + four.len()].copy_from_slice(four);
            }
        }
        Self { lanes, components }
    }

    /// The number of queries to put into the next panel, so that few lanes stay empty.
    pub(crate) fn share(queries: usize) -> usize {
        match queries {
            17..=24 => 16,
            _ => queries.min(WIDEST),
        }
    }

    /// The number of lanes: 8, 16 or 32. Unused lanes are zeros.
    pub(crate) fn lanes(&self) -> usize {
        self.lanes
    }

    /// `lanes` · 4 components for each four bytes of a row.
    pub(crate) fn components(&self) -> &[i8] {
        &self.components
    }

    /// Bytes from one row to the next.
    pub(crate) fn stride(&self) -> usize {
        self.components.len() / self.lanes
    }
}
