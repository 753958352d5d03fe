//! Signing in at FACEIT, from the address that `/link` gives to the page at the end; and every way in which it can go wrong.

use std::time::Duration;

use muster::{
    domain::ids::UserId,
    faceit::oauth,
    simulator::Fault,
    store::{
        link_states::{self, Wish},
        links::{self, Method, StoredLink},
    },
};
use reqwest::StatusCode;
use serde_json::json;
use url::Url;

use crate::support::{
    bodies::game,
    bot::{Bot, member, world},
    browser::Browser,
    database::eventually,
};

/// A world in which FACEIT knows Nova, Rex and Ada.
async fn bot() -> Bot {
    let mut world = world();
    world["faceit"] = json!({"players": [
        {"player_id": "p-nova", "nickname": "Nova"},
        {"player_id": "p-rex", "nickname": "Rex <b>"},
        {"player_id": "p-ada", "nickname": "Ada"},
    ]});
    Bot::start_in(world, &[]).await
}

fn user(name: &str) -> UserId {
    UserId::new(member(name)).unwrap()
}

/// `/link` was called by him; gives the token of his address.
async fn wish(bot: &Bot, name: &str) -> String {
    let token = format!("token-{:032x}", rand::random::<u128>());
    let wish = Wish {
        user: user(name),
        name: format!("{name}<i>"),
        guild: None,
    };
    let mut conn = bot.app.sync.sources.pool.acquire().await.unwrap();
    link_states::open(&mut conn, &token, &wish, bot.clock.now())
        .await
        .unwrap();
    token
}

async fn all(bot: &Bot) -> Vec<StoredLink> {
    let mut conn = bot.app.sync.sources.pool.acquire().await.unwrap();
    links::all(&mut conn).await.unwrap()
}

async fn linked(bot: &Bot) -> Vec<(String, u64, Method)> {
    let all = all(bot).await.into_iter();
    all.map(|link| (link.row.player.to_string(), link.row.user.get(), link.method))
        .collect()
}

async fn open_sign_ins(bot: &Bot, name: &str) -> usize {
    let mut conn = bot.app.sync.sources.pool.acquire().await.unwrap();
    link_states::of_user(&mut conn, user(name)).await.unwrap().len()
}

fn fault(fault: serde_json::Value) -> Fault {
    serde_json::from_value(fault).unwrap()
}

fn param(url: &Url, name: &str) -> String {
    let found = url.query_pairs().find(|(key, _)| key == name);
    found
        .map(|(_, value)| value.into_owned())
        .unwrap_or_else(|| panic!("no {name} in {url}"))
}

#[tokio::test]
async fn signing_in_links_and_says_who_was_linked_to_whom() {
    let bot = bot().await;
    let mut browser = Browser::new(bot.app.address);
    let token = wish(&bot, "rex").await;
    let page = browser.begin(&token).await;
    assert_eq!(param(&page, "code_challenge_method"), "S256");
    assert_eq!(param(&page, "scope"), "openid profile");
    let back = browser.continue_as(&page, "p-rex").await;
    let done = browser.open(&back).await;

    assert_eq!(
        (done.status, done.heading()),
        (StatusCode::OK, "You are linked"),
        "{done:?}"
    );
    // Escaped: both names are other people's texts.
    assert!(done.text.contains("Rex &#60;b&#62;"), "{}", done.text);
    assert!(done.text.contains("rex&#60;i&#62;"), "{}", done.text);
    assert_eq!(linked(&bot).await, [("p-rex".to_owned(), member("rex"), Method::Oauth)]);
    assert!(all(&bot).await[0].verified_at.is_some());
    assert_eq!(open_sign_ins(&bot, "rex").await, 0);
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(done.headers[name], value);
    }
    let policy = done.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(
        !done.text.contains("http"),
        "nothing is loaded from anywhere: {}",
        done.text
    );

    // The way back works once.
    let again = browser.open(&back).await;
    assert_eq!(
        (again.status, again.heading()),
        (StatusCode::GONE, "This address is no longer good")
    );
    bot.finish().await;
}

