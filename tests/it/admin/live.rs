//! The live WebSocket: who is let in, who hears of what, and what ends it.

use std::time::Duration;

use muster::app::App;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{
    browser::{Browser, HUB, OURS, STAFF_ROLE, THEIRS, bot, id_of, world},
    watcher::{Heard, SESSION, Watcher, mark},
};
use crate::support::{
    bodies::game,
    bot::{Bot, PUBLIC_URL, metrics},
    database::eventually,
};

const FRONTEND: &str = "https://app.example";

fn of_match<'a>(seen: &'a [Value], kind: &str) -> Vec<&'a Value> {
    seen.iter().filter(|message| message["type"] == kind).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_hear_at_once_of_matches_channels_and_moves() {
    let bot = Bot::start_in(world(), &["nova", "rex"]).await;
    bot.connect("nova", "1011");
    let owner = Browser::of(&bot, "nova").await;
    let mut watcher = Watcher::of(&bot, &owner).await;
    let ours = game("1-live", "READY", &["nova"], &["rex"]);
    bot.play(&ours, "match_status_ready", 2).await;
    let seen = watcher.until("move", "moved").await;
    let about = |message: &&Value| message["guild"] == OURS && message["match"] == "1-live";
    assert!(seen.iter().all(|message| about(&message)), "{seen:#?}");
    let first = &of_match(&seen, "match")[0];
    assert_eq!(
        (&first["state"], &first["status"]),
        (&json!("running"), &json!("READY"))
    );
    let states: Vec<&Value> = of_match(&seen, "channel")
        .iter()
        .map(|message| &message["changes"][0]["state"])
        .collect();
    assert_eq!(
        (states.first(), states.last()),
        (Some(&&json!("coming")), Some(&&json!("there")))
    );
    let moves = of_match(&seen, "move");
    let nova = json!({"user": id_of("nova"), "faction": "faction1", "state": "moved"});
    assert!(
        moves.last().unwrap()["changes"].as_array().unwrap().contains(&nova),
        "{moves:#?}"
    );

    bot.play(&ours.status("FINISHED"), "match_status_finished", 3).await;
    let seen = watcher.until("match", "ending").await;
    assert_eq!(seen.last().unwrap()["status"], "FINISHED");
    bot.advance(Duration::from_secs(61)).await;
    let seen = watcher.until("match", "closed").await;
    let gone = json!([
        {"faction": "faction1", "state": "gone", "channel": null}, {"faction": "faction2", "state": "gone", "channel": null}
    ]);
    let channels = of_match(&seen, "channel");
    let last: Vec<&Value> = channels
        .iter()
        .flat_map(|message| message["changes"].as_array().unwrap())
        .collect();
    assert!(
        last.iter().any(|change| change["state"] == "gone"),
        "{gone}: {channels:#?}"
    );
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_hear_of_jobs_that_fail_die_and_live_again() {
    let bot = bot().await;
    let owner = Browser::of(&bot, "nova").await;
    let ours = game("1-job", "READY", &["nova"], &["rex"]);
    bot.play(&ours, "match_status_ready", 2).await;
    let mut watcher = Watcher::of(&bot, &owner).await;
    for change in ["attempts = 1", "dead_at = now(), attempts = 8"] {
        let change = format!("update jobs set {change}, last_error = 'x', owner = null where key = 'match:1-job'");
        let pool = &bot.app.sync.sources.pool;
        sqlx::query(sqlx::AssertSqlSafe(change)).execute(pool).await.unwrap();
    }
    let path = "/api/guilds/1000/jobs/match:1-job/retry";
    assert_eq!(owner.call(Method::POST, path, None).await.0, 200);
    for state in ["failing", "dead", "revived"] {
        let expected = json!({"type": "job", "guild": OURS, "match": "1-job", "key": "match:1-job", "state": state});
        assert_eq!(watcher.until("job", state).await.last(), Some(&expected));
    }
    bot.settle().await;
    bot.play(&ours.status("FINISHED"), "match_status_finished", 3).await;
    bot.advance(Duration::from_secs(61)).await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_ours_gets_in_with_the_cookie_a_foreign_one_does_not() {
    let bot = Bot::start_as(world(), &[], |config| {
        config.admin.as_mut().unwrap().frontends = vec![FRONTEND.to_owned()];
    })
    .await;
    let owner = Browser::of(&bot, "nova").await;
    let cookie = format!("{SESSION}={}", owner.cookie(SESSION).unwrap());
    let at = bot.app.address;
    for origin in [PUBLIC_URL, FRONTEND] {
        let mut watcher = Watcher::open(at, &[("cookie", &cookie), ("origin", origin)])
            .await
            .ok()
            .unwrap();
        watcher.ready().await;
    }
    for origin in [
        "https://evil.example",
        "null",
        "",
        &format!("{PUBLIC_URL}.evil.example"),
        "http://app.example",
        &format!("{FRONTEND}:8443"),
    ] {
        let refused = Watcher::open(at, &[("cookie", &cookie), ("origin", origin)]).await;
        assert_eq!(refused.err(), Some(403), "{origin}");
    }
    assert_eq!(
        Watcher::open(at, &[("cookie", &cookie)]).await.err(),
        Some(403),
        "without an origin"
    );
    let forged = format!("{SESSION}=eyJhbGciOiJub25lIn0.e30.");
    assert_eq!(
        Watcher::open(at, &[("cookie", &forged), ("origin", PUBLIC_URL)])
            .await
            .err(),
        Some(401)
    );
    // A program has no cookie, and no origin.
    let bearer = format!("Bearer {}", owner.cookie(SESSION).unwrap());
    let mut watcher = Watcher::open(at, &[("authorization", &bearer)]).await.ok().unwrap();
    watcher.ready().await;
    assert_eq!(
        Watcher::open(at, &[("authorization", "Bearer x")]).await.err(),
        Some(401)
    );
    let (status, refused) = owner.get("/api/live").await;
    assert_eq!((status, &refused["error"]), (403, &json!("csrf")));
    let (status, refused) = Browser::new(&bot.app).get("/api/live").await;
    assert_eq!((status, &refused["error"]), (426, &json!("not_a_websocket")));
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_as_first_message_gets_in_and_everything_else_is_shown_out() {
    let bot = bot().await;
    let owner = Browser::of(&bot, "nova").await;
    let token = owner.cookie(SESSION).unwrap();
    let open = || async { Watcher::open(bot.app.address, &[]).await.ok().unwrap() };
    let mut watcher = open().await;
    watcher.say(Message::Ping(Default::default())).await;
    watcher.say(json!({"token": token}).to_string()).await;
    watcher.ready().await;
    // Nothing is to be said after that.
    watcher.say("hello").await;
    assert_eq!(watcher.closed().await, 1008);
    let other = Browser::of(&bot, "rex").await;
    let ended = other.cookie(SESSION).unwrap();
    assert_eq!(other.call(Method::POST, "/api/auth/logout", None).await.0, 200);
    for (message, code) in [
        (Message::text(json!({"token": "x"}).to_string()), 4401),
        (Message::text(json!({"token": ""}).to_string()), 4401),
        (Message::text(json!({"token": format!("{token}x")}).to_string()), 4401),
        (Message::text(json!({"token": ended}).to_string()), 4401),
        (Message::text(json!({"token": 7}).to_string()), 1008),
        (Message::text(json!({"token": null}).to_string()), 1008),
        (Message::text(json!({"token": {"$ne": 1}}).to_string()), 1008),
        (
            Message::text(json!({"token": token, "user": id_of("dan")}).to_string()),
            1008,
        ),
        (Message::text(json!([token]).to_string()), 1008),
        (Message::text(token.clone()), 1008),
        (Message::text(""), 1008),
        (Message::text("[".repeat(8000)), 1008),
        (Message::binary(json!({"token": token}).to_string()), 1008),
        (Message::text(json!({"token": "x".repeat(9000)}).to_string()), 1009),
        (Message::binary(vec![0; 100_000]), 1009),
    ] {
        let mut watcher = open().await;
        let said = message.to_string().chars().take(60).collect::<String>();
        watcher.say(message).await;
        assert_eq!(watcher.closed().await, code, "{said}");
    }
    let mut silent = open().await;
    bot.clock.advance(Duration::from_secs(6));
    assert_eq!(silent.closed().await, 4401);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_hears_of_servers_in_which_he_is_not_staff() {
    let bot = bot().await;
    let owner = Browser::of(&bot, "nova").await;
    assert_eq!(owner.set(OURS, json!({"staff_roles": [STAFF_ROLE]})).await.0, 200);
    let other_owner = Browser::of(&bot, "dan").await;
    let claim = json!({"kind": "hub", "id": HUB});
    let theirs = format!("/api/guilds/{THEIRS}/competitions");
    assert_eq!(other_owner.call(Method::POST, &theirs, Some(claim)).await.0, 201);
    let mut staff = Watcher::of(&bot, &Browser::of(&bot, "bo").await).await;
    let mut foreign = Watcher::of(&bot, &other_owner).await;
    let mut others = Vec::new();
    for name in ["cleo", "lou", "zoe"] {
        others.push(Watcher::of(&bot, &Browser::of(&bot, name).await).await);
    }
    let ours = game("1-ours", "READY", &["nova"], &["rex"]);
    let mut there = game("1-theirs", "READY", &["dan"], &["zed"]);
    there.hub = HUB;
    bot.play(&ours, "match_status_ready", 2).await;
    bot.play(&there, "match_status_ready", 2).await;
    mark(&bot).await;
    let of = |seen: &[Value], guild: &str| seen.len() > 1 && seen[..seen.len() - 1].iter().all(|m| m["guild"] == guild);
    let seen = staff.until("resync", "resync").await;
    assert!(of(&seen, OURS), "{seen:#?}");
    let seen = foreign.until("resync", "resync").await;
    assert!(of(&seen, THEIRS), "{seen:#?}");
    for other in &mut others {
        assert_eq!(other.text().await, json!({"type": "resync"}));
    }
    // Whoever loses his role hears no more after a minute, and a match that changes hands is gone for those who had it.
    bot.simulator.set_roles_of(OURS, &id_of("bo"), &[]).unwrap();
    bot.clock.advance(Duration::from_secs(61));
    bot.play(&ours.status("ONGOING"), "match_status_ready", 3).await;
    mark(&bot).await;
    assert_eq!(staff.text().await, json!({"type": "resync"}));
    let path = format!("{theirs}/{HUB}");
    assert_eq!(other_owner.call(Method::DELETE, &path, None).await.0, 200);
    bot.settle().await;
    for game in [&ours, &there] {
        bot.play(&game.status("FINISHED"), "match_status_finished", 4).await;
    }
    bot.advance(Duration::from_secs(61)).await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_session_closes_what_is_open_for_it_and_nothing_else() {
    let bot = bot().await;
    let (one, two) = (Browser::of(&bot, "nova").await, Browser::of(&bot, "nova").await);
    let mut first = Watcher::of(&bot, &one).await;
    let mut second = Watcher::of(&bot, &two).await;
    let mut rex = Watcher::of(&bot, &Browser::of(&bot, "rex").await).await;
    assert_eq!(one.call(Method::POST, "/api/auth/logout", None).await.0, 200);
    assert_eq!(first.hear().await, Heard::Closed(4401));
    mark(&bot).await;
    assert_eq!(second.text().await, json!({"type": "resync"}));
    assert_eq!(two.call(Method::POST, "/api/auth/logout?all=true", None).await.0, 200);
    assert_eq!(second.hear().await, Heard::Closed(4401));
    assert_eq!(rex.text().await, json!({"type": "resync"}));
    // Nobody told of it.
    let mut tx = bot.app.sync.sources.pool.begin().await.unwrap();
    for query in [
        "alter table sessions disable trigger user",
        "delete from sessions",
        "alter table sessions enable trigger user",
    ] {
        sqlx::query(query).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    bot.clock.advance(Duration::from_secs(61));
    assert_eq!(rex.closed().await, 4401);
    // Used until then, the session lives on; the token ends.
    let ada = Browser::of(&bot, "ada").await;
    let mut watcher = Watcher::of(&bot, &ada).await;
    sqlx::query("update sessions set expires_at = expires_at + interval '1 year'")
        .execute(&bot.app.sync.sources.pool)
        .await
        .unwrap();
    bot.clock.advance(Duration::from_secs(7 * 86_400 + 1));
    assert_eq!(watcher.closed().await, 4401);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_person_has_so_many_connections_and_no_more() {
    let bot = Bot::start_as(world(), &[], |config| config.admin.as_mut().unwrap().live_per_user = 2).await;
    let (one, two) = (Browser::of(&bot, "nova").await, Browser::of(&bot, "nova").await);
    let first = Watcher::of(&bot, &one).await;
    let _second = Watcher::of(&bot, &two).await;
    let mut third = Watcher::at(bot.app.address, &two).await;
    assert_eq!(third.hear().await, Heard::Closed(4429));
    let _other = Watcher::of(&bot, &Browser::of(&bot, "rex").await).await;
    // A place that was given up is free again.
    drop(first);
    eventually("there is room", || async {
        let mut again = Watcher::at(bot.app.address, &one).await;
        again.hear().await != Heard::Closed(4429)
    })
    .await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_does_not_read_is_dropped_with_a_reason_and_the_others_hear_everything() {
    let bot = bot().await;
    let owner = Browser::of(&bot, "nova").await;
    let mut slow = Watcher::of(&bot, &owner).await;
    let mut quick = Watcher::of(&bot, &owner).await;
    const ROUNDS: usize = 60;
    const EACH: usize = 50;
    for round in 0..ROUNDS {
        // As large as they come.
        sqlx::query(
            "select pg_notify('muster_live', jsonb_build_object('type', 'move', 'guild', '1000', 'match', $1 || '-' || n,
                'changes', (select jsonb_agg(jsonb_build_object('user', '1234567890123456789', 'faction', 'faction1', 'state', 'not_in_guild'))
                    from generate_series(1, 60)))::text) from generate_series(1, $2) as n",
        )
        .bind(round.to_string())
        .bind(i32::try_from(EACH).unwrap())
        .execute(&bot.app.sync.sources.pool)
        .await
        .unwrap();
        for _ in 0..EACH {
            assert_eq!(quick.text().await["type"], "move");
        }
    }
    eventually("the slow one is dropped", || async {
        bot.get("/metrics").await.1.contains("muster_live_connections 1")
    })
    .await;
    assert_eq!(slow.closed().await, 1013);
    mark(&bot).await;
    assert_eq!(quick.text().await, json!({"type": "resync"}));
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_answers_no_ping_is_dropped() {
    let bot = bot().await;
    let owner = Browser::of(&bot, "nova").await;
    let mut dead = Watcher::of(&bot, &owner).await;
    let mut alive = Watcher::of(&bot, &owner).await;
    bot.clock.advance(Duration::from_secs(26));
    alive.ping().await;
    // Once this is answered, so was the other.
    alive.say(Message::Ping(Default::default())).await;
    alive.pong().await;
    bot.clock.advance(Duration::from_secs(26));
    alive.ping().await;
    assert_eq!(dead.closed().await, 4408);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_ear_at_the_database_is_lost_everybody_is_told_to_look_anew() {
    let bot = bot().await;
    let owner = Browser::of(&bot, "nova").await;
    let mut watcher = Watcher::of(&bot, &owner).await;
    let killed: i64 = sqlx::query_scalar(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = current_database() and query = 'LISTEN \"muster_live\"'",
    )
    .fetch_one(&bot.app.sync.sources.pool)
    .await
    .unwrap();
    assert_eq!(killed, 1);
    assert_eq!(watcher.text().await, json!({"type": "resync"}));
    let ours = game("1-gap", "READY", &["nova"], &["rex"]);
    bot.play(&ours, "match_status_ready", 2).await;
    watcher.until("match", "running").await;
    bot.play(&ours.status("FINISHED"), "match_status_finished", 3).await;
    bot.advance(Duration::from_secs(61)).await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_or_a_sign_out_in_one_process_reaches_those_who_watch_another_and_a_stop_says_so() {
    let bot = bot().await;
    let other = App::start(&bot.config, bot.clock.clone(), metrics()).await.unwrap();
    let owner = Browser::of(&bot, "nova").await;
    let rex = Browser::of(&bot, "rex").await;
    let mut watcher = Watcher::at(other.address, &owner).await;
    watcher.ready().await;
    let mut leaving = Watcher::at(other.address, &rex).await;
    leaving.ready().await;
    // Only the first one hears of this.
    let path = format!("/api/guilds/{OURS}/competitions");
    let ours = game("1-two", "READY", &["nova"], &["rex"]);
    bot.play(&ours, "match_status_ready", 2).await;
    watcher.until("match", "running").await;
    leaving.until("match", "running").await;
    assert_eq!(owner.get(&path).await.0, 200);
    assert_eq!(rex.call(Method::POST, "/api/auth/logout", None).await.0, 200);
    assert_eq!(leaving.closed().await, 4401);
    let mut waiting = Watcher::open(other.address, &[]).await.ok().unwrap();
    let (stopped, one, another) = tokio::join!(other.stop(), watcher.closed(), waiting.closed());
    assert_eq!((stopped, one, another), (true, 1001, 1001));
    bot.play(&ours.status("FINISHED"), "match_status_finished", 3).await;
    bot.advance(Duration::from_secs(61)).await;
    bot.finish().await;
}
