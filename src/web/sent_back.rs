//! Why somebody is sent back from a consent page without a code: `error=…` of RFC 6749, 4.1.2.1. The word that came is never shown or logged, since
//! anybody can write one.

/// What is to be said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentBack {
    /// He did not agree.
    Declined,
    /// They can't just now.
    Away(&'static str),
    /// They don't take our application as it is set up.
    Misconfigured(&'static str),
}

impl SentBack {
    /// Words that we don't know count as a no, as that is by far the most common.
    pub fn read(error: &str) -> Self {
        let one_of = |words: &[&'static str]| words.iter().find(|word| **word == error).copied();
        let ours = [
            "invalid_request",
            "invalid_scope",
            "unauthorized_client",
            "unsupported_response_type",
        ];
        if let Some(word) = one_of(&ours) {
            return Self::Misconfigured(word);
        }
        one_of(&["server_error", "temporarily_unavailable"]).map_or(Self::Declined, Self::Away)
    }
}
