//! Several bots: each with its own token, guilds, permissions and buckets.

use muster::simulator::{Limits, Rate, Side};
use reqwest::Method;
use serde_json::json;

use super::*;

const MOVER: &str = "900000000000000002";

async fn start_with_mover(guilds: Value) -> Simulator {
    let mover = json!({ "id": MOVER, "name": "Mover", "token": "mover-token", "guilds": guilds });
    start(json!({ "bots": [mover] })).await
}

async fn ask(simulator: &Simulator, token: &str, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.request(method, format!("{}{path}", simulator.addresses().discord_api));
    request = request.header("authorization", format!("Bot {token}"));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

async fn move_ada(simulator: &Simulator, token: &str, channel: &str) -> (u16, Value) {
    let body = json!({ "channel_id": channel });
    ask(simulator, token, Method::PATCH, "/guilds/1000/members/2001", Some(body)).await
}

#[tokio::test]
async fn each_bot_spends_its_own_bucket() {
    let simulator = start_with_mover(Value::Null).await;
    let member_edit = Rate {
        limit: 10,
        per_ms: 600_000,
    };
    simulator.set_limits(Limits {
        member_edit,
        ..Limits::default()
    });
    for token in ["simulated-bot-token", "mover-token"] {
        for turn in 0..10 {
            let target = if turn % 2 == 0 { "1013" } else { LOBBY };
            assert_eq!(move_ada(&simulator, token, target).await.0, 200, "{token} {turn}");
        }
        assert_eq!(move_ada(&simulator, token, LOBBY).await.0, 429, "{token}");
    }
    assert!(simulator.journal().iter().all(|entry| entry.side == Side::Discord));
}

#[tokio::test]
async fn a_mover_needs_connect_and_move_members_on_both_sides() {
    let simulator = start_with_mover(Value::Null).await;
    assert_eq!(move_ada(&simulator, "mover-token", "1013").await.0, 200);
    for channel in ["1013", LOBBY] {
        // MOVE_MEMBERS is gone in one channel, for this bot only.
        let overwrites = json!([{ "id": MOVER, "type": 1, "deny": "16777216" }]);
        simulator.set_overwrites(channel, &overwrites).unwrap();
        let (status, body) = move_ada(&simulator, "mover-token", LOBBY).await;
        assert_eq!((status, &body["code"]), (403, &json!(50013)), "without it in {channel}");
        simulator.set_overwrites(channel, &json!([])).unwrap();
    }
    let create = json!({ "name": "Red", "type": 2 });
    let path = "/guilds/1000/channels";
    let (status, body) = ask(&simulator, "mover-token", Method::POST, path, Some(create)).await;
    assert_eq!((status, &body["code"]), (403, &json!(50013)), "it may only move");
}

#[tokio::test]
async fn a_bot_sees_nothing_of_a_guild_it_is_not_in() {
    let simulator = start_with_mover(json!([])).await;
    let (status, body) = ask(&simulator, "mover-token", Method::GET, "/guilds/1000", None).await;
    assert_eq!((status, &body["code"]), (404, &json!(10004)));
    let (status, body) = ask(&simulator, "mover-token", Method::GET, "/guilds/1000/channels", None).await;
    assert_eq!((status, &body["code"]), (403, &json!(50001)));
    let (_, guilds) = ask(&simulator, "mover-token", Method::GET, "/users/@me/guilds", None).await;
    assert_eq!(guilds, json!([]));
    let (_, me) = ask(&simulator, "mover-token", Method::GET, "/users/@me", None).await;
    assert_eq!(me["id"], MOVER);
}

#[tokio::test]
async fn a_bot_let_in_and_thrown_out_hears_of_it() {
    let simulator = start_with_mover(json!([])).await;
    let mut other = Client::ready(&simulator).await;
    let mut mover = Client::connect(&simulator).await;
    mover.identify_with(json!({ "token": "mover-token" })).await;
    let ready = mover.event("READY").await;
    assert_eq!((&ready["user"]["id"], &ready["guilds"]), (&json!(MOVER), &json!([])));

    simulator.add_bot(GUILD, MOVER, 17_826_816).unwrap();
    assert_eq!(mover.event("GUILD_CREATE").await["id"], GUILD);
    let role = other.event("GUILD_ROLE_CREATE").await["role"].clone();
    assert_eq!(role["tags"]["bot_id"], MOVER);
    assert_eq!(move_ada(&simulator, "mover-token", "1013").await.0, 200);
    mover.event("VOICE_STATE_UPDATE").await;
    other.event("VOICE_STATE_UPDATE").await;

    simulator.remove_bot(GUILD, MOVER).unwrap();
    assert_eq!(mover.event("GUILD_DELETE").await, json!({ "id": GUILD }));
    assert_eq!(other.event("GUILD_ROLE_DELETE").await["role_id"], role["id"]);
    simulator.connect(GUILD, "2003", LOBBY).unwrap();
    other.event("VOICE_STATE_UPDATE").await;
    mover.silent().await;
}

#[tokio::test]
async fn a_reset_token_ends_the_session_and_is_refused() {
    let simulator = start(json!({})).await;
    let mut client = Client::ready(&simulator).await;
    simulator.reset_token(BOT, "another-token").unwrap();
    assert_eq!(client.end().await, Some(4004));
    let old = ask(&simulator, "simulated-bot-token", Method::GET, "/users/@me", None).await;
    assert_eq!(old.0, 401);
    let new = ask(&simulator, "another-token", Method::GET, "/users/@me", None).await;
    assert_eq!(new.0, 200);
}

#[tokio::test]
async fn bots_that_do_not_fit_together_are_refused() {
    let world = json!({
        "guilds": [],
        "bots": [{ "id": BOT, "name": "Twin", "token": "simulated-bot-token", "guilds": [{ "id": "7" }] }],
    });
    let world = WorldFile::parse(&world.to_string()).unwrap();
    let error = Simulator::start(world, Options::default())
        .await
        .unwrap_err()
        .to_string();
    for wrong in ["is listed twice", "has the token of another one", "guild 7"] {
        assert!(error.contains(wrong), "{wrong:?} in {error}");
    }
}
