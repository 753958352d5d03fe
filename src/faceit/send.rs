//! One GET to the Data API: a turn, a deadline, a bounded body, and what the status and headers mean. Repeating it is the client's work.

use std::{error::Error as _, time::Duration};

use reqwest::{
    Response, StatusCode, Url,
    header::{HeaderMap, RETRY_AFTER},
};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};
use tokio::time::{Instant, timeout_at};

use crate::{
    clock::Clock,
    faceit::{error::Error, limit::Limit, wire},
};

/// A match body has about 15 KB, a page of 100 matches about 1.5 MB.
const LARGEST_BODY: usize = 4 * 1024 * 1024;
/// Nobody waits longer on FACEIT's word alone: a mistaken header must not silence us for a day.
const LONGEST_HOLD: Duration = Duration::from_secs(600);
/// For a 429 that doesn't say when: FACEIT's recorded window is one second.
const USUAL_HOLD: Duration = Duration::from_secs(1);

/// What one attempt needs.
pub struct Sender {
    pub http: reqwest::Client,
    pub limit: Limit,
    pub clock: Clock,
    /// For one attempt, from its turn to the body's last byte.
    pub deadline: Duration,
}

impl Sender {
    /// Asks once. `end` bounds the waiting for a turn and the call together.
    pub async fn get(&self, route: &'static str, url: Url, end: Instant) -> Result<Value, Error> {
        self.limit
            .turn(end)
            .await
            .map_err(|retry_after| Error::Busy { route, retry_after })?;
        let until = end.min(Instant::now() + self.deadline);
        let answer = timeout_at(until, self.exchange(url)).await;
        let (status, result) = match answer {
            Ok(Ok((status, headers, body))) => (status.as_u16().to_string(), self.read(route, status, &headers, &body)),
            Ok(Err(Broken::TooLarge)) => (
                "too_large".to_owned(),
                Err(unexpected(route, format!("more than {LARGEST_BODY} bytes"))),
            ),
            Ok(Err(Broken::Connection(why))) => ("error".to_owned(), Err(unavailable(route, why))),
            Err(_) => (
                "timeout".to_owned(),
                Err(unavailable(route, "no answer in time".to_owned())),
            ),
        };
        ::metrics::counter!(crate::metrics::FACEIT_CALLS, "route" => route, "status" => status).increment(1);
        result
    }

    async fn exchange(&self, url: Url) -> Result<(StatusCode, HeaderMap, Vec<u8>), Broken> {
        let mut response: Response = self.http.get(url).send().await?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > LARGEST_BODY {
                return Err(Broken::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.status(), std::mem::take(response.headers_mut()), body))
    }

    fn read(&self, route: &'static str, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Value, Error> {
        let hold = self.asked_to_wait(status, headers);
        if let Some(hold) = hold {
            self.limit.hold(Instant::now() + hold);
        }
        let looks = Looks::of(body);
        match status {
            StatusCode::TOO_MANY_REQUESTS => {
                let retry_after = hold.unwrap_or(USUAL_HOLD);
                Err(Error::Busy { route, retry_after })
            }
            // FACEIT itself refuses in JSON; a web page is Cloudflare's challenge, which says nothing about key or match.
            _ if looks == Looks::WebPage => Err(unavailable(
                route,
                format!("a web page instead of JSON (status {status})"),
            )),
            StatusCode::NOT_FOUND => Err(Error::NotFound { route }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Error::Unauthorized {
                route,
                status: status.as_u16(),
            }),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => Err(unavailable(route, failure(status, body))),
            _ if status.is_server_error() => match hold {
                Some(retry_after) => Err(Error::Busy { route, retry_after }),
                None => Err(unavailable(route, failure(status, body))),
            },
            _ if !status.is_success() => Err(unexpected(route, failure(status, body))),
            _ if looks == Looks::Empty => Err(unavailable(route, format!("an empty body (status {status})"))),
            _ => serde_json::from_slice(body)
                .map_err(|error| unexpected(route, format!("the body is not JSON: {error}"))),
        }
    }

    /// How long to send nothing, by `Retry-After` or by the `ratelimit-*` headers.
    fn asked_to_wait(&self, status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
        let refused = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        let wait = match header(headers, RETRY_AFTER.as_str()).filter(|_| refused) {
            Some(text) => match text.parse() {
                Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
                Err(_) => self.until(OffsetDateTime::parse(text, &Rfc2822).ok()?),
            },
            None => {
                let used_up = leading_number(header(headers, "ratelimit-remaining")?)? == 0;
                let reset = header(headers, "ratelimit-reset").and_then(leading_number);
                if !used_up && status != StatusCode::TOO_MANY_REQUESTS {
                    return None;
                }
                // Whole seconds: a recorded 0 means "within this second". A large number would be a point in time.
                match reset.unwrap_or(1).max(1) {
                    seconds @ ..1_000_000_000 => Duration::from_secs(seconds),
                    epoch => self.until(OffsetDateTime::from_unix_timestamp(epoch.try_into().ok()?).ok()?),
                }
            }
        };
        Some(wait.min(LONGEST_HOLD))
    }

    fn until(&self, moment: OffsetDateTime) -> Duration {
        (moment - self.clock.now()).try_into().unwrap_or(Duration::ZERO)
    }
}

/// Why there is no answer.
enum Broken {
    TooLarge,
    Connection(String),
}

impl From<reqwest::Error> for Broken {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut why = error.to_string();
        let mut source = error.source();
        while let Some(deeper) = source {
            why = format!("{why}: {deeper}");
            source = deeper.source();
        }
        Self::Connection(why)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Looks {
    Empty,
    WebPage,
    Other,
}

impl Looks {
    fn of(body: &[u8]) -> Self {
        match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None => Self::Empty,
            Some(b'<') => Self::WebPage,
            Some(_) => Self::Other,
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// The first number: of `8`, and of `10, 10;w=1`.
fn leading_number(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// The status, and FACEIT's own words where it gives any.
fn failure(status: StatusCode, body: &[u8]) -> String {
    let said = serde_json::from_slice::<wire::Failure>(body).unwrap_or_default();
    match said.errors.first().filter(|error| !error.message.is_empty()) {
        Some(error) => format!("status {status}: {}", error.message.escape_debug()),
        None => format!("status {status}"),
    }
}

fn unavailable(route: &'static str, why: String) -> Error {
    Error::Unavailable { route, why }
}

fn unexpected(route: &'static str, why: String) -> Error {
    Error::Unexpected { route, why }
}
