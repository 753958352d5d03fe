//! From FACEIT's bodies to facts about a match. Says what FACEIT says; what follows from it is the core's business.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    domain::{
        ids::{Faction, MatchId, PlayerId, is_plausible_id},
        match_facts::{Competition, MatchFacts, Player, Side, Status},
    },
    faceit::{lenient, wire},
};

/// Why a body is no match.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAMatch {
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    #[error("the body is not a JSON object")]
    NotAnObject,
    #[error("the match has no status")]
    NoStatus,
}

/// Reads a Data API match body.
pub fn from_match_body(body: &[u8]) -> Result<MatchFacts, NotAMatch> {
    let value = serde_json::from_slice(body).map_err(|error| NotAMatch::NotJson(error.to_string()))?;
    from_match(value).map(|(_, facts)| facts)
}

/// Reads a Data API match; the id is None when the body has none that could be one.
pub(super) fn from_match(value: Value) -> Result<(Option<MatchId>, MatchFacts), NotAMatch> {
    if !value.is_object() {
        return Err(NotAMatch::NotAnObject);
    }
    let wire: wire::Match = serde_json::from_value(value).map_err(|error| NotAMatch::NotJson(error.to_string()))?;
    if wire.status.trim().is_empty() {
        return Err(NotAMatch::NoStatus);
    }
    let teams = wire.teams.unwrap_or_default();
    let facts = MatchFacts {
        status: Status::parse(&wire.status),
        sides: sides([teams.faction1, teams.faction2]),
        competition: Competition {
            id: wire.competition_id,
            kind: wire.competition_type,
            name: wire.competition_name,
            organizer_id: wire.organizer_id,
        },
        game: wire.game,
        region: wire.region,
        map: wire.voting.as_ref().and_then(picked_map),
        scheduled_at: wire.scheduled_at,
        configured_at: wire.configured_at,
        started_at: wire.started_at,
        finished_at: wire.finished_at,
    };
    let id = wire.match_id.filter(|id| is_plausible_id(id)).map(MatchId::new);
    Ok((id, facts))
}

/// Reads a webhook's payload; the status is the one that the event's name implies, the payload has none.
pub(super) fn from_payload(status: Status, wire: wire::Payload) -> MatchFacts {
    let mut teams = wire.teams.into_iter();
    let entity = wire.entity.unwrap_or_default();
    MatchFacts {
        sides: sides([teams.next().flatten(), teams.next().flatten()]),
        competition: Competition {
            id: entity.id,
            kind: entity.kind,
            name: entity.name,
            organizer_id: wire.organizer_id,
        },
        game: wire.game,
        region: wire.region,
        started_at: wire.started_at,
        finished_at: wire.finished_at,
        ..MatchFacts::bare(status)
    }
}

fn sides(teams: [Option<wire::Team>; 2]) -> BTreeMap<Faction, Side> {
    Faction::BOTH
        .into_iter()
        .zip(teams)
        .filter_map(|(faction, team)| Some((faction, side(team?))))
        .collect()
}

fn side(team: wire::Team) -> Side {
    let team_id = if team.faction_id.is_empty() {
        team.id
    } else {
        team.faction_id
    };
    let roster = [team.roster, team.roster_v1, team.players]
        .into_iter()
        .map(roster)
        .find(|players| !players.is_empty())
        .unwrap_or_default();
    Side {
        // Recorded: a free pass has both, an id `bye` and a type `bye`, and no roster.
        bye: team_id == "bye" || team.kind == "bye",
        team_id,
        name: team.name,
        roster,
    }
}

/// The players that can be told apart: one without an id can't be linked to anybody, a second mention says nothing new.
fn roster(players: Vec<wire::Player>) -> Vec<Player> {
    let mut seen = BTreeSet::new();
    players
        .into_iter()
        .filter_map(|player| {
            let id = [player.player_id, player.id, player.guid]
                .into_iter()
                .flatten()
                .find(|id| is_plausible_id(id))?;
            seen.insert(id.clone()).then_some(Player {
                id: PlayerId::new(id),
                nickname: player.nickname,
            })
        })
        .collect()
}

/// The picked map as people know it. Community maps are picked by their Steam Workshop number (recorded in hubs); the list of
/// choices has the name for it.
fn picked_map(voting: &Value) -> Option<String> {
    let pick = voting.pointer("/map/pick/0")?.as_str()?;
    let choices = voting.pointer("/map/entities").and_then(Value::as_array);
    let chosen = choices
        .into_iter()
        .flatten()
        .find(|choice| choice["guid"] == pick || choice["game_map_id"] == pick);
    let name = chosen
        .and_then(|choice| choice["class_name"].as_str())
        .filter(|name| !name.is_empty());
    let map = lenient::clean(name.unwrap_or(pick));
    (!map.is_empty()).then_some(map)
}
