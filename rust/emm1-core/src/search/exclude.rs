//! Which rows a query leaves out.

use std::sync::Arc;

use super::plan::{Rows, Search};
use crate::error::{Error, Result, zeros};
use crate::file::EmbeddingFile;
use crate::kernel::{Kernels, kernels};
use crate::matrix::Access;
use crate::parallel::{Stop, in_parallel};
use crate::shape::{Record, Row};

/// Which rows a query leaves out.
#[derive(Clone, Debug, Default)]
pub enum Exclude {
    /// None.
    #[default]
    Nothing,
    /// The row of an id for each query, such as its own.
    Ids(Vec<i64>),
    /// The rows that have exactly the components of the query.
    Equal,
}

/// For each query the ids that it leaves out, ascending.
pub(super) type LeftOut = Vec<Arc<[i64]>>;

/// Rows examined between two calls of `stop`.
const PIECE: usize = 1 << 12;

impl EmbeddingFile {
    /// The ids of the rows that each query leaves out.
    ///
    /// # Errors
    /// A query has the wrong dimensions or holds NaN or an infinity; there is not one id for each query; or `stop`
    /// returned true.
    pub(super) fn left_out(&self, queries: &[&[f32]], search: &Search, stop: Stop<'_>) -> Result<LeftOut> {
        match &search.exclude {
            Exclude::Nothing => Ok(vec![Arc::default(); queries.len()]),
            Exclude::Ids(ids) if ids.len() != queries.len() => {
                let counts = format!("{} ids and {} queries", ids.len(), queries.len());
                Err(Error::Request(format!("each query leaves out one id: there are {counts}")))
            }
            Exclude::Ids(ids) => Ok(ids.iter().map(|&id| Arc::from([id])).collect()),
            Exclude::Equal => self.equal(queries, search, stop),
        }
    }

    /// The ids of the rows that are equal to each query.
    fn equal(&self, queries: &[&[f32]], search: &Search, stop: Stop<'_>) -> Result<LeftOut> {
        queries.iter().try_for_each(|query| self.check_query(query))?;
        let known = Known::new(kernels()?, queries);
        let rows = Rows::of(search, self);
        let records = match self.records(queries, &rows, stop) {
            Err(Error::Codes(..)) => None, // damaged: the search itself reports it
            records => records?,
        };
        let mut found: Vec<Vec<(usize, i64)>> = vec![Vec::new(); rows.len().div_ceil(PIECE)];
        let pieces = found.iter_mut().enumerate();
        in_parallel(search.threads, pieces, stop, |(piece, found)| {
            let (mut numbers, mut row) = (Vec::new(), zeros(self.matrix.dims())?);
            rows.fill(piece * PIECE, rows.len().min((piece + 1) * PIECE), &mut numbers);
            numbers.retain(|&number| records.as_ref().is_none_or(|records| records.may_equal(number)));
            let view = self.matrix.view(if records.is_some() { Access::Sparse } else { Access::Bulk })?;
            for number in numbers {
                let row = view.row(number as usize, &mut row)?;
                found.extend(known.first_equal(row).map(|query| (query, self.ids.id(number as usize))));
            }
            Ok(())
        })?;
        let mut lists: Vec<Vec<i64>> = vec![Vec::new(); queries.len()];
        found.into_iter().flatten().for_each(|(query, id)| lists[query].push(id));
        let lists = lists.into_iter().map(|mut ids| {
            ids.sort_unstable();
            ids.into()
        });
        let lists: Vec<Arc<[i64]>> = lists.collect();
        let of = |query: &&[f32]| known.first_equal((*query).into()).expect("a query is equal to itself");
        Ok(queries.iter().map(|query| lists[of(query)].clone()).collect())
    }

    /// The records of the rows and of the queries, if there are codes.
    fn records(&self, queries: &[&[f32]], rows: &Rows, stop: Stop<'_>) -> Result<Option<Records<'_>>> {
        let Some(codes) = &self.codes else { return Ok(None) };
        if !codes.can_be_used(&self.matrix, stop)? {
            return Ok(None);
        }
        let coded = codes.coded()?;
        let mut numbers = Vec::new();
        rows.fill(0, rows.len(), &mut numbers);
        coded.check_records(&numbers)?;
        let block = codes.encoder().block(queries.len(), |at, row| {
            row.copy_from_slice(queries[at]);
            Ok(())
        })?;
        let (records, _) = block.records.as_chunks();
        let mut queries: Vec<u128> = records.iter().copied().map(u128::from_le_bytes).collect();
        queries.sort_unstable();
        Ok(Some(Records { rows: coded.records, queries }))
    }
}

/// Queries that are found by their components.
struct Known<'a> {
    queries: &'a [&'a [f32]],
    kernels: &'static Kernels,
    weights: Vec<f64>,
    /// The key of each query and its position, ascending.
    keys: Vec<(u64, usize)>,
}

impl<'a> Known<'a> {
    fn new(kernels: &'static Kernels, queries: &'a [&'a [f32]]) -> Self {
        // Any numbers that tell vectors apart: fractions of multiples of the golden ratio.
        let dims = queries.first().map_or(0, |query| query.len());
        let weights = (1..=dims).map(|at| (at as f64 * 0.618_033_988_749_894_9).fract() + 0.1).collect();
        let mut known = Self { queries, kernels, weights, keys: Vec::new() };
        known.keys = queries.iter().enumerate().map(|(at, query)| (known.key((*query).into()), at)).collect();
        known.keys.sort_unstable();
        known
    }

    /// Equal for equal vectors, and hardly ever for others.
    fn key(&self, vector: Row<'_>) -> u64 {
        (self.kernels.dot.of(&self.weights, vector) + 0.0).to_bits()
    }

    /// The first query that is equal to a vector.
    fn first_equal(&self, vector: Row<'_>) -> Option<usize> {
        let key = self.key(vector);
        let begin = self.keys.partition_point(|&(other, _)| other < key);
        let mut same = self.keys[begin..].iter().take_while(|&&(other, _)| other == key).map(|&(_, query)| query);
        same.find(|&query| vector == *self.queries[query])
    }
}

/// The records of coded rows, and those that the queries would have: vectors that are equal have equal records.
struct Records<'a> {
    rows: &'a [[u8; Record::BYTES]],
    queries: Vec<u128>,
}

impl Records<'_> {
    fn may_equal(&self, row: u32) -> bool {
        self.queries.binary_search(&u128::from_le_bytes(self.rows[row as usize])).is_ok()
    }
}
