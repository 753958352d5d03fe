//! Channels over REST: list, create, edit, delete; the checks stand in the order Discord makes them, as far as is known.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};

use super::{
    errors::Refusal,
    events::{Event, What},
    form::{Form, Given},
    overwrites::check_bits,
    permissions::{Bits, in_channel, in_guild},
    shapes,
    snowflake::Snowflake,
    world::{AuditEntry, Channel, Discord, Guild, Kind},
};
use crate::simulator::clock::millis;

/// Categories count too.
const CHANNELS_PER_GUILD: usize = 500;
const CHANNELS_PER_CATEGORY: usize = 50;
/// Bits per second in a guild without boosts.
const HIGHEST_BITRATE: i64 = 96_000;

impl Discord {
    /// A guild the calling bot is in.
    pub(in crate::simulator) fn guild(&self, id: Snowflake) -> Result<&Guild, Refusal> {
        let guild = self.guilds.get(&id).ok_or_else(Refusal::unknown_guild)?;
        if guild.members.contains_key(&self.caller) {
            Ok(guild)
        } else {
            Err(Refusal::missing_access())
        }
    }

    /// What the bot may do in a channel; 50001 if it can't even see it.
    pub(super) fn bot_in(&self, guild: &Guild, channel: &Channel) -> Result<Bits, Refusal> {
        let bot = guild.members.get(&self.caller).ok_or_else(Refusal::missing_access)?;
        let bits = in_channel(guild, channel, bot);
        if bits.contains(Bits::VIEW_CHANNEL) {
            Ok(bits)
        } else {
            Err(Refusal::missing_access())
        }
    }

    pub(super) fn bot_in_guild(&self, guild: &Guild) -> Bits {
        guild
            .members
            .get(&self.caller)
            .map_or(Bits::NONE, |bot| in_guild(guild, bot))
    }

    /// The channel, seen by the bot with these permissions there.
    pub(super) fn channel_for(&self, id: Snowflake, wanted: Bits) -> Result<(&Guild, &Channel), Refusal> {
        let guild = self.guild_of(id).ok_or_else(Refusal::unknown_channel)?;
        let channel = &guild.channels[&id];
        if self.bot_in(guild, channel)?.contains(wanted) {
            Ok((guild, channel))
        } else {
            Err(Refusal::missing_permissions())
        }
    }

    pub(super) fn show_channel(&self, id: Snowflake) -> Result<Value, Refusal> {
        let (guild, channel) = self.channel_for(id, Bits::VIEW_CHANNEL)?;
        Ok(shapes::channel(guild, channel))
    }

    /// What the bot can't view is left out, since 2026-11-16.
    pub(super) fn list_channels(&self, guild: Snowflake) -> Result<Value, Refusal> {
        let guild = self.guild(guild)?;
        let in_sight = guild.in_sight(self.caller);
        let listed = guild.channels.values().filter(|channel| in_sight.contains(&channel.id));
        Ok(listed.map(|channel| shapes::channel(guild, channel)).collect())
    }

