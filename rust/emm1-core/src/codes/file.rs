//! The file of codes beside an embedding file: `places` says what is where.

use std::path::{Path, PathBuf};
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::belonging::{self, KeepVerdict, Verdict, judge, rows_of, to_bytes};
use super::build::block_of;
use super::checks::{BLOCK, CHECKED_SECTIONS, Checks, Verified, damaged};
use super::places::{AXES, Places};
use super::sections::{Sections, Shape};
use crate::codes::{Axes, Coded, Encoder, Sketcher, Vectors};
use crate::error::{Error, Remark, Result};
use crate::identity::FileId;
use crate::lock::Lock;
use crate::matrix::{Access, Map, Matrix};
use crate::parallel::{Stop, in_parallel};
use crate::shape::{Level, Plane, Sketched};

/// Vectors of up to this many components are coded: no sum of products, 255 · 127 each, overflows 32 bits.
pub(crate) const MAX_CODED_DIMS: usize = 1 << 16;

/// The codes of an embedding file, memory-mapped.
#[derive(Debug)]
pub struct CodesFile {
    path: PathBuf,
    map: Map,
    encoder: Encoder,
    axes: Option<Axes>,
    shape: Shape,
    places: Places,
    verified: Verified,
    known: Lock<Known>,
}

/// The state seen last: the identity of the file of codes, and the verdict on the embedding file.
#[derive(Clone, Debug)]
struct Known {
    id: FileId,
    verdict: Verdict,
}

