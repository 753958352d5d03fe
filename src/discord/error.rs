//! Why a call to Discord has no outcome, said so that the caller knows what to do next. A refusal is an outcome, not an error.

use std::time::Duration;

/// A call that came to nothing, or of which we don't know what it came to. Never holds the token.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// Discord's rate limit, longer than this call may wait. Nothing was done; try again no sooner than after `retry_after`.
    #[error("Discord's rate limit asks for a pause of {:.1} s", retry_after.as_secs_f64())]
    Busy { retry_after: Duration },
    /// Whoever asked for it took it back while it waited for its turn (`Client::with_recall`). Nothing was done.
    #[error("not sent: it was taken back while it waited for its turn")]
    Recalled,
    /// Down, cut off, too slow, or something in between answered: try again later.
    #[error("Discord can't be reached: {why}{}", if *ambiguous { " (it may have been done all the same)" } else { "" })]
    Unavailable {
        why: String,
        /// A create that may have been carried out although its answer is missing: look for the channel before creating again.
        ambiguous: bool,
    },
    /// 401: no call will work until a person puts in another token.
    #[error(
        "Discord refuses the bot token: make a new one in the developer portal (your application → Bot → Reset Token) \
         and set DISCORD_TOKEN"
    )]
    Unauthorized,
    /// Discord answered in a way that we can't read, or a setting can't be worked with: trying again at once won't help.
    #[error("{why}")]
    Unexpected {
        why: String,
        /// As in `Unavailable`: a 2xx to a create whose body we could not read.
        ambiguous: bool,
    },
}

impl Error {
    pub(crate) fn unexpected(why: impl Into<String>) -> Self {
        Self::Unexpected {
            why: why.into(),
            ambiguous: false,
        }
    }

    /// Whether a create may have been carried out.
    pub fn is_ambiguous(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { ambiguous: true, .. } | Self::Unexpected { ambiguous: true, .. }
        )
    }

    /// How long to wait at least before the next try, if Discord said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after } => Some(*retry_after),
            _ => None,
        }
    }
}
