//! Verdicts on one Discord server: membership, permissions, places, room, further bots. Pure; asks nobody.

use std::collections::{BTreeMap, BTreeSet};

use twilight_model::{channel::ChannelType, guild::Permissions};

use crate::{
    discord::{
        Channel,
        permissions::{Member, in_channel, in_guild, words},
        survey::{Guild, Unlisted},
    },
    doctor::Check,
    domain::{
        ids::{ChannelId, GuildId},
        settings::Settings,
    },
};

/// What the main bot is invited with (facts/discord.md 5).
pub const INVITE_MAIN: u64 = 53_478_928;
pub const INVITE_MOVER: u64 = 17_826_816;

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
const TO_CREATE: Permissions = Permissions::VIEW_CHANNEL.union(Permissions::MANAGE_CHANNELS);
const TO_WRITE: Permissions = Permissions::VIEW_CHANNEL.union(Permissions::SEND_MESSAGES);

/// What Discord takes at most, and from where on it is said.
const CHANNELS: usize = 500;
const CHANNELS_FEW_LEFT: usize = 450;
const IN_CATEGORY: usize = 50;
const IN_CATEGORY_FEW_LEFT: usize = 42;
/// More names than this are not read.
const NAMED: usize = 5;

/// What Muster is to do in a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub guild: GuildId,
    pub category: Option<ChannelId>,
    /// Makes further categories when that one is full.
    pub overflow: bool,
    pub lobby: Option<ChannelId>,
    /// None: people are moved out of any.
    pub sources: BTreeSet<ChannelId>,
    pub reports: Option<ChannelId>,
    /// Set by environment variables, not in the database.
    pub by_environment: bool,
}

impl Wanted {
    pub fn new(settings: &Settings, by_environment: bool) -> Self {
        Self {
            guild: settings.guild,
            category: settings.category,
            overflow: false,
            lobby: settings.lobby,
            sources: BTreeSet::new(),
            reports: None,
            by_environment,
        }
    }

    /// All channels that the settings name.
    pub(super) fn named(&self) -> BTreeSet<ChannelId> {
        let single = [self.category, self.lobby, self.reports];
        single
            .into_iter()
            .flatten()
            .chain(self.sources.iter().copied())
            .collect()
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

/// A bot of DISCORD_MOVER_TOKENS.
pub(super) enum Mover {
    Unusable(String),
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

/// The address at which a bot is invited to a server.
pub(super) fn invite(application: u64, guild: GuildId, permissions: u64) -> String {
    format!(
        "https://discord.com/oauth2/authorize?client_id={application}&scope=bot%20applications.commands&permissions={permissions}\
         &guild_id={guild}&disable_guild_select=true"
    )
}

/// A channel that the settings name, and what it must be.
struct Place {
    what: &'static str,
    /// The variable, and the words for it in the server's own settings.
    setting: (&'static str, &'static str),
    id: ChannelId,
    need: Permissions,
}

pub(super) fn judge(wanted: &Wanted, sight: &Sight) -> Vec<Check> {
    let Some(here) = &sight.here else {
        let remedy = format!("invite it: {}{}", sight.invite, or_correct(wanted));
        return vec![Check::failed(
            format!("server {}", wanted.guild),
            "the bot is no member",
            remedy,
        )];
    };
    let name = format!("server {} ({})", here.guild.name, wanted.guild);
    let judge = Judge {
        wanted,
        here,
        name: &name,
        invite: &sight.invite,
    };
    let mut checks = vec![judge.permissions()];
    checks.extend(judge.two_factors());
    checks.extend(judge.places());
    checks.extend(judge.out_of_anywhere());
    checks.extend(judge.room());
    checks.extend(
        here.movers
            .iter()
            .enumerate()
            .map(|(at, mover)| judge.mover(at + 1, mover)),
    );
    checks
}

fn or_correct(wanted: &Wanted) -> &'static str {
    if wanted.by_environment {
        ", or correct DISCORD_GUILD_ID"
    } else {
        ", or delete the server from Muster's list"
    }
}

struct Judge<'a> {
    wanted: &'a Wanted,
    here: &'a Here,
    name: &'a str,
    invite: &'a str,
}

impl Judge<'_> {
    fn about(&self, what: &str) -> String {
        format!("{}, {what}", self.name)
    }

