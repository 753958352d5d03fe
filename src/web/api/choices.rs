//! Whether what settings name is there in the server, and of the right kind.

use std::collections::BTreeMap;

use crate::{
    discord::channels::Channel,
    domain::{
        ids::{ChannelId, RoleId},
        settings::Settings,
    },
    web::{
        api::{channels::ChannelKind, settings::Wrong},
        auth::Admin,
        refused::Refused,
    },
};

/// What there is in a server, as far as the bot sees it.
pub struct Choices {
    guild: u64,
    channels: BTreeMap<u64, Channel>,
    roles: Vec<u64>,
}

impl Choices {
    /// Asks Discord for what these settings need.
    pub async fn of(admin: &Admin, settings: &Settings) -> Result<Self, Refused> {
        let guild = settings.guild;
        let names_channels = settings.category.is_some()
            || settings.lobby.is_some()
            || settings.report_channel.is_some()
            || !settings.source_channels.is_empty();
        let names_roles = !settings.staff_roles.is_empty() || !settings.spectator_roles.is_empty();
        if names_channels || names_roles {
            admin.must_be_installed(guild).await?;
        }
        let channels = async {
            if names_channels {
                admin.discord.list_channels(guild).await
            } else {
                Ok(Vec::new())
            }
        };
        let roles = async {
            if names_roles {
                admin.discord.roles(guild).await
            } else {
                Ok(Vec::new())
            }
        };
        let (channels, roles) = tokio::try_join!(channels, roles)?;
        Ok(Self {
            guild: guild.get(),
            channels: channels
                .into_iter()
                .map(|channel| (channel.id.get(), channel))
                .collect(),
            roles: roles.into_iter().map(|role| role.id.get()).collect(),
        })
    }

    pub fn check(&self, settings: &Settings) -> Result<(), Wrong> {
        let mut wrong = Wrong::default();
        let voice = [ChannelKind::Voice, ChannelKind::Stage];
        self.channel(&mut wrong, "category", settings.category, &[ChannelKind::Category]);
        self.channel(&mut wrong, "lobby", settings.lobby, &voice);
        self.channel(
            &mut wrong,
            "report_channel",
            settings.report_channel,
            &[ChannelKind::Text],
        );
        for source in &settings.source_channels {
            self.channel(&mut wrong, "source_channels", Some(*source), &voice);
        }
        for role in &settings.staff_roles {
            self.role(&mut wrong, "staff_roles", *role);
            if role.get() == self.guild {
                wrong.add(
                    "staff_roles",
                    "with @everyone, every member would be staff: name another role",
                );
            }
        }
        for role in &settings.spectator_roles {
            self.role(&mut wrong, "spectator_roles", *role);
        }
        wrong.check()
    }

    fn channel(&self, wrong: &mut Wrong, field: &'static str, id: Option<ChannelId>, kinds: &[ChannelKind]) {
        let Some(id) = id else { return };
        match self.channels.get(&id.get()).map(ChannelKind::of) {
            Some(Some(kind)) if kinds.contains(&kind) => {}
            Some(_) => wrong.add(field, format!("channel {id} is no {}", word(kinds))),
            None => wrong.add(
                field,
                format!("this server has no channel {id}, or the bot may not view it (View Channels)"),
            ),
        }
    }

    fn role(&self, wrong: &mut Wrong, field: &'static str, id: RoleId) {
        if !self.roles.contains(&id.get()) {
            wrong.add(field, format!("this server has no role {id}"));
        }
    }
}

fn word(kinds: &[ChannelKind]) -> &'static str {
    match kinds {
        [ChannelKind::Category] => "category",
        [ChannelKind::Text] => "text channel",
        _ => "voice channel",
    }
}
