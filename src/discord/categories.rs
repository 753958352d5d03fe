//! Further categories: create, find, delete when empty, and what a category is called. Which there should be is decided elsewhere.

use serde::Deserialize;
use twilight_http::request::{AuditLogReason, TryIntoRequest};
use twilight_model::{channel::ChannelType, id::Id};

use crate::{
    discord::{
        answer::Answer,
        channels::{OldChannel, Search, audit_reason, not_buildable},
        client::{Client, built},
        error::Error,
        line::Class,
        overwrites::of_a_category,
        refusal::Doing,
        send::Route,
    },
    domain::{
        Timestamp,
        ids::{ChannelId, GuildId, UserId},
        plan::Outcome,
    },
};

/// A category to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewCategory<'a> {
    pub guild: GuildId,
    /// 1 to 100 characters.
    pub name: &'a str,
    /// The bot's own account: it must be able to work in it.
    pub bot: UserId,
    /// For the guild's audit log.
    pub reason: &'a str,
    pub now: Timestamp,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    name: Option<String>,
}

impl Client {
    /// Outcomes: Created, GuildFull, NotHere, Refused. It is sent once only; when `Error::is_ambiguous`, the category may exist.
    pub async fn create_category(&self, new: &NewCategory<'_>) -> Result<Outcome, Error> {
        let overwrites = of_a_category(new.guild, new.bot);
        let request = self
            .build()
            .create_guild_channel(Id::new(new.guild.get()), new.name)
            .kind(ChannelType::GuildCategory)
            .permission_overwrites(&overwrites);
        let request = match request.reason(&audit_reason(new.reason)).try_into_request() {
            Ok(request) => request,
            Err(error) => return Ok(Outcome::Refused(not_buildable(new.name, &error))),
        };
        let doing = Doing::Create {
            guild: new.guild,
            category: None,
        };
        match self.create(new.guild, &request).await? {
            Ok(outcome) => Ok(outcome),
            Err(refusal) => self.refused(&refusal, &doing, new.now).await,
        }
    }

    /// Looks for categories that an unanswered create may have made. Outcomes: Found (oldest first), NotHere, Refused.
    pub async fn find_categories(&self, search: &Search<'_>) -> Result<Outcome, Error> {
        self.find(search, ChannelType::GuildCategory).await
    }

    /// Deletes a category in which there is no channel that the bot can see. Outcomes: Done, Gone, Occupied, NotHere, Refused.
    pub async fn delete_category(&self, old: &OldChannel<'_>) -> Result<Outcome, Error> {
        let inside = Some(Id::new(old.channel.get()));
        let channels = match self.channels(old.guild).await? {
            Ok(channels) => channels,
            Err(refusal) => return self.refused(&refusal, &Doing::List { guild: old.guild }, old.now).await,
        };
        if channels.iter().any(|channel| channel.parent_id == inside) {
            return Ok(Outcome::Occupied);
        }
        self.delete_channel(old).await
    }

    /// What a channel or category is called. Outcomes: Named, Gone, Refused.
    pub async fn channel_name(&self, guild: GuildId, channel: ChannelId) -> Result<Outcome, Error> {
        let request = built(self.build().channel(Id::new(channel.get())))?;
        let route = Route::new(Class::Create, "GET /channels/{channel}", channel.get());
        match self.call(route, &request).await? {
            Answer::Ok(body) => {
                let named: Named = body.parse()?;
                Ok(Outcome::Named(named.name.unwrap_or_default()))
            }
            Answer::Refused(refusal) => refusal.outcome(&Doing::List { guild }),
        }
    }
}
