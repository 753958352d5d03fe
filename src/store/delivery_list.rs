//! Deliveries as lists, for those who look after Muster: of one match, or all of them, newest first, in pages; and one with its body.

use sqlx::{Row, postgres::PgRow};

use crate::{
    domain::{Timestamp, ids::MatchId},
    store::{Connection, Error},
};

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its match was looked at since.
    Done,
    /// Its match is still to be looked at.
    Waiting,
    /// The job of its match is dead.
    Dead,
    /// It is about no match: there was nothing to do.
    Ignored,
}

impl Outcome {
    const ALL: [Outcome; 4] = [Outcome::Done, Outcome::Waiting, Outcome::Dead, Outcome::Ignored];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Waiting => "waiting",
            Self::Dead => "dead",
            Self::Ignored => "ignored",
        }
    }

    fn parse(word: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|outcome| outcome.as_str() == word);
        found.ok_or_else(|| Error::Unexpected(format!("'{word}' is nothing that becomes of a delivery")))
    }
}

/// Which deliveries.
#[derive(Clone, Debug, Default)]
pub struct Query<'a> {
    pub match_id: Option<&'a MatchId>,
    pub event: Option<&'a str>,
    pub outcome: Option<Outcome>,
    pub from: Option<Timestamp>,
    /// Not this one any more.
    pub to: Option<Timestamp>,
    /// Older than the one of this id: the next page.
    pub before_id: Option<i64>,
    pub limit: i64,
}

/// A delivery without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub id: i64,
    pub received_at: Timestamp,
    pub event: String,
    pub event_id: String,
    pub match_id: Option<MatchId>,
    pub payload_version: Option<i64>,
    pub demo_url: Option<String>,
    pub outcome: Outcome,
}

/// A delivery as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    pub listed: Listed,
    pub headers: serde_json::Value,
    pub body: Vec<u8>,
}

macro_rules! outcome {
    () => {
        "case
            when d.match_id is null then 'ignored'
            when j.dead_at is not null then 'dead'
            when j.wanted_since <= d.received_at then 'waiting'
            else 'done'
        end"
    };
}

macro_rules! columns {
    () => {
        concat!(
            "d.id, d.received_at, d.event, d.event_id, d.match_id, d.payload_version, d.demo_url, ",
            outcome!(),
            " as outcome"
        )
    };
}

macro_rules! tables {
    () => {
        "deliveries d left join jobs j on j.key = 'match:' || d.match_id"
    };
}

/// A page of them, the newest first.
pub async fn page(connection: &mut Connection, query: &Query<'_>) -> Result<Vec<Listed>, Error> {
    let rows = sqlx::query(concat!(
        "select ",
        columns!(),
        " from ",
        tables!(),
        " where ($1::text is null or d.match_id = $1)
            and ($2::text is null or d.event = $2)
            and ($3::text is null or ",
        outcome!(),
        " = $3)
            and ($4::timestamptz is null or d.received_at >= $4)
            and ($5::timestamptz is null or d.received_at < $5)
            and ($6::bigint is null or d.id < $6)
        order by d.id desc limit $7"
    ))
    .bind(query.match_id.map(MatchId::as_str))
    .bind(query.event)
    .bind(query.outcome.map(Outcome::as_str))
    .bind(query.from)
    .bind(query.to)
    .bind(query.before_id)
    .bind(query.limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(listed).collect()
}

/// The newest of a match, at most so many; the newest first.
pub async fn of_match(connection: &mut Connection, id: &MatchId, limit: i64) -> Result<Vec<Listed>, Error> {
    let rows = sqlx::query(concat!(
        "select ",
        columns!(),
        " from ",
        tables!(),
        " where d.match_id = $1 order by d.id desc limit $2"
    ))
    .bind(id.as_str())
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(listed).collect()
}

/// One, whole.
pub async fn find(connection: &mut Connection, id: i64) -> Result<Option<Whole>, Error> {
    let row = sqlx::query(concat!(
        "select ",
        columns!(),
        ", d.headers, d.body from ",
        tables!(),
        " where d.id = $1"
    ))
    .bind(id)
    .fetch_optional(connection)
    .await?;
    let whole = |row: PgRow| {
        Ok(Whole {
            listed: listed(&row)?,
            headers: row.try_get("headers")?,
            body: row.try_get("body")?,
        })
    };
    row.map(whole).transpose()
}

fn listed(row: &PgRow) -> Result<Listed, Error> {
    Ok(Listed {
        id: row.try_get("id")?,
        received_at: row.try_get("received_at")?,
        event: row.try_get("event")?,
        event_id: row.try_get("event_id")?,
        match_id: row.try_get::<Option<String>, _>("match_id")?.map(MatchId::new),
        payload_version: row.try_get("payload_version")?,
        demo_url: row.try_get("demo_url")?,
        outcome: Outcome::parse(row.try_get("outcome")?)?,
    })
}
