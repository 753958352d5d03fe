//! Members over REST: look up, move and disconnect, mute, deafen, rename; voice states. Nobody joins the guild here.

use std::time::Duration;

use serde_json::Value;

use super::{
    errors::Refusal,
    events::{Event, What},
    form::{Form, Given},
    permissions::{Bits, in_channel},
    shapes,
    snowflake::Snowflake,
    world::{Channel, Discord, Guild, Kind, Member},
};

impl Discord {
    /// An account that is gone is 10013; anybody else may be somewhere on Discord, only not here: 10007.
    fn member(&self, guild: Snowflake, user: Snowflake) -> Result<(&Guild, &Member), Refusal> {
        let guild = self.guild(guild)?;
        match guild.members.get(&user) {
            Some(member) => Ok((guild, member)),
            None if self.deleted_users.contains(&user) => Err(Refusal::unknown_user()),
            None => Err(Refusal::unknown_member()),
        }
    }

    pub(super) fn show_user(&self, user: Snowflake) -> Result<Value, Refusal> {
        let found = self.guilds.values().find_map(|guild| guild.members.get(&user));
        found.map(shapes::user).ok_or_else(Refusal::unknown_user)
    }

    pub(super) fn show_member(&self, guild: Snowflake, user: Snowflake) -> Result<Value, Refusal> {
        self.member(guild, user).map(|(_, member)| shapes::member(member))
    }

    /// Only for those who could connect there: "the current user must have permission to connect to the channel".
    pub(super) fn show_voice_state(&self, guild: Snowflake, user: Snowflake) -> Result<Value, Refusal> {
        let (guild, member) = self.member(guild, user)?;
        let voice = member.voice.as_ref().ok_or_else(Refusal::unknown_voice_state)?;
        self.may(guild, voice.channel_id, Bits::CONNECT)?;
        Ok(shapes::voice_state(guild, member, voice))
    }

    pub(super) fn edit_member(
        &mut self,
        guild_id: Snowflake,
        user: Snowflake,
        mut form: Form,
        now: Duration,
    ) -> Result<Value, Refusal> {
        for unread in ["communication_disabled_until", "flags"] {
            if form.has(unread) {
                return Err(Refusal::not_modelled(&format!("an edit of a member's {unread}")));
            }
        }
        let channel = form.id("channel_id");
        let (mute, deaf) = (form.truth("mute"), form.truth("deaf"));
        let nick = form.text("nick");
        let roles = form.ids("roles");
        form.finish()?;

        let (guild, member) = self.member(guild_id, user)?;
        let own = self.bot_in_guild(guild);
        let needs = [
            (mute != Given::Absent, Bits::MUTE_MEMBERS),
            (deaf != Given::Absent, Bits::DEAFEN_MEMBERS),
            (nick != Given::Absent, Bits::MANAGE_NICKNAMES),
            (roles != Given::Absent, Bits::MANAGE_ROLES),
        ];
        if needs.iter().any(|(asked, bits)| *asked && !own.contains(*bits)) {
            return Err(Refusal::missing_permissions());
        }
        if let Given::Value(roles) = &roles
            && roles.iter().any(|role| !guild.roles.contains_key(role))
        {
            return Err(Refusal::unknown_role());
        }
        if mute.value().or(deaf.value()).is_some() && member.voice.is_none() {
            return Err(Refusal::not_in_voice());
        }
        if channel != Given::Absent {
            self.check_move(guild, member, channel.value())?;
            self.seat(guild_id, user, channel.value(), now);
        }

        let guild = self.guilds.get_mut(&guild_id).ok_or_else(Refusal::unknown_guild)?;
        let member = guild.members.get_mut(&user).ok_or_else(Refusal::unknown_member)?;
        let silenced = (member.mute, member.deaf);
        member.mute = mute.value().unwrap_or(member.mute);
        member.deaf = deaf.value().unwrap_or(member.deaf);
        if let Some(voice) = &member.voice
            && silenced != (member.mute, member.deaf)
        {
            let what = What::Voice {
                user,
                channel: Some(voice.channel_id),
                session_id: voice.session_id.clone(),
            };
            self.events.push(Event::of(guild_id, what));
        }
        if nick != Given::Absent || roles != Given::Absent {
            self.events.push(Event::of(guild_id, What::MemberChanged(user)));
        }
        match nick {
            Given::Value(nick) => member.nick = Some(nick).filter(|nick| !nick.is_empty()),
            Given::Null => member.nick = None,
            Given::Absent => {}
        }
        if let Given::Value(roles) = roles {
            member.roles = roles;
        }
        Ok(shapes::member(member))
    }

    /// Whether a member could walk into a voice channel by himself: he sees it, may connect, and there is room for him.
    pub(in crate::simulator) fn may_join(guild: &Guild, member: &Member, channel: &Channel) -> bool {
        let bits = in_channel(guild, channel, member);
        let seated = guild
            .members
            .values()
            .filter(|other| other.id != member.id && other.sits_in(channel.id))
            .count();
        let full = usize::try_from(channel.user_limit).is_ok_and(|limit| limit > 0 && seated >= limit);
        bits.contains(Bits::CONNECT) && (!full || bits.contains(Bits::MOVE_MEMBERS))
    }

    /// The bot needs CONNECT and MOVE_MEMBERS where the member goes and MOVE_MEMBERS where he sits. The member himself needs
    /// nothing there, and a full channel is no obstacle (discord-api-docs #1293, #8240).
    fn check_move(&self, guild: &Guild, member: &Member, target: Option<Snowflake>) -> Result<(), Refusal> {
        if let Some(target) = target {
            let channel = guild.channels.get(&target).ok_or_else(Refusal::unknown_channel)?;
            if channel.kind != Kind::Voice {
                return Err(Refusal::wrong_channel_type());
            }
            self.may(guild, target, Bits::CONNECT | Bits::MOVE_MEMBERS)?;
        }
        let source = member.voice.as_ref().ok_or_else(Refusal::not_in_voice)?;
        self.may(guild, source.channel_id, Bits::MOVE_MEMBERS)
    }

    fn may(&self, guild: &Guild, channel: Snowflake, wanted: Bits) -> Result<(), Refusal> {
        let channel = guild.channels.get(&channel).ok_or_else(Refusal::unknown_channel)?;
        if self.bot_in(guild, channel)?.contains(wanted) {
            Ok(())
        } else {
            Err(Refusal::missing_permissions())
        }
    }
}
