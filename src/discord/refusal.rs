//! Discord's error codes, put into the domain's outcomes and into words that tell a person what to do, and where. Pure.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    discord::error::Error,
    domain::{
        ids::{ChannelId, GuildId},
        plan::{Outcome, Seat},
    },
};

/// A 4xx answer in Discord's own form.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub status: StatusCode,
    pub body: Body,
}

/// `{"code": 50013, "message": "Missing Permissions", "errors": {…}}`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Body {
    pub code: u64,
    pub message: String,
    #[serde(default)]
    errors: Value,
}

/// What was tried, for the explanation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Doing {
    Create {
        guild: GuildId,
        category: Option<ChannelId>,
    },
    List {
        guild: GuildId,
    },
    Delete {
        guild: GuildId,
        channel: ChannelId,
    },
    Access {
        channel: ChannelId,
    },
    Move {
        guild: GuildId,
        to: Option<ChannelId>,
    },
    Locate {
        guild: GuildId,
    },
    AskWhoWeAre,
    Register {
        guild: Option<GuildId>,
    },
    Answer,
    Write {
        channel: Option<ChannelId>,
    },
}

pub(super) const INVITE: &str = "or invite the bot again with permissions=53478928";
pub(super) const ROLES: &str = "Server Settings → Roles";

impl Refusal {
    /// The outcome that the code stands for (facts/discord.md 2.4), or an error when it is none.
    pub fn outcome(&self, doing: &Doing) -> Result<Outcome, Error> {
        Ok(match (self.body.code, doing) {
            (40032, _) => Outcome::Absent,
            (10065, Doing::Locate { .. }) => Outcome::Seen(Seat::Nowhere),
            (50001 | 50013, Doing::Locate { .. }) => Outcome::Seen(Seat::Elsewhere),
            (10007 | 10013, _) => Outcome::NotInGuild,
            // In a create, an unknown channel is the category.
            (10003, Doing::Create { category, .. }) => Outcome::CategoryGone(no_category(*category)),
            (10003, _) => Outcome::Gone,
            (10004, Doing::Create { .. } | Doing::Delete { .. } | Doing::List { .. }) => Outcome::NotHere,
            (30013, _) => Outcome::GuildFull,
            (50035, Doing::Create { category, .. }) if self.is_about("parent_id") => {
                if self.says("CHANNEL_PARENT_MAX_CHANNELS") || self.says("Maximum number of channels") {
                    Outcome::CategoryFull
                } else {
                    let details = self.details().join("; ");
                    Outcome::CategoryGone(format!("{} ({details})", no_category(*category)))
                }
            }
            // Nothing to revoke.
            (10009, Doing::Access { .. }) => Outcome::Done,
            (0, _) if self.status == StatusCode::NOT_FOUND => {
                return Err(Error::unexpected(
                    "Discord does not know this address (404): is DISCORD_API_URL right? It is usually https://discord.com/api/v10",
                ));
            }
            // Writing too fast, by codes of their own (facts/discord.md 2.4) and without a time.
            (20028 | 20029 | 40003, _) => {
                return Err(Error::Busy {
                    retry_after: Duration::from_secs(60),
                });
            }
            _ => Outcome::Refused(self.explain(doing)),
        })
    }

    /// Whether it is the bot that can't do it, and another bot might: a permission is missing, or it is not in the guild.
    pub fn is_about_the_bot(&self) -> bool {
        self.status == StatusCode::FORBIDDEN || matches!(self.body.code, 10004 | 50001 | 50013)
    }

    /// For calls that have no outcome of their own.
    pub fn into_error(self, doing: &Doing) -> Error {
        match self.outcome(doing) {
            Ok(Outcome::Refused(why)) => Error::unexpected(why),
            Ok(Outcome::NotHere) => Error::unexpected(self.explain(doing)),
            Ok(_) => Error::unexpected(format!("Discord refused the call: {}", self.said())),
            Err(error) => error,
        }
    }

    fn explain(&self, doing: &Doing) -> String {
        let said = self.said();
        match self.body.code {
            50013 | 50001 => missing_permission(doing, &said),
            10004 => {
                let guild = match doing {
                    Doing::Create { guild, .. }
                    | Doing::List { guild }
                    | Doing::Move { guild, .. }
                    | Doing::Locate { guild } => format!("server {guild}"),
                    _ => "this server".to_owned(),
                };
                format!("the bot is not in the Discord {guild} ({said}): invite it, or correct DISCORD_GUILD_ID")
            }
            50024 => {
                format!(
                    "this is no voice channel ({said}): set LOBBY_CHANNEL_ID to a voice channel, VC_CATEGORY_ID to a category"
                )
            }
            50035 => self.bad_form(),
            10011 => format!(
                "a role does not exist any more ({said}): look at STAFF_ROLE_IDS and SPECTATOR_ROLE_IDS, or `muster guilds set`"
            ),
            30060 | 30061 => {
                format!("too many permission overwrites ({said}): delete old private channels, or give access by roles")
            }
            20031 => {
                format!(
                    "Discord does not allow a word in the channel's name ({said}): change CHANNEL_NAME_TEMPLATE or the team's name"
                )
            }
            50074 => {
                format!(
                    "this channel is the server's rules or updates channel ({said}): name another in Server Settings → Community"
                )
            }
            30034 => {
                format!("Discord takes no more new commands today ({said}): they were registered 200 times")
            }
            60003 => {
                format!(
                    "this server asks for two-factor authentication of whoever manages it ({said}): turn it on for the account that owns the bot"
                )
            }
            _ => format!("Discord refused it: {said}"),
        }
    }

