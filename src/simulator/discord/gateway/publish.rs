//! Tells sessions what happened: to whom by shard, intent and membership, and in which form by what the bot can view.

use std::collections::BTreeSet;

use serde_json::json;

use super::{bodies, session::Session};
use crate::simulator::discord::{
    DiscordSide,
    events::Event,
    permissions::{Bits, Overwrite, Whom},
    shapes,
    snowflake::Snowflake,
    world::{Channel, Discord, Guild},
};

const GUILDS: u64 = 1;
const GUILD_VOICE_STATES: u64 = 1 << 7;

impl DiscordSide {
    /// Tells everybody what happened since the last call.
    pub(in crate::simulator) fn publish(&mut self) {
        for event in std::mem::take(&mut self.world.events) {
            for session in self.gateway.sessions.values_mut() {
                tell(&self.world, session, &event);
            }
        }
    }
}

/// The guilds a session hears of, in the order of their ids.
pub(super) fn guilds_of(world: &Discord, session: &Session) -> Vec<Snowflake> {
    let all = world.guilds.values().filter(|_| session.wants(GUILDS));
    let own = all.filter(|guild| session.serves(guild.id) && guild.members.contains_key(&session.bot));
    own.map(|guild| guild.id).collect()
}

/// GUILD_CREATE.
pub(super) fn greet(world: &Discord, session: &mut Session, guild: Snowflake) {
    let Some(guild) = world.guilds.get(&guild) else { return };
    session.hidden.insert(guild.id, out_of_sight(guild, session.bot));
    let body = bodies::guild_create(world, session, guild, session.wants(GUILD_VOICE_STATES));
    session.dispatch("GUILD_CREATE", &body.to_string());
}

/// The one overwrite an obfuscated channel shows.
pub(super) fn veil(guild: Snowflake) -> Overwrite {
    Overwrite {
        id: guild,
        whom: Whom::Role,
        allow: Bits::NONE,
        deny: Bits::VIEW_CHANNEL,
    }
}

fn out_of_sight(guild: &Guild, bot: Snowflake) -> BTreeSet<Snowflake> {
    let seen = guild.in_sight(bot);
    guild.channels.keys().filter(|id| !seen.contains(id)).copied().collect()
}

fn tell(world: &Discord, session: &mut Session, event: &Event) {
    let Some(guild) = world.guilds.get(&event.guild()) else {
        return;
    };
    if !session.serves(guild.id) || !guild.members.contains_key(&session.bot) {
        return;
    }
    match event {
        Event::Voice {
            user,
            channel,
            session_id,
            ..
        } => {
            if let Some(member) = guild.members.get(user).filter(|_| session.wants(GUILD_VOICE_STATES)) {
                let body = bodies::voice(guild, member, *channel, session_id);
                session.dispatch("VOICE_STATE_UPDATE", &body.to_string());
            }
            if *user == session.bot {
                // To sit in a channel is to see it.
                look_again(session, guild);
            }
        }
        Event::MemberChanged(_, user) if *user == session.bot => {
            // Sent about the bot itself whatever its intents.
            if let Some(member) = guild.members.get(user) {
                let mut body = shapes::member(member);
                body["guild_id"] = json!(guild.id);
                session.dispatch("GUILD_MEMBER_UPDATE", &body.to_string());
            }
            look_again(session, guild);
        }
        Event::MemberChanged(..) => {}
        _ if !session.wants(GUILDS) => {}
        Event::ChannelCreated(_, channel) => show(session, guild, channel, "CHANNEL_CREATE"),
        Event::ChannelChanged(_, channel) => show(session, guild, channel, "CHANNEL_UPDATE"),
        Event::ChannelDeleted(_, channel) => {
            let body = bodies::channel(guild, channel, session.hidden.get(&guild.id));
            session.dispatch("CHANNEL_DELETE", &body.to_string());
            session.hidden.entry(guild.id).or_default().remove(&channel.id);
            look_again(session, guild);
        }
        Event::RoleChanged(_, role) => {
            if let Some(role) = guild.roles.get(role) {
                let body = json!({ "guild_id": guild.id, "role": shapes::role(&world.bot, role) });
                session.dispatch("GUILD_ROLE_UPDATE", &body.to_string());
            }
            look_again(session, guild);
        }
    }
}

/// Tells of a channel in the form the bot may see now, then of all that come into or go out of its sight with it.
fn show(session: &mut Session, guild: &Guild, channel: &Channel, name: &str) {
    let out_of_sight = out_of_sight(guild, session.bot);
    let hidden = session.hidden.entry(guild.id).or_default();
    if out_of_sight.contains(&channel.id) {
        hidden.insert(channel.id);
    } else {
        hidden.remove(&channel.id);
    }
    let body = bodies::channel(guild, channel, Some(hidden));
    session.dispatch(name, &body.to_string());
    look_again(session, guild);
}

/// CHANNEL_UPDATE for every channel whose view the bot gained or lost.
fn look_again(session: &mut Session, guild: &Guild) {
    if !session.wants(GUILDS) {
        return;
    }
    let out_of_sight = out_of_sight(guild, session.bot);
    let told = session.hidden.insert(guild.id, out_of_sight).unwrap_or_default();
    let hidden = &session.hidden[&guild.id];
    let changed: Vec<String> = told
        .symmetric_difference(hidden)
        .filter_map(|id| guild.channels.get(id))
        .map(|channel| bodies::channel(guild, channel, Some(hidden)).to_string())
        .collect();
    changed.iter().for_each(|body| session.dispatch("CHANNEL_UPDATE", body));
}
