//! Refused and failed API calls as callers see them: always `{error, message, details?}`, with a message that says what to do and
//! nothing internal. FACEIT's webhook has its own in `error`.

use std::time::Duration;

use axum::{
    Json,
    extract::{FromRequest, Request, rejection::JsonRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tracing::{error, warn};
use utoipa::ToSchema;

use crate::{discord, store};

/// Why a call was not carried out.
#[derive(Clone, Debug)]
pub struct Refused {
    pub status: StatusCode,
    body: ErrorBody,
    retry_after: Option<u64>,
}

/// The body of every error.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// One word for programs.
    #[schema(example = "unauthorized")]
    error: &'static str,
    /// What is wrong and what to do, for people.
    message: String,
    /// More for programs, where there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Value>,
}

impl Refused {
    pub fn new(status: StatusCode, error: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            body: ErrorBody {
                error,
                message: message.into(),
                details: None,
            },
            retry_after: None,
        }
    }

    #[must_use]
    pub fn with(mut self, details: Value) -> Self {
        self.body.details = Some(details);
        self
    }

    #[must_use]
    pub fn after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    pub fn unauthorized() -> Self {
        let message = "sign in first: open /api/auth/login in a browser";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", message)
    }

    pub fn too_many(wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        let message = format!("too many requests: try again in {seconds} s");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message).after(u64::try_from(seconds).unwrap_or(60))
    }

    pub fn internal() -> Self {
        let message = "something went wrong on our side; it was logged";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    fn unreachable(why: &str) -> Self {
        let message = format!("Discord can't be reached just now ({why}); try again in a moment");
        Self::new(StatusCode::BAD_GATEWAY, "discord_unreachable", message)
    }

    fn busy(wait: Duration) -> Self {
        let message = "Discord asks us to slow down; try again in a moment";
        let seconds = u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(60);
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "discord_busy", message).after(seconds)
    }

    fn too_slow() -> Self {
        let message = "Discord did not answer in time; try again in a moment";
        Self::new(StatusCode::GATEWAY_TIMEOUT, "discord_timeout", message)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<store::Error> for Refused {
    fn from(error: store::Error) -> Self {
        if error.is_unavailable() {
            warn!(%error, "an API call was refused: the database is away");
            let message = "the database can't be reached just now; try again in a moment";
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message).after(2);
        }
        error!(%error, "an API call failed");
        Self::internal()
    }
}

impl From<discord::oauth::Error> for Refused {
    fn from(error: discord::oauth::Error) -> Self {
        use discord::oauth::Error;
        match error {
            Error::Denied => Self::unauthorized(),
            Error::Busy { retry_after } => Self::busy(retry_after),
            Error::TooSlow => Self::too_slow(),
            Error::Unavailable(why) => {
                warn!(
                    why,
                    "Discord can't be reached for somebody who signs in or is signed in"
                );
                Self::unreachable(&why)
            }
            Error::Misconfigured(why) => {
                error!(why, "nobody can sign in");
                let message = "signing in is not set up rightly; the operator finds the reason in the log";
                Self::new(StatusCode::BAD_GATEWAY, "misconfigured", message)
            }
        }
    }
}

impl From<discord::Error> for Refused {
    fn from(error: discord::Error) -> Self {
        warn!(%error, "an API call that needs Discord failed");
        match error {
            discord::Error::Busy { retry_after } => Self::busy(retry_after),
            discord::Error::Unavailable { .. } => Self::unreachable("the bot's call failed"),
            discord::Error::Unauthorized => {
                let message = "Discord refuses the bot's token; the operator must set a new DISCORD_TOKEN";
                Self::new(StatusCode::BAD_GATEWAY, "bot_refused", message)
            }
            discord::Error::Unexpected { .. } => {
                let message = "Discord refused what the bot asked; is the bot still in this server?";
                Self::new(StatusCode::BAD_GATEWAY, "discord_refused", message)
            }
        }
    }
}

/// A JSON body, refused in our own form.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(refuse(&rejection)),
        }
    }
}

fn refuse(rejection: &JsonRejection) -> Refused {
    match rejection {
        JsonRejection::JsonDataError(error) => {
            // The library's first half says nothing that our own words don't.
            let why = error.body_text();
            let why = why.split_once(": ").map_or(why.as_str(), |(_, why)| why).to_owned();
            Refused::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid",
                format!("the body does not fit: {why}"),
            )
        }
        JsonRejection::JsonSyntaxError(_) => Refused::malformed("the body is not JSON"),
        JsonRejection::MissingJsonContentType(_) => Refused::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_json",
            "send JSON with content-type: application/json",
        ),
        other if other.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is too large")
        }
        _ => Refused::malformed("the body broke off"),
    }
}
