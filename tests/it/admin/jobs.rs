//! Jobs through the API: those of the server's own matches, and another try for dead ones.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::browser::{Browser, HUB, OURS, THEIRS, bot};
use crate::support::{bodies::game, bot::Bot};

const JOBS: &str = "/api/guilds/1000/jobs";

async fn kill(bot: &Bot, key: &str) {
    let done =
        sqlx::query("update jobs set dead_at = $2, failures = 8, attempts = 8, last_error = 'it broke' where key = $1")
            .bind(key)
            .bind(bot.clock.now())
            .execute(&bot.app.sync.sources.pool)
            .await
            .unwrap();
    assert_eq!(done.rows_affected(), 1, "{key}");
}

async fn keys(browser: &Browser, path: &str) -> Vec<String> {
    let (status, page) = browser.get(path).await;
    assert_eq!(status, 200, "{path}: {page}");
    let jobs = page["jobs"].as_array().unwrap().iter();
    jobs.map(|job| job["key"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_see_their_dead_jobs_and_retry_them_and_nobody_elses() {
    let bot = bot().await;
    let (owner, others) = (Browser::of(&bot, "nova").await, Browser::of(&bot, "dan").await);
    let claim = json!({"kind": "hub", "id": HUB});
    let theirs = format!("/api/guilds/{THEIRS}/competitions");
    assert_eq!(others.call(Method::POST, &theirs, Some(claim)).await.0, 201);
    let ours = ["1-a", "1-b"].map(|id| game(id, "READY", &["nova"], &["rex"]));
    let mut foreign = game("1-c", "READY", &["dan"], &["zed"]);
    foreign.hub = HUB;
    for game in ours.iter().chain([&foreign]) {
        bot.play(game, "match_status_ready", 2).await;
    }
    assert_eq!(keys(&owner, JOBS).await, ["match:1-a", "match:1-b"]);
    assert_eq!(keys(&owner, &format!("{JOBS}?state=dead")).await, Vec::<String>::new());
    let (_, first) = owner.get(&format!("{JOBS}?limit=1")).await;
    let next = first["next"].as_str().unwrap();
    assert_eq!(
        keys(&owner, &format!("{JOBS}?limit=1&cursor={next}")).await,
        ["match:1-b"]
    );
    for game in ["match:1-a", "match:1-c"] {
        kill(&bot, game).await;
    }
    let (_, page) = owner.get(&format!("{JOBS}?state=dead")).await;
    let job = &page["jobs"][0];
    assert_eq!(page["jobs"].as_array().unwrap().len(), 1, "{page}");
    assert_eq!(
        (&job["key"], &job["state"], &job["match_id"], &job["last_error"]),
        (&json!("match:1-a"), &json!("dead"), &json!("1-a"), &json!("it broke"))
    );
    assert_eq!(keys(&owner, &format!("{JOBS}?state=asleep")).await, ["match:1-b"]);

    let retry = |key: &str| format!("{JOBS}/{key}/retry");
    let (status, refused) = owner.call(Method::POST, &retry("match:1-b"), None).await;
    assert_eq!((status, &refused["error"]), (409, &json!("not_dead")));
    for key in [
        "match:1-c",
        "match:1-x",
        "guild:1000",
        "guild:2000",
        "x",
        "%00",
        "match%3A1-c",
    ] {
        let (status, refused) = owner.call(Method::POST, &retry(key), None).await;
        assert_eq!((status, &refused["error"]), (404, &json!("not_found")), "{key}");
    }
    assert_eq!(
        owner.call(Method::POST, &retry("match:1-a"), None).await,
        (200, json!({"ok": true}))
    );
    bot.settle().await;
    assert_eq!(keys(&owner, &format!("{JOBS}?state=dead")).await, Vec::<String>::new());
    let (_, log) = owner.get("/api/guilds/1000/audit?action=job.retried").await;
    let change = &log["changes"][0];
    assert_eq!(
        (
            &change["subject"],
            &change["before"]["last_error"],
            &change["actor_name"]
        ),
        (&json!("match:1-a"), &json!("it broke"), &json!("nova"))
    );
    // Theirs is still dead.
    let dead: Vec<_> = bot
        .jobs()
        .await
        .into_iter()
        .filter(|job| job.dead_at.is_some())
        .collect();
    assert_eq!(dead.len(), 1);
    let path = format!("/api/guilds/{THEIRS}/jobs/match:1-c/retry");
    assert_eq!(others.call(Method::POST, &path, None).await.0, 200);
    for query in ["state=alive", "state=", "cursor=match:1-a", "limit=-1", "owner=1"] {
        let (status, refused) = owner.get(&format!("{JOBS}?{query}")).await;
        assert_eq!((status, &refused["error"]), (400, &json!("malformed")), "{query}");
    }
    for game in ours.iter().chain([&foreign]) {
        bot.play(&game.status("FINISHED"), "match_status_finished", 3).await;
    }
    bot.advance(Duration::from_secs(61)).await;
    assert_eq!(owner.get(JOBS).await.1, json!({"jobs": [], "next": Value::Null}));
    let viewer = Browser::of(&bot, "cleo").await;
    assert_eq!(viewer.get(JOBS).await.0, 403);
    assert_eq!(viewer.get(&format!("/api/guilds/{OURS}/audit")).await.0, 403);
    bot.finish().await;
}
