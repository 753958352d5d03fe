//! Everything the simulator remembers, behind one lock, and the verbs that control routes and tests share.

use std::{
    ops::{Deref, DerefMut},
    str::FromStr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::http::Method;
use serde_json::Value;

use super::{
    clock::{Clock, millis},
    discord::{
        DiscordSide,
        events::{Event, What},
        gateway::{Gateway, upsets::EventFault},
        limits::{Limiter, Limits},
        oauth::OAuth,
        permissions::Bits,
        picture,
        snowflake::Snowflake,
        talk::Talk,
        world::{Discord, Kind},
    },
    faceit::{webhooks::Sender, world::Faceit},
    faults::{Fault, Faults},
    journal::{Entry, Journal, Side},
    world::WorldFile,
};

/// What a control call or a test asked for and can't have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The call itself makes no sense.
    #[error("{0}")]
    Malformed(String),
    /// It speaks of something that isn't there.
    #[error("{0}")]
    Unknown(String),
    /// Discord would not let that person do it.
    #[error("{0}")]
    Barred(String),
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) clock: Clock,
    pub(super) discord: DiscordSide,
    pub(super) faceit: Faceit,
    pub(super) sender: Sender,
    pub(super) faults: Faults,
    pub(super) journal: Journal,
    pub(super) latency: Duration,
}

#[derive(Debug)]
pub(super) struct Shared(Mutex<State>);

impl Shared {
    pub(super) fn new(state: State) -> Self {
        Self(Mutex::new(state))
    }

    /// A request that panicked leaves the world as it was when it did; the next one goes on with that.
    pub(super) fn lock(&self) -> Hold<'_> {
        Hold(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The state in one pair of hands. Who lets go of it has told the gateway of every change he made.
pub(super) struct Hold<'a>(MutexGuard<'a, State>);

impl Deref for Hold<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

impl DerefMut for Hold<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.0
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.0.discord.publish();
    }
}

impl State {
    pub(super) fn build(world: &WorldFile, gateway: String, sender: Sender) -> Result<Self, String> {
        let clock = Clock::start();
        let discord = Discord::build(world, clock.now()).map_err(|problems| problems.join("; "))?;
        let limiter = Limiter::new(world.limits.clone());
        Ok(Self {
            clock,
            discord: DiscordSide {
                world: discord,
                limiter,
                oauth: OAuth::build(&world.oauth),
                gateway: Gateway::new(world.gateway.clone(), gateway),
                talk: Talk::new(),
            },
            faceit: Faceit::build(world),
            sender,
            faults: Faults::default(),
            journal: Journal::new(world.keep_bodies),
            latency: Duration::from_millis(world.latency_ms),
        })
    }

    pub(super) fn put_match(&mut self, id: &str, text: &str) -> Result<(), ControlError> {
        self.faceit.put_match(id, text).map_err(ControlError::Malformed)
    }

    pub(super) fn remove_match(&mut self, id: &str) -> Result<(), ControlError> {
        if self.faceit.remove_match(id) {
            Ok(())
        } else {
            Err(unknown("match", id))
        }
    }

    /// Somebody joins a voice channel, changes it, or leaves. No permission is asked, unless `as_user`.
    pub(super) fn voice(
        &mut self,
        guild: &str,
        user: &str,
        channel: Option<&str>,
        as_user: bool,
    ) -> Result<(), ControlError> {
        let (guild_id, user_id) = (id(guild)?, id(user)?);
        let channel_id = channel.map(id).transpose()?;
        let now = self.clock.now();
        let guild_here = self
            .discord
            .world
            .guilds
            .get(&guild_id)
            .ok_or_else(|| unknown("guild", guild))?;
        let member = guild_here
            .members
            .get(&user_id)
            .ok_or_else(|| unknown("member", user))?;
        if let Some(channel_id) = channel_id {
            match guild_here.channels.get(&channel_id) {
                None => return Err(unknown("channel", &channel_id.to_string())),
                Some(channel) if channel.kind != Kind::Voice => {
                    return Err(ControlError::Malformed(format!(
                        "channel {channel_id} is no voice channel"
                    )));
                }
                Some(channel) if as_user && !Discord::may_join(guild_here, member, channel) => {
                    return Err(ControlError::Barred(format!(
                        "{} may not enter {}",
                        member.display_name(),
                        channel.name
                    )));
                }
                Some(_) => {}
            }
        }
        self.discord.world.seat(guild_id, user_id, channel_id, now);
        Ok(())
    }

