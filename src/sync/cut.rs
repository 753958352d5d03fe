//! Why a run ends before it is done, and when it goes on.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{discord, domain::job::Verdict, store};

/// How soon to look again when a refused key is the reason: only a person can help.
pub(super) const KEY_REFUSED: Duration = Duration::from_secs(60);
/// The first pause after Discord or the database was not ready; the queue doubles it.
pub(super) const NOT_READY: Duration = Duration::from_secs(1);

/// Why a run ends before it is done.
pub(super) enum Cut {
    Lost,
    Yielded,
    Recalled,
    Retry { why: String, after: Duration },
    PutOff { why: String, after: Duration },
    Failed { why: String },
}

impl From<Cut> for Verdict {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::Lost => Self::Lost,
            Cut::Yielded => Self::Yielded,
            Cut::Recalled => Self::Recalled,
            Cut::Retry { why, after } => Self::Retry { why, after },
            Cut::PutOff { why, after } => Self::PutOff { why, after },
            Cut::Failed { why } => Self::Failed { why },
        }
    }
}

impl From<store::Error> for Cut {
    fn from(error: store::Error) -> Self {
        let why = error.to_string();
        if error.is_unavailable() {
            Self::Retry { why, after: NOT_READY }
        } else {
            Self::Failed { why }
        }
    }
}

impl Cut {
    /// What waited for its turn was taken back, or nothing more was begun: because of a stop, or so that the run begins anew.
    pub fn recalled(stop: &CancellationToken) -> Self {
        if stop.is_cancelled() {
            Self::Yielded
        } else {
            Self::Recalled
        }
    }
}

/// When Discord gave no outcome.
pub(super) fn cut_by(error: discord::error::Error) -> Cut {
    let why = error.to_string();
    match error {
        discord::error::Error::Busy { retry_after } => Cut::PutOff {
            why,
            after: retry_after,
        },
        discord::error::Error::Recalled => Cut::Recalled,
        discord::error::Error::Unavailable { .. } => Cut::Retry { why, after: NOT_READY },
        discord::error::Error::Unauthorized => Cut::Retry {
            why,
            after: KEY_REFUSED,
        },
        discord::error::Error::Unexpected { .. } => Cut::Failed { why },
    }
}
