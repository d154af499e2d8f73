//! The ids of a file's rows: listed in a `.ids.npy` file or in one for each shard, or the row numbers.

use std::path::Path;

use crate::error::{Error, Result, list_for};
use crate::matrix::{Header, Matrix, check_length, read_all};
use crate::parallel::Stop;

/// Ids that are read or sorted between two calls of `stop`: some tens of milliseconds.
const PIECE: usize = 1 << 20;

/// The id of every row, and the row of every id.
#[derive(Debug)]
pub enum Ids {
    /// Row i has the id i.
    RowNumbers(usize),
    /// Listed ids, and the rows in ascending order of their ids.
    Listed {
        /// The id of each row.
        ids: Vec<i64>,
        /// The rows by ascending id; None if the ids ascend already.
        order: Option<Vec<u32>>,
    },
}

impl Ids {
    /// Reads the ids of a matrix from a file, or from a folder with a `SHARD.ids.npy` for each of its shards.
    pub fn read(source: &Path, matrix: &Matrix, stop: Stop<'_>) -> Result<Vec<i64>> {
        if !source.is_dir() {
            return Self::read_file(source, stop);
        }
        let mut all = list_for(matrix.rows())?;
        for (file, rows) in matrix.files() {
            let beside = source.join(file.with_extension("ids.npy").file_name().unwrap_or_default());
            let ids = Self::read_file(&beside, stop)?;
            if ids.len() != rows {
                let text = format!("{} ids for the {rows} rows of {}", ids.len(), file.display());
                return Err(Error::file(&beside, text));
            }
            all.extend(ids);
        }
        Ok(all)
    }

    /// Reads a one-dimensional `.npy` file of integers of 4 or 8 bytes.
    fn read_file(path: &Path, stop: Stop<'_>) -> Result<Vec<i64>> {
        let bytes = read_all(path)?;
        let header = Header::parse(path, &bytes)?;
        let [_] = header.shape[..] else {
            let got = header.shape.len();
            return Err(Error::file(path, format!("{got} dimensions, expected 1: one id per row")));
        };
        let size = match header.descr.as_str() {
            "<i8" | "<u8" => 8,
            "<i4" | "<u4" => 4,
            other => {
                let text = format!("ids of type {other}, expected integers of 4 or 8 bytes (array.astype('int64'))");
                return Err(Error::file(path, text));
            }
        };
        check_length(path, header.length, &header.shape, size, bytes.len())?;
        let values = bytes[header.length..].chunks_exact(size);
        let mut ids = list_for(values.len())?;
        for (row, raw) in values.enumerate() {
            if row % PIECE == 0 && stop() {
                return Err(Error::Stopped);
            }
            ids.push(match *raw {
                [a, b, c, d] if header.descr == "<i4" => i32::from_le_bytes([a, b, c, d]).into(),
                [a, b, c, d] => u32::from_le_bytes([a, b, c, d]).into(),
                [a, b, c, d, e, f, g, h] if header.descr == "<i8" => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
                [a, b, c, d, e, f, g, h] => {
                    i64::try_from(u64::from_le_bytes([a, b, c, d, e, f, g, h])).map_err(|_| {
                        Error::file(path, format!("row {row}: the id does not fit in a signed 64-bit integer"))
                    })?
                }
                _ => unreachable!("chunks of 4 or 8"),
            });
        }
        Ok(ids)
    }

    /// Takes a list of ids, one per row.
    ///
    /// # Errors
    /// An id appears twice, or `stop` returned true; `source` names the list in the message.
    pub fn listed(source: &Path, ids: Vec<i64>, stop: Stop<'_>) -> Result<Self> {
        let Ok(rows) = u32::try_from(ids.len()) else {
            return Err(Error::file(source, "more than four billion ids"));
        };
        if ids.is_sorted_by(|a, b| a < b) {
            return Ok(Self::Listed { ids, order: None });
        }
        let mut order: Vec<u32> = list_for(ids.len())?;
        order.extend(0..rows);
        for piece in order.chunks_mut(PIECE) {
            if stop() {
                return Err(Error::Stopped);
            }
            piece.sort_unstable_by_key(|&row| (ids[row as usize], row));
        }
        order.sort_by_key(|&row| (ids[row as usize], row)); // merges the sorted pieces
        if let Some(pair) = order.windows(2).find(|pair| ids[pair[0] as usize] == ids[pair[1] as usize]) {
            let (first, second, id) = (pair[0], pair[1], ids[pair[0] as usize]);
            return Err(Error::file(source, format!("id {id} appears twice, in rows {first} and {second}")));
        }
        Ok(Self::Listed { ids, order: Some(order) })
    }

    /// The number of ids.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        match self {
            Self::RowNumbers(rows) => *rows,
            Self::Listed { ids, .. } => ids.len(),
        }
    }

    /// The id of a row.
    pub fn id(&self, row: usize) -> i64 {
        match self {
            Self::RowNumbers(_) => row as i64,
            Self::Listed { ids, .. } => ids[row],
        }
    }

    /// The row of an id, if there is one.
    pub fn row(&self, id: i64) -> Option<usize> {
        match self {
            Self::RowNumbers(rows) => usize::try_from(id).ok().filter(|row| row < rows),
            Self::Listed { ids, order: None } => ids.binary_search(&id).ok(),
            Self::Listed { ids, order: Some(order) } => {
                let found = order.binary_search_by_key(&id, |&row| ids[row as usize]);
                found.ok().map(|position| order[position] as usize)
            }
        }
    }
}
