//! Faults set for coming requests: another answer, a late one, a cut connection; it decides which, the server carries them out.

use std::{collections::BTreeMap, time::Duration};

use axum::http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{discord::limited, exchange::Answer, journal::Side};

/// What shall go wrong with the next request(s) that match. At least one of `status`, `delay_ms` and `drop` is given.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Any method when absent.
    #[serde(default)]
    pub method: Option<String>,
    /// The end of the path, without the query; `*` stands for anything, also for nothing.
    pub path: String,
    /// Answer this status.
    #[serde(default)]
    pub status: Option<u16>,
    /// Let the request take effect although `status` is answered.
    #[serde(default)]
    pub after_effect: bool,
    /// Answer so much later; the request takes effect at once.
    #[serde(default)]
    pub delay_ms: u64,
    /// Cut the connection instead of answering.
    #[serde(default)]
    pub drop: Option<Cut>,
    /// Text is sent as it is, anything else as JSON; something fitting the status when absent.
    #[serde(default)]
    pub body: Option<Value>,
    /// With the status 429 and no body: which of Discord's limits it was.
    #[serde(default)]
    pub scope: Option<Scope>,
    /// With a scope: how long to wait.
    #[serde(default)]
    pub retry_after_ms: Option<u64>,
    /// Set over the headers the answer has anyway.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Let so many matching requests pass first.
    #[serde(default)]
    pub skip: u32,
    /// How many matching requests it strikes.
    #[serde(default = "once")]
    pub times: u32,
}

/// Whom a 429 of Discord's is for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// This bot on this route.
    User,
    /// This bot on every route.
    Global,
    /// Everybody who asks for the same thing; it doesn't count as an invalid request.
    Shared,
}

impl Scope {
    fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Global => "global",
            Self::Shared => "shared",
        }
    }
}

/// When a connection is cut.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cut {
    /// Before the request took effect.
    Before,
    /// After it took effect, with no byte of an answer.
    After,
}

impl Default for Fault {
    fn default() -> Self {
        Self {
            method: None,
            path: "*".to_owned(),
            status: None,
            after_effect: false,
            delay_ms: 0,
            drop: None,
            body: None,
            scope: None,
            retry_after_ms: None,
            headers: BTreeMap::new(),
            skip: 0,
            times: 1,
        }
    }
}

fn once() -> u32 {
    1
}

impl Fault {
    /// Says what makes no sense in it.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.status.is_none() && self.delay_ms == 0 && self.drop.is_none() {
            return Err("a fault needs a status, a delay_ms or a drop".to_owned());
        }
        if self.status.is_some_and(|status| !(200..=599).contains(&status)) {
            return Err("status must be between 200 and 599".to_owned());
        }
        if self.status.is_some() && self.drop.is_some() {
            return Err("a fault has a status or a drop, not both".to_owned());
        }
        if self.status.is_none() && (self.after_effect || self.body.is_some() || !self.headers.is_empty()) {
            return Err("after_effect, body and headers need a status".to_owned());
        }
        if self.scope.is_some() && (self.status != Some(429) || self.body.is_some()) {
            return Err("a scope needs the status 429 and no body".to_owned());
        }
        if self.retry_after_ms.is_some() && self.scope.is_none() {
            return Err("retry_after_ms needs a scope".to_owned());
        }
        if self.times == 0 {
            return Err("times must be at least 1".to_owned());
        }
        let headers = self.headers.iter();
        let bad = headers
            .filter(|(name, value)| header(name, value).is_none())
            .map(|(name, _)| name)
            .next();
        bad.map_or(Ok(()), |name| Err(format!("{name:?} and its value are no header")))
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        let method_fits = self
            .method
            .as_deref()
            .is_none_or(|wanted| wanted == "*" || wanted.eq_ignore_ascii_case(method));
        method_fits && ends_with(path, &self.path)
    }

    pub(super) fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }

    /// Whether the request takes effect all the same.
    pub(super) fn takes_effect(&self) -> bool {
        match self.drop {
            Some(cut) => cut == Cut::After,
            None => self.status.is_none() || self.after_effect,
        }
    }

    /// The answer in place of the true one.
    pub(super) fn answer(&self, side: Side) -> Option<Answer> {
        let status = StatusCode::from_u16(self.status?).ok()?;
        let mut answer = match &self.body {
            Some(Value::String(text)) if text.starts_with('<') => Answer::typed(status, "text/html", text.clone()),
            Some(Value::String(text)) => Answer::typed(status, "text/plain; charset=utf-8", text.clone()),
            Some(body) => Answer::json(status, body),
            None if self.scope.is_some() => {
                let wait = Duration::from_millis(self.retry_after_ms.unwrap_or(1_000));
                limited(wait, None, self.scope.map_or("user", Scope::as_str))
            }
            None => usual_answer(status, side),
        };
        let headers = self.headers.iter().filter_map(|(name, value)| header(name, value));
        headers.for_each(|(name, value)| _ = answer.headers.insert(name, value));
        Some(answer)
    }
}

