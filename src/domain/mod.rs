//! Floor 0, the core: what we know of a match, what we want, and the next step from one to the other. No I/O, no clock, no randomness.

pub mod absorb;
mod binding;
pub mod decide;
pub mod desired;
pub mod event;
pub mod guild;
pub mod history;
pub mod ids;
pub mod job;
pub mod match_facts;
pub mod note;
mod parking;
mod placing;
pub mod plan;
pub mod record;
pub mod rehearse;
pub mod render;
pub mod report;
pub mod rooms;
mod seating;
pub mod seats;
pub mod setting_text;
pub mod settings;
mod standing;
mod tear_down;

#[cfg(test)]
mod tests;

/// A moment in UTC. Comes in as an argument everywhere below `clock`; Postgres keeps microseconds.
pub type Timestamp = time::OffsetDateTime;