#[tokio::test]
async fn whoever_links_during_a_match_is_moved_at_once() {
    let bot = bot().await;
    let game = game("1-a", "READY", &["nova"], &["rex"]);
    bot.play(&game, "match_status_ready", 1).await;
    assert_eq!(bot.seat("nova").as_deref(), Some("Lobby"));
    let mut browser = Browser::new(bot.app.address);
    let page = browser.begin(&wish(&bot, "nova").await).await;
    let back = browser.continue_as(&page, "p-nova").await;
    browser.open(&back).await;
    // No time passes by the bot's clock: it is the link that makes it look.
    bot.settle().await;
    assert_ne!(bot.seat("nova").as_deref(), Some("Lobby"), "{}", bot.picture());
    bot.play(&game.status("FINISHED"), "match_status_finished", 2).await;
    bot.advance(Duration::from_secs(3600)).await;
    bot.finish().await;
}

#[tokio::test]
async fn what_faceit_or_a_stranger_does_wrong_links_nobody_and_says_what_to_do() {
    let bot = bot().await;
    let token_route = "/auth/v1/oauth/token";
    let userinfo = "/auth/v1/resources/userinfo";
    let html = "<html>Just a moment...</html>";
    let cases = [
        (
            "down",
            json!({"path": token_route, "status": 503}),
            503,
            "FACEIT does not answer",
        ),
        (
            "cut",
            json!({"path": token_route, "drop": "before"}),
            503,
            "FACEIT does not answer",
        ),
        (
            "web page",
            json!({"path": token_route, "status": 200, "body": html}),
            503,
            "FACEIT does not answer",
        ),
        (
            "wrong secret",
            json!({"path": token_route, "status": 401}),
            502,
            "It could not be found out who you are",
        ),
        (
            "odd body",
            json!({"path": token_route, "status": 200, "body": {"x": 1}}),
            502,
            "It could not be found out who you are",
        ),
        (
            "redirect",
            json!({"path": token_route, "status": 302, "body": ""}),
            502,
            "It could not be found out who you are",
        ),
        (
            "userinfo down",
            json!({"path": userinfo, "status": 500}),
            503,
            "FACEIT does not answer",
        ),
        (
            "userinfo 401",
            json!({"path": userinfo, "status": 401}),
            502,
            "It could not be found out who you are",
        ),
        (
            "nobody",
            json!({"path": userinfo, "status": 200, "body": {"nickname": "Nova"}}),
            502,
            "It could not be found out who you are",
        ),
        (
            "odd id",
            json!({"path": userinfo, "status": 200, "body": {"guid": "a b", "sub": ""}}),
            502,
            "It could not be found out who you are",
        ),
    ];
    for (what, struck, status, heading) in cases {
        let mut browser = Browser::new(bot.app.address);
        let page = browser.begin(&wish(&bot, "nova").await).await;
        let back = browser.continue_as(&page, "p-nova").await;
        bot.simulator.fault(fault(struck)).unwrap();
        let seen = browser.open(&back).await;
        assert_eq!(
            (seen.status.as_u16(), seen.heading()),
            (status, heading),
            "{what}: {seen:?}"
        );
        assert_eq!(seen.headers["cache-control"], "no-store", "{what}");
        assert!(bot.simulator.waiting_faults().is_empty(), "{what}");
        // The state is used up all the same.
        assert_eq!(browser.open(&back).await.status, StatusCode::GONE, "{what}");
    }
    assert_eq!(linked(&bot).await, []);
    bot.finish().await;
}

