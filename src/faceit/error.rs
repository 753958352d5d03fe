//! What can go wrong when asking FACEIT, sorted by what the caller does next. Never holds the API key.

use std::time::Duration;

/// The outcome of a call that gave no answer. `route` is the path's template, for instance `/matches/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// FACEIT doesn't know it (any more): it is gone.
    #[error("FACEIT {route}: not found")]
    NotFound { route: &'static str },
    /// The key is refused: only the operator can help.
    #[error("FACEIT {route}: the API key is refused (status {status}); check FACEIT_API_KEY")]
    Unauthorized { route: &'static str, status: u16 },
    /// Asking again before `retry_after` has passed is in vain.
    #[error("FACEIT {route}: rate limited, try again in {:.1} s", retry_after.as_secs_f32())]
    Busy { route: &'static str, retry_after: Duration },
    /// Down, slow, unreachable, or hidden behind a web page: try later.
    #[error("FACEIT {route}: unavailable: {why}")]
    Unavailable { route: &'static str, why: String },
    /// An answer that we don't understand; asking again gives the same.
    #[error("FACEIT {route}: unexpected answer: {why}")]
    Unexpected { route: &'static str, why: String },
}

impl Error {
    /// Whether the same call may succeed by itself later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Unavailable { .. })
    }

    /// How long FACEIT wants us to wait, when it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }
}
