//! Builds the guilds from the world file and finds everything in it that does not fit together; it only runs at the start.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use super::{
    bots::{self, Place},
    permissions::{Overwrite, Whom},
    snowflake::{Mint, Snowflake},
    world::{Bot, Channel, Discord, Guild, Kind, Member, Role, Voice},
};
use crate::simulator::world::{ChannelFile, GuildFile, OverwriteFile, WorldFile};

impl Discord {
    /// Builds the guilds, or says everything that does not fit together in the file.
    pub(in crate::simulator) fn build(file: &WorldFile, now: Duration) -> Result<Self, Vec<String>> {
        let mut mint = Mint::default();
        mint.has_seen(file.bot.id);
        for guild in &file.guilds {
            let ids = [guild.id].into_iter().chain(guild.roles.iter().map(|role| role.id));
            let ids = ids.chain(guild.categories.iter().map(|category| category.id));
            let ids = ids.chain(
                guild
                    .voice_channels
                    .iter()
                    .chain(&guild.text_channels)
                    .map(|channel| channel.id),
            );
            ids.chain(guild.members.iter().map(|member| member.id))
                .for_each(|id| mint.has_seen(id));
        }
        let mut problems = Vec::new();
        let bot = Bot {
            id: file.bot.id,
            name: file.bot.name.clone(),
            token: file.bot_token.clone(),
        };
        let other_bots: Vec<Bot> = file.bots.iter().map(bots::read).collect();
        other_bots.iter().for_each(|bot| mint.has_seen(bot.id));
        problems.extend(bots::check(file));
        let mut seats = HashMap::new();
        let mut guilds = BTreeMap::new();
        for guild_file in &file.guilds {
            let places = bots::places(file, guild_file);
            let guild = build_guild(guild_file, &places, || mint.mint(now), &mut problems);
            for member in guild.members.values().filter(|member| member.voice.is_some()) {
                if seats.insert(member.id, guild.id).is_some() {
                    problems.push(format!("member {} sits in voice in two guilds", member.id));
                }
            }
            if guilds.insert(guild.id, guild).is_some() {
                problems.push(format!("guild {} is listed twice", guild_file.id));
            }
        }
        let deleted_users = file.deleted_users.iter().copied().collect();
        if problems.is_empty() {
            Ok(Self {
                caller: bot.id,
                bot,
                other_bots,
                agent_required: file.require_user_agent,
                guilds,
                deleted_users,
                mint,
                seats,
                outages: BTreeSet::new(),
                events: Vec::new(),
            })
        } else {
            Err(problems)
        }
    }
}

fn build_guild(
    file: &GuildFile,
    places: &[Place<'_>],
    mut mint: impl FnMut() -> Snowflake,
    problems: &mut Vec<String>,
) -> Guild {
    let mut problem = |what: String| problems.push(format!("guild {}: {what}", file.id));

    let mut roles = BTreeMap::new();
    let bot_roles: BTreeMap<_, _> = places.iter().map(|place| (place.bot, mint())).collect();
    let everyone = (file.id, "@everyone", file.everyone_permissions, None);
    let own = places
        .iter()
        .map(|place| (bot_roles[&place.bot], place.name, place.permissions, Some(place.bot)));
    let others = file
        .roles
        .iter()
        .map(|role| (role.id, role.name.as_str(), role.permissions, None));
    for (position, (id, name, permissions, bot)) in [everyone].into_iter().chain(others).chain(own).enumerate() {
        if roles
            .insert(
                id,
                Role {
                    id,
                    name: name.to_owned(),
                    permissions,
                    position,
                    bot,
                },
            )
            .is_some()
        {
            problem(format!("role {id} is listed twice"));
        }
    }

    let mut channels: BTreeMap<Snowflake, Channel> = BTreeMap::new();
    let mut add = |channel: Channel, problem: &mut dyn FnMut(String)| {
        if let Some(twice) = channels.insert(channel.id, channel) {
            problem(format!("channel {} is listed twice", twice.id));
        }
    };
    for (position, category) in (0..).zip(&file.categories) {
        let overwrites = category.permission_overwrites.iter().map(Overwrite::from).collect();
        let channel = Channel::new(category.id, Kind::Category, category.name.clone(), None, position);
        add(Channel { overwrites, ..channel }, &mut problem);
    }
    let listed = |kind: Kind, files: &[ChannelFile]| -> Vec<Channel> {
        let built = (0..).zip(files).map(|(position, file)| {
            let overwrites = file.permission_overwrites.iter().map(Overwrite::from).collect();
            let channel = Channel::new(file.id, kind, file.name.clone(), file.parent_id, position);
            Channel {
                overwrites,
                user_limit: file.user_limit.into(),
                ..channel
            }
        });
        built.collect()
    };
    let below = [
        listed(Kind::Voice, &file.voice_channels),
        listed(Kind::Text, &file.text_channels),
    ];
    for channel in below.into_iter().flatten() {
        if let Some(parent) = channel
            .parent_id
            .filter(|parent| file.categories.iter().all(|c| c.id != *parent))
        {
            problem(format!(
                "channel {}: its parent {parent} is no category of this guild",
                channel.id
            ));
        }
        add(channel, &mut problem);
    }

    let mut members = BTreeMap::new();
    for place in places {
        let own = [bot_roles[&place.bot]];
        let roles = own.into_iter().chain(place.roles.iter().copied()).collect();
        members.insert(place.bot, Member::new(place.bot, place.name.to_owned(), true, roles));
    }
    for listed in &file.members {
        let mut member = Member::new(listed.id, listed.name.clone(), false, listed.roles.clone());
        member.nick.clone_from(&listed.nick);
        if let Some(channel_id) = listed.voice_channel_id {
            if channels
                .get(&channel_id)
                .is_none_or(|channel| channel.kind != Kind::Voice)
            {
                problem(format!(
                    "member {}: {channel_id} is no voice channel of this guild",
                    listed.id
                ));
            }
            member.voice = Some(Voice {
                channel_id,
                session_id: format!("{:032x}", listed.id.0),
            });
        }
        if members.insert(listed.id, member).is_some() {
            problem(format!("member {} is listed twice, or is the bot", listed.id));
        }
    }
    for role in places
        .iter()
        .flat_map(|place| place.roles)
        .chain(file.members.iter().flat_map(|member| &member.roles))
    {
        if !roles.contains_key(role) {
            problem(format!("role {role} is given to somebody but not listed"));
        }
    }

    let owner_id = file.owner_id.unwrap_or(Snowflake(u64::MAX >> 1));
    Guild {
        id: file.id,
        name: file.name.clone(),
        owner_id,
        roles,
        bot_roles,
        channels,
        members,
        audit: Vec::new(),
        creations: BTreeMap::new(),
    }
}

impl From<&OverwriteFile> for Overwrite {
    fn from(file: &OverwriteFile) -> Self {
        let whom = if file.kind == 1 { Whom::Member } else { Whom::Role };
        Self {
            id: file.id,
            whom,
            allow: file.allow,
            deny: file.deny,
        }
    }
}
