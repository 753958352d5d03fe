//! The part of the world file that registers the application for OAuth2: shapes and defaults only.

use serde::Deserialize;

use super::super::{limits::Rate, snowflake::Snowflake};

/// What stands in the developer portal under OAuth2.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OAuthFile {
    pub client_id: Snowflake,
    pub client_secret: String,
    /// Compared letter by letter. None listed: every address is taken, for worlds that don't look at it.
    pub redirect_uris: Vec<String>,
    /// People with an account who are in no guild.
    pub people: Vec<PersonFile>,
    /// How long an access token is good.
    pub expires_in: u64,
    /// `GET /users/@me/guilds`, per person.
    pub guild_list: Rate,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonFile {
    pub id: Snowflake,
    pub name: String,
}

impl Default for OAuthFile {
    fn default() -> Self {
        Self {
            client_id: Snowflake(900_000_000_000_000_001),
            client_secret: "simulated-client-secret".to_owned(),
            redirect_uris: Vec::new(),
            people: Vec::new(),
            expires_in: 604_800,
            guild_list: Rate {
                limit: 5,
                per_ms: 5_000,
            },
        }
    }
}
