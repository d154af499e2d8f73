//! Score every row, or those of a list, against every query; keep the best. Threads take blocks of rows.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::error::{Error, Result};
use crate::file::EmbeddingFile;
use crate::score::{Metric, Query, norm};
use crate::topk::{Hit, TopK};

/// Asked between blocks of rows whether to stop; called on the thread that called the search.
pub type Stop<'a> = &'a mut dyn FnMut() -> bool;

/// What to look for.
#[derive(Clone, Debug)]
pub struct Search {
    /// How many of the best.
    pub k: usize,
    /// By which score.
    pub metric: Metric,
    /// Among these ids only; unknown ones are ignored and repeated ones count once.
    pub among: Option<Vec<i64>>,
    /// Threads to use.
    pub threads: usize,
}

/// Components scored before anyone is asked whether to stop: some milliseconds of work.
const BLOCK: usize = 1 << 22;

impl EmbeddingFile {
    /// The `k` best rows for each query, best first.
    ///
    /// # Errors
    /// `k` is 0, a query has other dimensions or holds NaN or an infinity, or a row does; or `stop` said so.
    pub fn search(&self, queries: &[&[f32]], search: &Search, stop: Stop<'_>) -> Result<Vec<Vec<Hit>>> {
        if search.k == 0 {
            return Err(Error::Request("k must be at least 1".into()));
        }
        for query in queries {
            self.check_query(query)?;
        }
        let rows = match &search.among {
            Some(ids) => Rows::Some(self.rows_of(ids)),
            None => Rows::All(self.matrix.rows()),
        };
        let scan = Scan::new(self, queries, search, rows);
        scan.run(search.threads, stop)?;
        let best = scan.best.into_inner().expect("no thread panicked while it held the result");
        Ok(best.into_iter().map(TopK::into_hits).collect())
    }

    /// Rows of the ids that the file has, ascending and without repeats.
    fn rows_of(&self, ids: &[i64]) -> Vec<usize> {
        let mut rows: Vec<usize> = ids.iter().filter_map(|&id| self.ids.row(id)).collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }
}

enum Rows {
    All(usize),
    Some(Vec<usize>),
}

impl Rows {
    fn len(&self) -> usize {
        match self {
            Self::All(rows) => *rows,
            Self::Some(rows) => rows.len(),
        }
    }

    fn get(&self, position: usize) -> usize {
        match self {
            Self::All(_) => position,
            Self::Some(rows) => rows[position],
        }
    }
}

/// One search: what all threads share.
struct Scan<'a> {
    file: &'a EmbeddingFile,
    queries: Vec<Query<'a>>,
    search: &'a Search,
    rows: Rows,
    block: usize,
    next: AtomicUsize,
    best: Mutex<Vec<TopK>>,
}

impl<'a> Scan<'a> {
    fn new(file: &'a EmbeddingFile, queries: &[&'a [f32]], search: &'a Search, rows: Rows) -> Self {
        let block = (BLOCK / file.matrix.dims() / queries.len().max(1)).max(1);
        let best = queries.iter().map(|_| TopK::new(search.k, search.metric)).collect();
        let queries = queries.iter().map(|query| Query::new(query)).collect();
        Self { file, queries, search, rows, block, next: AtomicUsize::new(0), best: Mutex::new(best) }
    }

    fn run(&self, threads: usize, stop: Stop<'_>) -> Result<()> {
        let blocks = self.rows.len().div_ceil(self.block);
        thread::scope(|scope| {
            let others: Vec<_> = (1..threads.min(blocks)).map(|_| scope.spawn(|| self.work(&mut || false))).collect();
            let mut result = self.work(stop);
            if result.is_err() {
                self.next.store(usize::MAX / 2, Ordering::Relaxed); // no more blocks for the others
            }
            for other in others {
                let theirs = other.join().expect("a scan does not panic");
                result = result.and(theirs);
            }
            result
        })
    }

    /// Takes blocks of rows until there are no more.
    fn work(&self, stop: Stop<'_>) -> Result<()> {
        let view = self.file.matrix.view()?;
        let mut row = vec![0.0; self.file.matrix.dims()];
        let metric = self.search.metric;
        let mut best: Vec<TopK> = self.queries.iter().map(|_| TopK::new(self.search.k, metric)).collect();
        loop {
            let begin = self.next.fetch_add(1, Ordering::Relaxed).saturating_mul(self.block);
            if begin >= self.rows.len() {
                break;
            }
            if stop() {
                return Err(Error::Stopped);
            }
            for position in begin..self.rows.len().min(begin + self.block) {
                let number = self.rows.get(position);
                view.row_f32(number, &mut row)?;
                let norm = norm(metric, &row);
                let id = self.file.ids.id(number);
                for (query, best) in self.queries.iter().zip(&mut best) {
                    let score = query.score(metric, &row, norm).ok_or_else(|| self.file.not_finite(number))?;
                    best.push(Hit { id, score });
                }
            }
        }
        let mut all = self.best.lock().expect("no thread panicked while it held the result");
        all.iter_mut().zip(best).for_each(|(all, mine)| all.merge(mine));
        Ok(())
    }
}
