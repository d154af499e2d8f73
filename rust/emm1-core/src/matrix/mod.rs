//! A file of vectors: rows × dims, memory-mapped, each row widened to f32 exactly. One module per format.

mod bin;
mod disk;
mod dtype;
mod format;
mod fvecs;
mod layout;
mod map;
mod npy;
mod regular;
mod safetensors;
mod shards;

#[cfg(test)]
mod hostile;

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, list_for};
use crate::identity::FileId;
use crate::kernel::prefetch;
use crate::parallel::Stop;
use crate::shape::Row;
use disk::hides_writes;
pub use dtype::Dtype;
use format::Format;
use layout::Layout;
pub(crate) use layout::check_length;
pub(crate) use map::{Access, Map};
pub(crate) use npy::Header;
pub(crate) use shards::{IDS, files as shards, has_ids, ids as ids_of_shards};

/// Bytes read between two calls of `stop`: a few milliseconds, if they come from a disk.
const PIECE: usize = 1 << 20;

/// Rows × dims vectors in a file, or in the shards of a folder, read through memory maps.
#[derive(Debug)]
pub struct Matrix {
    path: PathBuf,
    /// At least one; all have the same dims and dtype.
    shards: Vec<Shard>,
}

/// One file and the rows of the matrix that it holds.
#[derive(Debug)]
struct Shard {
    path: PathBuf,
    map: Map,
    format: Format,
    tensor: Option<String>,
    layout: Layout,
    /// The identity of the file when it was opened; None if a later write might not change it.
    opened: Option<FileId>,
    /// The number of rows in the shards up to and including this one.
    end: usize,
}

impl Matrix {
    /// Opens a file of any of the formats, or a folder of `.npy` shards; `FILE.safetensors#NAME` names a tensor.
    ///
    /// # Errors
    /// There is no such file, or it is not exactly what its header says; the message says what to do.
    pub fn open(path: &Path) -> Result<Self> {
        let (file, tensor) = split_tensor(path);
        let files = if file.is_dir() { shards::files(file)? } else { vec![file.to_owned()] };
        let mut shards = Vec::<Shard>::with_capacity(files.len());
        for file in files {
            let shard = Shard::open(file, tensor, shards.last().map_or(0, |shard| shard.end))?;
            if let Some(first) = shards.first() {
                shard.check_like(first)?;
            }
            shards.push(shard);
        }
        // Row numbers have 32 bits, here and in codes: once this holds, none is truncated.
        let rows = shards.last().map_or(0, |shard| shard.end);
        if u32::try_from(rows).is_err() {
            let text = format!("has {rows} rows, more than the {} that emm1 takes: divide it into several", u32::MAX);
            return Err(Error::file(path, text));
        }
        Ok(Self { path: path.to_owned(), shards })
    }

    /// The file or folder, as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of vectors.
    pub fn rows(&self) -> usize {
        self.shards.last().map_or(0, |shard| shard.end)
    }

    /// Components of each vector.
    pub fn dims(&self) -> usize {
        self.shards[0].layout.dims
    }

    /// The type of a component in the file.
    pub fn dtype(&self) -> Dtype {
        self.shards[0].layout.dtype
    }

    /// The files, in order, and the number of rows in each.
    pub fn files(&self) -> impl Iterator<Item = (&Path, usize)> {
        self.shards.iter().map(|shard| (shard.path.as_path(), shard.layout.rows))
    }

    /// The file, and where in it the components begin, if it is one file whose rows follow one another without gaps.
    ///
    /// # Errors
    /// It was truncated or rewritten since it was opened.
    pub fn packed(&self) -> Result<Option<(&File, usize)>> {
        let [shard] = &self.shards[..] else { return Ok(None) };
        shard.check()?;
        let layout = &shard.layout;
        Ok((layout.stride == layout.width()).then(|| (shard.map.file(), layout.start)))
    }

    /// Copies rows to `out`, one after another, as they are in the file: little-endian, `width` bytes each.
    ///
    /// # Errors
    /// There is no such row, `out` has another size, a file was truncated or rewritten since it was opened, the row
    /// claims another length than the first, or `stop` returned true.
    pub fn copy_rows(&self, rows: &[i64], out: &mut [u8], stop: Stop<'_>) -> Result<()> {
        let width = self.shards[0].layout.width();
        if rows.len().checked_mul(width) != Some(out.len()) {
            return Err(Error::Request(format!("{} rows of {width} bytes do not fill {}", rows.len(), out.len())));
        }
        let view = self.view(Access::Bulk)?;
        for (at, (&row, out)) in rows.iter().zip(out.chunks_exact_mut(width)).enumerate() {
            if at % (PIECE / width + 1) == 0 && stop() {
                return Err(Error::Stopped);
            }
            let number = usize::try_from(row)
                .ok()
                .filter(|&row| row < self.rows())
                .ok_or_else(|| Error::file(&self.path, format!("has no row {row}: it has {} rows", self.rows())))?;
            out.copy_from_slice(view.row_bytes(number)?);
        }
        Ok(())
    }