    pub(super) fn create_channel(
        &mut self,
        guild_id: Snowflake,
        mut form: Form,
        reason: Option<String>,
        now: Duration,
    ) -> Result<Value, Refusal> {
        let guild = self.guild(guild_id)?;
        let own = self.bot_in_guild(guild);
        if !own.contains(Bits::MANAGE_CHANNELS) {
            return Err(Refusal::missing_permissions());
        }

        let kind = read_kind(&mut form);
        let name = form.name("name", 100);
        if matches!(name, Given::Null) || !form.has("name") {
            form.refuse("name", "BASE_TYPE_REQUIRED", "This field is required");
        }
        let position = guild
            .channels
            .values()
            .filter(|other| other.kind == kind)
            .map(|other| other.position + 1)
            .max();
        let mut channel = Channel::new(Snowflake(1), kind, String::new(), None, position.unwrap_or(0));
        read_fields(&mut form, &mut channel);
        channel.name = name.value().map(|name| kind.spell(name)).unwrap_or_default();
        channel.parent_id = form.id("parent_id").value();
        if let Some(parent) = channel.parent_id {
            check_parent(&mut form, guild, kind, parent);
        }
        let overwrites = form.overwrites();
        form.finish()?;

        let parent = channel.parent_id.and_then(|id| guild.channels.get(&id));
        if let Some(parent) = parent
            && !self.bot_in(guild, parent)?.contains(Bits::MANAGE_CHANNELS)
        {
            return Err(Refusal::missing_permissions());
        }
        channel.overwrites = match (overwrites, parent) {
            (Given::Value(overwrites), _) => {
                overwrites
                    .iter()
                    .try_for_each(|overwrite| check_bits(own, overwrite.allow | overwrite.deny))?;
                overwrites
            }
            // Created without overwrites, a channel is in step with its category.
            (Given::Absent | Given::Null, parent) => parent.map(|parent| parent.overwrites.clone()).unwrap_or_default(),
        };
        if guild.channels.len() >= CHANNELS_PER_GUILD {
            return Err(Refusal::guild_is_full());
        }
        if let Some(parent) = channel.parent_id {
            check_room(guild, parent)?;
        }

        channel.id = self.mint.mint(now);
        let guild = self.guilds.get_mut(&guild_id).ok_or_else(Refusal::unknown_guild)?;
        guild.record("channel_create", &channel, reason, now);
        guild.creations.entry(self.caller).or_default().push(now);
        let body = shapes::channel(guild, &channel);
        self.events
            .push(Event::of(guild_id, What::ChannelCreated(Box::new(channel.clone()))));
        guild.channels.insert(channel.id, channel);
        Ok(body)
    }

    pub(super) fn edit_channel(&mut self, id: Snowflake, mut form: Form) -> Result<Value, Refusal> {
        let (guild, channel) = self.channel_for(id, Bits::MANAGE_CHANNELS)?;
        let mut edited = channel.clone();
        if form.has("type") {
            return Err(Refusal::not_modelled("a change of a channel's type"));
        }
        match form.name("name", 100) {
            Given::Value(name) => edited.name = edited.kind.spell(name),
            Given::Null => form.refuse("name", "BASE_TYPE_REQUIRED", "This field is required"),
            Given::Absent => {}
        }
        read_fields(&mut form, &mut edited);
        let parent = form.id("parent_id");
        if let Given::Value(parent) = parent {
            check_parent(&mut form, guild, edited.kind, parent);
        }
        match parent {
            Given::Value(parent) => edited.parent_id = Some(parent),
            Given::Null => edited.parent_id = None,
            Given::Absent => {}
        }
        let overwrites = form.overwrites();
        form.finish()?;

        if let Given::Value(overwrites) = overwrites {
            if !self.bot_in(guild, channel)?.contains(Bits::MANAGE_ROLES) {
                return Err(Refusal::missing_permissions());
            }
            let own = self.bot_in_guild(guild);
            overwrites
                .iter()
                .try_for_each(|overwrite| check_bits(own, overwrite.allow | overwrite.deny))?;
            edited.overwrites = overwrites;
        }
        if let Some(parent) = edited.parent_id.filter(|parent| channel.parent_id != Some(*parent)) {
            check_room(guild, parent)?;
        }
        let body = shapes::channel(guild, &edited);
        let guild = guild.id;
        self.events
            .push(Event::of(guild, What::ChannelChanged(Box::new(edited.clone()))));
        self.guilds
            .get_mut(&guild)
            .and_then(|guild| guild.channels.insert(id, edited));
        Ok(body)
    }

    pub(super) fn delete_channel(
        &mut self,
        id: Snowflake,
        reason: Option<String>,
        now: Duration,
    ) -> Result<Value, Refusal> {
        let (guild, channel) = self.channel_for(id, Bits::MANAGE_CHANNELS)?;
        let body = shapes::channel(guild, channel);
        let guild = guild.id;
        self.remove_channel(guild, id, reason, now);
        Ok(body)
    }

    /// Takes a channel away and writes it down; who may is the caller's question.
    pub(in crate::simulator) fn remove_channel(
        &mut self,
        guild: Snowflake,
        id: Snowflake,
        reason: Option<String>,
        now: Duration,
    ) {
        let Some(guild) = self.guilds.get_mut(&guild) else {
            return;
        };
        if let Some((removed, events)) = guild.remove_channel(id) {
            guild.record("channel_delete", &removed, reason, now);
            for event in &events {
                if let What::Voice { user, .. } = event.what {
                    self.seats.remove(&user);
                }
            }
            self.events.extend(events);
        }
    }
}

