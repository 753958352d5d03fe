//! Webhook calls: stored once, with their job or not at all.

use std::sync::Arc;

use muster::{
    domain::{ids::MatchId, job::JobKey},
    store::{
        Connection,
        deliveries::{self, NewDelivery, Recorded},
        jobs,
    },
};
use serde_json::json;
use tokio::{sync::Barrier, task::JoinSet};

use super::{at, key};
use crate::support::database::Database;

fn delivery<'a>(id: &'a MatchId, event: &'a str, event_id: &'a str, version: Option<i64>) -> NewDelivery<'a> {
    NewDelivery {
        received_at: at(0),
        event,
        event_id,
        match_id: Some(id),
        payload_version: version,
        demo_url: None,
        headers: json!({"content-type": "application/json"}),
        body: br#"{"payload":{}}"#,
    }
}

async fn record(connection: &mut Connection, delivery: &NewDelivery<'_>) -> Recorded {
    let job = delivery.match_id.map(JobKey::sync_match);
    deliveries::record(connection, delivery, job.as_ref()).await.unwrap()
}

async fn stored(connection: &mut Connection) -> i64 {
    sqlx::query_scalar("select count(*) from deliveries")
        .fetch_one(connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_delivery_is_stored_with_its_job_in_one_statement() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let id = MatchId::new("1-a");

    let recorded = record(c, &delivery(&id, "match_status_ready", "e1", Some(2))).await;

    assert!(matches!(recorded, Recorded::New { .. }));
    let claims = {
        let worker = super::worker(c).await;
        jobs::claim(c, worker, 10, at(0)).await.unwrap()
    };
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].key, key("1-a"));
    assert_eq!((claims[0].seen, claims[0].wanted_since), (1, Some(at(0))));
}

#[tokio::test]
async fn the_same_event_id_and_the_same_change_are_duplicates_and_book_nothing() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let (a, b) = (MatchId::new("1-a"), MatchId::new("1-b"));
    record(c, &delivery(&a, "match_status_ready", "e1", Some(2))).await;

    let same_id = delivery(&b, "match_status_ready", "e1", Some(9));
    assert_eq!(record(c, &same_id).await, Recorded::Duplicate);
    let same_change = delivery(&a, "match_status_ready", "e2", Some(2));
    assert_eq!(record(c, &same_change).await, Recorded::Duplicate);

    let listed = jobs::list(c).await.unwrap();
    assert_eq!(listed.iter().map(|job| &job.key).collect::<Vec<_>>(), [&key("1-a")]);
    let worker = super::worker(c).await;
    assert_eq!(jobs::claim(c, worker, 1, at(0)).await.unwrap()[0].seen, 1);
    assert_eq!(stored(c).await, 1);
}

#[tokio::test]
async fn what_differs_in_version_event_demo_or_has_no_version_is_new() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let id = MatchId::new("1-a");
    let demo = |event_id, url| NewDelivery {
        demo_url: Some(url),
        ..delivery(&id, "match_demo_ready", event_id, Some(7))
    };
    let all = [
        delivery(&id, "match_status_ready", "e1", Some(2)),
        delivery(&id, "match_status_ready", "e2", Some(3)),
        delivery(&id, "match_status_finished", "e3", Some(3)),
        delivery(&id, "match_status_ready", "e4", None),
        delivery(&id, "match_status_ready", "e5", None),
        demo("e6", "https://demos/1.dem.zst"),
        demo("e7", "https://demos/2.dem.zst"),
    ];
    for delivery in &all {
        assert!(
            matches!(record(c, delivery).await, Recorded::New { .. }),
            "{}",
            delivery.event_id
        );
    }
    assert_eq!(
        record(c, &demo("e8", "https://demos/2.dem.zst")).await,
        Recorded::Duplicate
    );
}

#[tokio::test]
async fn an_event_without_a_match_is_stored_and_books_nothing() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let id = MatchId::new("unused");
    let news = NewDelivery {
        match_id: None,
        ..delivery(&id, "hub_user_added", "e1", None)
    };
    assert!(matches!(record(c, &news).await, Recorded::New { .. }));
    assert_eq!(jobs::list(c).await.unwrap(), []);
}

