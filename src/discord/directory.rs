//! What the bot can read of a guild for people who set it up: which guilds it is in, their channels and roles, who has which role.

use serde::Deserialize;
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{GuildMarker, RoleMarker},
    },
};

use crate::{
    discord::{
        answer::Answer,
        client::{Client, built},
        error::Error,
        line::Class,
        refusal::Doing,
        send::Route,
    },
    domain::ids::{GuildId, UserId},
};

/// Discord gives at most so many in one answer.
const PAGE: u16 = 200;

#[derive(Deserialize)]
struct Membership {
    id: Id<GuildMarker>,
}

#[derive(Deserialize)]
struct Roles {
    roles: Vec<Id<RoleMarker>>,
}

/// A role of a guild.
#[derive(Clone, Debug, Deserialize)]
pub struct Role {
    pub id: Id<RoleMarker>,
    pub name: String,
    pub position: i64,
    pub permissions: Permissions,
    /// Belongs to a bot or an integration.
    #[serde(default)]
    pub managed: bool,
}

impl Client {
    /// The guilds that the bot is in.
    pub async fn own_guilds(&self) -> Result<Vec<GuildId>, Error> {
        let mut guilds = Vec::new();
        loop {
            let mut request = self.build().current_user_guilds().limit(PAGE);
            if let Some(last) = guilds.last() {
                let last: &GuildId = last;
                request = request.after(Id::new(last.get()));
            }
            let request = built(request)?;
            let page: Vec<Membership> = self
                .read("GET /users/@me/guilds", 0, &request, &Doing::AskWhoWeAre)
                .await?;
            let full = page.len() == usize::from(PAGE);
            guilds.extend(page.iter().filter_map(|guild| GuildId::new(guild.id.get())));
            if !full {
                return Ok(guilds);
            }
        }
    }

    /// All roles, @everyone among them.
    pub async fn roles(&self, guild: GuildId) -> Result<Vec<Role>, Error> {
        let request = built(self.build().roles(Id::new(guild.get())))?;
        self.read(
            "GET /guilds/{guild}/roles",
            guild.get(),
            &request,
            &Doing::List { guild },
        )
        .await
    }

    /// The ids of somebody's roles; None when he is not in the guild.
    pub async fn roles_of(&self, guild: GuildId, user: UserId) -> Result<Option<Vec<u64>>, Error> {
        let request = built(self.build().guild_member(Id::new(guild.get()), Id::new(user.get())))?;
        let route = Route::new(Class::Message, "GET /guilds/{guild}/members/{user}", guild.get());
        match self.call(route, &request).await? {
            Answer::Ok(body) => Ok(Some(body.parse::<Roles>()?.roles.into_iter().map(Id::get).collect())),
            Answer::Refused(refusal) if matches!(refusal.body.code, 10_007 | 10_013) => Ok(None),
            Answer::Refused(refusal) => Err(refusal.into_error(&Doing::List { guild })),
        }
    }

    async fn read<T: serde::de::DeserializeOwned>(
        &self,
        route: &'static str,
        resource: u64,
        request: &twilight_http::request::Request,
        doing: &Doing,
    ) -> Result<T, Error> {
        match self.call(Route::new(Class::Message, route, resource), request).await? {
            Answer::Ok(body) => body.parse(),
            Answer::Refused(refusal) => Err(refusal.into_error(doing)),
        }
    }
}
