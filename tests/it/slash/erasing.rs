//! An erasing that takes long: it goes on after a kill, and beside whatever the person does meanwhile.

use std::collections::BTreeSet;

use muster::store::{
    Connection, Pool,
    audit::Actor,
    linking::{self, By},
    links::Method,
};
use sqlx::{Connection as _, Executor as _};

use super::{
    erased::{ID, as_him, bot, erased, id, left, played, press, row, sign_up, signed_up, traces, with_him},
    fault,
};
use crate::support::{
    bot::world,
    database::{Database, eventually},
    service::Place,
};
use muster::simulator::Ask;
use serde_json::json;

/// Something of his that can't be changed until the transaction ends: the erasing has begun, and waits there.
async fn hold(conn: &mut Connection) -> sqlx::Transaction<'_, sqlx::Postgres> {
    let mut held = conn.begin().await.unwrap();
    held.execute("select from deliveries for update").await.unwrap();
    held
}

const WAITS: &str = "update deliveries set body%";

async fn count(pool: &Pool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

async fn erasings(pool: &Pool) -> i64 {
    count(
        pool,
        "select (select count(*) from erasings) + (select count(*) from jobs where key like 'erase:%')",
    )
    .await
}

async fn erased_rows(pool: &Pool) -> i64 {
    count(pool, "select count(*) from audit where action = 'person.erased'").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasing_goes_on_after_a_kill_and_says_so_when_it_is_done() {
    let place = Place::in_world(Database::migrated().await, with_him(world()), &["rex"]).await;
    sign_up(&place.pool, muster::clock::Clock::system().now()).await;
    let delivery = "insert into deliveries (received_at, event, event_id, match_id, payload_version, headers, body)
        values (now(), 'match_status_ready', 'e1', 'm1', 1, '{}', '{\"roster\": [{\"id\": \"p-quillfeather\", \"nickname\": \"Quillfeather\"}]}')";
    sqlx::query(delivery).execute(&place.pool).await.unwrap();
    let serving = place.serve().await;
    place.gateway_ready(&serving).await;
    let question = place.simulator.ask(&as_him("erase")).await.unwrap().id;
    let see = || place.simulator.see(&question).unwrap();
    eventually("he is asked once more", async || see()["state"] == "answered").await;
    let mut conn = place.connection().await;
    let held = hold(&mut conn).await;
    let button = Ask {
        user_id: ID.to_string(),
        of: question.clone(),
        button: "erase:all".to_owned(),
        ..as_him("")
    };
    place.simulator.ask(&button).await.unwrap();
    eventually("it has begun", || place.is_blocked(WAITS)).await;
    let named = traces(&place.database).await;
    assert!(
        !named.contains("player_links.discord_id"),
        "what is at hand goes at once: {named:?}"
    );
    assert!(
        !named.iter().any(|column| column.starts_with("jobs.")),
        "no job names anybody: {named:?}"
    );
    serving.kill_9().await;
    held.rollback().await.unwrap();
    assert!(left(&place.database).await.contains("deliveries.body"));

    let serving = place.serve().await;
    let done = || {
        see()["content"]
            .as_str()
            .is_some_and(|text| text.contains("Everything is deleted"))
    };
    eventually("he is told", async || done()).await;
    place.rest().await;
    assert_eq!(left(&place.database).await, BTreeSet::new());
    assert_eq!((erasings(&place.pool).await, erased_rows(&place.pool).await), (0, 1));
    serving.kill_9().await;
}

#[tokio::test]
async fn whoever_links_himself_again_while_he_is_erased_stays_linked_and_only_what_was_before_goes() {
    let bot = bot().await;
    let pool = bot.app.sync.sources.pool.clone();
    signed_up(&bot).await;
    played(&bot, "1-a", "quillfeather").await;
    let shown = bot.ask(&as_him("erase")).await;
    let mut conn = bot.database.connection().await;
    let held = hold(&mut conn).await;
    press(&bot, &shown).await;
    eventually("it has begun", || bot.is_blocked(WAITS)).await;
    let by = By {
        actor: Actor::discord(id(), "Quillfeather on Discord"),
        guild: None,
        at: bot.clock.now(),
    };
    let mut tx = pool.begin().await.unwrap();
    let again = row("p-quillfeather", "Quillfeather");
    linking::link(&mut tx, &again, Method::Manual, &by).await.unwrap();
    tx.commit().await.unwrap();
    held.rollback().await.unwrap();
    erased(&bot, &shown).await.says("2 recorded messages");
    let mut conn = pool.acquire().await.unwrap();
    let link = linking::of_user(&mut conn, id()).await.unwrap().unwrap();
    assert_eq!(
        (&link.row, link.method),
        (&again, Method::Manual),
        "his proof is forgotten"
    );
    let log = count(&pool, "select count(*) from audit where subject = '772613990417735512'").await;
    let tables: BTreeSet<String> = left(&bot.database).await;
    let tables: BTreeSet<&str> = tables.iter().filter_map(|column| column.split('.').next()).collect();
    assert_eq!((log, tables), (1, ["audit", "player_links"].into()));

    // And all of it goes with his next wish.
    drop(conn);
    bot.advance(std::time::Duration::from_secs(3600)).await;
    let shown = bot.ask(&as_him("erase")).await;
    press(&bot, &shown).await;
    erased(&bot, &shown).await;
    assert_eq!(left(&bot.database).await, BTreeSet::new());
    bot.finish().await;
}

#[tokio::test]
async fn two_wishes_at_once_are_one_erasing_and_both_are_answered() {
    let bot = bot().await;
    let pool = bot.app.sync.sources.pool.clone();
    signed_up(&bot).await;
    played(&bot, "1-a", "quillfeather").await;
    let (one, other) = (bot.ask(&as_him("erase")).await, bot.ask(&as_him("erase")).await);
    let mut conn = bot.database.connection().await;
    let held = hold(&mut conn).await;
    tokio::join!(press(&bot, &one), press(&bot, &other));
    eventually("it has begun", || bot.is_blocked(WAITS)).await;
    held.rollback().await.unwrap();
    for shown in [&one, &other] {
        erased(&bot, shown).await;
    }
    assert_eq!(left(&bot.database).await, BTreeSet::new());
    assert_eq!((erasings(&pool).await, erased_rows(&pool).await), (0, 1));
    bot.finish().await;
}

#[tokio::test]
async fn an_erasing_ends_also_when_its_messages_can_not_be_changed() {
    let bot = bot().await;
    signed_up(&bot).await;
    let shown = bot.ask(&as_him("erase")).await;
    let gone = json!({"path": "/messages/@original", "method": "PATCH", "status": 404, "body": {"code": 10015, "message": "Unknown Webhook"}, "times": 20});
    bot.simulator.fault(fault(gone)).unwrap();
    press(&bot, &shown).await;
    eventually("nothing is left", async || left(&bot.database).await.is_empty()).await;
    bot.settle().await;
    assert_eq!(erasings(&bot.app.sync.sources.pool).await, 0);
    bot.simulator.clear_faults();
    bot.finish().await;
}
