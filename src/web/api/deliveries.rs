//! `/api/deliveries`: what FACEIT sent, for those who run Muster: listed, whole, and once more.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{
        Timestamp,
        ids::{MatchId, is_plausible_id},
        job::JobKey,
    },
    store::{
        self, audit,
        delivery_list::{self, Listed, Outcome, Whole},
        jobs, listener,
    },
    web::{
        api::{pages, plan::PlanBody},
        auth::{Admin, session::Session},
        extract::{Path, Query},
        refused::{ErrorBody, Refusals, Refused},
        service::Rehearsed,
    },
};

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryOutcome {
    /// Its match was looked at since.
    Done,
    /// Its match is still to be looked at.
    Waiting,
    /// The job of its match is dead.
    Dead,
    /// It is about no match: there was nothing to do.
    Ignored,
}

impl From<Outcome> for DeliveryOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::Done,
            Outcome::Waiting => Self::Waiting,
            Outcome::Dead => Self::Dead,
            Outcome::Ignored => Self::Ignored,
        }
    }
}

impl From<DeliveryOutcome> for Outcome {
    fn from(outcome: DeliveryOutcome) -> Self {
        match outcome {
            DeliveryOutcome::Done => Self::Done,
            DeliveryOutcome::Waiting => Self::Waiting,
            DeliveryOutcome::Dead => Self::Dead,
            DeliveryOutcome::Ignored => Self::Ignored,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DeliveriesQuery {
    /// Only those about this match.
    #[serde(rename = "match")]
    match_id: Option<String>,
    /// Only those of this event, such as `match_status_ready`.
    event: Option<String>,
    /// Only those of which this became.
    #[param(inline)]
    outcome: Option<DeliveryOutcome>,
    /// Those that came at this time or later.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-21T18:00:00Z")]
    from: Option<Timestamp>,
    /// Those that came before this time.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-22T00:00:00Z")]
    to: Option<Timestamp>,
    /// How many at most, 1 to 200; without it 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// Where to go on: `next` of the page before.
    cursor: Option<String>,
}

/// Deliveries, the newest first.
#[derive(Serialize, ToSchema)]
pub struct DeliveriesBody {
    deliveries: Vec<DeliveryBody>,
    /// The cursor of the next page; null on the last one.
    next: Option<String>,
}

/// A delivery in short.
#[derive(Serialize, ToSchema)]
pub struct DeliveryBody {
    id: i64,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
    #[schema(example = "match_status_ready")]
    event: String,
    /// FACEIT's, or a hash of the body when it gave none.
    event_id: String,
    match_id: Option<String>,
    /// Grows with each change of the match.
    payload_version: Option<i64>,
    demo_url: Option<String>,
    outcome: DeliveryOutcome,
}

impl From<Listed> for DeliveryBody {
    fn from(listed: Listed) -> Self {
        Self {
            id: listed.id,
            received_at: listed.received_at,
            event: listed.event,
            event_id: listed.event_id,
            match_id: listed.match_id.map(|id| id.to_string()),
            payload_version: listed.payload_version,
            demo_url: listed.demo_url,
            outcome: listed.outcome.into(),
        }
    }
}

/// A delivery as it came.
#[derive(Serialize, ToSchema)]
pub struct WholeDelivery {
    #[serde(flatten)]
    short: DeliveryBody,
    /// Those that matter; never the one with the secret.
    #[schema(value_type = Object)]
    headers: Value,
    /// Letter by letter as it came.
    body: String,
}

/// What FACEIT sent, the newest first, in pages.
#[utoipa::path(get, path = "/api/deliveries", tag = "operator", params(DeliveriesQuery), responses(
    (status = 200, body = DeliveriesBody), (status = 400, body = ErrorBody), Refusals))]
pub async fn list(
    State(admin): State<Arc<Admin>>,
    Query(query): Query<DeliveriesQuery>,
) -> Result<Json<DeliveriesBody>, Refused> {
    let limit = pages::limit(query.limit)?;
    let read = |inner: &str| inner.parse::<i64>().ok();
    let before_id = query.cursor.map(|cursor| pages::open(&cursor, read)).transpose()?;
    let match_id = query
        .match_id
        .map(|id| text("match", &id).map(MatchId::new))
        .transpose()?;
    let event = query.event.map(|event| text("event", &event)).transpose()?;
    let query = delivery_list::Query {
        match_id: match_id.as_ref(),
        event: event.as_deref(),
        outcome: query.outcome.map(Outcome::from),
        from: query.from,
        to: query.to,
        before_id,
        limit: limit + 1,
    };
    let mut connection = admin.pool.acquire().await.map_err(store::Error::from)?;
    let mut listed = delivery_list::page(&mut connection, &query).await?;
    let next = pages::cut(&mut listed, limit, |last| last.id.to_string());
    Ok(Json(DeliveriesBody {
        deliveries: listed.into_iter().map(DeliveryBody::from).collect(),
        next,
    }))
}

