//! Draws the guilds for people and for drivers: text that says who sits where, and the JSON of the control routes.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{
    permissions::{Bits, Whom},
    shapes,
    world::{Channel, Guild, Kind},
};

/// One guild as text, always in the same order, without ids (those of created channels differ from run to run).
pub(in crate::simulator) fn draw(guild: &Guild) -> String {
    let mut picture = String::new();
    let seated = guild.members.values().filter(|member| member.voice.is_some()).count();
    let rooms = guild
        .channels
        .values()
        .filter(|channel| channel.kind == Kind::Voice)
        .count();
    // Writing to a String cannot fail.
    let _ = writeln!(
        picture,
        "{} ({rooms} voice channels, {seated} people in voice)",
        guild.name
    );
    for channel in below(guild, None) {
        draw_channel(&mut picture, guild, channel, "  ");
    }
    for category in sorted(guild, |channel| channel.kind == Kind::Category) {
        let _ = writeln!(picture, "  [{}]", category.name);
        let children = below(guild, Some(category));
        if children.is_empty() {
            picture.push_str("    (no channels)\n");
        }
        for channel in children {
            draw_channel(&mut picture, guild, channel, "    ");
        }
    }
    let away: Vec<&str> = guild
        .members
        .values()
        .filter(|m| !m.bot && m.voice.is_none())
        .map(|member| member.display_name())
        .collect();
    if !away.is_empty() {
        let _ = writeln!(picture, "  not in voice: {}", away.join(", "));
    }
    picture
}

fn draw_channel(picture: &mut String, guild: &Guild, channel: &Channel, indent: &str) {
    if channel.kind == Kind::Text {
        let _ = writeln!(picture, "{indent}#{}", channel.name);
        return;
    }
    let closed = channel.overwrites.iter().any(|overwrite| {
        let barred = Bits::VIEW_CHANNEL | Bits::CONNECT;
        overwrite.whom == Whom::Role && overwrite.id == guild.id && overwrite.deny & barred != Bits::NONE
    });
    let private = if closed { " (private)" } else { "" };
    let names = seated(guild, channel).map(|(_, name)| name).collect::<Vec<_>>();
    let names = if names.is_empty() {
        "nobody".to_owned()
    } else {
        names.join(", ")
    };
    let _ = writeln!(picture, "{indent}{}{private}: {names}", channel.name);
}

/// One guild as JSON: the fields the issue names, and `members` and `audit` besides.
pub(in crate::simulator) fn describe(guild: &Guild) -> Value {
    let channels = sorted(guild, |_| true).into_iter().map(|channel| {
        json!({
            "id": channel.id,
            "name": channel.name,
            "type": channel.kind.number(),
            "parent_id": channel.parent_id,
            "permission_overwrites": shapes::overwrites(channel),
            "members": seated(guild, channel).map(|(id, _)| id).collect::<Vec<_>>(),
            "position": channel.position,
            "user_limit": channel.user_limit,
        })
    });
    let members = guild.members.values().map(|member| {
        let voice = member.voice.as_ref().map(|voice| voice.channel_id);
        json!({ "id": member.id, "name": member.display_name(), "bot": member.bot, "voice_channel_id": voice })
    });
    json!({
        "id": guild.id,
        "name": guild.name,
        "channels": channels.collect::<Vec<_>>(),
        "members": members.collect::<Vec<_>>(),
        "audit": guild.audit,
    })
}

fn seated<'a>(guild: &'a Guild, channel: &'a Channel) -> impl Iterator<Item = (super::snowflake::Snowflake, &'a str)> {
    let here = guild.members.values().filter(|member| member.sits_in(channel.id));
    here.map(|member| (member.id, member.display_name()))
}

fn below<'a>(guild: &'a Guild, category: Option<&Channel>) -> Vec<&'a Channel> {
    let parent = category.map(|category| category.id);
    sorted(guild, |channel| {
        channel.kind != Kind::Category && channel.parent_id == parent
    })
}

/// As a client sorts them: text above voice, by position, by age.
fn sorted(guild: &Guild, wanted: impl Fn(&Channel) -> bool) -> Vec<&Channel> {
    let mut found: Vec<&Channel> = guild.channels.values().filter(|channel| wanted(channel)).collect();
    found.sort_by_key(|channel| (channel.kind.number(), channel.position, channel.id));
    found
}
