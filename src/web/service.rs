//! What the API asks of the rest of the service, as functions that the wiring gives it: rooms of one floor don't know each other.

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::{
    domain::{event::State, ids::MatchId, plan::Decision},
    store,
};

/// The rest of the service. Clones share it.
#[derive(Clone)]
pub struct Service {
    /// A match as it is known, with who sits where; FACEIT is not asked.
    pub look: Look,
    /// Has FACEIT asked about a match at the next look, however lately it was asked.
    pub read_anew: Arc<dyn Fn(&MatchId) + Send + Sync>,
    /// What a delivery with this body would lead to, as if it were the newest of its match; asks FACEIT, changes nothing.
    pub rehearse: Rehearse,
}

/// Gives what is known of a match, if anything is.
pub type Look = Arc<dyn Fn(MatchId) -> BoxFuture<'static, Result<Option<Seen>, store::Error>> + Send + Sync>;

/// Says what a body would lead to.
pub type Rehearse = Arc<dyn Fn(Vec<u8>) -> BoxFuture<'static, Result<Rehearsed, store::Error>> + Send + Sync>;

/// What a delivery would lead to.
#[derive(Clone, Debug)]
pub struct Rehearsed {
    /// As `muster replay --dry-run` prints it.
    pub text: String,
    /// None when there is nothing to do for it.
    pub plan: Option<Plan>,
    pub readable: bool,
}

/// A match, and what would be done for it now.
#[derive(Clone, Debug)]
pub struct Seen {
    pub state: State,
    pub plan: Plan,
}

/// What would be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// As `muster plan` prints it.
    pub text: String,
    /// One after the other; the last one has no steps.
    pub waves: Vec<Decision>,
}
