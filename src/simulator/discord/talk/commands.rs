//! The commands that an application registers: replaced as a whole, within Discord's limits.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Talk, body, snowflake};
use crate::simulator::{
    discord::{errors::Refusal, world::Discord},
    exchange::{Answer, Call},
};

impl Talk {
    pub(super) fn set_commands(
        &mut self,
        world: &mut Discord,
        call: &Call,
        application: &str,
        guild: Option<&str>,
        now: Duration,
    ) -> Result<Answer, Refusal> {
        if snowflake("application_id", application)? != world.bot.id {
            return Err(Refusal::unknown_application());
        }
        let guild = guild.map(|id| snowflake("guild_id", id)).transpose()?;
        let body = body::read(call)?;
        let mut commands = body.as_array().cloned().unwrap_or_default();
        for (at, command) in commands.iter_mut().enumerate() {
            check(command).map_err(|why| Refusal::form(json!({ at.to_string(): why })))?;
            command["id"] = json!(world.mint.mint(now));
            command["application_id"] = json!(world.bot.id);
            command["version"] = json!(world.mint.mint(now));
        }
        self.commands.insert(guild, commands.clone());
        Ok(Answer::json(StatusCode::OK, &json!(commands)))
    }

    pub(in crate::simulator) fn commands(&self, guild: Option<crate::simulator::Snowflake>) -> Vec<Value> {
        self.commands.get(&guild).cloned().unwrap_or_default()
    }
}

/// Names 1-32 in lower case, descriptions 1-100, at most 25 options, on every level.
fn check(command: &Value) -> Result<(), Value> {
    let name = command["name"].as_str().unwrap_or_default();
    let fits = (1..=32).contains(&name.chars().count())
        && name.chars().all(|c| c.is_alphanumeric() || "-_".contains(c))
        && name == name.to_lowercase();
    if !fits {
        return Err(json!({ "name": {"_errors": [{"code": "APPLICATION_COMMAND_INVALID_NAME", "message": name}]} }));
    }
    let description = command["description"].as_str().unwrap_or_default();
    if !(1..=100).contains(&description.chars().count()) {
        return Err(json!({ "description": {"_errors": [{"code": "BASE_TYPE_BAD_LENGTH", "message": name}]} }));
    }
    let options = command["options"].as_array().map_or(&[][..], Vec::as_slice);
    if options.len() > 25 {
        return Err(json!({ "options": {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": name}]} }));
    }
    options.iter().try_for_each(check)
}
