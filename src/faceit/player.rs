//! A FACEIT player's profile, reduced to what linking an account needs.

use serde_json::Value;

use crate::{
    domain::ids::{PlayerId, is_plausible_id},
    faceit::wire,
};

/// Who a FACEIT player is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub id: PlayerId,
    pub nickname: String,
    /// Lower case; empty when unknown. A search writes it in upper case.
    pub country: String,
    /// SteamID64, when FACEIT gives it (a search doesn't).
    pub steam_id: Option<String>,
    /// The CS2 skill level; None without CS2, 0 for unranked.
    pub cs2_level: Option<u8>,
    /// The CS2 ELO; a search doesn't give it.
    pub cs2_elo: Option<u32>,
}

/// None for a body without an id: then it is no player.
pub(super) fn from_profile(value: Value) -> Option<Profile> {
    let wire: wire::Profile = serde_json::from_value(value).ok()?;
    let id = wire.player_id.filter(|id| is_plausible_id(id))?;
    Some(Profile {
        id: PlayerId::new(id),
        nickname: wire.nickname,
        country: wire.country.to_lowercase(),
        steam_id: wire.steam_id_64.filter(|id| is_plausible_id(id)),
        cs2_level: wire.games.as_ref().and_then(cs2_level),
        cs2_elo: wire.games.as_ref().and_then(cs2_elo),
    })
}

/// A player's `games` is an object with numbers, a search's an array with the level as text.
fn cs2_level(games: &Value) -> Option<u8> {
    let cs2 = match games {
        Value::Array(games) => games
            .iter()
            .find(|game| game.get("name").is_some_and(|name| name == "cs2"))?,
        games => games.get("cs2")?,
    };
    match cs2.get("skill_level")? {
        Value::String(level) => level.parse().ok(),
        level => level.as_u64()?.try_into().ok(),
    }
}

fn cs2_elo(games: &Value) -> Option<u32> {
    games.get("cs2")?.get("faceit_elo")?.as_u64()?.try_into().ok()
}