    /// The current identity of each file.
    ///
    /// # Errors
    /// One was truncated since it was opened.
    pub(crate) fn identity(&self) -> Result<Vec<FileId>> {
        self.shards.iter().map(|shard| shard.map.check(&shard.path)).collect()
    }

    /// The name of the file system of one of the files, if it hides writes (see `disk`).
    pub(crate) fn hides_writes(&self) -> Option<String> {
        self.shards.iter().find_map(|shard| hides_writes(shard.map.file(), &shard.path))
    }

    /// Writes back to disk what others wrote through maps: only a write to a clean page changes a file's mtime.
    pub(crate) fn write_back(&self) -> io::Result<()> {
        use io::ErrorKind::{InvalidInput, ReadOnlyFilesystem};
        self.shards.iter().try_for_each(|shard| match shard.map.file().sync_all() {
            Err(error) if matches!(error.kind(), InvalidInput | ReadOnlyFilesystem) => Ok(()), // nobody can write there
            done => done,
        })
    }

    /// The vectors as they are now.
    ///
    /// # Errors
    /// A file was truncated or rewritten since it was opened, so that its rows are elsewhere.
    pub(crate) fn view(&self, access: Access) -> Result<View<'_>> {
        for shard in &self.shards {
            shard.check()?;
            shard.map.advise(access);
        }
        Ok(View { shards: &self.shards })
    }
}

impl Shard {
    fn open(path: PathBuf, tensor: Option<&str>, before: usize) -> Result<Self> {
        let Some(format) = Format::of(&path) else {
            path.metadata().map_err(|error| Error::io(&path, error))?;
            return Err(Error::file(&path, format!("cannot be searched as it is: expected {}", format::expected())));
        };
        let map = Map::open(&path)?;
        refuse_pointer(&path, map.bytes())?;
        let opened = map.check(&path)?;
        let layout = format.layout(&path, map.bytes(), tensor)?;
        let end = before
            .checked_add(layout.rows)
            .ok_or_else(|| Error::file(&path, "has more rows than can be counted: its header lies"))?;
        let opened = opened.unsettled().is_none().then_some(opened);
        Ok(Self { end, path, map, format, tensor: tensor.map(str::to_owned), layout, opened })
    }

    /// An error if the file no longer has the length and the layout with which it was opened.
    fn check(&self) -> Result<()> {
        let now = self.map.check(&self.path)?;
        if self.opened == Some(now) {
            return Ok(());
        }
        let layout = || self.format.layout(&self.path, self.map.bytes(), self.tensor.as_deref());
        if now.bytes() == self.map.bytes().len() as u64 && layout().is_ok_and(|layout| layout == self.layout) {
            return Ok(());
        }
        Err(Error::file(&self.path, "was overwritten with another shape since it was opened: open it again"))
    }

    /// An error if a shard has other dims or another type than the first.
    fn check_like(&self, first: &Self) -> Result<()> {
        let (mine, theirs) = (&self.layout, &first.layout);
        if (mine.dims, mine.dtype) == (theirs.dims, theirs.dtype) {
            return Ok(());
        }
        Err(Error::file(
            &self.path,
            format!(
                "vectors of {} {}, but those of {} are of {} {}: the shards of a folder must be alike",
                mine.dims,
                mine.dtype.name(),
                first.path.display(),
                theirs.dims,
                theirs.dtype.name()
            ),
        ))
    }
}

/// The vectors, for the duration of one call.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    shards: &'a [Shard],
}

