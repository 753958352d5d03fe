//! Rows as a long life leaves them: matches that are over, and an audit log.

use muster::{
    domain::{
        ids::{Faction, PlayerId},
        match_facts::{Competition, MatchFacts, Player, Side, Status},
    },
    store::Pool,
};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use super::service::GUILD;

/// Nine in ten of both belong to the guild that is asked about.
pub async fn fill(pool: &Pool, matches: u64, audit: u64) -> anyhow::Result<()> {
    let facts = serde_json::to_string(&facts())?;
    let mut connection = muster::store::dedicated(pool).await?;
    // Nobody is to be told of these.
    connection.execute("set session_replication_role = replica").await?;
    connection.execute("set statement_timeout = 0").await?;
    let insert = format!(
        "insert into matches (match_id, guild_id, status, facts, first_seen_at, live_since, ended_at, closed_at, updated_at)
        select '1-' || md5(n::text), case when n % 10 = 0 then 7 else {GUILD} end, 'FINISHED', '{facts}'::jsonb, at, at, at, at, at
        from generate_series(1, {matches}) as n, lateral (select timestamptz '2026-01-01' + n * interval '4 min' as at) as t"
    );
    connection.execute(AssertSqlSafe(insert)).await?;
    let insert = format!(
        "insert into audit (at, source, actor_id, actor_name, action, guild_id, subject, before, after)
        select timestamptz '2026-01-01' + n * interval '20 s', 'web', 2001 + n % 100, 'somebody',
            case when n % 10000 = 0 then 'guild.changed' else 'link.added' end, case when n % 10 = 0 then 7 else {GUILD} end, n::text,
            null, jsonb_build_object('discord_id', n::text, 'faceit_id', md5(n::text))
        from generate_series(1, {audit}) as n"
    );
    connection.execute(AssertSqlSafe(insert)).await?;
    connection.execute("vacuum analyze").await?;
    connection.close().await?;
    Ok(())
}

/// Five against five.
fn facts() -> MatchFacts {
    let player = |number: usize| Player {
        id: PlayerId::new(format!("7e8d5c1a-0000-4000-8000-00000000000{number}")),
        nickname: format!("player-{number}"),
    };
    let side = |faction: Faction| {
        let side = Side {
            team_id: faction.to_string(),
            name: format!("team of {faction}"),
            bye: false,
            roster: (0..5).map(player).collect(),
        };
        (faction, side)
    };
    MatchFacts {
        sides: Faction::BOTH.into_iter().map(side).collect(),
        competition: Competition {
            id: "hub-1".to_owned(),
            kind: "hub".to_owned(),
            name: "Bench".to_owned(),
            organizer_id: "organizer-1".to_owned(),
        },
        ..MatchFacts::bare(Status::Finished)
    }
}
