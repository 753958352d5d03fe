//! `/api/guilds/{guild}/links`: who is who at FACEIT, as far as this server's staff may know, and linking people by hand.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{
        Timestamp,
        ids::{PlayerId, UserId, is_plausible_id},
    },
    faceit::{self, player::Profile},
    store::{
        self, guild_links,
        guild_links::Filter,
        linking::{self, By, Linked},
        links::{LinkRow, Method, StoredLink},
    },
    web::{
        access::Access,
        api::pages,
        auth::{Admin, session::Session},
        extract::{Body, Path, Query, plain, user_id},
        refused::{Done, ErrorBody, Refusals, Refused},
    },
};

/// Somebody waits at his browser.
const FACEIT_WITHIN: Duration = Duration::from_secs(8);
/// FACEIT's nicknames are shorter.
const LONGEST_NICKNAME: usize = 60;

/// How we know of a link.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// He signed in on both sides.
    Oauth,
    /// He typed the nickname.
    Manual,
    /// A server's staff says so.
    Staff,
    /// Read from a table by whoever runs Muster.
    Import,
}

/// A FACEIT account and the Discord account that it belongs to.
#[derive(Serialize, ToSchema)]
pub struct PersonLink {
    #[schema(example = "41771983423143937")]
    discord_id: String,
    faceit_id: String,
    /// At FACEIT, when last read.
    nickname: String,
    verified_method: How,
    /// He does not want to be moved.
    opted_out: bool,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    linked_at: Timestamp,
    /// When he proved it.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    verified_at: Option<Timestamp>,
}

impl From<StoredLink> for PersonLink {
    fn from(link: StoredLink) -> Self {
        Self {
            discord_id: link.row.user.to_string(),
            faceit_id: link.row.player.as_str().to_owned(),
            nickname: link.row.nickname,
            verified_method: match link.method {
                Method::Oauth => How::Oauth,
                Method::Manual => How::Manual,
                Method::Staff => How::Staff,
                Method::Import => How::Import,
            },
            opted_out: link.opted_out,
            linked_at: link.linked_at,
            verified_at: link.verified_at,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct LinksQuery {
    /// The beginning of a FACEIT nickname, or a whole FACEIT or Discord id.
    search: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200; 50 when left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct LinkPage {
    links: Vec<PersonLink>,
    /// The cursor of the next page; null on the last one.
    next: Option<String>,
}

/// Links of people who played in this server's matches or were linked here, by Discord id; a member is found by his Discord id in any case.
#[utoipa::path(get, path = "/api/guilds/{guild}/links", tag = "links", params(("guild" = String, Path), LinksQuery), responses(
    (status = 200, body = LinkPage), (status = 400, body = ErrorBody), Refusals))]
pub async fn list(
    State(admin): State<Arc<Admin>>,
    access: Access,
    Query(query): Query<LinksQuery>,
) -> Result<Json<LinkPage>, Refused> {
    let limit = pages::limit(query.limit)?;
    let after = query
        .cursor
        .as_deref()
        .map(|cursor| pages::open(cursor, user_id))
        .transpose()?;
    let search = query.search.as_deref().map(|text| plain("search", text)).transpose()?;
    let named = search.and_then(user_id);
    let member = match named {
        Some(user) if admin.is_installed(access.guild).await? => {
            let roles = admin.discord.roles_of(access.guild, user).await?;
            roles.map(|_| user)
        }
        _ => None,
    };
    let filter = Filter { search, member, after };
    let mut connection = admin.pool.acquire().await.map_err(store::Error::from)?;
    let mut links = guild_links::list(&mut connection, access.guild, &filter, limit + 1).await?;
    let next = pages::cut(&mut links, limit, |link| link.row.user.to_string());
    let links = links.into_iter().map(PersonLink::from).collect();
    Ok(Json(LinkPage { links, next }))
}

/// A FACEIT account, by one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLink {
    #[schema(min_length = 1, max_length = 128)]
    faceit_id: Option<String>,
    /// Letter by letter as in the FACEIT profile.
    #[schema(min_length = 1, max_length = 60)]
    nickname: Option<String>,
}

/// Link a member to a FACEIT account. What somebody proved by signing in stays; what was only typed gives way, unless it is the link of somebody
/// who is not in this server.
#[utoipa::path(put, path = "/api/guilds/{guild}/links/{user}", tag = "links",
    params(("guild" = String, Path), ("user" = String, Path, description = "His Discord id.")), request_body = NewLink, responses(
    (status = 200, body = PersonLink), (status = 400, body = ErrorBody),
    (status = 409, body = ErrorBody, description = "The bot is missing, or one of the two has another link that stays."),
    (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody), Refusals))]
