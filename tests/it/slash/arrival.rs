//! How commands arrive: signed or not, in time or not, twice, from nowhere; and how Discord learns which there are.

use std::time::Duration;

use ed25519_dalek::{Signer as _, SigningKey};
use muster::{
    app::App,
    commands::enrol,
    simulator::{Ask, Signature},
    store::command_lists,
};
use reqwest::Response;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{bot, fault, link_of};
use crate::support::{
    asker::{Shown, pressed, typed},
    bot::{BOT, Bot, GUILD, member, metrics, world},
    database::eventually,
};

#[tokio::test]
async fn what_discord_did_not_sign_just_now_is_refused() {
    let bot = bot(&[], &["nova"]).await;
    let pong = bot.simulator.ping(Signature::Good).await.unwrap();
    assert_eq!((pong.status, &pong.body), (200, &json!({"type": 1})));
    for signature in [Signature::Bad, Signature::Stale, Signature::Missing, Signature::Garbled] {
        let ping = bot.simulator.ping(signature).await.unwrap();
        assert_eq!(ping.status, 401, "{signature:?}: {ping:?}");
        let ask = Ask {
            signature,
            ..typed("nova", "optout", json!({}))
        };
        assert_eq!(bot.send(&ask).await.status, 401, "{signature:?}");
    }
    assert!(!link_of(&bot, "nova").await.unwrap().opted_out);
    bot.finish().await;
}

