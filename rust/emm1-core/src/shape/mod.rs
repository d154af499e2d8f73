//! The data that kernels, codes, bounds and the search exchange. This module uses no other.

mod level;
mod margin;
mod panel;
mod plane;
mod record;
mod row;
mod sketch;

pub(crate) use level::Level;
pub(crate) use margin::{FINER, Margin, Margins, NARROW, Terms, survives};
pub(crate) use panel::{Panel, QUAD, TILE, WIDEST, stride};
pub(crate) use plane::{Parts, Plane, SLACK, STEP};
pub(crate) use record::{Missed, Record, round_up_to_bf16};
pub(crate) use row::{Row, from_bf16, from_f16, from_i8, from_u8};
pub(crate) use sketch::{
    Finish, GROUP, SIDE, SketchFactors, SketchQuery, SketchTile, Sketched, UNKNOWN, VECTOR, Zones, reaches,
};

/// A row that its margin cannot rule out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Survivor {
    /// Its position in the codes.
    pub(crate) place: u32,
    /// Its product with the query, as far as it has been computed.
    pub(crate) product: i32,
}
