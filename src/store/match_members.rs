//! Table `match_members`: whom we tried to place, and what came of it.

use std::collections::BTreeMap;

use sqlx::Row;

use crate::{
    domain::{
        ids::{MatchId, UserId},
        match_facts::Status,
        record::{Member, Placement, Record},
    },
    store::{Connection, Error, convert, storable},
};

pub(super) async fn load(connection: &mut Connection, id: &MatchId) -> Result<BTreeMap<UserId, Member>, Error> {
    let rows = sqlx::query(
        "select discord_id, faction, placement, reason, tried_in, tried_at from match_members where match_id = $1",
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
                "not_in_guild" => Placement::NotInGuild,
                "refused" => Placement::Refused(reason.unwrap_or_default()),
                other => return Err(Error::Unexpected(format!("the stored text '{other}' is no placement"))),
            };
            let member = Member {
                faction: convert::faction(row.try_get("faction")?)?,
                placement,
                tried_in: Status::parse(row.try_get("tried_in")?),
                tried_at: row.try_get("tried_at")?,
            };
            Ok((convert::user(row.try_get("discord_id")?)?, member))
        })
        .collect()
}

/// Makes the match's rows what its members are: one round trip, untouched where nothing changed.
pub(super) async fn save(connection: &mut Connection, record: &Record) -> Result<(), Error> {
    let mut users = Vec::new();
    let mut factions = Vec::new();
    let mut placements = Vec::new();
    let mut reasons = Vec::new();
    let mut tried_in = Vec::new();
    let mut tried_at = Vec::new();
    for (user, member) in &record.members {
        let (placement, reason) = match &member.placement {
            Placement::Moved => ("moved", None),
            Placement::Absent => ("absent", None),
            Placement::NotInGuild => ("not_in_guild", None),
            Placement::Refused(why) => ("refused", Some(storable(why).into_owned())),
        };
        users.push(convert::to_bigint(user.get())?);
        factions.push(member.faction.as_str());
        placements.push(placement);
        reasons.push(reason);
        tried_in.push(storable(member.tried_in.as_str()).into_owned());
        tried_at.push(member.tried_at);
    }
    sqlx::query(
        "with gone as (
            delete from match_members where match_id = $1 and discord_id <> all ($2)
        )
        insert into match_members (match_id, discord_id, faction, placement, reason, tried_in, tried_at)
        select $1, * from unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
        on conflict (match_id, discord_id) do update set
            faction = excluded.faction, placement = excluded.placement, reason = excluded.reason,
            tried_in = excluded.tried_in, tried_at = excluded.tried_at
        where (match_members.faction, match_members.placement, match_members.reason, match_members.tried_in,
                match_members.tried_at)
            is distinct from (excluded.faction, excluded.placement, excluded.reason, excluded.tried_in, excluded.tried_at)",
    )
    .bind(record.id.as_str())
    .bind(users)
    .bind(factions)
    .bind(placements)
    .bind(reasons)
    .bind(tried_in)
    .bind(tried_at)
    .execute(connection)
    .await?;
    Ok(())
}
