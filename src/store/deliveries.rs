//! Table `deliveries`: webhook calls as they came. Stored together with the job that they book.

use std::collections::{BTreeSet, HashMap};

use sqlx::{Row, types::Json};

use crate::{
    domain::{Timestamp, ids::MatchId, job::JobKey},
    store::{Connection, Error, jobs::book_again},
};

/// A webhook call to be stored.
#[derive(Clone, Debug)]
pub struct NewDelivery<'a> {
    pub received_at: Timestamp,
    pub event: &'a str,
    pub event_id: &'a str,
    pub match_id: Option<&'a MatchId>,
    pub payload_version: Option<i64>,
    pub demo_url: Option<&'a str>,
    pub headers: serde_json::Value,
    pub body: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    New {
        id: i64,
    },
    /// The same event id, or the same change of the match, was stored before; nothing was booked.
    Duplicate,
}

/// What was delivered for one match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchDeliveries {
    pub newest: Option<Newest>,
    pub demo_urls: BTreeSet<String>,
}

/// The newest delivery that says where the match stands: the highest payload version, then the latest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newest {
    pub event: String,
    pub payload_version: Option<i64>,
    pub received_at: Timestamp,
    pub body: Vec<u8>,
}

/// Stores the delivery unless it is known, and books the job in the same statement: one round trip, and never one without the other. Sends no
/// NOTIFY, which would make commits wait for each other; whoever commits wakes the queue afterwards.
pub async fn record(
    connection: &mut Connection,
    delivery: &NewDelivery<'_>,
    job: Option<&JobKey>,
) -> Result<Recorded, Error> {
    let row = sqlx::query(
        concat!(
            "with delivery as (
                insert into deliveries (received_at, event, event_id, match_id, payload_version, demo_url, headers, body)
                values ($1, $2, $3, $4, $5, $6, $7, $8)
                on conflict do nothing
                returning id
            ), booking as (
                insert into jobs (key, due_at, wanted_since)
                select $9, $1, $1 from delivery where $9 is not null ",
            book_again!(),
            ")
            select id from delivery"
        ),
    )
    .bind(delivery.received_at)
    .bind(delivery.event)
    .bind(delivery.event_id)
    .bind(delivery.match_id.map(MatchId::as_str))
    .bind(delivery.payload_version)
    .bind(delivery.demo_url)
    .bind(&delivery.headers)
    .bind(delivery.body)
    .bind(job.map(JobKey::as_str))
    .fetch_optional(connection)
    .await?;
    Ok(match row {
        Some(row) => Recorded::New { id: row.try_get("id")? },
        None => Recorded::Duplicate,
    })
}

/// Stores several at once and books their jobs, in one statement and so in one transaction: they share the wait for the disk. All or none; gives what
/// became of each, in their order. Their event ids must differ; the same change of a match under two of them is stored once, as it is one by one.
pub async fn record_all(
    connection: &mut Connection,
    deliveries: &[(NewDelivery<'_>, Option<&JobKey>)],
) -> Result<Vec<Recorded>, Error> {
    if let [(delivery, job)] = deliveries {
        return Ok(vec![record(connection, delivery, *job).await?]);
    }
    let all = || deliveries.iter().map(|(delivery, _)| delivery);
    // In the order of arrival, which ids must keep; but keys in an order of their own, in which everybody locks them.
    let rows = sqlx::query(concat!(
        "with incoming as materialized (
            select * from unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::jsonb[], $8::bytea[], $9::text[])
                with ordinality as row (received_at, event, event_id, match_id, payload_version, demo_url, headers, body, job, place)
        ), delivery as (
            insert into deliveries (received_at, event, event_id, match_id, payload_version, demo_url, headers, body)
            select received_at, event, event_id, match_id, payload_version, demo_url, headers, body from incoming order by place
            on conflict do nothing
            returning id, event_id
        ), booking as (
            insert into jobs (key, due_at, wanted, wanted_since)
            select job, min(received_at), count(*), min(received_at) from incoming join delivery using (event_id)
            where job is not null group by job order by job ",
        book_again!(),
        ")
        select id, event_id from delivery"
    ))
    .bind(all().map(|delivery| delivery.received_at).collect::<Vec<_>>())
    .bind(all().map(|delivery| delivery.event).collect::<Vec<_>>())
    .bind(all().map(|delivery| delivery.event_id).collect::<Vec<_>>())
    .bind(all().map(|delivery| delivery.match_id.map(MatchId::as_str)).collect::<Vec<_>>())
    .bind(all().map(|delivery| delivery.payload_version).collect::<Vec<_>>())
    .bind(all().map(|delivery| delivery.demo_url).collect::<Vec<_>>())
    .bind(all().map(|delivery| Json(&delivery.headers)).collect::<Vec<_>>())
    .bind(all().map(|delivery| delivery.body).collect::<Vec<_>>())
    .bind(deliveries.iter().map(|(_, job)| job.map(JobKey::as_str)).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let mut stored = HashMap::with_capacity(rows.len());
    for row in &rows {
        stored.insert(row.try_get::<&str, _>("event_id")?, row.try_get("id")?);
    }
    let outcome = |delivery: &NewDelivery<'_>| match stored.get(delivery.event_id) {
        Some(&id) => Recorded::New { id },
        None => Recorded::Duplicate,
    };
    Ok(all().map(outcome).collect())
}

/// The newest word on where the match stands, and its demos.
pub async fn for_match(connection: &mut Connection, id: &MatchId) -> Result<MatchDeliveries, Error> {
    let newest = sqlx::query(
        "select event, payload_version, received_at, body from deliveries
        where match_id = $1 and event in ('match_status_configuring', 'match_status_ready', 'match_status_finished',
            'match_status_cancelled', 'match_status_aborted')
        order by payload_version desc nulls last, id desc
        limit 1",
    )
    .bind(id.as_str())
    .fetch_optional(&mut *connection)
    .await?
    .map(|row| {
        Ok::<_, Error>(Newest {
            event: row.try_get("event")?,
            payload_version: row.try_get("payload_version")?,
            received_at: row.try_get("received_at")?,
            body: row.try_get("body")?,
        })
    })
    .transpose()?;
    let demo_urls =
        sqlx::query("select distinct demo_url from deliveries where match_id = $1 and demo_url is not null")
            .bind(id.as_str())
            .fetch_all(connection)
            .await?
            .into_iter()
            .map(|row| row.try_get("demo_url"))
            .collect::<Result<_, _>>()?;
    Ok(MatchDeliveries { newest, demo_urls })
}

/// Deletes at most `limit` deliveries received before then, oldest first; gives how many.
pub async fn delete_older_than(connection: &mut Connection, before: Timestamp, limit: i64) -> Result<u64, Error> {
    let done = sqlx::query(
        "delete from deliveries where id = any (array(
            select id from deliveries where received_at < $1 order by received_at limit $2))",
    )
    .bind(before)
    .bind(limit)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