pub async fn link(
    State(admin): State<Arc<Admin>>,
    session: Session,
    access: Access,
    Path((_, user)): Path<(String, String)>,
    Body(body): Body<NewLink>,
) -> Result<Json<PersonLink>, Refused> {
    let user = member(&admin, access, &user).await?;
    let profile = look_up(&admin, &body).await?;
    let row = LinkRow {
        player: profile.id,
        user,
        nickname: profile.nickname,
    };
    let may_lose = holder(&admin, access, &row).await?;
    let by = by(&admin, &session, access).await?;
    let mut tx = admin.pool.begin().await.map_err(store::Error::from)?;
    let taken = |message: &str| Refused::new(StatusCode::CONFLICT, "taken", message);
    match guild_links::link(&mut tx, &row, may_lose, &by).await? {
        Some(Linked::Done { link, .. }) => {
            tx.commit().await.map_err(store::Error::from)?;
            admin.wake.notify_one();
            Ok(Json(link.into()))
        }
        Some(Linked::UserTaken(_)) => Err(taken(
            "this member has proven that another FACEIT account is his: unlink him first, and better ask him before",
        )),
        Some(Linked::PlayerTaken(_)) => Err(taken(
            "somebody else has proven that this FACEIT account is his; only he can give it up, with /unlink in Discord",
        )),
        None => Err(taken(
            "this FACEIT account is linked to somebody who is not in this server; who owns it proves it with /link in Discord",
        )),
    }
}

/// Remove a member's link, whoever made it.
#[utoipa::path(delete, path = "/api/guilds/{guild}/links/{user}", tag = "links",
    params(("guild" = String, Path), ("user" = String, Path, description = "His Discord id.")), responses(
    (status = 200, body = Done), (status = 409, body = ErrorBody), Refusals))]
pub async fn unlink(
    State(admin): State<Arc<Admin>>,
    session: Session,
    access: Access,
    Path((_, user)): Path<(String, String)>,
) -> Result<Json<Done>, Refused> {
    let user = member(&admin, access, &user).await?;
    let by = by(&admin, &session, access).await?;
    let mut tx = admin.pool.begin().await.map_err(store::Error::from)?;
    if linking::unlink(&mut tx, user, &by).await?.is_none() {
        return Err(Refused::not_found("this member is not linked"));
    }
    tx.commit().await.map_err(store::Error::from)?;
    admin.wake.notify_one();
    Ok(Json(Done::DONE))
}

/// Staff decide over members of their server only, by what Discord says at this moment.
async fn member(admin: &Admin, access: Access, text: &str) -> Result<UserId, Refused> {
    let stranger = || Refused::not_found("this server has no member with this Discord id");
    let user = user_id(text).ok_or_else(stranger)?;
    admin.must_be_installed(access.guild).await?;
    let roles = admin.discord.roles_of(access.guild, user).await?;
    roles.map(|_| user).ok_or_else(stranger)
}

/// Who has the FACEIT account now, if he is a member too: only then may he lose it.
async fn holder(admin: &Admin, access: Access, row: &LinkRow) -> Result<Option<UserId>, Refused> {
    let mut connection = admin.pool.acquire().await.map_err(store::Error::from)?;
    let held = linking::of_player(&mut connection, &row.player).await?;
    drop(connection);
    let Some(held) = held.filter(|held| held.row.user != row.user) else {
        return Ok(None);
    };
    let roles = admin.discord.roles_of(access.guild, held.row.user).await?;
    Ok(roles.map(|_| held.row.user))
}

async fn by(admin: &Admin, session: &Session, access: Access) -> Result<By, Refused> {
    Ok(By {
        actor: admin.actor(session.user).await?,
        guild: Some(access.guild),
        at: admin.clock.now(),
    })
}

async fn look_up(admin: &Admin, body: &NewLink) -> Result<Profile, Refused> {
    let unknown = || Refused::invalid("FACEIT knows no such player; mind capitals in the nickname");
    let found = match (&body.faceit_id, &body.nickname) {
        (Some(id), None) => {
            if !is_plausible_id(id) || id.contains(['/', '\\']) || id.starts_with('.') {
                return Err(unknown());
            }
            let id = PlayerId::new(id);
            timeout(FACEIT_WITHIN, admin.faceit.player(&id)).await
        }
        (None, Some(nickname)) => {
            let nickname = nickname.trim();
            let length = nickname.chars().count();
            if !(1..=LONGEST_NICKNAME).contains(&length) || nickname.chars().any(char::is_control) {
                return Err(unknown());
            }
            timeout(FACEIT_WITHIN, admin.faceit.player_by_nickname(nickname)).await
        }
        _ => {
            return Err(Refused::invalid(
                "name the FACEIT account by either faceit_id or nickname",
            ));
        }
    };
    match found {
        Ok(Ok(profile)) => Ok(profile),
        Ok(Err(faceit::error::Error::NotFound { .. })) => Err(unknown()),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Refused::faceit_too_slow()),
    }
}
