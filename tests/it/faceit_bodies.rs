//! FACEIT's bodies, good and bad: what each fixture says, and that no body whatever can do worse than be refused.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use muster::{
    domain::match_facts::MatchFacts,
    faceit::{
        fact,
        webhook::{Delivery, Malformed, implied_status, needs_match},
    },
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn fixtures(prefix: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/faceit");
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.file_stem().unwrap().to_string_lossy().into_owned(),
                fs::read(path).unwrap(),
            )
        })
        .filter(|(name, _)| name.starts_with(prefix))
        .collect()
}

fn describe(facts: &MatchFacts) -> String {
    let sides: Vec<_> = facts
        .sides
        .iter()
        .map(|(faction, side)| {
            let bye = if side.bye { " bye" } else { "" };
            format!("{faction} {:?}{bye} {}", side.name, side.roster.len())
        })
        .collect();
    let mut text = format!(
        "{} {}/{} · {}",
        facts.status,
        facts.competition.kind,
        facts.competition.name,
        sides.join(", ")
    );
    if let Some(map) = &facts.map {
        text += &format!(" · {map}");
    }
    for (word, moment) in [
        ("scheduled", facts.scheduled_at),
        ("configured", facts.configured_at),
        ("started", facts.started_at),
        ("finished", facts.finished_at),
    ] {
        if let Some(moment) = moment {
            text += &format!(
                " · {word} {} {:02}:{:02}",
                moment.date(),
                moment.hour(),
                moment.minute()
            );
        }
    }
    text
}

#[test]
fn every_match_body_says_what_its_name_says() {
    let read: Vec<_> = fixtures("match_")
        .into_iter()
        .map(|(name, body)| format!("{name}\n  {}\n", describe(&fact::from_match_body(&body).unwrap())))
        .collect();
    insta::assert_snapshot!(read.concat());
}

#[test]
fn every_webhook_body_says_what_its_name_says() {
    let read: Vec<_> = fixtures("webhook_")
        .into_iter()
        .map(|(name, body)| {
            let delivery = Delivery::parse(&body).unwrap();
            let id = delivery.match_id.as_ref().map(|id| id.short()).unwrap_or("no match");
            let version = delivery
                .payload_version
                .map_or_else(String::new, |version| format!(" v{version}"));
            let facts = delivery
                .facts()
                .as_ref()
                .map_or_else(|| "no reading".to_owned(), describe);
            let demo = if delivery.demo_url.is_some() { ", a demo" } else { "" };
            format!("{name}\n  {} {id}{version}: {facts}{demo}\n", delivery.event)
        })
        .collect();
    insta::assert_snapshot!(read.concat());
}

#[test]
fn there_is_a_fixture_for_each_event_about_a_match() {
    let mut events: Vec<_> = fixtures("webhook_")
        .values()
        .map(|body| Delivery::parse(body).unwrap().event)
        .collect();
    events.retain(|event| needs_match(event));
    events.sort();
    events.dedup();
    assert_eq!(events.len(), 7, "{events:?}");
}

#[test]
fn a_restarted_match_comes_with_a_higher_version_and_another_roster() {
    let bodies = fixtures("webhook_");
    let read = |name: &str| Delivery::parse(&bodies[name]).unwrap();
    let before = read("webhook_match_status_cancelled_by_hand");
    let after = read("webhook_match_status_ready_restarted_with_another_roster");
    assert_eq!(before.match_id, after.match_id);
    assert_eq!((before.payload_version, after.payload_version), (Some(6), Some(16)));
    assert_ne!(before.facts().unwrap().sides, after.facts().unwrap().sides);
    assert!(after.updated_at > before.updated_at);
}

