//! Settings and claims through the API: read, checked, versioned, recorded, and in effect at once.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Row;

use super::browser::{Browser, CHAMPIONSHIP, EMPTY, HUB, ORGANIZER, OURS, STAFF_ROLE, THEIRS, body, bot};
use crate::support::{
    bodies::game,
    bot::{Bot, PUBLIC_URL},
};

const SETTINGS: &str = "/api/guilds/1000/settings";
const CLAIMS: &str = "/api/guilds/1000/competitions";

/// Actions and subjects of the audit log, with who did them.
pub async fn audit(bot: &Bot) -> Vec<String> {
    let rows =
        sqlx::query("select source || ' ' || actor_name || ' ' || action || ' ' || subject from audit order by id")
            .fetch_all(&bot.app.sync.sources.pool)
            .await
            .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_start_with_those_of_the_environment_and_a_change_is_versioned_and_recorded() {
    let bot = bot().await;
    let owner = Browser::of(&bot, "nova").await;
    let answer = owner.send(owner.request(Method::GET, SETTINGS)).await;
    assert_eq!(answer.headers()["etag"], "\"0\"");
    let (_, found) = body(answer).await;
    assert_eq!((&found["version"], &found["updated_at"]), (&json!(0), &Value::Null));
    assert_eq!(
        (&found["settings"]["category"], &found["settings"]["lobby"]),
        (&json!("1010"), &json!("1011"))
    );
    let mut wanted = found["settings"].clone();
    wanted["user_limit"] = json!(7);
    wanted["source_channels"] = json!(["1012", "1011"]);
    let (status, changed) = owner.put(SETTINGS, "\"0\"", wanted.clone()).await;
    assert_eq!((status, &changed["version"]), (200, &json!(1)), "{changed}");
    wanted["source_channels"] = json!(["1011", "1012"]);
    assert_eq!(changed["settings"], wanted);
    assert_eq!(owner.get(SETTINGS).await, (200, changed));
    assert_eq!(audit(&bot).await, ["web nova guild.changed 1000"]);
    let row = sqlx::query("select before, after, actor_id from audit")
        .fetch_one(&bot.app.sync.sources.pool)
        .await
        .unwrap();
    let (before, after): (Value, Value) = (row.get(0), row.get(1));
    assert_eq!(before, json!({"source_channels": "", "user_limit": "0"}));
    assert_eq!(after, json!({"source_channels": "1011,1012", "user_limit": "7"}));
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_did_not_see_the_last_change_changes_nothing() {
    let bot = bot().await;
    let (owner, admin) = (Browser::of(&bot, "nova").await, Browser::of(&bot, "rex").await);
    let (_, found) = owner.get(SETTINGS).await;
    let wanted = found["settings"].clone();
    let (status, refused) = owner.call(Method::PUT, SETTINGS, Some(wanted.clone())).await;
    assert_eq!((status, &refused["error"]), (428, &json!("version_missing")));
    for version in ["\"1\"", "0", "\"x\"", "W/\"0\"", "\"-1\"", ""] {
        let (status, refused) = owner.put(SETTINGS, version, wanted.clone()).await;
        assert_eq!((status, &refused["error"]), (412, &json!("changed")), "{version}");
        assert_eq!(refused["details"]["version"], 0);
    }
    // Two at the same moment: one of them wins.
    for version in 0..4 {
        let with = |limit: i64| {
            let mut wanted = wanted.clone();
            wanted["user_limit"] = json!(10 * (version + 1) + limit);
            wanted
        };
        let tag = format!("\"{version}\"");
        let (one, other) = tokio::join!(owner.put(SETTINGS, &tag, with(1)), admin.put(SETTINGS, &tag, with(2)));
        let mut both = [one.0, other.0];
        both.sort_unstable();
        assert!(both == [200, 409] || both == [200, 412], "{one:?} {other:?}");
    }
    assert_eq!(owner.get(SETTINGS).await.1["version"], 4);
    assert_eq!(owner.put(SETTINGS, "*", wanted).await.0, 200);
    assert_eq!(audit(&bot).await.len(), 5);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_do_not_fit_are_refused_with_the_reason_for_each_field() {
    let bot = bot().await;
    let owner = Browser::of(&bot, "nova").await;
    for (field, value, words) in [
        ("category", json!("1011"), "channel 1011 is no category"),
        ("category", json!("2010"), "no channel 2010"),
        ("category", json!("abc"), "no Discord id"),
        ("lobby", json!("1010"), "channel 1010 is no voice channel"),
        ("lobby", json!("1014"), "View Channels"),
        ("lobby", json!("1"), "no channel 1"),
        (
            "source_channels",
            json!(["1012", "1013"]),
            "channel 1013 is no voice channel",
        ),
        ("staff_roles", json!(["1100", "7"]), "no role 7"),
        ("staff_roles", json!([OURS]), "every member would be staff"),
        ("spectator_roles", json!(["2000"]), "no role 2000"),
        ("report_channel", json!("1012"), "channel 1012 is no text channel"),
        ("user_limit", json!(100), "0 to 99"),
        ("name_template", json!("x".repeat(300)), "characters"),
        ("overflow_name", json!("More"), "{n}"),
        ("grace_seconds", json!(86_401), "86400"),
        ("max_age_hours", json!(0), "1 to 168"),
    ] {
        let (status, refused) = owner.set(OURS, json!({field: value})).await;
        assert_eq!(
            (status, &refused["error"]),
            (422, &json!("invalid")),
            "{field} {value}: {refused}"
        );
        let why = refused["details"][field]
            .as_str()
            .unwrap_or_else(|| panic!("{field}: {refused}"));
        assert!(why.contains(words), "{field} {value}: {why}");
        assert_eq!(refused["details"].as_object().unwrap().len(), 1, "{refused}");
    }
    for (field, value) in [
        ("user_limit", json!("7")),
        ("user_limit", json!(-1)),
        ("user_limit", json!(70_000)),
        ("category", json!(1010)),
        ("overflow", json!("on")),
        ("overflow_name", Value::Null),
        ("source_channels", json!("1012")),
        ("open_when", json!("now")),
        ("colour", json!("red")),
        ("guild", json!(THEIRS)),
    ] {
        let (status, refused) = owner.set(OURS, json!({field: value})).await;
        assert_eq!(
            (status, &refused["error"]),
            (422, &json!("invalid")),
            "{field} {value}: {refused}"
        );
    }
    let (status, refused) = owner.set(OURS, json!({"lobby": "1010", "user_limit": 100})).await;
    assert_eq!(
        (status, &refused["details"]["user_limit"]),
        (422, &json!("'100' must be a whole number from 0 to 99")),
        "{refused}"
    );
    // A server without the bot has nothing to choose from, but what needs no choice can be set.
    let finn = Browser::of(&bot, "finn").await;
    let (status, refused) = finn.set(EMPTY, json!({"lobby": "1011"})).await;
    assert_eq!((status, &refused["error"]), (409, &json!("bot_missing")));
    assert_eq!(audit(&bot).await, Vec::<String>::new());
    assert_eq!(finn.set(EMPTY, json!({"paused": true})).await.0, 200);
    assert_eq!(owner.get(SETTINGS).await.1["version"], 0);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_counts_at_once_for_the_matches_that_are_open() {
    let bot = bot().await;
    let owner = Browser::of(&bot, "nova").await;
    assert_eq!(owner.set(OURS, json!({"open_when": "somebody_linked"})).await.0, 200);
    bot.play(&game("1-web", "READY", &["nova"], &["rex"]), "match_status_ready", 2)
        .await;
    assert_eq!(bot.channels(), []);
    assert_eq!(owner.set(OURS, json!({"open_when": "rosters_known"})).await.0, 200);
    bot.settle().await;
    assert_eq!(bot.channels().len(), 2);
    bot.play(
        &game("1-web", "FINISHED", &["nova"], &["rex"]),
        "match_status_finished",
        3,
    )
    .await;
    bot.advance(Duration::from_secs(61)).await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_competition_is_looked_up_and_belongs_to_one_server() {
    let bot = bot().await;
    let (owner, other) = (Browser::of(&bot, "nova").await, Browser::of(&bot, "dan").await);
    for (kind, id, name) in [
        ("hub", HUB, "Kiosk Hub"),
        ("championship", CHAMPIONSHIP, "Kiosk Cup"),
        ("organizer", ORGANIZER, "Kiosk"),
    ] {
        let (status, claimed) = owner
            .call(Method::POST, CLAIMS, Some(json!({"kind": kind, "id": id})))
            .await;
        assert_eq!(
            (status, &claimed["name"], &claimed["kind"]),
            (201, &json!(name), &json!(kind)),
            "{claimed}"
        );
    }
    let (_, list) = owner.get(CLAIMS).await;
    assert_eq!(list.as_array().unwrap().len(), 3);
    let theirs = CLAIMS.replace(OURS, THEIRS);
    let claim = json!({"kind": "hub", "id": HUB});
    let (status, refused) = other.call(Method::POST, &theirs, Some(claim.clone())).await;
    assert_eq!((status, &refused["error"]), (409, &json!("claimed")));
    assert!(!refused.to_string().contains(OURS), "{refused}");
    assert_eq!(
        other.call(Method::DELETE, &format!("{theirs}/{HUB}"), None).await.0,
        404
    );
    assert_eq!(other.get(&theirs).await, (200, json!([])));
    let ours = format!("{CLAIMS}/{HUB}");
    assert_eq!(
        owner.call(Method::DELETE, &ours, None).await,
        (200, json!({"ok": true}))
    );
    assert_eq!(owner.call(Method::DELETE, &ours, None).await.0, 404);
    assert_eq!(other.call(Method::POST, &theirs, Some(claim)).await.0, 201);
    let log = audit(&bot).await;
    let expected = [
        "web nova guild.changed 1000".to_owned(),
        format!("web nova guild.claimed {HUB}"),
        format!("web nova guild.claimed {CHAMPIONSHIP}"),
        format!("web nova guild.claimed {ORGANIZER}"),
        format!("web nova guild.released {HUB}"),
        "web dan guild.changed 2000".to_owned(),
        format!("web dan guild.claimed {HUB}"),
    ];
    assert_eq!(log, expected);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_faceit_does_not_know_or_can_t_be_asked_about_is_refused() {
    let bot = bot().await;
    let owner = Browser::of(&bot, "nova").await;
    let claim = |kind: &str, id: &str| owner.call(Method::POST, CLAIMS, Some(json!({"kind": kind, "id": id})));
    for (kind, id) in [
        ("hub", CHAMPIONSHIP),
        ("championship", HUB),
        ("organizer", "nobody"),
        ("hub", ""),
        ("hub", ".."),
        ("hub", "../players/p-nova"),
        ("hub", "a b"),
        ("hub", "a\u{0}b"),
        ("hub", "' or 1=1 --"),
        ("league", HUB),
    ] {
        let (status, refused) = claim(kind, id).await;
        assert_eq!(
            (status, &refused["error"]),
            (422, &json!("invalid")),
            "{kind} {id}: {refused}"
        );
    }
    let zero = format!("{CLAIMS}/a%00b");
    assert_eq!(owner.call(Method::DELETE, &zero, None).await.0, 404);
    let fault = json!({"path": format!("/hubs/{HUB}"), "status": 403, "times": 9});
    bot.simulator.fault(serde_json::from_value(fault).unwrap()).unwrap();
    let (status, refused) = claim("hub", HUB).await;
    assert_eq!(
        (status, &refused["error"]),
        (502, &json!("faceit_refused")),
        "{refused}"
    );
    bot.simulator.clear_faults();
    let fault = json!({"path": format!("/hubs/{HUB}"), "delay_ms": 60_000, "times": 9});
    bot.simulator.fault(serde_json::from_value(fault).unwrap()).unwrap();
    let (status, refused) = claim("hub", HUB).await;
    assert_eq!(
        (status, &refused["error"]),
        (504, &json!("faceit_timeout")),
        "{refused}"
    );
    bot.simulator.clear_faults();
    assert_eq!(audit(&bot).await, Vec::<String>::new());
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_page_changes_no_settings_and_staff_only_look() {
    let bot = bot().await;
    let owner = Browser::of(&bot, "nova").await;
    assert_eq!(owner.set(OURS, json!({"staff_roles": [STAFF_ROLE]})).await.0, 200);
    let settings = owner.get(SETTINGS).await.1["settings"].clone();
    let put = || {
        owner
            .request(Method::PUT, SETTINGS)
            .header("if-match", "*")
            .json(&settings)
    };
    assert_eq!(owner.send(put()).await.status(), 403);
    assert_eq!(owner.send(put().header("origin", PUBLIC_URL)).await.status(), 403);
    let staff = Browser::of(&bot, "bo").await;
    assert_eq!(staff.get(SETTINGS).await.1["settings"], settings);
    let (status, refused) = staff.put(SETTINGS, "*", settings).await;
    assert_eq!((status, &refused["error"]), (403, &json!("forbidden")));
    bot.finish().await;
}
