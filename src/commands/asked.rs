//! What somebody asked, read from Discord's JSON: only the fields that are used, so that nothing else in it can spoil it.

use std::{collections::BTreeSet, fmt};

use serde::Deserialize;
use serde_json::Value;
use twilight_model::{
    application::interaction::application_command::CommandData,
    guild::Permissions,
    id::{
        Id,
        marker::{ApplicationMarker, GuildMarker, InteractionMarker, RoleMarker, UserMarker},
    },
};

use crate::{
    commands::words::Language,
    domain::ids::{GuildId, RoleId, UserId},
};

/// An interaction: what was asked, by whom, and how to answer it. Who it is comes from Discord, never from a button.
#[derive(Clone, Debug)]
pub struct Asked {
    pub id: Id<InteractionMarker>,
    pub application: Id<ApplicationMarker>,
    /// Whoever has it can answer: never logged.
    pub token: String,
    pub what: What,
    pub user: UserId,
    /// What he is called in Discord; his own text.
    pub name: String,
    /// None in a direct message.
    pub guild: Option<GuildId>,
    /// What he may do there, as Discord says; an owner may do everything. Nothing in a direct message.
    pub permissions: Permissions,
    pub roles: BTreeSet<RoleId>,
    pub language: Language,
}

#[derive(Clone, Debug)]
pub enum What {
    Ping,
    Command(Box<CommandData>),
    /// Somebody is typing a command and wants suggestions.
    Typing(Box<CommandData>),
    /// The id that we gave the button.
    Button(String),
    Other,
}

impl What {
    /// Whether more than a first answer comes of it.
    pub fn is_work(&self) -> bool {
        matches!(self, Self::Command(_) | Self::Button(_))
    }
}

/// For logs: without what was typed.
impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping => f.write_str("ping"),
            Self::Command(data) => write!(f, "/{}", data.name),
            Self::Typing(data) => write!(f, "typing /{}", data.name),
            Self::Button(id) => write!(f, "button {}", id.split(':').next().unwrap_or_default()),
            Self::Other => f.write_str("another kind of interaction"),
        }
    }
}

#[derive(Deserialize)]
struct Wire {
    id: Id<InteractionMarker>,
    application_id: Id<ApplicationMarker>,
    #[serde(rename = "type")]
    kind: u8,
    token: String,
    #[serde(default)]
    data: Value,
    guild_id: Option<Id<GuildMarker>>,
    member: Option<Member>,
    user: Option<User>,
    locale: Option<String>,
}

#[derive(Deserialize)]
struct Member {
    user: User,
    permissions: Option<Permissions>,
    #[serde(default)]
    roles: Vec<Id<RoleMarker>>,
}

#[derive(Deserialize)]
struct User {
    id: Id<UserMarker>,
    username: String,
    global_name: Option<String>,
}

#[derive(Deserialize)]
struct Pressed {
    custom_id: String,
    component_type: u8,
}

const BUTTON: u8 = 2;

impl Asked {
    pub(super) fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        let wire: Wire = serde_json::from_slice(body)?;
        let what = match wire.kind {
            1 => What::Ping,
            2 => What::Command(serde_json::from_value(wire.data)?),
            3 => {
                let pressed: Pressed = serde_json::from_value(wire.data)?;
                match pressed.component_type {
                    BUTTON => What::Button(pressed.custom_id),
                    _ => What::Other,
                }
            }
            4 => What::Typing(serde_json::from_value(wire.data)?),
            _ => What::Other,
        };
        let (mut permissions, mut roles) = (Permissions::empty(), BTreeSet::new());
        let user = match wire.member {
            Some(member) => {
                permissions = member.permissions.unwrap_or(permissions);
                roles.extend(member.roles.iter().filter_map(|role| RoleId::new(role.get())));
                Some(member.user)
            }
            None => wire.user,
        };
        // Discord's own ping comes from nobody.
        let (user, name) = match user {
            Some(user) => (user.id.get(), user.global_name.unwrap_or(user.username)),
            None if wire.kind == 1 => (wire.application_id.get(), String::new()),
            None => return Err(serde::de::Error::missing_field("user")),
        };
        let zero = || serde::de::Error::custom("an id is zero");
        Ok(Self {
            id: wire.id,
            application: wire.application_id,
            token: wire.token,
            what,
            user: UserId::new(user).ok_or_else(zero)?,
            name,
            guild: wire.guild_id.and_then(|guild| GuildId::new(guild.get())),
            permissions,
            roles,
            language: Language::of(wire.locale.as_deref()),
        })
    }
}
