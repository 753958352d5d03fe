//! Discord ids: decimal strings on the wire, minted from a clock as Discord does; no epoch other than Discord's.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::simulator::clock::millis;

/// 2015-01-01T00:00:00Z in Unix milliseconds (Discord docs, Reference, Snowflakes).
const DISCORD_EPOCH_MS: u64 = 1_420_070_400_000;

/// An id of Discord's. Never 0: no client library accepts that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Snowflake(pub u64);

impl FromStr for Snowflake {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = !text.is_empty() && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(id) if plain => Ok(Self(id)),
            _ => Err(format!(
                "{text:?} is not an id: ids are decimal strings such as \"1000\""
            )),
        }
    }
}

impl fmt::Display for Snowflake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl Serialize for Snowflake {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Snowflake {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Mints ids, each larger than every id seen before, whatever the clock does.
#[derive(Debug, Default)]
pub(in crate::simulator) struct Mint {
    last: u64,
}

impl Mint {
    pub(in crate::simulator) fn has_seen(&mut self, id: Snowflake) {
        self.last = self.last.max(id.0);
    }

    /// 42 bits of milliseconds, then worker, process and counter bits, used as one counter here.
    pub(in crate::simulator) fn mint(&mut self, now: Duration) -> Snowflake {
        let by_clock = millis(now).saturating_sub(DISCORD_EPOCH_MS) << 22;
        self.last = by_clock.max(self.last + 1);
        Snowflake(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_minted_in_one_millisecond_grow() {
        let mut mint = Mint::default();
        let now = Duration::from_millis(1_763_000_000_000);
        let (first, second) = (mint.mint(now), mint.mint(now));
        assert!(second > first);
        assert_eq!((first.0 >> 22) + DISCORD_EPOCH_MS, 1_763_000_000_000);
    }

    #[test]
    fn zero_words_and_signs_are_no_ids() {
        for bad in ["", "0", "01", "+1", "-1", "abc", "99999999999999999999999"] {
            assert!(bad.parse::<Snowflake>().is_err(), "{bad:?}");
        }
    }
}
