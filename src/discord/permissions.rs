//! What a member may do in a server and in one of its channels, and the words that Discord shows for it. Pure; asks nobody.

use std::collections::{BTreeMap, BTreeSet};

use twilight_model::guild::Permissions;

use crate::discord::channels::Overwrite;

/// Who may do what in a server, as far as roles go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    pub guild: u64,
    pub owner: u64,
    /// @everyone has the server's own id.
    pub permissions: BTreeMap<u64, Permissions>,
}

/// A member, as far as permissions go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    pub id: u64,
    pub roles: BTreeSet<u64>,
    /// Put on hold by a moderator: may only look on.
    pub timed_out: bool,
}

/// What is left to those who are timed out (docs, "Permissions").
const WHILE_TIMED_OUT: Permissions = Permissions::VIEW_CHANNEL.union(Permissions::READ_MESSAGE_HISTORY);

/// In the server as a whole.
pub fn in_guild(roles: &Roles, member: &Member) -> Permissions {
    let of = |role: &u64| roles.permissions.get(role).copied().unwrap_or_else(Permissions::empty);
    let granted = member.roles.iter().map(of).fold(of(&roles.guild), Permissions::union);
    if member.id == roles.owner || granted.contains(Permissions::ADMINISTRATOR) {
        Permissions::all()
    } else if member.timed_out {
        granted & WHILE_TIMED_OUT
    } else {
        granted
    }
}

/// In one channel: overwrites for everyone, then for roles, then for the member; and what goes with a denied View Channel or Connect
/// (facts/discord.md 5: everything, without being denied itself).
pub fn in_channel(roles: &Roles, member: &Member, overwrites: &[Overwrite], voice: bool) -> Permissions {
    let base = in_guild(roles, member);
    if base.contains(Permissions::ADMINISTRATOR) {
        return base;
    }
    let mut bits = base;
    let mut apply = |chosen: &dyn Fn(&Overwrite) -> bool| {
        let chosen: Vec<_> = overwrites.iter().filter(|overwrite| chosen(overwrite)).collect();
        for overwrite in &chosen {
            bits -= overwrite.deny;
        }
        for overwrite in &chosen {
            bits |= overwrite.allow;
        }
    };
    apply(&|overwrite| overwrite.kind == 0 && overwrite.id.get() == roles.guild);
    apply(&|overwrite| {
        let id = overwrite.id.get();
        overwrite.kind == 0 && id != roles.guild && member.roles.contains(&id)
    });
    apply(&|overwrite| overwrite.kind == 1 && overwrite.id.get() == member.id);
    if member.timed_out {
        bits &= WHILE_TIMED_OUT;
    }
    if !bits.contains(Permissions::VIEW_CHANNEL) {
        Permissions::empty()
    } else if voice && !bits.contains(Permissions::CONNECT) {
        bits & Permissions::VIEW_CHANNEL
    } else {
        bits
    }
}

/// As Discord's settings name them; some have another name in a channel's settings.
const WORDS: [(Permissions, &str); 10] = [
    (Permissions::ADMINISTRATOR, "Administrator"),
    (Permissions::VIEW_CHANNEL, "View Channels"),
    (Permissions::MANAGE_CHANNELS, "Manage Channels"),
    (Permissions::MANAGE_ROLES, "Manage Roles"),
    (Permissions::CONNECT, "Connect"),
    (Permissions::SPEAK, "Speak"),
    (Permissions::STREAM, "Video"),
    (Permissions::USE_VAD, "Use Voice Activity"),
    (Permissions::MOVE_MEMBERS, "Move Members"),
    (Permissions::SEND_MESSAGES, "Send Messages"),
];

