//! What a session is told of: guilds, channels, voice states, permissions; what it is told of channels it can't view.

use reqwest::Method;
use serde_json::{Value, json};

use super::*;

async fn rest(simulator: &Simulator, method: Method, path: &str, body: Option<Value>) -> Value {
    let addresses = simulator.addresses();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.request(method, format!("{}{path}", addresses.discord_api));
    request = request.header("authorization", format!("Bot {}", addresses.bot_token));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    answer.json().await.unwrap_or(Value::Null)
}

#[tokio::test]
async fn a_session_starts_with_ready_and_every_guild_as_it_stands() {
    let simulator = start(json!({})).await;
    let mut client = Client::connect(&simulator).await;
    client.identify(INTENTS).await;
    let ready = client.event("READY").await;
    assert_eq!(ready["guilds"], json!([{ "id": GUILD, "unavailable": true }]));
    assert_eq!(ready["user"]["id"], BOT);
    assert_eq!(ready["resume_gateway_url"], simulator.addresses().discord_gateway);
    let guild = client.event("GUILD_CREATE").await;
    let names = |list: &str| -> Vec<String> {
        let listed = guild[list].as_array().unwrap().iter();
        listed.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("channels"), ["Matches", "Lobby", "chat", "Bar"]);
    assert_eq!(names("roles").len(), 2, "@everyone and the bot's own");
    let states = guild["voice_states"].as_array().unwrap();
    let seats: Vec<_> = states
        .iter()
        .map(|state| (&state["user_id"], &state["channel_id"]))
        .collect();
    assert_eq!(
        seats,
        [(&json!("2001"), &json!(LOBBY)), (&json!("2002"), &json!(LOBBY))]
    );
    assert!(states[0].get("guild_id").is_none() && states[0].get("member").is_none());
    let members = guild["members"].as_array().unwrap().iter();
    let members: Vec<_> = members.map(|member| member["user"]["id"].as_str().unwrap()).collect();
    assert_eq!(members, [BOT, "2001", "2002"], "the bot and those in voice");
}

#[tokio::test]
async fn every_way_into_and_out_of_a_voice_channel_is_told() {
    let simulator = start(json!({})).await;
    let mut client = Client::ready(&simulator).await;
    let mut seat = async |user: &str| {
        let state = client.event("VOICE_STATE_UPDATE").await;
        assert_eq!((&state["user_id"], &state["guild_id"]), (&json!(user), &json!(GUILD)));
        assert_eq!(state["member"]["user"]["id"], user);
        state["channel_id"].clone()
    };
    simulator.connect(GUILD, "2003", LOBBY).unwrap();
    assert_eq!(seat("2003").await, LOBBY);
    simulator.connect(GUILD, "2003", "1013").unwrap();
    assert_eq!(seat("2003").await, "1013");
    let body = json!({ "channel_id": LOBBY });
    rest(&simulator, Method::PATCH, "/guilds/1000/members/2003", Some(body)).await;
    assert_eq!(seat("2003").await, LOBBY);
    simulator.disconnect(GUILD, "2003").unwrap();
    assert_eq!(seat("2003").await, Value::Null);
    simulator.delete_channel(LOBBY).unwrap();
    assert_eq!(client.event("CHANNEL_DELETE").await["id"], LOBBY);
    for user in ["2001", "2002"] {
        let state = client.event("VOICE_STATE_UPDATE").await;
        assert_eq!((&state["user_id"], &state["channel_id"]), (&json!(user), &Value::Null));
    }
}

#[tokio::test]
async fn channels_are_told_of_as_they_come_change_and_go() {
    let simulator = start(json!({})).await;
    let mut client = Client::ready(&simulator).await;
    let body = json!({ "name": "Red", "type": 2, "parent_id": "1010" });
    let made = rest(&simulator, Method::POST, "/guilds/1000/channels", Some(body)).await;
    assert_eq!(client.event("CHANNEL_CREATE").await, made);
    let path = format!("/channels/{}", made["id"].as_str().unwrap());
    let edited = rest(&simulator, Method::PATCH, &path, Some(json!({ "user_limit": 5 }))).await;
    assert_eq!(client.event("CHANNEL_UPDATE").await, edited);
    rest(&simulator, Method::DELETE, &path, None).await;
    assert_eq!(client.event("CHANNEL_DELETE").await["id"], made["id"]);
    // What lies in a category lies under nothing when it goes.
    rest(&simulator, Method::DELETE, "/channels/1010", None).await;
    assert_eq!(client.event("CHANNEL_DELETE").await["id"], "1010");
    let bar = client.event("CHANNEL_UPDATE").await;
    assert_eq!((&bar["id"], &bar["parent_id"]), (&json!("1013"), &Value::Null));
}

