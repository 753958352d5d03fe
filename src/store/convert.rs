//! Ids between the domain (u64) and the database (bigint), checked both ways.

use sqlx::{Row, postgres::PgRow};

use crate::{
    domain::{
        ids::{ChannelId, Faction, GuildId, RoleId, UserId},
        record::{Blocked, Obstacle},
    },
    store::Error,
};

pub(super) fn to_bigint(id: u64) -> Result<i64, Error> {
    i64::try_from(id).map_err(|_| Error::Unexpected(format!("the Discord id {id} is too large to be stored")))
}

fn from_bigint<T>(id: i64, new: fn(u64) -> Option<T>) -> Result<T, Error> {
    u64::try_from(id)
        .ok()
        .and_then(new)
        .ok_or_else(|| Error::Unexpected(format!("the stored number {id} is no Discord id")))
}

pub(super) fn guild(id: i64) -> Result<GuildId, Error> {
    from_bigint(id, GuildId::new)
}

pub(super) fn channel(id: i64) -> Result<ChannelId, Error> {
    from_bigint(id, ChannelId::new)
}

pub(super) fn user(id: i64) -> Result<UserId, Error> {
    from_bigint(id, UserId::new)
}

pub(super) fn role(id: i64) -> Result<RoleId, Error> {
    from_bigint(id, RoleId::new)
}

/// One of the words that a check in the database allows.
pub(super) fn word<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, Error> {
    parse(text).ok_or_else(|| Error::Unexpected(format!("the stored word '{text}' is unknown")))
}

pub(super) fn faction(text: &str) -> Result<Faction, Error> {
    Faction::parse(text).ok_or_else(|| Error::Unexpected(format!("the stored text '{text}' is no faction")))
}

/// As JSON that Postgres can store: without zero bytes in texts.
pub(super) fn to_jsonb<T: serde::Serialize>(value: &T) -> Result<serde_json::Value, Error> {
    let mut json =
        serde_json::to_value(value).map_err(|error| Error::Unexpected(format!("can't be written as JSON: {error}")))?;
    strip_zero_bytes(&mut json);
    Ok(json)
}

fn strip_zero_bytes(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::String(text) if text.contains('\0') => text.retain(|c| c != '\0'),
        serde_json::Value::Array(items) => items.iter_mut().for_each(strip_zero_bytes),
        // Keys are ours: field names and factions.
        serde_json::Value::Object(fields) => fields.values_mut().for_each(strip_zero_bytes),
        _ => {}
    }
}

/// A time as Postgres reads it from JSON, to the microsecond.
pub(super) fn to_text(at: crate::domain::Timestamp) -> Result<String, Error> {
    at.format(&time::format_description::well_known::Rfc3339)
        .map_err(|error| Error::Unexpected(format!("the time {at} can't be stored: {error}")))
}

/// The four columns of what stands in the way.
pub(super) fn blocked(row: &PgRow) -> Result<Option<Blocked>, Error> {
    let why: Option<String> = row.try_get("blocked_why")?;
    let at = row.try_get("blocked_at")?;
    let by: Option<String> = row.try_get("blocked_by")?;
    let until = row.try_get("blocked_until")?;
    let (Some(why), Some(at), Some(by)) = (why, at, by) else {
        return Ok(None);
    };
    let by = word(&by, |text| Obstacle::parse(text, until))?;
    Ok(Some(Blocked { why, at, by }))
}
