//! Those who put into every place what does not belong there: SQL, control characters, other people's ids, mountains of text.

use reqwest::{Method, header::HeaderValue};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row};

use muster::web::access::{Needs, RULES};

use super::browser::{Browser, HUB, OURS, bot};
use crate::support::bot::{Bot, PUBLIC_URL};

/// As they stand in an address.
const HOSTILE: [&str; 14] = [
    "%27%3B%20drop%20table%20sessions%3B%20--",
    "%27%20or%20%271%27%3D%271",
    "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    "%00",
    "a%00b",
    "%0d%0aSet-Cookie%3A%20a%3Db",
    "..%2F..%2Fetc%2Fpasswd",
    "%2e%2e",
    "%ff%fe",
    "%E2%80%AE",
    "%24%7Bjndi%3Aldap%3A%2F%2Fevil.example%2Fa%7D",
    "%7B%7B7*7%7D%7D",
    "-1",
    "18446744073709551616",
];

/// Everything that a request could have changed. When somebody was last seen does not count.
async fn tables(bot: &Bot) -> String {
    let mut all = String::new();
    for table in [
        "guilds",
        "guild_competitions",
        "users",
        "discord_tokens",
        "jobs",
        "matches",
        "deliveries",
    ] {
        let query = format!("select coalesce(string_agg(t::text, e'\n' order by t::text), '') from {table} t");
        let row = sqlx::query(AssertSqlSafe(query))
            .fetch_one(&bot.app.sync.sources.pool)
            .await;
        all.push_str(&format!(
            "{table}\n{}\n",
            row.expect("the table is there").get::<String, _>(0)
        ));
    }
    all
}

