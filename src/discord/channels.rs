//! Voice channels: create, find, list, delete, and who may enter. Which channels there should be is decided elsewhere.

use std::collections::BTreeSet;

use serde::Deserialize;
use twilight_http::request::{AuditLogReason, TryIntoRequest};
use twilight_model::{
    channel::{
        ChannelType,
        permission_overwrite::{PermissionOverwrite, PermissionOverwriteType},
    },
    guild::Permissions,
    http::permission_overwrite as http_overwrite,
    id::{
        Id,
        marker::{ChannelMarker, GenericMarker},
    },
};

use crate::{
    discord::{
        answer::Answer,
        client::{Client, built},
        error::Error,
        line::Class,
        refusal::{Doing, Refusal},
        send::Route,
    },
    domain::{
        Timestamp,
        ids::{ChannelId, GuildId, UserId},
        plan::Outcome,
    },
};

/// Discord takes at most this many overwrites in one create call (OpenAPI, `CreateGuildChannelRequest`).
const MAX_OVERWRITES: usize = 100;
/// How far Discord's clock may be behind ours.
const CLOCK_SKEW: time::Duration = time::Duration::seconds(60);
/// Milliseconds from 1970 to the start of Discord's snowflakes, 2015-01-01 (docs, "Snowflakes").
const DISCORD_EPOCH_MS: i128 = 1_420_070_400_000;

/// What nobody but the listed people may do. Denying VIEW_CHANNEL takes away all else (docs, "Permissions").
const HIDDEN: Permissions = Permissions::VIEW_CHANNEL.union(Permissions::CONNECT);
/// What the bot needs in a hidden channel to see it, move people into it and delete it.
const FOR_THE_BOT: Permissions = HIDDEN
    .union(Permissions::MOVE_MEMBERS)
    .union(Permissions::MANAGE_CHANNELS);
/// What a bot needs that only moves people into it.
const FOR_A_MOVER: Permissions = HIDDEN.union(Permissions::MOVE_MEMBERS);
/// What a player gets. Only bits that the bot itself has in the guild may be given away (invite permissions 53478928).
const FOR_A_MEMBER: Permissions = HIDDEN.union(Permissions::SPEAK);

/// A private voice channel to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewChannel<'a> {
    pub guild: GuildId,
    /// 1 to 100 characters.
    pub name: &'a str,
    pub category: Option<ChannelId>,
    /// 1 to 99 people; 0 is no limit.
    pub user_limit: u16,
    /// The bot's own account: without an overwrite of its own it could not even delete the channel.
    pub bot: UserId,
    /// Who may see and enter it.
    pub access: &'a [UserId],
    /// For the guild's audit log, at most 512 characters; longer ones are cut.
    pub reason: &'a str,
}

/// Which channels an unanswered create may have left behind.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    pub guild: GuildId,
    pub name: &'a str,
    pub category: Option<ChannelId>,
    /// Only channels made at this time or later, by the time in their id, with a minute of clock skew.
    pub since: Timestamp,
    /// Only channels that carry this account's own overwrite, which is how we tell ours from a person's.
    pub bot: UserId,
}

/// A channel of any type, as far as we look at it. twilight's model is stricter: one odd channel would hide all the others.
#[derive(Clone, Debug, Deserialize)]
pub struct Channel {
    pub id: Id<ChannelMarker>,
    #[serde(rename = "type")]
    pub kind: ChannelType,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub parent_id: Option<Id<ChannelMarker>>,
    #[serde(default)]
    pub position: i64,
    #[serde(default)]
    pub permission_overwrites: Vec<Overwrite>,
}

/// Whom an overwrite is about.
#[derive(Clone, Debug, Deserialize)]
pub struct Overwrite {
    pub id: Id<GenericMarker>,
    /// 0 a role, 1 a member.
    #[serde(rename = "type")]
    pub kind: u8,
    #[serde(default = "Permissions::empty")]
    pub allow: Permissions,
    #[serde(default = "Permissions::empty")]
    pub deny: Permissions,
}

#[derive(Deserialize)]
struct Created {
    id: Id<ChannelMarker>,
}

impl Client {
    /// Creates a private voice channel with everybody's access in the one call. Outcomes: Created, Refused.
    /// It is sent once only; when `Error::is_ambiguous`, the channel may exist.
    pub async fn create_voice_channel(&self, new: &NewChannel<'_>) -> Result<Outcome, Error> {
        let movers = self.movers_in(new.guild).await;
        let overwrites = overwrites(new, &movers);
        let mut request = self
            .build()
            .create_guild_channel(Id::new(new.guild.get()), new.name)
            .kind(ChannelType::GuildVoice)
            .permission_overwrites(&overwrites);
        if let Some(category) = new.category {
            request = request.parent_id(Id::new(category.get()));
        }
        if new.user_limit > 0 {
            request = request.user_limit(new.user_limit);
        }
        let request = match request.reason(&audit_reason(new.reason)).try_into_request() {
            Ok(request) => request,
            Err(error) => return Ok(Outcome::Refused(not_buildable(new.name, &error))),
        };
        let route = Route::new(Class::Create, "POST /guilds/{guild}/channels", new.guild.get());
        let doing = Doing::Create {
            guild: new.guild,
            category: new.category,
        };
        match self.call(route, &request).await? {
            Answer::Ok(body) => {
                let created: Created = body.parse().map_err(|error| match error {
                    Error::Unexpected { why, .. } => Error::Unexpected { why, ambiguous: true },
                    other => other,
                })?;
                Ok(Outcome::Created(channel_id(created.id)))
            }
            Answer::Refused(refusal) => refusal.outcome(&doing),
        }
    }

