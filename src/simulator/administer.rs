//! What people do to a guild in their clients, besides voice: bots let in and thrown out, overwrites, names; outages and tokens too.

use super::{
    discord::{
        events::{Event, What},
        permissions::Bits,
        world::Guild,
    },
    state::{ControlError, State, id, unknown},
    world::{OverwriteFile, default_bot_permissions},
};

impl State {
    fn guild_mut(&mut self, guild: &str) -> Result<&mut Guild, ControlError> {
        let found = self.discord.world.guilds.get_mut(&id(guild)?);
        found.ok_or_else(|| unknown("guild", guild))
    }

    /// Lets a bot into a guild.
    pub(super) fn add_bot(&mut self, guild: &str, bot: &str, bits: Option<Bits>) -> Result<(), ControlError> {
        let (guild_id, bot_id, now) = (id(guild)?, id(bot)?, self.clock.now());
        let bits = bits.unwrap_or_else(default_bot_permissions);
        if self.discord.world.add_bot(guild_id, bot_id, bits, now) {
            Ok(())
        } else {
            Err(ControlError::Unknown(format!(
                "there is no guild {guild} or no bot {bot}, or it is there already"
            )))
        }
    }

    /// Throws a bot out.
    pub(super) fn remove_bot(&mut self, guild: &str, bot: &str) -> Result<(), ControlError> {
        let (guild_id, bot_id, now) = (id(guild)?, id(bot)?, self.clock.now());
        if self.discord.world.remove_bot(guild_id, bot_id, now) {
            Ok(())
        } else {
            Err(unknown("bot", &format!("{bot} in guild {guild}")))
        }
    }

    /// Discord can't reach a guild, or can again.
    pub(super) fn set_outage(&mut self, guild: &str, outage: bool) -> Result<(), ControlError> {
        let guild_id = self.guild_mut(guild)?.id;
        let world = &mut self.discord.world;
        let changed = if outage {
            world.outages.insert(guild_id)
        } else {
            world.outages.remove(&guild_id)
        };
        if changed {
            let what = if outage { What::Outage } else { What::Back };
            world.events.push(Event::of(guild_id, what));
        }
        Ok(())
    }

    pub(super) fn rename_guild(&mut self, guild: &str, name: &str) -> Result<(), ControlError> {
        let found = self.guild_mut(guild)?;
        found.name = name.to_owned();
        let event = Event::of(found.id, What::GuildChanged);
        self.discord.world.events.push(event);
        Ok(())
    }

    /// Sets a channel's overwrites, whatever they were.
    pub(super) fn set_overwrites(&mut self, channel: &str, given: &[OverwriteFile]) -> Result<(), ControlError> {
        let channel_id = id(channel)?;
        let world = &mut self.discord.world;
        world.guild_of(channel_id).ok_or_else(|| unknown("channel", channel))?;
        let overwrites = given.iter().map(Into::into).collect();
        world.change(channel_id, |channel| channel.overwrites = overwrites);
        Ok(())
    }

    /// Another token for a bot: the old one is refused from now on.
    pub(super) fn reset_token(&mut self, bot: &str, token: &str) -> Result<(), ControlError> {
        let (bot_id, now) = (id(bot)?, self.clock.now());
        if self.discord.world.bots().all(|known| known.id != bot_id) {
            return Err(unknown("bot", bot));
        }
        self.discord.reset_token(bot_id, token.to_owned(), now);
        Ok(())
    }
}
