//! The parts of the link benchmark: the service with a simulated FACEIT, players on their way back from it, and how they are sent.

pub mod load;
#[path = "../serving.rs"]
mod serving;
pub mod stage;
#[path = "../usage.rs"]
mod usage;
