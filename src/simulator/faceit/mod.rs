//! The fake of FACEIT: the read side of the Data API, signing in, and the sender of webhooks.

pub(super) mod api;
pub mod oauth;
pub mod webhooks;
pub(super) mod world;