#[tokio::test]
async fn a_userinfo_without_guid_goes_by_sub() {
    let mut world = world();
    world["faceit"] = json!({
        "players": [{"player_id": "p-nova", "nickname": "Nova"}],
        "client": {"without": ["guid"]},
    });
    let bot = Bot::start_in(world, &[]).await;
    let mut browser = Browser::new(bot.app.address);
    let page = browser.begin(&wish(&bot, "nova").await).await;
    let back = browser.continue_as(&page, "p-nova").await;
    assert_eq!(browser.open(&back).await.status, StatusCode::OK);
    assert_eq!(linked(&bot).await.len(), 1);
    bot.finish().await;
}

#[tokio::test]
async fn states_and_codes_are_good_once_and_only_where_they_were_given() {
    let bot = bot().await;
    let (mut mine, mut other) = (Browser::new(bot.app.address), Browser::new(bot.app.address));

    // Somebody else's way back: he has not the cookie.
    let page = mine.begin(&wish(&bot, "nova").await).await;
    let back = mine.continue_as(&page, "p-nova").await;
    let foreign = other.open(&back).await;
    assert_eq!(
        (foreign.status, foreign.heading()),
        (StatusCode::FORBIDDEN, "This sign-in was begun elsewhere")
    );
    assert_eq!(mine.open(&back).await.status, StatusCode::GONE, "it is used up");

    // A code under another state: FACEIT sees that the verifier is another.
    let page = mine.begin(&wish(&bot, "nova").await).await;
    let stolen = param(&mine.continue_as(&page, "p-nova").await, "code");
    let page = mine.begin(&wish(&bot, "nova").await).await;
    let back = mine.continue_as(&page, "p-nova").await;
    let wrong = mine.open(&with_code(&back, &stolen)).await;
    assert_eq!(
        (wrong.status, wrong.heading()),
        (StatusCode::GONE, "FACEIT did not accept it")
    );

    // Ten minutes, and no more.
    let token = wish(&bot, "nova").await;
    let page = mine.begin(&token).await;
    let back = mine.continue_as(&page, "p-nova").await;
    bot.clock.advance(Duration::from_secs(601));
    assert_eq!(mine.open(&back).await.status, StatusCode::GONE);
    assert_eq!(
        mine.get(&format!("/faceit/link/{token}")).await.status,
        StatusCode::GONE
    );

    // FACEIT's code is older than FACEIT likes.
    let page = mine.begin(&wish(&bot, "nova").await).await;
    let back = mine.continue_as(&page, "p-nova").await;
    bot.simulator.advance(Duration::from_secs(61));
    assert_eq!(mine.open(&back).await.heading(), "FACEIT did not accept it");

    // Declined, and addresses that make no sense.
    let page = mine.begin(&wish(&bot, "nova").await).await;
    let state = param(&page, "state");
    let declined = mine
        .get(&format!("/faceit/callback?error=access_denied&state={state}"))
        .await;
    assert_eq!(
        (declined.status, declined.heading()),
        (StatusCode::OK, "Nothing was linked")
    );
    for (error, status, heading) in [
        ("temporarily_unavailable", 503, "FACEIT does not answer"),
        ("invalid_scope", 502, "It could not be found out who you are"),
    ] {
        let page = mine.begin(&wish(&bot, "nova").await).await;
        let state = param(&page, "state");
        let seen = mine.get(&format!("/faceit/callback?error={error}&state={state}")).await;
        assert_eq!((seen.status.as_u16(), seen.heading()), (status, heading));
    }
    let page = mine.begin(&wish(&bot, "nova").await).await;
    let state = param(&page, "state");
    let codeless = mine.get(&format!("/faceit/callback?state={state}")).await;
    assert_eq!(codeless.status, StatusCode::BAD_REQUEST);
    for odd in [
        "/faceit/callback",
        "/faceit/callback?code=x",
        "/faceit/callback?state=%3Cscript%3E&code=x",
        "/faceit/callback?state=a&state=b",
        "/faceit/callback?error=%3Cscript%3E",
        "/faceit/link/%3Cscript%3E",
        "/faceit/link/unknown",
    ] {
        let seen = mine.get(odd).await;
        assert!(seen.status.is_client_error(), "{odd}: {seen:?}");
        assert!(!seen.text.contains("script"), "{odd}: {}", seen.text);
    }
    assert_eq!(linked(&bot).await, []);
    bot.finish().await;
}

