//! Identifiers as the outside world writes them. FACEIT's stay strings (some are no UUIDs); Discord's are snowflakes.

use std::{fmt, num::NonZeroU64, str::FromStr};

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the id as it came; adapters refuse what can't be one (`is_plausible_id`).
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// FACEIT's match id: `1-<uuid>` in every recording, but kept as text.
    MatchId
);
text_id!(
    /// FACEIT's player id (`guid`): a UUID, now and then with a stray suffix.
    PlayerId
);

/// Whether a text from outside can be an id: 1 to 128 characters, none of them a control character or blank.
pub fn is_plausible_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

impl MatchId {
    /// The first eight characters of the part that tells matches apart: `1-5cd68867-aa96-…` gives `5cd68867`.
    pub fn short(&self) -> &str {
        let tail = match self.0.split_once('-') {
            Some((series, tail)) if !tail.is_empty() && series.chars().all(|c| c.is_ascii_digit()) => tail,
            _ => &self.0,
        };
        let end = tail.char_indices().nth(8).map_or(tail.len(), |(at, _)| at);
        &tail[..end]
    }
}

macro_rules! snowflake {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(NonZeroU64);

        impl $name {
            /// None for zero, which Discord never gives out.
            pub fn new(id: u64) -> Option<Self> {
                NonZeroU64::new(id).map(Self)
            }

            pub fn get(self) -> u64 {
                self.0.get()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = NotASnowflake;

            fn from_str(text: &str) -> Result<Self, NotASnowflake> {
                text.trim().parse().map(Self).map_err(|_| NotASnowflake(text.to_owned()))
            }
        }
    };
}

/// A text that is no Discord id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{0}' is no Discord id: expected a whole number above 0, such as 1234567890123456789")]
pub struct NotASnowflake(pub String);

snowflake!(
    /// A Discord server.
    GuildId
);
snowflake!(
    /// A voice channel or category.
    ChannelId
);
snowflake!(
    /// A Discord account.
    UserId
);
snowflake!(
    /// A role of a Discord server.
    RoleId
);

/// One of the two sides of a match, under FACEIT's own names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Faction {
    #[serde(rename = "faction1")]
    One,
    #[serde(rename = "faction2")]
    Two,
}

impl Faction {
    pub const BOTH: [Faction; 2] = [Faction::One, Faction::Two];

    pub fn as_str(self) -> &'static str {
        match self {
            Faction::One => "faction1",
            Faction::Two => "faction2",
        }
    }

    /// `faction1` or `faction2`, as the Data API and the database write it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::BOTH.into_iter().find(|faction| faction.as_str() == text)
    }
}

impl fmt::Display for Faction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_id_skips_the_series_and_survives_odd_ids() {
        assert_eq!(
            MatchId::new("1-5cd68867-aa96-4cfe-a373-12c57edbcab2").short(),
            "5cd68867"
        );
        assert_eq!(MatchId::new("odd").short(), "odd");
        assert_eq!(MatchId::new("1-").short(), "1-");
        assert_eq!(MatchId::new("1-äöüäöüäöüäöü").short(), "äöüäöüäö");
    }

    #[test]
    fn blank_long_and_controlling_texts_are_no_ids() {
        assert!(is_plausible_id("1-5cd68867"));
        for bad in ["", "a b", "a\0b", "a\nb", &"x".repeat(129)] {
            assert!(!is_plausible_id(bad), "{bad:?}");
        }
    }

    #[test]
    fn zero_and_words_are_no_snowflakes() {
        assert!("0".parse::<GuildId>().is_err());
        assert!("my-guild".parse::<GuildId>().is_err());
        assert_eq!(" 42 ".parse::<GuildId>().ok(), GuildId::new(42));
    }
}
