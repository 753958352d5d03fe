//! Match and webhook bodies in FACEIT's shapes, with fictional players. `nova` is player `p-nova`, nickname `Nova`.

use serde_json::{Value, json};

/// What a test says about a match; the rest is filled in.
#[derive(Clone, Debug)]
pub struct Match {
    pub id: String,
    pub status: String,
    pub faction1: Vec<String>,
    pub faction2: Vec<String>,
    pub kind: &'static str,
    pub hub: &'static str,
}

pub fn game(id: &str, status: &str, faction1: &[&str], faction2: &[&str]) -> Match {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Match {
        id: id.to_owned(),
        status: status.to_owned(),
        faction1: names(faction1),
        faction2: names(faction2),
        kind: "hub",
        hub: "hub-1",
    }
}

impl Match {
    pub fn status(&self, status: &str) -> Self {
        Self {
            status: status.to_owned(),
            ..self.clone()
        }
    }

    /// As `GET /matches/{id}` answers.
    pub fn api(&self) -> Value {
        let mut body = json!({
            "match_id": self.id, "version": 2, "game": "cs2", "region": "EU",
            "competition_id": self.hub, "competition_type": self.kind, "competition_name": "Kiosk League",
            "organizer_id": "organizer-1", "calculate_elo": true, "chat_room_id": format!("match-{}", self.id),
            "best_of": 1, "status": self.status, "faceit_url": "https://www.faceit.com/{lang}/cs2/room/x",
            "teams": {"faction2": side(&self.faction2), "faction1": side(&self.faction1)},
        });
        if self.status != "SCHEDULED" {
            body["configured_at"] = json!(1_790_000_000);
        }
        body
    }

    /// A delivery about this match, with its own ids.
    pub fn webhook(&self, event: &str, version: i64) -> Value {
        let team = |names: &[String]| {
            json!({
                "id": "t", "name": "team", "type": "premade", "avatar": "", "leader_id": "", "co_leader_id": "",
                "roster": names.iter().map(|name| json!({
                    "id": format!("p-{name}"), "nickname": nickname(name), "avatar": "", "game_id": "76561190000000000",
                    "game_name": "x", "game_skill_level": 5, "membership": "free", "anticheat_required": true,
                })).collect::<Vec<_>>(),
                "substitutions": 0, "substitutes": [],
            })
        };
        let mut payload = json!({
            "id": self.id, "organizer_id": "organizer-1", "region": "EU", "game": "cs2", "version": version,
            "entity": {"id": self.hub, "name": "Kiosk League", "type": self.kind},
            "created_at": "2026-05-28T20:00:00Z", "updated_at": "2026-05-28T20:10:00Z",
        });
        if event != "match_object_created" {
            payload["teams"] = json!([team(&self.faction1), team(&self.faction2)]);
        }
        if event == "match_demo_ready" {
            payload["demo_url"] = json!(format!("https://demos.example.invalid/{}.dem.zst", self.id));
        }
        json!({
            "transaction_id": format!("t-{}-{event}-{version}", self.id), "event": event,
            "event_id": format!("e-{}-{event}-{version}", self.id), "third_party_id": "third", "app_id": "app",
            "timestamp": "2026-05-28T20:10:00Z", "retry_count": 0, "version": 1, "payload": payload,
        })
    }
}

/// `nova` is called Nova.
pub fn nickname(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn side(names: &[String]) -> Value {
    json!({
        "faction_id": "t", "leader": "", "avatar": "", "name": "team", "type": "", "substituted": false,
        "roster": names.iter().map(|name| json!({
            "player_id": format!("p-{name}"), "nickname": nickname(name), "avatar": "", "membership": "free",
            "game_player_id": "76561190000000000", "game_player_name": "x", "game_skill_level": 5,
            "anticheat_required": true,
        })).collect::<Vec<_>>(),
    })
}
