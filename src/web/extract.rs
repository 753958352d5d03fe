//! What handlers of the API take from a request, refused in the API's own form: JSON bodies, queries, parts of the path.

use axum::{
    Json,
    body::Bytes,
    extract::{self, FromRequest, FromRequestParts, Request, rejection::JsonRejection},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;

use crate::{
    domain::ids::UserId,
    web::{access::Access, auth::session::Session, refused::Refused},
};

/// No text that somebody asks for is longer.
const LONGEST_TEXT: usize = 200;

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

/// A JSON body that may as well be left out, be empty or `null`.
pub struct MaybeBody<T>(pub Option<T>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for MaybeBody<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let (parts, body) = request.into_parts();
        let whole = Request::from_parts(parts.clone(), body);
        let bytes = Bytes::from_request(whole, state).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                too_large()
            } else {
                Refused::malformed("the body broke off")
            }
        })?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        let request = Request::from_parts(parts, bytes.into());
        let Body(body) = Body::from_request(request, state).await?;
        Ok(Self(body))
    }
}

fn too_large() -> Refused {
    Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is too large")
}

/// A query, refused in our own form.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        match extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => {
                let why = rejection.body_text();
                let why = why.split_once(": ").map_or(why.as_str(), |(_, why)| why).to_owned();
                Err(Refused::malformed(format!("the query does not fit: {why}")))
            }
        }
    }
}

/// Parts of the path, refused in our own form.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        match extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(extract::Path(path)) => Ok(Self(path)),
            Err(_) => Err(Refused::not_found("there is nothing at this address")),
        }
    }
}

/// Put there by the gate, on every route that needs a session.
impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        parts.extensions.get().cloned().ok_or_else(Refused::internal)
    }
}

/// Put there by the gate, on every route about a guild.
impl<S: Sync> FromRequestParts<S> for Access {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        parts.extensions.get().copied().ok_or_else(Refused::internal)
    }
}

/// A Discord account's id as Discord writes it, and no other way.
pub fn user_id(text: &str) -> Option<UserId> {
    let plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = |id: &UserId| i64::try_from(id.get()).is_ok();
    text.parse().ok().filter(fits).filter(|_| plain)
}

/// A text that can be looked for: neither empty nor long, without control characters.
pub fn plain<'a>(name: &str, text: &'a str) -> Result<&'a str, Refused> {
    if (1..=LONGEST_TEXT).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        return Ok(text);
    }
    let message = format!("{name} must have 1 to {LONGEST_TEXT} characters, and no control characters");
    Err(Refused::malformed(message))
}

fn refuse(rejection: &JsonRejection) -> Refused {
    match rejection {
        JsonRejection::JsonDataError(error) => {
            // The library's first half says nothing that our own words don't.
            let why = error.body_text();
            let why = why.split_once(": ").map_or(why.as_str(), |(_, why)| why).to_owned();
            Refused::invalid(format!("the body does not fit: {why}"))
        }
        JsonRejection::JsonSyntaxError(_) => Refused::malformed("the body is not JSON"),
        JsonRejection::MissingJsonContentType(_) => Refused::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_json",
            "send JSON with content-type: application/json",
        ),
        other if other.status() == StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => Refused::malformed("the body broke off"),
    }
}