/// `Connect and Move Members`.
pub fn words(permissions: Permissions) -> String {
    let mut names: Vec<String> = WORDS
        .iter()
        .filter(|(bit, _)| permissions.contains(*bit))
        .map(|(_, word)| (*word).to_owned())
        .collect();
    let named = WORDS.iter().fold(Permissions::empty(), |all, (bit, _)| all | *bit);
    let others = permissions - named;
    if !others.is_empty() {
        names.push(format!("what has the number {}", others.bits()));
    }
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => "nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use twilight_model::id::Id;

    use super::*;

    const GUILD: u64 = 1000;
    const ME: u64 = 9;
    const ROLE: u64 = 5;
    const OTHER: u64 = 6;
    const HIDDEN: Permissions = Permissions::VIEW_CHANNEL.union(Permissions::CONNECT);
    const INVITED: Permissions = Permissions::from_bits_retain(53_478_928);

    fn roles(granted: Permissions) -> Roles {
        Roles {
            guild: GUILD,
            owner: 1,
            permissions: BTreeMap::from([
                (GUILD, Permissions::empty()),
                (ROLE, granted),
                (OTHER, Permissions::empty()),
            ]),
        }
    }

    fn me() -> Member {
        Member {
            id: ME,
            roles: BTreeSet::from([ROLE, OTHER]),
            timed_out: false,
        }
    }

    fn overwrite(id: u64, kind: u8, allow: Permissions, deny: Permissions) -> Overwrite {
        let id = Id::new(id);
        Overwrite { id, kind, allow, deny }
    }

    fn left(overwrites: &[Overwrite]) -> Permissions {
        in_channel(&roles(INVITED), &me(), overwrites, true)
    }

    const NONE: Permissions = Permissions::empty();

    #[test]
    fn a_denied_view_takes_everything_and_a_denied_connect_all_but_the_view() {
        assert_eq!(left(&[]), INVITED);
        assert_eq!(left(&[overwrite(GUILD, 0, NONE, HIDDEN)]), NONE);
        let connect = [overwrite(GUILD, 0, NONE, Permissions::CONNECT)];
        assert_eq!(left(&connect), Permissions::VIEW_CHANNEL);
        let in_a_category = in_channel(&roles(INVITED), &me(), &connect, false);
        assert_eq!(in_a_category, INVITED - Permissions::CONNECT);
    }

    #[test]
    fn the_members_own_overwrite_beats_those_of_roles_and_these_that_of_everyone() {
        let hidden = overwrite(GUILD, 0, NONE, HIDDEN);
        assert_eq!(left(&[overwrite(ME, 1, HIDDEN, NONE), hidden.clone()]), INVITED);
        let by_role = [
            overwrite(OTHER, 0, HIDDEN, NONE),
            hidden.clone(),
            overwrite(ROLE, 0, NONE, HIDDEN),
        ];
        assert_eq!(left(&by_role), INVITED, "one role's leave beats another's denial");
        let own = [by_role.as_slice(), &[overwrite(ME, 1, NONE, Permissions::VIEW_CHANNEL)]].concat();
        assert_eq!(left(&own), NONE);
        assert_eq!(
            left(&[overwrite(77, 0, NONE, HIDDEN), overwrite(78, 1, NONE, HIDDEN)]),
            INVITED,
            "of others"
        );
    }

    #[test]
    fn administrators_and_the_owner_are_above_overwrites_and_a_timed_out_member_only_looks_on() {
        let hidden = [overwrite(ME, 1, NONE, HIDDEN)];
        let administrator = roles(Permissions::ADMINISTRATOR);
        assert_eq!(in_channel(&administrator, &me(), &hidden, true), Permissions::all());
        let owner = Member { id: 1, ..me() };
        assert_eq!(in_guild(&roles(NONE), &owner), Permissions::all());
        let timed_out = Member {
            timed_out: true,
            ..me()
        };
        assert_eq!(in_guild(&roles(INVITED), &timed_out), Permissions::VIEW_CHANNEL);
        assert_eq!(
            in_channel(&roles(INVITED), &timed_out, &[], true),
            Permissions::VIEW_CHANNEL
        );
    }

    #[test]
    fn permissions_have_the_words_of_discords_own_settings() {
        assert_eq!(
            words(Permissions::CONNECT | Permissions::MOVE_MEMBERS),
            "Connect and Move Members"
        );
        assert_eq!(
            words(HIDDEN | Permissions::MANAGE_CHANNELS),
            "View Channels, Manage Channels and Connect"
        );
        assert_eq!(words(Permissions::BAN_MEMBERS), "what has the number 4");
        assert_eq!(words(NONE), "nothing");
    }
}
