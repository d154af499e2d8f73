//! Exact top-k similarity over memory-mapped embedding files.
//!
//! A file of vectors is a [`Matrix`], [`Ids`] name its rows, and an [`EmbeddingFile`] is both; it is what [`Search`]
//! searches.
//!
//! The modules form layers, each of which uses only those before it (`tests/layers.rs` lists them): `shape` holds the
//! data that is passed around, `kernel` the inner loops for each instruction set, `matrix` reads files of vectors,
//! `codes` compresses them, `bound` proves which rows cannot be hits, `score` is the reference score, and `search`
//! combines them.

mod bound;
mod codes;
mod error;
mod file;
mod identity;
mod kernel;
mod lock;
mod matrix;
mod parallel;
mod rotation;
mod score;
mod search;
mod shape;

pub use codes::{CodesFile, KeepVerdict};
pub use error::{Error, Remark, Result, list_for};
pub use file::{EmbeddingFile, Ids, Location, Registered, Version, locate};
#[doc(hidden)]
pub use kernel::workloads;
pub use matrix::{Dtype, Matrix};
pub use parallel::Stop;
pub use score::{Metric, score};
pub use search::{Exclude, Goal, Hit, Rank, Search};