    pub(super) fn picture(&self, guild: Option<&str>) -> Result<String, ControlError> {
        let guilds = &self.discord.world.guilds;
        match guild {
            None => Ok(guilds.values().map(picture::draw).collect::<Vec<_>>().join("\n")),
            Some(guild) => guilds
                .get(&id(guild)?)
                .map(picture::draw)
                .ok_or_else(|| unknown("guild", guild)),
        }
    }

    pub(super) fn guild(&self, guild: &str) -> Result<Value, ControlError> {
        let found = self.discord.world.guilds.get(&id(guild)?);
        found.map(picture::describe).ok_or_else(|| unknown("guild", guild))
    }

    /// An administrator deletes a channel in his client.
    pub(super) fn delete_channel(&mut self, channel: &str) -> Result<(), ControlError> {
        let channel_id = id(channel)?;
        let guild = self
            .discord
            .world
            .guild_of(channel_id)
            .ok_or_else(|| unknown("channel", channel))?
            .id;
        self.discord
            .world
            .remove_channel(guild, channel_id, Some("by hand".to_owned()), self.clock.now());
        Ok(())
    }

    /// What a bot's own role grants; of the first bot when none is named.
    pub(super) fn set_permissions(&mut self, guild: &str, bot: Option<&str>, bits: u64) -> Result<(), ControlError> {
        let world = &mut self.discord.world;
        let bot_id = bot.map_or(Ok(world.bot.id), id)?;
        let found = world
            .guilds
            .get_mut(&id(guild)?)
            .ok_or_else(|| unknown("guild", guild))?;
        let role = found.bot_roles.get(&bot_id).and_then(|role| found.roles.get_mut(role));
        let role = role.ok_or_else(|| unknown("bot", &bot_id.to_string()))?;
        role.permissions = Bits(bits);
        let event = Event::of(found.id, What::RoleChanged(role.id));
        world.events.push(event);
        Ok(())
    }

    /// Somebody removes the application from his account.
    pub(super) fn deauthorize(&mut self, user: &str) -> Result<(), ControlError> {
        if self.discord.oauth.deauthorize(id(user)?) {
            Ok(())
        } else {
            Err(unknown("authorization of user", user))
        }
    }

    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.discord.limiter.limits = limits;
    }

    /// A request under no prefix of either side; it is listed among Discord's unknown ones.
    pub(super) fn nowhere(&mut self, method: &Method, path: &str) {
        let at_ms = millis(self.clock.now());
        let (method, path) = (method.to_string(), path.to_owned());
        self.journal.record_unknown(Entry {
            at_ms,
            side: Side::Discord,
            method,
            path,
            status: 404,
        });
    }

    pub(super) fn upset(&mut self, fault: EventFault) -> Result<(), ControlError> {
        fault.check().map_err(ControlError::Malformed)?;
        self.discord.gateway.upset(fault);
        Ok(())
    }

    pub(super) fn fault(&mut self, fault: Fault) -> Result<(), ControlError> {
        fault.check().map_err(ControlError::Malformed)?;
        self.faults.add(fault);
        Ok(())
    }
}

pub(super) fn id(text: &str) -> Result<Snowflake, ControlError> {
    Snowflake::from_str(text).map_err(ControlError::Malformed)
}

pub(super) fn unknown(what: &str, id: &str) -> ControlError {
    ControlError::Unknown(format!("there is no {what} {id}"))
}
