//! What tests, benchmarks and the demo stand on: a private PostgreSQL and our own programs as child processes. Imports
//! nothing of ours, and no service code imports it.
#![expect(
    clippy::disallowed_methods,
    reason = "outside the floors: finds programs by the environment and waits by the wall clock"
)]

pub mod install;
pub mod postgres;
pub mod process;
