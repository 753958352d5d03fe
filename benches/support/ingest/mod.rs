//! The parts of the ingest benchmark: the service under load, those who load it, and the bare insert it is held against.

pub mod bare;
pub mod deliveries;
pub mod http;
pub mod load;
pub mod outage;
pub mod service;
