//! The durable queue: takes jobs that are due, runs them side by side but one at a time per key, and sees to it that none is lost when a process or
//! the database goes away. Knows nothing of what the jobs do.

mod backoff;
mod liveness;
mod notices;
mod slots;
mod verdict;
mod worker;

pub use worker::{Options, run};