/// The simulated application's key, as a thief would have it who knows a little.
async fn post(bot: &Bot, body: &str, age: i64) -> Response {
    let key = SigningKey::from_bytes(b"the simulated application's seed");
    let timestamp = (bot.clock.now().unix_timestamp() - age).to_string();
    let signature = key.sign(format!("{timestamp}{body}").as_bytes()).to_bytes();
    let signature: String = signature.iter().map(|byte| format!("{byte:02X}")).collect();
    client()
        .post(format!("http://{}/interactions", bot.app.address))
        .header("x-signature-timestamp", timestamp)
        .header("x-signature-ed25519", signature)
        .body(body.to_owned())
        .send()
        .await
        .unwrap()
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn interaction(id: u64, fields: Value) -> String {
    let mut body = json!({
        "id": id.to_string(), "application_id": "1", "type": 2, "token": "t", "version": 1,
        "data": {"id": "5", "name": "optout", "type": 1},
        "user": {"id": member("nova").to_string(), "username": "nova", "global_name": null},
    });
    let fields = fields.as_object().cloned().unwrap_or_default();
    body.as_object_mut().unwrap().extend(fields);
    body.to_string()
}

#[tokio::test]
async fn signatures_count_for_five_minutes_either_way_and_interactions_once() {
    let bot = bot(&[], &["nova"]).await;
    for (id, age, status) in [(1, 290, 200), (2, 310, 401), (3, -290, 200), (4, -310, 401)] {
        let answer = post(&bot, &interaction(id, json!({})), age).await;
        assert_eq!(answer.status(), status, "{age} s old");
    }
    assert_eq!(post(&bot, &interaction(1, json!({})), 0).await.status(), 400, "again");
    let overflow = post(&bot, "{}", bot.clock.now().unix_timestamp()).await;
    assert_eq!(overflow.status(), 401);
    bot.finish().await;
}

#[tokio::test]
async fn what_is_signed_but_no_interaction_is_refused_and_what_is_unknown_is_answered() {
    let bot = bot(&[], &[]).await;
    for body in [
        "",
        "[]",
        "{",
        r#"{"type": 1}"#,
        &interaction(0, json!({})),
        &interaction(1, json!({"user": null})),
        &interaction(2, json!({"user": {"id": "nobody", "username": ""}})),
        &interaction(3, json!({"data": null})),
        &interaction(4, json!({"type": 3, "data": {"custom_id": 7}})),
        &interaction(5, json!({"type": "2"})),
    ] {
        assert_eq!(post(&bot, body, 0).await.status(), 400, "{body}");
    }
    for unknown in [
        interaction(11, json!({"type": 99})),
        interaction(12, json!({"type": 5, "data": {"custom_id": "x", "components": []}})),
        interaction(
            13,
            json!({"type": 3, "data": {"custom_id": "x", "component_type": 3, "values": []}}),
        ),
    ] {
        let answer = post(&bot, &unknown, 0).await;
        assert_eq!(answer.status(), 200);
        let answer: Value = answer.json().await.unwrap();
        assert_eq!((&answer["type"], &answer["data"]["flags"]), (&json!(4), &json!(64)));
        let text = answer["data"]["content"].as_str().unwrap();
        assert!(text.contains("another version"), "{text}");
    }
    // Too large to be one.
    let large = interaction(20, json!({"more": "x".repeat(300_000)}));
    assert_eq!(post(&bot, &large, 0).await.status(), 413);
    bot.finish().await;
}

#[tokio::test]
async fn without_a_public_key_there_is_no_such_address() {
    let bot = Bot::start_as(world(), &[], |config| config.public_key = None).await;
    assert_eq!(post(&bot, "{}", 0).await.status(), 404);
    bot.finish().await;
}

#[tokio::test]
async fn the_first_answer_comes_at_once_however_slow_faceit_is() {
    let bot = bot(&["Nova"], &["nova"]).await;
    let slow = json!({"path": "/players/p-nova", "delay_ms": 4000});
    bot.simulator.fault(fault(slow)).unwrap();
    let asked = bot.send(&typed("nova", "verify", json!({}))).await;
    assert_eq!((asked.status, &asked.body["type"]), (200, &json!(5)), "{asked:?}");
    assert_eq!(bot.simulator.see(&asked.id).unwrap()["state"], "thinking");
    eventually("the text follows", || async {
        let seen = bot.simulator.see(&asked.id).unwrap();
        seen["content"].as_str().is_some_and(|text| text.contains("**Nova**"))
    })
    .await;
    bot.finish().await;
}

#[tokio::test]
async fn an_edit_that_is_there_before_discord_has_the_first_answer_is_sent_again() {
    let bot = bot(&[], &["nova"]).await;
    let early = json!({
        "method": "PATCH", "path": "/messages/@original", "status": 404, "times": 2,
        "body": {"message": "Unknown Webhook", "code": 10015},
    });
    bot.simulator.fault(fault(early)).unwrap();
    bot.run("nova", "optout").await.says("not moved any more");
    assert!(bot.simulator.waiting_faults().is_empty());
    bot.finish().await;
}

#[tokio::test]
async fn every_failure_ends_in_a_sentence() {
    let bot = bot(&["Nova"], &["nova"]).await;
    let cases = [
        (json!({"status": 503, "times": 9}), "FACEIT does not answer just now"),
        (json!({"status": 401}), "FACEIT refuses its key"),
        (
            json!({"status": 200, "body": [1]}),
            "Something went wrong inside Muster",
        ),
    ];
    for (mut struck, told) in cases {
        struck["path"] = json!("/players/p-nova");
        bot.simulator.fault(fault(struck)).unwrap();
        bot.run("nova", "verify").await.says(told);
        bot.simulator.clear_faults();
    }
    bot.finish().await;
}

#[tokio::test]
async fn without_the_database_people_are_told_so() {
    let bot = bot(&[], &["nova"]).await;
    let pool = bot.app.sync.sources.pool.clone();
    let mut held = Vec::new();
    for _ in 0..bot.config.database.connections {
        held.push(pool.acquire().await.unwrap());
    }
    bot.run("nova", "connections")
        .await
        .says("database can't be reached just now");
    drop(held);
    bot.run("nova", "connections").await.says("**Nova**");
    bot.finish().await;
}

#[tokio::test]
async fn in_a_direct_message_buttons_work_but_for_what_a_server_decides() {
    let bot = bot(&["Nova", "Rex"], &["nova"]).await;
    let direct = |name, on: &Shown| Ask {
        guild_id: String::new(),
        ..pressed(name, on, &on.buttons()[0].1)
    };
    let offered = bot.ask(&typed("rex", "register", json!({"nickname": "rex"}))).await;
    bot.ask(&direct("rex", &offered))
        .await
        .says("in the Discord server where you play");
    let shown = bot.run("nova", "unlink").await;
    bot.ask(&direct("nova", &shown)).await.says("no longer linked");
    bot.finish().await;
}

#[tokio::test]
async fn a_button_is_pressed_for_oneself_whatever_its_id_says() {
    let bot = bot(&["Nova", "Ada"], &["nova", "ada"]).await;
    for (id, button) in [(1, "unlink:p-ada"), (2, "erase:2003"), (3, "erase:p-ada")] {
        let made_up = interaction(
            id,
            json!({"type": 3, "token": format!("t{id}"), "data": {"custom_id": button, "component_type": 2}}),
        );
        assert_eq!(post(&bot, &made_up, 0).await.status(), 200);
        eventually("it is answered", || async {
            let journal = bot.simulator.journal();
            journal.iter().any(|entry| entry.path.contains(&format!("/t{id}/")))
        })
        .await;
        assert!(link_of(&bot, "ada").await.is_some(), "{button}");
    }
    assert_eq!(link_of(&bot, "nova").await, None, "he erased himself");
    bot.finish().await;
}

#[tokio::test]
async fn over_the_gateway_all_is_the_same() {
    let bot = bot(&["Nova", "SuperNova"], &[]).await;
    bot.simulator.set_interactions_target(None);
    bot.run("nova", "connections").await.says("You are not linked");
    let typing = Ask {
        focused: Some("nickname".to_owned()),
        ..typed("nova", "register", json!({"nickname": "nov"}))
    };
    let choices = bot.send(&typing).await.body;
    assert_eq!(choices["data"]["choices"][1]["value"], "SuperNova", "{choices}");
    let offered = bot.ask(&typed("nova", "register", json!({"nickname": "nova"}))).await;
    let button = offered.buttons()[0].1.clone();
    bot.ask(&pressed("nova", &offered, &button)).await.says("**Nova** now");
    let shown = bot.run("nova", "unlink").await;
    bot.press("nova", &shown).await.says("no longer linked to **Nova**");
    bot.finish().await;
}

#[tokio::test]
async fn what_discord_was_told_too_late_is_not_done() {
    let bot = bot(&[], &["nova"]).await;
    bot.simulator.set_interactions_target(None);
    // The callback comes back refused: he has seen that the bot does not respond.
    let late = json!({
        "method": "POST", "path": "/callback", "status": 404, "body": {"message": "Unknown interaction", "code": 10062},
    });
    bot.simulator.fault(fault(late)).unwrap();
    let asked = bot.send(&typed("nova", "optout", json!({}))).await;
    assert_eq!(asked.status, 0);
    bot.run("nova", "optin").await.says("had not opted out");
    bot.finish().await;
}

#[tokio::test]
async fn people_are_answered_in_their_language() {
    let bot = bot(&["Nova"], &[]).await;
    for (locale, told) in [
        ("de", "Du bist mit keinem FACEIT-Konto verknüpft"),
        ("en-GB", "You are not linked"),
        ("ja", "You are not linked"),
    ] {
        let ask = Ask {
            locale: Some(locale.to_owned()),
            ..typed("nova", "connections", json!({}))
        };
        bot.ask(&ask).await.says(told);
    }
    bot.finish().await;
}

/// How often Discord was told of commands.
fn told(bot: &Bot) -> usize {
    let journal = bot.simulator.journal().into_iter();
    journal
        .filter(|entry| entry.method == "PUT" && entry.path.ends_with("/commands"))
        .count()
}

#[tokio::test]
async fn when_discord_does_not_take_the_commands_the_service_runs_and_they_are_told_again() {
    let bot = bot(&[], &[]).await;
    let failing = json!({"method": "PUT", "path": "/guilds/1000/commands", "status": 500, "times": 1000});
    bot.simulator.fault(fault(failing)).unwrap();
    let mut config = bot.config.clone();
    config.commands_guild = GUILD.parse().ok();
    let app = App::start(&config, bot.clock.clone(), metrics()).await.unwrap();
    let refused = || {
        let journal = bot.simulator.journal().into_iter();
        journal
            .filter(|entry| entry.method == "PUT" && entry.status == 500)
            .count()
    };
    eventually("Discord was asked", || async { refused() > 0 }).await;
    let health = client()
        .get(format!("http://{}/healthz", app.address))
        .send()
        .await
        .unwrap();
    assert_eq!(health.status(), 200);
    assert!(app.stop().await);

    // With a shorter pause than the service has.
    let before = refused();
    let telling = enrol(
        bot.app.sync.sources.pool.clone(),
        bot.clock.clone(),
        bot.app.sync.discord.clone(),
        config.commands_guild,
        Duration::from_millis(10),
        CancellationToken::new(),
    );
    let mending = async {
        eventually("it is tried again", || async { refused() > before + 1 }).await;
        bot.simulator.clear_faults();
    };
    tokio::join!(telling, mending);
    assert!(!bot.simulator.commands(Some(GUILD)).unwrap().is_empty());
    bot.finish().await;
}

#[tokio::test]
async fn discord_is_told_of_the_commands_once_and_again_when_they_go_elsewhere() {
    let bot = bot(&[], &[]).await;
    let commands = bot.simulator.commands(None).unwrap();
    assert!(
        commands.iter().any(|command| command["name"] == "link"),
        "{commands:#?}"
    );
    for command in commands {
        assert_eq!(command["contexts"], json!([0]), "{command}");
        assert!(command["description_localizations"]["de"].is_string(), "{command}");
    }
    eventually("it is remembered", || async {
        let mut conn = bot.app.sync.sources.pool.acquire().await.unwrap();
        let lists = command_lists::of(&mut conn, BOT.parse().unwrap()).await.unwrap();
        lists.len() == 1
    })
    .await;
    assert_eq!(told(&bot), 1);
    let bot = bot.restart().await;
    bot.run("nova", "connections").await.says("not linked");
    assert_eq!(told(&bot), 1, "nothing has changed");

    // For development: in one server, and no longer everywhere.
    let bot = bot
        .restart_as(async |_, config| config.commands_guild = GUILD.parse().ok())
        .await;
    eventually("they are nowhere else", || async {
        bot.simulator.commands(None).unwrap().is_empty()
    })
    .await;
    bot.run("nova", "connections").await.says("not linked");
    bot.finish().await;
}
