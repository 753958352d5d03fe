//! Commands and buttons over the gateway are handed on as they are, and whoever is slow to take them holds up nothing.

use std::sync::Arc;

use muster::{
    app::choose_tls,
    clock::Clock,
    discord::{Shards, VoiceMap},
    gateway::{Gateway, Options},
    simulator::Ask,
};
use serde_json::json;
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::support::{
    bot::PATIENCE,
    service::{Place, client},
};

#[tokio::test(flavor = "multi_thread")]
async fn interactions_are_handed_on_unread() {
    choose_tls();
    let place = Place::new(&[]).await;
    let addresses = place.simulator.addresses().clone();
    let options = muster::discord::client::Options::new(
        addresses.discord_api.parse().expect("an address"),
        addresses.bot_token.clone().into(),
    );
    let (interactions, mut handed_on) = mpsc::unbounded_channel();
    let (voice, shards, stop) = (VoiceMap::default(), Shards::default(), CancellationToken::new());
    let gateway = Gateway {
        pool: place.pool.clone(),
        clock: Clock::system(),
        discord: muster::discord::Client::new(options).expect("a client"),
        voice: voice.clone(),
        shards,
        wake: Arc::new(Notify::new()),
        standing_by: watch::channel(false).0,
        interactions: Some(interactions),
        options: Options {
            token: addresses.bot_token.clone().into(),
            url: None,
            shards: None,
        },
        stop: stop.clone(),
    };
    let mut running = JoinSet::new();
    running.spawn(gateway.run());
    eventually("the guild is known", || async { voice.is_known(guild()) }).await;

    let commands = json!([{"name": "link", "description": "Links", "type": 1}]);
    let registered = client()
        .put(format!(
            "{}/applications/{}/commands",
            addresses.discord_api,
            crate::support::bot::BOT
        ))
        .header("authorization", format!("Bot {}", addresses.bot_token))
        .json(&commands)
        .send()
        .await
        .expect("it answers");
    assert_eq!(registered.status(), 200);
    let ask = Ask {
        guild_id: GUILD.to_owned(),
        user_id: member("nova").to_string(),
        command: "link".to_owned(),
        ..Ask::default()
    };
    // Nobody answers it: all the same the events after it are taken in.
    let asked = place.simulator.ask(&ask);
    let later = async {
        let text = timeout(PATIENCE, handed_on.recv())
            .await
            .expect("it comes")
            .expect("it comes");
        let body: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            (&body["data"]["name"], &body["guild_id"]),
            (&json!("link"), &json!(GUILD)),
            "{body}"
        );
        assert!(body["token"].is_string(), "{body}");
        place
            .simulator
            .connect(GUILD, &member("nova").to_string(), BAR)
            .expect("he can");
        eventually("what comes later is known", || async {
            voice.channel_of(guild(), user("nova")) == Some(channel(BAR))
        })
        .await;
    };
    let (asked, ()) = tokio::join!(asked, later);
    assert_eq!(asked.expect("the command is known").status, 0, "nobody has answered");
    stop.cancel();
    timeout(PATIENCE, running.join_all()).await.expect("it stops");
}
