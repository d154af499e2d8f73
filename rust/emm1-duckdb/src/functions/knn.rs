//! `emm1_knn(queries, base, k := 10, metric := 'cosine') -> TABLE(query_id BIGINT, rank BIGINT, id BIGINT, score
//! FLOAT)`: the nearest neighbours of every vector of one file in another.

use std::ffi::CStr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use std::vec::IntoIter;

use emm1_core::{EmbeddingFile, Error, Exclude, Goal, Metric, Result, Search, Stop, list_for};

use super::at_least_one;
use crate::cache;
use crate::ffi::table_function::{Arguments, Rows, Table};
use crate::ffi::types::SqlType;
use crate::settings::Settings;

/// DuckDB can interrupt a query only between two chunks, so a block of queries should take about this long. A block
/// that takes twice as long, for example because hard queries follow easy ones, is abandoned and searched in small
/// parts.
const PATIENCE: Duration = Duration::from_millis(250);

/// The maximum size of the neighbours that a thread finds at a time, unless those of one query are larger.
const KEPT: usize = 1 << 26;

/// `emm1_knn`: its arguments, and an upper bound of the number of rows.
pub(crate) struct Knn {
    queries: String,
    base: String,
    k: i64,
    metric: Metric,
    rows: usize,
    settings: Arc<Settings>,
}

/// The state that the threads share: the files as they are when a query starts, which for a prepared statement can be
/// long after `bind`.
pub(crate) struct Shared {
    queries: Arc<EmbeddingFile>,
    base: Arc<EmbeddingFile>,
    k: usize,
    metric: Metric,
    patience: Duration,
    settings: Arc<Settings>,
    /// The first row of the queries that no thread has taken.
    taken: AtomicUsize,
    /// The number of queries to take at a time.
    block: AtomicUsize,
}

pub(crate) struct Neighbour {
    query_id: i64,
    rank: i64,
    id: i64,
    score: f32,
}

/// Neighbours that a thread has found and not returned yet, and the query rows that it has taken and not searched yet.
#[derive(Default)]
pub(crate) struct Pending {
    neighbours: IntoIter<Neighbour>,
    waiting: Range<usize>,
}

impl Table for Knn {
    const NAME: &'static CStr = c"emm1_knn";
    const PARAMETERS: &'static [SqlType] = &[SqlType::Varchar, SqlType::Varchar];
    const NAMED: &'static [(&'static CStr, SqlType)] = &[(c"k", SqlType::Any), (c"metric", SqlType::Varchar)];
    const COLUMNS: &'static [(&'static CStr, SqlType)] = &[
        (c"query_id", SqlType::BigInt),
        (c"rank", SqlType::BigInt),
        (c"id", SqlType::BigInt),
        (c"score", SqlType::Float),
    ];
    type Shared = Shared;
    type Local = Pending;
    type Batch = Vec<Neighbour>;

    fn bind(settings: &Arc<Settings>, arguments: &Arguments) -> Result<Self> {
        let mut knn = Self {
            queries: arguments.text(0)?,
            base: arguments.text(1)?,
            k: arguments.named_integer(c"k", "k")?.unwrap_or(10),
            metric: arguments.named_text(c"metric").as_deref().unwrap_or("cosine").parse()?,
            rows: 0,
            settings: Arc::clone(settings),
        };
        let found = knn.start()?;
        knn.rows = found.queries.matrix().rows() * found.k.min(found.base.matrix().rows());
        Ok(knn)
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn threads(&self) -> usize {
        self.settings.threads()
    }

    fn start(&self) -> Result<Shared> {
        let queries = cache::open(&self.settings, &self.queries)?;
        let base = cache::open(&self.settings, &self.base)?;
        let dims = [&queries, &base].map(|file| file.matrix().dims());
        if dims[0] != dims[1] {
            let [queries, base] = [&queries, &base].map(|file| file.matrix().path().display());
            let text = format!("the vectors of {queries} have {} components, those of {base} {}", dims[0], dims[1]);
            return Err(Error::Request(text));
        }
        Ok(Shared {
            k: at_least_one(self.k, &base)?,
            queries,
            base,
            metric: self.metric,
            patience: PATIENCE,
            settings: Arc::clone(&self.settings),
            taken: AtomicUsize::new(0),
            // One query of a large base may take much of that time; a small base soon gets large blocks.
            block: AtomicUsize::new(1),
        })
    }

    fn next(&self, shared: &Shared, pending: &mut Pending, rows: &Rows<'_>) -> Result<Vec<Neighbour>> {
        if pending.neighbours.len() == 0 {
            pending.neighbours = shared.search(&mut pending.waiting)?.into_iter();
        }
        Ok(pending.neighbours.by_ref().take(rows.capacity()).collect())
    }

    fn write(chunk: &Vec<Neighbour>, rows: &Rows<'_>) -> Result<usize> {
        rows.write(0, chunk.iter().map(|neighbour| &neighbour.query_id))?;
        rows.write(1, chunk.iter().map(|neighbour| &neighbour.rank))?;
        rows.write(2, chunk.iter().map(|neighbour| &neighbour.id))?;
        rows.write(3, chunk.iter().map(|neighbour| &neighbour.score))?;
        Ok(chunk.len())
    }
}

