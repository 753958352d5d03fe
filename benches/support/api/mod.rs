//! The parts of the benchmark of the admin API.

pub mod fill;
pub mod load;
pub mod service;
pub mod watch;
