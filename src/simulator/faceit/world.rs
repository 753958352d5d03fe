//! What FACEIT knows: matches as they were put, players and hubs of the world file; matches are kept as text, never reshaped.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value, json};

use super::oauth::SignIn;
use crate::simulator::{
    discord::limits::Window,
    world::{HubFile, OrganizerFile, PlayerFile, WorldFile},
};

#[derive(Debug)]
pub(in crate::simulator) struct Faceit {
    pub(super) api_key: Option<String>,
    pub(super) latest: u64,
    pub(super) matches: BTreeMap<String, Match>,
    pub(super) players: BTreeMap<String, PlayerFile>,
    pub(super) hubs: BTreeMap<String, HubFile>,
    pub(super) championships: BTreeMap<String, HubFile>,
    pub(super) organizers: BTreeMap<String, OrganizerFile>,
    pub(super) oauth: SignIn,
    /// How many calls this second, and which.
    pub(super) second: Window,
}

#[derive(Debug)]
pub(super) struct Match {
    pub(super) text: String,
    pub(super) body: Value,
    /// The higher, the later it was first put.
    pub(super) number: u64,
}

impl Match {
    pub(super) fn field(&self, name: &str) -> &str {
        self.body.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Every player on either roster, also under the spec's other name for it.
    pub(super) fn roster(&self) -> impl Iterator<Item = &Value> {
        let teams = self
            .body
            .get("teams")
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(Map::values);
        let rosters = teams.flat_map(|team| ["roster", "roster_v1"].map(|name| team.get(name)));
        rosters.flatten().filter_map(Value::as_array).flatten()
    }
}

impl Faceit {
    pub(in crate::simulator) fn build(file: &WorldFile) -> Self {
        let players = file
            .faceit
            .players
            .iter()
            .map(|player| (player.player_id.clone(), player.clone()));
        let by_id = |all: &[HubFile]| all.iter().map(|one| (one.id.clone(), one.clone())).collect();
        let organizers = file.faceit.organizers.iter().map(|one| (one.id.clone(), one.clone()));
        Self {
            api_key: file.faceit_api_key.clone(),
            latest: 0,
            matches: BTreeMap::new(),
            players: players.collect(),
            hubs: by_id(&file.faceit.hubs),
            championships: by_id(&file.faceit.championships),
            organizers: organizers.collect(),
            oauth: SignIn::new(file.faceit.client.clone()),
            second: Window::of(Duration::from_secs(1)),
        }
    }

    /// Keeps a Data API match body as it is; the id in the path counts, whatever the body says.
    pub(in crate::simulator) fn put_match(&mut self, id: &str, text: &str) -> Result<(), String> {
        let body: Value = serde_json::from_str(text).map_err(|error| format!("the match body is no JSON: {error}"))?;
        if !body.is_object() {
            return Err("the match body is no JSON object".to_owned());
        }
        self.latest += 1;
        let number = self.matches.get(id).map_or(self.latest, |known| known.number);
        self.matches.insert(
            id.to_owned(),
            Match {
                text: text.to_owned(),
                body,
                number,
            },
        );
        Ok(())
    }

    pub(in crate::simulator) fn remove_match(&mut self, id: &str) -> bool {
        self.matches.remove(id).is_some()
    }

    /// The body of `GET /players/{id}`: those of the world file, and everybody on a roster.
    pub(super) fn player(&self, id: &str) -> Option<Value> {
        if let Some(known) = self.players.get(id) {
            return Some(player_body(id, &known.nickname, &known.fields));
        }
        let entry = self
            .matches
            .values()
            .flat_map(Match::roster)
            .find(|entry| entry["player_id"] == id)?;
        let nickname = entry["nickname"].as_str().unwrap_or_default();
        let mut fields = Map::new();
        for name in ["avatar", "steam_id_64"] {
            let source = if name == "steam_id_64" { "game_player_id" } else { name };
            if let Some(value) = entry.get(source) {
                fields.insert(name.to_owned(), value.clone());
            }
        }
        Some(player_body(id, nickname, &fields))
    }

    /// Ids of all players there are.
    pub(super) fn player_ids(&self) -> Vec<String> {
        let seen = self
            .matches
            .values()
            .flat_map(Match::roster)
            .filter_map(|entry| entry["player_id"].as_str());
        let mut ids: Vec<String> = seen.map(str::to_owned).chain(self.players.keys().cloned()).collect();
        ids.sort();
        ids.dedup();
        ids
    }
}

fn player_body(id: &str, nickname: &str, fields: &Map<String, Value>) -> Value {
    let steam = fields
        .get("steam_id_64")
        .and_then(Value::as_str)
        .unwrap_or("76561190000000000");
    let mut body = json!({
        "player_id": id,
        "nickname": nickname,
        "avatar": "",
        "country": "de",
        "cover_image": "",
        "platforms": { "steam": "STEAM_0:0:0" },
        "games": { "cs2": {
            "region": "EU", "game_player_id": steam, "skill_level": 5, "faceit_elo": 1100, "game_player_name": nickname,
            "skill_level_label": "", "regions": {}, "game_profile_id": "",
        } },
        "settings": { "language": "en" },
        "friends_ids": [],
        "new_steam_id": "",
        "steam_id_64": steam,
        "steam_nickname": nickname,
        "memberships": ["free"],
        "faceit_url": format!("https://www.faceit.com/{{lang}}/players/{nickname}"),
        "membership_type": "",
        "cover_featured_image": "",
        "infractions": {},
        "verified": false,
        "activated_at": "2020-01-01T00:00:00Z",
    });
    fields.iter().for_each(|(name, value)| body[name] = value.clone());
    body
}

pub(super) fn hub_body(hub: &HubFile) -> Value {
    let mut body = json!({
        "hub_id": hub.id,
        "name": hub.name,
        "avatar": "",
        "cover_image": "",
        "background_image": "",
        "game_id": "cs2",
        "region": "EU",
        "description": "",
        "chat_room_id": format!("hub-{}-general", hub.id),
        "organizer_id": hub.organizer_id,
        "rule_id": "",
        "players_joined": 0,
        "min_skill_level": 1,
        "max_skill_level": 10,
        "join_permission": "PUBLIC",
        "faceit_url": format!("https://www.faceit.com/{{lang}}/hub/{}/{}", hub.id, hub.name.replace(' ', "%20")),
    });
    hub.fields.iter().for_each(|(name, value)| body[name] = value.clone());
    body
}

pub(super) fn championship_body(championship: &HubFile) -> Value {
    let mut body = json!({
        "id": championship.id,
        "championship_id": championship.id,
        "name": championship.name,
        "cover_image": "",
        "background_image": "",
        "avatar": "",
        "organizer_id": championship.organizer_id,
        "description": "",
        "type": "bracket",
        "status": "started",
        "game_id": "cs2",
        "region": "EU",
        "featured": false,
    });
    championship
        .fields
        .iter()
        .for_each(|(name, value)| body[name] = value.clone());
    body
}

pub(super) fn organizer_body(organizer: &OrganizerFile) -> Value {
    let mut body = json!({
        "organizer_id": organizer.id,
        "avatar": "",
        "cover": "",
        "name": organizer.name,
        "description": "",
        "type": "organization",
        "faceit_url": format!("https://www.faceit.com/{{lang}}/organizers/{}/", organizer.id),
        "followers_count": 0,
    });
    organizer
        .fields
        .iter()
        .for_each(|(name, value)| body[name] = value.clone());
    body
}
