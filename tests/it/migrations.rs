//! Migrations: applied to tables with rows in them, by several at once, and once only.

use std::{borrow::Cow, collections::BTreeSet};

use muster::store::{self, Connection, Error};
use sqlx::{
    Executor as _,
    migrate::{Migration, Migrator},
};
use tokio::task::JoinSet;

use crate::support::database::Database;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// A row for each table that a migration makes, put in as soon as it is applied. A migration to come must cope with them.
const ROWS: &[(i64, &str)] = &[
    (
        1,
        "insert into deliveries (received_at, event, event_id, match_id, payload_version, headers, body)
        values ('2026-11-21 18:00Z', 'match_status_ready', 'e1', '1-a', 2, '{}', '{}')",
    ),
    (
        2,
        "with worker as (insert into workers (started_at, heartbeat_at) values ('2026-11-21 18:00Z', '2026-11-21 18:00Z') returning id)
        insert into jobs (key, due_at, owner) select 'match:1-a', '2026-11-21 18:00Z', id from worker",
    ),
    (
        3,
        "insert into player_links (faceit_id, discord_id, nickname, verified_method, linked_at, updated_at)
        values ('p1', 2001, 'ann', 'import', '2026-11-21 18:00Z', '2026-11-21 18:00Z')",
    ),
    (
        4,
        "insert into matches (match_id, guild_id, first_seen_at, updated_at)
        values ('1-a', 1000, '2026-11-21 18:00Z', '2026-11-21 18:00Z')",
    ),
    (
        5,
        "insert into active_matches (match_id, faction, guild_id, channel_name, channel_id, updated_at)
        values ('1-a', 'faction1', 1000, 'blue', 3001, '2026-11-21 18:00Z')",
    ),
    (
        6,
        "insert into match_members (match_id, discord_id, faction, placement, tried_in, tried_at)
        values ('1-a', 2001, 'faction1', 'moved', 'READY', '2026-11-21 18:00Z')",
    ),
    (
        8,
        "insert into guilds (guild_id, overflow, overflow_name, source_channels, staff_roles, spectator_roles, user_limit,
            name_template, open_when, grace_seconds, max_age_seconds, return_to, paused, verified_links_only, version, updated_at)
        values (1000, true, '{n}', '{}', '{}', '{}', 0, '{faction}', 'rosters_known', 60, 28800, 'before', false, false, 1,
            '2026-11-21 18:00Z')",
    ),
    (
        8,
        "insert into guild_competitions (competition_id, kind, guild_id, claimed_at)
        values ('hub', 'hub', 1000, '2026-11-21 18:00Z')",
    ),
    (
        10,
        "with session as (
            insert into gateway_sessions (shard_id, shard_count, session_id, sequence, saved_at)
            values (0, 1, 'session', 7, '2026-11-21 18:00Z') returning shard_id
        ) insert into gateway_guilds (guild_id, shard_id, unavailable, users, seats, channels, kinds, parents)
        select 1000, shard_id, false, '{2001}', '{1011}', '{1010, 1011}', '{4, 2}', '{0, 1010}' from session",
    ),
    (
        12,
        "insert into audit (at, source, actor_name, action, subject)
        values ('2026-11-21 18:00Z', 'cli', 'command line', 'link.added', '2001')",
    ),
    (
        13,
        "insert into link_states (token_hash, discord_id, discord_name, created_at, expires_at)
        values (sha256('token'), 2001, 'ann', '2026-11-21 18:00Z', '2026-11-21 18:10Z')",
    ),
    (
        14,
        "insert into gateway_lease (beats, beaten_at) values (1, '2026-11-21 18:00Z')",
    ),
    (
        20,
        "with person as (
            insert into users (id, username, created_at, last_login_at, refreshed_at)
            values (2001, 'ann', '2026-11-21 18:00Z', '2026-11-21 18:00Z', '2026-11-21 18:00Z') returning id
        ), session as (
            insert into sessions (id, user_id, created_at, last_seen_at, expires_at)
            select sha256('session'), id, '2026-11-21 18:00Z', '2026-11-21 18:00Z', '2026-11-28 18:00Z' from person
        ), tokens as (
            insert into discord_tokens (user_id, key_id, sealed, expires_at, updated_at)
            select id, '1', 'sealed', '2026-11-28 18:00Z', '2026-11-21 18:00Z' from person
        ) insert into used_states (id, expires_at) values (sha256('state'), '2026-11-21 18:10Z')",
    ),
    (
        35,
        "insert into guild_states (guild_id, away_since, away_checked_at) values (1000, '2026-11-21 18:00Z', '2026-11-21 18:00Z')",
    ),
    (
        36,
        "insert into overflow_categories (guild_id, number, base_id, name, channel_id, updated_at)
        values (1000, 2, 1010, 'Matches 2', 3010, '2026-11-21 18:00Z')",
    ),
    (
        40,
        "insert into command_lists (application_id, guild_id, hash, told_at)
        values (7, 0, sha256('list'), '2026-11-21 18:00Z')",
    ),
    (
        51,
        "insert into match_steps (match_id, at, kind, words) values ('1-a', '2026-11-21 18:00Z', 'turn', 'the match is READY')",
    ),
    (53, "insert into service_pause (since) values ('2026-11-21 18:00Z')"),
    (
        59,
        "insert into guild_people (guild_id, discord_id) values (1000, 2999)",
    ),
    (
        61,
        "insert into match_reports (match_id, wanted_channel_id, wanted, updated_at)
        values ('1-a', 1013, 'all is well', '2026-11-21 18:00Z')",
    ),
    (
        65,
        "insert into erasings (discord_id, asked_at, state) values (2001, '2026-11-21 18:00Z', '{}')",
    ),
];

