//! `/api/guilds/{guild}/competitions`: the hubs, championships and organizers whose matches are a server's.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::{
    domain::{Timestamp, ids::is_plausible_id, settings::ClaimKind},
    faceit,
    store::{self, competitions::StoredClaim, guild_changes, guilds::Saved},
    web::{
        access::Access,
        auth::{Admin, session::Session},
        extract::{Body, Path},
        refused::{Done, ErrorBody, Refusals, Refused},
    },
};

/// Somebody waits at his browser.
const FACEIT_WITHIN: Duration = Duration::from_secs(8);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Hub,
    Championship,
    Organizer,
}

impl From<ClaimKind> for Kind {
    fn from(kind: ClaimKind) -> Self {
        match kind {
            ClaimKind::Hub => Self::Hub,
            ClaimKind::Championship => Self::Championship,
            ClaimKind::Organizer => Self::Organizer,
        }
    }
}

impl From<Kind> for ClaimKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Hub => Self::Hub,
            Kind::Championship => Self::Championship,
            Kind::Organizer => Self::Organizer,
        }
    }
}

/// Something whose matches are this server's.
#[derive(Serialize, ToSchema)]
pub struct ClaimBody {
    #[schema(example = "74624044-158f-446a-ad4c-9d3d4c4a4d07")]
    id: String,
    kind: Kind,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    claimed_at: Timestamp,
}

impl From<StoredClaim> for ClaimBody {
    fn from(claim: StoredClaim) -> Self {
        Self {
            id: claim.id,
            kind: claim.kind.into(),
            claimed_at: claim.claimed_at,
        }
    }
}

/// What this server claims.
#[utoipa::path(get, path = "/api/guilds/{guild}/competitions", tag = "settings", params(("guild" = String, Path)), responses(
    (status = 200, body = Vec<ClaimBody>), Refusals))]
pub async fn list(State(admin): State<Arc<Admin>>, access: Access) -> Result<Json<Vec<ClaimBody>>, Refused> {
    let mut connection = admin.pool.acquire().await.map_err(store::Error::from)?;
    let claims = store::competitions::list(&mut connection, Some(access.guild)).await?;
    Ok(Json(claims.into_iter().map(ClaimBody::from).collect()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClaim {
    kind: Kind,
    /// FACEIT's id of it, as in its address.
    #[schema(example = "74624044-158f-446a-ad4c-9d3d4c4a4d07", min_length = 1, max_length = 128)]
    id: String,
}

/// A claim, with what FACEIT calls it.
#[derive(Serialize, ToSchema)]
pub struct Claimed {
    #[serde(flatten)]
    claim: ClaimBody,
    name: String,
}

/// Make all matches of a hub, a championship or an organizer those of this server. One that FACEIT does not know, or that is another
/// server's, is refused.
#[utoipa::path(post, path = "/api/guilds/{guild}/competitions", tag = "settings", params(("guild" = String, Path)),
    request_body = NewClaim, responses(
    (status = 201, body = Claimed), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody), Refusals))]
pub async fn claim(
    State(admin): State<Arc<Admin>>,
    session: Session,
    access: Access,
    Body(body): Body<NewClaim>,
) -> Result<(StatusCode, Json<Claimed>), Refused> {
    let unknown = || {
        let message = format!(
            "FACEIT knows no {} with this id; it is the long part of its address",
            ClaimKind::from(body.kind).as_str()
        );
        Refused::invalid(message)
    };
    if !is_plausible_id(&body.id) || body.id.contains(['/', '\\']) {
        return Err(unknown());
    }
    let kind = ClaimKind::from(body.kind);
    let known = match timeout(FACEIT_WITHIN, admin.faceit.competition(kind, &body.id)).await {
        Ok(Ok(known)) => known,
        Ok(Err(faceit::error::Error::NotFound { .. })) => return Err(unknown()),
        Ok(Err(error)) => return Err(error.into()),
        Err(_) => return Err(Refused::faceit_too_slow()),
    };
    let (guild, now) = (access.guild, admin.clock.now());
    let actor = admin.actor(session.user).await?;
    let mut tx = admin.pool.begin().await.map_err(store::Error::from)?;
    if store::guilds::load(&mut tx, guild).await?.is_none() {
        // Claims need a row to hang on.
        let start = admin.start_of(guild);
        if guild_changes::save(&mut tx, &actor, &start, &start, None, now).await? == Saved::Changed {
            let message = "somebody else set up this server in this very moment; try again";
            return Err(Refused::new(StatusCode::CONFLICT, "changed", message));
        }
    }
    let owner = guild_changes::claim(&mut tx, &actor, guild, kind, &body.id, now).await?;
    if owner != guild {
        // Not by whom: that is another server's business.
        let message = "another server has claimed it: its admin must give it up first";
        return Err(Refused::new(StatusCode::CONFLICT, "claimed", message));
    }
    tx.commit().await.map_err(store::Error::from)?;
    admin.wake.notify_one();
    let claim = ClaimBody {
        id: body.id.clone(),
        kind: body.kind,
        claimed_at: now,
    };
    Ok((
        StatusCode::CREATED,
        Json(Claimed {
            claim,
            name: known.name,
        }),
    ))
}

/// Give a claim up.
#[utoipa::path(delete, path = "/api/guilds/{guild}/competitions/{competition}", tag = "settings",
    params(("guild" = String, Path), ("competition" = String, Path)), responses(
    (status = 200, body = Done), Refusals))]
pub async fn release(
    State(admin): State<Arc<Admin>>,
    session: Session,
    access: Access,
    Path((_, id)): Path<(String, String)>,
) -> Result<Json<Done>, Refused> {
    let unknown = || Refused::not_found("this server does not claim it");
    if !is_plausible_id(&id) {
        return Err(unknown());
    }
    let actor = admin.actor(session.user).await?;
    let mut tx = admin.pool.begin().await.map_err(store::Error::from)?;
    if !guild_changes::release(&mut tx, &actor, access.guild, &id, admin.clock.now()).await? {
        return Err(unknown());
    }
    tx.commit().await.map_err(store::Error::from)?;
    admin.wake.notify_one();
    Ok(Json(Done::DONE))
}
