//! Table `match_members`: whom we tried to place, what came of it, and who asked to be moved again.

use std::collections::BTreeMap;

use sqlx::Row;

use crate::{
    domain::{
        Timestamp,
        ids::{MatchId, UserId},
        job::JobKey,
        match_facts::Status,
        record::{Member, Placement, Record},
    },
    store::{Connection, Error, convert, jobs, storable},
};

/// Whom to move once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    One(UserId),
    Everybody,
}

/// Somebody wants to be moved into his match's channel once more, or staff wants it for everybody, wherever people went meanwhile: books the match. False
/// when it does not run. The run that answers the wish counts it; one that began earlier can't take it for answered.
pub async fn request_move(
    connection: &mut Connection,
    id: &MatchId,
    whom: Whom,
    now: Timestamp,
) -> Result<bool, Error> {
    let user = match whom {
        Whom::One(user) => Some(convert::to_bigint(user.get())?),
        Whom::Everybody => None,
    };
    let runs = sqlx::query("select from matches where match_id = $1 and closed_at is null and ended_at is null")
        .bind(id.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    if runs.is_none() {
        return Ok(false);
    }
    // The job's row first, as a run does that saves.
    jobs::book(connection, &JobKey::sync_match(id), now).await?;
    sqlx::query(
        "update match_members set asked = asked + 1 where match_id = $1 and ($2::bigint is null or discord_id = $2)",
    )
    .bind(id.as_str())
    .bind(user)
    .execute(connection)
    .await?;
    Ok(true)
}

pub(super) async fn load(connection: &mut Connection, id: &MatchId) -> Result<BTreeMap<UserId, Member>, Error> {
    let rows = sqlx::query(
        "select discord_id, faction, placement, reason, tried_in, tried_at, came_from, asked, answered
        from match_members where match_id = $1",
    )
    .bind(id.as_str())
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let reason: Option<String> = row.try_get("reason")?;
            let placement = match row.try_get("placement")? {
                "moved" => Placement::Moved,
                "absent" => Placement::Absent,
                "outside" => Placement::Outside,
                "not_in_guild" => Placement::NotInGuild,
                "refused" => Placement::Refused(reason.unwrap_or_default()),
                other => return Err(Error::Unexpected(format!("the stored text '{other}' is no placement"))),
            };
            let member = Member {
                faction: convert::faction(row.try_get("faction")?)?,
                placement,
                tried_in: Status::parse(row.try_get("tried_in")?),
                tried_at: row.try_get("tried_at")?,
                came_from: row
                    .try_get::<Option<i64>, _>("came_from")?
                    .map(convert::channel)
                    .transpose()?,
                asked: row.try_get("asked")?,
                answered: row.try_get("answered")?,
            };
            Ok((convert::user(row.try_get("discord_id")?)?, member))
        })
        .collect()
}

/// Makes the match's rows what its members are: one round trip, untouched where nothing changed. How often people asked is not ours to write.
pub(super) async fn save(connection: &mut Connection, record: &Record) -> Result<(), Error> {
    let mut users = Vec::new();
    let mut factions = Vec::new();
    let mut placements = Vec::new();
    let mut reasons = Vec::new();
    let mut tried_in = Vec::new();
    let mut tried_at = Vec::new();
    let mut came_from = Vec::new();
    let mut answered = Vec::new();
    for (user, member) in &record.members {
        let (placement, reason) = match &member.placement {
            Placement::Moved => ("moved", None),
            Placement::Absent => ("absent", None),
            Placement::Outside => ("outside", None),
            Placement::NotInGuild => ("not_in_guild", None),
            Placement::Refused(why) => ("refused", Some(storable(why).into_owned())),
        };
        users.push(convert::to_bigint(user.get())?);
        factions.push(member.faction.as_str());
        placements.push(placement);
        reasons.push(reason);
        tried_in.push(storable(member.tried_in.as_str()).into_owned());
        tried_at.push(member.tried_at);
        let from = member.came_from.map(|channel| convert::to_bigint(channel.get()));
        came_from.push(from.transpose()?);
        answered.push(member.answered);
    }
    sqlx::query(
        "with gone as (
            delete from match_members where match_id = $1 and discord_id <> all ($2)
        ), people as (
            insert into guild_people (guild_id, discord_id)
            select $10, who from unnest($2::bigint[], $4::text[]) as placed (who, placement)
            where $10::bigint is not null and placement <> 'not_in_guild'
                and exists (select from player_links where player_links.discord_id = who)
            order by who on conflict do nothing
        )
        insert into match_members (match_id, discord_id, faction, placement, reason, tried_in, tried_at, came_from, answered)
        select $1, * from unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
            $8::bigint[], $9::bigint[])
        on conflict (match_id, discord_id) do update set
            faction = excluded.faction, placement = excluded.placement, reason = excluded.reason,
            tried_in = excluded.tried_in, tried_at = excluded.tried_at, came_from = excluded.came_from,
            answered = excluded.answered
        where (match_members.faction, match_members.placement, match_members.reason, match_members.tried_in,
                match_members.tried_at, match_members.came_from, match_members.answered)
            is distinct from (excluded.faction, excluded.placement, excluded.reason, excluded.tried_in,
                excluded.tried_at, excluded.came_from, excluded.answered)",
    )
    .bind(record.id.as_str())
    .bind(users)
    .bind(factions)
    .bind(placements)
    .bind(reasons)
    .bind(tried_in)
    .bind(tried_at)
    .bind(came_from)
    .bind(answered)
    .bind(record.guild.map(|guild| convert::to_bigint(guild.get())).transpose()?)
    .execute(connection)
    .await?;
    Ok(())
}
