//! One overwrite of a channel over REST: put and delete; overwrites given with a create or an edit are read in `channels`.

use super::{
    errors::Refusal,
    events::{Event, What},
    form::{Form, Given},
    permissions::{Bits, Overwrite, Whom},
    snowflake::Snowflake,
    world::{Channel, Discord},
};

const OVERWRITES_PER_CHANNEL: usize = 1000;

/// Only what the bot has in the guild may be written into an overwrite, allowed or denied alike, and MANAGE_ROLES by
/// administrators only (Discord docs, Create Guild Channel; discord-api-docs #2522, #2524, #7187).
pub(super) fn check_bits(own: Bits, written: Bits) -> Result<(), Refusal> {
    if own == Bits::ALL || (own.contains(written) && written & Bits::MANAGE_ROLES == Bits::NONE) {
        Ok(())
    } else {
        Err(Refusal::missing_permissions())
    }
}

impl Discord {
    pub(super) fn put_overwrite(&mut self, channel: Snowflake, id: Snowflake, mut form: Form) -> Result<(), Refusal> {
        let (guild, seen) = self.channel_for(channel, Bits::MANAGE_ROLES)?;
        let known = seen.overwrites.iter().find(|overwrite| overwrite.id == id);
        let whom = match form.number("type", 0, 1) {
            Given::Value(1) => Whom::Member,
            Given::Value(_) => Whom::Role,
            Given::Absent | Given::Null => known.map_or(Whom::Role, |overwrite| overwrite.whom),
        };
        let allow = form.bits("allow").value().unwrap_or_default();
        let deny = form.bits("deny").value().unwrap_or_default();
        form.finish()?;
        if whom == Whom::Role && !guild.roles.contains_key(&id) {
            return Err(Refusal::unknown_role());
        }
        check_bits(self.bot_in_guild(guild), allow | deny)?;
        if known.is_none() && seen.overwrites.len() >= OVERWRITES_PER_CHANNEL {
            return Err(Refusal::too_many_overwrites());
        }
        self.change(channel, |channel| {
            channel.overwrites.retain(|overwrite| overwrite.id != id);
            channel.overwrites.push(Overwrite { id, whom, allow, deny });
        });
        Ok(())
    }

    pub(super) fn delete_overwrite(&mut self, channel: Snowflake, id: Snowflake) -> Result<(), Refusal> {
        let (_, seen) = self.channel_for(channel, Bits::MANAGE_ROLES)?;
        if seen.overwrites.iter().all(|overwrite| overwrite.id != id) {
            return Err(Refusal::unknown_overwrite());
        }
        self.change(channel, |channel| {
            channel.overwrites.retain(|overwrite| overwrite.id != id)
        });
        Ok(())
    }

    pub(in crate::simulator) fn change(&mut self, id: Snowflake, change: impl FnOnce(&mut Channel)) {
        let found = self
            .guilds
            .values_mut()
            .find_map(|guild| Some((guild.id, guild.channels.get_mut(&id)?)));
        if let Some((guild, channel)) = found {
            change(channel);
            self.events
                .push(Event::of(guild, What::ChannelChanged(Box::new(channel.clone()))));
        }
    }
}
