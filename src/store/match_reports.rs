//! Table `match_reports`: what the message about a match should say, written by the match's run, and what it says, written by the report's.

use sqlx::{Row, postgres::PgRow};

use crate::{
    domain::{
        Timestamp,
        ids::{ChannelId, GuildId, MatchId},
        job::Claim,
        report::{Message, Report, Wish},
    },
    store::{Connection, Error, convert, jobs::book_again, storable, workers::WorkerId},
};

/// A report, whose match it is, and what tells its posts from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredReport {
    pub guild: Option<GuildId>,
    /// The same for every try of one post, and never used for another.
    pub number: i64,
    pub report: Report,
}

/// Writes down what is wanted, and books the report's job in the same statement when that is something new. Whoever lost the claim on the match
/// meanwhile writes nothing: he would post again what his successor had taken away.
pub async fn want(
    connection: &mut Connection,
    worker: WorkerId,
    claim: &Claim,
    id: &MatchId,
    wish: &Wish,
    now: Timestamp,
) -> Result<(), Error> {
    macro_rules! booked {
        ($change:literal) => {
            concat!(
                "with owned as (select from jobs where key = $3 and owner = $4 and epoch = $5), changed as (",
                $change,
                " returning match_id)
                insert into jobs (key, due_at, wanted_since) select 'report:' || match_id, $2, $2 from changed ",
                book_again!()
            )
        };
    }
    let query = match wish {
        Wish::Leave => return Ok(()),
        Wish::Say { channel, text } => sqlx::query(booked!(
            "insert into match_reports (match_id, wanted_channel_id, wanted, updated_at)
            select $1, $6, $7, $2 from owned
            on conflict (match_id) do update set
                wanted_channel_id = excluded.wanted_channel_id, wanted = excluded.wanted, over = false,
                blocked_why = case when match_reports.wanted_channel_id = excluded.wanted_channel_id
                    then match_reports.blocked_why end,
                blocked_at = case when match_reports.wanted_channel_id = excluded.wanted_channel_id
                    then match_reports.blocked_at end,
                updated_at = excluded.updated_at
            where (match_reports.wanted_channel_id, match_reports.wanted, match_reports.over)
                is distinct from (excluded.wanted_channel_id, excluded.wanted, false)"
        ))
        .bind(id.as_str())
        .bind(now)
        .bind(claim.key.as_str())
        .bind(worker.get())
        .bind(claim.epoch)
        .bind(convert::to_bigint(channel.get())?)
        .bind(storable(text)),
        Wish::End { text } => sqlx::query(booked!(
            "update match_reports set over = true, updated_at = $2,
                wanted = case when wanted_channel_id is not null then $6 end,
                wanted_channel_id = case when $6::text is not null then wanted_channel_id end
            where match_id = $1 and not over and exists (select from owned)"
        ))
        .bind(id.as_str())
        .bind(now)
        .bind(claim.key.as_str())
        .bind(worker.get())
        .bind(claim.epoch)
        .bind(text.as_deref().map(storable)),
        Wish::Drop => sqlx::query(booked!(
            "update match_reports set wanted = null, wanted_channel_id = null, updated_at = $2
            where match_id = $1 and wanted is not null and exists (select from owned)"
        ))
        .bind(id.as_str())
        .bind(now)
        .bind(claim.key.as_str())
        .bind(worker.get())
        .bind(claim.epoch),
    };
    query.execute(connection).await?;
    Ok(())
}

pub async fn load(connection: &mut Connection, id: &MatchId) -> Result<Option<StoredReport>, Error> {
    let row = sqlx::query(
        "select m.guild_id, number, wanted_channel_id, wanted, over, posting_since, posting_in, channel_id, message_id, said, said_at,
            dismissed, blocked_why, blocked_at
        from match_reports join matches m using (match_id) where match_id = $1",
    )
    .bind(id.as_str())
    .fetch_optional(connection)
    .await?;
    row.map(|row| read(&row)).transpose()
}

/// Keeps the row as it is until the transaction ends. Before `jobs::still_owned`: `want` has this row first and the job's after it, and the other
/// way round the two would wait for each other.
pub async fn lock(connection: &mut Connection, id: &MatchId) -> Result<(), Error> {
    sqlx::query("select from match_reports where match_id = $1 for update")
        .bind(id.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Writes down how the message stands. Call it in a transaction, after `lock` and `jobs::still_owned`.
pub async fn save(connection: &mut Connection, id: &MatchId, report: &Report, now: Timestamp) -> Result<(), Error> {
    let channel = |channel: ChannelId| convert::to_bigint(channel.get());
    let message = report.message.as_ref();
    sqlx::query(
        "update match_reports set posting_since = $2, posting_in = $3, channel_id = $4, message_id = $5, said = $6, said_at = $7,
            dismissed = $8, blocked_why = $9, blocked_at = $10, updated_at = $11,
            number = case when message_id is not null and $5::bigint is null then nextval('match_report_numbers') else number end
        where match_id = $1",
    )
    .bind(id.as_str())
    .bind(report.posting.map(|(since, _)| since))
    .bind(report.posting.map(|(_, place)| channel(place)).transpose()?)
    .bind(message.map(|message| channel(message.channel)).transpose()?)
    .bind(message.map(|message| convert::to_bigint(message.id)).transpose()?)
    .bind(message.map(|message| storable(&message.said)))
    .bind(message.map(|message| message.said_at))
    .bind(report.dismissed)
    .bind(report.blocked.as_ref().map(|(why, _)| storable(why)))
    .bind(report.blocked.as_ref().map(|(_, at)| *at))
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// The message is done with. Something new that was wanted meanwhile stays.
pub async fn forget(connection: &mut Connection, id: &MatchId, report: &Report) -> Result<(), Error> {
    sqlx::query("delete from match_reports where match_id = $1 and over = $2 and wanted is not distinct from $3")
        .bind(id.as_str())
        .bind(report.over)
        .bind(report.wanted.as_ref().map(|(_, text)| storable(text)))
        .execute(connection)
        .await?;
    Ok(())
}

fn read(row: &PgRow) -> Result<StoredReport, Error> {
    let channel = |column: &str| {
        let id: Option<i64> = row.try_get(column)?;
        id.map(convert::channel).transpose()
    };
    let guild: Option<i64> = row.try_get("guild_id")?;
    let text: Option<String> = row.try_get("wanted")?;
    let since: Option<Timestamp> = row.try_get("posting_since")?;
    let message: Option<i64> = row.try_get("message_id")?;
    let message = match (message, channel("channel_id")?) {
        (Some(id), Some(channel)) => Some(Message {
            channel,
            id: id.unsigned_abs(),
            said: row.try_get("said")?,
            said_at: row.try_get("said_at")?,
        }),
        _ => None,
    };
    let why: Option<String> = row.try_get("blocked_why")?;
    Ok(StoredReport {
        guild: guild.map(convert::guild).transpose()?,
        number: row.try_get("number")?,
        report: Report {
            wanted: channel("wanted_channel_id")?.zip(text),
            over: row.try_get("over")?,
            posting: since.zip(channel("posting_in")?),
            message,
            dismissed: row.try_get("dismissed")?,
            blocked: why.zip(row.try_get("blocked_at")?),
        },
    })
}