#[tokio::test]
async fn neither_delivery_nor_job_stays_when_the_transaction_is_rolled_back() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let id = MatchId::new("1-a");
    let mut transaction = sqlx::Connection::begin(c).await.unwrap();
    record(&mut transaction, &delivery(&id, "match_status_ready", "e1", Some(2))).await;
    transaction.rollback().await.unwrap();
    assert_eq!((stored(c).await, jobs::list(c).await.unwrap().len()), (0, 0));
}

#[tokio::test]
async fn a_delivery_whose_job_is_refused_is_not_stored() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let id = MatchId::new("1-a");
    let too_long = JobKey::new("x".repeat(201));
    let error = deliveries::record(c, &delivery(&id, "match_status_ready", "e1", Some(2)), Some(&too_long))
        .await
        .unwrap_err();
    assert!(!error.is_unavailable(), "{error}");
    assert_eq!(stored(c).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_concurrent_copies_exactly_one_is_new() {
    const COPIES: usize = 12;
    let database = Database::migrated().await;
    let pool = database.pool(COPIES as u32);
    for round in 0..10 {
        let barrier = Arc::new(Barrier::new(COPIES));
        let mut senders = JoinSet::new();
        for copy in 0..COPIES {
            let (pool, barrier) = (pool.clone(), barrier.clone());
            senders.spawn(async move {
                let id = MatchId::new(format!("1-{round}"));
                // Half come under the same event id, half under their own.
                let event_id = format!("{round}-{}", if copy % 2 == 0 { copy } else { 0 });
                let delivery = delivery(&id, "match_status_ready", &event_id, Some(2));
                let mut connection = pool.acquire().await.unwrap();
                barrier.wait().await;
                record(&mut connection, &delivery).await
            });
        }
        let recorded = senders.join_all().await;
        let new = recorded
            .iter()
            .filter(|recorded| matches!(recorded, Recorded::New { .. }));
        assert_eq!(new.count(), 1, "round {round}: {recorded:?}");
    }
    let c = &mut database.connection().await;
    let worker = super::worker(c).await;
    let claims = jobs::claim(c, worker, 100, at(0)).await.unwrap();
    assert_eq!(claims.len(), 10);
    assert!(claims.iter().all(|claim| claim.seen == 1), "{claims:?}");
}

#[tokio::test]
async fn a_copy_waits_for_the_first_to_commit_and_takes_its_place_when_it_does_not() {
    let database = Database::migrated().await;
    let (c, pool) = (&mut database.connection().await, database.pool(1));
    let id = MatchId::new("1-a");
    let mut first = sqlx::Connection::begin(c).await.unwrap();
    record(&mut first, &delivery(&id, "match_status_ready", "e1", Some(2))).await;
    let mut second = JoinSet::new();
    second.spawn(async move {
        let id = MatchId::new("1-a");
        let mut connection = pool.acquire().await.unwrap();
        record(&mut connection, &delivery(&id, "match_status_ready", "e1", Some(2))).await
    });
    super::blocked(&database, 1).await;
    first.rollback().await.unwrap();
    assert!(matches!(
        second.join_next().await.unwrap().unwrap(),
        Recorded::New { .. }
    ));
    assert_eq!(jobs::list(c).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_newest_word_has_the_highest_version_whatever_came_last() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let (id, other) = (MatchId::new("1-a"), MatchId::new("1-b"));
    assert_eq!(deliveries::for_match(c, &id).await.unwrap(), Default::default());

    record(c, &delivery(&id, "match_status_cancelled", "e1", None)).await;
    let newest = deliveries::for_match(c, &id).await.unwrap().newest.unwrap();
    assert_eq!(
        (newest.event.as_str(), newest.payload_version),
        ("match_status_cancelled", None)
    );

    record(c, &delivery(&id, "match_status_finished", "e2", Some(5))).await;
    record(c, &delivery(&id, "match_status_ready", "e3", Some(4))).await;
    record(c, &delivery(&other, "match_status_aborted", "e4", Some(9))).await;
    for (event, event_id, url) in [("match_demo_ready", "e5", "d2"), ("match_demo_ready", "e6", "d1")] {
        let demo = NewDelivery {
            demo_url: Some(url),
            ..delivery(&id, event, event_id, Some(8))
        };
        record(c, &demo).await;
    }
    record(c, &delivery(&id, "match_object_created", "e7", Some(9))).await;

    let found = deliveries::for_match(c, &id).await.unwrap();
    let newest = found.newest.unwrap();
    assert_eq!(
        (newest.event.as_str(), newest.payload_version),
        ("match_status_finished", Some(5))
    );
    assert_eq!(
        (newest.received_at, newest.body.as_slice()),
        (at(0), &br#"{"payload":{}}"#[..])
    );
    assert_eq!(found.demo_urls.into_iter().collect::<Vec<_>>(), ["d1", "d2"]);
}

#[tokio::test]
async fn old_deliveries_are_deleted_oldest_first_and_so_many_at_a_time() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let id = MatchId::new("1-a");
    for second in 0..5 {
        let event_id = format!("e{second}");
        let delivery = NewDelivery {
            received_at: at(second),
            ..delivery(&id, "match_status_ready", &event_id, Some(second))
        };
        record(c, &delivery).await;
    }
    assert_eq!(deliveries::delete_older_than(c, at(4), 3).await.unwrap(), 3);
    assert_eq!(deliveries::delete_older_than(c, at(4), 3).await.unwrap(), 1);
    assert_eq!(deliveries::delete_older_than(c, at(4), 3).await.unwrap(), 0);
    let left: Vec<String> = sqlx::query_scalar("select event_id from deliveries")
        .fetch_all(c)
        .await
        .unwrap();
    assert_eq!(left, ["e4"]);
}

#[tokio::test]
async fn a_batch_says_of_each_what_became_of_it_and_books_each_key_once() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let (a, b) = (MatchId::new("1-a"), MatchId::new("1-b"));
    record(c, &delivery(&a, "match_status_ready", "e0", Some(1))).await;

    let batch = [
        delivery(&b, "match_status_ready", "e1", Some(1)),
        delivery(&a, "match_status_ready", "e2", Some(1)),
        delivery(&a, "match_status_finished", "e3", Some(2)),
        delivery(&a, "match_status_finished", "e4", Some(2)),
        delivery(&a, "match_demo_ready", "e0", Some(3)),
        delivery(&a, "match_demo_ready", "e5", None),
    ];
    let (key_a, key_b) = (JobKey::sync_match(&a), JobKey::sync_match(&b));
    let mut rows: Vec<_> = batch.iter().map(|row| (row.clone(), Some(&key_a))).collect();
    rows[0].1 = Some(&key_b);
    let mut other = delivery(&b, "hub_user_added", "e6", None);
    other.match_id = None;
    rows.push((other, None));
    let recorded = deliveries::record_all(c, &rows).await.unwrap();

    let new: Vec<_> = recorded
        .iter()
        .map(|recorded| matches!(recorded, Recorded::New { .. }))
        .collect();
    assert_eq!(new, [true, false, true, false, false, true, true]);
    assert_eq!(stored(c).await, 5);
    let ids: Vec<i64> = recorded
        .iter()
        .filter_map(|recorded| match recorded {
            Recorded::New { id } => Some(*id),
            Recorded::Duplicate => None,
        })
        .collect();
    assert!(ids.is_sorted(), "ids in the order of arrival: {ids:?}");

    let worker = super::worker(c).await;
    let mut claims = jobs::claim(c, worker, 10, at(0)).await.unwrap();
    claims.sort_by(|one, other| one.key.cmp(&other.key));
    let seen: Vec<_> = claims.iter().map(|claim| (claim.key.as_str(), claim.seen)).collect();
    assert_eq!(seen, [("match:1-a", 3), ("match:1-b", 1)]);
}

#[tokio::test]
async fn a_batch_with_a_bad_row_stores_nothing() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let id = MatchId::new("1-a");
    let good = delivery(&id, "match_status_ready", "e1", Some(1));
    let bad = delivery(&id, "", "e2", Some(2));

    let result = deliveries::record_all(c, &[(good, None), (bad, None)]).await;

    assert!(result.is_err_and(|error| !error.is_unavailable()));
    assert_eq!(stored(c).await, 0);
}
