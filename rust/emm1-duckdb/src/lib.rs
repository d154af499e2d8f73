//! The DuckDB face of emm1-core: a loadable extension without Python, for every client of DuckDB.
//!
//! `functions` holds what SQL can call, in safe Rust; `ffi` is the way between DuckDB and them; `files` opens embedding
//! files once for the whole process; `settings` is what the database has set.

mod batches;
mod ffi;
mod files;
mod functions;
mod settings;
