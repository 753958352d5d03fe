//! What the database tells of itself: small notices, one for each match, in the transaction that makes the change.

use muster::store::{
    self, Connection,
    listener::{Heard, LIVE, Listener},
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _};
use tokio::time::timeout;

use crate::support::database::{Database, LONG};

async fn run(c: &mut Connection, query: impl Into<String>) {
    sqlx::raw_sql(AssertSqlSafe(query.into())).execute(c).await.unwrap();
}

/// What this statement tells of.
async fn told(c: &mut Connection, ear: &mut Listener, query: impl Into<String>) -> Vec<Value> {
    run(c, query).await;
    run(c, "notify muster_live, 'end'").await;
    let mut told = Vec::new();
    loop {
        match timeout(LONG, ear.heard()).await.expect("in time").unwrap() {
            Heard::Notice { payload } if payload == "end" => return told,
            Heard::Notice { payload } => told.push(serde_json::from_str(&payload).unwrap()),
            Heard::Gap => panic!("the connection was lost"),
        }
    }
}

async fn start(database: &Database) -> (Connection, Listener) {
    let ear = Listener::listen(&database.pool(1), LIVE).await.unwrap();
    (database.connection().await, ear)
}

const NEW: &str = "insert into matches (match_id, guild_id, status, live_since, first_seen_at, updated_at)
    values ('1-a', 1000, 'READY', '2026-11-21 18:00Z', '2026-11-21 18:00Z', '2026-11-21 18:00Z')";

#[tokio::test]
async fn a_match_tells_its_guild_and_the_one_it_leaves_and_nobody_when_it_is_no_guild_s() {
    let database = Database::migrated().await;
    let (mut c, mut ear) = start(&database).await;
    let about = |guild: &str, state: &str, status: Value| {
        let mut told = json!({"type": "match", "guild": guild, "match": "1-a", "state": state});
        if state != "gone" {
            told["status"] = status;
        }
        told
    };
    let (c, ear) = (&mut c, &mut ear);
    assert_eq!(told(c, ear, NEW).await, [about("1000", "running", json!("READY"))]);
    let moved = told(c, ear, "update matches set guild_id = 2000").await;
    assert_eq!(
        moved,
        [
            about("1000", "gone", Value::Null),
            about("2000", "running", json!("READY"))
        ]
    );
    let over = told(c, ear, "update matches set status = null, ended_at = live_since").await;
    assert_eq!(over, [about("2000", "ending", Value::Null)]);
    let closed = told(c, ear, "update matches set closed_at = live_since").await;
    assert_eq!(closed, [about("2000", "closed", Value::Null)]);
    let away = told(c, ear, "update matches set guild_id = null").await;
    assert_eq!(away, [about("2000", "gone", Value::Null)]);
    assert_eq!(
        told(c, ear, "update matches set status = 'READY'").await,
        [] as [Value; 0]
    );
    assert_eq!(
        told(c, ear, "update matches set status = 'READY' where false").await,
        [] as [Value; 0]
    );
    let many = NEW.replace("values ('1-a',", "select n,").replace(
        ", '2026-11-21 18:00Z')",
        ", '2026-11-21 18:00Z' from generate_series(1, 51) as n",
    );
    assert_eq!(told(c, ear, many).await, [json!({"type": "all"})]);
    // What is taken back was never said.
    let mut tx = c.begin().await.unwrap();
    run(&mut tx, "update matches set status = 'X', guild_id = 3000").await;
    tx.rollback().await.unwrap();
    assert_eq!(told(c, ear, "select").await, [] as [Value; 0]);
}

#[tokio::test]
async fn moves_are_told_together_and_only_when_something_came_of_them() {
    let database = Database::migrated().await;
    let (mut c, mut ear) = start(&database).await;
    let (c, ear) = (&mut c, &mut ear);
    told(c, ear, NEW).await;
    let add = |from: u64, to: u64| {
        format!(
            "insert into match_members (match_id, discord_id, faction, placement, tried_in, tried_at)
            select '1-a', n, 'faction1', case when n = 2001 then 'not_in_guild' else 'moved' end, 'READY', '2026-11-21 18:00Z'
            from generate_series({from}, {to}) as n"
        )
    };
    let of = |changes: Value| json!({"type": "move", "guild": "1000", "match": "1-a", "changes": changes});
    let outside = json!({"user": null, "faction": "faction1", "state": "not_in_guild"});
    let moved = json!({"user": "2002", "faction": "faction1", "state": "moved"});
    assert_eq!(told(c, ear, add(2001, 2002)).await, [of(json!([outside, moved]))]);
    let asked = "update match_members set asked = asked + 1, tried_at = tried_at + interval '1 s'";
    assert_eq!(told(c, ear, asked).await, [] as [Value; 0]);
    let absent = json!({"user": "2002", "faction": "faction1", "state": "absent"});
    let update = "update match_members set placement = 'absent' where discord_id = 2002";
    assert_eq!(told(c, ear, update).await, [of(json!([absent]))]);
    let gone = json!({"user": "2002", "faction": "faction1", "state": "gone"});
    assert_eq!(
        told(c, ear, "delete from match_members where discord_id = 2002").await,
        [of(json!([gone]))]
    );
    assert_eq!(told(c, ear, add(3000, 3099)).await, [of(Value::Null)]);
}