/// What can stand in a column.
fn text(field: &str, text: &str) -> Result<String, Refused> {
    if is_plausible_id(text) {
        return Ok(text.to_owned());
    }
    Err(Refused::malformed(format!(
        "{field} must have 1 to 128 characters, none of them blank"
    )))
}

/// One delivery, with its body as it came.
#[utoipa::path(get, path = "/api/deliveries/{delivery}", tag = "operator", params(("delivery" = i64, Path)), responses(
    (status = 200, body = WholeDelivery), Refusals))]
pub async fn show(State(admin): State<Arc<Admin>>, Path(id): Path<String>) -> Result<Json<WholeDelivery>, Refused> {
    let whole = find(&admin, &id).await?;
    Ok(Json(WholeDelivery {
        short: whole.listed.into(),
        headers: whole.headers,
        body: String::from_utf8_lossy(&whole.body).into_owned(),
    }))
}

async fn find(admin: &Admin, id: &str) -> Result<Whole, Refused> {
    let none = || Refused::not_found("there is no such delivery; old ones are deleted after DELIVERY_RETENTION_DAYS");
    let id = id.parse().map_err(|_| none())?;
    let mut connection = admin.pool.acquire().await.map_err(store::Error::from)?;
    delivery_list::find(&mut connection, id).await?.ok_or_else(none)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ReplayQuery {
    /// Only say what it would lead to.
    #[serde(default)]
    dry_run: bool,
}

/// What came of a replay, or would come.
#[derive(Serialize, ToSchema)]
pub struct Replayed {
    dry_run: bool,
    result: ReplayResult,
    match_id: Option<String>,
    /// Dry runs: what would be done, as `muster replay --dry-run` prints it.
    text: Option<String>,
    /// Dry runs: the same, line by line.
    plan: Option<PlanBody>,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReplayResult {
    /// Its match is looked at again, or would be.
    Accepted,
    /// There is nothing to do for its event.
    Ignored,
    /// It can't be read.
    Refused,
}

/// Go by a stored delivery once more: its match is looked at again. With dry_run=true nothing is changed anywhere, and the answer says what
/// would be done if it were the newest delivery of its match.
#[utoipa::path(post, path = "/api/deliveries/{delivery}/replay", tag = "operator", params(("delivery" = i64, Path), ReplayQuery), responses(
    (status = 200, body = Replayed), (status = 400, body = ErrorBody), Refusals))]
pub async fn replay(
    State(admin): State<Arc<Admin>>,
    session: Session,
    Path(id): Path<String>,
    Query(query): Query<ReplayQuery>,
) -> Result<Json<Replayed>, Refused> {
    let whole = find(&admin, &id).await?;
    let match_id = whole.listed.match_id.clone();
    let mut replayed = Replayed {
        dry_run: query.dry_run,
        result: match match_id {
            Some(_) => ReplayResult::Accepted,
            None => ReplayResult::Ignored,
        },
        match_id: match_id.as_ref().map(|id| id.to_string()),
        text: None,
        plan: None,
    };
    if query.dry_run {
        let Rehearsed { text, plan, readable } = (admin.service.rehearse)(whole.body).await?;
        if !readable {
            replayed.result = ReplayResult::Refused;
        }
        replayed.text = Some(text);
        replayed.plan = plan.map(PlanBody::from);
    } else if let Some(match_id) = &match_id {
        let actor = admin.actor(session.user).await?;
        let now = admin.clock.now();
        let mut tx = admin.pool.begin().await.map_err(store::Error::from)?;
        jobs::book(&mut tx, &JobKey::sync_match(match_id), now).await?;
        let entry = audit::Entry {
            actor,
            action: "delivery.replayed".to_owned(),
            guild: None,
            subject: match_id.to_string(),
            before: None,
            after: Some(serde_json::json!({ "delivery": whole.listed.id })),
        };
        audit::record(&mut tx, &entry, now).await?;
        listener::notify(&mut tx).await?;
        tx.commit().await.map_err(store::Error::from)?;
        admin.wake.notify_one();
    }
    Ok(Json(replayed))
}
