//! Deliveries in batches: each is stored and answered as if it were alone.

use std::sync::Arc;

use muster::{
    domain::job::JobKey,
    faceit::webhook::Delivery,
    store::{Error, Pool, deliveries::Recorded},
    web::intake::{Incoming, Intake},
};
use serde_json::json;
use time::macros::datetime;
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::task::TaskTracker;

use crate::support::database::Database;

fn incoming(event: &str, event_id: &str, match_id: &str) -> Incoming {
    let body = json!({"event": event, "event_id": event_id, "payload": {"id": match_id}}).to_string();
    let delivery = Delivery::parse(body.as_bytes()).unwrap();
    Incoming {
        received_at: datetime!(2026-11-21 18:00 UTC),
        event_id: event_id.to_owned(),
        headers: json!({}),
        job: delivery.match_id.as_ref().map(JobKey::sync_match),
        delivery: Arc::new(delivery),
        body: body.into(),
    }
}

/// With its writers running; they end with it.
fn intake(pool: &Pool, wake: &Arc<Notify>) -> Intake {
    let (intake, writers) = Intake::new(pool, wake);
    let tasks = TaskTracker::new();
    for writer in writers {
        tasks.spawn(writer.run());
    }
    intake
}

/// All at once, with their outcomes in the same order.
async fn store(intake: &Intake, all: Vec<Incoming>) -> Vec<Result<Recorded, Error>> {
    let mut tasks = JoinSet::new();
    for (place, incoming) in all.into_iter().enumerate() {
        let intake = intake.clone();
        tasks.spawn(async move { (place, intake.store(incoming).await) });
    }
    let mut outcomes = tasks.join_all().await;
    outcomes.sort_by_key(|(place, _)| *place);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

async fn count(pool: &Pool, what: &'static str) -> i64 {
    sqlx::query_scalar(what).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn many_at_once_are_all_stored_with_their_jobs_and_the_queue_is_woken() {
    let database = Database::migrated().await;
    let (pool, wake) = (database.pool(4), Arc::new(Notify::new()));
    let all = (0..200)
        .map(|i| incoming("match_status_ready", &format!("e{i}"), &format!("1-{}", i % 20)))
        .collect();

    let outcomes = store(&intake(&pool, &wake), all).await;

    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Ok(Recorded::New { .. })))
    );
    assert_eq!(count(&pool, "select count(*) from deliveries").await, 200);
    assert_eq!(count(&pool, "select sum(wanted)::bigint from jobs").await, 200);
    assert_eq!(count(&pool, "select count(*) from jobs").await, 20);
    wake.notified().await;
}

#[tokio::test]
async fn of_one_delivery_sent_many_times_at_once_one_is_new() {
    let database = Database::migrated().await;
    let (pool, wake) = (database.pool(4), Arc::new(Notify::new()));
    let all = (0..100).map(|_| incoming("match_status_ready", "e1", "1-a")).collect();

    let outcomes = store(&intake(&pool, &wake), all).await;

    let new = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Ok(Recorded::New { .. })));
    assert_eq!(new.count(), 1);
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(count(&pool, "select wanted from jobs").await, 1);
}

#[tokio::test]
async fn one_that_cannot_be_stored_does_not_fail_the_others() {
    let database = Database::migrated().await;
    let (pool, wake) = (database.pool(4), Arc::new(Notify::new()));
    let mut all: Vec<_> = (0..50)
        .map(|i| incoming("match_status_ready", &format!("e{i}"), &format!("1-{i}")))
        .collect();
    // Longer than the table takes; a body never gets that far.
    all[25].event_id = "e".repeat(200);

    let outcomes = store(&intake(&pool, &wake), all).await;

    let failed: Vec<_> = outcomes
        .iter()
        .enumerate()
        .filter(|(_, outcome)| outcome.is_err())
        .collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0].0, 25);
    assert_eq!(count(&pool, "select count(*) from deliveries").await, 49);
}

#[tokio::test]
async fn a_connection_that_died_between_two_deliveries_fails_none() {
    let database = Database::migrated().await;
    let (pool, wake) = (database.pool(4), Arc::new(Notify::new()));
    let intake = intake(&pool, &wake);
    for round in 0..5 {
        let outcome = intake
            .store(incoming("match_status_ready", &format!("e{round}"), "1-a"))
            .await;
        assert!(matches!(outcome, Ok(Recorded::New { .. })), "{outcome:?}");
        sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()")
            .execute(&mut database.connection().await)
            .await
            .unwrap();
    }
    assert_eq!(count(&database.pool(1), "select count(*) from deliveries").await, 5);
}