/// The way back to us with another code.
fn with_code(back: &Url, code: &str) -> Url {
    let state = param(back, "state");
    let mut back = back.clone();
    back.query_pairs_mut()
        .clear()
        .append_pair("code", code)
        .append_pair("state", &state);
    back
}

#[tokio::test]
async fn a_code_that_faceit_has_redeemed_links_nobody_else() {
    let bot = bot().await;
    let (mut nova, mut rex) = (Browser::new(bot.app.address), Browser::new(bot.app.address));
    let page = nova.begin(&wish(&bot, "nova").await).await;
    let back = nova.continue_as(&page, "p-nova").await;
    assert_eq!(nova.open(&back).await.status, StatusCode::OK);
    let page = rex.begin(&wish(&bot, "rex").await).await;
    let own = rex.continue_as(&page, "p-rex").await;
    let seen = rex.open(&with_code(&own, &param(&back, "code"))).await;
    assert_eq!(
        (seen.status, seen.heading()),
        (StatusCode::GONE, "FACEIT did not accept it")
    );
    assert_eq!(
        linked(&bot).await,
        [("p-nova".to_owned(), member("nova"), Method::Oauth)]
    );
    bot.finish().await;
}

#[tokio::test]
async fn a_callback_that_comes_twice_at_once_counts_once() {
    let bot = bot().await;
    let mut browser = Browser::new(bot.app.address);
    let page = browser.begin(&wish(&bot, "nova").await).await;
    let back = browser.continue_as(&page, "p-nova").await;
    let mut again = browser.clone();
    let (first, second) = tokio::join!(browser.open(&back), again.open(&back));
    let mut seen = [first.status, second.status];
    seen.sort();
    assert_eq!(seen, [StatusCode::OK, StatusCode::GONE]);
    assert_eq!(linked(&bot).await.len(), 1);
    bot.finish().await;
}

#[tokio::test]
async fn faceit_may_let_nobody_wait() {
    let bot = bot().await;
    let linking = bot.config.linking.clone().unwrap();
    let below = |path: &str| format!("{}{path}", linking.auth).parse().unwrap();
    let sign_in = oauth::SignIn::new(oauth::Options {
        client_id: linking.client_id.clone(),
        client_secret: linking.client_secret.clone(),
        redirect: linking.redirect.clone(),
        authorize: linking.accounts.clone(),
        token: below("/oauth/token"),
        userinfo: below("/resources/userinfo"),
        deadline: Duration::from_millis(500),
    })
    .unwrap();
    for slow in ["/auth/v1/oauth/token", "/auth/v1/resources/userinfo"] {
        let begun = sign_in.begin();
        let mut browser = Browser::new(bot.app.address);
        let back = browser.continue_as(&begun.address, "p-nova").await;
        bot.simulator
            .fault(fault(json!({"path": slow, "delay_ms": 60_000})))
            .unwrap();
        let ended = sign_in.finish(param(&back, "code"), begun.verifier).await;
        assert_eq!(
            ended,
            Err(oauth::Error::Unavailable("no answer in time".to_owned())),
            "{slow}"
        );
    }
    bot.finish().await;
}

#[tokio::test]
async fn without_the_database_the_page_says_so() {
    let bot = bot().await;
    let mut browser = Browser::new(bot.app.address);
    let page = browser.begin(&wish(&bot, "nova").await).await;
    let back = browser.continue_as(&page, "p-nova").await;
    let pool = bot.app.sync.sources.pool.clone();
    let mut held = Vec::new();
    for _ in 0..bot.config.database.connections {
        held.push(pool.acquire().await.unwrap());
    }
    let seen = browser.open(&back).await;
    assert_eq!(
        (seen.status, seen.heading()),
        (StatusCode::SERVICE_UNAVAILABLE, "Not now")
    );
    drop(held);
    // Nothing was used up.
    assert_eq!(browser.open(&back).await.heading(), "You are linked");
    bot.finish().await;
}

