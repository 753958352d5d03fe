//! Who may do what where: base permissions, overwrites and implicit denial, pure; no knowledge of routes or error codes.

use std::ops::{BitAnd, BitOr, Not};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    snowflake::Snowflake,
    world::{Channel, Guild, Kind, Member},
};

/// A set of permission bits; a decimal string on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bits(pub u64);

impl Bits {
    pub const NONE: Self = Self(0);
    /// What an owner and an administrator have: bits 0 to 52.
    pub const ALL: Self = Self((1 << 53) - 1);
    pub const ADMINISTRATOR: Self = Self(1 << 3);
    pub const MANAGE_CHANNELS: Self = Self(1 << 4);
    pub const VIEW_CHANNEL: Self = Self(1 << 10);
    pub const SEND_MESSAGES: Self = Self(1 << 11);
    pub const READ_MESSAGE_HISTORY: Self = Self(1 << 16);
    pub const CONNECT: Self = Self(1 << 20);
    pub const MUTE_MEMBERS: Self = Self(1 << 22);
    pub const DEAFEN_MEMBERS: Self = Self(1 << 23);
    pub const MOVE_MEMBERS: Self = Self(1 << 24);
    pub const MANAGE_NICKNAMES: Self = Self(1 << 27);
    pub const MANAGE_ROLES: Self = Self(1 << 28);

    pub fn contains(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }
}

impl BitOr for Bits {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Bits {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Bits {
    type Output = Self;

    fn not(self) -> Self {
        Self(!self.0)
    }
}

impl Serialize for Bits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bits = text.parse().map_err(|_| {
            de::Error::custom(format!(
                "{text:?} is not a permission set: a decimal string such as \"53478928\""
            ))
        });
        bits.map(Self)
    }
}

/// Whom an overwrite is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulator) enum Whom {
    Role,
    Member,
}

/// One overwrite of a channel.
#[derive(Clone, Copy, Debug)]
pub(in crate::simulator) struct Overwrite {
    pub(in crate::simulator) id: Snowflake,
    pub(in crate::simulator) whom: Whom,
    pub(in crate::simulator) allow: Bits,
    pub(in crate::simulator) deny: Bits,
}

/// What a member may do in the guild as a whole (Discord docs, Permissions, `compute_base_permissions`).
pub(in crate::simulator) fn in_guild(guild: &Guild, member: &Member) -> Bits {
    if member.id == guild.owner_id {
        return Bits::ALL;
    }
    let everyone = guild.roles.get(&guild.id).map_or(Bits::NONE, |role| role.permissions);
    let granted = member
        .roles
        .iter()
        .filter_map(|id| guild.roles.get(id))
        .fold(everyone, |sum, role| sum | role.permissions);
    if granted.contains(Bits::ADMINISTRATOR) {
        Bits::ALL
    } else {
        granted
    }
}

/// What a member may do in one channel, after overwrites and implicit denial.
///
/// Without VIEW_CHANNEL nothing is left; in a voice channel without CONNECT only VIEW_CHANNEL is (Discord docs,
/// Permissions, "Implicit Permissions": it takes MANAGE_CHANNELS and MOVE_MEMBERS along).
pub(in crate::simulator) fn in_channel(guild: &Guild, channel: &Channel, member: &Member) -> Bits {
    let base = in_guild(guild, member);
    if base == Bits::ALL {
        return base;
    }
    let for_role = |id: Snowflake| {
        channel
            .overwrites
            .iter()
            .find(move |o| o.whom == Whom::Role && o.id == id)
    };
    let for_member = channel
        .overwrites
        .iter()
        .find(|o| o.whom == Whom::Member && o.id == member.id);

    let mut bits = base;
    let mut apply = |deny: Bits, allow: Bits| bits = (bits & !deny) | allow;
    if let Some(everyone) = for_role(guild.id) {
        apply(everyone.deny, everyone.allow);
    }
    // All roles' denials come before all roles' allowances, whatever their order.
    let roles = member.roles.iter().filter_map(|id| for_role(*id));
    let (deny, allow) = roles.fold((Bits::NONE, Bits::NONE), |(deny, allow), o| {
        (deny | o.deny, allow | o.allow)
    });
    apply(deny, allow);
    if let Some(own) = for_member {
        apply(own.deny, own.allow);
    }

    if !bits.contains(Bits::VIEW_CHANNEL) {
        Bits::NONE
    } else if channel.kind == Kind::Voice && !bits.contains(Bits::CONNECT) {
        Bits::VIEW_CHANNEL
    } else {
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::{WorldFile, discord::world::Discord};

    const VIEW_AND_CONNECT: Bits = Bits(1 << 10 | 1 << 20);

    fn world(bot_permissions: &str) -> Discord {
        let text = format!(
            r#"{{"guilds":[{{"id":"1000","name":"G","bot_permissions":"{bot_permissions}","roles":[{{"id":"5","name":"r"}},{{"id":"6","name":"s"}}],
            "bot_roles":["5","6"],"voice_channels":[{{"id":"1011","name":"Lobby"}}]}}]}}"#
        );
        let file = WorldFile::parse(&text).expect("the world above is well formed");
        Discord::build(&file, std::time::Duration::from_secs(1_763_000_000)).expect("and consistent")
    }

    fn bot_in(world: &mut Discord, overwrites: &[(u64, Whom, Bits, Bits)]) -> Bits {
        let bot = world.bot.id;
        let guild = world.guilds.get_mut(&Snowflake(1000)).unwrap();
        let channel = guild.channels.get_mut(&Snowflake(1011)).unwrap();
        channel.overwrites = overwrites
            .iter()
            .map(|&(id, whom, allow, deny)| Overwrite {
                id: Snowflake(id),
                whom,
                allow,
                deny,
            })
            .collect();
        in_channel(guild, &guild.channels[&Snowflake(1011)], &guild.members[&bot])
    }

    #[test]
    fn denying_view_to_everyone_takes_everything_from_a_bot_without_an_overwrite_of_its_own() {
        let mut world = world("53478928");
        assert_eq!(
            bot_in(&mut world, &[(1000, Whom::Role, Bits::NONE, VIEW_AND_CONNECT)]),
            Bits::NONE
        );
    }

    #[test]
    fn denying_connect_alone_leaves_the_channel_in_sight_but_not_in_hand() {
        let mut world = world("53478928");
        assert_eq!(
            bot_in(&mut world, &[(1000, Whom::Role, Bits::NONE, Bits::CONNECT)]),
            Bits::VIEW_CHANNEL
        );
    }

    #[test]
    fn the_members_own_overwrite_comes_last() {
        let mut world = world("53478928");
        let bot = world.bot.id.0;
        let own = (bot, Whom::Member, VIEW_AND_CONNECT, Bits::NONE);
        assert_eq!(
            bot_in(&mut world, &[own, (1000, Whom::Role, Bits::NONE, VIEW_AND_CONNECT)]),
            Bits(53_478_928)
        );
    }

    #[test]
    fn one_roles_allowance_beats_another_roles_denial() {
        let mut world = world("53478928");
        let bits = bot_in(
            &mut world,
            &[
                (5, Whom::Role, Bits::VIEW_CHANNEL, Bits::NONE),
                (6, Whom::Role, Bits::NONE, Bits::VIEW_CHANNEL),
            ],
        );
        assert_eq!(bits, Bits(53_478_928));
    }

    #[test]
    fn an_administrator_is_above_overwrites() {
        let mut world = world("8");
        assert_eq!(
            bot_in(&mut world, &[(1000, Whom::Role, Bits::NONE, VIEW_AND_CONNECT)]),
            Bits::ALL
        );
    }
}
