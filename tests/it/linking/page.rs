//! The whole way with a real browser: from the address that `/link` gives over FACEIT's page to ours.

use muster::store::{
    linking,
    links::{Method, StoredLink},
};
use serde_json::json;

use crate::support::{
    bot::{Bot, member, world},
    chromium::Chromium,
};

async fn link_of(bot: &Bot, name: &str) -> Option<StoredLink> {
    let user = muster::domain::ids::UserId::new(member(name)).expect("above zero");
    let mut conn = bot.app.sync.sources.pool.acquire().await.expect("a connection");
    linking::of_user(&mut conn, user).await.expect("the database answers")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_player_clicks_from_link_over_faceits_page_to_the_end_and_another_one_cancels() {
    let mut world = world();
    world["faceit"] = json!({"players": [
        {"player_id": "p-nova", "nickname": "Nova"}, {"player_id": "p-rex", "nickname": "Rex"},
    ]});
    let bot = Bot::start_as(world, &[], |config| {
        // Browsers let nobody say where localhost is.
        let linking = config.linking.as_mut().expect("signing in is set up");
        linking.redirect = "http://muster.test/faceit/callback".parse().expect("an address");
    })
    .await;
    let Some(browser) = Chromium::start(&[("muster.test", bot.app.address)]).await else {
        return bot.finish().await;
    };
    let address = bot.run("nova", "link").await.links().remove(0).1;
    assert!(address.starts_with("http://muster.test/faceit/link/"), "{address}");
    browser.open(&address).await;
    assert_eq!(browser.text("h1").await, "Sign in with FACEIT");
    browser.click("a[href*='as=p-nova']").await;
    assert_eq!(browser.text("h1.good").await, "You are linked");
    let page = browser.text("main").await;
    assert!(
        page.contains("FACEIT account Nova now belongs to the Discord account"),
        "{page}"
    );
    // Its own style is let in, and nothing is wider than a phone.
    let color = browser
        .run("return getComputedStyle(document.querySelector('h1')).color")
        .await;
    assert_eq!(color, "rgb(143, 227, 155)");
    browser.page.set_window_size(400, 800).await.expect("a size");
    let overflows = browser
        .run("return document.documentElement.scrollWidth > document.documentElement.clientWidth")
        .await;
    assert_eq!(overflows, false);
    assert_eq!(link_of(&bot, "nova").await.map(|link| link.method), Some(Method::Oauth));

    // What stays in the browser's history is worth nothing.
    browser.open(&browser.address().await).await;
    assert_eq!(browser.text("h1.bad").await, "This address is no longer good");
    browser.open(&address).await;
    assert_eq!(browser.text("h1.bad").await, "This address is no longer good");

    let address = bot.run("rex", "link").await.links().remove(0).1;
    browser.open(&address).await;
    browser.click("a[href*='deny=true']").await;
    assert_eq!(browser.text("h1").await, "Nothing was linked");
    assert_eq!(link_of(&bot, "rex").await, None);
    browser.close().await;
    bot.finish().await;
}