#[tokio::test]
async fn a_channel_out_of_sight_has_no_name_until_the_bot_may_view_it() {
    let simulator = start(json!({})).await;
    let mut client = Client::ready(&simulator).await;
    // Only the @everyone role could let it see anything now.
    simulator.set_bot_permissions(GUILD, 1 << 4).unwrap();
    let role = client.event("GUILD_ROLE_UPDATE").await;
    assert_eq!(role["role"]["permissions"], "16");
    for id in ["1010", LOBBY, "1012", "1013"] {
        let channel = client.event("CHANNEL_UPDATE").await;
        assert_eq!((&channel["id"], &channel["name"]), (&json!(id), &json!("___hidden___")));
        assert_eq!(channel["flags"], 1 << 17);
        let veil = json!([{ "id": GUILD, "type": 0, "allow": "0", "deny": "1024" }]);
        assert_eq!(channel["permission_overwrites"], veil);
    }
    let mut late = Client::connect(&simulator).await;
    late.identify(INTENTS).await;
    late.event("READY").await;
    let guild = late.event("GUILD_CREATE").await;
    let names = guild["channels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|channel| &channel["name"]);
    assert!(
        names.clone().all(|name| name == "___hidden___"),
        "{:?}",
        names.collect::<Vec<_>>()
    );

    simulator.set_bot_permissions(GUILD, 53_478_928).unwrap();
    client.event("GUILD_ROLE_UPDATE").await;
    for name in ["Matches", "Lobby", "chat", "Bar"] {
        let channel = client.event("CHANNEL_UPDATE").await;
        assert_eq!((&channel["name"], &channel["flags"]), (&json!(name), &json!(0)));
    }
    client.silent().await;
}

#[tokio::test]
async fn a_session_hears_only_of_what_it_asked_for() {
    let simulator = start(json!({})).await;
    let mut deaf = Client::connect(&simulator).await;
    deaf.identify(1).await;
    deaf.event("READY").await;
    let guild = deaf.event("GUILD_CREATE").await;
    assert_eq!(guild["voice_states"], json!([]));
    let mut blind = Client::connect(&simulator).await;
    blind.identify(1 << 7).await;
    assert_eq!(blind.event("READY").await["guilds"], json!([]));
    simulator.connect(GUILD, "2003", LOBBY).unwrap();
    simulator.delete_channel("1012").unwrap();
    blind.event("VOICE_STATE_UPDATE").await;
    blind.silent().await;
    deaf.event("CHANNEL_DELETE").await;
    deaf.silent().await;
}

#[tokio::test]
async fn roles_are_told_of_as_they_come_change_and_go() {
    let simulator = start(json!({})).await;
    let mut client = Client::ready(&simulator).await;
    simulator.set_role(GUILD, "1050", 0).unwrap();
    assert_eq!(client.event("GUILD_ROLE_CREATE").await["role"]["id"], "1050");
    simulator.set_role(GUILD, "1050", 1024).unwrap();
    assert_eq!(client.event("GUILD_ROLE_UPDATE").await["role"]["permissions"], "1024");

    // Only what becomes of the bot itself is told without a privileged intent.
    simulator.set_roles_of(GUILD, "2001", &["1050"]).unwrap();
    client.silent().await;
    simulator.set_roles_of(GUILD, BOT, &["1050"]).unwrap();
    let own = client.event("GUILD_MEMBER_UPDATE").await;
    assert_eq!(own["user"]["id"], BOT);
    assert_eq!(own["roles"].as_array().unwrap().len(), 2, "its own role stays");

    let overwrites = json!([{ "id": "1050", "type": 0, "allow": "1024" }]);
    simulator.set_overwrites("1013", &overwrites).unwrap();
    client.event("CHANNEL_UPDATE").await;
    simulator.delete_role(GUILD, "1050").unwrap();
    assert_eq!(client.event("GUILD_ROLE_DELETE").await["role_id"], "1050");
    assert_eq!(
        client.event("GUILD_MEMBER_UPDATE").await["roles"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(client.event("CHANNEL_UPDATE").await["permission_overwrites"], json!([]));
    client.silent().await;
    assert!(simulator.delete_role(GUILD, GUILD).is_err(), "@everyone stays");
}

#[tokio::test]
async fn a_permission_of_everyone_or_of_the_category_shows_and_hides_channels() {
    let simulator = start(json!({})).await;
    simulator.set_bot_permissions(GUILD, 0).unwrap();
    let mut client = Client::ready(&simulator).await;
    simulator.set_role(GUILD, GUILD, 1024).unwrap();
    client.event("GUILD_ROLE_UPDATE").await;
    for name in ["Matches", "Lobby", "chat", "Bar"] {
        assert_eq!(client.event("CHANNEL_UPDATE").await["name"], name);
    }
    let veil = json!([{ "id": GUILD, "type": 0, "deny": "1024" }]);
    simulator.set_overwrites("1013", &veil).unwrap();
    let bar = client.event("CHANNEL_UPDATE").await;
    assert_eq!((&bar["id"], &bar["name"]), (&json!("1013"), &json!("___hidden___")));
    client.silent().await;

    // Who sits in a hidden channel is told all the same.
    simulator.connect(GUILD, "2003", "1013").unwrap();
    let state = client.event("VOICE_STATE_UPDATE").await;
    assert_eq!(
        (&state["user_id"], &state["channel_id"]),
        (&json!("2003"), &json!("1013"))
    );
}

#[tokio::test]
async fn who_leaves_the_guild_leaves_voice_too() {
    let simulator = start(json!({})).await;
    let mut client = Client::ready(&simulator).await;
    simulator.remove_member(GUILD, "2001").unwrap();
    let state = client.event("VOICE_STATE_UPDATE").await;
    assert_eq!(
        (&state["user_id"], &state["channel_id"]),
        (&json!("2001"), &Value::Null)
    );
    assert_eq!(state.get("member"), None);
    client.silent().await;
    simulator.set_roles_of(GUILD, "2001", &[]).unwrap();
    simulator.connect(GUILD, "2001", LOBBY).unwrap();
    assert_eq!(client.event("VOICE_STATE_UPDATE").await["member"]["user"]["id"], "2001");
    assert!(
        simulator.remove_member(GUILD, BOT).is_err(),
        "a bot is thrown out otherwise"
    );
}
