//! Signing in, looking at oneself and signing out with a real browser, from a page on a host of its own; and what a foreign page gets.
#![expect(clippy::disallowed_methods, reason = "serves the pages of others on the side")]

use std::net::SocketAddr;

use axum::{Router, response::Html, routing::get};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};

use super::browser::{id_of, world};
use crate::support::{
    bot::{Bot, PUBLIC_URL},
    chromium::Chromium,
};

/// The least that a dashboard does: says who I am, and has a button to leave.
const PAGE: &str = r#"<!doctype html><title>Dashboard</title><p id="who">…</p><button>Log out</button>
<script>
    const api = 'http://muster.test/api/auth';
    let csrf;
    async function look() {
        const answer = await fetch(api + '/me', {credentials: 'include'});
        const me = await answer.json();
        csrf = me.csrf_token;
        document.querySelector('#who').textContent = answer.ok ? me.user.username : me.error;
        document.body.dataset.ready = answer.status;
    }
    document.querySelector('button').onclick = async () => {
        await fetch(api + '/logout', {method: 'POST', credentials: 'include', headers: {'x-csrf-token': csrf}});
        await look();
    };
    look();
</script>"#;

async fn pages() -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().route("/matches", get(|| async { Html(PAGE) })).route(
        "/evil",
        get(|| async { Html("<!doctype html><title>Evil</title><p>win a skin</p>") }),
    );
    let serve = async move { axum::serve(listener, router).await.expect("it serves") };
    (address, tokio::spawn(serve))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_signs_in_sees_himself_and_signs_out_with_a_browser_and_a_foreign_page_gets_nothing() {
    let bot = Bot::start_as(world(), &[], |config| {
        let admin = config.admin.as_mut().expect("the admin part is on");
        admin.frontends = vec!["http://app.muster.test".to_owned()];
    })
    .await;
    let (pages, serving) = pages().await;
    let hosts = [
        ("muster.test", bot.app.address),
        ("app.muster.test", pages),
        ("evil.example", pages),
    ];
    let Some(browser) = Chromium::start(&hosts).await else {
        return bot.finish().await;
    };
    browser.open("http://app.muster.test/matches").await;
    browser.find("body[data-ready='401']").await;
    browser
        .open(&format!("{PUBLIC_URL}/api/auth/login?next=/matches%3Fstate%3Dopen"))
        .await;
    browser.click(&format!("button[value='{}']", id_of("rex"))).await;
    browser.find("body[data-ready='200']").await;
    assert_eq!(browser.address().await, "http://app.muster.test/matches?state=open");
    assert_eq!(browser.text("#who").await, "rex");
    let seen = browser.run("return document.cookie").await;
    assert_eq!(seen, json!(""), "scripts see the cookie");

    browser.open("http://evil.example/evil").await;
    for (what, call) in [
        (
            "reads",
            "return await (await fetch('http://muster.test/api/auth/me', {credentials: 'include'})).text()",
        ),
        (
            "signs out",
            "return (await fetch('http://muster.test/api/auth/logout', {method: 'POST', credentials: 'include'})).status",
        ),
        (
            "asks first",
            "return (await fetch('http://muster.test/api/auth/logout', {method: 'POST', credentials: 'include', \
             headers: {'x-csrf-token': 'x'}})).status",
        ),
    ] {
        let got = browser.run(call).await;
        assert!(
            got["error"]
                .as_str()
                .is_some_and(|error| error.contains("Failed to fetch")),
            "{what}: {got}"
        );
    }
    browser
        .run(
            "const form = document.createElement('form'); form.method = 'post'; form.action = 'http://muster.test/api/auth/logout'; \
             document.body.append(form); form.submit()",
        )
        .await;
    browser.open("http://app.muster.test/matches").await;
    browser.find("body[data-ready='200']").await;

    browser.click("button").await;
    browser.find("body[data-ready='401']").await;
    assert_eq!(browser.text("#who").await, "unauthorized");
    browser.open(&format!("{PUBLIC_URL}/api/auth/me")).await;
    assert!(browser.text("body").await.contains("unauthorized"));
    browser.close().await;
    serving.abort();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_signs_in_with_a_browser_ends_at_a_page_that_can_be_read_on_a_phone_however_it_went() {
    let bot = Bot::start_in(world(), &[]).await;
    let Some(browser) = Chromium::start(&[("muster.test", bot.app.address)]).await else {
        return bot.finish().await;
    };
    browser.page.set_window_size(400, 800).await.expect("a size");
    let wider = "return document.documentElement.scrollWidth > document.documentElement.clientWidth";
    browser.open(&format!("{PUBLIC_URL}/api/auth/login")).await;
    browser.click("button[name='cancel']").await;
    assert_eq!(browser.text("h1.bad").await, "You are not signed in");
    let told = browser.text("main").await;
    assert!(told.contains("You did not allow it at Discord"), "{told}");
    assert_eq!(browser.run(wider).await, false);
    browser
        .open(&format!("{PUBLIC_URL}/api/auth/login?next=//evil.example"))
        .await;
    assert_eq!(browser.text("h1.bad").await, "You are not signed in");

    // It leads on, and at the end there is something to read, also where no page of anybody's is set up.
    browser.click("a[href='/api/auth/login']").await;
    browser.click(&format!("button[value='{}']", id_of("rex"))).await;
    browser.find("a[href='/api/openapi.json']").await;
    assert_eq!(browser.text("h1").await, "Muster API");
    assert_eq!(browser.address().await, format!("{PUBLIC_URL}/api/docs"));
    assert_eq!(browser.run(wider).await, false);
    browser.find("a[href='/api/auth/me']").await;
    browser.open(&format!("{PUBLIC_URL}/api/auth/me")).await;
    assert!(browser.text("body").await.contains("\"username\":\"rex\""));
    browser.close().await;
    bot.finish().await;
}
