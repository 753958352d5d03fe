//! Books the open matches that something in Discord concerns, each kind of event in one statement. What is to be done about it is decided
//! by the match's run.

use sqlx::{Postgres, query::Query};

use crate::{
    domain::{
        Timestamp,
        ids::{ChannelId, GuildId, UserId},
    },
    store::{Connection, Error, convert, jobs::book_again},
};

/// A job that is dead stays so: what somebody does in Discord says nothing about why it died.
macro_rules! book {
    ($select:literal) => {
        concat!(
            "insert into jobs (key, due_at, wanted_since) select 'match:' || match_id, $1, $1 from (",
            $select,
            // Always in this order, so that two who book the same matches wait for each other in one direction only.
            ") as affected (match_id) order by match_id ",
            book_again!(),
            " where jobs.dead_at is null"
        )
    };
}

/// People changed their seats, and are in voice now or not: notes in the running matches that whoever hung up, or could not be moved before, is to be tried
/// anew. The match may be looked at by a process that does not listen to that guild. Call it before the booking, outside a transaction.
pub async fn note_seats(connection: &mut Connection, seen: &[(GuildId, UserId, bool)]) -> Result<(), Error> {
    sqlx::query(
        "update match_members p set asked = p.asked + 1
        from unnest($1::bigint[], $2::bigint[], $3::bool[]) as seen (guild_id, discord_id, in_voice), matches m
        where p.discord_id = seen.discord_id and m.match_id = p.match_id and m.guild_id = seen.guild_id
            and m.closed_at is null and m.ended_at is null and p.asked = p.answered
            and (p.placement = 'moved' and not in_voice or p.placement in ('absent', 'outside') and in_voice)",
    )
    .bind(bigints(seen.iter().map(|(guild, ..)| guild.get()))?)
    .bind(bigints(seen.iter().map(|(_, user, _)| user.get()))?)
    .bind(seen.iter().map(|(.., in_voice)| *in_voice).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Linked people changed their seats: the running matches that they play in, in that guild.
pub async fn book_players(
    connection: &mut Connection,
    moved: &[(GuildId, UserId)],
    now: Timestamp,
) -> Result<u64, Error> {
    let guilds = bigints(moved.iter().map(|(guild, _)| guild.get()))?;
    let users = bigints(moved.iter().map(|(_, user)| user.get()))?;
    let query = sqlx::query(book!(
        "select distinct m.match_id
        from unnest($2::bigint[], $3::bigint[]) as moved (guild_id, discord_id)
        join player_links l on l.discord_id = moved.discord_id
        join matches m on jsonb_path_query_array(m.facts, '$.sides.*.roster[*].id') ? l.faceit_id
            and m.guild_id = moved.guild_id
        where m.closed_at is null and m.ended_at is null"
    ));
    run(connection, query.bind(now).bind(guilds).bind(users)).await
}

/// Channels were deleted: the running matches that they belonged to. Those of a match that is over are deleted by ourselves.
pub async fn book_channels(connection: &mut Connection, gone: &[ChannelId], now: Timestamp) -> Result<u64, Error> {
    let channels = bigints(gone.iter().map(|channel| channel.get()))?;
    let query = sqlx::query(book!(
        "select distinct m.match_id from active_matches a join matches m using (match_id)
        where a.channel_id = any ($2) and m.closed_at is null and m.ended_at is null"
    ));
    run(connection, query.bind(now).bind(channels)).await
}

/// What the bot may do in these guilds may have changed: the open matches there that Discord refused something for. Call it when that is written
/// down (`guild_states::note_rights`): by it a match knows that another try is worth it.
pub async fn book_refused(connection: &mut Connection, guilds: &[GuildId], now: Timestamp) -> Result<u64, Error> {
    let guilds = bigints(guilds.iter().map(|guild| guild.get()))?;
    let query = sqlx::query(book!(
        "select a.match_id from active_matches a join matches m using (match_id)
        where a.guild_id = any ($2) and (a.blocked_why is not null or a.access_blocked is not null)
            and m.closed_at is null
        union
        select m.match_id from matches m join match_members p using (match_id)
        where m.guild_id = any ($2) and m.closed_at is null and p.placement = 'refused'"
    ));
    run(connection, query.bind(now).bind(guilds)).await
}

/// Nobody knows what happened in these guilds meanwhile: all open matches there.
pub async fn book_guilds(connection: &mut Connection, guilds: &[GuildId], now: Timestamp) -> Result<u64, Error> {
    let guilds = bigints(guilds.iter().map(|guild| guild.get()))?;
    let query = sqlx::query(book!(
        "select match_id from matches where guild_id = any ($2) and closed_at is null"
    ));
    run(connection, query.bind(now).bind(guilds)).await
}

/// There is a further category: the running matches of the guild that waited for room.
pub async fn book_waiting(connection: &mut Connection, guild: GuildId, now: Timestamp) -> Result<u64, Error> {
    let query = sqlx::query(book!(
        "select distinct m.match_id from active_matches a join matches m using (match_id)
        where a.guild_id = $2 and a.blocked_by = 'no_room' and m.closed_at is null"
    ));
    run(connection, query.bind(now).bind(convert::to_bigint(guild.get())?)).await
}

/// Channels were deleted in these guilds, or something else happened to their categories: those that have further ones.
pub async fn book_categories(connection: &mut Connection, guilds: &[GuildId], now: Timestamp) -> Result<u64, Error> {
    let guilds = bigints(guilds.iter().map(|guild| guild.get()))?;
    let query = sqlx::query(concat!(
        "insert into jobs (key, due_at, wanted_since) select key, $1, $1 from (
            select distinct 'guild:' || guild_id from overflow_categories where guild_id = any ($2)
        ) as affected (key) order by key ",
        book_again!(),
        " where jobs.dead_at is null"
    ));
    run(connection, query.bind(now).bind(guilds)).await
}

async fn run(
    connection: &mut Connection,
    query: Query<'_, Postgres, sqlx::postgres::PgArguments>,
) -> Result<u64, Error> {
    Ok(query.execute(connection).await?.rows_affected())
}

fn bigints(ids: impl Iterator<Item = u64>) -> Result<Vec<i64>, Error> {
    ids.map(convert::to_bigint).collect()
}
