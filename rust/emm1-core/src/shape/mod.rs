//! The shapes of data that kernels, codes, bounds and the search share. They know nothing of each other's work.

mod level;
mod margin;
mod panel;
mod plane;
mod record;

pub(crate) use level::Level;
pub(crate) use margin::{Margin, Margins, NARROW, Terms, survives};
pub(crate) use panel::{Panel, QUAD, TILE, WIDEST, stride};
pub(crate) use plane::{Parts, Plane, SLACK, STEP};
pub(crate) use record::{Missed, Record, round_up_to_bf16};

/// A row that its margin cannot leave out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Survivor {
    /// Its position among those looked at.
    pub(crate) at: u32,
    /// Its product with the query, as far as it is known.
    pub(crate) product: i32,
}