    fn bad_form(&self) -> String {
        let details = self.details();
        let details = if details.is_empty() {
            self.body.message.clone()
        } else {
            details.join("; ")
        };
        format!("Discord refused the request: {details} (50035)")
    }

    /// Whether an overwrite of a create can't be: a role that was deleted, for one.
    pub fn is_about_overwrites(&self) -> bool {
        self.body.code == 10011 || (self.body.code == 50035 && self.is_about("permission_overwrites"))
    }

    fn is_about(&self, field: &str) -> bool {
        self.body.errors.get(field).is_some()
    }

    /// Whether these words stand anywhere among the details.
    fn says(&self, words: &str) -> bool {
        self.body.errors.to_string().contains(words)
    }

    /// `Missing Permissions, 50013`.
    pub fn said(&self) -> String {
        format!("{}, {}", self.body.message, self.body.code)
    }

    /// The leaves of the nested `errors`: `parent_id: Category does not exist`.
    fn details(&self) -> Vec<String> {
        fn walk(value: &Value, path: &str, found: &mut Vec<String>) {
            let Value::Object(fields) = value else { return };
            for (name, inner) in fields {
                match inner {
                    Value::Array(errors) if name == "_errors" => found.extend(
                        errors
                            .iter()
                            .filter_map(|error| error.get("message")?.as_str())
                            .map(|message| format!("{path}: {message}")),
                    ),
                    _ if path.is_empty() => walk(inner, name, found),
                    _ => walk(inner, &format!("{path}.{name}"), found),
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.body.errors, "", &mut found);
        found.truncate(5);
        found
    }
}

fn no_category(category: Option<ChannelId>) -> String {
    match category {
        Some(id) => {
            format!(
                "category {id} does not exist or the bot can't use it: set VC_CATEGORY_ID to a category of this server"
            )
        }
        None => "Discord refused the channel's place: set VC_CATEGORY_ID to a category of this server".to_owned(),
    }
}

fn missing_permission(doing: &Doing, said: &str) -> String {
    match doing {
        Doing::Create { category, .. } => {
            let category =
                category.map_or_else(String::new, |id| format!(", and that category {id} does not deny them"));
            format!(
                "the bot may not create private voice channels ({said}): its role needs View Channels, Manage Channels, Connect, \
                 Speak and Move Members for the whole server (in the category alone is not enough): grant them in {ROLES}{category}; {INVITE}"
            )
        }
        Doing::List { guild } => {
            format!(
                "the bot may not see the channels of server {guild} ({said}): is it still a member? Grant View Channels in {ROLES}, {INVITE}"
            )
        }
        Doing::Delete { channel, .. } => format!(
            "the bot may not delete channel {channel} ({said}): it lacks View Channel, Connect or Manage Channels there: grant them to the \
             bot in Edit Channel → Permissions, or delete the channel by hand"
        ),
        Doing::Access { channel } => format!(
            "the bot lacks Manage Roles (shown as Manage Permissions) and so can't change who may enter channel {channel} ({said}): grant it \
             to the bot's role in {ROLES}, or invite the bot again with permissions=321981968. Moving people works without it"
        ),
        Doing::Move { .. } | Doing::Locate { .. } => format!(
            "the bot may not move members ({said}): it needs Move Members and Connect, both where the member is and where he is going: \
             grant them to the bot's role in {ROLES} and in the permissions of those channels and their categories, {INVITE}"
        ),
        Doing::Register { guild } => {
            let place = guild.map_or_else(String::new, |guild| format!(" in server {guild}"));
            format!(
                "the bot may not offer commands{place} ({said}): invite it again with the scopes bot and applications.commands"
            )
        }
        Doing::Write { channel } => {
            let channel = channel.map_or_else(
                || "to this person".to_owned(),
                |channel| format!("in channel {channel}"),
            );
            format!(
                "the bot may not write {channel} ({said}): grant its role View Channel and Send Messages in Edit Channel → Permissions, \
                 or invite the bot again with permissions=53546512"
            )
        }
        Doing::Answer => format!("Discord does not take the answer ({said})"),
        Doing::AskWhoWeAre => {
            format!("Discord does not tell the bot who it is ({said}): make a new token in the developer portal")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const GUILD: u64 = 1000;

    fn refusal(status: u16, body: Value) -> Refusal {
        Refusal {
            status: StatusCode::from_u16(status).unwrap(),
            body: serde_json::from_value(body).unwrap(),
        }
    }

    fn outcome(code: u64, doing: &Doing) -> Outcome {
        refusal(400, json!({"code": code, "message": "Discord's words"}))
            .outcome(doing)
            .unwrap()
    }

    fn guild() -> GuildId {
        GuildId::new(GUILD).unwrap()
    }

    fn channel() -> ChannelId {
        ChannelId::new(777).unwrap()
    }

    #[test]
    fn races_are_outcomes_of_their_own() {
        let moving = Doing::Move {
            guild: guild(),
            to: None,
        };
        assert_eq!(outcome(40032, &moving), Outcome::Absent);
        assert_eq!(outcome(10007, &moving), Outcome::NotInGuild);
        assert_eq!(outcome(10013, &moving), Outcome::NotInGuild);
        assert_eq!(outcome(10003, &moving), Outcome::Gone);
        assert_eq!(
            outcome(
                10003,
                &Doing::Delete {
                    guild: guild(),
                    channel: channel()
                }
            ),
            Outcome::Gone
        );
        assert_eq!(outcome(10009, &Doing::Access { channel: channel() }), Outcome::Done);
        let locating = Doing::Locate { guild: guild() };
        assert_eq!(outcome(10065, &locating), Outcome::Seen(Seat::Nowhere));
        assert_eq!(outcome(50013, &locating), Outcome::Seen(Seat::Elsewhere));
        assert_eq!(outcome(50001, &locating), Outcome::Seen(Seat::Elsewhere));
    }

    #[test]
    fn every_refusal_says_where_to_mend_it() {
        let create = Doing::Create {
            guild: guild(),
            category: Some(channel()),
        };
        let delete = Doing::Delete {
            guild: guild(),
            channel: channel(),
        };
        let access = Doing::Access { channel: channel() };
        let moving = Doing::Move {
            guild: guild(),
            to: None,
        };
        for (code, doing, words) in [
            (
                50013,
                &create,
                vec!["Manage Channels", "Server Settings → Roles", "53478928", "50013"],
            ),
            (50001, &create, vec!["Manage Channels", "category 777"]),
            (
                50013,
                &access,
                vec!["Manage Roles (shown as Manage Permissions)", "321981968"],
            ),
            (
                50013,
                &moving,
                vec!["Move Members and Connect", "Server Settings → Roles"],
            ),
            (50013, &delete, vec!["channel 777", "Manage Channels", "by hand"]),
            (30060, &create, vec!["overwrites"]),
            (20031, &create, vec!["CHANNEL_NAME_TEMPLATE"]),
            (10011, &create, vec!["STAFF_ROLE_IDS"]),
            (10004, &moving, vec!["server 1000", "DISCORD_GUILD_ID"]),
            (99999, &moving, vec!["Discord's words", "99999"]),
        ] {
            let Outcome::Refused(text) = outcome(code, doing) else {
                panic!("{code}")
            };
            for word in words {
                assert!(text.contains(word), "{code}: '{word}' is not in '{text}'");
            }
            assert!(!text.contains('\n') && !text.contains("  "), "{text}");
        }
    }

    #[test]
    fn a_full_category_is_told_from_other_faults_of_the_form() {
        let form = |field: &str, message: &str| {
            refusal(
                400,
                json!({"code": 50035, "message": "Invalid Form Body", "errors": {field: {"_errors": [{"code": "X", "message": message}]}}}),
            )
            .outcome(&Doing::Create { guild: guild(), category: Some(channel()) })
            .unwrap()
        };
        assert_eq!(
            form("parent_id", "Maximum number of channels in category reached (50)"),
            Outcome::CategoryFull
        );
        let Outcome::CategoryGone(text) = form("parent_id", "Category does not exist") else {
            panic!()
        };
        assert!(
            text.contains("VC_CATEGORY_ID") && text.contains("Category does not exist"),
            "{text}"
        );
        let Outcome::Refused(text) = form("name", "Must be 100 or fewer in length.") else {
            panic!()
        };
        assert_eq!(
            text,
            "Discord refused the request: name: Must be 100 or fewer in length. (50035)"
        );
    }

    #[test]
    fn a_wrong_address_and_a_write_rate_are_no_outcomes() {
        let moving = Doing::Move {
            guild: guild(),
            to: None,
        };
        let wrong = refusal(404, json!({"code": 0, "message": "404: Not Found"})).outcome(&moving);
        assert!(wrong.unwrap_err().to_string().contains("DISCORD_API_URL"));
        let rate = refusal(400, json!({"code": 20028, "message": "write rate"})).outcome(&moving);
        assert!(matches!(rate, Err(Error::Busy { .. })));
    }
}
