//! One's own account: who I am and what I may do, my sessions, and leaving.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use time::Duration;
use tracing::{info, warn};
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{Timestamp, ids::UserId},
    store::{self, discord_tokens, sessions, users},
    web::{
        api::guilds::{self, GuildBody},
        auth::{
            Admin,
            login::{UserBody, append_cookie, profile},
            session::Session,
        },
        extract::{Path, Query},
        refused::{Done, ErrorBody, Refusals, Refused},
    },
};

/// Names older than this are asked for again.
const PROFILE: Duration = Duration::minutes(5);

#[derive(Serialize, ToSchema)]
pub struct Me {
    user: UserBody,
    guilds: Vec<GuildBody>,
    /// To be sent as `x-csrf-token` with every unsafe request by cookie.
    csrf_token: String,
    /// Whether he may see deliveries and pause everything.
    operator: bool,
}

/// Who is signed in, his guilds, and the token that unsafe requests need.
#[utoipa::path(get, path = "/api/auth/me", tag = "auth", responses(
    (status = 200, body = Me), Refusals))]
pub async fn me(State(admin): State<Arc<Admin>>, session: Session) -> Result<Json<Me>, Refused> {
    let (user, guilds) = tokio::try_join!(fresh_user(&admin, session.user), guilds::of_user(&admin, &session))?;
    Ok(Json(Me {
        user,
        guilds,
        csrf_token: session.csrf_token(),
        operator: admin.is_operator(session.user),
    }))
}

async fn fresh_user(admin: &Admin, user: UserId) -> Result<UserBody, Refused> {
    let mut connection = admin.pool.acquire().await.map_err(store::Error::from)?;
    let stored = users::find(&mut connection, user)
        .await?
        .ok_or_else(Refused::unauthorized)?;
    drop(connection);
    if admin.clock.now() - stored.refreshed_at < PROFILE {
        return Ok(stored.profile.into());
    }
    let oauth = admin.oauth.clone();
    let who = move |token| {
        let oauth = oauth.clone();
        async move { oauth.person(&token).await }
    };
    let person = admin.as_person(user, who).await?;
    let fresh = profile(person);
    if fresh.id != user {
        return Err(Refused::unauthorized());
    }
    let mut connection = admin.pool.acquire().await.map_err(store::Error::from)?;
    users::save(&mut connection, &fresh, false, admin.clock.now()).await?;
    Ok(fresh.into())
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct LogoutQuery {
    /// Every session of this person.
    #[serde(default)]
    all: bool,
}

/// End this session, or all of them.
#[utoipa::path(post, path = "/api/auth/logout", tag = "auth", params(LogoutQuery), responses(
    (status = 200, body = Done), (status = 400, body = ErrorBody), Refusals))]
pub async fn logout(
    State(admin): State<Arc<Admin>>,
    session: Session,
    Query(query): Query<LogoutQuery>,
) -> Result<Response, Refused> {
    let mut tx = admin.pool.begin().await.map_err(store::Error::from)?;
    if query.all {
        sessions::end_all(&mut tx, session.user).await?;
    } else {
        sessions::end(&mut tx, session.user, &session.id).await?;
    }
    let last = sessions::of_user(&mut tx, session.user, admin.clock.now())
        .await?
        .is_empty();
    let tokens = discord_tokens::find(&mut tx, session.user).await?.filter(|_| last);
    if last {
        discord_tokens::remove(&mut tx, session.user).await?;
    }
    tx.commit().await.map_err(store::Error::from)?;
    info!(user = %session.user, all = query.all, "signed out");
    if let Some(tokens) = tokens {
        // He is signed out here whatever Discord says.
        if let Err(why) = admin.revoke(&tokens).await {
            warn!(why, user = %session.user, "tokens could not be revoked at Discord; they end within a week");
        }
    }
    let mut response = Json(Done::DONE).into_response();
    append_cookie(&mut response, &admin.cookies.clear_session());
    Ok(response)
}

#[derive(Serialize, ToSchema)]
pub struct SessionBody {
    /// To end it by.
    #[schema(example = "9f86d081884c7d65")]
    id: String,
    /// The one that asks.
    current: bool,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Timestamp,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    user_agent: Option<String>,
}

/// One's own sessions.
#[utoipa::path(get, path = "/api/auth/sessions", tag = "auth", responses(
    (status = 200, body = Vec<SessionBody>), Refusals))]
pub async fn list_sessions(
    State(admin): State<Arc<Admin>>,
    session: Session,
) -> Result<Json<Vec<SessionBody>>, Refused> {
    let mut connection = admin.pool.acquire().await.map_err(store::Error::from)?;
    let rows = sessions::of_user(&mut connection, session.user, admin.clock.now()).await?;
    let bodies = rows.into_iter().map(|row| SessionBody {
        id: handle(&row.id),
        current: row.id == session.id,
        created_at: row.created_at,
        last_seen_at: row.last_seen_at,
        expires_at: row.expires_at,
        user_agent: row.user_agent,
    });
    Ok(Json(bodies.collect()))
}

/// End one of one's own sessions.
#[utoipa::path(delete, path = "/api/auth/sessions/{session}", tag = "auth", params(("session" = String, Path)), responses(
    (status = 200, body = Done), Refusals))]
pub async fn end_session(
    State(admin): State<Arc<Admin>>,
    session: Session,
    Path(id): Path<String>,
) -> Result<Json<Done>, Refused> {
    let mut connection = admin.pool.acquire().await.map_err(store::Error::from)?;
    // Only his own are looked at.
    let rows = sessions::of_user(&mut connection, session.user, admin.clock.now()).await?;
    let row = rows.iter().find(|row| handle(&row.id) == id);
    let row = row.ok_or_else(|| Refused::not_found("you have no such session"))?;
    sessions::end(&mut connection, session.user, &row.id).await?;
    Ok(Json(Done::DONE))
}

/// The start of the hash: enough to tell one's sessions apart, and nothing to get in with.
fn handle(id: &sessions::SessionHash) -> String {
    use std::fmt::Write;
    id[..8].iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
