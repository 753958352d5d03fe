//! The parts of the ingest benchmark: the service under load, those who load it, and the bare insert it is held against.

pub mod bare;
#[path = "../bare_http.rs"]
mod bare_http;
pub mod deliveries;
pub mod http;
pub mod load;
pub mod outage;
pub mod service;
#[path = "../serving.rs"]
mod serving;
#[path = "../usage.rs"]
mod usage;
