//! The rules of the protocol: heartbeats, resume and replay, and the codes a connection ends with.

use serde_json::json;

use super::*;

#[tokio::test]
async fn a_heartbeat_is_acknowledged() {
    let simulator = start(json!({})).await;
    let mut client = Client::connect(&simulator).await;
    client.silent().await;
}

#[tokio::test]
async fn a_session_goes_on_after_a_cut_and_brings_what_was_missed() {
    let simulator = start(json!({})).await;
    let client = Client::ready(&simulator).await;
    let (session, seq) = (client.session.clone(), client.seq);
    client.cut();
    simulator.connect(GUILD, "2003", LOBBY).unwrap();
    let mut again = Client::connect_to(&simulator, "//?v=10&encoding=json&compress=zstd-stream").await;
    again.resume(&session, seq).await;
    let state = again.event("VOICE_STATE_UPDATE").await;
    assert_eq!((&state["user_id"], again.seq), (&json!("2003"), seq + 1));
    again.event("RESUMED").await;
    simulator.disconnect(GUILD, "2003").unwrap();
    again.event("VOICE_STATE_UPDATE").await;
    assert_eq!(again.seq, seq + 3);
}

#[tokio::test]
async fn a_session_that_said_goodbye_is_gone() {
    let simulator = start(json!({})).await;
    let mut client = Client::ready(&simulator).await;
    let frame = CloseFrame {
        code: 1000.into(),
        reason: "".into(),
    };
    client.socket.send(Message::Close(Some(frame))).await.unwrap();
    client.end().await;
    let mut again = Client::connect(&simulator).await;
    again.resume(&client.session, client.seq).await;
    let refused = again.payload().await;
    assert_eq!((&refused["op"], &refused["d"]), (&json!(9), &json!(false)));
}

#[tokio::test]
async fn each_mistake_has_its_close_code() {
    let simulator = start(json!({})).await;
    let identify = |fields: serde_json::Value| {
        let mut data = json!({ "token": "simulated-bot-token", "intents": INTENTS, "properties": {} });
        data.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        json!({ "op": 2, "d": data })
    };
    for (code, payload) in [
        (4001, json!({ "op": 99, "d": null })),
        (4002, json!({ "opcode": 1 })),
        (4002, json!({ "op": 2, "d": { "token": "simulated-bot-token" } })),
        (4002, json!({ "op": 1, "d": "x".repeat(4096) })),
        (4003, json!({ "op": 3, "d": {} })),
        (4004, identify(json!({ "token": "Bot another" }))),
        (4010, identify(json!({ "shard": [1, 1] }))),
        (4013, identify(json!({ "intents": 1 << 30 }))),
        (4014, identify(json!({ "intents": 1 << 1 }))),
    ] {
        let mut client = Client::connect(&simulator).await;
        client.say(payload.clone()).await;
        assert_eq!(client.end().await, Some(code), "{payload}");
    }
    let mut client = Client::ready(&simulator).await;
    client.identify(INTENTS).await;
    assert_eq!(client.end().await, Some(4005));
    let mut client = Client::connect(&simulator).await;
    let last = Client::ready(&simulator).await;
    client.resume(&last.session, last.seq + 1).await;
    assert_eq!(client.end().await, Some(4007));
    let mut client = Client::connect(&simulator).await;
    for _ in 0..120 {
        client.silent().await;
    }
    client.say(json!({ "op": 1, "d": null })).await;
    assert_eq!(client.end().await, Some(4008));
    let mut old = Client::connect_to(&simulator, "/?v=6&encoding=json").await;
    assert_eq!(old.end().await, Some(4012));
}

#[tokio::test]
async fn a_client_whose_heart_stops_is_closed_and_its_session_ends() {
    let simulator = start(json!({ "gateway": { "heartbeat_interval_ms": 100 } })).await;
    let mut client = Client::ready(&simulator).await;
    assert_eq!(client.end().await, Some(4009));
    let mut again = Client::connect(&simulator).await;
    again.resume(&client.session, client.seq).await;
    assert_eq!(again.payload().await["op"], 9);
}