fn method(rule: &str) -> Method {
    Method::from_bytes(rule.as_bytes()).expect("a method")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_words_in_addresses_and_headers_break_and_change_nothing() {
    let bot = bot().await;
    let owner = Browser::of(&bot, "nova").await;
    assert_eq!(owner.set(OURS, json!({"user_limit": 3})).await.0, 200);
    let claim = json!({"kind": "hub", "id": HUB});
    let path = format!("/api/guilds/{OURS}/competitions");
    assert_eq!(owner.call(Method::POST, &path, Some(claim)).await.0, 201);
    let before = tables(&bot).await;
    let csrf = owner.get("/api/auth/me").await.1["csrf_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let rules: Vec<_> = RULES.iter().filter(|rule| !rule.1.ends_with("/logout")).collect();
    for (rule, path, _) in &rules {
        let own = path.replace("{guild}", OURS);
        let mut addresses: Vec<String> = Vec::new();
        for word in HOSTILE {
            if path.contains('{') {
                let last = own.rfind('{').map_or(path.as_ref(), |at| &own[..at]);
                let foreign = path.split('{').next().unwrap_or_default();
                addresses.push(if own.contains('{') {
                    format!("{last}{word}")
                } else {
                    own.clone()
                });
                addresses.push(format!("{foreign}{word}"));
            }
            addresses.push(format!(
                "{}?text={word}&next={word}&all={word}&code={word}&state={word}&{word}={word}",
                own.replace(['{', '}'], "")
            ));
        }
        for address in addresses {
            let request = owner.request(method(rule), &address).header("origin", PUBLIC_URL);
            let answer = owner.send(request.header("x-csrf-token", &csrf)).await;
            let status = answer.status();
            assert!(status.as_u16() < 500, "{rule} {address}: {status}");
            let cookies = answer.headers().get_all("set-cookie").iter();
            assert!(
                cookies
                    .filter_map(|cookie| cookie.to_str().ok())
                    .all(|cookie| cookie.starts_with("muster_")),
                "{address}"
            );
            if status.is_client_error() {
                let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
                assert!(kind.starts_with("application/json"), "{rule} {address}: {kind}");
            }
        }
    }
    for (rule, path, needs) in &rules {
        if *needs == Needs::Nothing {
            continue;
        }
        let path = path.replace("{guild}", OURS).replace(['{', '}'], "");
        for name in [
            "user-agent",
            "if-match",
            "x-csrf-token",
            "origin",
            "x-forwarded-for",
            "content-type",
            "accept",
            "host",
        ] {
            for value in [
                &b"'; drop table guilds; --"[..],
                b"\xff\xfe\x80",
                b"a\tb",
                b"\"1\", \"2\"",
                &[b'x'; 4000],
            ] {
                let request = owner.request(method(rule), &path);
                let answer = owner
                    .send(request.header(name, HeaderValue::from_bytes(value).unwrap()))
                    .await;
                assert!(
                    answer.status().as_u16() < 500,
                    "{rule} {path}, {name}: {}",
                    answer.status()
                );
            }
        }
    }
    assert_eq!(tables(&bot).await, before);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mountains_and_mazes_of_json_are_refused_before_they_hurt() {
    let bot = bot().await;
    let owner = Browser::of(&bot, "nova").await;
    let settings = format!("/api/guilds/{OURS}/settings");
    let claims = format!("/api/guilds/{OURS}/competitions");
    let before = tables(&bot).await;
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
    for (what, body, expected) in [
        ("too much", format!("{{\"kind\": \"{}\"}}", "x".repeat(70_000)), 413),
        ("a maze of lists", deep("[", "]"), 400),
        ("a maze of objects", deep("{\"a\":", "}"), 400),
        (
            "a field twice",
            "{\"kind\": \"hub\", \"kind\": \"hub\", \"id\": \"x\"}".to_owned(),
            422,
        ),
        ("a number beyond all", "{\"user_limit\": 1e999}".to_owned(), 400),
        ("half a letter", "{\"id\": \"\\ud800\"}".to_owned(), 400),
        ("nothing", String::new(), 400),
        ("null", "null".to_owned(), 422),
        ("a list", "[]".to_owned(), 422),
    ] {
        for (method, path) in [(Method::PUT, &settings), (Method::POST, &claims)] {
            let csrf = owner.get("/api/auth/me").await.1["csrf_token"]
                .as_str()
                .unwrap()
                .to_owned();
            let request = owner
                .request(method.clone(), path)
                .header("x-csrf-token", csrf)
                .header("if-match", "*");
            let request = request.header("content-type", "application/json").body(body.clone());
            let (status, refused) = super::browser::body(owner.send(request).await).await;
            // What is no body of this kind at all may be told by either.
            let fits = status == expected || (status == 422 && expected == 400);
            assert!(fits, "{what}: {method} {path} gave {status} {refused}");
            assert!(
                refused["error"].is_string() && refused["message"].is_string(),
                "{what}: {refused}"
            );
            assert!(refused["message"].as_str().unwrap().len() < 500, "{what}: {refused}");
        }
    }
    assert_eq!(tables(&bot).await, before);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_in_the_database_opens_a_session() {
    let bot = bot().await;
    let owner = Browser::of(&bot, "nova").await;
    let token = owner.cookie("muster_session").unwrap();
    let (_, listed) = owner.get("/api/auth/sessions").await;
    let mut all = String::new();
    for table in ["sessions", "users", "discord_tokens", "used_states"] {
        let query = format!("select coalesce(string_agg(t::text, e'\n'), '') from {table} t");
        let row = sqlx::query(AssertSqlSafe(query))
            .fetch_one(&bot.app.sync.sources.pool)
            .await;
        all.push_str(&row.unwrap().get::<String, _>(0));
    }
    let claims = super::attacks::claims_of(&token);
    let secret = claims["jti"].as_str().unwrap();
    assert!(
        !all.contains(secret) && !all.contains(&token),
        "the session's secret is stored"
    );
    assert!(!listed.to_string().contains(secret), "the list shows it");
    // What is stored, or shown in the list, signs nobody in.
    let row = sqlx::query("select encode(id, 'hex') from sessions")
        .fetch_one(&bot.app.sync.sources.pool)
        .await;
    for stolen in [
        row.unwrap().get::<String, _>(0),
        listed[0]["id"].as_str().unwrap().to_owned(),
    ] {
        let thief = Browser::new(&bot.app);
        thief.set_cookie("muster_session", &stolen);
        assert_eq!(thief.get("/api/auth/me").await.0, 401);
    }
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_ours_elsewhere_may_call_the_api_and_no_others() {
    let bot = Bot::start_as(super::browser::world(), &[], |config| {
        config.admin.as_mut().unwrap().frontends = vec!["https://app.example".to_owned()];
    })
    .await;
    let browser = Browser::of(&bot, "nova").await;
    let preflight = |origin: &str| {
        let asked = browser
            .request(Method::OPTIONS, "/api/guilds/1000/settings")
            .header("origin", origin.to_owned());
        let asked = asked.header("access-control-request-method", "PUT");
        browser.send(asked.header("access-control-request-headers", "content-type,if-match,x-csrf-token"))
    };
    let allowed = preflight("https://app.example").await;
    let header = |name: &str| {
        allowed
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_lowercase()
    };
    assert_eq!(header("access-control-allow-origin"), "https://app.example");
    assert_eq!(header("access-control-allow-credentials"), "true");
    assert!(header("access-control-allow-methods").contains("put"));
    for name in ["content-type", "if-match", "x-csrf-token"] {
        assert!(header("access-control-allow-headers").contains(name), "{name}");
    }
    for foreign in [
        "https://app.example.evil.example",
        "http://app.example",
        "https://evil.example",
        "null",
        "https://app.example:8443",
    ] {
        let refused = preflight(foreign).await;
        assert!(
            refused.headers().get("access-control-allow-origin").is_none(),
            "{foreign}"
        );
        let read = browser.request(Method::GET, "/api/auth/me").header("origin", foreign);
        let answer = browser.send(read).await;
        assert!(
            answer.headers().get("access-control-allow-origin").is_none(),
            "{foreign}"
        );
    }
    // A refusal can be read by our own page too.
    let stranger = Browser::new(&bot.app);
    let refused = stranger
        .request(Method::GET, "/api/auth/me")
        .header("origin", "https://app.example");
    let refused = stranger.send(refused).await;
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.headers()["access-control-allow-origin"], "https://app.example");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_about_one_server_and_one_from_behind_a_proxy_are_held_back() {
    let bot = Bot::start_as(super::browser::world(), &[], |config| {
        let admin = config.admin.as_mut().unwrap();
        admin.windows.guild = "5/60".parse().unwrap();
        admin.windows.auth = "20/60".parse().unwrap();
        config.proxies = 1;
    })
    .await;
    let (one, other) = (Browser::of(&bot, "nova").await, Browser::of(&bot, "rex").await);
    let path = format!("/api/guilds/{OURS}/settings");
    let mut statuses = Vec::new();
    for browser in [&one, &other, &one, &other, &one, &other, &one] {
        statuses.push(browser.get(&path).await.0);
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429]);
    let (_, refused) = one.get(&path).await;
    assert_eq!(refused["error"], json!("rate_limited"));
    // What is about no server goes on.
    assert_eq!(one.get("/api/auth/sessions").await.0, 200);

    // Each address that our proxy saw has a count of its own; what stands left of it is what the caller says.
    let knock = async |forwarded: String| {
        let request = one
            .request(Method::GET, "/api/auth/login")
            .header("x-forwarded-for", forwarded);
        one.send(request).await.status().as_u16()
    };
    for made_up in 0..20 {
        assert_eq!(knock(format!("10.0.0.{made_up}, 203.0.113.9")).await, 302);
    }
    assert_eq!(knock("10.0.0.99, 203.0.113.9".to_owned()).await, 429);
    assert_eq!(
        knock("::ffff:203.0.113.9".to_owned()).await,
        429,
        "the same address, written otherwise"
    );
    assert_eq!(knock("203.0.113.10".to_owned()).await, 302);
    assert_eq!(knock("::ffff:203.0.113.11".to_owned()).await, 302);
    // One who has a whole network has one count.
    for host in 0..20 {
        assert_eq!(knock(format!("2001:db8:0:1::{host:x}")).await, 302);
    }
    assert_eq!(knock("2001:db8:0:1:ffff::1".to_owned()).await, 429);
    assert_eq!(knock("2001:db8:0:2::1".to_owned()).await, 302);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_are_known_by_their_id_and_are_nobody_special_in_a_server() {
    let bot = bot().await;
    let (operator, owner) = (Browser::of(&bot, "lou").await, Browser::of(&bot, "nova").await);
    assert_eq!(operator.get("/api/auth/me").await.1["operator"], json!(true));
    assert_eq!(owner.get("/api/auth/me").await.1["operator"], json!(false));
    let (status, refused): (u16, Value) = operator.get(&format!("/api/guilds/{OURS}/settings")).await;
    assert_eq!((status, &refused["error"]), (403, &json!("forbidden")));
    bot.finish().await;
}
