//! The channels and roles that a server's settings name: whether they are there, of the right kind, and what the bot may do in them.

use twilight_model::{channel::ChannelType, guild::Permissions};

use super::{Judge, NEEDED, TO_MOVE, few, named};
use crate::{
    discord::{
        Channel,
        permissions::{Member, words},
        survey::Unlisted,
    },
    doctor::Check,
    domain::ids::ChannelId,
};

const TO_CREATE: Permissions = Permissions::VIEW_CHANNEL.union(Permissions::MANAGE_CHANNELS);
const TO_WRITE: Permissions = Permissions::VIEW_CHANNEL.union(Permissions::SEND_MESSAGES);

/// What a channel of the settings is for.
#[derive(Clone, Copy)]
struct Purpose {
    what: &'static str,
    /// The variable, and the word for it in the server's own settings.
    setting: (&'static str, &'static str),
    need: Permissions,
    kinds: &'static [ChannelType],
    /// The kinds in words.
    kind: &'static str,
}

const VOICE: &[ChannelType] = &[ChannelType::GuildVoice, ChannelType::GuildStageVoice];
const CATEGORY: Purpose = Purpose {
    what: "category",
    setting: ("VC_CATEGORY_ID", "category"),
    need: TO_CREATE,
    kinds: &[ChannelType::GuildCategory],
    kind: "a category",
};
const LOBBY: Purpose = Purpose {
    what: "lobby",
    setting: ("LOBBY_CHANNEL_ID", "lobby"),
    need: TO_MOVE,
    kinds: VOICE,
    kind: "a voice channel",
};
const SOURCE: Purpose = Purpose {
    what: "source channel",
    setting: ("SOURCE_CHANNEL_IDS", "source_channels"),
    ..LOBBY
};
const REPORTS: Purpose = Purpose {
    what: "report channel",
    // No variable: it is in the server's own settings only.
    setting: ("report_channel", "report_channel"),
    need: TO_WRITE,
    kinds: &[ChannelType::GuildText, ChannelType::GuildAnnouncement],
    kind: "a text channel",
};

pub(super) fn is_voice(channel: &Channel) -> bool {
    VOICE.contains(&channel.kind)
}