    /// Looks for channels that an unanswered create may have made. Outcomes: Found (oldest first), Refused.
    pub async fn find_voice_channels(&self, search: &Search<'_>) -> Result<Outcome, Error> {
        Ok(match self.channels(search.guild).await? {
            Ok(channels) => Outcome::Found(matching(&channels, search)),
            Err(refusal) => refusal.outcome(&Doing::List { guild: search.guild })?,
        })
    }

    /// All channels of the guild that the bot may view; hidden ones are left out by Discord (facts/discord.md 9).
    pub async fn list_channels(&self, guild: GuildId) -> Result<Vec<Channel>, Error> {
        match self.channels(guild).await? {
            Ok(channels) => Ok(channels),
            Err(refusal) => Err(refusal.into_error(&Doing::List { guild })),
        }
    }

    /// Deletes a channel; whoever sits in it is disconnected. Outcomes: Done, Gone, Refused.
    pub async fn delete_channel(&self, channel: ChannelId, reason: &str) -> Result<Outcome, Error> {
        let reason = audit_reason(reason);
        let request = built(self.build().delete_channel(Id::new(channel.get())).reason(&reason))?;
        let route = Route::new(Class::TearDown, "DELETE /channels/{channel}", channel.get());
        self.call(route, &request).await?.done_or(&Doing::Delete { channel })
    }

    /// Lets somebody see and enter a channel. Needs Manage Roles, unlike the overwrites of a create.
    /// Outcomes: Done, Gone, NotInGuild, Refused.
    pub async fn grant_access(&self, channel: ChannelId, user: UserId) -> Result<Outcome, Error> {
        let overwrite = http_overwrite::PermissionOverwrite {
            allow: Some(FOR_A_MEMBER),
            deny: Some(Permissions::empty()),
            id: Id::new(user.get()),
            kind: http_overwrite::PermissionOverwriteType::Member,
        };
        let request = built(
            self.build()
                .update_channel_permission(Id::new(channel.get()), &overwrite)
                .reason("plays in this match"),
        )?;
        let route = Route::new(
            Class::Overwrite,
            "PUT /channels/{channel}/permissions/{user}",
            channel.get(),
        );
        self.call(route, &request).await?.done_or(&Doing::Access { channel })
    }

    /// Takes somebody's access away; does not move him out. Outcomes: Done (also when he had none), Gone, Refused.
    pub async fn revoke_access(&self, channel: ChannelId, user: UserId) -> Result<Outcome, Error> {
        let request = built(
            self.build()
                .delete_channel_permission(Id::new(channel.get()))
                .member(Id::new(user.get()))
                .reason("does not play in this match"),
        )?;
        let route = Route::new(
            Class::Overwrite,
            "DELETE /channels/{channel}/permissions/{user}",
            channel.get(),
        );
        self.call(route, &request).await?.done_or(&Doing::Access { channel })
    }

    async fn channels(&self, guild: GuildId) -> Result<Result<Vec<Channel>, Refusal>, Error> {
        let request = built(self.build().guild_channels(Id::new(guild.get())))?;
        let route = Route::new(Class::Create, "GET /guilds/{guild}/channels", guild.get());
        Ok(match self.call(route, &request).await? {
            Answer::Ok(body) => Ok(body.parse()?),
            Answer::Refused(refusal) => Err(refusal),
        })
    }
}

/// @everyone out, the bots and the players in; each account once.
fn overwrites(new: &NewChannel<'_>, movers: &[UserId]) -> Vec<PermissionOverwrite> {
    let member = |user: UserId, allow| PermissionOverwrite {
        allow,
        deny: Permissions::empty(),
        id: Id::new(user.get()),
        kind: PermissionOverwriteType::Member,
    };
    let mut all = vec![
        PermissionOverwrite {
            allow: Permissions::empty(),
            deny: HIDDEN,
            id: Id::new(new.guild.get()),
            kind: PermissionOverwriteType::Role,
        },
        member(new.bot, FOR_THE_BOT),
    ];
    let movers: BTreeSet<UserId> = movers.iter().copied().filter(|bot| *bot != new.bot).collect();
    all.extend(movers.iter().map(|bot| member(*bot, FOR_A_MOVER)));
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

fn matching(channels: &[Channel], search: &Search<'_>) -> Vec<ChannelId> {
    let parent = search.category.map(|category| Id::new(category.get()));
    let not_before = (search.since - CLOCK_SKEW).unix_timestamp_nanos() / 1_000_000;
    let mut found: Vec<ChannelId> = channels
        .iter()
        .filter(|channel| {
            channel.kind == ChannelType::GuildVoice
                && channel.parent_id == parent
                && channel.name.as_deref() == Some(search.name)
                && created_ms(channel.id.get()) >= not_before
                && channel
                    .permission_overwrites
                    .iter()
                    .any(|overwrite| overwrite.kind == 1 && overwrite.id.get() == search.bot.get())
        })
        .map(|channel| channel_id(channel.id))
        .collect();
    // Ids grow with time, so the smallest is the oldest.
    found.sort_unstable();
    found
}

/// Milliseconds since 1970 at which a snowflake was given out.
fn created_ms(id: u64) -> i128 {
    i128::from(id >> 22) + DISCORD_EPOCH_MS
}

fn channel_id(id: Id<ChannelMarker>) -> ChannelId {
    ChannelId::new(id.get()).expect("twilight's ids are never zero")
}

/// Discord takes 1 to 512 characters; twilight refuses the request otherwise.
fn audit_reason(reason: &str) -> String {
    reason.chars().take(512).collect()
}

fn not_buildable(name: &str, error: &dyn std::error::Error) -> String {
    let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    format!("'{name}' can't be a voice channel ({why}): look at CHANNEL_NAME_TEMPLATE and the user limit")
}
