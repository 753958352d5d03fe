//! The FACEIT client over real HTTP: what it makes of each kind of answer, how often and how soon it asks again.
#![expect(
    clippy::disallowed_methods,
    reason = "the fake FACEIT runs beside its test and ends with it"
)]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Response, StatusCode, header},
};
use futures::future::join_all;
use muster::{
    clock::Clock,
    domain::{
        Timestamp,
        ids::{MatchId, PlayerId},
        match_facts::Status,
    },
    faceit::{
        client::{Client, HubMatches, Options},
        error::Error,
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::Instant,
};

const KEY: &str = "0b5e55ed-5ec2-e700-0000-000000000001";
const READY: &str = include_str!("../../fixtures/faceit/match_hub_5v5_ready.json");
const NOT_FOUND: &str = include_str!("../../fixtures/faceit/error_not_found.json");
const WEB_PAGE: &str = "\n<!DOCTYPE html><html><title>Just a moment...</title></html>";

type Seen = Arc<Mutex<Vec<(Instant, String, HeaderMap)>>>;
type Answer = dyn Fn(usize, &str) -> Reply + Send + Sync;

/// What the server does with a request.
pub enum Reply {
    Send(u16, Vec<(&'static str, String)>, String),
    Never,
}

impl Reply {
    pub fn json(body: &str) -> Self {
        Self::Send(
            200,
            vec![("content-type", "application/json".to_owned())],
            body.to_owned(),
        )
    }

    fn status(status: u16, body: &str) -> Self {
        Self::Send(status, vec![], body.to_owned())
    }

    fn with(status: u16, header: &'static str, value: impl ToString) -> Self {
        Self::Send(status, vec![(header, value.to_string())], "{}".to_owned())
    }
}

/// A FACEIT that answers by a function of the request's number (from 0) and its path with query.
pub struct Faceit {
    base: String,
    seen: Seen,
}

impl Faceit {
    pub async fn start(answer: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/data/v4", listener.local_addr().unwrap());
        let seen = Seen::default();
        let answer: Arc<Answer> = Arc::new(answer);
        let app = Router::new().fallback(reply).with_state((seen.clone(), answer));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { base, seen }
    }

    pub fn options(&self) -> Options {
        Options::new(self.base.parse().unwrap(), KEY.into(), Clock::system())
    }

    pub fn client(&self) -> Client {
        Client::new(self.options()).unwrap()
    }

    fn impatient(&self) -> Client {
        Client::new(Options {
            deadline: Duration::from_millis(300),
            ..self.options()
        })
        .unwrap()
    }

    fn requests(&self) -> Vec<(Instant, String, HeaderMap)> {
        self.seen.lock().unwrap().clone()
    }
}

async fn reply(State((seen, answer)): State<(Seen, Arc<Answer>)>, request: Request) -> Response<Body> {
    let path = request.uri().to_string();
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push((Instant::now(), path.clone(), request.headers().clone()));
        seen.len() - 1
    };
    match answer(number, &path) {
        Reply::Never => std::future::pending().await,
        Reply::Send(status, headers, body) => {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
    }
}

fn id() -> MatchId {
    MatchId::new("1-5cd68867")
}

#[tokio::test]
async fn a_match_is_asked_for_with_the_key_and_read() {
    let faceit = Faceit::start(|_, _| Reply::json(READY)).await;
    let facts = faceit.client().fetch_match(&id()).await.unwrap();
    assert_eq!(facts.status, Status::Ready);
    assert!(facts.rosters_known());

    let (_, path, headers) = &faceit.requests()[0];
    assert_eq!(path, "/data/v4/matches/1-5cd68867");
    assert_eq!(headers[header::AUTHORIZATION], format!("Bearer {KEY}"));
    assert_eq!(
        headers[header::USER_AGENT],
        format!("muster/{}", env!("CARGO_PKG_VERSION"))
    );
}

#[tokio::test]
async fn a_match_is_never_cached() {
    let faceit = Faceit::start(|_, _| Reply::json(READY)).await;
    let client = faceit.client();
    client.fetch_match(&id()).await.unwrap();
    client.fetch_match(&id()).await.unwrap();
    assert_eq!(faceit.requests().len(), 2);
}

#[tokio::test]
async fn final_answers_are_told_apart_and_not_asked_again() {
    let forbidden = r#"{"errors":[{"message":"forbidden","code":"err_f0"}]}"#;
    let huge = format!("{{\"status\":\"READY\",\"x\":\"{}\"}}", "x".repeat(5 << 20));
    for (status, body, expected) in [
        (404, NOT_FOUND, "FACEIT /matches/{id}: not found"),
        (404, "", "FACEIT /matches/{id}: not found"),
        (
            401,
            forbidden,
            "FACEIT /matches/{id}: the API key is refused (status 401); check FACEIT_API_KEY",
        ),
        (
            403,
            forbidden,
            "FACEIT /matches/{id}: the API key is refused (status 403); check FACEIT_API_KEY",
        ),
        (
            400,
            forbidden,
            "FACEIT /matches/{id}: unexpected answer: status 400 Bad Request: forbidden",
        ),
        (302, "", "FACEIT /matches/{id}: unexpected answer: status 302 Found"),
        (
            200,
            "[]",
            "FACEIT /matches/{id}: unexpected answer: the body is not a JSON object",
        ),
        (
            200,
            "{}",
            "FACEIT /matches/{id}: unexpected answer: the match has no status",
        ),
        (
            200,
            &huge,
            "FACEIT /matches/{id}: unexpected answer: more than 4194304 bytes",
        ),
    ] {
        let body = body.to_owned();
        let faceit =
            Faceit::start(move |_, _| Reply::Send(status, vec![("location", "/elsewhere".to_owned())], body.clone()))
                .await;
        let error = faceit.client().fetch_match(&id()).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(!error.is_transient());
        assert_eq!(faceit.requests().len(), 1, "{expected}");
    }
    let faceit = Faceit::start(|_, _| Reply::json(&"[".repeat(10_000))).await;
    let error = faceit.client().fetch_match(&id()).await.unwrap_err();
    assert!(matches!(error, Error::Unexpected { .. }), "{error}");
}

#[tokio::test]
async fn passing_failures_are_asked_again_until_there_is_an_answer() {
    let failures = [
        (503, WEB_PAGE),
        (500, ""),
        (200, WEB_PAGE),
        (200, " "),
        (403, WEB_PAGE),
        (404, WEB_PAGE),
    ];
    join_all(failures.map(async |(status, body)| {
        let faceit = Faceit::start(move |number, _| match number {
            0 | 1 => Reply::status(status, body),
            _ => Reply::json(READY),
        })
        .await;
        let facts = faceit.client().fetch_match(&id()).await.unwrap();
        assert_eq!(facts.status, Status::Ready);
        assert_eq!(faceit.requests().len(), 3, "{status} {body}");
    }))
    .await;
}

#[tokio::test]
async fn lasting_failures_are_given_up_after_four_tries() {
    let faceit = Faceit::start(|_, _| Reply::status(502, WEB_PAGE)).await;
    let error = faceit.client().fetch_match(&id()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "FACEIT /matches/{id}: unavailable: a web page instead of JSON (status 502 Bad Gateway)"
    );
    assert_eq!(faceit.requests().len(), 4);
}

#[tokio::test]
async fn a_429_is_asked_again_not_earlier_than_it_says() {
    let faceit = Faceit::start(|number, _| match number {
        0 => Reply::with(429, "retry-after", 1),
        _ => Reply::json(READY),
    })
    .await;
    faceit.client().fetch_match(&id()).await.unwrap();
    let requests = faceit.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[1].0 - requests[0].0 >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_date_in_retry_after_is_understood() {
    let faceit = Faceit::start(|_, _| Reply::with(429, "retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")).await;
    let now = Timestamp::from_unix_timestamp(784_111_777).unwrap();
    let options = Options {
        clock: Clock::manual(now),
        ..faceit.options()
    };
    let error = Client::new(options).unwrap().fetch_match(&id()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_handed_back_and_keeps_everybody_from_asking() {
    let faceit = Faceit::start(|_, _| Reply::with(429, "retry-after", 60)).await;
    let client = faceit.client();
    assert_eq!(
        client.fetch_match(&id()).await,
        Err(Error::Busy {
            route: "/matches/{id}",
            retry_after: Duration::from_secs(60)
        })
    );
    let error = client.clone().player(&PlayerId::new("p1")).await.unwrap_err();
    let wait = error.retry_after().unwrap();
    assert!(
        wait > Duration::from_secs(50) && wait <= Duration::from_secs(60),
        "{error}"
    );
    assert_eq!(faceit.requests().len(), 1);
}

#[tokio::test]
async fn a_used_up_allowance_is_respected_before_it_is_refused() {
    let faceit = Faceit::start(|_, _| {
        let headers = vec![
            ("ratelimit-limit", "10, 10;w=1".to_owned()),
            ("ratelimit-remaining", "0".to_owned()),
            ("ratelimit-reset", "1".to_owned()),
        ];
        Reply::Send(200, headers, READY.to_owned())
    })
    .await;
    let client = faceit.client();
    client.fetch_match(&id()).await.unwrap();
    client.fetch_match(&id()).await.unwrap();
    let requests = faceit.requests();
    assert!(requests[1].0 - requests[0].0 >= Duration::from_secs(1));
}

#[tokio::test]
async fn of_seven_calls_at_once_two_wait_for_the_next_second() {
    let faceit = Faceit::start(|_, _| Reply::json(READY)).await;
    let client = faceit.client();
    let start = Instant::now();
    let id = id();
    for result in join_all((0..7).map(|_| client.fetch_match(&id))).await {
        result.unwrap();
    }
    let late = faceit
        .requests()
        .iter()
        .filter(|(at, ..)| *at - start >= Duration::from_secs(1))
        .count();
    assert!(late >= 2, "{late}");
}

#[tokio::test]
async fn an_answer_that_never_comes_is_given_up_in_time() {
    let faceit = Faceit::start(|_, _| Reply::Never).await;
    let start = Instant::now();
    let error = faceit.impatient().fetch_match(&id()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "FACEIT /matches/{id}: unavailable: no answer in time"
    );
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn one_slow_answer_does_not_use_up_the_time_for_the_next() {
    let faceit = Faceit::start(|number, _| if number == 0 { Reply::Never } else { Reply::json(READY) }).await;
    let client = Client::new(Options {
        deadline: Duration::from_secs(2),
        ..faceit.options()
    })
    .unwrap();
    client.fetch_match(&id()).await.unwrap();
    assert_eq!(faceit.requests().len(), 2);
}

#[tokio::test]
async fn a_connection_cut_in_mid_answer_is_asked_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let whole = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{READY}", READY.len());
        // Nothing at all, half of it, all of it.
        for length in [0, whole.len() / 2, whole.len()] {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(socket.read_u8().await.unwrap());
            }
            socket.write_all(&whole.as_bytes()[..length]).await.unwrap();
            socket.shutdown().await.unwrap();
        }
    });
    let client = Client::new(Options::new(base.parse().unwrap(), KEY.into(), Clock::system())).unwrap();
    assert_eq!(client.fetch_match(&id()).await.unwrap().status, Status::Ready);
}

#[tokio::test]
async fn nobody_listening_is_unavailable_and_the_key_stays_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let options = Options::new(base.parse().unwrap(), KEY.into(), Clock::system());
    assert!(!format!("{options:?}").contains(KEY));
    let client = Client::new(options).unwrap();
    let error = client.fetch_match(&id()).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(!format!("{client:?} {error:?} {error}").contains(KEY));
}

#[tokio::test]
async fn odd_ids_stay_one_segment_of_the_path() {
    let faceit = Faceit::start(|_, _| Reply::status(404, NOT_FOUND)).await;
    let client = faceit.client();
    for (odd, path) in [
        ("../players/x", "/data/v4/matches/..%2Fplayers%2Fx"),
        ("1?a=b#c%2e ü", "/data/v4/matches/1%3Fa=b%23c%252e%20%C3%BC"),
        ("%2e%2e", "/data/v4/matches/%252e%252e"),
    ] {
        assert!(matches!(
            client.fetch_match(&MatchId::new(odd)).await,
            Err(Error::NotFound { .. })
        ));
        assert_eq!(faceit.requests().last().unwrap().1, path);
    }
    let asked = faceit.requests().len();
    for nothing in ["", ".", ".."] {
        assert!(matches!(
            client.fetch_match(&MatchId::new(nothing)).await,
            Err(Error::NotFound { .. })
        ));
    }
    assert_eq!(faceit.requests().len(), asked);
}

#[tokio::test]
async fn twenty_who_want_the_same_player_ask_once() {
    let faceit = Faceit::start(|_, _| Reply::json(include_str!("../../fixtures/faceit/player_with_cs2.json"))).await;
    let client = faceit.client();
    for player in join_all((0..20).map(|_| client.player_by_nickname("Otterly"))).await {
        let player = player.unwrap();
        assert_eq!((player.nickname.as_str(), player.cs2_level), ("Otterly", Some(7)));
        assert!(player.steam_id.is_some());
    }
    let requests = faceit.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].1, "/data/v4/players?nickname=Otterly");
}

