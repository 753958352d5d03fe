//! `/link`, `/register`, `/unlink`.

use std::time::Duration;

use muster::{
    domain::{ids::GuildId, settings::Settings},
    simulator::Ask,
    store::{guilds, links::Method},
};
use reqwest::StatusCode;
use serde_json::json;
use url::Url;

use super::{audited, bot, fault, link_of};
use crate::support::{
    asker::{pressed, typed},
    bodies::{Match, game},
    bot::{Bot, GUILD, world},
    browser::Browser,
};

fn register(name: &str, nickname: &str) -> Ask {
    typed(name, "register", json!({"nickname": nickname}))
}

async fn only_verified(bot: &Bot) {
    let settings = Settings {
        verified_links_only: true,
        ..Settings::new(GUILD.parse::<GuildId>().unwrap())
    };
    let mut conn = bot.app.sync.sources.pool.acquire().await.unwrap();
    guilds::save(&mut conn, &settings, None, bot.clock.now()).await.unwrap();
}

async fn over(bot: Bot, game: &Match) {
    bot.play(&game.status("FINISHED"), "match_status_finished", 2).await;
    bot.advance(Duration::from_secs(3600)).await;
    bot.finish().await;
}

#[tokio::test]
async fn link_gives_an_address_for_one_use_that_ends_in_a_proven_link() {
    let bot = bot(&["Nova"], &[]).await;
    let shown = bot.run("nova", "link").await;
    shown.says("works once");
    let (label, address) = shown.links().remove(0);
    assert_eq!(label, "Sign in at FACEIT");
    let address = Url::parse(&address).unwrap();
    let mut browser = Browser::new(bot.app.address);
    let page = browser.open(&address).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:?}");
    let back = browser.continue_as(&page.location(), "p-nova").await;
    assert_eq!(browser.open(&back).await.heading(), "You are linked");
    assert_eq!(link_of(&bot, "nova").await.unwrap().method, Method::Oauth);
    assert_eq!(browser.open(&address).await.status, StatusCode::GONE);

    let again = bot.run("nova", "link").await;
    again.says("linked to **Nova** already, proven");
    assert_eq!(again.links(), []);
    bot.finish().await;
}

#[tokio::test]
async fn link_says_that_it_is_not_set_up_and_where_to_go_instead() {
    let bot = Bot::start_as(world(), &[], |config| config.linking = None).await;
    let shown = bot.run("nova", "link").await;
    shown.says("has not set up").says("`/register`");
    assert_eq!(shown.links(), []);
    bot.finish().await;
}

#[tokio::test]
async fn whoever_asks_for_addresses_too_often_is_told_to_wait_and_others_are_not() {
    let bot = bot(&[], &[]).await;
    for _ in 0..5 {
        bot.run("nova", "link").await.says("works once");
    }
    bot.run("nova", "link").await.says("too often");
    bot.run("rex", "link").await.says("works once");
    bot.finish().await;
}

#[tokio::test]
async fn register_links_the_player_of_exactly_that_name() {
    let bot = bot(&["Nova"], &[]).await;
    bot.ask(&register("nova", " Nova "))
        .await
        .says("linked to the FACEIT account **Nova** now");
    let link = link_of(&bot, "nova").await.unwrap();
    assert_eq!(
        (link.row.player.as_str(), link.method, link.verified_at),
        ("p-nova", Method::Manual, None)
    );
    assert_eq!(audited(&bot).await, ["discord link.added 2001"]);
    bot.ask(&register("nova", "Nova"))
        .await
        .says("linked to **Nova** already");
    bot.finish().await;
}

#[tokio::test]
async fn register_offers_similar_names_and_links_the_one_that_is_pressed() {
    let bot = bot(&["Nova", "SuperNova", "novacane", "Rex"], &[]).await;
    let shown = bot.ask(&register("nova", "nova")).await;
    shown.says("nobody called exactly **nova**");
    let buttons = shown.buttons();
    let labels: Vec<&str> = buttons.iter().map(|(label, _)| label.as_str()).collect();
    assert_eq!(
        labels,
        [
            "Nova · DE · level 5",
            "novacane · DE · level 5",
            "SuperNova · DE · level 5"
        ]
    );
    bot.ask(&pressed("nova", &shown, &buttons[2].1))
        .await
        .says("**SuperNova** now");
    assert_eq!(link_of(&bot, "nova").await.unwrap().row.player.as_str(), "p-supernova");

    let none = bot.ask(&register("rex", "nobody_at_all")).await;
    none.says("knows nobody called **nobody\\_at\\_all**");
    assert_eq!(none.buttons(), []);
    bot.finish().await;
}

