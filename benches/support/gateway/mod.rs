//! The parts of `gateway`: a bare gateway that says what it is told as fast as it can, the guilds it tells of, their matches, and the service.

pub mod guilds;
pub mod matches;
pub mod service;
#[path = "../serving.rs"]
mod serving;
pub mod stub;
#[path = "../usage.rs"]
mod usage;
