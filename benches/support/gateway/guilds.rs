//! Guilds with tens of thousands of people in voice, in the form and size in which Discord tells them.

use serde_json::{Value, json};

pub const GUILDS: u64 = 5;
pub const SEATED: u64 = 20_000;
/// Running matches in each guild, and the people that play in each match.
pub const MATCHES: u64 = 200;
pub const PLAYERS: u64 = 10;
/// Other voice channels of a guild.
const ROOMS: u64 = 50;

pub fn guild_id(guild: u64) -> u64 {
    1_000 + guild
}

/// People are numbered through all guilds.
pub fn user_id(person: u64) -> u64 {
    1_000_000_000_000_000_000 + person
}

pub fn room_id(guild: u64, room: u64) -> u64 {
    500_000 + guild * 1_000 + room % ROOMS
}

/// The voice channel of a faction (0 or 1) of a match; matches are numbered through all guilds.
pub fn match_channel_id(number: u64, faction: u64) -> u64 {
    900_000 + number * 2 + faction
}

/// Who plays in a match: the first people of its guild, ten by ten.
pub fn player(number: u64, place: u64) -> u64 {
    number / MATCHES * SEATED + number % MATCHES * PLAYERS + place
}

fn channel_of(guild: u64, place: u64) -> u64 {
    if place < MATCHES * PLAYERS {
        let number = guild * MATCHES + place / PLAYERS;
        return match_channel_id(number, place % PLAYERS / (PLAYERS / 2));
    }
    room_id(guild, place)
}

fn person(person: u64) -> Value {
    json!({
        "user": {
            "id": user_id(person).to_string(), "username": format!("person{person}"), "global_name": format!("Person {person}"),
            "avatar": "8342729096ea3675442027381ff50dfe", "avatar_decoration_data": null, "discriminator": "0", "public_flags": 64,
            "bot": false, "clan": null, "primary_guild": null, "display_name_styles": null, "collectibles": null,
        },
        "nick": format!("Nick {person}"), "avatar": null, "banner": null, "roles": ["700000000000000001", "700000000000000002"],
        "joined_at": "2021-04-12T10:11:12.345000+00:00", "premium_since": null, "communication_disabled_until": null,
        "deaf": false, "mute": false, "pending": false, "flags": 0, "unusual_dm_activity_until": null,
    })
}

fn voice_state(person: u64, channel: u64) -> Value {
    json!({
        "user_id": user_id(person).to_string(), "channel_id": channel.to_string(), "session_id": format!("{person:032x}"),
        "deaf": false, "mute": false, "self_deaf": false, "self_mute": true, "self_video": false, "suppress": false,
        "request_to_speak_timestamp": null,
    })
}

fn channel(id: u64, name: &str) -> Value {
    json!({
        "id": id.to_string(), "type": 2, "name": name, "parent_id": "400000", "position": 1, "bitrate": 64_000, "user_limit": 0,
        "rate_limit_per_user": 0, "nsfw": false, "flags": 0, "version": 1, "rtc_region": null, "last_message_id": null,
        "permission_overwrites": (0..8_u64).map(|number| json!({
            "id": (700_000_000_000_000_001 + number).to_string(), "type": 0, "allow": "1049600", "deny": "0",
        })).collect::<Vec<_>>(),
    })
}

/// The `d` of a GUILD_CREATE.
pub fn guild_create(guild: u64) -> Value {
    let people = guild * SEATED..(guild + 1) * SEATED;
    let rooms = (0..ROOMS).map(|room| channel(room_id(guild, room), "room"));
    let numbers = guild * MATCHES..(guild + 1) * MATCHES;
    let own = numbers.flat_map(|number| [0, 1].map(|faction| channel(match_channel_id(number, faction), "match")));
    json!({
        "id": guild_id(guild).to_string(), "name": format!("Guild {guild}"), "unavailable": false, "owner_id": "1", "large": true,
        "member_count": 300_000, "joined_at": "2021-04-12T10:11:12.345000+00:00",
        "roles": (0..200_u64).map(|role| json!({
            "id": (700_000_000_000_000_001 + role).to_string(), "name": format!("Role {role}"), "permissions": "104324673", "position": role,
            "color": 0, "colors": {"primary_color": 0, "secondary_color": null, "tertiary_color": null},
            "hoist": false, "managed": false, "mentionable": false, "flags": 0, "icon": null, "unicode_emoji": null,
        })).collect::<Vec<_>>(),
        "channels": rooms.chain(own).collect::<Vec<_>>(),
        "voice_states": people.clone().map(|who| voice_state(who, channel_of(guild, who % SEATED))).collect::<Vec<_>>(),
        "members": people.map(person).collect::<Vec<_>>(),
        "threads": [], "presences": [], "stage_instances": [], "guild_scheduled_events": [], "soundboard_sounds": [],
    })
}

/// The `d` of a VOICE_STATE_UPDATE: this person sits there now.
pub fn voice_state_update(who: u64, channel: u64) -> Value {
    let mut body = voice_state(who, channel);
    body["guild_id"] = guild_id(who / SEATED).to_string().into();
    body["member"] = person(who);
    body
}
