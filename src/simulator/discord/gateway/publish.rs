//! Tells sessions what happened: to whom by shard, intent and membership, and in which form by what the bot can view.

use std::collections::BTreeSet;

use serde_json::json;

use super::{bodies, session::Session};
use crate::simulator::discord::{
    DiscordSide,
    events::{Event, What},
    permissions::{Bits, Overwrite, Whom},
    shapes,
    snowflake::Snowflake,
    talk::ask::Outgoing,
    world::{Channel, Discord, Guild},
};

const GUILDS: u64 = 1;
const GUILD_VOICE_STATES: u64 = 1 << 7;

impl DiscordSide {
    /// Tells everybody what happened since the last call.
    pub(in crate::simulator) fn publish(&mut self) {
        for event in std::mem::take(&mut self.world.events) {
            let (due, times) = self.gateway.upsets.strike(event);
            for event in due.iter().flat_map(|event| std::iter::repeat_n(event, times)) {
                self.tell_all(event);
            }
        }
    }

    /// Tells what was held back.
    pub(in crate::simulator) fn release(&mut self) {
        for event in self.gateway.upsets.release() {
            self.tell_all(&event);
        }
    }

    /// INTERACTION_CREATE, whatever the intents are; what happened before is told before.
    pub(in crate::simulator) fn tell_application(&mut self, outgoing: &Outgoing) {
        self.publish();
        let bot = self.world.bot.id;
        let hears = |session: &&mut Session| match outgoing.guild {
            Some(guild) => session.serves(guild),
            // Direct messages are the first shard's.
            None => session.shard.0 == 0,
        };
        let own = self.gateway.sessions.values_mut().filter(|session| session.bot == bot);
        own.filter(hears)
            .for_each(|session| session.dispatch("INTERACTION_CREATE", &outgoing.text));
    }

    fn tell_all(&mut self, event: &Event) {
        for session in self.gateway.sessions.values_mut() {
            tell(&self.world, session, event);
        }
    }
}

/// The guilds a session hears of, in the order of their ids.
pub(super) fn guilds_of(world: &Discord, session: &Session) -> Vec<Snowflake> {
    let all = world.guilds.values().filter(|_| session.wants(GUILDS));
    let own = all.filter(|guild| session.serves(guild.id) && guild.members.contains_key(&session.bot));
    own.map(|guild| guild.id).collect()
}

/// GUILD_CREATE, once Discord can reach the guild.
pub(super) fn greet(world: &Discord, session: &mut Session, guild: Snowflake) {
    let Some(guild) = world
        .guilds
        .get(&guild)
        .filter(|guild| !world.outages.contains(&guild.id))
    else {
        return;
    };
    session.hidden.insert(guild.id, out_of_sight(guild, session.bot));
    let body = bodies::guild_create(session, guild, session.wants(GUILD_VOICE_STATES));
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
    let Some(guild) = world.guilds.get(&event.guild).filter(|guild| session.serves(guild.id)) else {
        return;
    };
    let name = event.what.name();
    if let What::BotRemoved(bot) = &event.what
        && *bot == session.bot
        && session.wants(GUILDS)
    {
        session.hidden.remove(&guild.id);
        // Without `unavailable`: that is how a bot learns that it was thrown out.
        return session.dispatch(name, &json!({ "id": guild.id }).to_string());
    }
    let out = world.outages.contains(&guild.id) && !matches!(event.what, What::Outage);
    if out || !guild.members.contains_key(&session.bot) {
        return;
    }
    match &event.what {
        What::Voice {
            user,
            channel,
            session_id,
        } => {
            if session.wants(GUILD_VOICE_STATES) {
                let body = bodies::voice(guild, *user, *channel, session_id);
                session.dispatch(name, &body.to_string());
            }
            if *user == session.bot {
                // To sit in a channel is to see it.
                look_again(session, guild);
            }
        }
        What::MemberChanged(user) => {
            // Sent about the bot itself only, and that whatever its intents are.
            if let Some(member) = guild.members.get(user).filter(|member| member.id == session.bot) {
                let mut body = shapes::member(member);
                body["guild_id"] = json!(guild.id);
                session.dispatch(name, &body.to_string());
                look_again(session, guild);
            }
        }
        _ if !session.wants(GUILDS) => {}
        What::ChannelCreated(channel) | What::ChannelChanged(channel) => show(session, guild, channel, name),
        What::ChannelDeleted(channel) => {
            let body = bodies::channel(guild, channel, session.hidden.get(&guild.id));
            session.dispatch(name, &body.to_string());
            session.hidden.entry(guild.id).or_default().remove(&channel.id);
            look_again(session, guild);
        }
        // Its own role comes with its GUILD_CREATE.
        What::RoleCreated(role) if guild.bot_roles.get(&session.bot) == Some(role) => {}
        What::RoleCreated(role) | What::RoleChanged(role) => {
            if let Some(role) = guild.roles.get(role) {
                let body = json!({ "guild_id": guild.id, "role": shapes::role(role) });
                session.dispatch(name, &body.to_string());
            }
            look_again(session, guild);
        }
        What::RoleDeleted(role) => {
            session.dispatch(name, &json!({ "guild_id": guild.id, "role_id": role }).to_string());
            look_again(session, guild);
        }
        What::GuildChanged => {
            session.dispatch(name, &shapes::guild(guild).to_string());
            look_again(session, guild);
        }
        What::BotAdded(bot) if *bot == session.bot => greet(world, session, guild.id),
        What::Back => greet(world, session, guild.id),
        What::Outage => session.dispatch(name, &json!({ "id": guild.id, "unavailable": true }).to_string()),
        What::BotAdded(_) | What::BotRemoved(_) => {}
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