async fn tables(c: &mut Connection) -> Vec<(String, i64)> {
    let names: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.tables
        where table_schema = 'public' and table_name <> '_sqlx_migrations' order by 1",
    )
    .fetch_all(&mut *c)
    .await
    .unwrap();
    let mut counted = Vec::new();
    for name in names {
        let count = format!("select count(*) from {name}");
        let rows = sqlx::query_scalar(sqlx::AssertSqlSafe(count))
            .fetch_one(&mut *c)
            .await
            .unwrap();
        counted.push((name, rows));
    }
    counted
}

#[tokio::test]
async fn every_migration_copes_with_rows_from_before_it() {
    let database = Database::empty().await;
    let (pool, c) = (database.pool(2), &mut database.connection().await);
    let all: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
    for version in &all {
        assert_eq!(
            store::migrations_pending(&pool).await.unwrap().len(),
            all.iter().filter(|v| *v >= version).count()
        );
        MIGRATIONS.run_to(*version, &pool).await.unwrap();
        for (_, row) in ROWS.iter().filter(|(of, _)| of == version) {
            c.execute(*row).await.unwrap();
        }
    }
    let filled = tables(c).await;
    assert!(
        filled.iter().all(|(_, rows)| *rows > 0),
        "a table without a row: {filled:?}"
    );

    store::migrate(&pool).await.unwrap();
    assert_eq!(tables(c).await, filled, "once more changes nothing");
    assert_eq!(store::migrations_pending(&pool).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn pending_migrations_are_named() {
    let database = Database::empty().await;
    let pool = database.pool(1);
    let pending = store::migrations_pending(&pool).await.unwrap();
    assert_eq!(pending.len(), MIGRATIONS.iter().count());
    assert_eq!(pending[..2], ["0001 deliveries", "0002 jobs"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_processes_may_migrate_at_once() {
    let database = Database::empty().await;
    let mut processes = JoinSet::new();
    for _ in 0..6 {
        let pool = database.pool(1);
        processes.spawn(async move { store::migrate(&pool).await });
    }
    for outcome in processes.join_all().await {
        outcome.unwrap();
    }
}

#[tokio::test]
async fn a_database_newer_than_the_program_is_refused() {
    let database = Database::migrated().await;
    let mut newer: Vec<Migration> = MIGRATIONS.iter().cloned().collect();
    let mut last = newer[newer.len() - 1].clone();
    last.version += 1;
    last.sql = sqlx::SqlStr::from_static("select 1");
    newer.push(last);
    let newer = Migrator {
        migrations: Cow::Owned(newer),
        ..Migrator::DEFAULT
    };
    newer.run(&database.pool(1)).await.unwrap();
    let error = store::migrate(&database.pool(1)).await.unwrap_err();
    assert!(
        matches!(&error, Error::Unexpected(why) if why.contains("older than the database")),
        "{error}"
    );
}

#[tokio::test]
async fn a_failed_migration_does_not_lock_the_next_try_out() {
    let database = Database::empty().await;
    let (pool, c) = (database.pool(1), &mut database.connection().await);
    c.execute("create table player_links ()").await.unwrap();
    let error = store::migrate(&pool).await.unwrap_err();
    assert!(error.to_string().contains("migration 0003"), "{error}");
    c.execute("drop table player_links").await.unwrap();
    store::migrate(&pool).await.unwrap();
}

#[tokio::test]
async fn tables_and_columns_say_what_they_are_for() {
    // Named by themselves, or by the table's own comment.
    const OBVIOUS: [&str; 19] = [
        "deliveries.id",
        "workers.id",
        "workers.started_at",
        "jobs.key",
        "player_links.discord_id",
        "player_links.linked_at",
        "player_links.updated_at",
        "matches.match_id",
        "matches.guild_id",
        "matches.first_seen_at",
        "active_matches.match_id",
        "active_matches.faction",
        "active_matches.guild_id",
        "active_matches.channel_name",
        "active_matches.category_id",
        "active_matches.blocked_at",
        "active_matches.updated_at",
        "match_members.match_id",
        "match_members.discord_id",
    ];
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let bare: BTreeSet<String> = sqlx::query_scalar(
        "select relname::text || coalesce('.' || attname, '') from pg_class
        join pg_namespace on pg_namespace.oid = relnamespace and nspname = 'public'
        cross join lateral (
            select 0 as attnum, null as attname
            union all select attnum, attname from pg_attribute where attrelid = pg_class.oid and attnum > 0 and not attisdropped
        ) as part
        where relkind = 'r' and relname <> '_sqlx_migrations' and not exists (
            select from pg_description
            where classoid = 'pg_class'::regclass and objoid = pg_class.oid and objsubid = part.attnum)",
    )
    .fetch_all(c)
    .await
    .unwrap()
    .into_iter()
    .collect();
    let obvious: BTreeSet<String> = OBVIOUS.map(str::to_owned).into();
    assert_eq!(bare.difference(&obvious).collect::<Vec<_>>(), Vec::<&String>::new());
}
