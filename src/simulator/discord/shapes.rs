//! The bodies Discord answers with, full enough for the strictest client models; it reads the world and changes nothing.

use serde_json::{Value, json};

use super::{
    permissions::Whom,
    snowflake::Snowflake,
    talk::Talk,
    world::{Bot, Channel, Guild, Kind, Member, Role, Voice},
};

/// When everybody joined every guild.
pub(super) const JOINED_AT: &str = "2024-01-01T00:00:00.000000+00:00";

/// OpenAPI `GuildChannelResponse`.
pub(super) fn channel(guild: &Guild, channel: &Channel) -> Value {
    let mut body = json!({
        "id": channel.id,
        "type": channel.kind.number(),
        "flags": 0,
        "guild_id": guild.id,
        "name": channel.name,
        "parent_id": channel.parent_id,
        "position": channel.position,
        "permission_overwrites": overwrites(channel),
    });
    if channel.kind != Kind::Category {
        body["last_message_id"] = Value::Null;
        body["nsfw"] = json!(channel.nsfw);
        body["rate_limit_per_user"] = json!(channel.rate_limit_per_user);
    }
    match channel.kind {
        Kind::Voice => {
            body["bitrate"] = json!(channel.bitrate);
            body["user_limit"] = json!(channel.user_limit);
            body["rtc_region"] = json!(channel.rtc_region);
        }
        Kind::Text => body["topic"] = Value::Null,
        Kind::Category => {}
    }
    body
}

pub(in crate::simulator) fn overwrites(channel: &Channel) -> Value {
    let listed = channel.overwrites.iter().map(|overwrite| {
        let kind = if overwrite.whom == Whom::Member { 1 } else { 0 };
        json!({ "id": overwrite.id, "type": kind, "allow": overwrite.allow, "deny": overwrite.deny })
    });
    listed.collect()
}

/// OpenAPI `UserResponse`.
pub(super) fn user(member: &Member) -> Value {
    let mut body = json!({
        "id": member.id,
        "username": username(&member.name),
        "discriminator": "0",
        "global_name": member.name,
        "avatar": null,
        "avatar_decoration_data": null,
        "banner": null,
        "accent_color": null,
        "collectibles": null,
        "primary_guild": null,
        "flags": 0,
        "public_flags": 0,
    });
    if member.bot {
        body["bot"] = json!(true);
        body["global_name"] = Value::Null;
        body["username"] = json!(member.name);
        // Applications keep a discriminator; members of the new name system have none.
        body["discriminator"] = json!("0001");
    }
    body
}

/// Usernames are lower case and hold letters, digits, dot and underscore only; the name as given is the display name.
fn username(name: &str) -> String {
    let mut kept: String = name
        .to_lowercase()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "._".contains(*c))
        .collect();
    while kept.len() < 2 {
        kept.push('_');
    }
    kept
}

/// OpenAPI `UserPIIResponse` of the bot itself.
pub(super) fn current_user(bot: &Bot) -> Value {
    let mut body = bot_user(bot);
    for (name, value) in [
        ("mfa_enabled", json!(true)),
        ("verified", json!(true)),
        ("email", Value::Null),
        ("locale", json!("en-US")),
    ] {
        body[name] = value;
    }
    body
}

pub(super) fn bot_user(bot: &Bot) -> Value {
    json!({
        "id": bot.id, "username": bot.name, "discriminator": "0001", "global_name": null, "avatar": null,
        "avatar_decoration_data": null, "banner": null, "accent_color": null, "collectibles": null,
        "primary_guild": null, "bot": true, "flags": 0, "public_flags": 0,
    })
}

/// OpenAPI `GuildMemberResponse`.
pub(super) fn member(member: &Member) -> Value {
    json!({
        "user": user(member),
        "nick": member.nick,
        "avatar": null,
        "avatar_decoration_data": null,
        "banner": null,
        "collectibles": null,
        "roles": member.roles,
        "joined_at": JOINED_AT,
        "premium_since": null,
        "communication_disabled_until": null,
        "deaf": member.deaf,
        "mute": member.mute,
        "flags": 0,
        "pending": false,
    })
}

