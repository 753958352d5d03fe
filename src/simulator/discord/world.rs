//! The guilds as they stand: channels, roles, members, who sits where; built in `build`, changed by the other rooms.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use serde::Serialize;

use super::{
    events::{Event, What},
    permissions::{Bits, Overwrite},
    snowflake::{Mint, Snowflake},
};

#[derive(Debug)]
pub(in crate::simulator) struct Discord {
    /// The application's own bot, the first.
    pub(in crate::simulator) bot: Bot,
    pub(in crate::simulator) other_bots: Vec<Bot>,
    /// Whose request is being answered.
    pub(in crate::simulator) caller: Snowflake,
    pub(in crate::simulator) agent_required: bool,
    pub(in crate::simulator) guilds: BTreeMap<Snowflake, Guild>,
    pub(in crate::simulator) deleted_users: BTreeSet<Snowflake>,
    pub(in crate::simulator) mint: Mint,
    /// In which guild somebody sits in voice.
    pub(in crate::simulator) seats: HashMap<Snowflake, Snowflake>,
    /// Guilds that Discord can't reach for the moment.
    pub(in crate::simulator) outages: BTreeSet<Snowflake>,
    /// What the gateway has not been told yet.
    pub(in crate::simulator) events: Vec<Event>,
}

#[derive(Debug)]
pub(in crate::simulator) struct Bot {
    pub(in crate::simulator) id: Snowflake,
    pub(in crate::simulator) name: String,
    pub(in crate::simulator) token: String,
}

#[derive(Debug)]
pub(in crate::simulator) struct Guild {
    pub(in crate::simulator) id: Snowflake,
    pub(in crate::simulator) name: String,
    pub(in crate::simulator) owner_id: Snowflake,
    /// @everyone has the guild's own id.
    pub(in crate::simulator) roles: BTreeMap<Snowflake, Role>,
    /// The managed role of each bot that is here.
    pub(in crate::simulator) bot_roles: BTreeMap<Snowflake, Snowflake>,
    pub(in crate::simulator) channels: BTreeMap<Snowflake, Channel>,
    pub(in crate::simulator) members: BTreeMap<Snowflake, Member>,
    pub(in crate::simulator) audit: Vec<AuditEntry>,
    /// When each bot created channels, for the daily cap.
    pub(in crate::simulator) creations: BTreeMap<Snowflake, Vec<Duration>>,
}

#[derive(Debug)]
pub(in crate::simulator) struct Role {
    pub(in crate::simulator) id: Snowflake,
    pub(in crate::simulator) name: String,
    pub(in crate::simulator) permissions: Bits,
    pub(in crate::simulator) position: usize,
    /// Whose own role it is.
    pub(in crate::simulator) bot: Option<Snowflake>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulator) enum Kind {
    Text,
    Voice,
    Category,
}

impl Kind {
    pub(in crate::simulator) fn number(self) -> u8 {
        match self {
            Self::Text => 0,
            Self::Voice => 2,
            Self::Category => 4,
        }
    }
}

#[derive(Clone, Debug)]
pub(in crate::simulator) struct Channel {
    pub(in crate::simulator) id: Snowflake,
    pub(in crate::simulator) kind: Kind,
    pub(in crate::simulator) name: String,
    pub(in crate::simulator) parent_id: Option<Snowflake>,
    pub(in crate::simulator) position: i64,
    pub(in crate::simulator) overwrites: Vec<Overwrite>,
    pub(in crate::simulator) user_limit: i64,
    /// Bits per second.
    pub(in crate::simulator) bitrate: i64,
    pub(in crate::simulator) nsfw: bool,
    pub(in crate::simulator) rate_limit_per_user: i64,
    pub(in crate::simulator) rtc_region: Option<String>,
}

#[derive(Debug)]
pub(in crate::simulator) struct Member {
    pub(in crate::simulator) id: Snowflake,
    pub(in crate::simulator) name: String,
    pub(in crate::simulator) nick: Option<String>,
    pub(in crate::simulator) bot: bool,
    pub(in crate::simulator) roles: Vec<Snowflake>,
    pub(in crate::simulator) mute: bool,
    pub(in crate::simulator) deaf: bool,
    pub(in crate::simulator) voice: Option<Voice>,
}

impl Member {
    pub(in crate::simulator) fn display_name(&self) -> &str {
        self.nick.as_deref().unwrap_or(&self.name)
    }

    pub(in crate::simulator) fn sits_in(&self, channel: Snowflake) -> bool {
        self.voice.as_ref().is_some_and(|voice| voice.channel_id == channel)
    }
}

#[derive(Clone, Debug)]
pub(in crate::simulator) struct Voice {
    pub(in crate::simulator) channel_id: Snowflake,
    pub(in crate::simulator) session_id: String,
}

