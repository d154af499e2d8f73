//! What a file of codes holds, and where.
//!
//! A container (`sections`) with these sections:
//!
//! ```text
//! mean      dims × f32
//! source    files × 32 bytes: the identity (`FileId`) of each file that was coded, u64 each: size, mtime and ctime
//!           (nanoseconds since 1970), inode; updated when rows were compared
//! rows      blocks × u32: CRC-32 of the components of each block of 64 rows, as stored in the embedding file
//! checks    5 × blocks × u32: CRC-32 of each block of records, then of each block of each plane
//! records   rows × 16 bytes (`Record`)
//! high1     rows × bytes of the first part of a row (`Parts`), then at least 64 zeros: high nibbles of the first part
//! high2     the same for the second part
//! low1      low nibbles of the first part
//! low2      low nibbles of the second part
//!
//! where a sketch pays:
//! axes      what all sketches share (`sketch::parameters`)
//! sketch    a group for every 16 rows, the last filled with zeros (`Zones`)
//! sketched  blocks × u32: CRC-32 of each block of the sketch
//! ```

use std::ops::Range;

use super::checks::{BLOCK, CHECKED_SECTIONS};
use super::sections::{SectionKind, Sections, Shape};
use crate::codes::Axes;
use crate::identity::FileId;
use crate::matrix::Matrix;
use crate::shape::{GROUP, Level, Parts, Record, SLACK, Zones};

pub(super) const MEAN: &SectionKind = b"mean\0\0\0\0";
const SOURCE: &SectionKind = b"source\0\0";
const ROWS: &SectionKind = b"rows\0\0\0\0";
const CHECKS: &SectionKind = b"checks\0\0";
const RECORDS: &SectionKind = b"records\0";
const PLANES: [&SectionKind; 4] = [b"high1\0\0\0", b"high2\0\0\0", b"low1\0\0\0\0", b"low2\0\0\0\0"];
pub(super) const AXES: &SectionKind = b"axes\0\0\0\0";
const SKETCH: &SectionKind = b"sketch\0\0";
const SKETCHED: &SectionKind = b"sketched";

/// The byte range of each section.
#[derive(Debug, PartialEq)]
pub(super) struct Places {
    pub(super) mean: Range<usize>,
    pub(super) source: Range<usize>,
    pub(super) rows: Range<usize>,
    pub(super) checks: Range<usize>,
    pub(super) records: Range<usize>,
    pub(super) planes: [Range<usize>; 4],
    pub(super) sketch: Option<SketchPlaces>,
}

/// The byte range of each section of a sketch.
#[derive(Debug, PartialEq)]
pub(super) struct SketchPlaces {
    pub(super) axes: Range<usize>,
    pub(super) groups: Range<usize>,
    pub(super) checks: Range<usize>,
}

impl Places {
    /// Finds the sections of codes of this shape, and with a sketch of these zones; None if one is missing or has the wrong
    /// length.
    pub(super) fn of(sections: &Sections, shape: Shape, zones: Option<Zones>) -> Option<Self> {
        let place = |kind| sections.get(kind);
        let wanted = lengths(shape, 0, zones);
        let sized = |kind| {
            let length = wanted.iter().find(|(other, _)| other == kind)?.1;
            place(kind).filter(|place| Some(place.len()) == length)
        };
        let planes = PLANES.map(sized);
        let [Some(first), Some(second), Some(third), Some(fourth)] = planes else { return None };
        let sketch = match zones {
            Some(_) => Some(SketchPlaces { axes: sized(AXES)?, groups: sized(SKETCH)?, checks: sized(SKETCHED)? }),
            None => None,
        };
        Some(Self {
            mean: sized(MEAN)?,
            source: place(SOURCE)?,
            rows: sized(ROWS)?,
            checks: sized(CHECKS)?,
            records: sized(RECORDS)?,
            planes: [first, second, third, fourth],
            sketch,
        })
    }
}

/// The sections of codes and their lengths; a length is None if no file can be that long.
pub(super) fn lengths(shape: Shape, files: usize, zones: Option<Zones>) -> Vec<(SectionKind, Option<usize>)> {
    let blocks = shape.rows.div_ceil(BLOCK);
    let plane = |level: Level| {
        let width = Parts::of(shape.dims).widths[level.part()];
        (*PLANES[level as usize], shape.rows.checked_mul(width).and_then(|bytes| bytes.checked_add(SLACK)))
    };
    let mut lengths = vec![
        (*MEAN, shape.dims.checked_mul(size_of::<f32>())),
        (*SOURCE, Some(files * FileId::WORDS * size_of::<u64>())),
        (*ROWS, blocks.checked_mul(size_of::<u32>())),
        (*CHECKS, blocks.checked_mul(CHECKED_SECTIONS * size_of::<u32>())),
        (*RECORDS, shape.rows.checked_mul(Record::BYTES)),
    ];
    lengths.extend(Level::ALL.map(plane));
    if let Some(zones) = zones {
        lengths.extend([
            (*AXES, Some(Axes::bytes(zones, shape.dims))),
            (*SKETCH, shape.rows.div_ceil(GROUP).checked_mul(zones.group())),
            (*SKETCHED, blocks.checked_mul(size_of::<u32>())),
        ]);
    }
    lengths
}

impl Shape {
    pub(super) fn of(matrix: &Matrix) -> Self {
        Self { rows: matrix.rows(), dims: matrix.dims(), dtype: matrix.dtype() as usize }
    }
}
