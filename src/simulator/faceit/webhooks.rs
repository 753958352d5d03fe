//! Sends webhooks as App Studio does: one POST with the secret in a header and, if asked, in the query; no retries of its own.

use std::time::Duration;

use axum::body::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

/// FACEIT's own deadline is unknown; long enough for any receiver that answers at all.
const DEADLINE: Duration = Duration::from_secs(15);

/// What the receiver answered.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Delivered {
    pub status: u16,
    /// JSON when it was JSON, text otherwise, null when empty.
    pub body: Value,
}

/// Why nothing was answered.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error("no webhook target is set: start with --webhook-to, or PUT /control/faceit/webhook")]
    NoTarget,
    #[error("the receiver {target} was not reached: {cause}")]
    NotReached { target: String, cause: String },
}

#[derive(Clone, Debug)]
pub(in crate::simulator) struct Sender {
    pub(in crate::simulator) target: Option<String>,
    pub(in crate::simulator) secret: String,
    pub(in crate::simulator) header: String,
    pub(in crate::simulator) query: Option<String>,
    client: reqwest::Client,
}

impl Sender {
    pub(in crate::simulator) fn new(
        target: Option<String>,
        secret: String,
        header: String,
        query: Option<String>,
    ) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .timeout(DEADLINE)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        // The receiver is one the developer named; his machine may have no root certificates at all.
        let client = client.tls_danger_accept_invalid_certs(true);
        Ok(Self {
            target,
            secret,
            header,
            query: query.filter(|name| !name.is_empty()),
            client: client.build()?,
        })
    }

    pub(in crate::simulator) async fn deliver(&self, body: Bytes) -> Result<Delivered, DeliveryError> {
        let target = self.target.clone().ok_or(DeliveryError::NoTarget)?;
        let not_reached = |cause: &dyn std::error::Error| {
            // "connection refused" stands in the last of the causes, "error sending request" in the first.
            let causes = std::iter::successors(Some(cause), |cause| cause.source()).map(ToString::to_string);
            DeliveryError::NotReached {
                target: target.clone(),
                cause: causes.collect::<Vec<_>>().join(": "),
            }
        };
        let mut url = Url::parse(&target).map_err(|error| not_reached(&error))?;
        if let Some(name) = &self.query {
            url.query_pairs_mut().append_pair(name, &self.secret);
        }
        let mut request = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .body(body);
        if !self.header.is_empty() {
            request = request.header(&self.header, &self.secret);
        }
        let response = request
            .send()
            .await
            .map_err(|error| not_reached(&error.without_url()))?;
        let status = response.status().as_u16();
        let text = response
            .text()
            .await
            .map_err(|error| not_reached(&error.without_url()))?;
        let body = match serde_json::from_str(&text) {
            Ok(body) => body,
            Err(_) if text.is_empty() => Value::Null,
            Err(_) => Value::String(text),
        };
        Ok(Delivered { status, body })
    }
}
