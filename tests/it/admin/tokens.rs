//! People's Discord tokens: refreshed in time and once, sealed anew, and what happens when Discord takes them no more.

use std::time::Duration;

use serde_json::json;
use sqlx::Row;

use super::browser::{Browser, bot, id_of, world};
use crate::support::{
    bot::{Bot, ENCRYPTION_KEYS},
    database::{Database, eventually},
    service::Place,
};

fn calls(bot: &Bot, end: &str) -> usize {
    bot.simulator
        .journal()
        .iter()
        .filter(|entry| entry.path.ends_with(end))
        .count()
}

/// Discord's tokens and everybody's session, six and a half days later.
async fn near_the_end(bot: &Bot, browsers: &[&Browser]) {
    for _ in 0..2 {
        let by = Duration::from_secs(3 * 86_400);
        bot.clock.advance(by);
        for browser in browsers {
            assert_eq!(browser.get("/api/auth/sessions").await.0, 200);
        }
    }
    bot.clock.advance(Duration::from_secs(86_400 - 1800));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_at_once_refresh_the_tokens_with_one_call_also_from_two_processes() {
    let bot = bot().await;
    let browser = Browser::of(&bot, "nova").await;
    let second = muster::app::App::start(&bot.config, bot.clock.clone(), crate::support::bot::metrics())
        .await
        .unwrap();
    let elsewhere = Browser::new(&second);
    elsewhere.set_cookie("muster_session", &browser.cookie("muster_session").unwrap());
    near_the_end(&bot, &[&browser]).await;
    elsewhere.set_cookie("muster_session", &browser.cookie("muster_session").unwrap());
    bot.simulator.clear_journal();
    bot.simulator
        .fault(serde_json::from_value(json!({"path": "/oauth2/token", "delay_ms": 300, "times": 9})).unwrap())
        .unwrap();
    let asked = futures::future::join_all(
        [&browser, &elsewhere]
            .repeat(6)
            .into_iter()
            .map(|from| from.get("/api/auth/me")),
    );
    for (status, me) in asked.await {
        assert_eq!(status, 200, "{me}");
    }
    assert_eq!(calls(&bot, "/oauth2/token"), 1);
    assert!(second.stop().await);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_the_permission_back_at_discord_is_signed_out_everywhere() {
    let bot = bot().await;
    let (phone, desk) = (Browser::of(&bot, "nova").await, Browser::of(&bot, "nova").await);
    let other = Browser::of(&bot, "cleo").await;
    bot.simulator.deauthorize(&id_of("nova")).unwrap();
    bot.clock.advance(Duration::from_secs(61));
    assert_eq!(phone.get("/api/auth/me").await.0, 401);
    assert_eq!(desk.get("/api/auth/sessions").await.0, 401);
    assert_eq!(other.get("/api/auth/me").await.0, 200);
    phone.sign_in(&bot.simulator, "nova").await;
    assert_eq!(phone.get("/api/auth/me").await.0, 200);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_that_fails_is_tried_again_and_one_whose_answer_is_lost_ends_the_session() {
    let bot = bot().await;
    let browser = Browser::of(&bot, "nova").await;
    near_the_end(&bot, &[&browser]).await;
    let fault = |fault: serde_json::Value| bot.simulator.fault(serde_json::from_value(fault).unwrap()).unwrap();
    fault(json!({"path": "/oauth2/token", "status": 503, "times": 9}));
    assert_eq!(
        browser.get("/api/auth/me").await.0,
        200,
        "the old token is good for half an hour yet"
    );
    bot.simulator.clear_faults();
    fault(json!({"path": "/oauth2/token", "drop": "after"}));
    bot.clock.advance(Duration::from_secs(61));
    // Discord has new tokens that we never saw: the old ones are dead.
    assert_eq!(browser.get("/api/auth/me").await.0, 401);
    assert_eq!(browser.get("/api/auth/sessions").await.0, 401);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_seals_everything_with_the_new_key_and_the_old_one_can_go() {
    let bot = bot().await;
    let _browser = Browser::of(&bot, "nova").await;
    let pool = &bot.app.sync.sources.pool;
    let key = || async {
        let row = sqlx::query("select key_id from discord_tokens").fetch_one(pool).await;
        row.unwrap().get::<String, _>(0)
    };
    assert_eq!(key().await, "1");
    let new = "2:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
    let place = Place::in_world(Database::migrated().await, world(), &[]).await;
    let url = secrecy::ExposeSecret::expose_secret(&bot.database.url()).to_owned();
    let rotate = |keys: &str| {
        let program = place
            .muster(&["keys", "rotate"])
            .env("DATABASE_URL", &url)
            .env("MUSTER_ENCRYPTION_KEYS", keys);
        crate::support::service::run(program)
    };
    let without_old = rotate(new).await;
    assert_eq!(without_old.code, Some(1), "{without_old:?}");
    assert!(without_old.stderr.contains("1 can't be opened"), "{without_old:?}");
    let done = rotate(&format!("{new},{ENCRYPTION_KEYS}")).await;
    assert_eq!(
        (done.code, done.stdout.starts_with("1 were sealed anew with key 2")),
        (Some(0), true),
        "{done:?}"
    );
    assert_eq!(key().await, "2");
    assert_eq!(rotate(new).await.code, Some(0));
    let none = rotate("").await;
    assert_eq!(none.code, Some(2));
    assert!(none.stderr.contains("openssl rand"), "{none:?}");
    bot.finish().await;
}

/// `name` erases himself, and his message says that it is done.
async fn erase(bot: &Bot, name: &str) {
    let shown = bot.run(name, "erase").await;
    bot.press(name, &shown).await.says("Everything is deleted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasing_has_discord_take_the_tokens_no_more_and_waits_for_nothing() {
    let bot = bot().await;
    let (nova, rex) = (Browser::of(&bot, "nova").await, Browser::of(&bot, "rex").await);
    erase(&bot, "nova").await;
    eventually("revoked", async || calls(&bot, "/token/revoke") == 1).await;
    let slow = json!({"path": "/token/revoke", "delay_ms": 600_000});
    bot.simulator.fault(serde_json::from_value(slow).unwrap()).unwrap();
    erase(&bot, "rex").await;
    for browser in [nova, rex] {
        assert_eq!(browser.get("/api/auth/me").await.0, 401);
    }
    bot.simulator.clear_faults();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_were_refreshed_while_their_owner_left_are_revoked_too() {
    let bot = bot().await;
    let browser = Browser::of(&bot, "nova").await;
    near_the_end(&bot, &[&browser]).await;
    bot.simulator.advance(Duration::from_secs(7 * 86_400 - 1800));
    let slow = json!({"path": "/oauth2/token", "method": "POST", "delay_ms": 1_000, "times": 1});
    bot.simulator.fault(serde_json::from_value(slow).unwrap()).unwrap();
    bot.simulator.clear_journal();
    let leave = async {
        a_refresh(&bot).await;
        erase(&bot, "nova").await;
    };
    let ((status, _), ()) = tokio::join!(browser.get("/api/guilds"), leave);
    assert_eq!(status, 401);
    eventually("the old and the new ones are revoked", async || {
        calls(&bot, "/token/revoke") == 2
    })
    .await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_comes_to_its_end_although_nobody_waits_for_it_any_more() {
    let bot = bot().await;
    let browser = Browser::of(&bot, "nova").await;
    near_the_end(&bot, &[&browser]).await;
    let slow = json!({"path": "/oauth2/token", "method": "POST", "delay_ms": 1_000, "times": 1});
    bot.simulator.fault(serde_json::from_value(slow).unwrap()).unwrap();
    bot.simulator.clear_journal();
    tokio::select! {
        answer = browser.get("/api/guilds") => panic!("answered before the tokens were refreshed: {answer:?}"),
        () = a_refresh(&bot) => {}
    }
    assert_eq!(browser.get("/api/auth/me").await.0, 200);
    assert_eq!(calls(&bot, "/oauth2/token"), 1);
    bot.finish().await;
}

/// Waits for one to be under way at Discord.
async fn a_refresh(bot: &Bot) {
    eventually("a refresh is under way", async || {
        let mut conn = bot.database.connection().await;
        let leased = "select count(*) from discord_tokens where lease is not null";
        let leased: i64 = sqlx::query_scalar(leased).fetch_one(&mut conn).await.unwrap();
        leased == 1
    })
    .await;
}
