//! The people's side: run a command, press a button, type into a field. What they do is checked as Discord's clients check it, and
//! written down as the interaction that the application is told of.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::{
    Talk, options,
    pending::{BUTTON, COMMAND, Pending, TYPING},
};
use crate::simulator::{
    discord::{
        permissions::{Bits, in_channel, in_guild},
        shapes,
        snowflake::Snowflake,
        world::{Discord, Kind},
    },
    state::ControlError,
};

/// What somebody does.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ask {
    /// Where; empty for a direct message.
    pub guild_id: String,
    /// The guild's first text channel that he sees, unless another channel is named.
    pub channel_id: Option<String>,
    pub user_id: String,
    /// A command, with its subcommand if it has one: `muster who`.
    pub command: String,
    /// Values of its options; a user is written `{"user": "2001"}`.
    pub options: Map<String, Value>,
    /// The option that he is typing in: asks for choices instead.
    pub focused: Option<String>,
    /// Press the button with this id instead of running a command.
    pub button: String,
    /// The message that the button is on, or the interaction whose first answer it is on.
    pub of: String,
    pub locale: Option<String>,
    /// Over HTTP only.
    pub signature: Signature,
}

/// How a call over HTTP is signed.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Signature {
    #[default]
    Good,
    /// Of another body.
    Bad,
    /// Good, but ten minutes old.
    Stale,
    Missing,
    /// No hexadecimal digits at all.
    Garbled,
}

/// What came of it at once; what is seen later is asked for by `id`.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    pub id: String,
    /// The receiver's status by HTTP, 204 for an answer to what the gateway told. 0 when there was none while Discord waited.
    pub status: u16,
    /// What the receiver said by HTTP; the first answer to what the gateway told.
    pub body: Value,
}

/// An interaction to be told of.
#[derive(Debug)]
pub(in crate::simulator) struct Outgoing {
    pub id: Snowflake,
    /// Where it happened; nowhere for a direct message.
    pub guild: Option<Snowflake>,
    pub text: String,
    /// Hears of the first answer.
    pub answered: oneshot::Receiver<Value>,
}

impl Talk {
    /// Writes the interaction down and makes it ready to be sent.
    pub(in crate::simulator) fn ask(
        &mut self,
        world: &mut Discord,
        ask: &Ask,
        now: Duration,
    ) -> Result<Outgoing, ControlError> {
        let user = id(&ask.user_id)?;
        let guild_id = (!ask.guild_id.is_empty()).then(|| id(&ask.guild_id)).transpose()?;
        let interaction = world.mint.mint(now);
        let token = format!("interaction-token-{interaction}-{:016x}", rand::random::<u64>());
        let mut body = match guild_id {
            Some(guild) => in_a_guild(world, guild, user, ask)?,
            None => {
                let member = world.guilds.values().find_map(|guild| guild.members.get(&user));
                let member = member.ok_or_else(|| ControlError::Unknown(format!("there is nobody {user}")))?;
                let who = shapes::user(member);
                let channel = self.direct_with(world, user, now);
                json!({
                    "user": who, "context": 1, "app_permissions": Bits::ALL, "channel_id": channel,
                    "channel": { "id": channel, "type": 1, "flags": 0, "last_message_id": null, "recipients": [who] },
                    "authorizing_integration_owners": {"0": "0"},
                })
            }
        };
        let (kind, data, on) = if ask.button.is_empty() {
            let kind = if ask.focused.is_some() { TYPING } else { COMMAND };
            (kind, self.command(world, ask, guild_id, user)?, None)
        } else {
            let on = self.with_button(id(&ask.of)?, user, &ask.button)?;
            (
                BUTTON,
                json!({ "id": 2, "custom_id": ask.button, "component_type": 2 }),
                Some(on),
            )
        };
        for (name, value) in [
            ("id", json!(interaction)),
            ("application_id", json!(world.bot.id)),
            ("type", json!(kind)),
            ("data", data),
            ("token", json!(token)),
            ("version", json!(1)),
            ("locale", json!(ask.locale.as_deref().unwrap_or("en-US"))),
            ("entitlements", json!([])),
            ("attachment_size_limit", json!(10_485_760)),
        ] {
            body[name] = value;
        }
        if let Some(on) = on {
            body["message"] = self.show(world, on).unwrap_or_default();
        }
        let channel = body["channel_id"].as_str().unwrap_or_default();
        let what = if kind == BUTTON { &ask.button } else { &ask.command };
        let (pending, answered) = Pending::new(token, (id(channel)?, user), now, (kind, what.clone()), on);
        self.asked.insert(interaction, pending);
        Ok(Outgoing {
            id: interaction,
            guild: guild_id,
            text: body.to_string(),
            answered,
        })
    }

