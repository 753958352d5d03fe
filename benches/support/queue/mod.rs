//! The parts of the queue benchmark: the queue itself with a handler that writes down when it was started, and one file per thing measured.

pub mod drain;
pub mod latency;
pub mod lost_notice;
pub mod running;
pub mod takeover;