#[tokio::test]
async fn the_longest_texts_fit_into_a_notice() {
    let database = Database::migrated().await;
    let (mut c, mut ear) = start(&database).await;
    let (c, ear) = (&mut c, &mut ear);
    let wide = "\u{1F600}".repeat(128);
    let new = NEW
        .replace("1-a", &wide)
        .replace("READY", &wide)
        .replace("1000", "9223372036854775807");
    assert_eq!(told(c, ear, new).await.len(), 1);
    let members = format!(
        "insert into match_members (match_id, discord_id, faction, placement, tried_in, tried_at)
        select '{wide}', 9223372036854775000 + n, 'faction1', 'outside', 'READY', '2026-11-21 18:00Z' from generate_series(1, 60) as n"
    );
    assert_eq!(told(c, ear, members).await[0]["changes"].as_array().unwrap().len(), 60);
    let job = format!("insert into jobs (key, due_at, attempts) values ('match:{wide}', '2026-11-21 18:00Z', 1)");
    run(c, job).await;
    let dies = told(c, ear, "update jobs set dead_at = due_at").await;
    assert_eq!((&dies[0]["state"], &dies[0]["match"]), (&json!("dead"), &json!(wide)));
    run(
        c,
        "insert into users (id, username, created_at, last_login_at, refreshed_at)
        values (1, 'ann', '2026-11-21 18:00Z', '2026-11-21 18:00Z', '2026-11-21 18:00Z');
        insert into sessions (id, user_id, created_at, last_seen_at, expires_at)
        select sha256(n::text::bytea), 1, '2026-11-21 18:00Z', '2026-11-21 18:00Z', '2026-11-21 18:00Z' from generate_series(1, 120) as n",
    )
    .await;
    let ended = told(c, ear, "delete from sessions").await;
    let sizes: Vec<usize> = ended
        .iter()
        .map(|told| told["ended"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes.iter().sum::<usize>(), 120, "{sizes:?}");
}

#[tokio::test]
async fn jobs_are_told_of_when_they_fail_die_or_work_again_and_not_while_they_work() {
    let database = Database::migrated().await;
    let (mut c, mut ear) = start(&database).await;
    let (c, ear) = (&mut c, &mut ear);
    told(c, ear, NEW).await;
    let new =
        "insert into jobs (key, due_at) values ('match:1-a', '2026-11-21 18:00Z'), ('guild:1000', '2026-11-21 18:00Z'),
        ('match:1-x', '2026-11-21 18:00Z'), ('else', '2026-11-21 18:00Z')";
    assert_eq!(told(c, ear, new).await, [] as [Value; 0]);
    let work =
        "update jobs set wanted = wanted + 1, epoch = 7; update jobs set due_at = due_at + interval '1 s', done = 1";
    assert_eq!(told(c, ear, work).await, [] as [Value; 0]);
    for (change, state) in [
        ("attempts = 1", "failing"),
        ("attempts = 2, dead_at = due_at", "dead"),
        ("attempts = 0, dead_at = null", "revived"),
        ("attempts = 1", "failing"),
        ("attempts = 0", "well"),
    ] {
        let mut told = told(c, ear, format!("update jobs set {change}")).await;
        told.sort_by_key(|told| told["key"].to_string());
        let expected = [
            json!({"type": "job", "guild": "1000", "key": "guild:1000", "state": state}),
            json!({"type": "job", "guild": "1000", "key": "match:1-a", "match": "1-a", "state": state}),
        ];
        assert_eq!(told, expected, "{change}");
    }
    assert_eq!(
        told(c, ear, "delete from jobs where key = 'guild:1000'").await,
        [] as [Value; 0]
    );
    run(c, "update jobs set attempts = 3").await;
    let told = told(c, ear, "delete from jobs").await;
    assert_eq!(told.last().map(|told| &told["state"]), Some(&json!("well")));
    store::ping(c).await.unwrap();
}
