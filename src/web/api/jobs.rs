//! `/api/guilds/{guild}/jobs`: what is queued for a server's matches, and another try for what failed too often.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{Timestamp, job::JobKey},
    store::{
        self,
        guild_jobs::{self, GuildJob, Retried},
    },
    web::{
        access::Access,
        api::pages,
        auth::{Admin, session::Session},
        extract::{Path, Query, plain},
        refused::{Done, ErrorBody, Refusals, Refused},
    },
};

/// Where a job stands.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Failed too often; nothing happens until somebody retries it, or something new happens to the match.
    Dead,
    Running,
    /// Due, and not taken yet.
    Waiting,
    /// Due later: a grace period, a re-check, a pause after a failure.
    Asleep,
}

impl JobState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Asleep => "asleep",
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct JobsQuery {
    /// Only those; all when left out.
    #[param(inline)]
    state: Option<JobState>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200; 50 when left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct JobBody {
    /// To retry it by.
    #[schema(example = "match:1-5cd68867-aa96-4cfe-a373-12c57edbcab2")]
    key: String,
    /// `dead`, `running`, `waiting` or `asleep`.
    state: String,
    /// Null for the job of the server itself, which looks after its categories.
    match_id: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    due_at: Timestamp,
    /// Runs since the last good one.
    attempts: i32,
    /// Why the last bad run went bad.
    last_error: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    dead_at: Option<Timestamp>,
}

impl From<GuildJob> for JobBody {
    fn from(GuildJob { job, state }: GuildJob) -> Self {
        Self {
            match_id: job.key.match_id().map(|id| id.as_str().to_owned()),
            key: job.key.as_str().to_owned(),
            state,
            due_at: job.due_at,
            attempts: job.attempts,
            last_error: job.last_error,
            dead_at: job.dead_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct JobPage {
    jobs: Vec<JobBody>,
    /// The cursor of the next page; null on the last one.
    next: Option<String>,
}

/// Jobs of this server's matches, by key. The job of a match that could never be read is no server's: see `muster jobs list`.
#[utoipa::path(get, path = "/api/guilds/{guild}/jobs", tag = "jobs", params(("guild" = String, Path), JobsQuery), responses(
    (status = 200, body = JobPage), (status = 400, body = ErrorBody), Refusals))]
pub async fn list(
    State(admin): State<Arc<Admin>>,
    access: Access,
    Query(query): Query<JobsQuery>,
) -> Result<Json<JobPage>, Refused> {
    let limit = pages::limit(query.limit)?;
    let after = query.cursor.as_deref();
    let after = after
        .map(|cursor| pages::open(cursor, |key| plain("cursor", key).ok().map(str::to_owned)))
        .transpose()?;
    let state = query.state.map(JobState::as_str);
    let now = admin.clock.now();
    let mut connection = admin.pool.acquire().await.map_err(store::Error::from)?;
    let mut jobs = guild_jobs::list(&mut connection, access.guild, state, after.as_deref(), limit + 1, now).await?;
    let next = pages::cut(&mut jobs, limit, |job| job.job.key.to_string());
    let jobs = jobs.into_iter().map(JobBody::from).collect();
    Ok(Json(JobPage { jobs, next }))
}

/// Try a dead job again, at once.
#[utoipa::path(post, path = "/api/guilds/{guild}/jobs/{key}/retry", tag = "jobs",
    params(("guild" = String, Path), ("key" = String, Path)), responses(
    (status = 200, body = Done), (status = 409, body = ErrorBody, description = "It is not dead."), Refusals))]
pub async fn retry(
    State(admin): State<Arc<Admin>>,
    session: Session,
    access: Access,
    Path((_, key)): Path<(String, String)>,
) -> Result<Json<Done>, Refused> {
    let unknown = || Refused::not_found("this server has no job with this key");
    let key = plain("key", &key).map_err(|_| unknown())?;
    let actor = admin.actor(session.user).await?;
    let now = admin.clock.now();
    let mut tx = admin.pool.begin().await.map_err(store::Error::from)?;
    match guild_jobs::retry(&mut tx, access.guild, &JobKey::new(key), &actor, now).await? {
        Retried::Done => {
            tx.commit().await.map_err(store::Error::from)?;
            admin.wake.notify_one();
            Ok(Json(Done::DONE))
        }
        Retried::NotDead => {
            let message = "this job is not dead: it runs, or is tried again by itself";
            Err(Refused::new(StatusCode::CONFLICT, "not_dead", message))
        }
        Retried::Unknown => Err(unknown()),
    }
}