/// What such a status usually comes with: a page from the edge for 5xx, the side's own error body otherwise.
fn usual_answer(status: StatusCode, side: Side) -> Answer {
    let reason = status.canonical_reason().unwrap_or("Unknown");
    if status.is_server_error() {
        let page = format!(
            "<html>\r\n<head><title>{code} {reason}</title></head>\r\n<body>\r\n<center><h1>{code} {reason}</h1></center>\r\n\
             <hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n",
            code = status.as_u16(),
        );
        return Answer::typed(status, "text/html", page);
    }
    if side == Side::Faceit {
        let error = json!({ "message": reason, "code": "err_simulated", "http_status": status.as_u16() });
        return Answer::json(status, &json!({ "errors": [error] }));
    }
    if status != StatusCode::TOO_MANY_REQUESTS {
        return Answer::json(
            status,
            &json!({ "message": format!("{}: {reason}", status.as_u16()), "code": 0 }),
        );
    }
    let body = json!({ "message": "You are being rate limited.", "retry_after": 1.0, "global": false });
    let mut answer = Answer::json(status, &body);
    answer.set("retry-after", 1);
    answer.set("x-ratelimit-scope", "user");
    answer
}

fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    Some((name.parse().ok()?, value.parse().ok()?))
}

/// `pattern` fits the end of `path`; its stars stand for anything.
fn ends_with(path: &str, pattern: &str) -> bool {
    let Some((head, last)) = pattern.rsplit_once('*') else {
        return path.ends_with(pattern);
    };
    let Some(mut rest) = path.strip_suffix(last) else {
        return false;
    };
    // From the right, the rightmost occurrence leaves most room for what is left of it.
    for piece in head.rsplit('*') {
        let Some(at) = rest.rfind(piece) else { return false };
        rest = &rest[..at];
    }
    true
}

/// The faults still to strike, in the order they were set.
#[derive(Debug, Default)]
pub(super) struct Faults {
    waiting: Vec<Fault>,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.waiting.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    pub(super) fn waiting(&self) -> &[Fault] {
        &self.waiting
    }

    /// The fault that strikes this request, if any: the first that matches and has nothing left to skip.
    pub(super) fn strike(&mut self, method: &str, path: &str) -> Option<Fault> {
        let mut struck = None;
        for (index, fault) in self
            .waiting
            .iter_mut()
            .enumerate()
            .filter(|(_, fault)| fault.matches(method, path))
        {
            if fault.skip == 0 {
                fault.times -= 1;
                struck = Some((index, fault.clone()));
                break;
            }
            fault.skip -= 1;
        }
        let (index, fault) = struck?;
        if fault.times == 0 {
            self.waiting.remove(index);
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_the_end_of_a_path() {
        let path = "/api/v10/guilds/1000/members/2001";
        for fits in [
            "*",
            "/members/2001",
            "/guilds/*/members/*",
            "/guilds/1000/*",
            path,
            "/api/*",
            "2001",
            "*2001",
        ] {
            assert!(ends_with(path, fits), "{fits}");
        }
        for not in [
            "/members",
            "/channels/*",
            "/guilds/*/channels",
            "/members/*/2001",
            "/guilds/1001/*",
        ] {
            assert!(!ends_with(path, not), "{not}");
        }
    }

    #[test]
    fn a_fault_strikes_as_often_as_it_says_after_what_it_skips() {
        let mut faults = Faults::default();
        let path = "/guilds/1/channels".to_owned();
        faults.add(Fault {
            method: Some("post".to_owned()),
            path,
            status: Some(503),
            skip: 1,
            times: 2,
            ..Fault::default()
        });
        let struck: Vec<bool> = (0..5)
            .map(|_| faults.strike("POST", "/api/v10/guilds/1/channels").is_some())
            .collect();
        assert_eq!(struck, [false, true, true, false, false]);
        assert!(faults.strike("GET", "/api/v10/guilds/1/channels").is_none());
    }

    #[test]
    fn a_fault_that_does_nothing_is_refused() {
        assert!(Fault::default().check().is_err());
        assert!(
            Fault {
                status: Some(503),
                drop: Some(Cut::After),
                ..Fault::default()
            }
            .check()
            .is_err()
        );
        assert!(
            Fault {
                status: Some(503),
                ..Fault::default()
            }
            .check()
            .is_ok()
        );
    }
}
