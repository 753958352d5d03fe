//! What a driver can do to sessions and events, and what it can count; identify limits and shards.

use std::time::Duration;

use muster::simulator::{EventFault, Upset, Whose};
use serde_json::json;

use super::*;

fn upset(event: &str, action: Upset, until: u32) -> EventFault {
    EventFault {
        event: event.to_owned(),
        action,
        skip: 0,
        times: 1,
        until,
    }
}

/// Who the next voice event is about, and where he sits.
async fn seat(client: &mut Client) -> (String, Value) {
    let mut state = client.event("VOICE_STATE_UPDATE").await;
    (
        state["user_id"].as_str().unwrap().to_owned(),
        state["channel_id"].take(),
    )
}

#[tokio::test]
async fn connections_end_with_a_code_or_without_one_and_can_be_resumed() {
    let simulator = start(json!({})).await;
    for code in [None, Some(4000)] {
        let mut client = Client::ready(&simulator).await;
        let whose = Whose {
            session_id: Some(client.session.clone()),
            ..Whose::default()
        };
        assert_eq!(simulator.end_connections(&whose, code), 1);
        assert_eq!(client.end().await, code);
        let mut again = Client::connect(&simulator).await;
        again.resume(&client.session, client.seq).await;
        again.event("RESUMED").await;
    }
    let report = simulator.gateway();
    let counts = &report.counts;
    assert_eq!((counts.connections, counts.identifies, counts.resumes), (4, 2, 2));
    assert_eq!(counts.closed.get(&4000), Some(&1));
    assert_eq!(report.sessions.len(), 2);
}

#[tokio::test]
async fn a_client_is_asked_to_reconnect_or_told_that_its_session_is_invalid() {
    let simulator = start(json!({})).await;
    let mut client = Client::ready(&simulator).await;
    simulator.ask_to_reconnect(&Whose::default());
    assert_eq!(client.payload().await["op"], 7);
    simulator.invalidate_sessions(&Whose::default(), true);
    let told = client.payload().await;
    assert_eq!((&told["op"], &told["d"]), (&json!(9), &json!(true)));
    let (session, seq) = (client.session.clone(), client.seq);
    client.resume(&session, seq).await;
    client.event("RESUMED").await;
    simulator.invalidate_sessions(&Whose::default(), false);
    let told = client.payload().await;
    assert_eq!((&told["op"], &told["d"]), (&json!(9), &json!(false)));
    client.resume(&session, seq + 1).await;
    assert_eq!(client.payload().await["op"], 9, "it is gone");
    client.identify(INTENTS).await;
    client.event("READY").await;
}

#[tokio::test]
async fn connections_can_end_right_after_their_hello() {
    let simulator = start(json!({})).await;
    for code in [None, Some(4000)] {
        simulator.end_after_hello(1, code);
        let mut client = Client::connect(&simulator).await;
        assert_eq!(client.end().await, code);
        Client::ready(&simulator).await;
    }
}

#[tokio::test]
async fn a_refused_resume_loses_its_session() {
    let simulator = start(json!({})).await;
    let client = Client::ready(&simulator).await;
    let (session, seq) = (client.session.clone(), client.seq);
    client.cut();
    simulator.refuse_resumes(1);
    let mut again = Client::connect(&simulator).await;
    again.resume(&session, seq).await;
    assert_eq!(again.payload().await["op"], 9);
    assert_eq!(simulator.gateway().counts.resumes_refused, 1);
    assert_eq!(simulator.gateway().sessions, []);
}

#[tokio::test]
async fn a_heartbeat_can_go_unanswered() {
    let simulator = start(json!({})).await;
    let mut client = Client::ready(&simulator).await;
    simulator.leave_heartbeats_unanswered(true);
    client.say(json!({ "op": 1, "d": client.seq })).await;
    simulator.connect(GUILD, "2003", LOBBY).unwrap();
    assert_eq!(seat(&mut client).await.0, "2003");
    simulator.leave_heartbeats_unanswered(false);
    client.silent().await;
}

#[tokio::test]
async fn events_get_lost_come_twice_and_come_late() {
    let simulator = start(json!({})).await;
    let mut client = Client::ready(&simulator).await;
    let name = "VOICE_STATE_UPDATE";
    simulator.upset_events(upset(name, Upset::Lose, 0)).unwrap();
    simulator.connect(GUILD, "2003", LOBBY).unwrap();
    simulator.upset_events(upset(name, Upset::Repeat, 0)).unwrap();
    simulator.connect(GUILD, "2003", "1013").unwrap();
    for _ in 0..2 {
        assert_eq!(seat(&mut client).await, ("2003".to_owned(), json!("1013")));
    }
    // Held until one other event, then until it is let go.
    simulator.upset_events(upset(name, Upset::Hold, 1)).unwrap();
    simulator.connect(GUILD, "2001", "1013").unwrap();
    simulator.connect(GUILD, "2002", "1013").unwrap();
    assert_eq!(seat(&mut client).await.0, "2002");
    assert_eq!(seat(&mut client).await.0, "2001");
    simulator.upset_events(upset(name, Upset::Hold, 0)).unwrap();
    simulator.disconnect(GUILD, "2001").unwrap();
    simulator.disconnect(GUILD, "2002").unwrap();
    assert_eq!(seat(&mut client).await.0, "2002");
    simulator.release_events();
    assert_eq!(seat(&mut client).await, ("2001".to_owned(), Value::Null));
    assert!(simulator.upset_events(upset("TYPING_START", Upset::Lose, 0)).is_err());
}

