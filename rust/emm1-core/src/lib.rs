//! Exact top-k similarity over memory-mapped embedding files.
//!
//! A file of vectors is a [`Matrix`], the names of its rows are [`Ids`], and both together are an [`EmbeddingFile`],
//! which is searched. Data flows one way: `matrix` → `score` → `topk`, driven by `scan`.

mod error;
mod file;
mod ids;
mod integers;
mod matrix;
mod plain_extra;
mod scan;
mod score;
mod topk;

pub use error::{Error, Result};
pub use file::EmbeddingFile;
pub use ids::Ids;
pub use integers::parse_integers;
pub use matrix::{Dtype, Matrix};
pub use plain_extra::score_pairs;
pub use scan::{Search, Stop};
pub use score::{Metric, score};
pub use topk::Hit;
