//! Reads an answer's status, headers and body: there, refused, to wait, or not from Discord at all. Pure; sends nothing.

use std::time::Duration;

use axum::body::Bytes;
use reqwest::{
    StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    discord::{
        error::Error,
        limiter::{Scope, Seen, Told, Verdict},
        refusal::{Body, Doing, Refusal},
    },
    domain::plan::Outcome,
};

/// A 429 that names no time (Cloudflare's).
const UNNAMED_PAUSE: Duration = Duration::from_secs(5);
/// "Resource overloaded" (facts/discord.md 2.4).
const OVERLOADED: u64 = 130_000;
const INVALID_WEBHOOK_TOKEN: u64 = 50_027;
/// The longest pause that is believed.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// An answer in Discord's own form.
pub(super) enum Answer {
    Ok(Content),
    Refused(Refusal),
}

/// The body of a 2xx.
pub(super) struct Content {
    pub route: &'static str,
    pub bytes: Bytes,
}

impl Content {
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.bytes)
            .map_err(|error| Error::unexpected(format!("Discord's answer to {} can't be read: {error}", self.route)))
    }
}

impl Answer {
    /// For calls whose answer holds nothing of interest.
    pub fn done_or(self, doing: &Doing) -> Result<Outcome, Error> {
        match self {
            Self::Ok(_) => Ok(Outcome::Done),
            Self::Refused(refusal) => refusal.outcome(doing),
        }
    }
}

#[derive(Deserialize)]
struct LimitBody {
    retry_after: f64,
    #[serde(default)]
    global: bool,
}

/// Puts an answer into one of four: it is there, it is refused, it is to wait (None), or it is none of Discord's.
pub(super) fn read(
    route: &'static str,
    status: StatusCode,
    bytes: Bytes,
    create: bool,
) -> Result<Option<Answer>, Error> {
    // A proxy or a sign-in page may well say 200: a channel is gone only when Discord itself says so.
    let web_page = bytes.trim_ascii_start().first() == Some(&b'<');
    if status.is_success() && !web_page {
        return Ok(Some(Answer::Ok(Content { route, bytes })));
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Ok(None);
    }
    match serde_json::from_slice::<Body>(&bytes) {
        // An interaction's token that is no longer valid is no bad token of ours.
        Ok(body) if status == StatusCode::UNAUTHORIZED && body.code != INVALID_WEBHOOK_TOKEN => {
            Err(Error::Unauthorized)
        }
        // Discord says that it did nothing.
        Ok(body) if body.code == OVERLOADED => Err(Error::Unavailable {
            why: format!("it is overloaded ({}, {OVERLOADED})", body.message),
            ambiguous: false,
        }),
        Ok(body) if status.is_client_error() => Ok(Some(Answer::Refused(Refusal { status, body }))),
        _ if status.is_server_error() => Err(Error::Unavailable {
            why: format!("it answered {status}"),
            ambiguous: create,
        }),
        // A proxy, a block page, a wrong address: whether Discord has seen the request is anybody's guess.
        _ => Err(Error::Unavailable {
            why: format!("something that is not Discord answered {status}; is DISCORD_API_URL right?"),
            ambiguous: create,
        }),
    }
}

/// What an answer says of the limits.
pub(super) fn seen<'a>(status: StatusCode, headers: &'a HeaderMap, bytes: &[u8]) -> Seen<'a> {
    let told = told(headers);
    let bucket = text(headers, "x-ratelimit-bucket");
    let verdict = if status == StatusCode::TOO_MANY_REQUESTS {
        limited(headers, told, bytes)
    } else if status.is_server_error()
        || serde_json::from_slice::<Body>(bytes).is_ok_and(|body| body.code == OVERLOADED)
    {
        Verdict::Failed
    } else {
        Verdict::Passed
    };
    let shared = matches!(
        verdict,
        Verdict::Limited {
            scope: Scope::Shared,
            ..
        }
    );
    Seen {
        // When others use it, too, its times are wrong (facts/discord.md 2.2).
        told: told.filter(|_| !shared),
        bucket,
        verdict,
    }
}

/// The longest of what the body and the headers say: each of them alone is wrong for some kind of limit (facts/discord.md 2.2).
fn limited(headers: &HeaderMap, told: Option<Told>, bytes: &[u8]) -> Verdict {
    let body = serde_json::from_slice::<LimitBody>(bytes).ok();
    let named = text(headers, "x-ratelimit-scope");
    let global = headers.contains_key("x-ratelimit-global") || body.as_ref().is_some_and(|body| body.global);
    let scope = match told {
        _ if global || named == Some("global") => Scope::Global,
        _ if named == Some("shared") => Scope::Shared,
        Some(told) if told.remaining > 0 => Scope::Route,
        Some(_) => Scope::Bucket,
        None if named.is_some() || body.is_some() => Scope::Route,
        // Not in Discord's form: the edge in front of it, and that looks at the address only.
        None => Scope::Address,
    };
    let pause = [
        body.and_then(|body| seconds(body.retry_after)),
        number(headers, RETRY_AFTER.as_str()).and_then(seconds),
        told.filter(|_| scope == Scope::Bucket).map(|told| told.reset_after),
    ];
    Verdict::Limited {
        pause: pause.into_iter().flatten().max().unwrap_or(UNNAMED_PAUSE),
        scope,
    }
}

