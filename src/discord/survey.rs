//! What Discord shows of the bots and of a server: accounts, application, roles, own membership. Judges nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, de::DeserializeOwned};
use time::format_description::well_known::Rfc3339;
use twilight_http::request::TryIntoRequest;
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{ApplicationMarker, GuildMarker, RoleMarker, UserMarker},
    },
};

use crate::{
    discord::{
        answer::Answer,
        client::{Client, built},
        error::Error,
        line::{By, Class},
        permissions::{Member, Roles},
        refusal::{Doing, Refusal},
        send::Route,
    },
    domain::{
        Timestamp,
        ids::{ChannelId, GuildId, UserId},
    },
};

/// Who one of the bots is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: UserId,
    pub name: String,
}

/// The application in the developer portal.
#[derive(Clone, Debug, Deserialize)]
pub struct Application {
    pub id: Id<ApplicationMarker>,
    pub name: String,
    /// Where Discord sends interactions instead of over the gateway.
    #[serde(default)]
    pub interactions_endpoint_url: Option<String>,
    /// Signs those, in hexadecimal digits.
    #[serde(default)]
    pub verify_key: String,
    /// Where people may be sent back to after signing in.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
}

/// A server as one of the bots sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guild {
    pub name: String,
    pub roles: Roles,
    pub role_names: BTreeMap<u64, String>,
    /// Whoever manages it must have two-factor authentication.
    pub wants_two_factors: bool,
}

/// A channel that a list left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlisted {
    Gone,
    Hidden,
    /// Of another server.
    Elsewhere(GuildId),
    /// It was made in the meantime, or can be seen all the same.
    Here,
}

#[derive(Deserialize)]
struct WireUser {
    id: Id<UserMarker>,
    username: String,
}

#[derive(Deserialize)]
struct WireGuild {
    name: String,
    owner_id: Id<UserMarker>,
    roles: Vec<WireRole>,
    #[serde(default)]
    mfa_level: u8,
}

#[derive(Deserialize)]
struct WireRole {
    id: Id<RoleMarker>,
    #[serde(default)]
    name: String,
    permissions: Permissions,
}

#[derive(Deserialize)]
struct WireMember {
    #[serde(default)]
    roles: Vec<Id<RoleMarker>>,
    #[serde(default)]
    communication_disabled_until: Option<String>,
}

#[derive(Deserialize)]
struct WireChannel {
    #[serde(default)]
    guild_id: Option<Id<GuildMarker>>,
}

impl Client {
    /// How many bots there are; the main one has the number 0.
    pub fn bots(&self) -> usize {
        self.bot_count()
    }

    /// Who a bot is, asked afresh.
    pub async fn whoami(&self, bot: usize) -> Result<Account, Error> {
        let route = Route::new(Class::Message, "GET /users/@me", 0).by(By::Bot(bot));
        let me: WireUser = self
            .ask(route, self.build().current_user(), &Doing::AskWhoWeAre)
            .await?;
        Ok(Account {
            id: UserId::new(me.id.get()).expect("twilight's ids are never zero"),
            name: me.username,
        })
    }

    pub async fn application(&self) -> Result<Application, Error> {
        let route = Route::new(Class::Message, "GET /applications/@me", 0);
        let request = self.build().current_user_application();
        self.ask(route, request, &Doing::AskWhoWeAre).await
    }

    /// A server as a bot sees it; None when it is no member.
    pub async fn guild_as(&self, bot: usize, guild: GuildId) -> Result<Option<Guild>, Error> {
        let route = Route::new(Class::Message, "GET /guilds/{guild}", guild.get()).by(By::Bot(bot));
        let request = built(self.build().guild(Id::new(guild.get())))?;
        let wire: WireGuild = match self.call(route, &request).await? {
            Answer::Ok(body) => body.parse()?,
            Answer::Refused(refusal) if stranger(&refusal) => return Ok(None),
            Answer::Refused(refusal) => return Err(refusal.into_error(&Doing::List { guild })),
        };
        Ok(Some(Guild {
            name: wire.name,
            role_names: wire
                .roles
                .iter()
                .map(|role| (role.id.get(), role.name.clone()))
                .collect(),
            roles: Roles {
                guild: guild.get(),
                owner: wire.owner_id.get(),
                permissions: wire
                    .roles
                    .iter()
                    .map(|role| (role.id.get(), role.permissions))
                    .collect(),
            },
            wants_two_factors: wire.mfa_level > 0,
        }))
    }

    /// A bot's own membership; None when it is no member.
    pub async fn member_as(
        &self,
        bot: usize,
        guild: GuildId,
        user: UserId,
        now: Timestamp,
    ) -> Result<Option<Member>, Error> {
        let route = Route::new(Class::Message, "GET /guilds/{guild}/members/{user}", guild.get()).by(By::Bot(bot));
        let request = built(self.build().guild_member(Id::new(guild.get()), Id::new(user.get())))?;
        let wire: WireMember = match self.call(route, &request).await? {
            Answer::Ok(body) => body.parse()?,
            Answer::Refused(refusal) if stranger(&refusal) || refusal.body.code == 10007 => return Ok(None),
            Answer::Refused(refusal) => return Err(refusal.into_error(&Doing::List { guild })),
        };
        let until = wire.communication_disabled_until;
        let until = until.and_then(|text| Timestamp::parse(&text, &Rfc3339).ok());
        Ok(Some(Member {
            id: user.get(),
            roles: wire.roles.iter().map(|role| role.get()).collect(),
            timed_out: until.is_some_and(|until| until > now),
        }))
    }

    /// Why a list of the server's channels left one out.
    pub async fn look_for_channel(&self, guild: GuildId, channel: ChannelId) -> Result<Unlisted, Error> {
        let route = Route::new(Class::Message, "GET /channels/{channel}", channel.get());
        let request = built(self.build().channel(Id::new(channel.get())))?;
        Ok(match self.call(route, &request).await? {
            Answer::Ok(body) => {
                let home = body
                    .parse::<WireChannel>()?
                    .guild_id
                    .and_then(|id| GuildId::new(id.get()));
                match home {
                    Some(home) if home != guild => Unlisted::Elsewhere(home),
                    _ => Unlisted::Here,
                }
            }
            Answer::Refused(refusal) if refusal.body.code == 10003 => Unlisted::Gone,
            Answer::Refused(refusal) if matches!(refusal.body.code, 50001 | 50013) => Unlisted::Hidden,
            Answer::Refused(refusal) => return Err(refusal.into_error(&Doing::List { guild })),
        })
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        route: Route,
        request: impl TryIntoRequest,
        doing: &Doing,
    ) -> Result<T, Error> {
        match self.call(route, &built(request)?).await? {
            Answer::Ok(body) => body.parse(),
            Answer::Refused(refusal) => Err(refusal.into_error(doing)),
        }
    }
}

/// An unknown guild, or no access to it.
fn stranger(refusal: &Refusal) -> bool {
    matches!(refusal.body.code, 10004 | 50001)
}
