//! What those who run Muster may do: look at deliveries, go by one once more, and pause everything.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Row;

use super::{
    browser::{Browser, OURS},
    matches::{one, staffed, world},
    settings::audit,
};
use crate::support::{bodies::game, bot::Bot, database::eventually};

const ID: &str = "1-aaaaaaaa-1";
const PAUSE: &str = "/api/operator/pause";

/// Calls to Discord that change something.
fn changes(bot: &Bot) -> Vec<String> {
    let calls = bot.calls().into_iter();
    calls.filter(|call| !call.starts_with("GET")).collect()
}

async fn list(browser: &Browser, query: &str) -> Vec<(i64, String, String)> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = browser.get(&format!("/api/deliveries?limit=2{query}{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        rows.extend(page["deliveries"].as_array().unwrap().iter().map(|row| {
            let text = |field: &str| row[field].as_str().unwrap().to_owned();
            (row["id"].as_i64().unwrap(), text("event"), text("outcome"))
        }));
        let Some(next) = page["next"].as_str() else { return rows };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_find_deliveries_and_see_them_as_they_came() {
    let (bot, staff) = staffed(world(), &["nova"]).await;
    let operator = Browser::of(&bot, "lou").await;
    let played = game(ID, "READY", &["nova"], &["ada"]);
    bot.play(&played, "match_status_configuring", 2).await;
    bot.play(&played, "match_status_ready", 3).await;
    let strange = json!({"event": "hub_user_added", "event_id": "e-9", "payload": {"id": "hub-1"}});
    assert_eq!(bot.deliver(&strange).await.status, 200);
    bot.play(
        &game("1-bbbbbbbb-1", "READY", &["rex"], &["bo"]),
        "match_status_ready",
        3,
    )
    .await;
    let kill = "update jobs set dead_at = due_at where key = 'match:1-bbbbbbbb-1'";
    let pool = &bot.app.sync.sources.pool;
    sqlx::query(kill).execute(pool).await.unwrap();

    let all = list(&operator, "").await;
    let told: Vec<_> = all
        .iter()
        .map(|(_, event, outcome)| (event.as_str(), outcome.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("match_status_ready", "dead"),
            ("hub_user_added", "ignored"),
            ("match_status_ready", "done"),
            ("match_status_configuring", "done"),
        ]
    );
    for (query, expected) in [
        (format!("&match={ID}"), &[2, 3][..]),
        ("&event=match_status_ready".to_owned(), &[0, 2]),
        (format!("&event=match_status_ready&match={ID}"), &[2]),
        ("&outcome=done".to_owned(), &[2, 3]),
        ("&outcome=dead".to_owned(), &[0]),
        ("&outcome=ignored".to_owned(), &[1]),
        ("&outcome=waiting".to_owned(), &[]),
        ("&to=2020-01-01T00:00:00Z".to_owned(), &[]),
        ("&from=2020-01-01T00:00:00Z".to_owned(), &[0, 1, 2, 3]),
    ] {
        let expected: Vec<_> = expected.iter().map(|at| all[*at].clone()).collect();
        assert_eq!(list(&operator, &query).await, expected, "{query}");
    }
    for query in [
        "outcome=lost",
        "match=%00",
        "event=",
        "from=now",
        "limit=0",
        "cursor=eA",
        "what=1",
    ] {
        let (status, refused) = operator.get(&format!("/api/deliveries?{query}")).await;
        assert_eq!((status, &refused["error"]), (400, &json!("malformed")), "{query}");
    }
    let (status, whole) = operator.get(&format!("/api/deliveries/{}", all[2].0)).await;
    assert_eq!(status, 200);
    let body: Value = serde_json::from_str(whole["body"].as_str().unwrap()).unwrap();
    assert_eq!(body, played.webhook("match_status_ready", 3));
    assert_eq!((&whole["match_id"], &whole["payload_version"]), (&json!(ID), &json!(3)));
    assert_eq!(whole["headers"]["content-type"], "application/json");
    for id in ["0", "999999", "x", "99999999999999999999"] {
        assert_eq!(operator.get(&format!("/api/deliveries/{id}")).await.0, 404, "{id}");
    }
    let path = format!("/api/deliveries/{}", all[2].0);
    assert_eq!(staff.get(&path).await.0, 403);

    // Going by the delivery of a dead job revives it.
    let replay = format!("/api/deliveries/{}/replay", all[0].0);
    assert_eq!(staff.call(Method::POST, &replay, None).await.0, 403);
    let (status, replayed) = operator.call(Method::POST, &replay, None).await;
    assert_eq!((status, &replayed["result"]), (200, &json!("accepted")), "{replayed}");
    bot.settle().await;
    assert_eq!(list(&operator, "&outcome=dead").await, []);
    let (_, replayed) = operator
        .call(Method::POST, &format!("/api/deliveries/{}/replay", all[1].0), None)
        .await;
    assert_eq!(
        (&replayed["result"], &replayed["match_id"]),
        (&json!("ignored"), &Value::Null)
    );
    let lines = audit(&bot).await;
    let lines: Vec<_> = lines.iter().filter(|line| line.contains("delivery.")).collect();
    assert_eq!(lines, ["web lou delivery.replayed 1-bbbbbbbb-1"]);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_says_what_a_delivery_would_lead_to_and_changes_nothing() {
    let (bot, _) = staffed(world(), &["nova"]).await;
    let operator = Browser::of(&bot, "lou").await;
    let played = game(ID, "READY", &["nova"], &["ada"]);
    bot.play(&played, "match_status_ready", 3).await;
    bot.faceit_says(&game(ID, "READY", &["nova", "rex"], &["ada"]));
    bot.link(&["rex"]).await;
    let all = async || {
        let pool = &bot.app.sync.sources.pool;
        let all = "select (select jsonb_agg(j) from jobs j)::text || (select jsonb_agg(m) from matches m)::text || (select count(*) from audit)";
        sqlx::query(all).fetch_one(pool).await.unwrap().get::<String, _>(0)
    };
    let (before, id) = (all().await, list(&operator, "").await[0].0);
    bot.simulator.clear_journal();
    let path = format!("/api/deliveries/{id}/replay?dry_run=true");
    let (status, told) = operator.call(Method::POST, &path, None).await;
    assert_eq!(
        (status, &told["dry_run"], &told["result"]),
        (200, &json!(true), &json!("accepted"))
    );
    let text = told["text"].as_str().unwrap();
    assert!(
        text.starts_with("match_status_ready\nmatch 1-aaaaaaaa-1: READY\n"),
        "{text}"
    );
    assert!(text.contains("- move member 2002 to the channel of faction1"), "{text}");
    let steps = told["plan"]["steps"].as_array().unwrap();
    assert!(
        steps
            .iter()
            .any(|step| step["kind"] == "move_member" && step["user_id"] == "2002"),
        "{told}"
    );
    assert_eq!(changes(&bot), Vec::<String>::new());
    assert_eq!(all().await, before);
    let (status, _) = operator
        .call(
            Method::POST,
            &format!("/api/deliveries/{id}/replay?dry_run=perhaps"),
            None,
        )
        .await;
    assert_eq!(status, 400);
    // In earnest it is done.
    let (_, told) = operator
        .call(Method::POST, &format!("/api/deliveries/{id}/replay"), None)
        .await;
    assert_eq!((&told["dry_run"], &told["plan"]), (&json!(false), &Value::Null));
    bot.settle().await;
    assert_eq!(bot.seat("rex").as_deref(), Some("match-aaaaaaaa-faction1"));
    bot.finish().await;
}

async fn pause(operator: &Browser, body: Value) -> Value {
    let (status, pause) = operator.call(Method::PUT, PAUSE, Some(body)).await;
    assert_eq!(status, 200, "{pause}");
    pause
}

async fn metric(bot: &Bot) -> bool {
    let (_, metrics) = bot.get("/metrics").await;
    metrics.lines().any(|line| line == "muster_paused 1")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_all_is_paused_nothing_is_done_in_discord_and_afterwards_everything_at_once() {
    let (bot, staff) = staffed(world(), &["nova"]).await;
    let operator = Browser::of(&bot, "lou").await;
    let not_paused = json!({"paused": false, "since": null, "reason": null});
    assert_eq!(operator.get(PAUSE).await, (200, not_paused.clone()));
    assert_eq!(staff.get(PAUSE).await.0, 403);
    let refused = staff.call(Method::PUT, PAUSE, Some(json!({"paused": true}))).await;
    assert_eq!((refused.0, &refused.1["error"]), (403, &json!("forbidden")));
    assert_eq!(operator.get(PAUSE).await.1, not_paused);
    for bad in [
        json!({}),
        json!({"paused": "yes"}),
        json!({"paused": true, "reason": "x".repeat(201)}),
        json!(true),
    ] {
        let (status, refused) = operator.call(Method::PUT, PAUSE, Some(bad.clone())).await;
        assert_eq!((status, &refused["error"]), (422, &json!("invalid")), "{bad}");
    }
    assert!(!metric(&bot).await);
    let begun = pause(
        &operator,
        json!({"paused": true, "reason": " Discord is moving house "}),
    )
    .await;
    assert_eq!(
        (&begun["paused"], &begun["reason"]),
        (&json!(true), &json!("Discord is moving house"))
    );
    assert_eq!(
        pause(&operator, json!({"paused": true, "reason": "Discord is moving house"})).await,
        begun
    );
    bot.simulator.clear_journal();
    bot.play(&game(ID, "READY", &["nova"], &["ada"]), "match_status_ready", 3)
        .await;
    assert_eq!(changes(&bot), Vec::<String>::new());
    let found = one(&staff, ID).await;
    assert_eq!(found["status"], "READY", "it is followed all the same");
    let notes = found["plan"]["notes"].as_array().unwrap();
    assert!(notes[0].as_str().unwrap().contains("paused everywhere"), "{found}");
    let (status, ready) = bot.get("/readyz?verbose").await;
    let ready: Value = serde_json::from_str(&ready).unwrap();
    assert_eq!(
        (status, &ready["paused"]["reason"]),
        (200, &json!("Discord is moving house")),
        "{ready}"
    );
    assert!(
        ready["doctor"].to_string().contains("all of Muster is paused since"),
        "{ready}"
    );
    assert!(metric(&bot).await);
    // A process that starts meanwhile holds still, too.
    let bot = bot.restart().await;
    bot.settle().await;
    assert_eq!(bot.channels(), vec![]);
    let operator = Browser::of(&bot, "lou").await;
    assert_eq!(pause(&operator, json!({"paused": false})).await, not_paused);
    assert_eq!(pause(&operator, json!({"paused": false})).await, not_paused);
    bot.settle().await;
    assert_eq!(bot.seat("nova").as_deref(), Some("match-aaaaaaaa-faction1"));
    assert!(!metric(&bot).await);
    let lines = audit(&bot).await;
    let lines: Vec<_> = lines.iter().filter(|line| line.contains("service.")).collect();
    assert_eq!(
        lines,
        ["web lou service.paused service", "web lou service.resumed service"]
    );
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_under_way_holds_still_as_soon_as_all_is_paused() {
    let (bot, _) = staffed(world(), &["nova", "ada"]).await;
    let operator = Browser::of(&bot, "lou").await;
    // Both channels are being made for longer than a pause takes to be heard of.
    let slow = json!({"path": format!("/guilds/{OURS}/channels"), "method": "POST", "delay_ms": 3_000, "times": 2});
    bot.simulator.fault(serde_json::from_value(slow).unwrap()).unwrap();
    bot.simulator.clear_journal();
    let played = game(ID, "READY", &["nova"], &["ada"]);
    bot.faceit_says(&played);
    assert_eq!(bot.deliver(&played.webhook("match_status_ready", 3)).await.status, 200);
    eventually("the channels are being made", || async {
        let decided = "select exists (select from match_steps where kind = 'decision')";
        let row = sqlx::query(decided).fetch_one(&bot.app.sync.sources.pool).await;
        row.is_ok_and(|row| row.get(0))
    })
    .await;
    pause(&operator, json!({"paused": true})).await;
    bot.settle().await;
    assert_eq!(
        changes(&bot),
        [
            format!("POST /api/v10/guilds/{OURS}/channels 201"),
            format!("POST /api/v10/guilds/{OURS}/channels 201")
        ]
    );
    assert_eq!(bot.seat("nova").as_deref(), Some("Lobby"));
    pause(&operator, json!({"paused": false})).await;
    bot.settle().await;
    assert_eq!(bot.seat("nova").as_deref(), Some("match-aaaaaaaa-faction1"));
    bot.finish().await;
}
