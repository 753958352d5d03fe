//! `/api/guilds/{guild}/matches`: the matches of a server, newest first.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{
        Timestamp,
        ids::{Faction, MatchId, is_plausible_id},
        match_facts::MatchFacts,
    },
    store::{
        self,
        match_list::{self, Listed, Stage, Which},
    },
    web::{
        access::Access,
        api::pages,
        auth::Admin,
        extract::Query,
        refused::{ErrorBody, Refusals, Refused},
    },
};

/// Where a match stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StageBody {
    /// Known, and not played yet.
    Waiting,
    /// It has its channels, or should.
    Running,
    /// Over; its channels are still there.
    Ending,
    /// Over and cleaned up.
    Closed,
}

impl From<Stage> for StageBody {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Waiting => Self::Waiting,
            Stage::Running => Self::Running,
            Stage::Ending => Self::Ending,
            Stage::Closed => Self::Closed,
        }
    }
}

/// What to list.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    /// All that are not closed.
    Open,
    Waiting,
    Running,
    Ending,
    Closed,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct MatchesQuery {
    /// Only these; without it all.
    #[param(inline)]
    state: Option<Wanted>,
    /// Those that Muster first heard of at this time or later.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-21T18:00:00Z")]
    from: Option<Timestamp>,
    /// Those that Muster first heard of before this time.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-22T00:00:00Z")]
    to: Option<Timestamp>,
    /// How many at most, 1 to 200; without it 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// Where to go on: `next` of the page before.
    cursor: Option<String>,
}

/// Matches, the newest first.
#[derive(Serialize, ToSchema)]
pub struct MatchesBody {
    matches: Vec<MatchSummary>,
    /// The cursor of the next page; null on the last one.
    next: Option<String>,
}

/// A match in short.
#[derive(Serialize, ToSchema)]
pub struct MatchSummary {
    #[schema(example = "1-5cd68867-aa96-4cfe-a373-12c57edbcab2")]
    pub id: String,
    pub state: StageBody,
    /// FACEIT's word, such as `READY`; null before the first reading.
    pub status: Option<String>,
    pub competition: Option<CompetitionBody>,
    pub teams: Vec<TeamBody>,
    /// When Muster first heard of it.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub first_seen_at: Timestamp,
    /// Since when it is played; a match that is run again after its end gets a new time.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub live_since: Option<Timestamp>,
    /// When it was first seen over.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// When nothing was left to do.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed_at: Option<Timestamp>,
    /// How many voice channels it has.
    pub channels: i64,
    /// Something about its channels waits for a person.
    pub blocked: bool,
}

/// Where it is played.
#[derive(Serialize, ToSchema)]
pub struct CompetitionBody {
    id: String,
    /// `hub`, `championship`, or another word of FACEIT's.
    kind: String,
    name: String,
    organizer_id: String,
}

/// One side.
#[derive(Serialize, ToSchema)]
pub struct TeamBody {
    #[schema(example = "faction1")]
    faction: &'static str,
    name: String,
}

impl MatchSummary {
    pub fn of(listed: &Listed) -> Self {
        let facts = listed.facts.as_ref();
        let competition = |facts: &MatchFacts| CompetitionBody {
            id: facts.competition.id.clone(),
            kind: facts.competition.kind.clone(),
            name: facts.competition.name.clone(),
            organizer_id: facts.competition.organizer_id.clone(),
        };
        let team = |faction: Faction| {
            let side = facts?.sides.get(&faction)?;
            Some(TeamBody {
                faction: faction.as_str(),
                name: side.name.clone(),
            })
        };
        Self {
            id: listed.id.to_string(),
            state: Stage::of(listed.live_since, listed.ended_at, listed.closed_at).into(),
            status: facts.map(|facts| facts.status.to_string()),
            competition: facts.map(competition),
            teams: Faction::BOTH.into_iter().filter_map(team).collect(),
            first_seen_at: listed.first_seen_at,
            live_since: listed.live_since,
            ended_at: listed.ended_at,
            closed_at: listed.closed_at,
            channels: listed.channels,
            blocked: listed.blocked,
        }
    }
}

/// The matches of this server, the newest first, in pages.
#[utoipa::path(get, path = "/api/guilds/{guild}/matches", tag = "matches", params(("guild" = String, Path), MatchesQuery), responses(
    (status = 200, body = MatchesBody), (status = 400, body = ErrorBody), Refusals))]
pub async fn list(
    State(admin): State<Arc<Admin>>,
    access: Access,
    Query(query): Query<MatchesQuery>,
) -> Result<Json<MatchesBody>, Refused> {
    let limit = pages::limit(query.limit)?;
    let after = query.cursor.map(|cursor| pages::open(&cursor, read)).transpose()?;
    let query = match_list::Query {
        guild: access.guild,
        which: match query.state {
            None => Which::All,
            Some(Wanted::Open) => Which::Open,
            Some(Wanted::Waiting) => Which::At(Stage::Waiting),
            Some(Wanted::Running) => Which::At(Stage::Running),
            Some(Wanted::Ending) => Which::At(Stage::Ending),
            Some(Wanted::Closed) => Which::At(Stage::Closed),
        },
        from: query.from,
        to: query.to,
        after,
        limit: limit + 1,
    };
    let mut connection = admin.pool.acquire().await.map_err(store::Error::from)?;
    let mut listed = match_list::page(&mut connection, &query).await?;
    let next = pages::cut(&mut listed, limit, |last| {
        format!("{} {}", last.first_seen_at.unix_timestamp_nanos() / 1_000, last.id)
    });
    Ok(Json(MatchesBody {
        matches: listed.iter().map(MatchSummary::of).collect(),
        next,
    }))
}

/// Microseconds since 1970, and the match's id.
fn read(cursor: &str) -> Option<(Timestamp, MatchId)> {
    let (at, id) = cursor.split_once(' ')?;
    let at = at.parse::<i64>().ok()?;
    let at = Timestamp::from_unix_timestamp_nanos(i128::from(at) * 1_000).ok()?;
    // What the database can't hold is no cursor of ours.
    (at.year() > 0 && is_plausible_id(id)).then(|| (at, MatchId::new(id)))
}