    fn permissions(&self) -> Check {
        let about = self.about("permissions");
        if self.here.me.timed_out {
            return Check::failed(
                about,
                "the bot is timed out",
                "right-click the bot in the member list → Remove Timeout",
            );
        }
        let have = in_guild(&self.here.guild.roles, &self.here.me);
        let missing = NEEDED - have;
        if !missing.is_empty() {
            let what = format!("the bot lacks {} for the whole server", words(missing));
            let remedy = format!(
                "grant them to its role in Server Settings → Roles (in a category alone is not enough), or invite it again: {}",
                self.invite
            );
            return Check::failed(about, what, remedy);
        }
        let administrator = have.contains(Permissions::ADMINISTRATOR);
        let more = if administrator {
            "; it is an administrator, which is more than it needs"
        } else if have.contains(Permissions::MANAGE_ROLES) {
            "; with Manage Roles, substitutes can come back by themselves"
        } else {
            "; without Manage Roles, substitutes are moved in but can't come back by themselves"
        };
        Check::ok(about, format!("{}{more}", words(NEEDED)))
    }

    fn two_factors(&self) -> Option<Check> {
        let administers = in_guild(&self.here.guild.roles, &self.here.me);
        (self.here.guild.wants_two_factors && administers.contains(Permissions::MANAGE_CHANNELS)).then(|| {
            Check::warning(
                self.about("two-factor authentication"),
                "the server asks for it of whoever manages channels",
                "turn it on for the Discord account that owns the bot, or Manage Channels does not work",
            )
        })
    }

    fn places(&self) -> Vec<Check> {
        let place = |what, setting, id, need| Place {
            what,
            setting,
            id,
            need,
        };
        let wanted = self.wanted;
        let category = wanted
            .category
            .map(|id| place("category", ("VC_CATEGORY_ID", "category"), id, TO_CREATE));
        let lobby = wanted
            .lobby
            .map(|id| place("lobby", ("LOBBY_CHANNEL_ID", "lobby"), id, TO_MOVE));
        let source = |id| place("source channel", ("SOURCE_CHANNEL_IDS", "source channels"), id, TO_MOVE);
        let reports = wanted
            .reports
            .map(|id| place("report channel", ("REPORT_CHANNEL_ID", "report channel"), id, TO_WRITE));
        let sources = wanted.sources.iter().copied().map(source);
        let all = category.into_iter().chain(lobby).chain(sources).chain(reports);
        all.map(|place| self.place(&place)).collect()
    }

    fn place(&self, place: &Place) -> Check {
        let about = self.about(place.what);
        let id = place.id;
        let (variable, words_for_it) = place.setting;
        let correct = if self.wanted.by_environment {
            format!("set {variable} to another one, or to none")
        } else {
            format!("name another one in the server's settings ({words_for_it})")
        };
        let Some(channel) = self.here.channels.iter().find(|channel| channel.id.get() == id.get()) else {
            return match self.here.unlisted.get(&id) {
                Some(Unlisted::Hidden) => Check::failed(
                    about,
                    format!("channel {id} is hidden from the bot: it lacks View Channel there"),
                    format!(
                        "allow the bot View Channel, Connect and Move Members in Edit Channel → Permissions of {id}, or {correct}"
                    ),
                ),
                Some(Unlisted::Elsewhere(other)) => Check::failed(
                    about,
                    format!("channel {id} belongs to another server, {other}"),
                    correct,
                ),
                _ => Check::failed(about, format!("there is no channel {id} any more"), correct),
            };
        };
        let named = named(channel);
        let (kinds, kind): (&[ChannelType], _) = match place.what {
            "category" => (&[ChannelType::GuildCategory], "a category"),
            "report channel" => (
                &[ChannelType::GuildText, ChannelType::GuildAnnouncement],
                "a text channel",
            ),
            _ => (
                &[ChannelType::GuildVoice, ChannelType::GuildStageVoice],
                "a voice channel",
            ),
        };
        if !kinds.contains(&channel.kind) {
            return Check::failed(about, format!("{named} is not {kind}"), correct);
        }
        let missing = place.need - self.rights(&self.here.me, channel);
        if missing.is_empty() {
            return Check::ok(about, named);
        }
        let menu = if place.what == "category" {
            "Edit Category"
        } else {
            "Edit Channel"
        };
        Check::failed(
            about,
            format!(
                "the bot lacks {} in {named}{}",
                words(missing),
                self.denied(channel, &self.here.me)
            ),
            format!("allow them for the bot or its role in {menu} → Permissions of {named}"),
        )
    }

    fn rights(&self, member: &Member, channel: &Channel) -> Permissions {
        let voice = matches!(channel.kind, ChannelType::GuildVoice | ChannelType::GuildStageVoice);
        in_channel(&self.here.guild.roles, member, &channel.permission_overwrites, voice)
    }

