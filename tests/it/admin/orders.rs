//! What staff does about a match through the API: look again, take down, move.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    browser::{Browser, HUB, THEIRS},
    matches::{MATCHES, one, staffed, world},
    settings::audit,
};
use crate::support::{
    bodies::game,
    bot::{BAR, Bot, member},
};

const ID: &str = "1-aaaaaaaa-1";

async fn order(browser: &Browser, what: &str, body: Option<Value>) -> (u16, Value) {
    browser
        .call(Method::POST, &format!("{MATCHES}/{ID}/{what}"), body)
        .await
}

fn done() -> (u16, Value) {
    (200, json!({"ok": true}))
}

async fn orders(bot: &Bot) -> Vec<String> {
    let all = audit(bot).await;
    all.into_iter().filter(|line| line.contains(" match.")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_match_is_taken_down_at_once_and_stays_so_until_it_is_run_again() {
    let (bot, staff) = staffed(world(), &["nova", "ada"]).await;
    let played = game(ID, "READY", &["nova"], &["ada"]);
    bot.play(&played, "match_status_ready", 3).await;
    assert_eq!(bot.channels().len(), 2);
    bot.advance(Duration::from_secs(1)).await;
    assert_eq!(order(&staff, "teardown", None).await, done());
    bot.settle().await;
    assert_eq!(bot.channels(), vec![]);
    assert_eq!(bot.seat("nova").as_deref(), Some("Lobby"));
    let found = one(&staff, ID).await;
    assert_eq!((&found["state"], &found["status"]), (&json!("closed"), &json!("READY")));
    let (status, refused) = order(&staff, "teardown", None).await;
    assert_eq!((status, &refused["error"]), (409, &json!("not_running")));
    // Neither time, nor news of the same life, nor a look brings it back.
    bot.advance(Duration::from_secs(61)).await;
    bot.play(&played, "match_status_ready", 4).await;
    assert_eq!(order(&staff, "sync", None).await, done());
    bot.settle().await;
    assert_eq!(bot.channels(), vec![]);
    bot.play(&played.status("CANCELLED"), "match_status_cancelled", 5).await;
    bot.play(&played, "match_status_ready", 6).await;
    assert_eq!(bot.channels().len(), 2);
    assert_eq!(
        orders(&bot).await,
        [format!("web bo match.teardown {ID}"), format!("web bo match.sync {ID}")]
    );
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_grace_period_of_a_finished_match_can_be_cut_short() {
    let (bot, staff) = staffed(world(), &["nova"]).await;
    let played = game(ID, "READY", &["nova"], &["ada"]);
    bot.play(&played, "match_status_ready", 3).await;
    bot.play(&played.status("FINISHED"), "match_status_finished", 4).await;
    assert_eq!(bot.channels().len(), 2);
    assert_eq!(one(&staff, ID).await["state"], "ending");
    assert_eq!(order(&staff, "teardown", None).await, done());
    bot.settle().await;
    assert_eq!(bot.channels(), vec![]);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_or_all_are_moved_once_more_wherever_they_went() {
    let (bot, staff) = staffed(world(), &["nova", "rex", "ada"]).await;
    let played = game(ID, "READY", &["nova", "rex"], &["ada"]);
    bot.play(&played, "match_status_ready", 3).await;
    for name in ["nova", "rex", "ada"] {
        bot.connect(name, BAR);
    }
    bot.settle().await;
    assert_eq!(bot.seat("rex").as_deref(), Some("Bar"), "he went by himself");
    let rex = json!({"user_id": member("rex").to_string()});
    assert_eq!(order(&staff, "move", Some(rex)).await, done());
    bot.settle().await;
    let seats = ["nova", "rex", "ada"].map(|name| bot.seat(name).unwrap());
    assert_eq!(seats, ["Bar", "match-aaaaaaaa-faction1", "Bar"]);
    for everybody in [None, Some(json!({})), Some(json!({"user_id": null})), Some(Value::Null)] {
        bot.connect("nova", BAR);
        bot.settle().await;
        assert_eq!(order(&staff, "move", everybody.clone()).await, done());
        bot.settle().await;
        let seats = ["nova", "rex", "ada"].map(|name| bot.seat(name).unwrap());
        let expected = [
            "match-aaaaaaaa-faction1",
            "match-aaaaaaaa-faction1",
            "match-aaaaaaaa-faction2",
        ];
        assert_eq!(seats, expected, "{everybody:?}");
    }
    for (body, expected) in [
        (json!({"user_id": member("eve").to_string()}), 422),
        (json!({"user_id": "0"}), 422),
        (json!({"user_id": "18446744073709551615"}), 422),
        (json!({"user_id": 2002}), 422),
        (json!({"user": "2002"}), 422),
        (json!("2002"), 422),
    ] {
        let (status, refused) = order(&staff, "move", Some(body.clone())).await;
        assert_eq!(status, expected, "{body}: {refused}");
    }
    let timeline = one(&staff, ID).await["timeline"].take();
    let told = timeline
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["kind"] == "order");
    let told: Vec<_> = told
        .map(|event| (event["text"].as_str().unwrap(), &event["nickname"]))
        .collect();
    assert_eq!(told[0], ("staff had somebody moved once more", &json!("Rex")));
    assert_eq!(
        told[1..],
        vec![("staff had everybody moved once more", &Value::Null); 4]
    );
    let mut expected = vec![format!("web bo match.move {ID}"); 5];
    assert_eq!(orders(&bot).await, expected);
    bot.play(&played.status("FINISHED"), "match_status_finished", 4).await;
    let (status, refused) = order(&staff, "move", None).await;
    assert_eq!((status, &refused["error"]), (409, &json!("not_running")));
    expected.truncate(5);
    assert_eq!(orders(&bot).await, expected);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_asks_faceit_at_once_and_revives_a_dead_job() {
    let (bot, staff) = staffed(world(), &["nova"]).await;
    let played = game(ID, "READY", &["nova"], &["ada"]);
    bot.play(&played, "match_status_ready", 3).await;
    bot.advance(Duration::from_secs(1)).await;
    let kill = "update jobs set dead_at = due_at, last_error = 'a fault' where key = 'match:1-aaaaaaaa-1'";
    sqlx::query(kill).execute(&bot.app.sync.sources.pool).await.unwrap();
    bot.faceit_says(&played.status("FINISHED"));
    assert_eq!(order(&staff, "sync", None).await, done());
    bot.settle().await;
    assert_eq!(one(&staff, ID).await["status"], "FINISHED");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_match_of_another_server_is_none_of_this_ones_business() {
    let (bot, staff) = staffed(world(), &["nova"]).await;
    let theirs = Browser::of(&bot, "dan").await;
    let claim = json!({"kind": "hub", "id": HUB});
    let path = format!("/api/guilds/{THEIRS}/competitions");
    assert_eq!(theirs.call(Method::POST, &path, Some(claim)).await.0, 201);
    let mut played = game(ID, "SCHEDULED", &["nova"], &["ada"]);
    played.hub = HUB;
    bot.play(&played, "match_object_created", 3).await;
    let jobs = bot.jobs().await;
    for (method, what) in [
        (Method::GET, ""),
        (Method::POST, "/sync"),
        (Method::POST, "/teardown"),
        (Method::POST, "/move"),
    ] {
        let path = format!("{MATCHES}/{ID}{what}");
        let (status, refused) = staff.call(method, &path, None).await;
        assert_eq!(
            (status, &refused["error"]),
            (404, &json!("not_found")),
            "{what}: {refused}"
        );
    }
    assert_eq!(staff.get(MATCHES).await.1["matches"], json!([]));
    assert_eq!(bot.jobs().await, jobs);
    assert_eq!(orders(&bot).await, Vec::<String>::new());
    let (status, found) = theirs.get(&format!("/api/guilds/{THEIRS}/matches/{ID}")).await;
    assert_eq!((status, &found["state"]), (200, &json!("waiting")));
    let (status, _) = theirs
        .call(Method::POST, &format!("/api/guilds/{THEIRS}/matches/{ID}/sync"), None)
        .await;
    assert_eq!(status, 200);
    bot.finish().await;
}