/// OpenAPI `VoiceStateResponse`.
pub(super) fn voice_state(guild: &Guild, who: &Member, voice: &Voice) -> Value {
    let mut body = voice_flags(who, Some(voice.channel_id), &voice.session_id);
    body["guild_id"] = json!(guild.id);
    body["member"] = member(who);
    body
}

/// What every voice state says, also those in GUILD_CREATE; `self_stream` is never null, since twilight-model refuses that.
pub(super) fn voice_flags(who: &Member, channel: Option<Snowflake>, session_id: &str) -> Value {
    json!({
        "channel_id": channel,
        "user_id": who.id,
        "session_id": session_id,
        "deaf": who.deaf,
        "mute": who.mute,
        "self_deaf": false,
        "self_mute": false,
        "self_stream": false,
        "self_video": false,
        "suppress": false,
        "request_to_speak_timestamp": null,
    })
}

/// OpenAPI `GuildRoleResponse`.
pub(super) fn role(role: &Role) -> Value {
    let mut body = json!({
        "id": role.id,
        "name": role.name,
        "permissions": role.permissions,
        "position": role.position,
        "color": 0,
        "colors": { "primary_color": 0, "secondary_color": null, "tertiary_color": null },
        "hoist": false,
        "managed": role.bot.is_some(),
        "mentionable": false,
        "icon": null,
        "unicode_emoji": null,
        "flags": 0,
    });
    if let Some(bot) = role.bot {
        body["tags"] = json!({ "bot_id": bot });
    }
    body
}

/// OpenAPI `GuildWithCountsResponse`, without the counts.
pub(super) fn guild(guild: &Guild) -> Value {
    json!({
        "id": guild.id,
        "name": guild.name,
        "owner_id": guild.owner_id,
        "roles": guild.roles.values().map(role).collect::<Vec<_>>(),
        "icon": null, "description": null, "home_header": null, "splash": null, "discovery_splash": null, "banner": null,
        "features": [], "emojis": [], "stickers": [],
        "application_id": null, "region": "deprecated", "afk_channel_id": null, "afk_timeout": 300,
        "system_channel_id": null, "system_channel_flags": 0, "widget_enabled": false, "widget_channel_id": null,
        "verification_level": 0, "default_message_notifications": 0, "mfa_level": 0, "explicit_content_filter": 0,
        "max_presences": null, "max_members": 500_000, "max_stage_video_channel_users": 50, "max_video_channel_users": 25,
        "vanity_url_code": null, "premium_tier": 0, "premium_subscription_count": 0, "preferred_locale": "en-US",
        "rules_channel_id": null, "safety_alerts_channel_id": null, "public_updates_channel_id": null,
        "premium_progress_bar_enabled": false, "nsfw": false, "nsfw_level": 0, "incidents_data": null,
    })
}

/// OpenAPI `PrivateApplicationResponse`; the application has the bot's id, as new applications do.
pub(super) fn application(bot: &Bot, guilds: usize, redirects: &[String], interactions: Option<&str>) -> Value {
    json!({
        "id": bot.id, "name": bot.name, "icon": null, "description": "", "type": null,
        "bot": bot_user(bot), "bot_public": false, "bot_require_code_grant": false,
        "verify_key": Talk::public_key(), "flags": 0, "flags_new": "0", "owner": bot_user(bot), "team": null,
        "redirect_uris": redirects, "interactions_endpoint_url": interactions, "role_connections_verification_url": null,
        "approximate_guild_count": guilds, "approximate_user_install_count": 0, "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0, "eligible_oauth2_scopes": ["bot", "applications.commands", "identify", "guilds"],
        "integration_types_config": { "0": {} },
    })
}