impl Guild {
    /// The channels a bot can view: by permission, or because it sits there. A category shows when any of its channels does.
    pub(super) fn in_sight(&self, bot: Snowflake) -> BTreeSet<Snowflake> {
        let Some(bot) = self.members.get(&bot) else {
            return BTreeSet::new();
        };
        let mut seen = BTreeSet::new();
        for channel in self.channels.values() {
            if in_channel(self, channel, bot).contains(Bits::VIEW_CHANNEL) || bot.sits_in(channel.id) {
                seen.insert(channel.id);
                seen.extend(channel.parent_id);
            }
        }
        seen
    }

    fn record(&mut self, action: &'static str, channel: &Channel, reason: Option<String>, now: Duration) {
        let (channel_id, name) = (channel.id, channel.name.clone());
        self.audit.push(AuditEntry {
            at_ms: millis(now),
            action,
            channel_id,
            name,
            reason,
        });
    }
}

impl Kind {
    /// Text channels are spelt in lower case with dashes; voice channels and categories as given.
    fn spell(self, name: String) -> String {
        if self == Self::Text {
            name.to_lowercase().split_whitespace().collect::<Vec<_>>().join("-")
        } else {
            name
        }
    }
}

/// Text when missing, as Discord has it.
fn read_kind(form: &mut Form) -> Kind {
    match form.number("type", 0, i64::MAX) {
        Given::Absent | Given::Null | Given::Value(0) => Kind::Text,
        Given::Value(2) => Kind::Voice,
        Given::Value(4) => Kind::Category,
        Given::Value(_) => {
            form.refuse(
                "type",
                "BASE_TYPE_CHOICES",
                "Value must be one of {0, 2, 4, 5, 13, 14, 15, 16}.",
            );
            Kind::Text
        }
    }
}

/// Fields that a create and an edit share and that need no look at the guild.
fn read_fields(form: &mut Form, channel: &mut Channel) {
    if let Given::Value(limit) = form.number("user_limit", 0, 99) {
        channel.user_limit = limit;
    }
    if let Given::Value(bitrate) = form.number("bitrate", 8_000, HIGHEST_BITRATE) {
        channel.bitrate = bitrate;
    }
    if let Given::Value(position) = form.number("position", 0, i64::from(i32::MAX)) {
        channel.position = position;
    }
    if let Given::Value(seconds) = form.number("rate_limit_per_user", 0, 21_600) {
        channel.rate_limit_per_user = seconds;
    }
    if let Given::Value(nsfw) = form.truth("nsfw") {
        channel.nsfw = nsfw;
    }
    match form.text("rtc_region") {
        Given::Value(region) => channel.rtc_region = Some(region),
        Given::Null => channel.rtc_region = None,
        Given::Absent => {}
    }
}

fn check_parent(form: &mut Form, guild: &Guild, kind: Kind, parent: Snowflake) {
    match guild.channels.get(&parent) {
        None => form.refuse("parent_id", "CHANNEL_PARENT_INVALID", "Category does not exist"),
        Some(parent) if parent.kind != Kind::Category => {
            form.refuse("parent_id", "CHANNEL_PARENT_INVALID_TYPE", "Not a category");
        }
        Some(_) if kind == Kind::Category => {
            form.refuse(
                "parent_id",
                "CHANNEL_PARENT_INVALID_TYPE",
                "Categories cannot have subcategories",
            );
        }
        Some(_) => {}
    }
}

fn check_room(guild: &Guild, parent: Snowflake) -> Result<(), Refusal> {
    let children = guild
        .channels
        .values()
        .filter(|channel| channel.parent_id == Some(parent))
        .count();
    if children < CHANNELS_PER_CATEGORY {
        return Ok(());
    }
    let message = format!("Maximum number of channels in category reached ({CHANNELS_PER_CATEGORY})");
    Err(Refusal::form(
        json!({ "parent_id": super::errors::field_error("CHANNEL_PARENT_MAX_CHANNELS", &message) }),
    ))
}
