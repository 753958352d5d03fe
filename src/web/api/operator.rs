//! `/api/operator/pause`: the switch that stops all that Muster does in Discord, for those who run it.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::Timestamp,
    store::{
        self,
        service_pause::{self, Pause},
    },
    web::{
        auth::{Admin, session::Session},
        extract::Body,
        refused::{ErrorBody, Refusals, Refused},
    },
};

/// As the table has it.
const LONGEST_REASON: usize = 200;

/// Whether all of Muster is paused.
#[derive(Serialize, ToSchema)]
pub struct PauseBody {
    paused: bool,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    reason: Option<String>,
}

impl From<Option<Pause>> for PauseBody {
    fn from(pause: Option<Pause>) -> Self {
        Self {
            paused: pause.is_some(),
            since: pause.as_ref().map(|pause| pause.since),
            reason: pause.and_then(|pause| pause.reason),
        }
    }
}

/// Whether all of Muster is paused, since when and why.
#[utoipa::path(get, path = "/api/operator/pause", tag = "operator", responses((status = 200, body = PauseBody), Refusals))]
pub async fn show(State(admin): State<Arc<Admin>>) -> Result<Json<PauseBody>, Refused> {
    let mut connection = admin.pool.acquire().await.map_err(store::Error::from)?;
    let pause = service_pause::load(&mut connection).await?;
    Ok(Json(pause.into()))
}

/// What is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPause {
    paused: bool,
    /// For the others; it is shown wherever the pause is.
    #[serde(default)]
    #[schema(max_length = 200)]
    reason: Option<String>,
}

/// Pause all of Muster, or let it go on. Within a second no step is begun in Discord any more, by any process; deliveries are taken and matches
/// followed as ever. Afterwards all open matches are looked at at once.
#[utoipa::path(put, path = "/api/operator/pause", tag = "operator", request_body = NewPause, responses(
    (status = 200, body = PauseBody), (status = 400, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 422, body = ErrorBody), Refusals))]
pub async fn change(
    State(admin): State<Arc<Admin>>,
    session: Session,
    Body(body): Body<NewPause>,
) -> Result<Json<PauseBody>, Refused> {
    let reason = body.reason.map(|reason| reason.replace('\0', "").trim().to_owned());
    let reason = reason.filter(|reason| !reason.is_empty());
    if reason
        .as_ref()
        .is_some_and(|reason| reason.chars().count() > LONGEST_REASON)
    {
        return Err(Refused::invalid(format!(
            "the reason may have {LONGEST_REASON} characters"
        )));
    }
    let actor = admin.actor(session.user).await?;
    let now = admin.clock.now();
    let mut tx = admin.pool.begin().await.map_err(store::Error::from)?;
    if body.paused {
        service_pause::begin(&mut tx, &actor, reason.as_deref(), now).await?;
    } else {
        service_pause::end(&mut tx, &actor, now).await?;
    }
    let pause = service_pause::load(&mut tx).await?;
    tx.commit().await.map_err(store::Error::from)?;
    admin.wake.notify_one();
    Ok(Json(pause.into()))
}
