//! Exact top-k similarity over memory-mapped embedding files.
