//! The fake of FACEIT: the read side of the Data API, and the sender of webhooks; OAuth comes with a later issue.

pub(super) mod api;
pub mod webhooks;
pub(super) mod world;
