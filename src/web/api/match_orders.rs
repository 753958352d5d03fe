//! What staff does about a match: `/sync`, `/teardown` and `/move` below its address. Each only says what is wanted; the match's own job does it.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    domain::ids::{MatchId, UserId},
    store::{
        self, Transaction,
        audit::Actor,
        match_members::Whom,
        match_orders::{self, Order},
    },
    web::{
        access::Access,
        api::one_match::own,
        auth::{Admin, session::Session},
        extract::{MaybeBody, Path},
        refused::{Done, ErrorBody, Refusals, Refused},
    },
};

/// Look at the match again, now. What Discord refused is tried again; a job that had died gets a new life.
#[utoipa::path(post, path = "/api/guilds/{guild}/matches/{match}/sync", tag = "matches",
    params(("guild" = String, Path), ("match" = String, Path)), responses((status = 200, body = Done), Refusals))]
pub async fn sync(
    State(admin): State<Arc<Admin>>,
    session: Session,
    access: Access,
    Path((_, id)): Path<(String, String)>,
) -> Result<Json<Done>, Refused> {
    let (id, actor, mut tx) = begin(&admin, &session, access, &id).await?;
    (admin.service.read_anew)(&id);
    match_orders::look_again(&mut tx, &order(&admin, &actor, access, &id)).await?;
    commit(&admin, tx).await
}

/// Take the match down now, without its grace period: people go back, the channels go. It stays down until FACEIT runs it again.
#[utoipa::path(post, path = "/api/guilds/{guild}/matches/{match}/teardown", tag = "matches",
    params(("guild" = String, Path), ("match" = String, Path)), responses(
    (status = 200, body = Done), (status = 409, body = ErrorBody, description = "It is not being played, and nothing of it is left."), Refusals))]
pub async fn teardown(
    State(admin): State<Arc<Admin>>,
    session: Session,
    access: Access,
    Path((_, id)): Path<(String, String)>,
) -> Result<Json<Done>, Refused> {
    let (id, actor, mut tx) = begin(&admin, &session, access, &id).await?;
    if !match_orders::take_down(&mut tx, &order(&admin, &actor, access, &id)).await? {
        return Err(not_running(
            "there is nothing to take down: it is not being played, or was cleaned up before",
        ));
    }
    commit(&admin, tx).await
}

/// Whom to move.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveBody {
    /// The Discord account of a linked player of the match; null or left out: everybody.
    #[serde(default)]
    #[schema(example = "41771983423143937", pattern = "^[1-9][0-9]{0,18}$")]
    user_id: Option<String>,
}

/// Move people into their team's channel once more, wherever they went meanwhile: one of them, or without a body everybody. Who opted out
/// stays where he is.
#[utoipa::path(post, path = "/api/guilds/{guild}/matches/{match}/move", tag = "matches",
    params(("guild" = String, Path), ("match" = String, Path)), request_body = Option<MoveBody>, responses(
    (status = 200, body = Done), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody, description = "It is not being played."),
    (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 422, body = ErrorBody, description = "It is nobody of this match."), Refusals))]
pub async fn move_people(
    State(admin): State<Arc<Admin>>,
    session: Session,
    access: Access,
    Path((_, id)): Path<(String, String)>,
    MaybeBody(body): MaybeBody<MoveBody>,
) -> Result<Json<Done>, Refused> {
    let user = body.and_then(|body| body.user_id);
    let user = user.map(|user| account(&user)).transpose()?;
    let id = own(&admin, access.guild, &id).await?;
    let whom = match user {
        None => Whom::Everybody,
        Some(user) if plays(&admin, &id, user).await? => Whom::One(user),
        Some(user) => {
            let message = format!("nobody of this match is linked to the Discord account {user}");
            return Err(Refused::invalid(message));
        }
    };
    let (id, actor, mut tx) = begin(&admin, &session, access, id.as_str()).await?;
    if !match_orders::move_again(&mut tx, &order(&admin, &actor, access, &id), whom).await? {
        return Err(not_running("nobody can be moved: it is not being played"));
    }
    commit(&admin, tx).await
}

/// As Discord writes ids, and no other way.
fn account(text: &str) -> Result<UserId, Refused> {
    let plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    let id = text
        .parse()
        .ok()
        .filter(|id: &UserId| plain && i64::try_from(id.get()).is_ok());
    id.ok_or_else(|| Refused::invalid("user_id is no Discord id: a whole number above 0, as text"))
}

async fn plays(admin: &Admin, id: &MatchId, user: UserId) -> Result<bool, Refused> {
    let Some(seen) = (admin.service.look)(id.clone()).await? else {
        return Ok(false);
    };
    let linked = seen.state.links.values().any(|link| link.user == user);
    Ok(linked || seen.state.record.members.contains_key(&user))
}

fn not_running(message: &str) -> Refused {
    Refused::new(StatusCode::CONFLICT, "not_running", message)
}

async fn begin(
    admin: &Admin,
    session: &Session,
    access: Access,
    id: &str,
) -> Result<(MatchId, Actor, Transaction), Refused> {
    let id = own(admin, access.guild, id).await?;
    let actor = admin.actor(session.user).await?;
    let tx = admin.pool.begin().await.map_err(store::Error::from)?;
    Ok((id, actor, tx))
}

fn order<'a>(admin: &Admin, actor: &'a Actor, access: Access, id: &'a MatchId) -> Order<'a> {
    Order {
        actor,
        guild: access.guild,
        id,
        at: admin.clock.now(),
    }
}

async fn commit(admin: &Admin, tx: Transaction) -> Result<Json<Done>, Refused> {
    tx.commit().await.map_err(store::Error::from)?;
    admin.wake.notify_one();
    Ok(Json(Done::DONE))
}