impl Shared {
    /// The neighbours of the next block of queries, from the waiting rows or else from new ones; none if all rows were
    /// taken.
    fn search(&self, waiting: &mut Range<usize>) -> Result<Vec<Neighbour>> {
        let mut block = self.block.load(Relaxed).min(KEPT / (self.k * size_of::<Neighbour>()) + 1);
        if waiting.start == waiting.end {
            let count = self.queries.matrix().rows();
            let first = self.taken.fetch_add(block, Relaxed).min(count);
            *waiting = first..(first + block).min(count);
        }
        while waiting.start < waiting.end {
            block = block.min(waiting.len());
            let (rows, started) = (waiting.start..waiting.start + block, Instant::now());
            let found = self.neighbours(rows.clone(), &mut || block > 1 && started.elapsed() > 2 * self.patience);
            // Doubles or halves the next block, until a block takes as long as it should.
            let taken = started.elapsed();
            if matches!(found, Err(Error::Stopped)) {
                block = 1; // repeated attempts would take too long
                self.block.store(block, Relaxed);
                continue;
            }
            if taken < self.patience / 2 {
                self.block.store((block * 2).min(1 << 12), Relaxed);
            } else if taken > self.patience * 2 {
                self.block.store((block / 2).max(1), Relaxed);
            }
            waiting.start = rows.end;
            return found;
        }
        Ok(Vec::new())
    }

    /// The neighbours of the queries in some rows.
    fn neighbours(&self, rows: Range<usize>, stop: Stop<'_>) -> Result<Vec<Neighbour>> {
        let ids = self.queries.list_ids(rows.start, rows.end, &mut || false)?;
        let vectors = self.queries.vectors(&ids, &mut || false)?;
        let vectors: Vec<&[f32]> = vectors.chunks(self.queries.matrix().dims()).collect();
        let hits = self.settings.with_threads(|threads| {
            let search = Search { metric: self.metric, among: None, exclude: Exclude::Nothing, threads };
            self.base.search(&vectors, Goal::Best(self.k), &search, stop)
        })?;
        let mut found = list_for(hits.iter().map(Vec::len).sum())?;
        found.extend(ids.into_iter().zip(hits).flat_map(|(query_id, hits)| {
            (1..).zip(hits).map(move |(rank, hit)| Neighbour { query_id, rank, id: hit.id, score: hit.score })
        }));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_take_too_long_are_searched_in_parts() {
        let folder = tempfile::tempdir().unwrap();
        let (path, count) = (folder.path().join("x.fbin"), 100u32);
        let values = (0..2 * count).flat_map(|at| (at as f32).sin().to_le_bytes());
        let bytes: Vec<u8> = count.to_le_bytes().into_iter().chain(2u32.to_le_bytes()).chain(values).collect();
        std::fs::write(&path, bytes).unwrap();
        let file = Arc::new(EmbeddingFile::open(&path, None, &mut || false).unwrap());
        let neighbours = |patience: Duration| {
            let shared = Shared {
                queries: Arc::clone(&file),
                base: Arc::clone(&file),
                k: 3,
                metric: Metric::Cosine,
                patience,
                settings: Arc::new(Settings::new(2, true)),
                taken: AtomicUsize::new(0),
                block: AtomicUsize::new(40),
            };
            let (mut waiting, mut all) = (0..0, Vec::new());
            loop {
                let some = shared.search(&mut waiting).unwrap();
                if some.is_empty() {
                    return all;
                }
                let queries = some.len() / 3;
                all.extend(some.into_iter().map(|found| (found.query_id, found.rank, found.id)));
                // Without any patience, queries are searched one at a time.
                assert!(patience > Duration::ZERO || queries == 1);
            }
        };
        let all = neighbours(Duration::MAX / 4);
        assert_eq!(all.len(), 300);
        assert_eq!(neighbours(Duration::ZERO), all);
    }
}