impl CodesFile {
    /// Opens the codes of a matrix, if there are any; adds remarks about codes that are not used.
    pub(crate) fn open(
        path: &Path,
        matrix: &Matrix,
        keep: KeepVerdict,
        remarks: &mut Vec<Remark>,
        stop: Stop<'_>,
    ) -> Result<Option<Self>> {
        let map = match Map::open(path) {
            Ok(map) => map,
            Err(Error::NotFound(..)) => return Ok(None),
            Err(Error::File(..)) if path.is_dir() => return Ok(None), // nothing that could be codes
            Err(Error::File(_, what)) => {
                remarks.push(unused(path, &what));
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if let Some(why) = why_no_codes(matrix) {
            remarks.push(Remark::Note(why.to_string()));
            return Ok(None);
        }
        match Self::read(path, map, matrix) {
            Ok(codes) => codes.judged(matrix, keep, remarks, stop),
            Err(why) => {
                remarks.push(unused(path, &why));
                Ok(None)
            }
        }
    }

    /// Reads everything that does not depend on the rows; the error says why the codes cannot be used.
    fn read(path: &Path, map: Map, matrix: &Matrix) -> std::result::Result<Self, String> {
        let id = map.check(path).map_err(|error| error.to_string())?;
        let shape = Shape::of(matrix);
        let Found { places, mean, axes } = find_sections(map.bytes(), shape)?;
        Ok(Self {
            path: path.to_owned(),
            encoder: Encoder::new(mean).map_err(|error| error.to_string())?,
            axes,
            shape,
            places,
            verified: Verified::none(shape.rows),
            known: Lock::new(Known { id, verdict: Verdict::NONE }),
            map,
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock()
    }

    /// Whether these codes belong to files of this identity: they were built from them, or compared with them since.
    fn are_of(&self, identity: &[FileId]) -> bool {
        to_bytes(identity) == self.map.bytes()[self.places.source.clone()]
    }

    /// The codes, if they belong to the matrix.
    fn judged(
        self,
        matrix: &Matrix,
        keep: KeepVerdict,
        remarks: &mut Vec<Remark>,
        stop: Stop<'_>,
    ) -> Result<Option<Self>> {
        let (identity, id) = (matrix.identity()?, self.known().id);
        let verdict = if self.are_of(&identity) {
            Verdict { identity, belongs: true }
        } else {
            let verdict = judge(matrix, self.checksums_of_rows(), id, true, stop)?.unwrap_or(Verdict::NONE);
            remarks.push(if verdict.belongs {
                let (codes, file) = (self.path.display(), matrix.path().display());
                Remark::Note(format!(
                    "{codes}: {file} was copied, moved or written since it was coded; its rows are the same, all were compared"
                ))
            } else {
                unused(&self.path, "belongs to another embedding file, or to an earlier state of this one")
            });
            if verdict.belongs && keep == KeepVerdict::InFile {
                // If it cannot be written, the verdict is kept in this process only.
                if let Ok(id) = belonging::keep(&self.path, id, self.places.source.clone(), &verdict.identity) {
                    self.known().id = id;
                }
            }
            verdict
        };
        let belongs = verdict.belongs;
        self.known().verdict = verdict;
        Ok(belongs.then_some(self))
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The size of the file in bytes.
    pub fn bytes(&self) -> usize {
        self.map.bytes().len()
    }

    /// Whether the embedding file is still the one that was coded, and no damage was found in the codes so far.
    ///
    /// # Errors
    /// The file of codes was truncated or rewritten since it was opened, which counts as damage from then on; or `stop`
    /// returned true.
    pub(crate) fn can_be_used(&self, matrix: &Matrix, stop: Stop<'_>) -> Result<bool> {
        if self.found_damage() {
            return Ok(false);
        }
        let id = self.detect_rewrite()?;
        let identity = matrix.identity()?;
        if let Some(belongs) =
            Some(self.known()).filter(|last| last.verdict.identity == identity).map(|last| last.verdict.belongs)
        {
            return Ok(belongs);
        }
        // The lock is not held here: `stop` may do anything, including a search of this file.
        let now = if self.are_of(&identity) {
            Verdict { identity, belongs: true }
        } else {
            let Some(now) = judge(matrix, self.checksums_of_rows(), id, false, stop)? else { return Ok(false) };
            now
        };
        let belongs = now.belongs;
        self.known().verdict = now;
        Ok(belongs)
    }

    /// The identity of the file as it is now; a file that was truncated counts as damaged from here on.
    fn check(&self) -> Result<FileId> {
        self.map.check(&self.path).map_err(|error| {
            self.verified.note_damage();
            if let Error::File(path, what) = error { Error::Codes(path, what) } else { error }
        })
    }

    /// Checks whether the file of codes was written to. Another process may have stored an identity in it; in any case,
    /// no block counts as verified any more.
    fn detect_rewrite(&self) -> Result<FileId> {
        let now = self.check()?;
        let mut known = self.known();
        if known.id != now {
            if !find_sections(self.map.bytes(), self.shape)
                .is_ok_and(|now| now.places == self.places && now.mean == self.encoder.mean() && now.axes == self.axes)
            {
                self.verified.note_damage();
                let text = "was overwritten since it was opened. Open the embedding file again";
                return Err(Error::codes(&self.path, text));
            }
            self.verified.forget();
            *known = Known { id: now, verdict: Verdict::NONE };
        }
        Ok(now)
    }

    /// Whether a block of codes was found to be damaged.
    pub(crate) fn found_damage(&self) -> bool {
        self.verified.found_damage()
    }

    /// Whether the caller should report the damage: true once.
    pub(crate) fn should_report_damage(&self) -> bool {
        self.verified.should_report_damage()
    }

    /// Encodes every row again and compares; `progress` is called with the number of rows done.
    ///
    /// # Errors
    /// The codes are not those of the rows, and the message says what to do; or `stop` returned true.
    pub(crate) fn verify(
        &self,
        vectors: &Vectors<'_>,
        threads: usize,
        progress: &(dyn Fn(usize) + Sync),
        stop: Stop<'_>,
    ) -> Result<()> {
        let coded = self.coded()?;
        let (block, done) = (block_of(self.encoder.mean().len()), AtomicUsize::new(0));
        let sketcher = self.axes.as_ref().map(|axes| Sketcher::new(axes, self.encoder.mean())).transpose()?;
        in_parallel(threads, (0..self.shape.rows).step_by(block), stop, |begin| {
            let view = vectors.matrix.view(Access::Bulk)?;
            let rows = begin..self.shape.rows.min(begin + block);
            let anew = self.encoder.block(rows.len(), |number, row| (vectors.read)(&view, begin + number, row))?;
            for block in begin / BLOCK..rows.end.div_ceil(BLOCK) {
                let rows = rows_of(block, self.shape.rows);
                let numbers: Vec<u32> = rows.clone().map(|row| row as u32).collect();
                coded.check_records(&numbers)?;
                Level::ALL.into_iter().try_for_each(|level| coded.check_plane(level, &numbers))?;
                coded.check_sketch(&numbers)?;
                if view.checksum(rows.clone())?.to_le_bytes() != self.checksums_of_rows()[block] {
                    let text = format!(
                        "is not that of {} any more: row {} or one soon after it was written to since. Build it again",
                        vectors.matrix.path().display(),
                        rows.start
                    );
                    return Err(Error::codes(&self.path, text));
                }
            }
            let differs = anew.records != coded.records[rows.clone()].as_flattened()
                || coded.planes.iter().zip(&anew.planes).any(|(plane, anew)| {
                    plane.bytes[rows.start * plane.width..rows.end * plane.width] != anew[..rows.len() * plane.width]
                });
            let sketch_differs = match (&sketcher, coded.sketch) {
                (Some(sketcher), Some((_, sketch))) => {
                    let read = |number: usize, row: &mut [f32]| (vectors.read)(&view, begin + number, row);
                    let (anew, first) = (sketcher.block(rows.len(), read)?, begin * sketch.zones.width());
                    sketch.groups[first..first + anew.groups.len()] != anew.groups
                }
                _ => false,
            };
            if differs || sketch_differs {
                return Err(damaged(&self.path, begin));
            }
            progress(done.fetch_add(rows.len(), Ordering::Relaxed) + rows.len());
            Ok(())
        })
    }

    pub(crate) fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The codes as they are now; checks that the file was not truncated.
    pub(crate) fn coded(&self) -> Result<Coded<'_>> {
        self.check()?;
        let (bytes, places) = (self.map.bytes(), &self.places);
        let plane = |level: Level| {
            let width = self.encoder.parts().widths[level.part()];
            Plane { bytes: &bytes[places.planes[level as usize].clone()], width }
        };
        let checksums: &[[u8; 4]] = bytes[places.checks.clone()].as_chunks().0;
        let blocks = self.shape.rows.div_ceil(BLOCK);
        let of_sketch = places.sketch.as_ref().map_or(&[][..], |places| bytes[places.checks.clone()].as_chunks().0);
        let checks = Checks {
            path: &self.path,
            verified: &self.verified,
            checksums: std::array::from_fn(|section| match section {
                ..CHECKED_SECTIONS => &checksums[section * blocks..(section + 1) * blocks],
                _ => of_sketch,
            }),
        };
        let sketch = self.axes.as_ref().zip(places.sketch.as_ref());
        let sketch =
            sketch.map(|(axes, places)| (axes, Sketched { zones: axes.zones, groups: &bytes[places.groups.clone()] }));
        let records = bytes[places.records.clone()].as_chunks().0;
        Ok(Coded { records, planes: Level::ALL.map(plane), sketch, checks: Some(checks) })
    }

    fn checksums_of_rows(&self) -> &[[u8; 4]] {
        self.map.bytes()[self.places.rows.clone()].as_chunks().0
    }
}

/// What is known of a file without its rows.
struct Found {
    places: Places,
    mean: Vec<f32>,
    axes: Option<Axes>,
}

/// The sections of codes of this shape, and what all rows share; the error says why they cannot be used.
fn find_sections(bytes: &[u8], wanted: Shape) -> std::result::Result<Found, String> {
    if !Sections::is_of_this_version(bytes) {
        let other = Sections::is_of_the_family(bytes);
        return Err(if other { "was written by another version of emm1" } else { "is not a file of codes" }.into());
    }
    let damaged = || "is damaged".to_owned();
    let (shape, sections) = Sections::read(bytes).ok_or_else(damaged)?;
    if shape != wanted {
        return Err("belongs to another embedding file".into());
    }
    let axes = match sections.get(AXES) {
        Some(place) => Some(Axes::from_bytes(&bytes[place], shape.dims).ok_or_else(damaged)?),
        None => None,
    };
    let places = Places::of(&sections, shape, axes.as_ref().map(|axes| axes.zones)).ok_or_else(damaged)?;
    let mean: Vec<f32> = bytes[places.mean.clone()].as_chunks().0.iter().map(|&raw| f32::from_le_bytes(raw)).collect();
    if mean.iter().all(|value| value.is_finite()) { Ok(Found { places, mean, axes }) } else { Err(damaged()) }
}

/// The reason why a matrix cannot have codes, if there is one.
pub(crate) fn why_no_codes(matrix: &Matrix) -> Option<Error> {
    let dims = matrix.dims();
    if dims > MAX_CODED_DIMS {
        let text =
            format!("its vectors have {dims} components, codes at most {MAX_CODED_DIMS}: it is searched without codes");
        return Some(Error::file(matrix.path(), text));
    }
    let disk = matrix.hides_writes()?;
    Some(Error::file(
        matrix.path(),
        format!(
            "is on {disk}, where a write through a memory map leaves no trace, so that codes cannot be trusted: they are \
             neither built nor used there. Move it to a local disk (ext4, XFS, Btrfs), or search without codes"
        ),
    ))
}

/// The remark about codes that exist and are not used.
fn unused(path: &Path, why: &str) -> Remark {
    let slower = "It is not used, which changes no answer and makes searches slower: build it again (`build_codes`)";
    Remark::UnusedCodes(format!("{}: {why}. {slower}", path.display()))
}
