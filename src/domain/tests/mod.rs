//! The core under test: examples that read like rules, and properties over random lives of a match.

mod examples;
mod guilds;
mod properties;
mod toy;
mod voice;
mod voice_properties;
