//! Everything FACEIT: its webhooks and its Data API, read into facts about matches. Decides nothing about a match and stores nothing.

pub mod client;
pub mod competition;
pub mod error;
pub mod fact;
mod glance;
mod lenient;
mod limit;
pub mod oauth;
pub mod player;
pub mod secret;
mod send;
pub mod webhook;
mod wire;
