//! Verdicts on one Discord server: membership, permissions, what is parked there; places, roles, room and further bots in the files below. Pure.

mod movers;
mod places;
mod room;

use std::collections::BTreeMap;

use twilight_model::guild::Permissions;

use crate::{
    discord::{
        Channel,
        permissions::{Member, in_channel, in_guild, words},
        survey::{Guild, Unlisted},
    },
    doctor::{Check, Verdict},
    domain::{
        ids::{ChannelId, GuildId},
        settings::Settings,
    },
    store::standing::Stuck,
};

pub(super) use movers::Mover;

/// What the main bot is invited with (facts/discord.md 5).
pub(super) const INVITE_MAIN: u64 = 53_478_928;
pub(super) const INVITE_MOVER: u64 = 17_826_816;

/// What Muster can't do without, in the server as a whole: it may give away in a new channel only what it has there.
const NEEDED: Permissions = Permissions::VIEW_CHANNEL
    .union(Permissions::MANAGE_CHANNELS)
    .union(Permissions::CONNECT)
    .union(Permissions::SPEAK)
    .union(Permissions::MOVE_MEMBERS);
/// Of somebody who moves people into or out of a channel.
const TO_MOVE: Permissions = Permissions::VIEW_CHANNEL
    .union(Permissions::CONNECT)
    .union(Permissions::MOVE_MEMBERS);

/// More names than this are not read.
const NAMED: usize = 5;

/// A server that Muster works in, as far as Muster itself knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub settings: Settings,
    /// Set by environment variables, not in the database.
    pub by_environment: bool,
    /// It gets the matches that nobody claims.
    pub is_default: bool,
    /// How many hubs, championships and organizers it claims.
    pub claims: usize,
    pub open_matches: i64,
    /// What waits for a person in its matches, the longest waiting first.
    pub stuck: Vec<Stuck>,
}

impl Wanted {
    pub(super) fn guild(&self) -> GuildId {
        self.settings.guild
    }

    /// All channels that the settings name.
    pub(super) fn named(&self) -> Vec<ChannelId> {
        let settings = &self.settings;
        let single = [settings.category, settings.lobby, settings.report_channel];
        let sources = settings.source_channels.iter().copied();
        single.into_iter().flatten().chain(sources).collect()
    }

    /// How a setting is changed: the variable, or the word in the server's own settings.
    fn set(&self, variable: &str, key: &str) -> String {
        if self.by_environment {
            format!("set {variable}")
        } else {
            format!("run `muster guilds set {key}=… --guild {}`", self.guild())
        }
    }
}

/// What was seen of a server.
pub(super) struct Sight {
    /// The address that invites the bot to it.
    pub invite: String,
    /// None: the bot is no member.
    pub here: Option<Here>,
}

pub(super) struct Here {
    pub guild: Guild,
    pub me: Member,
    pub channels: Vec<Channel>,
    /// Channels of the settings that are not among those.
    pub unlisted: BTreeMap<ChannelId, Unlisted>,
    pub movers: Vec<Mover>,
}

/// The address at which a bot is invited to a server.
pub(super) fn invite(application: u64, guild: GuildId, permissions: u64) -> String {
    format!(
        "https://discord.com/oauth2/authorize?client_id={application}&scope=bot%20applications.commands&permissions={permissions}\
         &guild_id={guild}&disable_guild_select=true"
    )
}

/// In a paused server nothing is a failure: nothing is done there.
pub(super) fn judge(wanted: &Wanted, sight: &Sight) -> Vec<Check> {
    let mut checks = match &sight.here {
        None => vec![stranger(wanted, &sight.invite)],
        Some(here) => {
            let judge = Judge {
                wanted,
                here,
                name: format!("server {} ({})", here.guild.name, wanted.guild()),
                invite: &sight.invite,
            };
            judge.all()
        }
    };
    if wanted.settings.paused {
        for check in &mut checks {
            check.verdict = check.verdict.min(Verdict::Warning);
        }
    }
    checks
}

fn stranger(wanted: &Wanted, invite: &str) -> Check {
    let guild = wanted.guild();
    let or = if wanted.by_environment {
        "correct DISCORD_GUILD_ID".to_owned()
    } else {
        format!("give the server up with `muster guilds pause --guild {guild}`")
    };
    let what = match wanted.open_matches {
        0 => "the bot is no member".to_owned(),
        open => format!("the bot is no member, and {open} open matches wait there"),
    };
    Check::failed(
        format!("server {guild}"),
        what,
        format!("let somebody with Manage Server open {invite} , or {or}"),
    )
}