impl<'a> View<'a> {
    /// The components of a row as they are in the file: little-endian, at any address.
    ///
    /// # Errors
    /// The row claims another length than the first.
    pub(crate) fn row_bytes(&self, row: usize) -> Result<&'a [u8]> {
        let shard = &self.shards[self.shards.partition_point(|shard| shard.end <= row)];
        let (layout, bytes) = (&shard.layout, shard.map.bytes());
        let row = row - (shard.end - layout.rows);
        shard.format.check_row(&shard.path, bytes, layout, row)?;
        let begin = layout.start + row * layout.stride;
        Ok(&bytes[begin..begin + layout.width()])
    }

    /// The CRC-32 of the components of these rows.
    ///
    /// # Errors
    /// Those of [`row_bytes`](Self::row_bytes).
    pub(crate) fn checksum(&self, rows: Range<usize>) -> Result<u32> {
        let mut checksum = crc32fast::Hasher::new();
        let shard = &self.shards[self.shards.partition_point(|shard| shard.end <= rows.start)];
        let layout = &shard.layout;
        if rows.end <= shard.end && layout.stride == layout.width() {
            let begin = layout.start + (rows.start - (shard.end - layout.rows)) * layout.stride;
            checksum.update(&shard.map.bytes()[begin..begin + rows.len() * layout.stride]);
        } else {
            for row in rows {
                checksum.update(self.row_bytes(row)?);
            }
        }
        Ok(checksum.finalize())
    }

    /// A row as it is in the map; f32 that are not aligned there are copied to `out`.
    ///
    /// # Errors
    /// Those of [`row_bytes`](Self::row_bytes).
    #[inline]
    pub(crate) fn row<'b>(&self, row: usize, out: &'b mut [f32]) -> Result<Row<'b>>
    where
        'a: 'b,
    {
        let bytes = self.row_bytes(row)?;
        let dtype = self.shards[0].layout.dtype;
        if let Some(row) = dtype.row(bytes) {
            return Ok(row);
        }
        dtype.widen(bytes, out);
        Ok(Row::F32(out))
    }

    /// Prefetches the beginning of a row that is read soon; the hardware prefetcher does the rest.
    ///
    /// # Errors
    /// Those of [`row_bytes`](Self::row_bytes).
    #[inline]
    pub(crate) fn prefetch(&self, row: usize) -> Result<()> {
        const BEGINNING: usize = 1024;
        let bytes = self.row_bytes(row)?;
        bytes[..bytes.len().min(BEGINNING)].chunks(64).for_each(prefetch);
        Ok(())
    }

    /// Asks the system to read rows meanwhile.
    pub(crate) fn will_need(&self, rows: Range<usize>) {
        for shard in self.shards {
            let (layout, before) = (&shard.layout, shard.end - shard.layout.rows);
            let (begin, end) = (rows.start.max(before), rows.end.min(shard.end));
            if begin < end {
                let [begin, end] = [begin, end].map(|row| layout.start + (row - before) * layout.stride);
                shard.map.will_need(begin..end.min(shard.map.bytes().len()));
            }
        }
    }

    /// Writes a row to `out` (dims long), widened to f32 exactly.
    ///
    /// # Errors
    /// Those of [`row_bytes`](Self::row_bytes).
    pub(crate) fn row_f32(&self, row: usize, out: &mut [f32]) -> Result<()> {
        self.shards[0].layout.dtype.widen(self.row_bytes(row)?, out);
        Ok(())
    }
}

/// Whether a file has the suffix of a format that can be opened.
pub(crate) fn is_of_a_format(path: &Path) -> bool {
    Format::of(path).is_some()
}

/// Splits `FILE.safetensors#NAME`; any other path is a file.
pub(crate) fn split_tensor(path: &Path) -> (&Path, Option<&str>) {
    const MARK: &str = ".safetensors#";
    let at = path.to_str().and_then(|text| text.find(MARK).map(|at| (text, at + MARK.len())));
    match at {
        Some((text, name)) if !path.exists() => (Path::new(&text[..name - 1]), Some(&text[name..])),
        _ => (path, None),
    }
}

/// Reads a whole file; for files that are small compared to the vectors.
pub(crate) fn read_all(path: &Path) -> Result<Vec<u8>> {
    let (mut file, length) = regular::open(path)?;
    let mut bytes = list_for(usize::try_from(length).unwrap_or(usize::MAX))?;
    file.read_to_end(&mut bytes).map_err(|error| Error::io(path, error))?;
    refuse_pointer(path, &bytes)?;
    Ok(bytes)
}

/// An error if the file is still a Git LFS pointer, about 130 bytes of text.
fn refuse_pointer(path: &Path, bytes: &[u8]) -> Result<()> {
    if bytes.starts_with(b"version https://git-lfs") {
        return Err(Error::file(path, "is a Git LFS pointer, not the file itself: fetch it with `git lfs pull`"));
    }
    Ok(())
}
