//! Why a live connection ends: the close code for programs and a reason for people, at most 123 bytes.

use axum::extract::ws::{CloseFrame, Utf8Bytes, close_code};

/// Not signed in, or no more.
pub const UNAUTHORIZED: u16 = 4401;
/// No answer to a ping.
pub const NO_PONG: u16 = 4408;
/// More connections of one person than are allowed.
pub const TOO_MANY: u16 = 4429;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The other side is gone, or said goodbye.
    Gone,
    Stopping,
    NoToken,
    BadToken,
    /// The first message is something else than a token.
    NotAToken,
    SessionEnded,
    TooMany,
    TooSlow,
    NoPong,
    /// Nothing is to be sent here.
    Talks,
    /// A message that is too large or none at all, or the line broke.
    Broken,
    /// The database or Discord can't be asked who may see what.
    Unavailable,
}

impl Ending {
    /// For metrics and the log.
    pub fn word(self) -> &'static str {
        self.parts().0
    }

    pub(super) fn frame(self) -> CloseFrame {
        let (_, code, reason) = self.parts();
        CloseFrame {
            code,
            reason: Utf8Bytes::from_static(reason),
        }
    }

    fn parts(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::Gone => ("gone", close_code::NORMAL, ""),
            Self::Stopping => (
                "stopping",
                close_code::AWAY,
                "Muster is being restarted: connect again in a moment",
            ),
            Self::NoToken => (
                "no_token",
                UNAUTHORIZED,
                "no token came in time; send it as the first message",
            ),
            Self::BadToken => (
                "bad_token",
                UNAUTHORIZED,
                "this token is not valid, or its session has ended: sign in again",
            ),
            Self::NotAToken => (
                "not_a_token",
                close_code::POLICY,
                r#"the first message must be {"token": "…"}, with the token of /api/auth/exchange"#,
            ),
            Self::SessionEnded => ("session_ended", UNAUTHORIZED, "your session has ended: sign in again"),
            Self::TooMany => (
                "too_many",
                TOO_MANY,
                "you have too many of these connections open: close one",
            ),
            Self::TooSlow => (
                "too_slow",
                close_code::AGAIN,
                "you read slower than things change: connect again and load everything anew",
            ),
            Self::NoPong => ("no_pong", NO_PONG, "no answer to a ping: connect again"),
            Self::Talks => (
                "talks",
                close_code::POLICY,
                "nothing is to be sent here after the token",
            ),
            Self::Broken => (
                "broken",
                close_code::SIZE,
                "that was larger than 8 KiB, or no WebSocket message",
            ),
            Self::Unavailable => (
                "unavailable",
                close_code::AGAIN,
                "it can't be told just now what you may see: connect again in a moment",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_fits_into_a_close_frame() {
        for ending in [
            Ending::Gone,
            Ending::Stopping,
            Ending::NoToken,
            Ending::BadToken,
            Ending::NotAToken,
            Ending::SessionEnded,
            Ending::TooMany,
            Ending::TooSlow,
            Ending::NoPong,
            Ending::Talks,
            Ending::Broken,
            Ending::Unavailable,
        ] {
            assert!(ending.frame().reason.len() <= 123, "{ending:?}");
        }
    }
}
