//! The commands that an application registers: replaced as a whole, within Discord's limits.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Talk, body};
use crate::simulator::{
    discord::{errors::Refusal, snowflake::Snowflake, world::Discord},
    exchange::{Answer, Call},
};

impl Talk {
    pub(super) fn list_commands(
        &self,
        world: &Discord,
        application: Snowflake,
        guild: Option<Snowflake>,
    ) -> Result<Answer, Refusal> {
        own(world, application)?;
        Ok(Answer::json(StatusCode::OK, &json!(self.commands(guild))))
    }

    pub(super) fn set_commands(
        &mut self,
        world: &mut Discord,
        call: &Call,
        (application, guild): (Snowflake, Option<Snowflake>),
        now: Duration,
    ) -> Result<Answer, Refusal> {
        own(world, application)?;
        if let Some(guild) = guild {
            world.guild(guild)?;
        }
        let body = body::read(call)?;
        let Value::Array(mut commands) = body else {
            return Err(Refusal::form(
                json!({ "_errors": [{ "code": "LIST_TYPE_CONVERT", "message": "Only iterables" }] }),
            ));
        };
        for (at, command) in commands.iter_mut().enumerate() {
            check(command).map_err(|why| Refusal::form(json!({ at.to_string(): why })))?;
            let known = [
                ("type", json!(1)),
                ("default_member_permissions", Value::Null),
                ("nsfw", json!(false)),
                ("integration_types", json!([0])),
                ("contexts", Value::Null),
            ];
            for (name, value) in known {
                if command.get(name).is_none() {
                    command[name] = value;
                }
            }
            command["id"] = json!(world.mint.mint(now));
            command["application_id"] = json!(world.bot.id);
            command["version"] = json!(world.mint.mint(now));
            if let Some(guild) = guild {
                command["guild_id"] = json!(guild);
            }
        }
        self.commands.insert(guild, commands.clone());
        Ok(Answer::json(StatusCode::OK, &json!(commands)))
    }

    pub(in crate::simulator) fn commands(&self, guild: Option<Snowflake>) -> Vec<Value> {
        self.commands.get(&guild).cloned().unwrap_or_default()
    }
}

/// Only the first bot's application has commands.
fn own(world: &Discord, application: Snowflake) -> Result<(), Refusal> {
    if application == world.bot.id && world.caller == world.bot.id {
        Ok(())
    } else {
        Err(Refusal::unknown_application())
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
