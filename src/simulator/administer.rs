//! What people do to a guild in their clients, besides voice: bots let in and thrown out, roles, members, overwrites, names; outages and
//! tokens too.

use super::{
    discord::{
        events::{Event, What},
        permissions::Bits,
        world::{Guild, Member, Role},
    },
    state::{ControlError, State, id, unknown},
    world::{MemberChange, OverwriteFile, RoleChange, default_bot_permissions},
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

    /// Makes a role, or changes one.
    pub(super) fn set_role(&mut self, guild: &str, role: &str, change: &RoleChange) -> Result<(), ControlError> {
        let role_id = id(role)?;
        let found = self.guild_mut(guild)?;
        let position = found.roles.len();
        let known = found.roles.contains_key(&role_id);
        let role = found.roles.entry(role_id).or_insert_with(|| Role {
            id: role_id,
            name: "new role".to_owned(),
            permissions: Bits::NONE,
            position,
            bot: None,
        });
        if let Some(name) = &change.name {
            role.name.clone_from(name);
        }
        role.permissions = change.permissions.unwrap_or(role.permissions);
        let what = if known {
            What::RoleChanged(role_id)
        } else {
            What::RoleCreated(role_id)
        };
        let event = Event::of(found.id, what);
        self.discord.world.events.push(event);
        Ok(())
    }

    /// Takes a role away, from everybody who has it and from every channel's overwrites.
    pub(super) fn delete_role(&mut self, guild: &str, role: &str) -> Result<(), ControlError> {
        let role_id = id(role)?;
        let found = self.guild_mut(guild)?;
        match found.roles.get(&role_id) {
            None => return Err(unknown("role", role)),
            Some(own) if own.bot.is_some() || own.id == found.id => {
                return Err(ControlError::Malformed("nobody can delete that role".to_owned()));
            }
            Some(_) => _ = found.roles.remove(&role_id),
        }
        let mut told = vec![What::RoleDeleted(role_id)];
        for member in found
            .members
            .values_mut()
            .filter(|member| member.roles.contains(&role_id))
        {
            member.roles.retain(|role| *role != role_id);
            told.push(What::MemberChanged(member.id));
        }
        for channel in found.channels.values_mut() {
            let before = channel.overwrites.len();
            channel.overwrites.retain(|overwrite| overwrite.id != role_id);
            if channel.overwrites.len() < before {
                told.push(What::ChannelChanged(Box::new(channel.clone())));
            }
        }
        let events: Vec<_> = told.into_iter().map(|what| Event::of(found.id, what)).collect();
        self.discord.world.events.extend(events);
        Ok(())
    }

    /// Somebody joins the guild, or has other roles or another name there. A bot of the world may be given roles, but is let in otherwise.
    pub(super) fn set_member(&mut self, guild: &str, user: &str, change: MemberChange) -> Result<(), ControlError> {
        let user_id = id(user)?;
        let is_bot = self.discord.world.bots().any(|bot| bot.id == user_id);
        let found = self.guild_mut(guild)?;
        if let Some(missing) = change
            .roles
            .iter()
            .flatten()
            .find(|role| !found.roles.contains_key(role))
        {
            return Err(unknown("role", &missing.to_string()));
        }
        if is_bot && !found.members.contains_key(&user_id) {
            return Err(unknown("member", user));
        }
        let own = found.bot_roles.get(&user_id).copied();
        let member = found.members.entry(user_id).or_insert_with(|| {
            let name = change.name.clone().unwrap_or_else(|| format!("member {user_id}"));
            Member::new(user_id, name, false, Vec::new())
        });
        if let Some(name) = change.name {
            member.name = name;
        }
        if let Some(nick) = change.nick {
            member.nick = Some(nick).filter(|nick| !nick.is_empty());
        }
        if let Some(roles) = change.roles {
            member.roles = own.into_iter().chain(roles).collect();
        }
        let event = Event::of(found.id, What::MemberChanged(user_id));
        self.discord.world.events.push(event);
        Ok(())
    }

    /// Somebody leaves the guild.
    pub(super) fn remove_member(&mut self, guild: &str, user: &str) -> Result<(), ControlError> {
        let (guild_id, user_id, now) = (id(guild)?, id(user)?, self.clock.now());
        let found = self.guild_mut(guild)?;
        match found.members.get(&user_id) {
            None => return Err(unknown("member", user)),
            Some(member) if member.bot => {
                return Err(ControlError::Malformed(format!(
                    "{user} is a bot: remove it from the bots"
                )));
            }
            Some(_) => {}
        }
        let world = &mut self.discord.world;
        world.seat(guild_id, user_id, None, now);
        if let Some(guild) = world.guilds.get_mut(&guild_id) {
            guild.members.remove(&user_id);
        }
        Ok(())
    }
}