struct Judge<'a> {
    wanted: &'a Wanted,
    here: &'a Here,
    name: String,
    invite: &'a str,
}

impl Judge<'_> {
    fn all(&self) -> Vec<Check> {
        let mut checks = vec![self.permissions()];
        checks.extend(self.two_factors());
        checks.extend(self.places());
        checks.extend(self.out_of_anywhere());
        checks.extend(self.roles());
        checks.extend(self.room());
        checks.extend(self.movers());
        checks.extend(self.claims());
        checks.push(self.matches());
        checks
    }

    fn about(&self, what: &str) -> String {
        format!("{}, {what}", self.name)
    }

    fn permissions(&self) -> Check {
        let about = self.about("permissions");
        if self.here.me.timed_out {
            return Check::failed(
                about,
                "the bot is timed out: it may do nothing",
                "right-click the bot in the member list → Remove Timeout",
            );
        }
        let have = in_guild(&self.here.guild.roles, &self.here.me);
        let missing = NEEDED - have;
        if !missing.is_empty() {
            let what = format!("the bot lacks {} for the whole server", words(missing));
            let remedy = format!(
                "grant it to the bot's role in Server Settings → Roles (in a category alone is not enough), or invite the bot again: {}",
                self.invite
            );
            return Check::failed(about, what, remedy);
        }
        let more = if have.contains(Permissions::ADMINISTRATOR) {
            "; as an administrator it has more than it needs"
        } else if have.contains(Permissions::MANAGE_ROLES) {
            "; with Manage Roles, who may enter follows the roster"
        } else {
            "; without Manage Roles, a substitute is moved in but can't come back by himself"
        };
        Check::ok(about, format!("{}{more}", words(NEEDED)))
    }

    fn two_factors(&self) -> Option<Check> {
        let administers = in_guild(&self.here.guild.roles, &self.here.me);
        (self.here.guild.wants_two_factors && administers.contains(Permissions::MANAGE_CHANNELS)).then(|| {
            Check::warning(
                self.about("two-factor authentication"),
                "the server asks for it of whoever manages channels",
                "turn it on for the Discord account that owns the bot's application, or Manage Channels does not work",
            )
        })
    }

    /// A server without matches of its own has nothing to do.
    fn claims(&self) -> Option<Check> {
        if self.wanted.is_default || self.wanted.claims > 0 {
            return None;
        }
        Some(Check::warning(
            self.about("claims"),
            "it claims no hub, championship or organizer: no new match is its own",
            format!(
                "run `muster guilds claim hub <FACEIT's id of it> --guild {}`",
                self.wanted.guild()
            ),
        ))
    }

    fn matches(&self) -> Check {
        let about = self.about("matches");
        let open = match self.wanted.open_matches {
            0 => "none is open".to_owned(),
            1 => "one is open".to_owned(),
            open => format!("{open} are open"),
        };
        if self.wanted.settings.paused {
            return Check::warning(
                about,
                format!("the server is paused, nothing is done here; {open}"),
                format!("run `muster guilds resume --guild {}`", self.wanted.guild()),
            );
        }
        let Some(first) = self.wanted.stuck.first() else {
            return Check::ok(about, open);
        };
        let others = match self.wanted.stuck.len() - 1 {
            0 => String::new(),
            others => format!(" (and {others} more)"),
        };
        Check::warning(
            about,
            format!("{open}; waiting for a person: {}: {}{others}", first.id, first.why),
            format!(
                "do what it says; it is tried again within 10 minutes. `muster plan {}` shows all of it",
                first.id
            ),
        )
    }

    fn rights(&self, member: &Member, channel: &Channel) -> Permissions {
        let overwrites = &channel.permission_overwrites;
        in_channel(&self.here.guild.roles, member, overwrites, places::is_voice(channel))
    }

    /// What the channel itself takes away of that; what is missing in the whole server is said there, once.
    fn taken_away(&self, member: &Member, channel: &Channel, need: Permissions) -> Permissions {
        let without = in_channel(&self.here.guild.roles, member, &[], places::is_voice(channel));
        (need & without) - self.rights(member, channel)
    }
}

/// `Lobby (1011)`.
fn named(channel: &Channel) -> String {
    let name = channel.name.as_deref().unwrap_or("a channel");
    format!("{name} ({})", channel.id)
}

fn few(names: &[String]) -> String {
    match names.get(..NAMED) {
        Some(first) if names.len() > NAMED => format!("{} and {} more", first.join(", "), names.len() - NAMED),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests;
