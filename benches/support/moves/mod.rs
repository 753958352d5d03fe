//! The parts of the moves benchmark: a world with its service, the matches played there, the ideal they are held against, and the same calls sent
//! by a bare client.

pub mod bare;
#[path = "../../../tests/it/support/bodies.rs"]
pub mod bodies;
pub mod ideal;
pub mod play;
#[path = "../serving.rs"]
mod serving;
pub mod stage;
#[path = "../usage.rs"]
pub mod usage;