/// One line of the guild's audit log, as the control routes show it.
#[derive(Clone, Debug, Serialize)]
pub(in crate::simulator) struct AuditEntry {
    pub(in crate::simulator) at_ms: u64,
    pub(in crate::simulator) action: &'static str,
    pub(in crate::simulator) channel_id: Snowflake,
    pub(in crate::simulator) name: String,
    pub(in crate::simulator) reason: Option<String>,
}

impl Discord {
    /// The guild a channel belongs to.
    pub(in crate::simulator) fn guild_of(&self, channel: Snowflake) -> Option<&Guild> {
        self.guilds.values().find(|guild| guild.channels.contains_key(&channel))
    }

    pub(in crate::simulator) fn bots(&self) -> impl Iterator<Item = &Bot> {
        [&self.bot].into_iter().chain(&self.other_bots)
    }

    pub(in crate::simulator) fn bot_mut(&mut self, id: Snowflake) -> Option<&mut Bot> {
        let mut bots = [&mut self.bot].into_iter().chain(&mut self.other_bots);
        bots.find(|bot| bot.id == id)
    }

    /// The bot this token is of, with the `Bot ` that some libraries put before it or without.
    pub(in crate::simulator) fn bot_with(&self, token: &str) -> Option<Snowflake> {
        let token = token.strip_prefix("Bot ").unwrap_or(token);
        self.bots().find(|bot| bot.token == token).map(|bot| bot.id)
    }

    /// The bot whose request is being answered.
    pub(super) fn calling(&self) -> &Bot {
        self.bots().find(|bot| bot.id == self.caller).unwrap_or(&self.bot)
    }

    /// Seats somebody in a voice channel, or nowhere. An account sits in one channel only, over all guilds.
    pub(in crate::simulator) fn seat(
        &mut self,
        guild: Snowflake,
        user: Snowflake,
        channel: Option<Snowflake>,
        now: Duration,
    ) {
        let session_id = format!("{:032x}", self.mint.mint(now).0);
        let elsewhere = self.seats.get(&user).copied().filter(|last| *last != guild);
        if let Some(last) = elsewhere.filter(|_| channel.is_some()) {
            self.sit(last, user, None, &session_id);
        }
        self.sit(guild, user, channel, &session_id);
    }

    fn sit(&mut self, guild: Snowflake, user: Snowflake, channel: Option<Snowflake>, fresh_session: &str) {
        let Some(member) = self
            .guilds
            .get_mut(&guild)
            .and_then(|guild| guild.members.get_mut(&user))
        else {
            return;
        };
        let last = member.voice.take();
        let before = last.as_ref().map(|voice| voice.channel_id);
        let session_id = last.map_or_else(|| fresh_session.to_owned(), |voice| voice.session_id);
        if let Some(channel_id) = channel {
            let session_id = session_id.clone();
            member.voice = Some(Voice { channel_id, session_id });
            self.seats.insert(user, guild);
        } else if before.is_some() {
            self.seats.remove(&user);
        }
        if before != channel {
            let what = What::Voice {
                user,
                channel,
                session_id,
            };
            self.events.push(Event::of(guild, what));
        }
    }
}

impl Guild {
    /// Takes a channel away: who sat in it is disconnected, what lay under it lies under nothing. Says what came of it.
    pub(in crate::simulator) fn remove_channel(&mut self, id: Snowflake) -> Option<(Channel, Vec<Event>)> {
        let removed = self.channels.remove(&id)?;
        let mut events = vec![Event::of(self.id, What::ChannelDeleted(Box::new(removed.clone())))];
        for member in self.members.values_mut().filter(|member| member.sits_in(id)) {
            if let Some(voice) = member.voice.take() {
                let what = What::Voice {
                    user: member.id,
                    channel: None,
                    session_id: voice.session_id,
                };
                events.push(Event::of(self.id, what));
            }
        }
        let children = self
            .channels
            .values_mut()
            .filter(|channel| channel.parent_id == Some(id));
        for child in children {
            child.parent_id = None;
            events.push(Event::of(self.id, What::ChannelChanged(Box::new(child.clone()))));
        }
        Some((removed, events))
    }
}

impl Channel {
    pub(in crate::simulator) fn new(
        id: Snowflake,
        kind: Kind,
        name: String,
        parent_id: Option<Snowflake>,
        position: i64,
    ) -> Self {
        Self {
            id,
            kind,
            name,
            parent_id,
            position,
            overwrites: Vec::new(),
            user_limit: 0,
            bitrate: 64_000,
            nsfw: false,
            rate_limit_per_user: 0,
            rtc_region: None,
        }
    }
}

impl Member {
    pub(in crate::simulator) fn new(id: Snowflake, name: String, bot: bool, roles: Vec<Snowflake>) -> Self {
        Self {
            id,
            name,
            nick: None,
            bot,
            roles,
            mute: false,
            deaf: false,
            voice: None,
        }
    }
}