#[tokio::test]
async fn an_address_that_is_opened_twice_counts_as_it_was_opened_last() {
    let bot = bot().await;
    let mut browser = Browser::new(bot.app.address);
    let token = wish(&bot, "nova").await;
    let first = browser.begin(&token).await;
    let second = browser.begin(&token).await;
    let back = browser.continue_as(&first, "p-nova").await;
    assert_eq!(browser.open(&back).await.status, StatusCode::GONE);
    let back = browser.continue_as(&second, "p-nova").await;
    assert_eq!(browser.open(&back).await.status, StatusCode::OK);
    bot.finish().await;
}

#[tokio::test]
async fn a_sixth_open_sign_in_ends_the_oldest() {
    let bot = bot().await;
    let mut tokens = Vec::new();
    for _ in 0..6 {
        tokens.push(wish(&bot, "nova").await);
        bot.clock.advance(Duration::from_secs(1));
    }
    wish(&bot, "rex").await;
    assert_eq!(open_sign_ins(&bot, "nova").await, 5);
    let mut browser = Browser::new(bot.app.address);
    assert_eq!(
        browser.get(&format!("/faceit/link/{}", tokens[0])).await.status,
        StatusCode::GONE
    );
    assert_eq!(
        browser.get(&format!("/faceit/link/{}", tokens[1])).await.status,
        StatusCode::SEE_OTHER
    );
    bot.finish().await;
}

#[tokio::test]
async fn of_two_callbacks_for_one_faceit_account_one_wins_and_the_other_gets_a_page() {
    let bot = bot().await;
    let (mut nova, mut rex) = (Browser::new(bot.app.address), Browser::new(bot.app.address));
    let page = nova.begin(&wish(&bot, "nova").await).await;
    let as_nova = nova.continue_as(&page, "p-ada").await;
    let page = rex.begin(&wish(&bot, "rex").await).await;
    let as_rex = rex.continue_as(&page, "p-ada").await;
    let (first, second) = tokio::join!(nova.open(&as_nova), rex.open(&as_rex));
    let mut headings = [first.heading(), second.heading()];
    headings.sort();
    assert_eq!(headings, ["Already linked", "You are linked"]);
    assert_eq!(linked(&bot).await.len(), 1);

    // Who has another account proven is told what to do, too.
    let winner = if first.status == StatusCode::OK { "nova" } else { "rex" };
    let browser = if winner == "nova" { &mut nova } else { &mut rex };
    let page = browser.begin(&wish(&bot, winner).await).await;
    let back = browser.continue_as(&page, "p-nova").await;
    let refused = browser.open(&back).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text.contains("/unlink"), "{}", refused.text);
    bot.finish().await;
}

#[tokio::test]
async fn proof_takes_over_a_name_that_somebody_typed() {
    let bot = bot().await;
    bot.link(&["ada"]).await;
    let mut browser = Browser::new(bot.app.address);
    let page = browser.begin(&wish(&bot, "nova").await).await;
    let back = browser.continue_as(&page, "p-ada").await;
    assert_eq!(browser.open(&back).await.status, StatusCode::OK);
    assert_eq!(
        linked(&bot).await,
        [("p-ada".to_owned(), member("nova"), Method::Oauth)]
    );
    let told = || {
        let mut told: Vec<_> = bot
            .simulator
            .posts()
            .into_iter()
            .filter_map(|post| Some((post.to?, post.content)))
            .collect();
        told.sort();
        told
    };
    eventually("both are told", async || told().len() == 2).await;
    let told = told();
    assert_eq!((told[0].0.0, told[1].0.0), (member("nova"), member("ada")));
    assert!(
        told[0].1.contains("You are linked to the FACEIT account **Ada**"),
        "{told:?}"
    );
    assert!(told[1].1.contains("You are no longer linked"), "{told:?}");

    // Who takes no messages is linked all the same.
    bot.simulator.close_messages(&member("rex").to_string()).unwrap();
    let page = browser.begin(&wish(&bot, "rex").await).await;
    let back = browser.continue_as(&page, "p-rex").await;
    assert_eq!(browser.open(&back).await.status, StatusCode::OK);
    bot.finish().await;
}

