//! Errors as callers see them: a status and a short JSON body `{"error": …}` that says what to do. Nothing internal leaks.

use std::{any::Any, time::Duration};

use axum::{
    Json,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tracing::error;

use crate::web::refused::Refused;

/// A refused or failed request.
#[derive(Debug)]
pub enum WebError {
    /// 401
    Unauthorized,
    /// 400, with what is wrong.
    Malformed(String),
    /// 413, with the limit in bytes.
    TooLarge(usize),
    /// 408: the body did not come within this time.
    TooSlow(Duration),
    /// 415
    NotJson,
    /// 503 with `Retry-After`: nothing was stored, send it again.
    Unavailable,
    /// 500: our mistake; it was logged.
    Internal,
}

/// When to try again after a 503, seconds.
const RETRY_AFTER: u64 = 2;

impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "the webhook secret is missing or wrong; set it in FACEIT App Studio".to_owned(),
            ),
            Self::Malformed(why) => (StatusCode::BAD_REQUEST, why),
            Self::TooLarge(limit) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body is larger than {limit} bytes"),
            ),
            Self::TooSlow(limit) => (
                StatusCode::REQUEST_TIMEOUT,
                format!("the body did not come within {} s", limit.as_secs()),
            ),
            Self::NotJson => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "send JSON with content-type: application/json".to_owned(),
            ),
            Self::Unavailable => {
                let message = "the delivery could not be stored just now; send it again";
                let retry = [(header::RETRY_AFTER, RETRY_AFTER.to_string())];
                return (
                    StatusCode::SERVICE_UNAVAILABLE,
                    retry,
                    Json(json!({ "error": message })),
                )
                    .into_response();
            }
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "something went wrong on our side; it was logged".to_owned(),
            ),
        };
        (status, Json(json!({ "error": message }))).into_response()
    }
}

pub async fn no_such_page(uri: Uri) -> Response {
    let message = format!("there is nothing at {}", uri.path());
    if uri.path().starts_with("/api/") {
        return Refused::not_found(message).into_response();
    }
    (StatusCode::NOT_FOUND, Json(json!({ "error": message }))).into_response()
}

pub async fn wrong_method() -> Response {
    let message = "this address wants another method: webhooks are POSTed, the others are GET";
    (StatusCode::METHOD_NOT_ALLOWED, Json(json!({ "error": message }))).into_response()
}

/// A handler panicked: the panic hook has logged where.
pub fn panicked(_: Box<dyn Any + Send>) -> Response {
    error!("a request handler panicked; the caller got a 500");
    WebError::Internal.into_response()
}
