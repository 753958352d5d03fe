//! Matches of a guild as a list: newest first, in pages that begin where the last one ended.

use sqlx::{AssertSqlSafe, Row, postgres::PgRow, types::Json};

use crate::{
    domain::{
        Timestamp,
        ids::{GuildId, MatchId},
        match_facts::MatchFacts,
    },
    store::{Connection, Error, convert},
};

/// Where a match stands with us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Known, and not played yet.
    Waiting,
    Running,
    /// Over, and not cleaned up yet.
    Ending,
    Closed,
}

impl Stage {
    pub fn of(live_since: Option<Timestamp>, ended_at: Option<Timestamp>, closed_at: Option<Timestamp>) -> Self {
        match (live_since, ended_at, closed_at) {
            (_, _, Some(_)) => Self::Closed,
            (_, Some(_), None) => Self::Ending,
            (Some(_), None, None) => Self::Running,
            (None, None, None) => Self::Waiting,
        }
    }
}

/// Which matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    All,
    /// Those that are not closed.
    Open,
    At(Stage),
}

impl Which {
    /// Written out, so that the planner sees that an index over open matches is enough.
    fn condition(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Open => " and closed_at is null",
            Self::At(Stage::Waiting) => " and closed_at is null and ended_at is null and live_since is null",
            Self::At(Stage::Running) => " and closed_at is null and ended_at is null and live_since is not null",
            Self::At(Stage::Ending) => " and closed_at is null and ended_at is not null",
            Self::At(Stage::Closed) => " and closed_at is not null",
        }
    }
}

/// Which part of the list; times are those at which Muster first heard of a match.
#[derive(Clone, Debug)]
pub struct Query {
    pub guild: GuildId,
    pub which: Which,
    pub from: Option<Timestamp>,
    /// Not this one any more.
    pub to: Option<Timestamp>,
    /// The last one of the page before.
    pub after: Option<(Timestamp, MatchId)>,
    pub limit: i64,
}

/// A match as a list shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub id: MatchId,
    pub facts: Option<MatchFacts>,
    pub first_seen_at: Timestamp,
    pub live_since: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub closed_at: Option<Timestamp>,
    /// Voice channels that are ours.
    pub channels: i64,
    /// Something waits for a person.
    pub blocked: bool,
}

const SELECT: &str = "select match_id, facts, first_seen_at, live_since, ended_at, closed_at,
        (select count(*) from active_matches a where a.match_id = m.match_id and a.channel_id is not null) as channels,
        exists (
            select from active_matches a
            where a.match_id = m.match_id and (a.blocked_why is not null or a.access_blocked is not null)
        ) as blocked
    from matches m
    where guild_id = $1";
const PAGE: &str = " and first_seen_at >= coalesce($2::timestamptz, '-infinity')
        and first_seen_at < coalesce($3::timestamptz, 'infinity')
        and (first_seen_at, match_id) < (coalesce($4::timestamptz, 'infinity'), coalesce($5::text, ''))
    order by first_seen_at desc, match_id desc limit $6";

/// The statement, for whoever wants to see it explained.
pub fn statement(which: Which) -> String {
    [SELECT, which.condition(), PAGE].concat()
}

pub async fn page(connection: &mut Connection, query: &Query) -> Result<Vec<Listed>, Error> {
    let (after_at, after_id) = query.after.as_ref().map(|(at, id)| (*at, id.as_str())).unzip();
    let rows = sqlx::query(AssertSqlSafe(statement(query.which)))
        .bind(convert::to_bigint(query.guild.get())?)
        .bind(query.from)
        .bind(query.to)
        .bind(after_at)
        .bind(after_id)
        .bind(query.limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(listed).collect()
}

fn listed(row: &PgRow) -> Result<Listed, Error> {
    let facts: Option<Json<MatchFacts>> = row.try_get("facts")?;
    Ok(Listed {
        id: MatchId::new(row.try_get::<String, _>("match_id")?),
        facts: facts.map(|Json(facts)| facts),
        first_seen_at: row.try_get("first_seen_at")?,
        live_since: row.try_get("live_since")?,
        ended_at: row.try_get("ended_at")?,
        closed_at: row.try_get("closed_at")?,
        channels: row.try_get("channels")?,
        blocked: row.try_get("blocked")?,
    })
}