#[tokio::test]
async fn one_address_that_calls_too_often_is_slowed_down_and_others_are_not() {
    let bot = bot().await;
    let mut browser = Browser::new(bot.app.address);
    browser.from = Some("198.51.100.7".to_owned());
    let mut slowed = None;
    for _ in 0..40 {
        let seen = browser.get("/faceit/callback").await;
        if seen.status == StatusCode::TOO_MANY_REQUESTS {
            slowed = Some(seen);
            break;
        }
    }
    let slowed = slowed.expect("forty calls at once are too many");
    assert!(slowed.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 0);
    browser.from = Some("198.51.100.8".to_owned());
    assert_eq!(browser.get("/faceit/callback").await.status, StatusCode::BAD_REQUEST);
    bot.finish().await;
}

#[tokio::test]
async fn behind_several_proxies_everybody_has_his_own_count() {
    let bot = Bot::start_as(world(), &[], |config| config.proxies = 2).await;
    let mut browser = Browser::new(bot.app.address);
    browser.from = Some("198.51.100.7, 203.0.113.1".to_owned());
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(browser.get("/faceit/callback").await.status);
    }
    assert!(statuses.contains(&StatusCode::TOO_MANY_REQUESTS), "{statuses:?}");
    browser.from = Some("198.51.100.8, 203.0.113.1".to_owned());
    assert_eq!(browser.get("/faceit/callback").await.status, StatusCode::BAD_REQUEST);
    bot.finish().await;
}

#[tokio::test]
async fn without_the_settings_nobody_can_sign_in_and_half_of_them_are_refused() {
    use muster::config::{LinkingArgs, ServeArgs};
    let bot = bot().await;
    let mut config = bot.config.clone();
    config.linking = None;
    let app = muster::app::App::start(&config, bot.clock.clone(), crate::support::bot::metrics())
        .await
        .unwrap();
    let seen = Browser::new(app.address).get("/faceit/link/x").await;
    assert_eq!(
        (seen.status, seen.heading()),
        (StatusCode::NOT_FOUND, "Signing in is not set up")
    );
    assert!(app.stop().await);

    let named = |linking: LinkingArgs| {
        let args = ServeArgs {
            linking,
            ..ServeArgs::default()
        };
        let problems = args.parse().map(|_| ()).unwrap_err().0.into_iter();
        let names = problems
            .map(|problem| problem.name)
            .filter(|name| name.starts_with("FACEIT_"));
        let ours = |name: &&str| !["FACEIT_API_KEY", "FACEIT_WEBHOOK_SECRET"].contains(name);
        names.filter(ours).collect::<Vec<_>>()
    };
    let some = |text: &str| Some(text.to_owned());
    let id_only = LinkingArgs {
        faceit_client_id: some("id"),
        ..LinkingArgs::default()
    };
    assert_eq!(named(id_only), ["FACEIT_CLIENT_SECRET", "FACEIT_REDIRECT_URI"]);
    for bad in ["http://example.org/faceit/callback", "https://example.org/", "nonsense"] {
        let all = LinkingArgs {
            faceit_client_id: some("id"),
            faceit_client_secret: some("secret"),
            faceit_redirect_uri: some(bad),
            ..LinkingArgs::default()
        };
        assert_eq!(named(all), ["FACEIT_REDIRECT_URI"], "{bad}");
    }
    assert_eq!(named(LinkingArgs::default()), Vec::<&str>::new());
    bot.finish().await;
}
