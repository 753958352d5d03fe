//! The people's side: run a command, press a button, type into a field; sent as Discord sends it, signed or badly signed, and what is seen then.

use std::time::Duration;

use ed25519_dalek::Signer as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Talk, interactions::Pending};
use crate::simulator::{
    discord::{
        permissions, shapes,
        snowflake::Snowflake,
        world::{Discord, Guild, Member},
    },
    state::ControlError,
};

/// What somebody does.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ask {
    /// Where; empty for a direct message.
    pub guild_id: String,
    pub user_id: String,
    /// A command, with its subcommand if it has one: `muster who`.
    pub command: String,
    /// Values of its options; a user is written `{"user": "2001"}`.
    pub options: Map<String, Value>,
    /// The option that he is typing in: asks for choices instead.
    pub focused: Option<String>,
    /// Press the button with this id instead of running a command.
    pub button: String,
    /// The interaction whose answer the button is on.
    pub of: String,
    pub locale: Option<String>,
    pub way: Way,
    pub signature: Signature,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    #[default]
    Http,
    Gateway,
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
    /// The receiver's status; 0 when it was not reached or took longer than Discord waits. 0 over the gateway, too.
    pub status: u16,
    pub body: Value,
}

/// A call to be made, with its headers.
#[derive(Debug)]
pub(in crate::simulator) struct Outgoing {
    pub id: Snowflake,
    pub text: String,
    pub headers: Vec<(&'static str, String)>,
}

impl Talk {
    /// Writes the interaction down and makes it ready to be sent.
    pub(in crate::simulator) fn ask(
        &mut self,
        world: &mut Discord,
        ask: &Ask,
        now: Duration,
    ) -> Result<Outgoing, ControlError> {
        let user: Snowflake = ask.user_id.parse().map_err(ControlError::Malformed)?;
        let id = world.mint.mint(now);
        let token = format!("interaction-token-{id}-{:016x}", rand::random::<u64>());
        let (kind, data, of) = if ask.button.is_empty() {
            let kind = if ask.focused.is_some() { 4 } else { 2 };
            (kind, self.command(world, ask)?, None)
        } else {
            let of: Snowflake = ask.of.parse().map_err(ControlError::Malformed)?;
            self.check_button(of, user, &ask.button)?;
            (3, json!({"custom_id": ask.button, "component_type": 2}), Some(of))
        };
        let mut body = json!({
            "id": id, "application_id": world.bot.id, "type": kind, "data": data, "token": token, "version": 1,
            "locale": ask.locale.clone().unwrap_or_else(|| "en-US".to_owned()),
            "entitlements": [], "authorizing_integration_owners": {}, "attachment_size_limit": 10_485_760,
            "app_permissions": "53478928",
        });
        if ask.guild_id.is_empty() {
            let member = world.guilds.values().find_map(|guild| guild.members.get(&user));
            let member = member.ok_or_else(|| ControlError::Unknown(format!("there is nobody {user}")))?;
            body["user"] = shapes::user(member);
            body["context"] = json!(1);
        } else {
            let guild_id: Snowflake = ask.guild_id.parse().map_err(ControlError::Malformed)?;
            let none = || ControlError::Unknown(format!("there is no guild {guild_id}"));
            let guild = world.guilds.get(&guild_id).ok_or_else(none)?;
            let nobody = || ControlError::Unknown(format!("there is no member {user}"));
            let member = guild.members.get(&user).ok_or_else(nobody)?;
            body["member"] = member_of(guild, member);
            body["guild_id"] = json!(guild_id);
            body["guild_locale"] = json!("en-US");
            body["context"] = json!(0);
        }
        if let Some(of) = of {
            body["message"] = message(world, of);
        }
        self.asked.insert(
            id,
            Pending {
                token,
                user,
                at: now,
                kind,
                of,
                answered: None,
                shown: None,
                private: false,
                choices: Value::Null,
                further: Vec::new(),
                pinged: false,
            },
        );
        let text = body.to_string();
        let headers = self.sign(&text, ask.signature, now);
        Ok(Outgoing { id, text, headers })
    }

