//! FACEIT's webhook: check the secret, store the raw delivery and book its job in one transaction, then answer. Looks nothing up.

use std::{sync::Arc, time::Duration};

use ::metrics::counter;
use axum::{
    Json,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::{
    domain::job::JobKey,
    faceit::{
        secret::Secret,
        webhook::{Delivery, needs_match},
    },
    metrics,
    store::deliveries::Recorded,
    web::{LARGEST_BODY, Web, error::WebError, intake::Incoming},
};

/// The longest we wait for the database; FACEIT's own patience is not documented.
const STORING: Duration = Duration::from_secs(5);
/// The longest we wait for the body: 256 KiB come in this time over the worst of lines.
const READING: Duration = Duration::from_secs(10);
/// The headers that help to understand a delivery later. Never the one with the secret.
const KEPT_HEADERS: [&str; 4] = ["content-type", "user-agent", "x-request-id", "cf-ray"];

/// `POST /faceit-webhook`. 200 once stored (also when it was stored before), else why not.
pub async fn receive(State(web): State<Web>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match take(&web, &parts.headers, &parts.uri, body).await {
        Ok((delivery, result)) => {
            count(&delivery.event, result);
            Json(json!({ "result": result })).into_response()
        }
        Err(error) => {
            let result = if matches!(error, WebError::Unavailable | WebError::Internal) {
                "unavailable"
            } else {
                "refused"
            };
            count("none", result);
            error.into_response()
        }
    }
}

async fn take(
    web: &Web,
    headers: &HeaderMap,
    uri: &Uri,
    body: Body,
) -> Result<(Arc<Delivery>, &'static str), WebError> {
    if !is_authorized(&web.secret, headers, uri) {
        warn!(
            header = web.secret.header(),
            "refused a delivery: the webhook secret is missing or wrong"
        );
        return Err(WebError::Unauthorized);
    }
    if !is_json(headers) {
        return Err(WebError::NotJson);
    }
    let body = timeout(READING, to_bytes(body, LARGEST_BODY))
        .await
        .map_err(|_| WebError::TooSlow(READING))?;
    let body = body.map_err(|error| {
        let too_large = std::error::Error::source(&error).is_some_and(|source| source.to_string().contains("limit"));
        if too_large {
            WebError::TooLarge(LARGEST_BODY)
        } else {
            WebError::Malformed("the body broke off".to_owned())
        }
    })?;
    let delivery = Arc::new(Delivery::parse(&body).map_err(|error| {
        warn!(%error, bytes = body.len(), "refused a delivery: it is malformed");
        WebError::Malformed(error.to_string())
    })?);
    let result = store_it(web, headers, &delivery, body).await?;
    Ok((delivery, result))
}

/// Stores the delivery and books the sync of its match, in one transaction.
async fn store_it(
    web: &Web,
    headers: &HeaderMap,
    delivery: &Arc<Delivery>,
    body: Bytes,
) -> Result<&'static str, WebError> {
    let event_id = delivery.delivery_id();
    let has_job = delivery.match_id.is_some();
    let recorded = timeout(
        STORING,
        web.intake.store(Incoming {
            received_at: web.clock.now(),
            delivery: delivery.clone(),
            event_id: event_id.clone(),
            headers: kept(headers),
            body,
            job: delivery.match_id.as_ref().map(JobKey::sync_match),
        }),
    );
    let recorded = match recorded.await {
        Ok(Ok(recorded)) => recorded,
        Ok(Err(error)) if !error.is_unavailable() => {
            error!(%error, event = delivery.event, event_id, "a delivery could not be stored");
            return Err(WebError::Internal);
        }
        Ok(Err(error)) => {
            warn!(%error, event = delivery.event, event_id, "the database is away: asked FACEIT to send the delivery again");
            return Err(WebError::Unavailable);
        }
        Err(_) => {
            warn!(
                event = delivery.event,
                event_id, "the database is too slow: asked FACEIT to send the delivery again"
            );
            return Err(WebError::Unavailable);
        }
    };
    let match_id = delivery.match_id.as_ref().map_or("", |id| id.as_str());
    Ok(match recorded {
        Recorded::New { .. } if has_job => {
            info!(
                event = delivery.event,
                match_id,
                version = delivery.payload_version,
                "stored a delivery"
            );
            "accepted"
        }
        Recorded::New { .. } => {
            info!(
                event = delivery.event,
                "stored a delivery of an event that needs nothing done"
            );
            "ignored"
        }
        Recorded::Duplicate => {
            info!(event = delivery.event, match_id, event_id, "had this delivery already");
            "duplicate"
        }
    })
}

fn is_authorized(secret: &Secret, headers: &HeaderMap, uri: &Uri) -> bool {
    let header = headers.get(secret.header()).map(|value| value.as_bytes());
    let query = secret.query().and_then(|name| {
        let mut pairs = url::form_urlencoded::parse(uri.query().unwrap_or("").as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    });
    secret.accepts(header, query.as_deref())
}

/// `application/json`, `application/anything+json`, or no word about it: a lost header must not lose a match.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return true;
    };
    let essence = value
        .to_str()
        .unwrap_or("")
        .split(';')
        .next()
        .unwrap_or("")
        .trim()
        .to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn kept(headers: &HeaderMap) -> Value {
    let kept = KEPT_HEADERS.iter().filter_map(|name| {
        let value = headers.get(*name)?.to_str().ok()?;
        Some(((*name).to_owned(), Value::from(value)))
    });
    Value::Object(kept.collect())
}

/// Unknown events share a label: whoever knows the secret could otherwise grow the metrics without end.
fn count(event: &str, result: &'static str) {
    let event = if event == "none" || needs_match(event) {
        event.to_owned()
    } else {
        "other".to_owned()
    };
    counter!(metrics::DELIVERIES, "event" => event, "result" => result).increment(1);
}
