//! Control routes for what people do to guilds and bots: let in, throw out, roles, members, overwrites, outages, tokens.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::Path,
    routing::{patch, put},
};
use serde::Deserialize;

use super::{Outcome, World, done, read};
use crate::simulator::{
    discord::permissions::Bits,
    state::Shared,
    world::{MemberChange, OverwriteFile, RoleChange},
};

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/discord/guilds/{id}", patch(rename))
        .route("/discord/guilds/{id}/outage", put(set_outage))
        .route("/discord/guilds/{id}/bots/{bot}", put(add_bot).delete(remove_bot))
        .route("/discord/guilds/{id}/roles/{role}", put(set_role).delete(delete_role))
        .route(
            "/discord/guilds/{id}/members/{user}",
            put(set_member).delete(remove_member),
        )
        .route("/discord/channels/{id}/overwrites", put(set_overwrites))
        .route("/discord/bots/{id}/token", put(reset_token))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    name: String,
}

async fn rename(world: World, Path(guild): Path<String>, body: Bytes) -> Outcome {
    let Name { name } = read(&body)?;
    world.lock().rename_guild(&guild, &name)?;
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outage {
    outage: bool,
}

async fn set_outage(world: World, Path(guild): Path<String>, body: Bytes) -> Outcome {
    let Outage { outage } = read(&body)?;
    world.lock().set_outage(&guild, outage)?;
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    #[serde(default)]
    permissions: Option<Bits>,
}

async fn add_bot(world: World, Path((guild, bot)): Path<(String, String)>, body: Bytes) -> Outcome {
    let Place { permissions } = read(&body)?;
    world.lock().add_bot(&guild, &bot, permissions)?;
    done()
}

async fn remove_bot(world: World, Path((guild, bot)): Path<(String, String)>) -> Outcome {
    world.lock().remove_bot(&guild, &bot)?;
    done()
}

async fn set_role(world: World, Path((guild, role)): Path<(String, String)>, body: Bytes) -> Outcome {
    let change: RoleChange = read(&body)?;
    world.lock().set_role(&guild, &role, &change)?;
    done()
}

async fn delete_role(world: World, Path((guild, role)): Path<(String, String)>) -> Outcome {
    world.lock().delete_role(&guild, &role)?;
    done()
}

async fn set_member(world: World, Path((guild, user)): Path<(String, String)>, body: Bytes) -> Outcome {
    let change: MemberChange = read(&body)?;
    world.lock().set_member(&guild, &user, change)?;
    done()
}

async fn remove_member(world: World, Path((guild, user)): Path<(String, String)>) -> Outcome {
    world.lock().remove_member(&guild, &user)?;
    done()
}

async fn set_overwrites(world: World, Path(channel): Path<String>, body: Bytes) -> Outcome {
    let overwrites: Vec<OverwriteFile> = read(&body)?;
    world.lock().set_overwrites(&channel, &overwrites)?;
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    token: String,
}

async fn reset_token(world: World, Path(bot): Path<String>, body: Bytes) -> Outcome {
    let Token { token } = read(&body)?;
    world.lock().reset_token(&bot, &token)?;
    done()
}