#[test]
fn players_who_cannot_be_told_apart_are_dropped_and_names_can_be_stored() {
    let facts = fact::from_match_body(&fixtures("match_with_fields")["match_with_fields_of_wrong_types"]).unwrap();
    let names: Vec<_> = facts
        .sides
        .values()
        .flat_map(|side| side.roster.iter().map(|p| p.nickname.as_str()))
        .collect();
    assert_eq!(names, ["Otterly", "Brambleton", "Teacupine", "Gingersnapper"]);
    assert!(facts.sides.values().all(|side| !side.name.contains('\0')));
}

/// Malformed deliveries and the sentence that each gets.
fn malformed() -> Vec<(Vec<u8>, &'static str)> {
    let ready = |payload: Value| {
        json!({"event": "match_status_ready", "payload": payload})
            .to_string()
            .into_bytes()
    };
    let event = |event: Value| {
        json!({"event": event, "payload": {"id": "1-a"}})
            .to_string()
            .into_bytes()
    };
    let deep =
        |open: &str| format!("{{\"event\":\"match_status_ready\",\"payload\":{}", open.repeat(10_000)).into_bytes();
    vec![
        (b"".to_vec(), "the body is empty"),
        (b" \r\n\t".to_vec(), "the body is empty"),
        (b"{".to_vec(), "the body is not JSON"),
        (b"event=match_status_ready".to_vec(), "the body is not JSON"),
        (b"<html></html>".to_vec(), "the body is not JSON"),
        (b"{} {}".to_vec(), "the body is not JSON"),
        (b"{\"event\":\"\xff\xfe\"}".to_vec(), "the body is not JSON"),
        (b"{\"event\":\"\\ud800\"}".to_vec(), "the body is not JSON"),
        (b"{\"event\":\"x\",\"n\":1e999}".to_vec(), "the body is not JSON"),
        (deep("["), "the body is not JSON"),
        (deep("{\"a\":"), "the body is not JSON"),
        (b"null".to_vec(), "the body is not a JSON object"),
        (b"[]".to_vec(), "the body is not a JSON object"),
        (b"\"match_status_ready\"".to_vec(), "the body is not a JSON object"),
        (b"{}".to_vec(), "there is no event"),
        (event(Value::Null), "there is no event"),
        (event(json!("")), "there is no event"),
        (event(json!(7)), "the event is not text"),
        (event(json!({"name": "x"})), "the event is not text"),
        (event(json!("x".repeat(129))), "the event is longer than 128 bytes"),
        (event(json!("match\0")), "the event contains a control character"),
        (
            ready(Value::Null),
            "there is no payload.id, which match_status_ready needs",
        ),
        (
            ready(json!("1-a")),
            "there is no payload.id, which match_status_ready needs",
        ),
        (
            ready(json!({"match_id": "1-a"})),
            "there is no payload.id, which match_status_ready needs",
        ),
        (ready(json!({"id": 7})), "payload.id is not text"),
        (ready(json!({"id": ["1-a"]})), "payload.id is not text"),
        (ready(json!({"id": ""})), "payload.id can't be a match id"),
        (ready(json!({"id": "1 a"})), "payload.id can't be a match id"),
        (ready(json!({"id": "1-\0"})), "payload.id can't be a match id"),
        (ready(json!({"id": "1".repeat(129)})), "payload.id can't be a match id"),
    ]
}

#[test]
fn each_malformed_delivery_gets_a_sentence() {
    for (body, expected) in malformed() {
        let said = Delivery::parse(&body).map_err(|error: Malformed| error.to_string());
        let body = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        assert!(
            said.as_ref().is_err_and(|said| said.starts_with(expected)),
            "{body}: {said:?}"
        );
    }
}

#[test]
fn unknown_events_are_deliveries_that_need_no_match() {
    for body in [
        r#"{"event":"hub_updated"}"#,
        r#"{"event":"match_status_ongoing","payload":[1]}"#,
    ] {
        let delivery = Delivery::parse(body.as_bytes()).unwrap();
        assert_eq!(delivery.facts(), None);
        assert_eq!((delivery.match_id, delivery.status), (None, None));
    }
    assert_eq!(implied_status("match_status_ongoing"), None);
}

