//! What all benchmarks share: their arguments, medians and percentiles, the throw-away database, whether the machine is quiet.

pub mod args;
pub mod database;
mod quiet;
pub mod stats;
