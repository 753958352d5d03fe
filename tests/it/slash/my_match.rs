//! `/match` and its button: where one's channel is, and why one is not in it.

use std::time::Duration;

use muster::{
    domain::settings::Settings,
    store::{guilds, linking, links::Method},
};
use serde_json::json;

use super::bot;
use crate::support::{
    asker::{Shown, pressed},
    bodies::{Match, game},
    bot::{BAR, Bot, LOBBY},
};

const ID: &str = "1-5eed0000-0001";

fn a_match() -> Match {
    game(ID, "READY", &["nova", "rex"], &["ada", "bo"])
}

async fn settings(bot: &Bot, change: impl FnOnce(&mut Settings)) {
    let mut settings = bot.config.guild.settings().unwrap();
    change(&mut settings);
    let mut conn = bot.app.sync.sources.pool.acquire().await.unwrap();
    let saved = guilds::save(&mut conn, &settings, None, bot.clock.now()).await;
    saved.unwrap();
}

async fn over(bot: Bot) {
    bot.play(&a_match().status("FINISHED"), "match_status_finished", 9)
        .await;
    bot.advance(Duration::from_secs(3600)).await;
    bot.finish().await;
}

/// The channel that `shown` leads to; it must be there.
fn channel(bot: &Bot, shown: &Shown) -> String {
    let (_, rest) = shown
        .text()
        .split_once("https://discord.com/channels/1000/")
        .expect("a jump link");
    let id: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let guild = bot.simulator.guild("1000").unwrap();
    let found = guild["channels"]
        .as_array()
        .unwrap()
        .iter()
        .find(|channel| channel["id"] == id.as_str());
    found.expect("it is there")["name"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn who_is_in_his_channel_sees_both_teams_and_where_it_is() {
    let bot = bot(&[], &["nova"]).await;
    bot.run("rex", "match").await.says("You are not linked");
    bot.run("nova", "match").await.says("No match of yours is running");
    bot.play(&a_match(), "match_status_ready", 1).await;
    let shown = bot.run("nova", "match").await;
    shown
        .says("**Kiosk League** · READY")
        .says("(<https://www.faceit.com/en/cs2/room/1-5eed0000-0001>)")
        .says("(your team): Nova, Rex")
        .says(": Ada, Bo")
        .says("You are in it.");
    assert_eq!(channel(&bot, &shown), "match-5eed0000-faction1");
    assert_eq!(shown.buttons(), []);
    over(bot).await;
}

#[tokio::test]
async fn who_left_by_himself_is_told_so_and_comes_back_with_the_button() {
    let bot = bot(&[], &["nova"]).await;
    bot.play(&a_match(), "match_status_ready", 1).await;
    bot.connect("nova", BAR);
    bot.settle().await;
    assert_eq!(bot.seat("nova").as_deref(), Some("Bar"));
    let shown = bot.run("nova", "match").await;
    shown.says("You left it for another channel");
    assert_eq!(shown.buttons(), [("Move me".to_owned(), format!("match:{ID}"))]);
    bot.press("nova", &shown).await.says("You are moved in a moment");
    bot.settle().await;
    assert_eq!(bot.seat("nova").as_deref(), Some("match-5eed0000-faction1"));
    over(bot).await;
}

#[tokio::test]
async fn who_is_not_in_voice_or_in_the_wrong_place_is_told_what_to_do() {
    let bot = bot(&[], &["nova", "rex"]).await;
    settings(&bot, |settings| {
        settings.source_channels = [LOBBY.parse().unwrap()].into()
    })
    .await;
    bot.disconnect("nova");
    bot.connect("rex", BAR);
    bot.play(&a_match(), "match_status_ready", 1).await;
    let nova = bot.run("nova", "match").await;
    nova.says("You are not in voice. Connect");
    assert_eq!(nova.buttons().len(), 1);
    bot.run("rex", "match")
        .await
        .says("a voice channel that nobody is moved from")
        .says("<#1011>");
    over(bot).await;
}

#[tokio::test]
async fn who_opted_out_or_is_not_proven_or_whose_guild_is_paused_is_told_so() {
    let bot = bot(&[], &["nova", "rex"]).await;
    bot.run("nova", "optout").await;
    settings(&bot, |settings| settings.verified_links_only = true).await;
    bot.play(&a_match(), "match_status_ready", 1).await;
    bot.run("rex", "match").await.says("only proven links count");
    let by = linking::By {
        actor: muster::store::audit::Actor::system(),
        guild: None,
        at: bot.clock.now(),
    };
    let row = super::link_of(&bot, "nova").await.unwrap().row;
    let mut tx = bot.app.sync.sources.pool.begin().await.unwrap();
    linking::link(&mut tx, &row, Method::Oauth, &by).await.unwrap();
    tx.commit().await.unwrap();
    let nova = bot.run("nova", "match").await;
    nova.says("you have opted out");
    assert_eq!(nova.buttons(), []);
    over(bot).await;
}

#[tokio::test]
async fn before_and_after_the_match_there_is_nothing_to_move_to() {
    let bot = bot(&[], &["nova"]).await;
    bot.play(&a_match().status("SCHEDULED"), "match_object_created", 1)
        .await;
    bot.run("nova", "match")
        .await
        .says("no channels yet: it is only scheduled");
    bot.play(&a_match(), "match_status_ready", 2).await;
    bot.connect("nova", BAR);
    bot.settle().await;
    let old = bot.run("nova", "match").await;
    bot.play(&a_match().status("FINISHED"), "match_status_finished", 3)
        .await;
    bot.run("nova", "match")
        .await
        .says("The match is over; its channels go <t:");
    bot.press("nova", &old).await.says("This match is over");
    bot.advance(Duration::from_secs(3600)).await;
    bot.run("nova", "match").await.says("No match of yours is running");
    bot.finish().await;
}

#[tokio::test]
async fn a_channel_that_could_not_be_made_is_explained() {
    let bot = bot(&[], &["nova"]).await;
    bot.simulator.set_bot_permissions("1000", 1024).unwrap();
    bot.play(&a_match(), "match_status_ready", 1).await;
    bot.run("nova", "match")
        .await
        .says("could not be made; tell the staff")
        .says("Manage Channels");
    bot.simulator.set_bot_permissions("1000", 53_478_928).unwrap();
    bot.advance(Duration::from_secs(700)).await;
    over(bot).await;
}

#[tokio::test]
async fn nobody_is_moved_in_a_match_that_is_not_his() {
    let bot = bot(&["Eve"], &["nova", "eve"]).await;
    bot.play(&a_match(), "match_status_ready", 1).await;
    bot.connect("nova", BAR);
    bot.settle().await;
    let shown = bot.run("nova", "match").await;
    let button = shown.buttons()[0].1.clone();
    let refused = bot.simulator.ask(&pressed("eve", &shown, &button)).await;
    assert!(refused.is_err(), "it is shown to Nova alone");
    bot.press("nova", &shown).await.says("in a moment");
    bot.settle().await;
    let other = game("1-0the0000-0001", "READY", &["eve"], &["kim"]);
    bot.play(&other, "match_status_ready", 1).await;
    let hers = bot.run("eve", "match").await;
    hers.says("(your team): Eve");
    assert_eq!(hers.seen["further"], json!([]));
    bot.play(&other.status("CANCELLED"), "match_status_cancelled", 2).await;
    over(bot).await;
}
