//! The bodies as FACEIT writes them, reduced to what is used. Every field is optional; unknown fields are ignored.
//!
//! FACEIT's OpenAPI document requires nothing and has no enum for statuses, and recorded bodies use that freedom.

use serde::Deserialize;
use serde_json::Value;

use crate::{domain::Timestamp, faceit::lenient};

/// `GET /matches/{id}`, and an item of `GET /hubs/{id}/matches`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Match {
    #[serde(deserialize_with = "lenient::maybe")]
    pub match_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub status: String,
    #[serde(deserialize_with = "lenient::maybe")]
    pub teams: Option<Teams>,
    #[serde(deserialize_with = "lenient::text")]
    pub game: String,
    #[serde(deserialize_with = "lenient::text")]
    pub region: String,
    #[serde(deserialize_with = "lenient::text")]
    pub competition_id: String,
    #[serde(deserialize_with = "lenient::text")]
    pub competition_type: String,
    #[serde(deserialize_with = "lenient::text")]
    pub competition_name: String,
    #[serde(deserialize_with = "lenient::text")]
    pub organizer_id: String,
    /// Untyped in FACEIT's own description.
    #[serde(deserialize_with = "lenient::maybe")]
    pub voting: Option<Value>,
    #[serde(deserialize_with = "lenient::moment")]
    pub scheduled_at: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::moment")]
    pub configured_at: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::moment")]
    pub started_at: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::moment")]
    pub finished_at: Option<Timestamp>,
}

/// The Data API's teams: an object whose keys come in either order.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Teams {
    #[serde(deserialize_with = "lenient::maybe")]
    pub faction1: Option<Team>,
    #[serde(deserialize_with = "lenient::maybe")]
    pub faction2: Option<Team>,
}

/// A side: the Data API's spelling, or the webhook's (`id` for `faction_id`).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Team {
    #[serde(deserialize_with = "lenient::text")]
    pub faction_id: String,
    #[serde(deserialize_with = "lenient::text")]
    pub id: String,
    #[serde(deserialize_with = "lenient::text")]
    pub name: String,
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    pub kind: String,
    /// Absent for a bye; of any length (7 of a 5v5 are recorded).
    #[serde(deserialize_with = "lenient::list")]
    pub roster: Vec<Player>,
    /// In FACEIT's description beside `roster`; read when that is empty.
    #[serde(deserialize_with = "lenient::list")]
    pub roster_v1: Vec<Player>,
    /// Some matchmaking webhooks have `{id, name, players: []}`.
    #[serde(deserialize_with = "lenient::list")]
    pub players: Vec<Player>,
}

/// Somebody on a roster: `player_id` in the Data API, `id` in webhooks, `guid` in older rosters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Player {
    #[serde(deserialize_with = "lenient::maybe")]
    pub player_id: Option<String>,
    #[serde(deserialize_with = "lenient::maybe")]
    pub id: Option<String>,
    #[serde(deserialize_with = "lenient::maybe")]
    pub guid: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub nickname: String,
}

/// What a webhook's `payload` says about itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PayloadHead {
    #[serde(deserialize_with = "lenient::integer")]
    pub version: Option<i64>,
    #[serde(deserialize_with = "lenient::moment")]
    pub updated_at: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::maybe")]
    pub demo_url: Option<String>,
}

/// The `payload` of a webhook about a match: the match itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Payload {
    /// Position 0 is faction1, 1 is faction2, in every recording.
    #[serde(deserialize_with = "lenient::places")]
    pub teams: Vec<Option<Team>>,
    #[serde(deserialize_with = "lenient::text")]
    pub game: String,
    #[serde(deserialize_with = "lenient::text")]
    pub region: String,
    #[serde(deserialize_with = "lenient::text")]
    pub organizer_id: String,
    #[serde(deserialize_with = "lenient::maybe")]
    pub entity: Option<Entity>,
    #[serde(deserialize_with = "lenient::moment")]
    pub started_at: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::moment")]
    pub finished_at: Option<Timestamp>,
}

/// The competition of a webhook. `type` is an open set.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Entity {
    #[serde(deserialize_with = "lenient::text")]
    pub id: String,
    #[serde(deserialize_with = "lenient::text")]
    pub name: String,
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    pub kind: String,
}

/// A page of a list. There is no total: a page with fewer items than asked for is the last.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Page {
    #[serde(deserialize_with = "lenient::list")]
    pub items: Vec<Value>,
}

/// `GET /players/{id}`, `GET /players?nickname=`, and an item of `GET /search/players`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Profile {
    #[serde(deserialize_with = "lenient::maybe")]
    pub player_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub nickname: String,
    #[serde(deserialize_with = "lenient::text")]
    pub country: String,
    /// An object by game for a player, an array in a search.
    #[serde(deserialize_with = "lenient::maybe")]
    pub games: Option<Value>,
    #[serde(deserialize_with = "lenient::maybe")]
    pub steam_id_64: Option<String>,
}

/// An answer that is none: `{"errors":[{"message","code"}]}`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Failure {
    #[serde(deserialize_with = "lenient::list")]
    pub errors: Vec<FailureItem>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct FailureItem {
    #[serde(deserialize_with = "lenient::text")]
    pub message: String,
}
