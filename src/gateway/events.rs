//! The few events that we read, and of each the few fields that we need. Everything else is skipped, so nothing in it can spoil a guild.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Visitor},
};
use serde_json::value::RawValue;
use twilight_model::gateway::event::GatewayEventDeserializer;

use crate::{
    discord::voice::{Kind, Place},
    domain::ids::{ChannelId, GuildId, UserId},
};

/// The opcode of an event; others are about the connection.
const DISPATCH: u8 = 0;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A new session, and the guilds that it will tell of.
    Ready(Vec<GuildId>),
    /// Everything that was missed has been told.
    Resumed,
    /// All of a guild.
    Guild {
        guild: GuildId,
        seats: Vec<(UserId, ChannelId)>,
        channels: Vec<(ChannelId, Place)>,
    },
    /// Discord has an outage there.
    GuildAway(GuildId),
    /// The bot was removed.
    GuildGone(GuildId),
    /// What the bot may do there may have changed.
    Permissions(GuildId),
    NewChannel(GuildId, ChannelId, Place),
    /// Its permissions may have changed as well.
    Channel(GuildId, ChannelId, Place),
    ChannelGone(GuildId, ChannelId),
    Seat(GuildId, UserId, Option<ChannelId>),
    /// Somebody used a command or pressed a button; as Discord wrote it.
    Interaction(Box<str>),
}

/// The event and its name, if it is one that we read; an error when it is, and can't be read.
pub(super) fn read(text: &str) -> Option<(&'static str, Result<Event, serde_json::Error>)> {
    let (op, _, name) = GatewayEventDeserializer::from_json(text)?.into_parts();
    if op != DISPATCH {
        return None;
    }
    let name = name?;
    Some(match name.as_ref() {
        "VOICE_STATE_UPDATE" => ("voice_state_update", voice_state(text)),
        "GUILD_CREATE" => ("guild_create", data(text).map(GuildCreate::event)),
        "GUILD_DELETE" => ("guild_delete", data(text).map(GuildDelete::event)),
        "GUILD_UPDATE" => (
            "guild_update",
            data(text).map(|guild: Named| Event::Permissions(guild.id.into())),
        ),
        "GUILD_ROLE_CREATE" | "GUILD_ROLE_UPDATE" | "GUILD_ROLE_DELETE" => ("guild_role", in_guild(text)),
        // Without the intent for members, only the bot's own is told.
        "GUILD_MEMBER_UPDATE" => ("guild_member_update", in_guild(text)),
        "CHANNEL_CREATE" => ("channel_create", channel(text, Event::NewChannel)),
        "CHANNEL_UPDATE" => ("channel_update", channel(text, Event::Channel)),
        "CHANNEL_DELETE" => (
            "channel_delete",
            channel(text, |guild, id, _| Event::ChannelGone(guild, id)),
        ),
        "INTERACTION_CREATE" => (
            "interaction_create",
            data(text).map(|raw: Box<RawValue>| Event::Interaction(raw.into())),
        ),
        "READY" => ("ready", data(text).map(Ready::event)),
        "RESUMED" => ("resumed", Ok(Event::Resumed)),
        _ => return None,
    })
}

#[derive(Deserialize)]
struct Dispatch<T> {
    d: T,
}

fn data<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    Ok(serde_json::from_str::<Dispatch<T>>(text)?.d)
}

#[derive(Deserialize)]
struct Named {
    id: Flake,
}

#[derive(Deserialize)]
struct Ready {
    guilds: Vec<Named>,
}

impl Ready {
    fn event(self) -> Event {
        Event::Ready(self.guilds.into_iter().map(|guild| guild.id.into()).collect())
    }
}

#[derive(Deserialize)]
struct GuildCreate {
    id: Flake,
    unavailable: Option<bool>,
    voice_states: Option<Vec<VoiceState>>,
    channels: Option<Vec<Channel>>,
}

impl GuildCreate {
    fn event(self) -> Event {
        let guild = self.id.into();
        if self.unavailable == Some(true) {
            return Event::GuildAway(guild);
        }
        let states = self.voice_states.unwrap_or_default().into_iter();
        let channels = self.channels.unwrap_or_default().into_iter();
        Event::Guild {
            guild,
            seats: states
                .filter_map(|state| Some((state.user_id.into(), state.channel_id?.into())))
                .collect(),
            channels: channels.map(|channel| (channel.id.into(), channel.place())).collect(),
        }
    }
}

#[derive(Deserialize)]
struct GuildDelete {
    id: Flake,
    unavailable: Option<bool>,
}

impl GuildDelete {
    fn event(self) -> Event {
        match self.unavailable {
            Some(true) => Event::GuildAway(self.id.into()),
            _ => Event::GuildGone(self.id.into()),
        }
    }
}

#[derive(Deserialize)]
struct InGuild {
    guild_id: Flake,
}

fn in_guild(text: &str) -> serde_json::Result<Event> {
    data(text).map(|what: InGuild| Event::Permissions(what.guild_id.into()))
}

#[derive(Deserialize)]
struct Channel {
    id: Flake,
    guild_id: Option<Flake>,
    #[serde(rename = "type")]
    kind: u8,
    parent_id: Option<Flake>,
}

impl Channel {
    fn place(&self) -> Place {
        Place {
            kind: Kind::of(self.kind),
            parent: self.parent_id.map(ChannelId::from),
        }
    }
}

