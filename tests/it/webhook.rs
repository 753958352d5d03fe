//! The webhook as FACEIT and others meet it: bad bodies, bad secrets, repetitions. What is refused leaves nothing behind.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use sqlx::Row;

use crate::support::{
    bodies::{Match, game},
    bot::{Bot, SECRET},
    service::{Place, TABLES, client},
};

const JSON: &str = "application/json";

fn a_match() -> Match {
    game("1-5ca1ab1e-0000-4000-8000-000000000001", "READY", &["nova"], &["ada"])
}

async fn post(bot: &Bot, body: impl Into<reqwest::Body>) -> Response {
    let request = client().post(format!("http://{}/faceit-webhook", bot.app.address));
    let request = request.header("content-type", JSON).header("x-webhook-secret", SECRET);
    request.body(body).send().await.expect("it answers")
}

/// Rows in all tables.
async fn rows(bot: &Bot) -> i64 {
    let mut rows = 0;
    for table in TABLES {
        let query = format!("select count(*) from {table}");
        let row = sqlx::query(sqlx::AssertSqlSafe(query))
            .fetch_one(&bot.app.sync.sources.pool)
            .await;
        rows += row.expect("the database answers").get::<i64, _>(0);
    }
    rows
}

async fn error_of(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.expect("errors are JSON");
    (status, body["error"].as_str().expect("a text").to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_delivery_is_refused_and_leaves_nothing_behind() {
    let bot = Bot::start(&[]).await;
    let text = |value: Value| value.to_string().into_bytes();
    let ready = |payload: Value| text(json!({"event": "match_status_ready", "event_id": "e", "payload": payload}));
    let deep = |open: &str, close: &str| {
        format!(
            "{{\"event\":\"x\",\"payload\":{}1{}}}",
            open.repeat(5_000),
            close.repeat(5_000)
        )
        .into_bytes()
    };
    let table: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", vec![], "the body is empty"),
        ("blanks", b" \r\n\t ".to_vec(), "the body is empty"),
        ("a word", b"hello".to_vec(), "not JSON"),
        ("a web page", b"<html></html>".to_vec(), "not JSON"),
        ("a form", b"event=match_status_ready".to_vec(), "not JSON"),
        (
            "cut off",
            b"{\"event\":\"match_status_ready\",\"payl".to_vec(),
            "not JSON",
        ),
        (
            "two objects",
            b"{\"event\":\"x\"}{\"event\":\"x\"}".to_vec(),
            "not JSON",
        ),
        (
            "a byte order mark",
            b"\xef\xbb\xbf{\"event\":\"x\"}".to_vec(),
            "not JSON",
        ),
        ("UTF-16", b"\xff\xfe{\0\"\0}\0".to_vec(), "not JSON"),
        ("bad UTF-8", b"{\"event\":\"match_\xff\"}".to_vec(), "not JSON"),
        ("half a surrogate", b"{\"event\":\"\\ud800\"}".to_vec(), "not JSON"),
        ("not a number", b"{\"event\":\"x\",\"n\":NaN}".to_vec(), "not JSON"),
        (
            "too large a number",
            b"{\"event\":\"x\",\"n\":1e999}".to_vec(),
            "not JSON",
        ),
        ("deep arrays", deep("[", "]"), "not JSON"),
        ("deep objects", deep("{\"a\":", "}"), "not JSON"),
        (
            "an array",
            text(json!([{"event": "match_status_ready"}])),
            "not a JSON object",
        ),
        ("a number", b"7".to_vec(), "not a JSON object"),
        ("a text", b"\"match_status_ready\"".to_vec(), "not a JSON object"),
        ("null", b"null".to_vec(), "not a JSON object"),
        ("an empty object", b"{}".to_vec(), "no event"),
        ("a null event", text(json!({"event": null})), "no event"),
        ("an empty event", text(json!({"event": ""})), "no event"),
        ("a number as event", text(json!({"event": 7})), "not text"),
        (
            "an array as event",
            text(json!({"event": ["match_status_ready"]})),
            "not text",
        ),
        ("a long event", text(json!({"event": "x".repeat(129)})), "longer than"),
        (
            "a zero byte in the event",
            text(json!({"event": "match\u{0}"})),
            "control character",
        ),
        (
            "a line break in the event",
            text(json!({"event": "match\nx"})),
            "control character",
        ),
        (
            "no payload",
            text(json!({"event": "match_status_ready"})),
            "no payload.id",
        ),
        ("a null payload", ready(json!(null)), "no payload.id"),
        ("a text as payload", ready(json!("1-abc")), "no payload.id"),
        ("an array as payload", ready(json!(["1-abc"])), "no payload.id"),
        ("no match id", ready(json!({"version": 2})), "no payload.id"),
        ("a null match id", ready(json!({"id": null})), "no payload.id"),
        ("a number as match id", ready(json!({"id": 7})), "not text"),
        ("an object as match id", ready(json!({"id": {"id": "1"}})), "not text"),
        ("an empty match id", ready(json!({"id": ""})), "can't be a match id"),
        (
            "a blank in the match id",
            ready(json!({"id": "1-a b"})),
            "can't be a match id",
        ),
        (
            "a zero byte in the match id",
            ready(json!({"id": "1-a\u{0}b"})),
            "can't be a match id",
        ),
        (
            "a line break in the match id",
            ready(json!({"id": "1-a\nb"})),
            "can't be a match id",
        ),
        (
            "a long match id",
            ready(json!({"id": "1".repeat(129)})),
            "can't be a match id",
        ),
    ];
    println!("{} malformed bodies", table.len());
    for (name, body, why) in table {
        let (status, error) = error_of(post(&bot, body).await).await;
        assert_eq!(status, 400, "{name}: {error}");
        assert!(error.contains(why), "{name}: {error}");
        assert!(error.len() < 200, "{name}: a short error: {error}");
    }
    assert_eq!(rows(&bot).await, 0);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_odd_but_no_fault_is_taken() {
    let bot = Bot::start(&["nova", "ada"]).await;
    let id = |n: usize| format!("1-0dd{n:05}-0000-4000-8000-000000000000");
    let payloads = [
        json!({"id": id(0)}),
        json!({"id": id(1), "version": "17", "teams": {}}),
        json!({"id": id(2), "version": 9_223_372_036_854_775_807_i64}),
        json!({"id": id(3), "version": -1, "updated_at": "yesterday"}),
        json!({"id": id(4), "version": 1.5, "teams": [null, 7, "x", {"roster": {}}]}),
        json!({"id": id(5), "version": 1e30, "entity": [], "teams": null}),
        json!({"id": id(6), "version": 18_446_744_073_709_551_615_u64}),
        json!({"id": id(7), "demo_url": ["https://demos.example.invalid/1"], "version": 3}),
        json!({"id": id(8), "version": 3, "entity": {"id": "hub\u{0}", "name": "\u{0}", "type": "h\u{0}ub"},
            "teams": [{"id": "t\u{0}", "name": "te\u{0}am", "roster": [{"id": "p\u{0}1", "nickname": "a\u{0}b"}]}, {"roster": [{"id": "p-ada\u{0}"}]}]}),
        json!({"id": "../../guilds/1000", "version": 1}),
        json!({"id": "1-\u{202e}\u{1f600}", "version": 1}),
        json!({"id": "'; drop table jobs; --".replace(' ', "_"), "version": 1}),
    ];
    // The payload itself is looked at only while the Data API is away.
    bot.simulator
        .fault(
            serde_json::from_value(json!({"path": "/data/v4/*", "status": 400, "times": 1_000_000})).expect("a fault"),
        )
        .expect("a fault");
    for (n, payload) in payloads.iter().enumerate() {
        let body = json!({"event": "match_status_ready", "event_id": format!("e-{n}"), "payload": payload});
        let answer = post(&bot, body.to_string()).await;
        assert_eq!(answer.status(), StatusCode::OK, "{payload}");
        assert_eq!(
            answer.json::<Value>().await.expect("JSON"),
            json!({"result": "accepted"}),
            "{payload}"
        );
    }
    bot.settle().await;
    // They are unknown to FACEIT: once it is back, all of them end.
    bot.simulator.clear_faults();
    for _ in 0..4 {
        bot.advance(Duration::from_secs(60)).await;
    }
    let dead: Vec<_> = bot
        .jobs()
        .await
        .into_iter()
        .filter(|job| job.dead_at.is_some() || job.attempts > 0)
        .collect();
    assert!(dead.is_empty(), "{dead:#?}");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zero_bytes_in_the_data_api_s_answer_hurt_nobody() {
    let bot = Bot::start(&["nova", "ada"]).await;
    let game = a_match();
    let mut body = game.api();
    body["competition_name"] = json!("Kiosk\u{0}League");
    body["teams"]["faction1"]["name"] = json!("te\u{0}am");
    body["teams"]["faction1"]["roster"][0]["nickname"] = json!("No\u{0}va");
    let mut stranger = body["teams"]["faction2"]["roster"][0].clone();
    stranger["player_id"] = json!("p-\u{0}");
    body["teams"]["faction2"]["roster"]
        .as_array_mut()
        .expect("a roster")
        .push(stranger);
    body["demo_url"] = json!(["https://demos.example.invalid/\u{0}"]);
    bot.simulator.put_match(&game.id, &body).expect("a match");
    assert_eq!(bot.deliver(&game.webhook("match_status_ready", 2)).await.status, 200);
    bot.settle().await;
    assert_eq!(bot.channels().len(), 2, "jobs: {:#?}", bot.jobs().await);
    body["status"] = json!("ODD\u{0}");
    bot.simulator.put_match(&game.id, &body).expect("a match");
    assert_eq!(bot.deliver(&game.webhook("match_status_ready", 3)).await.status, 200);
    bot.settle().await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_size_the_kind_the_method_and_the_path_are_judged_in_this_order_after_the_secret() {
    let bot = Bot::start(&[]).await;
    let url = |path: &str| format!("http://{}{path}", bot.app.address);
    let largest = 256 * 1024;
    let padded = |length: usize| {
        let frame = json!({"event": "hub_created", "event_id": format!("e-{length}"), "pad": ""}).to_string();
        let pad = "x".repeat(length - frame.len());
        frame.replace("\"pad\":\"\"", &format!("\"pad\":\"{pad}\""))
    };
    assert_eq!(post(&bot, padded(largest)).await.status(), 200, "exactly the limit");
    for length in [largest + 1, 10 * largest] {
        let (status, error) = error_of(post(&bot, padded(length)).await).await;
        assert_eq!((status, error.as_str()), (413, "the body is larger than 262144 bytes"));
    }
    let ready = a_match().webhook("match_status_ready", 2).to_string();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "json",
    ] {
        let request = client().post(url("/faceit-webhook")).header("content-type", kind);
        let answer = request
            .header("x-webhook-secret", SECRET)
            .body(ready.clone())
            .send()
            .await
            .expect("it answers");
        assert_eq!(error_of(answer).await.0, 415, "{kind}");
    }
    for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
        let answer = client()
            .request(method.clone(), url("/faceit-webhook"))
            .send()
            .await
            .expect("it answers");
        assert_eq!(
            answer.headers().get("allow").map(|value| value.as_bytes()),
            Some(&b"POST"[..]),
            "{method}"
        );
        assert_eq!(error_of(answer).await.0, 405, "{method}");
    }
    for path in [
        "/",
        "/faceit-webhook/",
        "/faceit-webhook/x",
        "/webhooks",
        "/webhooks/faceit%20",
        "/favicon.ico",
    ] {
        let answer = client()
            .post(url(path))
            .header("x-webhook-secret", SECRET)
            .body("{}")
            .send()
            .await;
        assert_eq!(error_of(answer.expect("it answers")).await.0, 404, "{path}");
    }
    // Without the secret nothing of it is looked at.
    for body in [padded(10 * largest), String::new(), "{".to_owned(), ready.clone()] {
        let request = client()
            .post(url("/faceit-webhook"))
            .header("content-type", "text/plain")
            .body(body);
        assert_eq!(error_of(request.send().await.expect("it answers")).await.0, 401);
    }
    assert_eq!(rows(&bot).await, 1, "only the one of the right size was stored");
    for (n, kind) in [
        JSON,
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/cloudevents+json",
    ]
    .into_iter()
    .enumerate()
    {
        let body = a_match().webhook("match_status_ready", n as i64 + 2).to_string();
        let request = client().post(url("/webhooks/faceit")).header("content-type", kind);
        let answer = request
            .header("x-webhook-secret", SECRET)
            .body(body)
            .send()
            .await
            .expect("it answers");
        assert_eq!(answer.status(), 200, "{kind}");
    }
    let body = a_match().webhook("match_status_ready", 9).to_string();
    let request = client()
        .post(url("/webhooks/faceit"))
        .header("x-webhook-secret", SECRET)
        .body(body);
    assert_eq!(
        request.send().await.expect("it answers").status(),
        200,
        "no word about its kind"
    );
    bot.faceit_says(&a_match().status("CANCELLED"));
    bot.settle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_never_comes_is_not_waited_for_long() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let bot = Bot::start(&[]).await;
    let mut stream = tokio::net::TcpStream::connect(bot.app.address)
        .await
        .expect("connected");
    let head = format!(
        "POST /faceit-webhook HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx-webhook-secret: {SECRET}\r\ncontent-length: 100\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_string(&mut answer)).await;
    read.expect("it answers").expect("a text");
    assert!(
        answer.starts_with("HTTP/1.1 408 "),
        "the sender is slow, not we: {answer}"
    );
    assert!(
        answer.ends_with(r#"{"error":"the body did not come within 10 s"}"#),
        "{answer}"
    );
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_counts_once_however_it_is_repeated() {
    let bot = Bot::start(&["nova", "ada"]).await;
    let game = a_match();
    bot.faceit_says(&game);
    let result = async |body: &Value| {
        let answer = bot.deliver(body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["result"].as_str().expect("a result").to_owned()
    };
    let ready = game.webhook("match_status_ready", 2);
    assert_eq!(result(&ready).await, "accepted");
    assert_eq!(result(&ready).await, "duplicate", "the same");
    let mut again = ready.clone();
    again["retry_count"] = json!(3);
    again["timestamp"] = json!("2026-05-28T20:10:02Z");
    assert_eq!(result(&again).await, "duplicate", "a retry of it");
    again["event_id"] = json!("another");
    again["transaction_id"] = json!("another");
    assert_eq!(result(&again).await, "duplicate", "the same change under another id");
    again["payload"]["version"] = json!(3);
    assert_eq!(result(&again).await, "accepted", "a newer version of it");
    assert_eq!(
        result(&game.webhook("match_status_configuring", 2)).await,
        "accepted",
        "another event of that version"
    );

    let mut nameless = game.webhook("match_status_ready", 5);
    nameless.as_object_mut().expect("an object").remove("event_id");
    nameless["payload"]
        .as_object_mut()
        .expect("an object")
        .remove("version");
    assert_eq!(result(&nameless).await, "accepted", "told by the hash of its body");
    assert_eq!(result(&nameless).await, "duplicate");
    nameless["payload"]["updated_at"] = json!("2026-05-28T21:00:00Z");
    assert_eq!(result(&nameless).await, "accepted", "another body");

    let mut demo = game.webhook("match_demo_ready", 7);
    assert_eq!(result(&demo).await, "accepted");
    assert_eq!(result(&demo).await, "duplicate");
    demo["event_id"] = json!("second map");
    demo["payload"]["demo_url"] = json!("https://demos.example.invalid/second.dem.zst");
    assert_eq!(
        result(&demo).await,
        "accepted",
        "the second map's demo under the same version"
    );
    bot.settle().await;
    assert_eq!(bot.record(&game.id).await.demo_urls.len(), 2);

    let unknown = json!({"event": "hub_user_added", "event_id": "u", "payload": {"id": "hub-1", "user_id": "x"}});
    assert_eq!(result(&unknown).await, "ignored");
    assert_eq!(result(&unknown).await, "duplicate");
    let odd = json!({"event": "match_paused_by_aliens", "event_id": "v", "payload": [1]});
    assert_eq!(result(&odd).await, "ignored");
    let jobs: Vec<_> = bot.jobs().await.into_iter().map(|job| job.key.to_string()).collect();
    assert_eq!(jobs, [format!("match:{}", game.id)], "unknown events have no job");

    let told = bot.deliver(&game.webhook("match_status_ready", 2)).await;
    assert_eq!(told.body, json!({"result": "duplicate"}));
    bot.play(&game.status("FINISHED"), "match_status_finished", 9).await;
    bot.advance(Duration::from_secs(61)).await;
    assert!(bot.channels().is_empty());
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_equal_deliveries_at_once_one_is_accepted() {
    let bot = Bot::start(&["nova", "ada"]).await;
    let game = a_match();
    bot.faceit_says(&game);
    for round in 0..5 {
        let answers = futures::future::join_all((0..20).map(|n| {
            let mut body = game.webhook("match_status_ready", round + 2);
            // Half of them differ in their ids only.
            if n % 2 == 0 {
                body["event_id"] = json!(format!("other-{round}-{n}"));
            }
            let bot = &bot;
            async move { bot.deliver(&body).await }
        }))
        .await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        let accepted = answers
            .iter()
            .filter(|answer| answer.body["result"] == "accepted")
            .count();
        assert_eq!(accepted, 1, "{answers:?}");
    }
    bot.settle().await;
    let creates = bot.calls().iter().filter(|call| call.starts_with("POST")).count();
    assert_eq!(creates, 2);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_metrics_tell_deliveries_by_event_and_result() {
    let place = Place::new(&[]).await;
    let serving = place.serve().await;
    // A gateway that connects later has running matches looked at once more.
    place.gateway_ready(&serving).await;
    place.rest().await;
    let game = a_match();
    place.faceit_says(&game);
    let ready = game.webhook("match_status_ready", 2);
    for _ in 0..2 {
        assert_eq!(serving.deliver(&ready).await, Some(200));
    }
    assert_eq!(
        serving.deliver(&json!({"event": "hub_created", "event_id": "h"})).await,
        Some(200)
    );
    assert_eq!(serving.deliver(&json!({"event": 7})).await, Some(400));
    let wrong = client()
        .post(format!("{}/faceit-webhook", serving.url))
        .header("x-webhook-secret", "wrong");
    assert_eq!(wrong.body("{}").send().await.expect("it answers").status(), 401);
    place.rest().await;
    let (status, metrics) = serving.get("/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "muster_deliveries_total{event=\"match_status_ready\",result=\"accepted\"} 1",
        "muster_deliveries_total{event=\"match_status_ready\",result=\"duplicate\"} 1",
        "muster_deliveries_total{event=\"other\",result=\"ignored\"} 1",
        "muster_deliveries_total{event=\"none\",result=\"refused\"} 2",
        "muster_jobs{state=\"dead\"} 0",
        "muster_actions_total{kind=\"create_channel\",outcome=\"done\"} 2",
        "muster_discord_requests_total{route=\"POST /guilds/{guild}/channels\",status=\"201\"} 2",
        "muster_faceit_requests_total{route=\"/matches/{id}\",status=\"200\"} 1",
        "muster_job_runs_total{verdict=\"done\"} 1",
        "muster_delivery_to_done_seconds_count 1",
    ] {
        assert!(
            metrics.lines().any(|known| known == line),
            "no line {line:?} in\n{metrics}"
        );
    }
}

const KEY: &str = "f4ce17f4-0000-key0-0000-of0the0tests";
const QUERY_SECRET: &str = "query-secret-of-the-tests";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_secret_counts_in_the_header_or_the_query_and_no_log_line_shows_any_secret() {
    let mut place = Place::new(&["nova", "ada"]).await;
    place.set("FACEIT_WEBHOOK_QUERY", "wh");
    place.set("FACEIT_WEBHOOK_SECRET", QUERY_SECRET);
    place.set("FACEIT_API_KEY", KEY);
    place.set("RUST_LOG", "trace");
    place.set("LOG_FORMAT", "json");
    let serving = place.serve().await;
    let game = a_match();
    place.faceit_says(&game);
    let mut version = 1;
    let mut send = async |header: Option<&str>, query: &str| {
        version += 1;
        let mut request = client().post(format!("{}/faceit-webhook{query}", serving.url));
        if let Some(secret) = header {
            request = request.header("x-webhook-secret", secret);
        }
        let body = game.webhook("match_status_ready", version);
        request.json(&body).send().await.expect("it answers").status().as_u16()
    };
    let right = format!("?wh={QUERY_SECRET}");
    assert_eq!(send(Some(QUERY_SECRET), "").await, 200, "in the header");
    assert_eq!(send(None, &right).await, 200, "in the query");
    assert_eq!(
        send(None, &format!("?x=1&wh={}&y=2", QUERY_SECRET.replace('-', "%2D"))).await,
        200,
        "encoded"
    );
    assert_eq!(send(Some(QUERY_SECRET), &right).await, 200, "in both");
    assert_eq!(
        send(Some("wrong-secret-aaaa"), &right).await,
        200,
        "wrong in the header, right in the query"
    );
    assert_eq!(
        send(Some(QUERY_SECRET), "?wh=wrong-secret-bbbb").await,
        200,
        "the other way round"
    );
    assert_eq!(send(None, "").await, 401, "missing");
    assert_eq!(send(Some(""), "?wh=").await, 401, "empty");
    assert_eq!(
        send(Some("wrong-secret-aaaa"), "?wh=wrong-secret-bbbb").await,
        401,
        "wrong in both"
    );
    assert_eq!(
        send(None, &format!("?WH={QUERY_SECRET}")).await,
        401,
        "under another name"
    );
    assert_eq!(
        send(Some(&format!("{QUERY_SECRET}x")), "").await,
        401,
        "with more behind it"
    );
    assert_eq!(send(Some(&QUERY_SECRET[1..]), "").await, 401, "with something missing");
    place.rest().await;
    assert_eq!(place.match_channels().len(), 2);
    assert_eq!(place.count("select count(*) from deliveries").await, 6);
    let kept = place
        .count("select count(*) from deliveries where headers::text ilike '%secret%'")
        .await;
    assert_eq!(kept, 0, "the secret is not kept with the headers");
    let token = place.simulator.addresses().bot_token.clone();
    let (status, said) = serving.terminate(Duration::from_secs(20)).await;
    assert_eq!(status.and_then(|status| status.code()), Some(0));
    assert!(said.lines().count() > 100, "that was no trace:\n{said}");
    for secret in [QUERY_SECRET, KEY, &token, "wrong-secret-aaaa", "wrong-secret-bbbb"] {
        let line = said.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "a log line shows {secret}");
    }
    for line in said.lines() {
        let parsed: Result<Value, _> = serde_json::from_str(line);
        let parsed = parsed.unwrap_or_else(|error| panic!("no JSON: {error}: {line}"));
        assert!(parsed["timestamp"].is_string() && parsed["level"].is_string(), "{line}");
    }
    println!("{} log lines, none with a secret", said.lines().count());
}
