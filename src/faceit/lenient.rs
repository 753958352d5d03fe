//! Deserializers that lose one field, never the whole body: what can't be read counts as absent. They judge nothing.

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::domain::Timestamp;

/// Longer texts are cut: no name, region or status comes near, and every one of them is stored and shown.
const LONGEST_TEXT: usize = 200;

/// Above this a number of seconds would lie past the year 5000, so it is milliseconds: championships count in them.
const SURELY_MILLISECONDS: i64 = 100_000_000_000;

/// Any value; None when it is absent, null or of the wrong type.
pub fn maybe<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    Ok(T::deserialize(Value::deserialize(deserializer)?).ok())
}

/// A list whose unreadable items are left out; empty when it is no list at all (`substitutes: null` is recorded).
pub fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    Ok(places(deserializer)?.into_iter().flatten().collect())
}

/// A list whose unreadable items leave a gap, so that the others keep their place.
pub fn places<'de, D, T>(deserializer: D) -> Result<Vec<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    match Value::deserialize(deserializer)? {
        Value::Array(items) => Ok(items.into_iter().map(|item| T::deserialize(item).ok()).collect()),
        _ => Ok(Vec::new()),
    }
}

/// A text for people; empty when it is none.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(clean(&text)),
        _ => Ok(String::new()),
    }
}

/// Without NUL, which Postgres takes neither in text nor in jsonb, and of bounded length.
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(LONGEST_TEXT).collect()
}

/// A whole number, also when written as text.
pub fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(as_integer(&Value::deserialize(deserializer)?))
}

fn as_integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A moment: epoch seconds (Data API) or RFC 3339 (webhooks). 1970 stands for *never*: recorded for a no-show's `started_at`.
pub fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let moment = match as_integer(&value) {
        Some(number) => from_epoch(number),
        None => value
            .as_str()
            .and_then(|text| OffsetDateTime::parse(text.trim(), &Rfc3339).ok())
            // A year that overflows when moved to UTC is not one we could store.
            .and_then(|moment| moment.checked_to_offset(time::UtcOffset::UTC)),
    };
    Ok(moment.filter(|moment| (1..10_000).contains(&moment.year()) && *moment > OffsetDateTime::UNIX_EPOCH))
}

fn from_epoch(number: i64) -> Option<Timestamp> {
    let seconds = if number > SURELY_MILLISECONDS {
        number / 1_000
    } else {
        number
    };
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}
