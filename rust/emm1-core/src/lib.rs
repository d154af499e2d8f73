//! Exact top-k similarity over memory-mapped embedding files.
//!
//! A file of vectors is a [`Matrix`], the names of its rows are [`Ids`], and both together are an [`EmbeddingFile`],
//! which is searched. Data flows one way: `matrix` → `codes` → `bound` → `score` → `topk`, driven by `search` and
//! `scan`; the inner loops of all are in `kernel`.

mod bound;
mod codes;
mod error;
mod file;
mod identity;
mod kernel;
mod matrix;
mod parallel;
mod rotation;
mod score;
mod search;
mod shape;

pub use codes::{CodesFile, KeepVerdict};
pub use error::{Error, Result, list_for};
pub use file::{EmbeddingFile, Ids, Version};
pub use matrix::{Dtype, Matrix};
pub use parallel::Stop;
pub use score::{Metric, score};
pub use search::{Goal, Hit, Search};
