//! FACEIT's bodies in their true shapes: what its Data API answers about a match, and what its webhooks carry.

use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::cast::{Match, Person, Team, made_up_uuid};

const ORGANIZER: u32 = 0x0000_0a11;
const EVENT: u32 = 0x0000_e1e1;
const TEAM: u32 = 0x0000_7ea3;

/// `GET /matches/{id}`. What has not happened yet is absent, as FACEIT leaves it out.
pub fn api_match(played: &Match) -> Value {
    let [first, second] = &played.teams;
    let mut body = json!({
        "match_id": played.id,
        "version": 2,
        "game": "cs2",
        "region": "EU",
        "competition_id": played.competition.id(),
        "competition_type": played.competition.kind,
        "competition_name": played.competition.name,
        "organizer_id": made_up_uuid(ORGANIZER, 1),
        "teams": { "faction1": api_team(played, first), "faction2": api_team(played, second) },
        "calculate_elo": played.competition.kind == "hub",
        "chat_room_id": format!("match-{}", played.id),
        "best_of": 1,
        "status": played.status,
        "faceit_url": format!("https://www.faceit.com/{{lang}}/cs2/room/{}", played.id),
    });
    if played.competition.kind == "championship" {
        body["round"] = json!(1);
        body["group"] = json!(1);
    }
    let times = [
        ("scheduled_at", played.scheduled_at),
        ("configured_at", played.configured_at),
        ("started_at", played.started_at),
        ("finished_at", played.finished_at),
    ];
    for (name, at) in times {
        if let Some(at) = at {
            body[name] = json!(at);
        }
    }
    if !["SCHEDULED", "CONFIGURING"].contains(&played.status) && played.configured_at.is_some() {
        body["voting"] = json!({
            "voted_entity_types": ["map"],
            "map": { "entities": [map("Mirage", "de_mirage"), map("Nuke", "de_nuke")], "pick": ["de_nuke"] },
        });
    }
    if played.status == "FINISHED" {
        body["results"] = json!({ "winner": "faction1", "score": { "faction1": 1, "faction2": 0 } });
    }
    if let Some(url) = &played.demo_url {
        body["demo_url"] = json!([url]);
    }
    body
}

fn map(name: &str, id: &str) -> Value {
    json!({ "name": name, "class_name": id, "game_map_id": id, "guid": id, "image_sm": "", "image_lg": "" })
}

fn api_team(played: &Match, team: &Team) -> Value {
    let roster = people(team).map(|person| {
        json!({
            "player_id": person.faceit_id(),
            "nickname": person.name,
            "avatar": "",
            "membership": "free",
            "game_player_id": steam_id(person),
            "game_player_name": person.name,
            "game_skill_level": skill(person),
            "anticheat_required": true,
        })
    });
    json!({
        "faction_id": team_id(played, team),
        "leader": leader(team),
        "avatar": "",
        "roster": roster.collect::<Vec<_>>(),
        "substituted": false,
        "name": team.name,
        "type": team_kind(played),
    })
}

/// One webhook call. `serial` makes its ids: the same serial is the same delivery sent again.
pub fn webhook(played: &Match, event: &str, version: u32, serial: usize, now: OffsetDateTime) -> Value {
    let at = |seconds: Option<i64>| {
        let time = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
        let whole = time.unwrap_or(now).replace_nanosecond(0).unwrap_or(now);
        whole.format(&Rfc3339).unwrap_or_default()
    };
    let mut payload = json!({
        "id": played.id,
        "organizer_id": made_up_uuid(ORGANIZER, 1),
        "region": "EU",
        "game": "cs2",
        "version": version,
        "entity": {
            "id": played.competition.id(),
            "name": played.competition.name,
            "type": played.competition.kind,
        },
        "created_at": at(played.scheduled_at.or(played.configured_at)),
        "updated_at": at(None),
    });
    // FACEIT names no teams when a match is created.
    if event != "match_object_created" {
        let anticheat = event != "match_demo_ready";
        payload["teams"] = played
            .teams
            .iter()
            .map(|team| webhook_team(played, team, anticheat))
            .collect();
    }
    match event {
        "match_status_finished" => {
            payload["started_at"] = json!(at(played.started_at));
            payload["finished_at"] = json!(at(played.finished_at));
        }
        "match_status_cancelled" => {
            payload["reason"] = json!("MANUAL");
            payload["players"] = json!([]);
            payload["afk"] = json!([]);
        }
        "match_status_aborted" => payload["reason"] = json!("MANUAL"),
        "match_demo_ready" => payload["demo_url"] = json!(played.demo_url),
        _ => {}
    }
    json!({
        "transaction_id": made_up_uuid(EVENT + 1, serial),
        "event": event,
        "event_id": made_up_uuid(EVENT, serial),
        "third_party_id": made_up_uuid(EVENT + 2, 1),
        "app_id": made_up_uuid(EVENT + 3, 1),
        "timestamp": at(None),
        "retry_count": 0,
        "version": 1,
        "payload": payload,
    })
}

fn webhook_team(played: &Match, team: &Team, anticheat: bool) -> Value {
    let roster = people(team).map(|person| {
        let mut player = json!({
            "id": person.faceit_id(),
            "nickname": person.name,
            "avatar": "",
            "game_id": steam_id(person),
            "game_name": person.name,
            "game_skill_level": skill(person),
            "membership": "free",
        });
        if anticheat {
            player["anticheat_required"] = json!(true);
        }
        player
    });
    json!({
        "id": team_id(played, team),
        "name": team.name,
        "type": team_kind(played),
        "avatar": "",
        "leader_id": leader(team),
        "co_leader_id": "",
        "roster": roster.collect::<Vec<_>>(),
        "substitutions": 0,
        "substitutes": [],
    })
}

fn people(team: &Team) -> impl Iterator<Item = &'static Person> {
    team.roster.iter().filter_map(|name| Person::called(name))
}

fn leader(team: &Team) -> String {
    people(team).next().map(Person::faceit_id).unwrap_or_default()
}

/// In hubs a faction has its leader's id (recorded); elsewhere a team is something of its own.
fn team_id(played: &Match, team: &Team) -> String {
    if played.competition.kind == "hub" {
        return leader(team);
    }
    let leader = people(team).next().map_or(0, Person::number);
    made_up_uuid(TEAM, leader)
}

fn team_kind(played: &Match) -> &'static str {
    if played.competition.kind == "hub" {
        ""
    } else {
        "premade"
    }
}

fn steam_id(person: &Person) -> String {
    format!("765611900000{:05}", person.number())
}

fn skill(person: &Person) -> usize {
    1 + person.number() % 10
}
