//! Refused and failed API calls as callers see them: always `{error, message, details?}`, with a message that says what to do and
//! nothing internal. FACEIT's webhook has its own in `error`.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;
use tracing::{error, warn};
use utoipa::{
    IntoResponses, ToSchema,
    openapi::{ContentBuilder, Ref, RefOr, response, response::ResponseBuilder},
};

use crate::{discord, faceit, store};

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

    /// For people.
    pub fn message(&self) -> &str {
        &self.body.message
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

    /// A body that is JSON and still does not fit.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message)
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

    pub fn bot_missing() -> Self {
        let message = "the bot is not in this server: invite it first, by the address of its bot-install-url";
        Self::new(StatusCode::CONFLICT, "bot_missing", message)
    }

    pub fn no_such_guild() -> Self {
        let message = "you are in no Discord server with this id";
        Self::new(StatusCode::NOT_FOUND, "no_such_guild", message)
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

    pub fn faceit_too_slow() -> Self {
        let message = "FACEIT did not answer in time; try again in a moment";
        Self::new(StatusCode::GATEWAY_TIMEOUT, "faceit_timeout", message)
    }

    /// Everything together took too long.
    pub fn took_too_long() -> Self {
        let message = "this took too long and was broken off; try again in a moment";
        Self::new(StatusCode::GATEWAY_TIMEOUT, "timeout", message)
    }

    fn too_slow() -> Self {
        let message = "Discord did not answer in time; try again in a moment";
        Self::new(StatusCode::GATEWAY_TIMEOUT, "discord_timeout", message)
    }
}

/// What every call of somebody who is signed in may be answered, for the description.
pub struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<response::Response>> {
        let all = [
            ("401", "Not signed in."),
            ("403", "Not allowed, or the call did not come from a page of ours."),
            ("404", "There is none, or the caller has nothing to do with it."),
            ("429", "Too many; Retry-After says when to try again."),
            ("500", "Our mistake."),
            ("502", "Discord or FACEIT can't be reached, or does not do what we ask."),
            ("503", "The database can't be reached, or Discord asks for a pause."),
            ("504", "Discord or FACEIT did not answer in time."),
        ];
        let body = || {
            ContentBuilder::new()
                .schema(Some(Ref::from_schema_name("ErrorBody")))
                .build()
        };
        all.into_iter()
            .map(|(status, why)| {
                let response = ResponseBuilder::new()
                    .description(why)
                    .content("application/json", body());
                (status.to_owned(), RefOr::T(response.build()))
            })
            .collect()
    }
}

/// The answer of what has nothing else to say.
#[derive(Serialize, ToSchema)]
pub struct Done {
    ok: bool,
}

impl Done {
    pub const DONE: Self = Self { ok: true };
}

/// The answer carries it along, for whoever shows it otherwise.
impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(&self.body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(self);
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
            discord::Error::Unavailable { .. } | discord::Error::Recalled => Self::unreachable("the bot's call failed"),
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

impl From<faceit::error::Error> for Refused {
    fn from(error: faceit::error::Error) -> Self {
        use faceit::error::Error;
        warn!(%error, "an API call that needs FACEIT failed");
        match error {
            Error::NotFound { .. } => Self::not_found("FACEIT does not know it"),
            Error::Busy { retry_after, .. } => {
                let message = "FACEIT asks us to slow down; try again in a moment";
                let seconds = u64::try_from(retry_after.as_millis().div_ceil(1000)).unwrap_or(60);
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "faceit_busy", message).after(seconds)
            }
            Error::Unauthorized { .. } => {
                let message = "FACEIT refuses our key; the operator must set a new FACEIT_API_KEY";
                Self::new(StatusCode::BAD_GATEWAY, "faceit_refused", message)
            }
            Error::Unavailable { .. } | Error::Unexpected { .. } => {
                let message = "FACEIT can't be reached just now; try again in a moment";
                Self::new(StatusCode::BAD_GATEWAY, "faceit_unreachable", message)
            }
        }
    }
}
