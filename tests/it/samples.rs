//! Every recorded body in the folder `MUSTER_SAMPLES` must be readable. The recordings are no part of this repository.
#![expect(clippy::disallowed_methods, reason = "the folder is named by the environment")]

use std::{fs, path::Path, time::Duration};

use muster::{
    domain::{
        ids::{Faction, MatchId},
        match_facts::Status,
    },
    faceit::{
        client::{Client, HubMatches, Options},
        fact,
        webhook::Delivery,
    },
};
use serde_json::{Value, json};

use crate::faceit::{Faceit, Reply};

#[tokio::test]
async fn every_recorded_body_is_read() {
    let Some(folder) = std::env::var_os("MUSTER_SAMPLES") else {
        println!("skipped: MUSTER_SAMPLES names no folder with recorded FACEIT bodies");
        return;
    };
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("MUSTER_SAMPLES={}: {error}", Path::new(&folder).display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    let mut read = 0;
    let mut matches = Vec::new();
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let body = fs::read_to_string(file).unwrap();
        let value: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
        let kind = name.split(['_', '.']).next().unwrap_or_default();
        match kind {
            "match" => check_match(&name, &body, &value),
            "webhook" => check_webhook(&name, &body, &value),
            "player" | "search" => check_players(&name, body, &value).await,
            "hub" if name.contains("matches") => check_hub(&name, value.clone()).await,
            "data" if name.contains("headers") => check_headers(&name, &value).await,
            _ => {
                println!("JSON, but of a route that Muster doesn't ask: {name}");
                continue;
            }
        }
        if kind == "match" {
            matches.push(value);
        }
        read += 1;
    }
    check_hub("all recorded matches as a hub's list", json!({"items": matches})).await;
    println!("read {read} of {} recorded bodies", files.len());
    assert!(read > 0, "no body in {}", Path::new(&folder).display());
}

fn check_match(name: &str, body: &str, value: &Value) {
    let facts = fact::from_match_body(body.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(facts.status.as_str(), value["status"].as_str().unwrap(), "{name}");
    assert!(!matches!(facts.status, Status::Other(_)), "{name}: {}", facts.status);
    assert_eq!(
        facts.competition.kind,
        value["competition_type"].as_str().unwrap(),
        "{name}"
    );
    for faction in Faction::BOTH {
        let wire = &value["teams"][faction.as_str()];
        let side = &facts.sides[&faction];
        let roster = wire["roster"].as_array().cloned().unwrap_or_default();
        let ids: Vec<_> = side.roster.iter().map(|player| player.id.as_str()).collect();
        let expected: Vec<_> = roster
            .iter()
            .map(|player| player["player_id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, expected, "{name} {faction}");
        assert_eq!(side.name, wire["name"].as_str().unwrap(), "{name} {faction}");
        assert_eq!(side.bye, wire["type"] == "bye", "{name} {faction}");
    }
    for (key, moment) in [
        ("scheduled_at", facts.scheduled_at),
        ("configured_at", facts.configured_at),
        ("started_at", facts.started_at),
        ("finished_at", facts.finished_at),
    ] {
        assert_eq!(
            moment.map(|at| at.unix_timestamp()),
            value[key].as_i64(),
            "{name} {key}"
        );
    }
    assert_eq!(
        facts.map.is_some(),
        value["voting"]["map"]["pick"][0].is_string(),
        "{name}"
    );
}

fn check_webhook(name: &str, body: &str, value: &Value) {
    let delivery = Delivery::parse(body.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let payload = &value["payload"];
    assert_eq!(delivery.event, value["event"].as_str().unwrap(), "{name}");
    assert_eq!(delivery.delivery_id(), value["event_id"].as_str().unwrap(), "{name}");
    assert_eq!(
        delivery.match_id.as_ref().unwrap().as_str(),
        payload["id"].as_str().unwrap(),
        "{name}"
    );
    assert_eq!(delivery.payload_version, payload["version"].as_i64(), "{name}");
    assert_eq!(delivery.demo_url.as_deref(), payload["demo_url"].as_str(), "{name}");
    if let Some(facts) = delivery.facts() {
        assert!(facts.rosters_known(), "{name}");
        let never = payload["started_at"].as_str().is_none_or(|at| at.starts_with("1970"));
        assert_eq!(facts.started_at.is_none(), never, "{name}");
    }
}

async fn check_players(name: &str, body: String, value: &Value) {
    let faceit = Faceit::start(move |_, _| Reply::json(&body)).await;
    match value["items"].as_array() {
        Some(items) => {
            let found = faceit.client().search_players("x").await.unwrap();
            assert_eq!(found.len(), items.len(), "{name}");
        }
        None => {
            let player = faceit.client().player_by_nickname("x").await.unwrap();
            assert_eq!(player.id.as_str(), value["player_id"].as_str().unwrap(), "{name}");
        }
    }
}

async fn check_hub(name: &str, page: Value) {
    let expected = page["items"].as_array().unwrap().len();
    let faceit = Faceit::start(move |_, _| Reply::json(&page.to_string())).await;
    let matches = faceit.client().hub_matches("x", HubMatches::All, 100).await.unwrap();
    assert_eq!(matches.len(), expected, "{name}");
}

/// A good answer's headers ask for no pause.
async fn check_headers(name: &str, headers: &Value) {
    let headers: Vec<_> = headers
        .as_object()
        .unwrap()
        .iter()
        .filter(|(key, _)| key.contains("ratelimit"))
        .map(|(key, value)| (&*key.to_lowercase().leak(), value.as_str().unwrap().to_owned()))
        .collect();
    assert!(!headers.is_empty(), "{name}");
    let faceit = Faceit::start(move |_, _| Reply::Send(200, headers.clone(), r#"{"status":"READY"}"#.to_owned())).await;
    let client = Client::new(Options {
        deadline: Duration::from_millis(200),
        ..faceit.options()
    })
    .unwrap();
    for _ in 0..2 {
        client
            .fetch_match(&MatchId::new("1-a"))
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
