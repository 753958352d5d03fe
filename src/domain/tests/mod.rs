//! The core under test: examples that read like rules, and properties over random lives of a match.

mod channels;
mod examples;
mod guilds;
mod properties;
mod rooms;
pub(super) mod toy;
mod voice;
mod voice_properties;
