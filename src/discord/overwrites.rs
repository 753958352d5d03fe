//! Who may do what in a new match channel or category: the overwrites of its create call. Pure.

use std::collections::BTreeSet;

use twilight_model::{
    channel::permission_overwrite::{PermissionOverwrite, PermissionOverwriteType},
    guild::Permissions,
    id::Id,
};

use crate::{
    discord::channels::NewChannel,
    domain::ids::{GuildId, RoleId, UserId},
};

/// Discord takes at most this many overwrites in one create call (OpenAPI, `CreateGuildChannelRequest`).
const MAX_OVERWRITES: usize = 100;

/// What nobody but the listed people may do. Denying VIEW_CHANNEL takes away all else (docs, "Permissions").
pub(super) const HIDDEN: Permissions = Permissions::VIEW_CHANNEL.union(Permissions::CONNECT);
/// What the bot needs in a hidden channel to see it, move people into it and delete it.
pub(super) const FOR_THE_BOT: Permissions = HIDDEN
    .union(Permissions::MOVE_MEMBERS)
    .union(Permissions::MANAGE_CHANNELS);
/// What a bot needs that only moves people into it.
pub(super) const FOR_A_MOVER: Permissions = HIDDEN.union(Permissions::MOVE_MEMBERS);
/// What a player gets, and staff. Only bits that the bot itself has in the guild may be given away (invite permissions 53478928), and denied
/// as well: a bot that lacks Speak is refused the whole create, with or without spectators, and the refusal names it.
pub(super) const FOR_A_MEMBER: Permissions = HIDDEN.union(Permissions::SPEAK);

/// A new channel's: @everyone out; the bots, the roles and the players in; each of them once. When there are more than Discord takes, players at
/// the end of the list are left out. They are moved in all the same, since moving asks nothing of the one who is moved (facts/discord.md 5.3), but
/// can't come back by themselves.
pub(super) fn overwrites(new: &NewChannel<'_>, movers: &[UserId]) -> Vec<PermissionOverwrite> {
    let staff: BTreeSet<RoleId> = new.staff.iter().copied().collect();
    let spectators: BTreeSet<RoleId> = new
        .spectators
        .iter()
        .copied()
        .filter(|role| !staff.contains(role))
        .collect();
    let everyone = |role: &RoleId| role.get() == new.guild.get();
    let (staff_is_everyone, everyone_looks_on) = (staff.iter().any(everyone), spectators.iter().any(everyone));
    let mut all = vec![match (staff_is_everyone, everyone_looks_on) {
        (true, _) => role(new.guild.get(), FOR_A_MEMBER, Permissions::empty()),
        (false, true) => role(new.guild.get(), HIDDEN, Permissions::SPEAK),
        (false, false) => hidden(new.guild),
    }];
    all.push(member(new.bot, FOR_THE_BOT));
    let movers: BTreeSet<UserId> = movers.iter().copied().filter(|bot| *bot != new.bot).collect();
    all.extend(movers.iter().map(|bot| member(*bot, FOR_A_MOVER)));
    let staff = staff.iter().filter(|role| !everyone(role));
    all.extend(staff.map(|id| role(id.get(), FOR_A_MEMBER, Permissions::empty())));
    let spectators = spectators.iter().filter(|role| !everyone(role));
    all.extend(spectators.map(|id| role(id.get(), HIDDEN, Permissions::SPEAK)));
    all.truncate(MAX_OVERWRITES);
    let players = new.access.iter().copied();
    let players: BTreeSet<UserId> = players
        .filter(|user| *user != new.bot && !movers.contains(user))
        .collect();
    let room = MAX_OVERWRITES - all.len();
    if players.len() > room {
        tracing::warn!(
            channel = new.name,
            players = players.len(),
            "Discord takes {room} players in the access list of a new channel; the others are moved in but can't come back by themselves"
        );
    }
    all.extend(players.into_iter().take(room).map(|user| member(user, FOR_A_MEMBER)));
    all
}

/// A further category's: nobody sees it who sees none of its channels, and the bot may work in it.
pub(super) fn of_a_category(guild: GuildId, bot: UserId) -> Vec<PermissionOverwrite> {
    vec![hidden(guild), member(bot, FOR_THE_BOT)]
}

fn hidden(guild: GuildId) -> PermissionOverwrite {
    role(guild.get(), Permissions::empty(), HIDDEN)
}

fn role(id: u64, allow: Permissions, deny: Permissions) -> PermissionOverwrite {
    PermissionOverwrite {
        allow,
        deny,
        id: Id::new(id),
        kind: PermissionOverwriteType::Role,
    }
}

fn member(user: UserId, allow: Permissions) -> PermissionOverwrite {
    PermissionOverwrite {
        allow,
        deny: Permissions::empty(),
        id: Id::new(user.get()),
        kind: PermissionOverwriteType::Member,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    fn user(id: u64) -> UserId {
        UserId::new(id).unwrap()
    }

    fn roles(ids: &[u64]) -> Vec<RoleId> {
        ids.iter().map(|id| RoleId::new(*id).unwrap()).collect()
    }

    /// `id: allow/deny`, in the order in which they are sent.
    fn listed(staff: &[u64], spectators: &[u64], players: &[u64], movers: &[u64]) -> Vec<String> {
        let (staff, spectators) = (roles(staff), roles(spectators));
        let access: Vec<_> = players.iter().copied().map(user).collect();
        let new = NewChannel {
            guild: GuildId::new(1000).unwrap(),
            name: "blue",
            category: None,
            user_limit: 0,
            bot: user(1),
            access: &access,
            staff: &staff,
            spectators: &spectators,
            reason: "",
            now: Timestamp::UNIX_EPOCH,
        };
        let movers: Vec<_> = movers.iter().copied().map(user).collect();
        let word = |bits: Permissions| match bits {
            bits if bits == HIDDEN => "enter".to_owned(),
            bits if bits == FOR_A_MEMBER => "enter+speak".to_owned(),
            bits if bits == FOR_A_MOVER => "mover".to_owned(),
            bits if bits == FOR_THE_BOT => "bot".to_owned(),
            bits if bits == Permissions::SPEAK => "speak".to_owned(),
            bits => bits.bits().to_string(),
        };
        let all = overwrites(&new, &movers);
        all.iter()
            .map(|one| format!("{}: {}/{}", one.id, word(one.allow), word(one.deny)))
            .collect()
    }

    #[test]
    fn staff_may_speak_spectators_may_listen_and_each_is_listed_once() {
        assert_eq!(
            listed(&[50, 51], &[51, 60], &[7, 1, 2], &[2]),
            [
                "1000: 0/enter",
                "1: bot/0",
                "2: mover/0",
                "50: enter+speak/0",
                "51: enter+speak/0",
                "60: enter/speak",
                "7: enter+speak/0",
            ]
        );
    }

    #[test]
    fn everyone_may_be_staff_or_spectator_too() {
        assert_eq!(listed(&[], &[1000], &[], &[]), ["1000: enter/speak", "1: bot/0"]);
        assert_eq!(listed(&[1000], &[1000], &[], &[]), ["1000: enter+speak/0", "1: bot/0"]);
    }

    #[test]
    fn players_at_the_end_are_left_out_when_discord_takes_no_more() {
        let players: Vec<u64> = (1_001..1_121).collect();
        let all = listed(&[50], &[60], &players, &[2]);
        assert_eq!(all.len(), 100);
        assert_eq!(all[4], "60: enter/speak");
        assert_eq!(all[99], "1095: enter+speak/0");
    }
}