#[tokio::test]
async fn a_failure_is_not_remembered() {
    let faceit = Faceit::start(|number, _| match number {
        0 => Reply::status(404, NOT_FOUND),
        _ => Reply::json(include_str!("../../fixtures/faceit/player_without_cs2.json")),
    })
    .await;
    let client = faceit.client();
    let id = PlayerId::new("p1");
    assert_eq!(
        client.player(&id).await,
        Err(Error::NotFound { route: "/players/{id}" })
    );
    assert_eq!(client.player(&id).await.unwrap().cs2_level, None);
}

#[tokio::test]
async fn a_search_gives_levels_though_they_are_written_as_text() {
    let faceit = Faceit::start(|_, _| Reply::json(include_str!("../../fixtures/faceit/search_players.json"))).await;
    let found = faceit.client().search_players("o t&t").await.unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|p| (p.nickname.as_str(), p.country.as_str(), p.cs2_level))
        .collect();
    assert_eq!(
        found,
        [
            ("Otterly", "gb", Some(7)),
            ("Brambleton", "gb", None),
            ("Quillfeather", "gb", Some(10))
        ]
    );
    assert_eq!(
        faceit.requests()[0].1,
        "/data/v4/search/players?nickname=o+t%26t&offset=0&limit=20"
    );
}

