//! Floor 1: Discord over REST, one function per step, answered in the words of the domain; and what the gateway told, for all to read. No
//! gateway connection, no decision about matches.

mod answer;
mod bucket;
pub mod categories;
pub mod channels;
pub mod client;
mod closing;
pub mod directory;
pub mod error;
mod explain;
pub mod gateway;
pub mod interactions;
mod invalid;
mod limiter;
mod line;
pub mod members;
pub mod messages;
pub mod oauth;
mod overwrites;
pub mod permissions;
mod refusal;
mod send;
pub mod shards;
pub mod survey;
mod turns;
pub mod voice;

pub use categories::NewCategory;
pub use channels::{Channel, NewChannel, OldChannel, Search};
pub use client::{Client, Options, Priority, api_base};
pub use error::Error;
pub use line::LeftOut;
pub use shards::Shards;
pub use voice::VoiceMap;
