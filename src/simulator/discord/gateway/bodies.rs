//! The bodies of gateway events, full enough for the strictest client models; it reads the world and changes nothing.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::session::Session;
use crate::simulator::discord::{
    shapes,
    snowflake::Snowflake,
    world::{Channel, Discord, Guild, Member},
};

/// CHANNEL_OBFUSCATED: a channel the bot can't view (Discord docs, Channel, since 2026-11-16).
const OBFUSCATED: u64 = 1 << 17;

pub(super) fn ready(world: &Discord, session: &Session, guilds: &[Snowflake], url: &str) -> Value {
    let listed: Vec<Value> = guilds
        .iter()
        .map(|id| json!({ "id": id, "unavailable": true }))
        .collect();
    let (id, count) = session.shard;
    json!({
        "v": 10,
        "user": world.bots().find(|bot| bot.id == session.bot).map(shapes::current_user),
        "guilds": listed,
        "session_id": session.id,
        "session_type": "normal",
        "resume_gateway_url": url,
        "shard": [id, count],
        "application": { "id": session.bot, "flags": 0 },
        "private_channels": [], "relationships": [], "presences": [], "guild_join_requests": [], "user_settings": {},
        "geo_ordered_rtc_regions": [],
        "_trace": ["[\"simulator\"]"],
    })
}

/// GUILD_CREATE: the guild with its channels as this bot sees them. Without GUILD_MEMBERS only the bot itself and those in
/// voice are among the members, and voice states come without theirs and without the guild (discord.js #5474).
pub(super) fn guild_create(session: &Session, guild: &Guild, voice: bool) -> Value {
    let hidden = session.hidden.get(&guild.id);
    let channels = guild.channels.values().map(|channel| {
        let mut body = self::channel(guild, channel, hidden);
        if let Some(fields) = body.as_object_mut() {
            fields.remove("guild_id");
        }
        body
    });
    let seated = || guild.members.values().filter(|member| voice && member.voice.is_some());
    let states = seated().filter_map(|member| {
        let seat = member.voice.as_ref()?;
        Some(shapes::voice_flags(member, Some(seat.channel_id), &seat.session_id))
    });
    let own = guild
        .members
        .get(&session.bot)
        .filter(|bot| !voice || bot.voice.is_none());
    let members = own.into_iter().chain(seated()).map(shapes::member);
    let mut body = shapes::guild(guild);
    for (name, value) in [
        ("joined_at", json!(shapes::JOINED_AT)),
        ("large", json!(guild.members.len() > session.large_threshold)),
        ("unavailable", json!(false)),
        ("member_count", json!(guild.members.len())),
        ("channels", channels.collect()),
        ("voice_states", states.collect()),
        ("members", members.collect()),
        ("threads", json!([])),
        ("presences", json!([])),
        ("stage_instances", json!([])),
        ("guild_scheduled_events", json!([])),
        ("soundboard_sounds", json!([])),
    ] {
        body[name] = value;
    }
    body
}

/// A channel, or what little is told of it to a bot that can't view it.
pub(super) fn channel(guild: &Guild, channel: &Channel, hidden: Option<&BTreeSet<Snowflake>>) -> Value {
    if hidden.is_some_and(|hidden| hidden.contains(&channel.id)) {
        let mut bare = Channel::new(
            channel.id,
            channel.kind,
            "___hidden___".to_owned(),
            channel.parent_id,
            channel.position,
        );
        bare.overwrites = vec![super::publish::veil(guild.id)];
        let mut body = shapes::channel(guild, &bare);
        body["flags"] = json!(OBFUSCATED);
        return body;
    }
    shapes::channel(guild, channel)
}

/// VOICE_STATE_UPDATE; with the member, unless he has left the guild as well.
pub(super) fn voice(guild: &Guild, user: Snowflake, channel: Option<Snowflake>, session_id: &str) -> Value {
    let member = guild.members.get(&user);
    let gone = Member::new(user, String::new(), false, Vec::new());
    let mut body = shapes::voice_flags(member.unwrap_or(&gone), channel, session_id);
    body["guild_id"] = json!(guild.id);
    if let Some(member) = member {
        body["member"] = shapes::member(member);
    }
    body
}