fn told(headers: &HeaderMap) -> Option<Told> {
    Some(Told {
        limit: number(headers, "x-ratelimit-limit")? as u32,
        remaining: number(headers, "x-ratelimit-remaining")? as u32,
        reset_after: number(headers, "x-ratelimit-reset-after").and_then(seconds)?,
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn number(headers: &HeaderMap, name: &str) -> Option<f64> {
    text(headers, name)?.trim().parse().ok()
}

fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds)
        .ok()
        .map(|pause| pause.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    const MOVE: &str = "PATCH /guilds/{guild}/members/{user}";

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    fn limited(list: &[(&'static str, &'static str)], body: &str) -> (u128, Scope) {
        match seen(StatusCode::TOO_MANY_REQUESTS, &headers(list), body.as_bytes()).verdict {
            Verdict::Limited { pause, scope } => (pause.as_millis(), scope),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_web_page_is_no_answer_whatever_its_status() {
        for status in [200, 201, 403, 404] {
            let page = answer(status, " \n<!doctype html><title>Sign in</title>", true);
            assert!(
                matches!(page, Err(Error::Unavailable { ambiguous: true, .. })),
                "{status}"
            );
        }
    }

    #[test]
    fn the_longest_of_all_times_in_a_429_counts() {
        assert_eq!(
            limited(&[("retry-after", "2")], r#"{"retry_after":1.25,"global":false}"#),
            (2000, Scope::Route)
        );
        assert_eq!(
            limited(&[("retry-after", "1")], r#"{"retry_after":1.5,"global":false}"#),
            (1500, Scope::Route)
        );
        let bucket = |remaining| {
            [
                ("x-ratelimit-limit", "10"),
                ("x-ratelimit-remaining", remaining),
                ("x-ratelimit-reset-after", "7.5"),
                ("retry-after", "1"),
            ]
        };
        assert_eq!(limited(&bucket("0"), "{}"), (7500, Scope::Bucket));
        // A limit by field of the body: the bucket still shows tokens, so its time means nothing.
        assert_eq!(
            limited(&bucket("4"), r#"{"retry_after":3,"global":false}"#),
            (3000, Scope::Route)
        );
    }

    #[test]
    fn a_429_says_what_it_closes() {
        let shared = headers(&[
            ("x-ratelimit-scope", "shared"),
            ("x-ratelimit-limit", "5"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset-after", "99"),
            ("retry-after", "2"),
        ]);
        let shared = seen(StatusCode::TOO_MANY_REQUESTS, &shared, b"{}");
        let pause = Duration::from_secs(2);
        let scope = Scope::Shared;
        assert_eq!((shared.told, shared.verdict), (None, Verdict::Limited { pause, scope }));
        let global = [("retry-after", "3"), ("x-ratelimit-global", "true")];
        assert_eq!(limited(&global, ""), (3000, Scope::Global));
        assert_eq!(
            limited(&[], r#"{"retry_after":1,"global":true}"#),
            (1000, Scope::Global)
        );
        assert_eq!(limited(&[("retry-after", "9")], "<html>"), (9000, Scope::Address));
    }

    #[test]
    fn a_429_without_a_believable_time_waits_all_the_same() {
        assert_eq!(limited(&[], "<html>slow down</html>"), (5000, Scope::Address));
        assert_eq!(limited(&[("retry-after", "-1")], r#"{"retry_after":-5}"#).0, 5000);
        assert_eq!(
            limited(&[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")], "{}").0,
            5000
        );
        assert_eq!(limited(&[("retry-after", "1e300")], r#"{"retry_after":1}"#).0, 1000);
        assert_eq!(limited(&[], r#"{"retry_after":1e12}"#).0, LONGEST_PAUSE.as_millis());
    }

    #[test]
    fn every_answer_teaches_and_a_failure_is_told_from_a_refusal() {
        let five = headers(&[
            ("x-ratelimit-limit", "10"),
            ("x-ratelimit-remaining", "9"),
            ("x-ratelimit-reset", "1470173023.123"),
            ("x-ratelimit-reset-after", "1.000"),
            ("x-ratelimit-bucket", "abcd"),
        ]);
        let told = Told {
            limit: 10,
            remaining: 9,
            reset_after: Duration::from_secs(1),
        };
        let answer = |status: u16, body: &str| seen(StatusCode::from_u16(status).unwrap(), &five, body.as_bytes());
        let ok = answer(200, "{}");
        assert_eq!(
            (ok.told, ok.bucket, ok.verdict),
            (Some(told), Some("abcd"), Verdict::Passed)
        );
        assert_eq!(answer(403, r#"{"code":50013,"message":""}"#).verdict, Verdict::Passed);
        assert_eq!(answer(502, "<html>").verdict, Verdict::Failed);
        assert_eq!(answer(400, r#"{"code":130000,"message":""}"#).verdict, Verdict::Failed);
    }

    fn answer(status: u16, body: &'static str, create: bool) -> Result<Option<Answer>, Error> {
        let status = StatusCode::from_u16(status).unwrap();
        read(MOVE, status, Bytes::from_static(body.as_bytes()), create)
    }

    #[test]
    fn what_is_not_discord_is_unavailable_and_ambiguous_only_for_a_create() {
        for (status, body) in [
            (502, "<html>"),
            (503, ""),
            (500, r#"{"code":0,"message":"500"}"#),
            (403, "<html>blocked"),
            (301, ""),
            (401, "<html>proxy"),
        ] {
            for create in [true, false] {
                let Err(Error::Unavailable { why, ambiguous }) = answer(status, body, create) else {
                    panic!("{status}")
                };
                assert_eq!(ambiguous, create, "{status}");
                assert!(why.contains(&status.to_string()), "{why}");
            }
        }
        assert!(matches!(
            answer(401, r#"{"code":0,"message":"401: Unauthorized"}"#, true),
            Err(Error::Unauthorized)
        ));
        assert!(matches!(
            answer(400, r#"{"code":130000,"message":"overloaded"}"#, true),
            Err(Error::Unavailable { ambiguous: false, .. })
        ));
    }
}
