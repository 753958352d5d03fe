//! The bots of `DISCORD_MOVER_TOKENS` in one server: whether each is there and may move people where people are.

use super::{Judge, TO_MOVE, few, named};
use crate::{
    discord::permissions::{Member, in_guild, words},
    doctor::Check,
};

/// What was found out about one of them.
pub(in crate::doctor) enum Mover {
    /// Discord gave no answer about it.
    Unknown {
        name: String,
        why: String,
    },
    Away {
        name: String,
        invite: String,
    },
    Here {
        name: String,
        member: Member,
        invite: String,
    },
}

/// What it means that one is missing.
const WITHOUT: &str = "the other bots do its moves, more slowly";

impl Judge<'_> {
    pub(super) fn movers(&self) -> Vec<Check> {
        self.here.movers.iter().map(|mover| self.mover(mover)).collect()
    }

    fn mover(&self, mover: &Mover) -> Check {
        let about = |name: &str| self.about(&format!("mover bot {name}"));
        match mover {
            Mover::Unknown { name, why } => {
                let remedy = "look again; the others go on meanwhile";
                Check::warning(about(name), format!("{why}; {WITHOUT}"), remedy)
            }
            Mover::Away { name, invite } => Check::warning(
                about(name),
                format!("it is no member; {WITHOUT}"),
                format!("invite it: {invite}"),
            ),
            Mover::Here { name, member, invite } => self.mover_here(about(name), member, invite),
        }
    }

    fn mover_here(&self, about: String, member: &Member, invite: &str) -> Check {
        if member.timed_out {
            let remedy = "right-click the bot in the member list → Remove Timeout";
            return Check::warning(about, format!("it is timed out; {WITHOUT}"), remedy);
        }
        let missing = TO_MOVE - in_guild(&self.here.guild.roles, member);
        if !missing.is_empty() {
            return Check::warning(
                about,
                format!("it lacks {} for the whole server; {WITHOUT}", words(missing)),
                format!("grant it to its role in Server Settings → Roles, or invite it again: {invite}"),
            );
        }
        let settings = &self.wanted.settings;
        let places = settings.lobby.iter().chain(&settings.source_channels);
        let stuck: Vec<String> = places
            .filter_map(|id| self.here.channels.iter().find(|channel| channel.id.get() == id.get()))
            .filter(|channel| !self.taken_away(member, channel, TO_MOVE).is_empty())
            .map(named)
            .collect();
        if !stuck.is_empty() {
            return Check::warning(
                about,
                format!("it can't move anybody into or out of {}; {WITHOUT}", few(&stuck)),
                "allow its role View Channel, Connect and Move Members in Edit Channel → Permissions of each",
            );
        }
        Check::ok(about, "shares the moves")
    }
}