    /// The data of a command: it must be registered, show where he is, be allowed to him, and take these options.
    fn command(
        &self,
        world: &Discord,
        ask: &Ask,
        guild: Option<Snowflake>,
        user: Snowflake,
    ) -> Result<Value, ControlError> {
        let mut words = ask.command.split(' ');
        let name = words.next().unwrap_or_default();
        let everywhere = self.commands(None);
        let here = guild.map(|guild| self.commands(Some(guild))).unwrap_or_default();
        let unknown = || ControlError::Unknown(format!("there is no command /{} here", ask.command));
        let context = u64::from(guild.is_none());
        let shows = |command: &&Value| {
            let contexts = command["contexts"].as_array();
            command["name"] == name && contexts.is_none_or(|contexts| contexts.contains(&json!(context)))
        };
        let command = here.iter().chain(&everywhere).find(shows).ok_or_else(unknown)?;
        let asks_for = command["default_member_permissions"].as_str();
        if let (Some(bits), Some(guild)) = (asks_for.and_then(|bits| bits.parse().ok()), guild) {
            let guild = &world.guilds[&guild];
            let own = guild
                .members
                .get(&user)
                .map_or(Bits::NONE, |member| in_guild(guild, member));
            if own != Bits::ALL && (bits == 0 || !own.contains(Bits(bits))) {
                return Err(ControlError::Barred(format!("/{name} is not for {user}")));
            }
        }
        let path: Vec<&str> = words.collect();
        let mut resolved = json!({});
        let options = options::fill(world, guild, command, &path, ask, &mut resolved)?.ok_or_else(unknown)?;
        let mut data = json!({ "id": command["id"], "name": name, "type": 1, "options": options });
        if resolved.as_object().is_some_and(|resolved| !resolved.is_empty()) {
            data["resolved"] = resolved;
        }
        Ok(data)
    }
}

/// What an interaction says of the place and the person.
fn in_a_guild(world: &Discord, guild: Snowflake, user: Snowflake, ask: &Ask) -> Result<Value, ControlError> {
    let none = || ControlError::Unknown(format!("there is no guild {guild}"));
    let guild = world.guilds.get(&guild).ok_or_else(none)?;
    let nobody = || ControlError::Unknown(format!("there is no member {user}"));
    let member = guild.members.get(&user).ok_or_else(nobody)?;
    let named = ask.channel_id.as_deref().map(id).transpose()?;
    let channel = match named {
        Some(named) => guild
            .channels
            .get(&named)
            .ok_or_else(|| ControlError::Unknown(format!("there is no channel {named} in guild {}", guild.id)))?,
        None => {
            let mut talked_in: Vec<_> = guild
                .channels
                .values()
                .filter(|channel| channel.kind != Kind::Category)
                .collect();
            talked_in.sort_by_key(|channel| {
                let seen = in_channel(guild, channel, member).contains(Bits::VIEW_CHANNEL);
                (!seen, channel.kind != Kind::Text, channel.position, channel.id)
            });
            let none = || ControlError::Unknown(format!("guild {} has no channel to talk in", guild.id));
            talked_in.first().copied().ok_or_else(none)?
        }
    };
    let bot = guild.members.get(&world.bot.id);
    let app = bot.map_or(Bits::NONE, |bot| in_channel(guild, channel, bot));
    let mut place = shapes::channel(guild, channel);
    place["permissions"] = json!(in_channel(guild, channel, member));
    let mut who = shapes::member(member);
    who["permissions"] = json!(in_guild(guild, member));
    Ok(json!({
        "member": who, "guild_id": guild.id, "guild_locale": "en-US", "context": 0, "app_permissions": app,
        "guild": { "id": guild.id, "locale": "en-US", "features": [] },
        "channel_id": channel.id, "channel": place, "authorizing_integration_owners": {"0": guild.id},
    }))
}

pub(super) fn id(text: &str) -> Result<Snowflake, ControlError> {
    text.parse().map_err(ControlError::Malformed)
}
