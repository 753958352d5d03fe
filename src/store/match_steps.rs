//! Table `match_steps`: what happened to each match. Rows are added together with the outcomes that they tell of, and removed with age.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Row, postgres::PgRow};

use crate::{
    domain::{
        Timestamp,
        history::{Kind, Step},
        ids::{MatchId, UserId},
    },
    store::{Connection, Error, convert, storable},
};

/// Longer words are cut off, in characters.
const LONGEST: usize = 1_000;

/// Adds steps of a match that is stored, in their order: one statement, however many there are. Whom a step is about is left out when he is not linked:
/// he may have erased himself while it was taken.
pub async fn add(connection: &mut Connection, id: &MatchId, steps: &[Step]) -> Result<(), Error> {
    if steps.is_empty() {
        return Ok(());
    }
    let text = |text: &Option<String>| text.as_deref().map(fit);
    let ids = |id: &dyn Fn(&Step) -> Option<u64>| {
        let ids = steps.iter().map(|step| id(step).map(convert::to_bigint).transpose());
        ids.collect::<Result<Vec<_>, _>>()
    };
    sqlx::query(
        "insert into match_steps (match_id, at, kind, words, action, faction, user_id, channel_id, outcome, detail, took_ms)
        select $1, at, kind, words, action, faction,
            (select discord_id from player_links where discord_id = step.user_id), channel_id, outcome, detail, took_ms
        from unnest($2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::text[],
                $10::text[], $11::integer[])
            with ordinality as step (at, kind, words, action, faction, user_id, channel_id, outcome, detail, took_ms, place)
        order by place",
    )
    .bind(id.as_str())
    .bind(steps.iter().map(|step| step.at).collect::<Vec<_>>())
    .bind(steps.iter().map(|step| step.kind.as_str()).collect::<Vec<_>>())
    .bind(steps.iter().map(|step| fit(&step.words)).collect::<Vec<_>>())
    .bind(steps.iter().map(|step| step.action.as_deref()).collect::<Vec<_>>())
    .bind(steps.iter().map(|step| step.faction.map(|faction| faction.as_str())).collect::<Vec<_>>())
    .bind(ids(&|step| step.user.map(UserId::get))?)
    .bind(ids(&|step| step.channel.map(|channel| channel.get()))?)
    .bind(steps.iter().map(|step| step.outcome.as_deref()).collect::<Vec<_>>())
    .bind(steps.iter().map(|step| text(&step.detail)).collect::<Vec<_>>())
    .bind(steps.iter().map(|step| step.took.map(millis)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// The newest steps of a match, at most so many; the oldest of them first.
pub async fn of_match(connection: &mut Connection, id: &MatchId, limit: i64) -> Result<Vec<Step>, Error> {
    let rows = sqlx::query(
        "select at, kind, words, action, faction, user_id, channel_id, outcome, detail, took_ms from match_steps
        where match_id = $1 order by id desc limit $2",
    )
    .bind(id.as_str())
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().rev().map(step).collect()
}

/// Deletes at most `limit` steps from before then, oldest first; gives how many.
pub async fn delete_older_than(connection: &mut Connection, before: Timestamp, limit: i64) -> Result<u64, Error> {
    let done = sqlx::query(
        "delete from match_steps where (match_id, id) in (
            select match_id, id from match_steps where at < $1 order by at limit $2)",
    )
    .bind(before)
    .bind(limit)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// All that is kept about a person, as JSON for himself.
pub async fn about(connection: &mut Connection, user: UserId) -> Result<Vec<Value>, Error> {
    let rows = sqlx::query(
        "select match_id, at, words, outcome, detail, took_ms from match_steps where user_id = $1 order by at, id",
    )
    .bind(convert::to_bigint(user.get())?)
    .fetch_all(connection)
    .await?;
    let value = |row: &PgRow| {
        Ok(json!({
            "match_id": row.try_get::<String, _>("match_id")?,
            "at": convert::to_text(row.try_get("at")?)?,
            "what": row.try_get::<String, _>("words")?,
            "outcome": row.try_get::<Option<String>, _>("outcome")?,
            "detail": row.try_get::<Option<String>, _>("detail")?,
            "ms": row.try_get::<Option<i32>, _>("took_ms")?,
        }))
    };
    rows.iter().map(value).collect()
}

/// Takes a person out: the steps stay, without whom they were about. Gives how many there were.
pub async fn forget(connection: &mut Connection, user: UserId) -> Result<u64, Error> {
    let done = sqlx::query("update match_steps set user_id = null where user_id = $1")
        .bind(convert::to_bigint(user.get())?)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

fn fit(text: &str) -> String {
    storable(text).chars().take(LONGEST).collect()
}

fn millis(took: Duration) -> i32 {
    i32::try_from(took.as_millis()).unwrap_or(i32::MAX)
}

fn step(row: &PgRow) -> Result<Step, Error> {
    let faction: Option<&str> = row.try_get("faction")?;
    let user: Option<i64> = row.try_get("user_id")?;
    let channel: Option<i64> = row.try_get("channel_id")?;
    let took: Option<i32> = row.try_get("took_ms")?;
    Ok(Step {
        at: row.try_get("at")?,
        kind: convert::word(row.try_get("kind")?, Kind::parse)?,
        words: row.try_get("words")?,
        action: row.try_get("action")?,
        faction: faction.map(convert::faction).transpose()?,
        user: user.map(convert::user).transpose()?,
        channel: channel.map(convert::channel).transpose()?,
        outcome: row.try_get("outcome")?,
        detail: row.try_get("detail")?,
        took: took.map(|ms| Duration::from_millis(ms.unsigned_abs().into())),
    })
}
