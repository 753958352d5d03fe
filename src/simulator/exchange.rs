//! A request and an answer, as both sides of the simulator see them: read whole, free of sockets.

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use serde_json::Value;

/// A request, read whole.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// Without the query.
    pub(super) path: String,
    /// Without the question mark.
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    pub(super) fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The first query parameter of that name, percent-decoded.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        parameters(&self.query).find_map(|(key, value)| (key == name).then_some(value))
    }
}

pub(super) fn parameters(query: &str) -> impl Iterator<Item = (String, String)> {
    url::form_urlencoded::parse(query.as_bytes()).into_owned()
}

/// An answer, before it becomes bytes on a connection.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    pub(super) fn json(status: StatusCode, body: &Value) -> Self {
        Self::typed(status, "application/json", body.to_string())
    }

    pub(super) fn typed(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut answer = Self::empty(status);
        answer
            .headers
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        answer.body = body.into();
        answer
    }

    /// Empty without one.
    pub(super) fn media_type(&self) -> String {
        let value = self.headers.get(header::CONTENT_TYPE);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    }

    /// Sets a header; a value that can't be one is left out.
    pub(super) fn set(&mut self, name: &'static str, value: impl ToString) {
        if let Ok(value) = HeaderValue::try_from(value.to_string()) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
    }
}

impl From<Answer> for Response {
    fn from(answer: Answer) -> Self {
        let mut response = Self::new(Body::from(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        response
    }
}
