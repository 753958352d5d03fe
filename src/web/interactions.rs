//! `POST /interactions`: commands that Discord sends over HTTP, when it is set up so. Here they are only proven to be Discord's; what they mean is
//! decided elsewhere.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use ed25519_dalek::{Signature, VerifyingKey};
use futures::future::BoxFuture;
use serde_json::Value;

use crate::{clock::Clock, web::Web};

/// A signature counts this long, and as far ahead of our own clock.
const WINDOW: Duration = Duration::from_secs(300);
/// A command with its longest options has about 20 KB.
const LARGEST_BODY: usize = 256 * 1024;

/// Gives the answer to an interaction; None for what is no interaction.
pub type Answer = Arc<dyn Fn(Bytes) -> BoxFuture<'static, Option<Value>> + Send + Sync>;

/// What is needed; clones share it.
#[derive(Clone)]
pub struct Interactions {
    key: VerifyingKey,
    clock: Clock,
    answer: Answer,
}

impl Interactions {
    /// None for a key that can't be one.
    pub fn new(key: [u8; 32], clock: Clock, answer: Answer) -> Option<Self> {
        let key = VerifyingKey::from_bytes(&key).ok()?;
        Some(Self { key, clock, answer })
    }

    /// Whether Discord sent it, and not long ago. Discord tries now and then with bad signatures whether anybody looks.
    fn is_genuine(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let signed = || {
            let timestamp = text("x-signature-timestamp")?;
            let signature = unhex(text("x-signature-ed25519")?)?;
            let at: i64 = timestamp.parse().ok()?;
            let age = self.clock.now().unix_timestamp().checked_sub(at)?.unsigned_abs();
            let mut message = timestamp.as_bytes().to_vec();
            message.extend_from_slice(body);
            let good = self.key.verify_strict(&message, &Signature::from_bytes(&signature));
            Some(age <= WINDOW.as_secs() && good.is_ok())
        };
        signed().unwrap_or(false)
    }
}

fn unhex(text: &str) -> Option<[u8; 64]> {
    let digits = text.as_bytes();
    if digits.len() != 128 {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = [0; 64];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// Nothing at all without a key.
pub(super) fn routes(interactions: Option<&Interactions>) -> Router<Web> {
    match interactions {
        Some(_) => Router::new()
            .route("/interactions", post(receive))
            .layer(DefaultBodyLimit::max(LARGEST_BODY)),
        None => Router::new(),
    }
}

async fn receive(State(web): State<Web>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(interactions) = web.interactions.filter(|it| it.is_genuine(&headers, &body)) else {
        return (StatusCode::UNAUTHORIZED, "invalid request signature").into_response();
    };
    match (interactions.answer)(body).await {
        Some(answer) => Json(answer).into_response(),
        None => (StatusCode::BAD_REQUEST, "no interaction").into_response(),
    }
}