fn channel(text: &str, event: fn(GuildId, ChannelId, Place) -> Event) -> serde_json::Result<Event> {
    let channel: Channel = data(text)?;
    let guild = channel.guild_id.ok_or_else(|| missing("guild_id"))?;
    Ok(event(guild.into(), channel.id.into(), channel.place()))
}

#[derive(Deserialize)]
struct VoiceState {
    guild_id: Option<Flake>,
    user_id: Flake,
    channel_id: Option<Flake>,
}

fn voice_state(text: &str) -> serde_json::Result<Event> {
    let state: VoiceState = data(text)?;
    let guild = state.guild_id.ok_or_else(|| missing("guild_id"))?;
    Ok(Event::Seat(
        guild.into(),
        state.user_id.into(),
        state.channel_id.map(ChannelId::from),
    ))
}

fn missing(field: &'static str) -> serde_json::Error {
    <serde_json::Error as serde::de::Error>::missing_field(field)
}

/// Discord writes ids as texts of digits.
#[derive(Clone, Copy)]
struct Flake(u64);

impl<'de> Deserialize<'de> for Flake {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;

        impl Visitor<'_> for Digits {
            type Value = Flake;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a Discord id")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Flake, E> {
                let id = text.parse().ok().filter(|id| *id != 0);
                id.map(Flake).ok_or_else(|| E::custom("no Discord id"))
            }

            fn visit_u64<E: serde::de::Error>(self, id: u64) -> Result<Flake, E> {
                if id == 0 {
                    Err(E::custom("no Discord id"))
                } else {
                    Ok(Flake(id))
                }
            }
        }

        deserializer.deserialize_any(Digits)
    }
}

macro_rules! flake_into {
    ($($id:ident)*) => {$(
        impl From<Flake> for $id {
            fn from(id: Flake) -> Self {
                $id::new(id.0).expect("zero is refused when it is read")
            }
        }
    )*};
}

flake_into!(GuildId ChannelId UserId);

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        read(text).expect("it is one of ours").1.expect("it can be read")
    }

    fn guild(id: u64) -> GuildId {
        GuildId::new(id).unwrap()
    }

    fn channel(id: u64) -> ChannelId {
        ChannelId::new(id).unwrap()
    }

    fn user(id: u64) -> UserId {
        UserId::new(id).unwrap()
    }

    #[test]
    fn a_guild_is_read_with_its_channels_and_whoever_sits_somewhere() {
        let text = r#"{"t":"GUILD_CREATE","s":2,"op":0,"d":{"id":"7","name":"Kiosk \"t\":","unavailable":false,"roles":[{"anything":{}}],
            "voice_states":[{"user_id":"1","channel_id":"20","self_stream":null,"deaf":false},{"user_id":"2","channel_id":null}],
            "channels":[{"id":"10","type":4,"name":"Matches"},{"id":"20","type":2,"parent_id":"10","flags":131072},{"id":"21","type":99,"parent_id":null}]}}"#;
        let place = |kind, parent: Option<u64>| Place {
            kind,
            parent: parent.map(channel),
        };
        let expected = Event::Guild {
            guild: guild(7),
            seats: vec![(user(1), channel(20))],
            channels: vec![
                (channel(10), place(Kind::Category, None)),
                (channel(20), place(Kind::Voice, Some(10))),
                (channel(21), place(Kind::Other, None)),
            ],
        };
        assert_eq!(event(text), expected);
    }

    #[test]
    fn an_outage_is_told_from_a_removal() {
        let away = r#"{"op":0,"s":3,"t":"GUILD_DELETE","d":{"id":"7","unavailable":true}}"#;
        let gone = r#"{"op":0,"s":3,"t":"GUILD_DELETE","d":{"id":"7"}}"#;
        let still = r#"{"op":0,"s":3,"t":"GUILD_CREATE","d":{"id":"7","unavailable":true}}"#;
        assert_eq!(event(away), Event::GuildAway(guild(7)));
        assert_eq!(event(gone), Event::GuildGone(guild(7)));
        assert_eq!(event(still), Event::GuildAway(guild(7)));
    }

    #[test]
    fn somebody_comes_and_leaves() {
        let came = r#"{"op":0,"s":4,"t":"VOICE_STATE_UPDATE","d":{"guild_id":"7","channel_id":"20","user_id":"1","member":{"user":{"id":"1"}}}}"#;
        let left = r#"{"op":0,"s":5,"t":"VOICE_STATE_UPDATE","d":{"guild_id":"7","channel_id":null,"user_id":"1"}}"#;
        assert_eq!(event(came), Event::Seat(guild(7), user(1), Some(channel(20))));
        assert_eq!(event(left), Event::Seat(guild(7), user(1), None));
    }

    #[test]
    fn other_events_and_opcodes_are_skipped_and_bad_ones_reported() {
        for skipped in [
            r#"{"op":0,"s":1,"t":"MESSAGE_CREATE","d":{}}"#,
            r#"{"op":11,"d":null,"s":null,"t":null}"#,
            r#"{"op":10,"d":{"heartbeat_interval":41250}}"#,
            "no JSON at all",
        ] {
            assert!(read(skipped).is_none(), "{skipped}");
        }
        let bad = r#"{"op":0,"s":1,"t":"CHANNEL_DELETE","d":{"id":"0","guild_id":"7","type":2}}"#;
        let (name, event) = read(bad).unwrap();
        assert_eq!(name, "channel_delete");
        assert!(event.is_err());
    }
}
