//! `/api/guilds/{guild}/channels` and `/roles`: what there is to choose from, as Discord shows it, and what the bot may do where.

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use twilight_model::{channel::ChannelType, guild::Permissions};
use utoipa::{IntoParams, ToSchema};

use crate::{
    discord::{channels::Channel, permissions},
    web::{
        access::Access,
        auth::Admin,
        extract::Query,
        refused::{ErrorBody, Refusals, Refused},
    },
};

/// The kinds of channels that settings can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChannelKind {
    Category,
    Voice,
    Stage,
    Text,
}

impl ChannelKind {
    pub fn of(channel: &Channel) -> Option<Self> {
        match channel.kind {
            ChannelType::GuildCategory => Some(Self::Category),
            ChannelType::GuildVoice => Some(Self::Voice),
            ChannelType::GuildStageVoice => Some(Self::Stage),
            ChannelType::GuildText | ChannelType::GuildAnnouncement => Some(Self::Text),
            _ => None,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct ChannelBody {
    #[schema(example = "41771983423143937")]
    id: String,
    name: String,
    kind: ChannelKind,
    /// Id of the category that it is in.
    category: Option<String>,
    bot: BotMay,
}

/// What the bot may do there.
#[derive(Serialize, ToSchema)]
pub struct BotMay {
    view: bool,
    connect: bool,
    move_members: bool,
    manage_channels: bool,
    send_messages: bool,
}

impl From<Permissions> for BotMay {
    fn from(has: Permissions) -> Self {
        Self {
            view: has.contains(Permissions::VIEW_CHANNEL),
            connect: has.contains(Permissions::CONNECT),
            move_members: has.contains(Permissions::MOVE_MEMBERS),
            manage_channels: has.contains(Permissions::MANAGE_CHANNELS),
            send_messages: has.contains(Permissions::SEND_MESSAGES),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ChannelsQuery {
    /// Text channels too.
    #[serde(default)]
    text: bool,
}

/// Categories and voice channels in the order in which Discord shows them; the bot does not learn of those that it can't view.
#[utoipa::path(get, path = "/api/guilds/{guild}/channels", tag = "guilds", params(("guild" = String, Path), ChannelsQuery), responses(
    (status = 200, body = Vec<ChannelBody>), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody), Refusals))]
pub async fn channels(
    State(admin): State<Arc<Admin>>,
    access: Access,
    Query(query): Query<ChannelsQuery>,
) -> Result<Json<Vec<ChannelBody>>, Refused> {
    let guild = access.guild;
    admin.must_be_installed(guild).await?;
    let me = admin.discord.current_user().await?;
    let (seen, member, channels) = tokio::try_join!(
        admin.discord.guild_as(0, guild),
        admin.discord.member_as(0, guild, me, admin.clock.now()),
        admin.discord.list_channels(guild),
    )?;
    let (Some(seen), Some(member)) = (seen, member) else {
        return Err(Refused::bot_missing());
    };
    let bodies = in_order(channels).into_iter().filter_map(|channel| {
        let kind = ChannelKind::of(&channel)?;
        let voice = matches!(kind, ChannelKind::Voice | ChannelKind::Stage);
        let may = permissions::in_channel(&seen.roles, &member, &channel.permission_overwrites, voice);
        (query.text || kind != ChannelKind::Text).then(|| ChannelBody {
            id: channel.id.to_string(),
            name: channel.name.unwrap_or_default(),
            kind,
            category: channel.parent_id.map(|id| id.to_string()),
            bot: may.into(),
        })
    });
    Ok(Json(bodies.collect()))
}

/// As Discord shows them: what is in no category first, then each category with what is in it; text before voice; by position, then age.
fn in_order(mut channels: Vec<Channel>) -> Vec<Channel> {
    let place = |channel: &Channel| (channel.position, channel.id);
    let categories: HashMap<_, _> = channels
        .iter()
        .filter(|channel| channel.kind == ChannelType::GuildCategory)
        .map(|channel| (channel.id, place(channel)))
        .collect();
    channels.sort_by_key(|channel| {
        let is_category = channel.kind == ChannelType::GuildCategory;
        let below = if is_category {
            Some(channel.id)
        } else {
            channel.parent_id
        };
        let group = below.and_then(|id| categories.get(&id).copied());
        let voice = matches!(channel.kind, ChannelType::GuildVoice | ChannelType::GuildStageVoice);
        (group.is_some(), group, !is_category, voice, place(channel))
    });
    channels
}

#[derive(Serialize, ToSchema)]
pub struct RoleBody {
    #[schema(example = "41771983423143937")]
    id: String,
    name: String,
    /// Belongs to a bot or an integration: nobody can be given it.
    managed: bool,
}

/// The roles, the highest first; @everyone is left out.
#[utoipa::path(get, path = "/api/guilds/{guild}/roles", tag = "guilds", params(("guild" = String, Path)), responses(
    (status = 200, body = Vec<RoleBody>), (status = 409, body = ErrorBody), Refusals))]
pub async fn roles(State(admin): State<Arc<Admin>>, access: Access) -> Result<Json<Vec<RoleBody>>, Refused> {
    admin.must_be_installed(access.guild).await?;
    let mut roles = admin.discord.roles(access.guild).await?;
    roles.retain(|role| role.id.get() != access.guild.get());
    roles.sort_by_key(|role| (Reverse(role.position), role.id));
    let bodies = roles.into_iter().map(|role| RoleBody {
        id: role.id.to_string(),
        name: role.name,
        managed: role.managed,
    });
    Ok(Json(bodies.collect()))
}
