//! Voice channels: create, find, list, delete, and who may enter. Which channels there should be is decided elsewhere.

use serde::Deserialize;
use twilight_http::request::{AuditLogReason, Request, TryIntoRequest};
use twilight_model::{
    channel::{ChannelType, permission_overwrite::PermissionOverwrite},
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
        overwrites::{FOR_A_MEMBER, overwrites},
        refusal::{Doing, Refusal},
        send::Route,
        survey::Unlisted,
    },
    domain::{
        Timestamp,
        ids::{ChannelId, GuildId, RoleId, UserId},
        plan::Outcome,
    },
};

/// How far Discord's clock may be behind ours.
pub(super) const CLOCK_SKEW: time::Duration = time::Duration::seconds(60);
/// Milliseconds from 1970 to the start of Discord's snowflakes, 2015-01-01 (docs, "Snowflakes").
pub(super) const DISCORD_EPOCH_MS: i128 = 1_420_070_400_000;

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
    /// Whoever has one of these roles may enter and speak.
    pub staff: &'a [RoleId],
    /// Whoever has one of these roles may enter and listen.
    pub spectators: &'a [RoleId],
    /// For the guild's audit log, at most 512 characters; longer ones are cut.
    pub reason: &'a str,
    pub now: Timestamp,
}

/// A channel that goes.
#[derive(Clone, Copy, Debug)]
pub struct OldChannel<'a> {
    pub guild: GuildId,
    pub channel: ChannelId,
    /// For the guild's audit log, as above.
    pub reason: &'a str,
    pub now: Timestamp,
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
    /// Creates a private voice channel with everybody's access in the one call. Outcomes: Created, CategoryFull, CategoryGone, GuildFull, NotHere,
    /// Refused. It is sent once only; when `Error::is_ambiguous`, the channel may exist.
    pub async fn create_voice_channel(&self, new: &NewChannel<'_>) -> Result<Outcome, Error> {
        let movers = self.movers_in(new.guild).await;
        let doing = Doing::Create {
            guild: new.guild,
            category: new.category,
        };
        let refusal = match self.send_create(new, &overwrites(new, &movers)).await? {
            Ok(outcome) => return Ok(outcome),
            Err(refusal) => refusal,
        };
        // A role may have been deleted since somebody set it: the match goes on without it.
        if refusal.is_about_overwrites()
            && let Some((staff, spectators)) = self.roles_left(new).await?
        {
            let without = NewChannel {
                staff: &staff,
                spectators: &spectators,
                ..*new
            };
            return match self.send_create(&without, &overwrites(&without, &movers)).await? {
                Ok(outcome) => Ok(outcome),
                Err(refusal) => self.refused(&refusal, &doing, new.now).await,
            };
        }
        self.refused(&refusal, &doing, new.now).await
    }

    async fn send_create(
        &self,
        new: &NewChannel<'_>,
        overwrites: &[PermissionOverwrite],
    ) -> Result<Result<Outcome, Refusal>, Error> {
        let mut request = self
            .build()
            .create_guild_channel(Id::new(new.guild.get()), new.name)
            .kind(ChannelType::GuildVoice)
            .permission_overwrites(overwrites);
        if let Some(category) = new.category {
            request = request.parent_id(Id::new(category.get()));
        }
        if new.user_limit > 0 {
            request = request.user_limit(new.user_limit);
        }
        let request = match request.reason(&audit_reason(new.reason)).try_into_request() {
            Ok(request) => request,
            Err(error) => return Ok(Ok(Outcome::Refused(not_buildable(new.name, &error)))),
        };
        self.create(new.guild, &request).await
    }

    /// Sends the create of a channel or category. Once only.
    pub(super) async fn create(&self, guild: GuildId, request: &Request) -> Result<Result<Outcome, Refusal>, Error> {
        let route = Route::new(Class::Create, "POST /guilds/{guild}/channels", guild.get());
        Ok(match self.call(route, request).await? {
            Answer::Ok(body) => {
                let created: Created = body.parse().map_err(|error| match error {
                    Error::Unexpected { why, .. } => Error::Unexpected { why, ambiguous: true },
                    other => other,
                })?;
                Ok(Outcome::Created(channel_id(created.id)))
            }
            Answer::Refused(refusal) => Err(refusal),
        })
    }

    /// The roles of a new channel that still exist in the guild; None when all of them do.
    async fn roles_left(&self, new: &NewChannel<'_>) -> Result<Option<(Vec<RoleId>, Vec<RoleId>)>, Error> {
        let Some(guild) = self.guild_as(0, new.guild).await? else {
            return Ok(None);
        };
        let exists = |role: &&RoleId| guild.role_names.contains_key(&role.get());
        let left = |roles: &[RoleId]| roles.iter().filter(exists).copied().collect::<Vec<_>>();
        let (staff, spectators) = (left(new.staff), left(new.spectators));
        let wanted = new.staff.iter().chain(new.spectators);
        let gone: Vec<_> = wanted.filter(|role| !exists(role)).map(ToString::to_string).collect();
        if gone.is_empty() {
            return Ok(None);
        }
        tracing::warn!(
            guild = new.guild.get(),
            roles = gone.join(", "),
            "these roles don't exist any more: take them out of STAFF_ROLE_IDS and SPECTATOR_ROLE_IDS (or `muster guilds set`); \
             match channels are made without them"
        );
        Ok(Some((staff, spectators)))
    }

    /// Looks for channels that an unanswered create may have made. Outcomes: Found (oldest first), NotHere, Refused.
    pub async fn find_voice_channels(&self, search: &Search<'_>) -> Result<Outcome, Error> {
        self.find(search, ChannelType::GuildVoice).await
    }

    pub(super) async fn find(&self, search: &Search<'_>, kind: ChannelType) -> Result<Outcome, Error> {
        match self.channels(search.guild).await? {
            Ok(channels) => Ok(Outcome::Found(matching(&channels, search, kind))),
            Err(refusal) => {
                let doing = Doing::List { guild: search.guild };
                self.refused(&refusal, &doing, search.since).await
            }
        }
    }

    /// All channels of the guild that the bot may view; hidden ones are left out by Discord (facts/discord.md 9).
    pub async fn list_channels(&self, guild: GuildId) -> Result<Vec<Channel>, Error> {
        match self.channels(guild).await? {
            Ok(channels) => Ok(channels),
            Err(refusal) => Err(refusal.into_error(&Doing::List { guild })),
        }
    }

    /// Deletes a channel; whoever sits in it is disconnected. Outcomes: Done, Gone, NotHere, Refused.
    pub async fn delete_channel(&self, old: &OldChannel<'_>) -> Result<Outcome, Error> {
        let (channel, reason) = (old.channel, audit_reason(old.reason));
        let request = built(self.build().delete_channel(Id::new(channel.get())).reason(&reason))?;
        let route = Route::new(Class::TearDown, "DELETE /channels/{channel}", channel.get());
        match self.call(route, &request).await? {
            Answer::Ok(_) => Ok(Outcome::Done),
            Answer::Refused(refusal) => {
                let guild = old.guild;
                self.refused(&refusal, &Doing::Delete { guild, channel }, old.now).await
            }
        }
    }

    /// Asks whether a channel is still there, seen or not. Outcomes: Done, Gone.
    pub async fn check_channel(&self, guild: GuildId, channel: ChannelId) -> Result<Outcome, Error> {
        Ok(match self.look_for_channel(guild, channel).await? {
            Unlisted::Gone => Outcome::Gone,
            Unlisted::Hidden | Unlisted::Elsewhere(_) | Unlisted::Here => Outcome::Done,
        })
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

    pub(super) async fn channels(&self, guild: GuildId) -> Result<Result<Vec<Channel>, Refusal>, Error> {
        let request = built(self.build().guild_channels(Id::new(guild.get())))?;
        let route = Route::new(Class::Create, "GET /guilds/{guild}/channels", guild.get());
        Ok(match self.call(route, &request).await? {
            Answer::Ok(body) => Ok(body.parse()?),
            Answer::Refused(refusal) => Err(refusal),
        })
    }
}

fn matching(channels: &[Channel], search: &Search<'_>, kind: ChannelType) -> Vec<ChannelId> {
    let parent = search.category.map(|category| Id::new(category.get()));
    let not_before = (search.since - CLOCK_SKEW).unix_timestamp_nanos() / 1_000_000;
    let mut found: Vec<ChannelId> = channels
        .iter()
        .filter(|channel| {
            channel.kind == kind
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
pub(super) fn audit_reason(reason: &str) -> String {
    reason.chars().take(512).collect()
}

pub(super) fn not_buildable(name: &str, error: &dyn std::error::Error) -> String {
    let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    format!("'{name}' can't be a channel ({why}): look at CHANNEL_NAME_TEMPLATE and the user limit")
}
