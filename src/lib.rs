//! Muster puts the players of a FACEIT match into their team's Discord voice channel, and cleans up after them.
//!
//! Floors, from the ground up; a module imports only from a lower floor, never sideways (`tests/tidy.rs` keeps this):
//!
//! | floor | modules | what they are |
//! |---|---|---|
//! | 0 | [`domain`], [`clock`], [`metrics`] | pure: facts in, decisions out |
//! | 1 | [`faceit`], [`discord`], [`store`], [`seal`] | adapters: one outside system each |
//! | 2 | [`queue`], [`sync`], [`gateway`], [`web`], [`commands`], [`doctor`] | shells: loops that carry decisions out |
//! | 3 | [`app`], [`cli`], [`config`], [`telemetry`] | wiring |
//!
//! Outside the floors: [`simulator`] (a stateful fake of Discord and FACEIT) and [`sandbox`] (a private PostgreSQL, child
//! processes), which import nothing of ours.

pub mod app;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod discord;
pub mod doctor;
pub mod domain;
pub mod faceit;
pub mod gateway;
pub mod metrics;
pub mod queue;
pub mod sandbox;
pub mod seal;
pub mod simulator;
pub mod store;
pub mod sync;
pub mod telemetry;
pub mod web;