    /// A ping, as Discord sends it when an address is entered and now and then later.
    pub(in crate::simulator) fn ping(
        &self,
        signature: Signature,
        now: Duration,
    ) -> (String, Vec<(&'static str, String)>) {
        let text = json!({
            "id": "1", "application_id": "1", "type": 1, "token": "ping", "version": 1, "entitlements": [],
            "authorizing_integration_owners": {}, "attachment_size_limit": 10_485_760, "app_permissions": "0",
            "user": {"id": "1", "username": "discord", "discriminator": "0", "avatar": null},
        })
        .to_string();
        let headers = self.sign(&text, signature, now);
        (text, headers)
    }

    fn sign(&self, text: &str, signature: Signature, now: Duration) -> Vec<(&'static str, String)> {
        let age = if signature == Signature::Stale { 600 } else { 0 };
        let timestamp = now.as_secs().saturating_sub(age).to_string();
        let signed = match signature {
            Signature::Bad => format!("{timestamp}another body"),
            _ => format!("{timestamp}{text}"),
        };
        let bytes = self.key.sign(signed.as_bytes()).to_bytes();
        let hex = match signature {
            Signature::Garbled => "not hexadecimal".to_owned(),
            _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        match signature {
            Signature::Missing => Vec::new(),
            _ => vec![("x-signature-ed25519", hex), ("x-signature-timestamp", timestamp)],
        }
    }

    /// The data of a command: it must be registered, with these options.
    fn command(&self, world: &Discord, ask: &Ask) -> Result<Value, ControlError> {
        let mut words = ask.command.split(' ');
        let (name, sub) = (words.next().unwrap_or_default(), words.next());
        let guild = ask.guild_id.parse().ok();
        let everywhere = self.commands(None);
        let here = guild.map(|guild| self.commands(Some(guild))).unwrap_or_default();
        let unknown = || ControlError::Unknown(format!("there is no command /{}", ask.command));
        let found = here.iter().chain(&everywhere).find(|command| command["name"] == name);
        let command = found.ok_or_else(unknown)?;
        let listed = |of: &Value| of["options"].as_array().cloned().unwrap_or_default();
        let options = match sub {
            None => listed(command),
            Some(sub) => {
                let all = listed(command);
                listed(all.iter().find(|option| option["name"] == sub).ok_or_else(unknown)?)
            }
        };
        let mut resolved = json!({"users": {}, "members": {}});
        let mut given = Vec::new();
        for option in &options {
            let name = option["name"].as_str().unwrap_or_default();
            let Some(value) = ask.options.get(name) else {
                if option["required"] == true && ask.focused.is_none() {
                    return Err(ControlError::Malformed(format!("the option {name} is required")));
                }
                continue;
            };
            let mut entry = json!({"name": name, "type": option["type"], "value": value});
            if let Some(user) = value["user"].as_str() {
                entry["value"] = json!(user);
                let id: Snowflake = user.parse().map_err(ControlError::Malformed)?;
                if let Some(member) = world.guilds.values().find_map(|guild| guild.members.get(&id)) {
                    resolved["users"][user] = shapes::user(member);
                }
            }
            if ask.focused.as_deref() == Some(name) {
                entry["focused"] = json!(true);
            }
            given.push(entry);
        }
        let known = |name: &String| options.iter().any(|option| option["name"] == name.as_str());
        if let Some(odd) = ask.options.keys().find(|name| !known(name)) {
            return Err(ControlError::Malformed(format!("/{} has no option {odd}", ask.command)));
        }
        let options = match sub {
            None => json!(given),
            Some(sub) => json!([{"name": sub, "type": 1, "options": given}]),
        };
        Ok(json!({"id": command["id"], "name": name, "type": 1, "options": options, "resolved": resolved}))
    }

    fn check_button(&self, of: Snowflake, user: Snowflake, button: &str) -> Result<(), ControlError> {
        let unseen = || ControlError::Unknown(format!("{user} sees no button {button} there"));
        let pending = self.asked.get(&of).ok_or_else(unseen)?;
        let visible = !pending.private || pending.user == user;
        let shown = pending.shown.as_ref().ok_or_else(unseen)?;
        let rows = shown["components"].as_array().cloned().unwrap_or_default();
        let mut buttons = rows
            .iter()
            .flat_map(|row| row["components"].as_array().cloned().unwrap_or_default());
        if visible && buttons.any(|there| there["custom_id"] == button) {
            Ok(())
        } else {
            Err(unseen())
        }
    }

    /// The answer that came back in the receiver's own response; false when it isn't one.
    pub(in crate::simulator) fn answered_inline(&mut self, id: Snowflake, body: &Value) -> bool {
        self.first_answer(id, body).is_ok()
    }

    /// What is seen of an answer: `state` is `waiting`, `failed` (no answer within 3 s), `thinking`, or `answered`.
    pub(in crate::simulator) fn see(&self, id: &str, now: Duration) -> Result<Value, ControlError> {
        let id: Snowflake = id.parse().map_err(ControlError::Malformed)?;
        let none = || ControlError::Unknown(format!("there is no interaction {id}"));
        let pending = self.asked.get(&id).ok_or_else(none)?;
        let state = match (pending.answered, &pending.shown) {
            (None, _) if now > pending.at + Duration::from_secs(3) => "failed",
            (None, _) => "waiting",
            (Some(5), None) => "thinking",
            _ => "answered",
        };
        let shown = pending.shown.clone().unwrap_or_default();
        Ok(json!({
            "state": state, "private": pending.private, "content": shown["content"], "components": shown["components"],
            "embeds": shown["embeds"], "files": shown["files"], "choices": pending.choices, "further": pending.further,
            "pinged": pending.pinged,
        }))
    }
}

fn member_of(guild: &Guild, member: &Member) -> Value {
    let mut body = shapes::member(member);
    body["permissions"] = json!(permissions::in_guild(guild, member));
    body
}

/// The message with the button, as much of it as clients read.
fn message(world: &Discord, of: Snowflake) -> Value {
    json!({
        "id": of, "channel_id": "1", "content": "", "type": 20, "flags": 64,
        "author": {"id": world.bot.id, "username": world.bot.name, "discriminator": "0001", "avatar": null, "bot": true},
        "timestamp": "2026-01-01T00:00:00.000000+00:00", "edited_timestamp": null, "tts": false, "mention_everyone": false,
        "mentions": [], "mention_roles": [], "attachments": [], "embeds": [], "pinned": false, "components": [],
    })
}
