//! Those who want in without being allowed: forged tokens, stolen and reused sign-ins, foreign pages, odd bodies, floods, and eyes on the log.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use muster::seal::{Ring, Sealed};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sqlx::Row;

use super::browser::{Browser, bot, id_of, location, world};
use crate::support::{
    bot::{Bot, ENCRYPTION_KEYS, JWT_SECRET, PUBLIC_URL, SECRET},
    database::Database,
    service::{Place, Serving},
};

const SESSION: &str = "muster_session";

/// The claims of somebody's token, as anybody can read them.
fn claims(browser: &Browser) -> Value {
    let token = browser.cookie(SESSION).expect("signed in");
    let body = token.split('.').nth(1).expect("three parts").to_owned();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).expect("base64")).expect("JSON")
}

fn signed(header: &Header, claims: &Value, secret: &str) -> String {
    encode(header, claims, &EncodingKey::from_secret(secret.as_bytes())).expect("signed")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_forged_token_is_taken_for_a_session() {
    let bot = bot().await;
    let real = Browser::of(&bot, "nova").await;
    let secret = JWT_SECRET.split_once(':').unwrap().1;
    let named = |alg| Header {
        kid: Some("1".to_owned()),
        ..Header::new(alg)
    };
    let good = claims(&real);
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed[name] = value;
        changed
    };
    let right = named(Algorithm::HS256);
    let own = real.cookie(SESSION).unwrap();
    let parts: Vec<&str> = own.split('.').collect();
    let unsigned = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT","kid":"1"}"#);
    let other_user = URL_SAFE_NO_PAD.encode(with("sub", json!(id_of("dan"))).to_string());
    let nobody = URL_SAFE_NO_PAD.encode([7; 32]);
    for (what, token) in [
        ("no token", String::new()),
        ("no JWT", "hello".to_owned()),
        ("alg none", format!("{unsigned}.{}.", parts[1])),
        (
            "alg none with a signature",
            format!("{unsigned}.{}.{}", parts[1], parts[2]),
        ),
        (
            "another body under the signature",
            format!("{}.{other_user}.{}", parts[0], parts[2]),
        ),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        (
            "another secret",
            signed(&right, &good, "another-secret-of-thirty-two-bytes!"),
        ),
        ("another algorithm", signed(&named(Algorithm::HS384), &good, secret)),
        ("no key id", signed(&Header::new(Algorithm::HS256), &good, secret)),
        (
            "an unknown key id",
            signed(
                &Header {
                    kid: Some("2".to_owned()),
                    ..right.clone()
                },
                &good,
                secret,
            ),
        ),
        (
            "expired",
            signed(&right, &with("exp", json!(good["iat"].as_i64().unwrap() - 1)), secret),
        ),
        (
            "another service's",
            signed(&right, &with("aud", json!("https://else.example")), secret),
        ),
        ("another issuer's", signed(&right, &with("iss", json!("else")), secret)),
        (
            "a session that never was",
            signed(&right, &with("jti", json!(nobody)), secret),
        ),
        (
            "my session for another person",
            signed(&right, &with("sub", json!(id_of("dan"))), secret),
        ),
        (
            "a person that is none",
            signed(&right, &with("sub", json!("0")), secret),
        ),
        ("no expiry", signed(&right, &with("exp", Value::Null), secret)),
    ] {
        let thief = Browser::new(&bot.app);
        thief.set_cookie(SESSION, &token);
        let (status, refused) = thief.get("/api/auth/me").await;
        assert_eq!(
            (status, &refused["error"]),
            (401, &json!("unauthorized")),
            "by cookie: {what}"
        );
        let bearer = Browser::new(&bot.app);
        let answer = bearer
            .send(bearer.request(Method::GET, "/api/auth/me").bearer_auth(&token))
            .await;
        assert_eq!(answer.status(), 401, "as bearer: {what}");
    }
    // A bad header is no reason to fall back on a good cookie.
    let mixed = real
        .send(real.request(Method::GET, "/api/auth/me").bearer_auth("x"))
        .await;
    assert_eq!(mixed.status(), 401);
    assert_eq!(real.get("/api/auth/me").await.0, 200);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_comes_back_once_to_the_browser_that_began_it_and_in_time() {
    let bot = bot().await;
    let victim = Browser::new(&bot.app);
    let form = format!("user={}", id_of("nova"));
    let bad = |refused: (u16, Value)| {
        assert_eq!(
            (refused.0, &refused.1["error"]),
            (400, &json!("bad_state")),
            "{}",
            refused.1
        )
    };

    let attacker = Browser::new(&bot.app);
    let page = attacker.begin("/api/auth/login").await;
    let back = attacker.agree(&page, &form).await;
    // Somebody else's link, in a browser without a sign-in of its own, and in one with another.
    bad(victim.get(&back).await);
    victim.begin("/api/auth/login").await;
    bad(victim.get(&back).await);
    // No state, or a changed one.
    let page = victim.begin("/api/auth/login").await;
    let back = victim.agree(&page, &form).await;
    bad(victim.get(back.split("&state=").next().unwrap()).await);
    let page = victim.begin("/api/auth/login").await;
    let back = victim.agree(&page, &form).await;
    bad(victim.get(&format!("{back}x")).await);
    // A forged cookie.
    let page = victim.begin("/api/auth/login").await;
    let back = victim.agree(&page, &form).await;
    let signed = victim.cookie("muster_login").unwrap();
    victim.set_cookie("muster_login", &format!("A{}", &signed[1..]));
    bad(victim.get(&back).await);
    // Twice.
    let page = victim.begin("/api/auth/login").await;
    let back = victim.agree(&page, &form).await;
    let cookie = victim.cookie("muster_login").unwrap();
    assert_eq!(victim.get(&back).await.0, 302);
    victim.set_cookie("muster_login", &cookie);
    bad(victim.get(&back).await);
    // Too late.
    let page = victim.begin("/api/auth/login").await;
    let back = victim.agree(&page, &form).await;
    bot.clock.advance(Duration::from_secs(601));
    bad(victim.get(&back).await);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planted_session_is_not_the_one_that_somebody_signs_in_to() {
    let bot = bot().await;
    let attacker = Browser::of(&bot, "zoe").await;
    let planted = attacker.cookie(SESSION).unwrap();
    let victim = Browser::new(&bot.app);
    victim.set_cookie(SESSION, &planted);
    victim.sign_in(&bot.simulator, "nova").await;
    assert_ne!(victim.cookie(SESSION).unwrap(), planted);
    assert_eq!(
        attacker.get("/api/auth/me").await.0,
        401,
        "the planted session lives on"
    );
    let (_, me) = victim.get("/api/auth/me").await;
    assert_eq!(me["user"]["username"], "nova");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_sent_to_another_site_after_signing_in() {
    let bot = bot().await;
    let browser = Browser::new(&bot.app);
    for next in [
        "https://evil.example",
        "//evil.example",
        "/%5Cevil.example",
        "/%09/evil.example",
        "%0d%0aSet-Cookie:a=b",
        "evil",
        "javascript:alert(1)",
    ] {
        let (status, refused) = browser.get(&format!("/api/auth/login?next={next}")).await;
        assert_eq!((status, &refused["error"]), (400, &json!("malformed")), "{next}");
    }
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_page_can_do_nothing_with_somebodys_cookie() {
    let bot = bot().await;
    let browser = Browser::of(&bot, "nova").await;
    let csrf = browser.get("/api/auth/me").await.1["csrf_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let foreign_csrf = {
        let other = Browser::of(&bot, "cleo").await;
        other.get("/api/auth/me").await.1["csrf_token"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let logout = || browser.request(Method::POST, "/api/auth/logout");
    for (what, request) in [
        ("no token", logout()),
        ("an empty token", logout().header("x-csrf-token", "")),
        (
            "another session's token",
            logout().header("x-csrf-token", &foreign_csrf),
        ),
        (
            "a foreign origin",
            logout()
                .header("x-csrf-token", &csrf)
                .header("origin", "https://evil.example"),
        ),
        (
            "no origin at all",
            logout().header("x-csrf-token", &csrf).header("origin", "null"),
        ),
        (
            "a lookalike",
            logout()
                .header("x-csrf-token", &csrf)
                .header("origin", format!("{PUBLIC_URL}.evil.example")),
        ),
        (
            "a foreign site",
            logout()
                .header("x-csrf-token", &csrf)
                .header("sec-fetch-site", "cross-site"),
        ),
    ] {
        let answer = browser.send(request).await;
        assert_eq!(answer.status(), 403, "{what}");
        assert!(answer.headers().get("access-control-allow-origin").is_none(), "{what}");
    }
    let asked = browser
        .request(Method::OPTIONS, "/api/auth/logout")
        .header("origin", "https://evil.example");
    let preflight = browser
        .send(asked.header("access-control-request-method", "POST"))
        .await;
    assert!(preflight.headers().get("access-control-allow-origin").is_none());
    assert_eq!(
        browser.get("/api/auth/me").await.0,
        200,
        "somebody was signed out by a foreign page"
    );
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_bodies_and_methods_are_refused_in_one_form_and_headers_are_set_on_every_answer() {
    let bot = bot().await;
    let browser = Browser::new(&bot.app);
    let post = |body: Vec<u8>| {
        browser
            .request(Method::POST, "/api/auth/exchange")
            .header("content-type", "application/json")
            .body(body)
    };
    let fields = |value: Value| {
        json!({"code": value, "code_verifier": "v", "redirect_uri": "http://127.0.0.1:9/back"})
            .to_string()
            .into_bytes()
    };
    for (what, request, expected) in [
        ("nothing", post(vec![]), 400),
        ("no JSON", post(b"code=1".to_vec()), 400),
        ("half of it", post(b"{\"code\":".to_vec()), 400),
        ("an array", post(b"[]".to_vec()), 422),
        ("a number as code", post(fields(json!(7))), 422),
        ("an object as code", post(fields(json!({"$ne": 1}))), 422),
        ("a null", post(fields(Value::Null)), 422),
        (
            "an unknown field",
            post(b"{\"code\":\"a\",\"code_verifier\":\"b\",\"redirect_uri\":\"c\",\"admin\":true}".to_vec()),
            422,
        ),
        ("an empty code", post(fields(json!(""))), 400),
        ("a long code", post(fields(json!("x".repeat(600)))), 400),
        ("SQL", post(fields(json!("'; drop table users; --"))), 400),
        ("a zero byte", post(fields(json!("a\u{0}b"))), 400),
        ("too much", post(fields(json!("x".repeat(70_000)))), 413),
        (
            "a form",
            browser
                .request(Method::POST, "/api/auth/exchange")
                .header("content-type", "text/plain")
                .body("x"),
            415,
        ),
        (
            "another method",
            browser.request(Method::PUT, "/api/auth/exchange"),
            405,
        ),
        ("a page that is none", browser.request(Method::GET, "/api/nowhere"), 404),
    ] {
        let answer = browser.send(request).await;
        assert_eq!(answer.status(), expected, "{what}");
        if expected != 404 {
            for name in [
                "x-content-type-options",
                "x-frame-options",
                "content-security-policy",
                "referrer-policy",
                "cache-control",
            ] {
                assert!(answer.headers().contains_key(name), "{what}: {name}");
            }
        }
        let body: Value = answer.json().await.expect("errors are JSON");
        let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert!(
            keys == ["error", "message"] || keys == ["details", "error", "message"],
            "{what}: {body}"
        );
    }
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_are_held_back_by_address_and_by_person_and_told_when_to_come_again() {
    let bot = bot().await;
    let Bot {
        simulator,
        database,
        app,
        clock,
        mut config,
        ..
    } = bot;
    app.stop().await;
    let admin = config.admin.as_mut().unwrap();
    admin.windows.auth = "5/60".parse().unwrap();
    admin.windows.user = "8/60".parse().unwrap();
    let app = muster::app::App::start(&config, clock.clone(), crate::support::bot::metrics())
        .await
        .unwrap();
    let browser = Browser::new(&app);
    browser.sign_in(&simulator, "nova").await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(browser.send(browser.request(Method::GET, "/api/auth/login")).await);
    }
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    assert_eq!(statuses, [302, 302, 302, 429]);
    let wait: u64 = answers[3].headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=12).contains(&wait), "{wait}");
    // What a client says of its address counts only behind a proxy of ours.
    let lied = browser
        .send(
            browser
                .request(Method::GET, "/api/auth/login")
                .header("x-forwarded-for", "203.0.113.9"),
        )
        .await;
    assert_eq!(lied.status(), 429);
    let mut statuses = Vec::new();
    for _ in 0..10 {
        statuses.push(browser.get("/api/auth/sessions").await.0);
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 200, 429, 429]);
    clock.advance(Duration::from_secs(wait));
    assert_eq!(
        browser
            .send(browser.request(Method::GET, "/api/auth/login"))
            .await
            .status(),
        302
    );
    assert_eq!(browser.get("/api/auth/sessions").await.0, 200);
    assert!(app.stop().await);
    drop((simulator, database));
}

const JWT: &str = "1:a-very-own-secret-of-the-log-test-0123";

/// The program itself with its admin part, logging this much.
async fn logging(what: &str) -> (Place, Serving) {
    let mut place = Place::in_world(Database::migrated().await, world(), &[]).await;
    for (name, value) in [
        ("DISCORD_CLIENT_ID", "900000000000000001"),
        ("DISCORD_CLIENT_SECRET", "simulated-client-secret"),
        ("PUBLIC_URL", PUBLIC_URL),
        ("JWT_SECRET", JWT),
        ("MUSTER_ENCRYPTION_KEYS", ENCRYPTION_KEYS),
        ("RUST_LOG", what),
    ] {
        place.set(name, value);
    }
    let authorize = place.simulator.addresses().discord_authorize.clone();
    place.set("DISCORD_AUTHORIZE_URL", &authorize);
    let serving = place.serve().await;
    (place, serving)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_says_once_that_a_proxy_is_not_counted() {
    let (_place, serving) = logging("info").await;
    let browser = Browser::at(&serving.url);
    for from in ["203.0.113.9", "203.0.113.10"] {
        let asked = browser.request(Method::GET, "/api/auth/login");
        assert_eq!(browser.send(asked.header("x-forwarded-for", from)).await.status(), 302);
    }
    let (_, log) = serving.terminate(Duration::from_secs(20)).await;
    assert_eq!(log.matches("set TRUSTED_PROXIES to").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_secret_is_in_the_log_even_at_trace() {
    let (place, serving) = logging("trace").await;
    let browser = Browser::at(&serving.url);
    let page = browser.begin("/api/auth/login").await;
    let login = browser.cookie("muster_login").unwrap();
    let back = browser.agree(&page, &format!("user={}", id_of("nova"))).await;
    let answer = browser.send(browser.request(Method::GET, &back)).await;
    assert_eq!((answer.status().as_u16(), location(&answer)), (302, "/api/docs"));
    let session = browser.cookie(SESSION).unwrap();
    let (_, me) = browser.get("/api/auth/me").await;
    let csrf = me["csrf_token"].as_str().unwrap().to_owned();
    let tokens = discord_tokens(&place).await;
    let bearer = Browser::at(&serving.url);
    let asked = bearer.request(Method::GET, "/api/auth/me").bearer_auth(&session);
    assert_eq!(bearer.send(asked).await.status(), 200);
    browser.call(Method::POST, "/api/auth/logout", None).await;
    let (_, log) = serving.terminate(Duration::from_secs(20)).await;
    assert!(
        log.contains("TRACE") && log.contains("signed in"),
        "the log says nothing: {log}"
    );
    let query = |name: &str| {
        let url = url::Url::parse(&format!("{PUBLIC_URL}{back}")).unwrap();
        url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
    };
    let key = ENCRYPTION_KEYS.split_once(':').unwrap().1.to_owned();
    let jti = claims_of(&session)["jti"].as_str().unwrap().to_owned();
    let state = query("state");
    for (what, secret) in [
        ("the session's token", session.as_str()),
        ("the session's id", &jti),
        ("the sign-in's cookie", &login),
        ("the token against foreign pages", &csrf),
        ("Discord's code", &query("code")),
        ("the state", &state),
        ("the client secret", "simulated-client-secret"),
        ("the signing secret", JWT.split_once(':').unwrap().1),
        ("the sealing key", &key),
        ("Discord's access token", tokens.0.expose_secret()),
        ("Discord's refresh token", tokens.1.expose_secret()),
        ("the bot's token", &place.simulator.addresses().bot_token),
        ("FACEIT's key", "a-faceit-key-for-the-tests"),
        ("the webhook's secret", SECRET),
    ] {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{what} is in the log: {line:?}");
    }
}

pub fn claims_of(token: &str) -> Value {
    let body = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).expect("base64")).expect("JSON")
}

/// Somebody's tokens, as only the key opens them.
async fn discord_tokens(place: &Place) -> (SecretString, SecretString) {
    let row = sqlx::query("select key_id, sealed from discord_tokens")
        .fetch_one(&place.pool)
        .await
        .unwrap();
    let sealed = Sealed {
        key: row.get(0),
        bytes: row.get(1),
    };
    let ring = Ring::parse(ENCRYPTION_KEYS).unwrap();
    let bound_to = format!("discord_tokens:{}", id_of("nova"));
    let pair: Value = serde_json::from_slice(&ring.open(&sealed, &bound_to).unwrap()).unwrap();
    let token = |name: &str| SecretString::from(pair[name].as_str().unwrap().to_owned());
    (token("access"), token("refresh"))
}
