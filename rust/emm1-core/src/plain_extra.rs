//! Plain ways to ask for all vectors within a threshold, and for the scores of pairs: one row after another.

use crate::error::{Error, Result};
use crate::file::EmbeddingFile;
use crate::scan::{Search, Stop};
use crate::score::{Metric, score};
use crate::topk::Hit;

impl EmbeddingFile {
    /// Every row whose score is at least the threshold (l2: at most), in the order of a search.
    ///
    /// # Errors
    /// The threshold is NaN, or a search would fail.
    pub fn within(&self, query: &[f32], threshold: f32, metric: Metric, stop: Stop<'_>) -> Result<Vec<Hit>> {
        if threshold.is_nan() {
            return Err(Error::Request("the threshold is NaN".into()));
        }
        let search = Search { k: self.matrix.rows().max(1), metric, among: None, threads: 1 };
        let mut hits = self.search(&[query], &search, stop)?.pop().unwrap_or_default();
        let near = |hit: &Hit| if metric == Metric::L2 { hit.score <= threshold } else { hit.score >= threshold };
        hits.truncate(hits.partition_point(near));
        Ok(hits)
    }
}

/// The score of each pair of rows: the i-th id of one file and the i-th of another.
///
/// # Errors
/// Lists or vectors of different lengths, an id that a file does not have, or a vector that is not finite.
pub fn score_pairs(
    a: &EmbeddingFile,
    a_ids: &[i64],
    b: &EmbeddingFile,
    b_ids: &[i64],
    metric: Metric,
) -> Result<Vec<f32>> {
    if a_ids.len() != b_ids.len() {
        return Err(Error::Request(format!("{} ids on one side, {} on the other", a_ids.len(), b_ids.len())));
    }
    let dims = a.matrix.dims();
    if dims != b.matrix.dims() {
        let (a, b) = (a.matrix.path().display(), b.matrix.path().display());
        return Err(Error::Request(format!("the vectors of {a} and {b} have different dimensions")));
    }
    let pair = |(&a_id, &b_id): (&i64, &i64)| {
        let (left, right) = (a.vectors(&[a_id])?, b.vectors(&[b_id])?);
        score(metric, &left, &right).ok_or_else(|| {
            let wrong = if left.iter().all(|value| value.is_finite()) { (b, b_id) } else { (a, a_id) };
            wrong.0.not_finite(wrong.0.ids.row(wrong.1).unwrap_or_default())
        })
    };
    a_ids.iter().zip(b_ids).map(pair).collect()
}