#[tokio::test]
async fn an_outage_hides_a_guild_until_it_comes_back_as_it_is_then() {
    let simulator = start(json!({})).await;
    let mut client = Client::ready(&simulator).await;
    simulator.set_outage(GUILD, true).unwrap();
    let gone = client.event("GUILD_DELETE").await;
    assert_eq!(gone, json!({ "id": GUILD, "unavailable": true }));
    simulator.connect(GUILD, "2003", LOBBY).unwrap();
    let mut late = Client::connect(&simulator).await;
    late.identify(INTENTS).await;
    late.event("READY").await;
    late.silent().await;
    simulator.set_outage(GUILD, false).unwrap();
    for told in [&mut client, &mut late] {
        let guild = told.event("GUILD_CREATE").await;
        assert_eq!(guild["voice_states"].as_array().unwrap().len(), 3);
    }
    simulator.rename_guild(GUILD, "Klan").unwrap();
    assert_eq!(client.event("GUILD_UPDATE").await["name"], "Klan");
}

#[tokio::test]
async fn identifies_are_spaced_by_five_seconds() {
    let simulator = start(json!({ "gateway": { "max_concurrency": 1 } })).await;
    Client::ready(&simulator).await;
    let mut early = Client::connect(&simulator).await;
    early.identify(INTENTS).await;
    assert_eq!(early.payload().await["op"], 9);
    simulator.advance(Duration::from_secs(5));
    early.identify(INTENTS).await;
    early.event("READY").await;
    let counts = simulator.gateway().counts;
    assert_eq!((counts.identifies, counts.identifies_refused), (2, 1));
}

#[tokio::test]
async fn too_many_identifies_in_a_day_cost_the_token() {
    let simulator = start(json!({ "gateway": { "identifies_per_day": 1 } })).await;
    let mut first = Client::ready(&simulator).await;
    let mut second = Client::connect(&simulator).await;
    second.identify(INTENTS).await;
    assert_eq!(second.end().await, Some(4004));
    assert_eq!(first.end().await, Some(4004));
    let mut third = Client::connect(&simulator).await;
    third.identify(INTENTS).await;
    assert_eq!(third.end().await, Some(4004), "the token is another one now");
}

#[tokio::test]
async fn a_session_can_be_resumed_for_so_long_and_so_far_back() {
    let simulator = start(json!({ "gateway": { "resume_window_ms": 60_000, "replay_events": 2 } })).await;
    let client = Client::ready(&simulator).await;
    let (session, seq) = (client.session.clone(), client.seq);
    client.cut();
    simulator.connect(GUILD, "2003", LOBBY).unwrap();
    simulator.connect(GUILD, "2003", "1013").unwrap();
    let mut again = Client::connect(&simulator).await;
    again.resume(&session, seq - 1).await;
    assert_eq!(again.payload().await["op"], 9, "one event of three is forgotten");
    again.resume(&session, seq).await;
    assert_eq!(seat(&mut again).await.1, LOBBY);
    assert_eq!(seat(&mut again).await.1, "1013");
    again.event("RESUMED").await;
    // Ended by the simulator, so that the window opens now and not when the simulator notices.
    simulator.end_connections(&Whose::default(), None);
    simulator.advance(Duration::from_secs(60));
    let mut late = Client::connect(&simulator).await;
    late.resume(&session, again.seq).await;
    assert_eq!(late.payload().await["op"], 9, "too late");
}

#[tokio::test]
async fn a_shard_hears_of_its_own_guilds_only() {
    let other = 1_u64 << 22;
    let guilds: Vec<Value> = [1000, other]
        .iter()
        .map(|id| json!({ "id": id.to_string(), "name": "G" }))
        .collect();
    let extra = json!({ "guilds": guilds, "gateway": { "guilds_per_shard": 1 } });
    let simulator = start(extra).await;
    for (shard, guild) in [(0, 1000), (1, other)] {
        let mut client = Client::connect(&simulator).await;
        client.identify_with(json!({ "shard": [shard, 2] })).await;
        let ready = client.event("READY").await;
        assert_eq!(ready["shard"], json!([shard, 2]));
        assert_eq!(client.event("GUILD_CREATE").await["id"], guild.to_string());
        client.silent().await;
    }
    let mut all = Client::connect(&simulator).await;
    all.identify(INTENTS).await;
    assert_eq!(all.end().await, Some(4011));
}