#[tokio::test]
async fn a_hub_is_read_page_by_page_until_one_is_not_full_and_odd_matches_are_left_out() {
    let page = include_str!("../../fixtures/faceit/hub_matches_page.json");
    let items = serde_json::from_str::<serde_json::Value>(page).unwrap()["items"].clone();
    let full: Vec<_> = items.as_array().unwrap().iter().cycle().take(100).cloned().collect();
    let full = serde_json::json!({"items": full, "start": 0, "end": 100}).to_string();
    let faceit = Faceit::start(move |number, _| Reply::json(if number == 0 { &full } else { page })).await;
    let client = faceit.client();
    for _ in 0..2 {
        let matches = client.hub_matches("a/hub", HubMatches::Ongoing, 1_000).await.unwrap();
        // A third of the items have no status.
        assert_eq!(matches.len(), 67 + 2);
    }
    let paths: Vec<_> = faceit.requests().into_iter().map(|(_, path, _)| path).collect();
    assert_eq!(
        paths,
        [
            "/data/v4/hubs/a%2Fhub/matches?type=ongoing&offset=0&limit=100",
            "/data/v4/hubs/a%2Fhub/matches?type=ongoing&offset=100&limit=100",
        ]
    );
}

#[test]
fn unusable_options_are_refused_at_once() {
    let options = |base: &str, key: &str| Options::new(base.parse().unwrap(), key.into(), Clock::system());
    assert!(Client::new(options("ftp://open.faceit.com", KEY)).is_err());
    let error = Client::new(options("https://open.faceit.com/data/v4/", "two\nlines")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the FACEIT API key contains characters that can't be sent in a header"
    );
}
