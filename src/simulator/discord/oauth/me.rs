//! What a person's own token may read: who he is, his guilds with what he may do there, the authorization itself. Changes nothing.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Grant, OAuth};
use crate::simulator::{
    discord::{
        Answered,
        errors::Refusal,
        limited, permissions, shapes,
        snowflake::Snowflake,
        tell,
        world::{Discord, Guild},
    },
    exchange::{Answer, Call},
};

/// At most so many in one answer (Discord docs, "Get Current User Guilds").
const GUILDS: usize = 200;

impl OAuth {
    pub(super) fn as_person(
        &mut self,
        world: &Discord,
        call: &Call,
        path: &str,
        token: &str,
        now: Duration,
    ) -> Option<Answered> {
        let known = |answer: Answer| Some((answer, true));
        let Some(grant) = self
            .grants
            .iter()
            .find(|grant| grant.access == token && grant.expires > now)
        else {
            return known(Refusal::unauthorized().into());
        };
        let user = grant.user;
        let scoped = |scope: &str| grant.scopes.iter().any(|granted| granted == scope);
        let ok = |body: &Value| known(Answer::json(StatusCode::OK, body));
        match (call.method.as_str(), path) {
            ("GET", "/users/@me") if scoped("identify") => {
                let Some(person) = self
                    .person(world, user)
                    .filter(|_| !world.deleted_users.contains(&user))
                else {
                    return known(Refusal::unauthorized().into());
                };
                let mut body = shapes::user(&person);
                body["mfa_enabled"] = json!(false);
                body["locale"] = json!("en-US");
                body["premium_type"] = json!(0);
                ok(&body)
            }
            ("GET", "/users/@me/guilds") if scoped("guilds") => {
                let rate = self.file.guild_list;
                let standing = self.guild_lists.entry(user).or_default().take(rate, now);
                let mut answer = if standing.retry_after.is_zero() {
                    let guilds = world.guilds.values().filter_map(|guild| shown(guild, user));
                    Answer::json(StatusCode::OK, &guilds.take(GUILDS).collect())
                } else {
                    limited(standing.retry_after, None, "user")
                };
                tell(&mut answer, "GET /users/@me/guilds", standing, now);
                known(answer)
            }
            ("GET", "/oauth2/@me") => {
                let body = self.authorization(world, grant);
                ok(&body)
            }
            ("GET", "/users/@me" | "/users/@me/guilds") => known(Refusal::missing_scope().into()),
            // Whatever else a person may do with a token of his own is not modelled.
            _ => Some((Refusal::no_such_route().into(), false)),
        }
    }

    fn authorization(&self, world: &Discord, grant: &Grant) -> Value {
        let expires = OffsetDateTime::from_unix_timestamp(grant.expires.as_secs().cast_signed());
        let expires = expires.ok().and_then(|at| at.format(&Rfc3339).ok());
        let mut body = json!({
            "application": { "id": world.bot.id, "name": world.bot.name, "icon": null, "description": "" },
            "scopes": grant.scopes, "expires": expires,
        });
        if let Some(person) = self.person(world, grant.user) {
            body["user"] = shapes::user(&person);
        }
        body
    }
}

/// The partial guild of somebody who is in it.
fn shown(guild: &Guild, user: Snowflake) -> Option<Value> {
    let member = guild.members.get(&user)?;
    Some(json!({
        "id": guild.id, "name": guild.name, "icon": null, "banner": null, "features": [],
        "owner": guild.owner_id == user, "permissions": permissions::in_guild(guild, member),
    }))
}
