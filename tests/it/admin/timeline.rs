//! What happened to a match, as the API tells it: in order, with outcomes, and naming nobody in its words.

use std::time::Duration;

use muster::{domain::ids::UserId, store};
use serde_json::{Value, json};
use sqlx::Row;

use super::matches::{one, staffed, world};
use crate::support::{
    bodies::{game, nickname},
    bot::{Bot, PEOPLE, member},
};

const ID: &str = "1-aaaaaaaa-1";

/// One line each: kind, words, whom, outcome.
fn lines(found: &Value) -> Vec<String> {
    let events = found["timeline"].as_array().unwrap();
    let line = |event: &Value| {
        let fields = ["kind", "text", "user_id", "outcome"].map(|field| event[field].as_str());
        fields.into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    events.iter().map(line).collect()
}

async fn steps(bot: &Bot) -> i64 {
    let row = sqlx::query("select count(*) from match_steps").fetch_one(&bot.app.sync.sources.pool);
    row.await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_match_tells_in_order_what_came_what_was_decided_and_what_discord_said() {
    let linked = ["nova", "rex", "ada", "bo", "cleo", "dan", "eve", "finn", "gus"];
    let (bot, staff) = staffed(world(), &linked).await;
    let slow = json!({"path": "/guilds/*/channels", "method": "POST", "delay_ms": 30, "times": 2});
    bot.simulator.fault(serde_json::from_value(slow).unwrap()).unwrap();
    let played = game(ID, "READY", &linked[..5], &["dan", "eve", "finn", "gus", "hana"]);
    bot.play(&played, "match_status_ready", 3).await;
    let found = one(&staff, ID).await;
    let mut expected = vec![
        "delivery FACEIT sent match_status_ready (version 3)".to_owned(),
        "turn the match is READY".to_owned(),
        "decision create 2 channels".to_owned(),
        "call create the channel of faction1 done".to_owned(),
        "call create the channel of faction2 done".to_owned(),
        "decision move 9 players in".to_owned(),
    ];
    let moved = |(at, name): (usize, &&str)| {
        let faction = if at < 5 { "faction1" } else { "faction2" };
        format!("call move to the channel of {faction} {} done", member(name))
    };
    expected.extend(linked.iter().enumerate().map(moved));
    let mut told = lines(&found);
    // The moves of a wave are made at once.
    told[6..].sort();
    assert_eq!(told, expected);
    let events = found["timeline"].as_array().unwrap();
    let channels = bot.record(ID).await.slots;
    let channels: Vec<_> = channels
        .values()
        .filter_map(|slot| slot.channel)
        .map(|id| id.to_string())
        .collect();
    for (event, channel) in events[3..5].iter().zip(&channels) {
        assert!(event["ms"].as_u64().unwrap() >= 30, "{event}");
        assert_eq!(
            (&event["action"], &event["channel_id"]),
            (&json!("create_channel"), &json!(channel))
        );
    }
    assert!(
        events[6..]
            .iter()
            .all(|event| event["ms"].is_u64() && event["nickname"].is_string()),
        "{found}"
    );
    let why = events[2]["detail"].as_str().unwrap();
    assert_eq!(
        why,
        "the match is READY, looked at because there was news; 1 player: not linked"
    );

    // A run that does nothing leaves nothing.
    let before = steps(&bot).await;
    bot.advance(Duration::from_secs(1)).await;
    bot.deliver(&played.webhook("match_status_ready", 4)).await;
    bot.advance(Duration::from_secs(61)).await;
    assert_eq!(steps(&bot).await, before);
    bot.play(&played.status("FINISHED"), "match_status_finished", 5).await;
    bot.advance(Duration::from_secs(61)).await;
    let told = lines(&one(&staff, ID).await);
    let rest: Vec<_> = told[15..].iter().filter(|line| !line.contains(" move to ")).collect();
    assert_eq!(
        rest,
        [
            "delivery FACEIT sent match_status_ready (version 4)",
            "delivery FACEIT sent match_status_finished (version 5)",
            "turn the match is FINISHED",
            "decision move 9 players out",
            "decision delete 2 channels",
            "call delete the channel of faction1 done",
            "call delete the channel of faction2 done",
            "turn the match is over and cleaned up",
        ]
    );
    let back = |line: &&String| line.starts_with("call move to the lobby 1011 ") && line.ends_with(" done");
    assert_eq!(told.iter().filter(back).count(), 9);

    // Words name nobody, an erased person is taken out, and age takes it all.
    let pool = &bot.app.sync.sources.pool;
    let all = sqlx::query("select string_agg(s::text, e'\n') from match_steps s")
        .fetch_one(pool)
        .await;
    let all: String = all.unwrap().get(0);
    for name in PEOPLE {
        assert!(!all.contains(&nickname(name)), "{name}: {all}");
    }
    let mut conn = pool.acquire().await.unwrap();
    let rex = UserId::new(member("rex")).unwrap();
    assert_eq!(store::match_steps::forget(&mut conn, rex).await.unwrap(), 2);
    let told = lines(&one(&staff, ID).await);
    assert!(!told.iter().any(|line| line.contains(&rex.to_string())), "{told:?}");
    drop(conn);
    let kept = steps(&bot).await;
    bot.clock.advance(Duration::from_secs(25 * 3600));
    let swept = bot.app.sync.sweep(Duration::from_secs(24 * 3600)).await.unwrap();
    assert_eq!((swept.steps_removed, steps(&bot).await), (kept as u64, 0));
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_move_tells_why_and_a_failure_that_repeats_is_told_ever_more_seldom() {
    let (bot, staff) = staffed(world(), &["nova"]).await;
    let denied = json!({"path": "/members/2001", "method": "PATCH", "status": 403, "times": 1000,
        "body": {"message": "Missing Permissions", "code": 50013}});
    bot.simulator.fault(serde_json::from_value(denied).unwrap()).unwrap();
    let played = game(ID, "READY", &["nova"], &["ada"]);
    bot.play(&played, "match_status_ready", 3).await;
    let found = one(&staff, ID).await;
    let events = found["timeline"].as_array().unwrap();
    let refused = events.iter().find(|event| event["action"] == "move_member").unwrap();
    assert_eq!(
        (&refused["outcome"], &refused["nickname"]),
        (&json!("refused"), &json!("Nova"))
    );
    assert!(
        refused["detail"].as_str().unwrap().contains("Move Members"),
        "{refused}"
    );
    bot.play(&played.status("FINISHED"), "match_status_finished", 4).await;
    bot.advance(Duration::from_secs(61)).await;

    let down = json!({"path": "/guilds/*/channels", "method": "POST", "status": 503, "times": 1000});
    bot.simulator.fault(serde_json::from_value(down).unwrap()).unwrap();
    let other = game("1-bbbbbbbb-1", "READY", &["nova"], &["ada"]);
    bot.play(&other, "match_status_ready", 3).await;
    let failures = async || {
        let told = lines(&one(&staff, "1-bbbbbbbb-1").await);
        told.iter().filter(|line| line.ends_with("unavailable")).count()
    };
    assert_eq!(failures().await, 2);
    let pool = &bot.app.sync.sources.pool;
    let often = "update jobs set attempts = 7 where key = 'match:1-bbbbbbbb-1'";
    sqlx::query(often).execute(pool).await.unwrap();
    for expected in [2, 4] {
        bot.advance(Duration::from_secs(90)).await;
        assert_eq!(failures().await, expected);
    }
    bot.simulator.clear_faults();
    bot.advance(Duration::from_secs(90)).await;
    let told = lines(&one(&staff, "1-bbbbbbbb-1").await);
    assert!(
        told.contains(&"call create the channel of faction1 done".to_owned()),
        "{told:#?}"
    );
    bot.finish().await;
}
