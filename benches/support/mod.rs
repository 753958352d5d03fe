//! What the benchmarks share: their arguments, medians and percentiles, the throw-away database, whether the machine is quiet, what a process
//! uses.

pub mod args;
pub mod database;
mod quiet;
pub mod stats;
pub mod usage;