    /// Which of the channel's overwrites deny the member something that matters.
    fn denied(&self, channel: &Channel, member: &Member) -> String {
        let matters = NEEDED | Permissions::SEND_MESSAGES;
        let roles = &self.here.guild.roles;
        let denying: Vec<String> = channel
            .permission_overwrites
            .iter()
            .filter(|overwrite| overwrite.deny.intersects(matters))
            .filter_map(|overwrite| match (overwrite.kind, overwrite.id.get()) {
                (0, id) if id == roles.guild => Some("@everyone".to_owned()),
                (0, id) if member.roles.contains(&id) => {
                    let name = self.here.guild.role_names.get(&id);
                    Some(name.map_or_else(|| format!("role {id}"), |name| format!("role {name}")))
                }
                (1, id) if id == member.id => Some("the bot itself".to_owned()),
                _ => None,
            })
            .collect();
        if denying.is_empty() {
            String::new()
        } else {
            format!(" (denied there to {})", denying.join(", "))
        }
    }

    /// Without source channels, people sit anywhere.
    fn out_of_anywhere(&self) -> Option<Check> {
        if !self.wanted.sources.is_empty() {
            return None;
        }
        let stuck: Vec<String> = self
            .here
            .channels
            .iter()
            .filter(|channel| {
                channel.kind == ChannelType::GuildVoice
                    && self.wanted.lobby.is_none_or(|lobby| lobby.get() != channel.id.get())
                    && !self.rights(&self.here.me, channel).contains(TO_MOVE)
            })
            .map(named)
            .collect();
        (!stuck.is_empty()).then(|| {
            Check::warning(
                self.about("voice channels"),
                format!("the bot can't move anybody out of {}", few(&stuck)),
                "allow it Connect and Move Members in Edit Channel → Permissions of each, or name source channels so that \
                 nobody expects it",
            )
        })
    }

    fn room(&self) -> Vec<Check> {
        let all = self.here.channels.len();
        let text = |used: usize, most: usize, place: &str| {
            format!("{used} of {most} channels in {place} (those hidden from the bot are not counted)")
        };
        let remedy = "delete channels that nobody needs: each running match takes two";
        let about = self.about("room");
        let what = text(all, CHANNELS, "the server");
        let mut checks = vec![if all >= CHANNELS {
            Check::failed(about, what, remedy)
        } else if all >= CHANNELS_FEW_LEFT {
            Check::warning(about, what, remedy)
        } else {
            Check::ok(about, what)
        }];
        if let Some(category) = self.wanted.category {
            let inside = |channel: &&Channel| channel.parent_id.is_some_and(|parent| parent.get() == category.get());
            let used = self.here.channels.iter().filter(inside).count();
            let about = self.about("room in the category");
            let what = text(used, IN_CATEGORY, "the category");
            checks.push(if used < IN_CATEGORY_FEW_LEFT || self.wanted.overflow {
                Check::ok(about, what)
            } else if used < IN_CATEGORY {
                Check::warning(about, what, remedy)
            } else {
                Check::failed(about, what, remedy)
            });
        }
        checks
    }

    fn mover(&self, number: usize, mover: &Mover) -> Check {
        const WITHOUT: &str = "the other bots do its moves, more slowly";
        let about = |name: &str| self.about(&format!("mover bot {number}{name}"));
        match mover {
            Mover::Unusable(why) => Check::warning(
                about(""),
                format!("{why}; {WITHOUT}"),
                format!(
                    "correct the token number {number} of DISCORD_MOVER_TOKENS: its application → Bot → Reset Token"
                ),
            ),
            Mover::Away { name, invite } => Check::warning(
                about(&format!(" {name}")),
                format!("it is no member; {WITHOUT}"),
                format!("invite it: {invite}"),
            ),
            Mover::Here { name, member, invite } => {
                let about = about(&format!(" {name}"));
                let missing = TO_MOVE - in_guild(&self.here.guild.roles, member);
                if member.timed_out {
                    let remedy = "right-click the bot in the member list → Remove Timeout";
                    return Check::warning(about, format!("it is timed out; {WITHOUT}"), remedy);
                }
                if !missing.is_empty() {
                    return Check::warning(
                        about,
                        format!("it lacks {} for the whole server; {WITHOUT}", words(missing)),
                        format!("grant them to its role in Server Settings → Roles, or invite it again: {invite}"),
                    );
                }
                let places = self.wanted.lobby.iter().chain(&self.wanted.sources);
                let stuck: Vec<String> = places
                    .filter_map(|id| self.here.channels.iter().find(|channel| channel.id.get() == id.get()))
                    .filter(|channel| !self.rights(member, channel).contains(TO_MOVE))
                    .map(named)
                    .collect();
                if !stuck.is_empty() {
                    return Check::warning(
                        about,
                        format!("it can't move anybody into or out of {}; {WITHOUT}", few(&stuck)),
                        "allow it View Channel, Connect and Move Members in Edit Channel → Permissions of each",
                    );
                }
                Check::ok(about, "shares the moves")
            }
        }
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