#[test]
fn a_body_without_a_usable_event_id_is_told_apart_by_its_hash() {
    let id = |body: &str| Delivery::parse(body.as_bytes()).unwrap().delivery_id();
    assert_eq!(id(r#"{"event":"x","event_id":"e-1"}"#), "e-1");
    assert_eq!(
        id(r#"{"event":"x"}"#),
        "sha256:ebc2c4ea03938ee05e18c1a712d9fa02de923d6f2db34b68fe1f8dcf651e479d"
    );
    for unusable in ["7", "null", "\"\"", "\"a b\"", "\"\\u0000\""] {
        let body = format!(r#"{{"event":"x","event_id":{unusable}}}"#);
        assert!(id(&body).starts_with("sha256:"), "{body}");
        assert_eq!(id(&body), id(&body));
    }
    assert_ne!(id(r#"{"event":"x"}"#), id(r#"{"event":"x" }"#));
}

#[test]
fn the_version_of_a_match_is_read_from_numbers_and_digits() {
    let version = |written: &str| {
        let body = format!(r#"{{"event":"match_status_ready","payload":{{"id":"1-a","version":{written}}}}}"#);
        Delivery::parse(body.as_bytes()).unwrap().payload_version
    };
    assert_eq!((version("13"), version("\"13\"")), (Some(13), Some(13)));
    for odd in ["null", "true", "\"v13\"", "13.5", "99999999999999999999", "[13]"] {
        assert_eq!(version(odd), None, "{odd}");
    }
}

/// Every place in a JSON value, outermost first; of a list's items only the first, they are all alike.
fn places(value: &Value, at: String, found: &mut Vec<String>) {
    found.push(at.clone());
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(key, value)| places(value, format!("{at}/{key}"), found)),
        Value::Array(items) => items
            .iter()
            .take(1)
            .for_each(|value| places(value, format!("{at}/0"), found)),
        _ => {}
    }
}

#[test]
fn no_single_field_of_a_wrong_type_loses_the_match() {
    let odd = [
        json!(null),
        json!(-7),
        json!(1e300),
        json!("x\0"),
        json!([]),
        json!([[{}]]),
        json!({"id": []}),
        json!(true),
    ];
    let vital = ["", "/status", "/event", "/payload", "/payload/id"];
    let mut done = BTreeSet::new();
    for (name, body) in fixtures("match_").into_iter().chain(fixtures("webhook_")) {
        let is_match = name.starts_with("match_");
        let whole: Value = serde_json::from_slice(&body).unwrap();
        let mut all = Vec::new();
        places(&whole, String::new(), &mut all);
        all.retain(|place| !vital.contains(&place.as_str()) && done.insert((is_match, place.clone())));
        for place in &all {
            for odd in &odd {
                let mut changed = whole.clone();
                *changed.pointer_mut(place).unwrap() = odd.clone();
                let body = changed.to_string();
                if is_match {
                    assert!(fact::from_match_body(body.as_bytes()).is_ok(), "{name} {place} {odd}");
                } else {
                    assert!(Delivery::parse(body.as_bytes()).is_ok(), "{name} {place} {odd}");
                }
            }
        }
    }
    assert!(done.len() > 100, "{}", done.len());
}

proptest! {
    #[test]
    fn no_bytes_make_the_parsers_panic(body in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = Delivery::parse(&body);
        let _ = fact::from_match_body(&body);
    }

    #[test]
    fn no_damaged_body_makes_the_parsers_panic(
        pick in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let bodies = fixtures("");
        let mut body = pick.get(&bodies.into_values().collect::<Vec<_>>()).clone();
        for (at, byte) in damage {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let _ = Delivery::parse(&body);
        let _ = fact::from_match_body(&body);
        let end = cut.index(body.len());
        let _ = Delivery::parse(&body[..end]);
        let _ = fact::from_match_body(&body[..end]);
    }
}
