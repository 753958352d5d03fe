//! What people ask about themselves: `/connections`, `/verify`, `/optout`, `/optin`, `/export`, `/erase`.

use std::time::Duration;

use serde_json::{Value, json};

use super::{audited, bot, fault, link_of};
use crate::support::{bodies::game, bot::Bot};

#[tokio::test]
async fn connections_says_what_is_linked_how_and_how_good_he_is() {
    let bot = bot(&["Nova"], &["nova"]).await;
    let shown = bot.run("nova", "connections").await;
    shown
        .says("FACEIT account **Nova** since <t:")
        .says("imported by the staff")
        .says("level 5, ELO 1100");
    bot.run("rex", "connections").await.says("You are not linked");
    bot.finish().await;
}

#[tokio::test]
async fn connections_shows_the_link_also_while_faceit_is_away() {
    let bot = bot(&["Nova"], &["nova"]).await;
    let away = json!({"path": "/players/p-nova", "status": 503, "times": 9});
    bot.simulator.fault(fault(away)).unwrap();
    bot.run("nova", "connections")
        .await
        .says("**Nova**")
        .says("FACEIT does not answer");
    bot.simulator.clear_faults();
    bot.finish().await;
}

#[tokio::test]
async fn verify_takes_over_a_new_nickname_however_fresh_the_last_look_was() {
    let bot = bot(&["Nova"], &["nova"]).await;
    bot.run("nova", "connections").await.says("**Nova**");
    let renamed = json!({"path": "/players/p-nova", "status": 200, "body": {
        "player_id": "p-nova", "nickname": "Nova_2", "games": {"cs2": {"skill_level": 6, "faceit_elo": 1200}},
    }});
    bot.simulator.fault(fault(renamed)).unwrap();
    bot.run("nova", "verify").await.says("**Nova\\_2**").says("ELO 1200");
    assert_eq!(link_of(&bot, "nova").await.unwrap().row.nickname, "Nova_2");
    assert_eq!(audited(&bot).await, ["discord link.renamed 2001"]);
    bot.run("rex", "verify").await.says("You are not linked");
    bot.run("nova", "verify").await.says("**Nova**");
    bot.run("nova", "verify").await.says("**Nova**");
    bot.run("nova", "verify").await.says("too often");
    bot.finish().await;
}

#[tokio::test]
async fn verify_says_when_faceit_has_forgotten_the_account() {
    let bot = bot(&[], &["nova"]).await;
    bot.run("nova", "verify")
        .await
        .says("does not know the account **Nova** any more");
    bot.finish().await;
}

#[tokio::test]
async fn whoever_opts_out_is_left_alone_until_he_opts_in() {
    let bot = bot(&["Nova"], &["nova"]).await;
    bot.run("rex", "optout").await.says("You are not linked");
    bot.run("nova", "optout").await.says("not moved any more");
    bot.run("nova", "optout").await.says("already");
    let game = game("1-a", "READY", &["nova"], &["rex"]);
    bot.play(&game, "match_status_ready", 1).await;
    assert_eq!(bot.seat("nova").as_deref(), Some("Lobby"));
    bot.run("nova", "connections").await.says("opted out");
    bot.run("nova", "optin")
        .await
        .says("moved into your team's channel again");
    // No time passes by the bot's clock.
    bot.settle().await;
    assert_ne!(bot.seat("nova").as_deref(), Some("Lobby"), "{}", bot.picture());
    bot.run("nova", "optin").await.says("had not opted out");
    bot.play(&game.status("FINISHED"), "match_status_finished", 2).await;
    bot.advance(Duration::from_secs(3600)).await;
    bot.finish().await;
}

/// What `/export` gave, from the message or the file.
pub fn exported(seen: &Value) -> Value {
    let text = match seen["files"][0]["text"].as_str() {
        Some(text) => text,
        None => {
            let text = seen["content"].as_str().unwrap();
            text.split_once("```json\n").unwrap().1.strip_suffix("\n```").unwrap()
        }
    };
    serde_json::from_str(text).unwrap()
}

async fn played(bot: &Bot) {
    let game = game("1-a", "READY", &["nova"], &["rex"]);
    bot.play(&game, "match_status_ready", 1).await;
    bot.play(&game.status("FINISHED"), "match_status_finished", 2).await;
    bot.advance(Duration::from_secs(3600)).await;
}

#[tokio::test]
async fn export_gives_all_that_is_stored_in_the_message_or_as_a_file() {
    let bot = bot(&["Nova"], &["nova"]).await;
    let short = bot.run("rex", "export").await;
    assert_eq!(exported(&short.seen)["link"], Value::Null);
    assert!(short.text().contains("```json"), "{short:?}");
    played(&bot).await;
    for _ in 0..3 {
        bot.run("nova", "optout").await;
        bot.run("nova", "optin").await;
    }
    let long = bot.run("nova", "export").await;
    let file = &long.seen["files"][0];
    assert_eq!(file["name"], "muster-export.json", "{}", long.seen);
    let all = exported(&long.seen);
    assert_eq!(all["link"]["nickname"], "Nova");
    assert_eq!(all["deliveries_that_name_you"].as_array().unwrap().len(), 2);
    assert_eq!(all["audit_log"].as_array().unwrap().len(), 6);
    bot.finish().await;
}

#[tokio::test]
async fn erase_asks_once_more_and_then_nothing_is_left_to_export() {
    let bot = bot(&["Nova"], &["nova"]).await;
    played(&bot).await;
    let shown = bot.run("nova", "erase").await;
    shown.says("can't be undone");
    assert!(link_of(&bot, "nova").await.is_some(), "not before he says so");
    let done = bot.press("nova", &shown).await;
    done.says("2 recorded messages of FACEIT and 1 matches");
    assert_eq!(done.buttons(), []);
    let left = exported(&bot.run("nova", "export").await.seen);
    assert_eq!(left["link"], Value::Null);
    for (what, list) in left.as_object().unwrap() {
        assert!(list.as_array().is_none_or(Vec::is_empty), "{what}: {list}");
    }
    bot.finish().await;
}