impl Judge<'_> {
    pub(super) fn places(&self) -> Vec<Check> {
        let settings = &self.wanted.settings;
        let named = [
            (CATEGORY, settings.category),
            (LOBBY, settings.lobby),
            (REPORTS, settings.report_channel),
        ];
        let named = named.into_iter().filter_map(|(purpose, id)| Some((purpose, id?)));
        let sources = settings.source_channels.iter().map(|id| (SOURCE, *id));
        named
            .chain(sources)
            .map(|(purpose, id)| self.place(&purpose, id))
            .collect()
    }

    fn place(&self, purpose: &Purpose, id: ChannelId) -> Check {
        let about = self.about(purpose.what);
        let (variable, key) = purpose.setting;
        let correct = format!("{}: another one, or none", self.wanted.set(variable, key));
        let Some(channel) = self.here.channels.iter().find(|channel| channel.id.get() == id.get()) else {
            return self.not_listed(purpose, id, &correct);
        };
        let name = named(channel);
        if !purpose.kinds.contains(&channel.kind) {
            return Check::failed(about, format!("{name} is not {}", purpose.kind), correct);
        }
        let mut missing = self.taken_away(&self.here.me, channel, purpose.need);
        let have = self.rights(&self.here.me, channel);
        if missing.is_empty() && have.contains(Permissions::VIEW_CHANNEL) && !self.here.me.timed_out {
            // To write is needed nowhere else, so it is not said for the whole server.
            missing = (purpose.need - NEEDED) - have;
            if missing.is_empty() && purpose.what == REPORTS.what && !have.contains(Permissions::READ_MESSAGE_HISTORY) {
                return Check::warning(
                    about,
                    format!(
                        "the bot lacks Read Message History in {name}: a report whose answer was lost in an outage may be posted twice"
                    ),
                    format!("allow it for the bot's role in Edit Channel → Permissions of {name}"),
                );
            }
        }
        if missing.is_empty() {
            return Check::ok(about, name);
        }
        let menu = if purpose.what == CATEGORY.what {
            "Edit Category"
        } else {
            "Edit Channel"
        };
        Check::failed(
            about,
            format!(
                "the bot lacks {} in {name}{}",
                words(missing),
                self.denied(channel, &self.here.me)
            ),
            format!("allow it for the bot's role in {menu} → Permissions of {name}"),
        )
    }

    /// Discord leaves out of its list what the bot may not see.
    fn not_listed(&self, purpose: &Purpose, id: ChannelId, correct: &str) -> Check {
        let about = self.about(purpose.what);
        match self.here.unlisted.get(&id) {
            Some(Unlisted::Hidden) => Check::failed(
                about,
                format!("channel {id} is hidden from the bot: it lacks View Channel there"),
                format!(
                    "allow {} for the bot's role in the channel's own permissions (right-click → Edit → Permissions), or {correct}",
                    words(purpose.need)
                ),
            ),
            Some(Unlisted::Elsewhere(other)) => Check::failed(
                about,
                format!("channel {id} belongs to another server, {other}"),
                correct,
            ),
            // It came into being between the two looks.
            Some(Unlisted::Here) => Check::ok(about, format!("channel {id}")),
            Some(Unlisted::Gone) | None => Check::failed(about, format!("there is no channel {id}"), correct),
        }
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
                (0, id) if member.roles.contains(&id) => Some(format!("role {}", self.role(id))),
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

    fn role(&self, id: u64) -> String {
        let name = self.here.guild.role_names.get(&id);
        name.cloned().unwrap_or_else(|| id.to_string())
    }

    /// Without source channels, people sit anywhere.
    pub(super) fn out_of_anywhere(&self) -> Option<Check> {
        if !self.wanted.settings.source_channels.is_empty() {
            return None;
        }
        let lobby = self.wanted.settings.lobby;
        let stuck: Vec<String> = self
            .here
            .channels
            .iter()
            .filter(|channel| {
                channel.kind == ChannelType::GuildVoice
                    && lobby.is_none_or(|lobby| lobby.get() != channel.id.get())
                    && !self.taken_away(&self.here.me, channel, TO_MOVE).is_empty()
            })
            .map(named)
            .collect();
        (!stuck.is_empty()).then(|| {
            let set = self.wanted.set("SOURCE_CHANNEL_IDS", "source_channels");
            Check::warning(
                self.about("voice channels"),
                format!("players who sit in {} can't be moved", few(&stuck)),
                format!(
                    "allow the bot's role Connect and Move Members in Edit Channel → Permissions of each; or {set}, so that only \
                     some channels count"
                ),
            )
        })
    }

    /// The roles that may enter every match channel.
    pub(super) fn roles(&self) -> Vec<Check> {
        let settings = &self.wanted.settings;
        let kinds = [
            ("staff roles", &settings.staff_roles, "STAFF_ROLE_IDS", "staff_roles"),
            (
                "spectator roles",
                &settings.spectator_roles,
                "SPECTATOR_ROLE_IDS",
                "spectator_roles",
            ),
        ];
        let set = kinds.into_iter().filter(|(_, roles, ..)| !roles.is_empty());
        set.map(|(what, roles, variable, key)| {
            let about = self.about(what);
            let known = &self.here.guild.roles.permissions;
            let unknown = roles.iter().filter(|role| !known.contains_key(&role.get()));
            let unknown: Vec<String> = unknown.map(ToString::to_string).collect();
            if !unknown.is_empty() {
                let set = self.wanted.set(variable, key);
                return Check::failed(
                    about,
                    format!("there is no role {}", few(&unknown)),
                    format!("{set} to roles that exist (right-click the role → Copy Role ID)"),
                );
            }
            let names: Vec<String> = roles.iter().map(|role| self.role(role.get())).collect();
            if roles.iter().any(|role| role.get() == self.here.guild.roles.guild) {
                let set = self.wanted.set(variable, key);
                return Check::warning(
                    about,
                    "@everyone is among them: anybody may enter every match channel",
                    format!("{set}, without the server's own id"),
                );
            }
            Check::ok(about, few(&names))
        })
        .collect()
    }
}
