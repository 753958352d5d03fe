//! Signing in and out as people do, and what they then see of themselves.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::browser::{Browser, OURS, THEIRS, body, bot, id_of, location};
use crate::support::bot::Bot;

const SESSION: &str = "muster_session";

async fn count(bot: &Bot, query: &'static str) -> i64 {
    use sqlx::Row;
    let row = sqlx::query(query).fetch_one(&bot.app.sync.sources.pool).await;
    row.expect("the database answers").get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_in_leads_to_the_page_that_was_asked_for_and_me_says_who_i_am() {
    let bot = bot().await;
    let browser = Browser::new(&bot.app);
    assert_eq!(browser.get("/api/auth/me").await.0, 401);
    let page = browser
        .begin("/api/auth/discord/login?next=/matches%3Fstate%3Dopen")
        .await;
    assert_eq!(
        page.query_pairs().find(|(name, _)| name == "scope").unwrap().1,
        "identify guilds"
    );
    let back = browser.agree(&page, &format!("user={}", id_of("rex"))).await;
    let back = back.replace("/api/auth/callback", "/api/auth/discord/callback");
    let answer = browser.send(browser.request(Method::GET, &back)).await;
    assert_eq!(
        (answer.status().as_u16(), location(&answer)),
        (302, "/matches?state=open")
    );
    let cookies: Vec<&str> = answer
        .headers()
        .get_all("set-cookie")
        .iter()
        .map(|c| c.to_str().unwrap())
        .collect();
    assert!(
        cookies
            .iter()
            .all(|c| c.contains("HttpOnly") && c.contains("SameSite=Lax") && c.contains("Path=/")),
        "{cookies:?}"
    );
    assert_eq!(browser.cookie("muster_login"), None);
    let (status, me) = browser.get("/api/auth/me").await;
    assert_eq!(status, 200, "{me}");
    assert_eq!(
        me["user"],
        json!({"id": id_of("rex"), "username": "rex", "global_name": "rex", "avatar": null})
    );
    let guild = json!({"id": OURS, "name": "Kiosk", "icon": null, "role": "admin", "installed": true});
    assert_eq!((&me["guilds"], &me["operator"]), (&json!([guild]), &json!(false)));
    let sealed: Vec<u8> = {
        use sqlx::Row;
        let row = sqlx::query("select sealed from discord_tokens")
            .fetch_one(&bot.app.sync.sources.pool)
            .await;
        row.unwrap().get(0)
    };
    assert!(
        !String::from_utf8_lossy(&sealed).contains("access"),
        "the tokens are not sealed"
    );
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_has_the_role_that_discord_gives_him() {
    let bot = bot().await;
    for (name, guild, role) in [
        ("nova", OURS, "owner"),
        ("rex", OURS, "admin"),
        ("ada", OURS, "admin"),
        ("cleo", OURS, "viewer"),
        ("dan", THEIRS, "owner"),
    ] {
        let (_, me) = Browser::of(&bot, name).await.get("/api/auth/me").await;
        let told: Vec<_> = me["guilds"]
            .as_array()
            .unwrap()
            .iter()
            .map(|g| (&g["id"], &g["role"]))
            .collect();
        assert_eq!(told, [(&json!(guild), &json!(role))], "{name}");
    }
    let (_, me) = Browser::of(&bot, "zoe").await.get("/api/auth/me").await;
    assert_eq!(me["guilds"], json!([]));
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_without_cookies_exchanges_its_code_for_a_bearer_token() {
    let bot = bot().await;
    let client = Browser::new(&bot.app);
    let verifier = "a-verifier-of-its-own-0123456789-0123456789-abc";
    let mut page = client.begin("/api/auth/login").await;
    client.drop_cookie("muster_login");
    let redirect = "http://127.0.0.1:9/back";
    let challenge = {
        use base64::Engine as _;
        use sha2::Digest as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(verifier))
    };
    let pairs: Vec<(String, String)> = page.query_pairs().into_owned().collect();
    page.query_pairs_mut().clear();
    for (name, value) in pairs {
        let value = match name.as_str() {
            "redirect_uri" => redirect.to_owned(),
            "code_challenge" => challenge.clone(),
            _ => value,
        };
        page.query_pairs_mut().append_pair(&name, &value);
    }
    let plain = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let answer = plain
        .post(page)
        .body(format!("user={}", id_of("cleo")))
        .send()
        .await
        .unwrap();
    let back = Url::parse(location(&answer)).unwrap();
    let code = back
        .query_pairs()
        .find(|(name, _)| name == "code")
        .unwrap()
        .1
        .into_owned();
    let asked = json!({"code": code, "code_verifier": verifier, "redirect_uri": redirect});
    let exchange = |asked: Value| body_of(client.request(Method::POST, "/api/auth/exchange").json(&asked));
    let (status, got) = exchange(asked.clone()).await;
    assert_eq!((status, &got["user"]["id"]), (200, &json!(id_of("cleo"))), "{got}");
    let token = got["token"].as_str().unwrap();
    let (status, me) = body_of(client.request(Method::GET, "/api/auth/me").bearer_auth(token)).await;
    assert_eq!((status, &me["user"]["username"]), (200, &json!("cleo")));
    assert_eq!(exchange(asked).await.1["error"], "bad_code");
    // No browser sends the header by itself, so no token against foreign pages is needed.
    let (status, done) = body_of(client.request(Method::POST, "/api/auth/logout").bearer_auth(token)).await;
    assert_eq!((status, done), (200, json!({"ok": true})));
    assert_eq!(
        body_of(client.request(Method::GET, "/api/auth/me").bearer_auth(token))
            .await
            .0,
        401
    );
    bot.finish().await;
}

async fn body_of(request: reqwest::RequestBuilder) -> (u16, Value) {
    body(request.send().await.expect("it answers")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_consent_is_told_and_signs_nobody_in() {
    let bot = bot().await;
    let browser = Browser::new(&bot.app);
    let page = browser.begin("/api/auth/login").await;
    let back = browser.agree(&page, "cancel=true").await;
    let (status, refused) = browser.get(&back).await;
    assert_eq!((status, &refused["error"]), (403, &json!("access_denied")));
    // A failure of Discord's, or of whoever set it up, is no refusal.
    for (error, told) in [
        ("server_error", "discord_unreachable"),
        ("invalid_scope", "misconfigured"),
    ] {
        let page = browser.begin("/api/auth/login").await;
        let back = browser.agree(&page, "cancel=true").await;
        let (status, refused) = browser.get(&back.replace("access_denied", error)).await;
        assert_eq!((status, &refused["error"]), (502, &json!(told)), "{error}");
    }
    assert_eq!(count(&bot, "select count(*) from sessions").await, 0);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_logout_revokes_at_discord_and_one_of_several_does_not() {
    let bot = bot().await;
    let (phone, desk) = (Browser::of(&bot, "nova").await, Browser::of(&bot, "nova").await);
    let old = phone.cookie(SESSION).unwrap();
    assert_eq!(
        phone.call(Method::POST, "/api/auth/logout", None).await,
        (200, json!({"ok": true}))
    );
    assert_eq!(phone.cookie(SESSION), None);
    phone.set_cookie(SESSION, &old);
    assert_eq!(phone.get("/api/auth/me").await.0, 401, "a token outlived its session");
    assert_eq!(desk.get("/api/auth/me").await.0, 200);
    let revoked = |bot: &Bot| {
        bot.simulator
            .journal()
            .iter()
            .filter(|e| e.path.ends_with("/token/revoke"))
            .count()
    };
    assert_eq!(revoked(&bot), 0);
    desk.call(Method::POST, "/api/auth/logout", None).await;
    assert_eq!(revoked(&bot), 1);
    assert_eq!(count(&bot, "select count(*) from discord_tokens").await, 0);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logging_out_everywhere_ends_every_session_of_mine_and_nobody_elses() {
    let bot = bot().await;
    let (phone, desk) = (Browser::of(&bot, "nova").await, Browser::of(&bot, "nova").await);
    let other = Browser::of(&bot, "cleo").await;
    assert_eq!(phone.call(Method::POST, "/api/auth/logout?all=true", None).await.0, 200);
    assert_eq!(desk.get("/api/auth/me").await.0, 401);
    assert_eq!(other.get("/api/auth/me").await.0, 200);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn my_sessions_are_listed_and_one_can_be_ended_but_not_somebody_elses() {
    let bot = bot().await;
    let (phone, desk) = (Browser::of(&bot, "nova").await, Browser::of(&bot, "nova").await);
    let other = Browser::of(&bot, "cleo").await;
    let (_, mine) = phone.get("/api/auth/sessions").await;
    assert_eq!(mine.as_array().unwrap().len(), 2, "{mine}");
    let second = mine
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["current"] == json!(false))
        .unwrap();
    let path = format!("/api/auth/sessions/{}", second["id"].as_str().unwrap());
    assert_eq!(other.call(Method::DELETE, &path, None).await.0, 404);
    assert_eq!(desk.get("/api/auth/me").await.0, 200);
    assert_eq!(phone.call(Method::DELETE, &path, None).await.0, 200);
    assert_eq!(desk.get("/api/auth/me").await.0, 401);
    assert_eq!(phone.get("/api/auth/me").await.0, 200);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_lives_a_week_without_use_longer_with_use_and_expired_rows_go() {
    let bot = bot().await;
    let (used, idle) = (Browser::of(&bot, "nova").await, Browser::of(&bot, "cleo").await);
    let first = used.cookie(SESSION).unwrap();
    for _ in 0..4 {
        bot.clock.advance(Duration::from_secs(2 * 86_400));
        assert_eq!(used.get("/api/auth/sessions").await.0, 200);
    }
    assert_ne!(used.cookie(SESSION).unwrap(), first, "the cookie was not renewed");
    assert_eq!(idle.get("/api/auth/sessions").await.0, 401);
    used.set_cookie(SESSION, &first);
    assert_eq!(
        used.get("/api/auth/sessions").await.0,
        401,
        "the first token is older than a week"
    );
    // The timer looks at once when the service starts.
    let bot = bot.restart().await;
    crate::support::database::eventually("the expired session is gone", || async {
        count(&bot, "select count(*) from sessions").await == 1
    })
    .await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_asked_for_again_after_five_minutes_and_not_before() {
    let bot = bot().await;
    let browser = Browser::of(&bot, "nova").await;
    let asked = |bot: &Bot| {
        bot.simulator
            .journal()
            .iter()
            .filter(|e| e.path.ends_with("/users/@me"))
            .count()
    };
    let before = asked(&bot);
    assert_eq!(browser.get("/api/auth/me").await.0, 200);
    assert_eq!(asked(&bot), before);
    bot.clock.advance(Duration::from_secs(301));
    assert_eq!(browser.get("/api/auth/me").await.0, 200);
    assert_eq!(asked(&bot), before + 1);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_discord_that_fails_or_hangs_is_a_502_or_504_in_our_own_form() {
    let bot = bot().await;
    let browser = Browser::of(&bot, "nova").await;
    for (fault, expected) in [
        (
            json!({"path": "/users/@me/guilds", "method": "GET", "status": 503, "times": 9}),
            502,
        ),
        (json!({"path": "/users/@me", "method": "GET", "drop": "before"}), 502),
        (json!({"path": "/users/@me", "method": "GET", "delay_ms": 30_000}), 504),
        (
            json!({"path": "/users/@me/guilds", "method": "GET", "status": 429, "times": 9}),
            503,
        ),
    ] {
        bot.clock.advance(Duration::from_secs(301));
        bot.simulator
            .fault(serde_json::from_value(fault.clone()).unwrap())
            .unwrap();
        let (status, refused) = browser.get("/api/auth/me").await;
        assert_eq!(status, expected, "{fault} {refused}");
        assert!(
            refused["error"].is_string() && refused["message"].is_string(),
            "{refused}"
        );
        bot.simulator.clear_faults();
    }
    assert_eq!(browser.get("/api/auth/me").await.0, 200);
    bot.finish().await;
}
