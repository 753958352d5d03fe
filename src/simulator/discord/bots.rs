//! Bots and the guilds they are in: read from the world file, added and removed while it runs. What a bot may do is asked elsewhere.

use std::{collections::BTreeSet, time::Duration};

use super::{
    events::{Event, What},
    permissions::Bits,
    snowflake::Snowflake,
    world::{Bot, Discord, Member, Role},
};
use crate::simulator::world::{GuildFile, OtherBotFile, WorldFile};

/// A bot in a guild, as the file has it.
pub(super) struct Place<'a> {
    pub(super) bot: Snowflake,
    pub(super) name: &'a str,
    /// Of its own role.
    pub(super) permissions: Bits,
    pub(super) roles: &'a [Snowflake],
}

pub(super) fn read(file: &OtherBotFile) -> Bot {
    Bot {
        id: file.id,
        name: file.name.clone(),
        token: file.token.clone(),
    }
}

/// What makes no sense about the bots of a file.
pub(super) fn check(file: &WorldFile) -> Vec<String> {
    let mut problems = Vec::new();
    let (mut ids, mut tokens) = (BTreeSet::from([file.bot.id]), BTreeSet::from([file.bot_token.as_str()]));
    for bot in &file.bots {
        if !ids.insert(bot.id) {
            problems.push(format!("bot {} is listed twice", bot.id));
        }
        if !tokens.insert(&bot.token) {
            problems.push(format!("bot {} has the token of another one", bot.id));
        }
        for place in bot.guilds.iter().flatten() {
            if file.guilds.iter().all(|guild| guild.id != place.id) {
                problems.push(format!("bot {} is in guild {}, which is not listed", bot.id, place.id));
            }
        }
    }
    problems
}

/// The bots that are in a guild.
pub(super) fn places<'a>(file: &'a WorldFile, guild: &'a GuildFile) -> Vec<Place<'a>> {
    let first = Place {
        bot: file.bot.id,
        name: &file.bot.name,
        permissions: guild.bot_permissions,
        roles: &guild.bot_roles,
    };
    let others = file.bots.iter().filter_map(|bot| {
        let (permissions, roles) = match &bot.guilds {
            None => (bot.permissions, [].as_slice()),
            Some(guilds) => {
                let place = guilds.iter().find(|place| place.id == guild.id)?;
                (place.permissions.unwrap_or(bot.permissions), place.roles.as_slice())
            }
        };
        Some(Place {
            bot: bot.id,
            name: &bot.name,
            permissions,
            roles,
        })
    });
    [first]
        .into_iter()
        .filter(|_| guild.bot_is_member)
        .chain(others)
        .collect()
}

impl Discord {
    /// Somebody lets a bot into a guild. `false` when there is no such guild or bot, or it is there already.
    pub(in crate::simulator) fn add_bot(
        &mut self,
        guild: Snowflake,
        bot: Snowflake,
        permissions: Bits,
        now: Duration,
    ) -> bool {
        let Some(name) = self.bots().find(|known| known.id == bot).map(|bot| bot.name.clone()) else {
            return false;
        };
        let role = self.mint.mint(now);
        let Some(guild) = self
            .guilds
            .get_mut(&guild)
            .filter(|guild| !guild.members.contains_key(&bot))
        else {
            return false;
        };
        let position = guild.roles.len();
        let own = Role {
            id: role,
            name: name.clone(),
            permissions,
            position,
            bot: Some(bot),
        };
        guild.roles.insert(role, own);
        guild.bot_roles.insert(bot, role);
        guild.members.insert(bot, Member::new(bot, name, true, vec![role]));
        let told = [What::RoleCreated(role), What::BotAdded(bot)];
        self.events.extend(told.map(|what| Event::of(guild.id, what)));
        true
    }

    /// Somebody throws a bot out of a guild, and its own role goes with it. `false` when it isn't there.
    pub(in crate::simulator) fn remove_bot(&mut self, guild: Snowflake, bot: Snowflake, now: Duration) -> bool {
        self.seat(guild, bot, None, now);
        let Some(guild) = self.guilds.get_mut(&guild) else {
            return false;
        };
        if guild.members.remove(&bot).is_none() {
            return false;
        }
        self.events.push(Event::of(guild.id, What::BotRemoved(bot)));
        if let Some(role) = guild.bot_roles.remove(&bot) {
            guild.roles.remove(&role);
            self.events.push(Event::of(guild.id, What::RoleDeleted(role)));
        }
        true
    }
}
