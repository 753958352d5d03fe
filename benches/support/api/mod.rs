//! The parts of the benchmark of the admin API.

#[path = "../bare_http.rs"]
mod bare_http;
pub mod fill;
pub mod load;
pub mod service;
#[path = "../serving.rs"]
mod serving;
pub mod watch;
