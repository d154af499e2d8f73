//! emm1-core in SQL: a loadable extension without Python, for every client of DuckDB.
//!
//! `functions` defines what SQL can call, in safe Rust; `ffi` connects it to DuckDB; `cache` opens embedding files once
//! for the whole process; `settings` holds the settings of a database.

mod batches;
mod cache;
mod ffi;
mod functions;
mod settings;