#[tokio::test]
async fn a_typed_link_takes_nobodys_place_and_nobody_has_two() {
    let bot = bot(&["Nova", "Rex"], &["nova"]).await;
    bot.ask(&register("rex", "Nova"))
        .await
        .says("is linked to another Discord account");
    assert_eq!(link_of(&bot, "rex").await, None);
    bot.ask(&register("nova", "Rex"))
        .await
        .says("linked to **Nova** already. To link another");
    assert_eq!(link_of(&bot, "nova").await.unwrap().row.player.as_str(), "p-nova");
    bot.finish().await;
}

#[tokio::test]
async fn where_only_proven_links_count_nobody_registers_by_name_or_by_button() {
    let bot = bot(&["Nova"], &[]).await;
    let offered = bot.ask(&register("nova", "nova")).await;
    only_verified(&bot).await;
    bot.ask(&register("nova", "Nova"))
        .await
        .says("only proven links count")
        .says("`/link`");
    bot.press("nova", &offered).await.says("only proven links count");
    assert_eq!(link_of(&bot, "nova").await, None);
    bot.finish().await;
}

#[tokio::test]
async fn suggestions_come_while_he_types_and_never_late() {
    let bot = bot(&["Nova", "SuperNova", "Rex"], &[]).await;
    let typing = |text: &str| Ask {
        focused: Some("nickname".to_owned()),
        ..register("nova", text)
    };
    let seen = bot.send(&typing("nov")).await;
    assert_eq!(
        seen.body,
        json!({"type": 8, "data": {"choices": [
            {"name": "Nova · DE · level 5", "value": "Nova"},
            {"name": "SuperNova · DE · level 5", "value": "SuperNova"},
        ]}})
    );
    let none = json!({"type": 8, "data": {"choices": []}});
    assert_eq!(bot.send(&typing("no")).await.body, none, "everybody is called so");
    let slow = json!({"path": "/search/players", "delay_ms": 10_000});
    bot.simulator.fault(fault(slow)).unwrap();
    assert_eq!(bot.send(&typing("nova")).await.body, none);
    assert!(bot.simulator.waiting_faults().is_empty());
    bot.finish().await;
}

#[tokio::test]
async fn whoever_registers_during_a_match_is_moved_at_once() {
    let bot = bot(&["Nova"], &[]).await;
    let game = game("1-a", "READY", &["nova"], &["rex"]);
    bot.play(&game, "match_status_ready", 1).await;
    assert_eq!(bot.seat("nova").as_deref(), Some("Lobby"));
    bot.ask(&register("nova", "Nova")).await;
    // No time passes by the bot's clock.
    bot.settle().await;
    assert_ne!(bot.seat("nova").as_deref(), Some("Lobby"), "{}", bot.picture());
    over(bot, &game).await;
}

#[tokio::test]
async fn unlink_asks_once_more_and_then_he_leaves_the_match_channel() {
    let bot = bot(&["Nova"], &["nova"]).await;
    let game = game("1-a", "READY", &["nova"], &["rex"]);
    bot.play(&game, "match_status_ready", 1).await;
    assert_ne!(bot.seat("nova").as_deref(), Some("Lobby"));
    let shown = bot.run("nova", "unlink").await;
    shown.says("Unlink the FACEIT account **Nova**?");
    assert!(link_of(&bot, "nova").await.is_some(), "not before he says so");
    let done = bot.press("nova", &shown).await;
    done.says("no longer linked to **Nova**");
    assert_eq!(done.buttons(), []);
    bot.settle().await;
    assert_eq!(bot.seat("nova").as_deref(), Some("Lobby"), "{}", bot.picture());
    assert_eq!(link_of(&bot, "nova").await, None);
    bot.run("nova", "unlink").await.says("You are not linked");
    over(bot, &game).await;
}

#[tokio::test]
async fn an_old_button_unlinks_nothing_else() {
    let bot = bot(&["Nova", "Rex"], &["nova"]).await;
    let old = bot.run("nova", "unlink").await;
    let shown = bot.run("nova", "unlink").await;
    bot.press("nova", &shown).await.says("no longer linked");
    bot.ask(&register("nova", "Rex")).await.says("**Rex** now");
    bot.press("nova", &old).await.says("from another version");
    assert_eq!(link_of(&bot, "nova").await.unwrap().row.player.as_str(), "p-rex");
    bot.finish().await;
}
