//! Workers: alive while their session is, removed and relieved of their keys when it is not.

use muster::store::{jobs, workers};
use sqlx::Connection as _;

use super::{at, key, worker};
use crate::support::database::{Database, eventually};

#[tokio::test]
async fn a_worker_whose_session_lives_is_left_alone() {
    let database = Database::migrated().await;
    let (one, other) = (&mut database.connection().await, &mut database.connection().await);
    let (a, b) = (worker(one).await, worker(other).await);
    assert_ne!(a, b);
    for _ in 0..3 {
        assert_eq!(workers::reap(one, a).await.unwrap(), []);
        assert_eq!(workers::reap(other, b).await.unwrap(), []);
    }
    assert_eq!(workers::beats(one).await.unwrap(), [(a, 0), (b, 0)]);
}

#[tokio::test]
async fn the_keys_of_a_worker_whose_session_ended_are_due_at_once() {
    let database = Database::migrated().await;
    let (mut dying, c) = (database.connection().await, &mut database.connection().await);
    let (dead, me) = (worker(&mut dying).await, worker(c).await);
    jobs::book(c, &key("a"), at(0)).await.unwrap();
    let stale = jobs::claim(&mut dying, dead, 1, at(0)).await.unwrap().remove(0);
    jobs::book(c, &key("a"), at(1)).await.unwrap();
    dying.close_hard().await.unwrap();
    eventually("the dead worker is removed", async || {
        let mut connection = database.connection().await;
        workers::reap(&mut connection, me).await.unwrap() == [dead]
    })
    .await;
    let claim = jobs::claim(c, me, 1, at(1)).await.unwrap().remove(0);
    assert_eq!((claim.seen, claim.wanted_since), (2, Some(at(0))));
    assert!(!jobs::settle(c, dead, &stale, None, at(2)).await.unwrap());
}

#[tokio::test]
async fn a_heartbeat_counts_and_tells_a_worker_that_it_was_removed() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let me = worker(c).await;
    assert!(workers::heartbeat(c, me, at(5)).await.unwrap());
    assert!(
        workers::heartbeat(c, me, at(5)).await.unwrap(),
        "also while the clock stands still"
    );
    assert_eq!(workers::beats(c).await.unwrap(), [(me, 2)]);
    assert!(workers::remove(c, me).await.unwrap());
    assert!(!workers::remove(c, me).await.unwrap());
    assert!(!workers::heartbeat(c, me, at(6)).await.unwrap());
}

#[tokio::test]
async fn a_worker_under_registration_is_never_reaped() {
    let database = Database::migrated().await;
    let (c, newborn) = (&mut database.connection().await, &mut database.connection().await);
    let me = worker(c).await;
    let mut registering = newborn.begin().await.unwrap();
    let young = worker(&mut registering).await;
    assert_eq!(workers::reap(c, me).await.unwrap(), []);
    registering.commit().await.unwrap();
    assert_eq!(workers::reap(c, me).await.unwrap(), []);
    assert!(workers::heartbeat(newborn, young, at(0)).await.unwrap());
}
