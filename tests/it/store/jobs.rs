//! The queue's table: booking, claiming, settling, and the fences between them.

use muster::{
    domain::job::{Claim, JobKey},
    store::{
        Connection, Error,
        jobs::{self, Counts, Failure},
        workers::{self, WorkerId},
    },
};
use sqlx::Connection as _;
use tokio::task::JoinSet;

use super::{at, blocked, key, worker};
use crate::support::database::Database;

async fn claim_one(c: &mut Connection, worker: WorkerId, second: i64) -> Option<Claim> {
    let mut claims = jobs::claim(c, worker, 1, at(second)).await.unwrap();
    claims.pop()
}

async fn keys(c: &mut Connection) -> Vec<JobKey> {
    jobs::list(c).await.unwrap().into_iter().map(|job| job.key).collect()
}

#[tokio::test]
async fn a_burst_of_bookings_is_one_run_and_keeps_the_oldest_wish() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let me = worker(c).await;
    for second in [5, 3, 7] {
        jobs::book(c, &key("a"), at(second)).await.unwrap();
    }
    assert_eq!(claim_one(c, me, 2).await, None, "not before it is due");
    let claim = claim_one(c, me, 7).await.unwrap();
    assert_eq!((claim.seen, claim.wanted_since, claim.attempts), (3, Some(at(5)), 0));
    assert_eq!(claim_one(c, me, 7).await, None, "a claimed key is not claimed again");
}

#[tokio::test]
async fn claims_take_what_is_longest_due_and_no_more_than_asked() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let me = worker(c).await;
    for (name, second) in [("c", 3), ("a", 1), ("d", 4), ("b", 2)] {
        jobs::book(c, &key(name), at(second)).await.unwrap();
    }
    let mut first = jobs::claim(c, me, 2, at(9)).await.unwrap();
    first.sort_by(|one, other| one.key.cmp(&other.key));
    assert_eq!([&first[0].key, &first[1].key], [&key("a"), &key("b")]);
    assert_eq!(jobs::claim(c, me, 0, at(9)).await.unwrap(), []);
    assert_eq!(jobs::claim(c, me, 9, at(9)).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_settled_job_sleeps_until_it_is_looked_at_again_or_goes() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let me = worker(c).await;
    jobs::book(c, &key("a"), at(0)).await.unwrap();
    let claim = claim_one(c, me, 0).await.unwrap();
    assert!(jobs::settle(c, me, &claim, Some(at(60)), at(1)).await.unwrap());
    assert_eq!(jobs::next_due(c).await.unwrap(), Some(at(60)));
    assert_eq!(claim_one(c, me, 59).await, None);

    let claim = claim_one(c, me, 60).await.unwrap();
    assert_eq!(claim.wanted_since, None, "only the timer was due");
    assert!(jobs::settle(c, me, &claim, None, at(61)).await.unwrap());
    assert_eq!((keys(c).await, jobs::next_due(c).await.unwrap()), (vec![], None));
}

#[tokio::test]
async fn a_booking_during_the_run_leads_to_another_run_at_once() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let me = worker(c).await;
    for look_again in [None, Some(at(600))] {
        jobs::book(c, &key("a"), at(0)).await.unwrap();
        let claim = claim_one(c, me, 0).await.unwrap();
        jobs::book(c, &key("a"), at(5)).await.unwrap();
        jobs::book(c, &key("a"), at(6)).await.unwrap();
        assert!(jobs::settle(c, me, &claim, look_again, at(9)).await.unwrap());

        let claim = claim_one(c, me, 9).await.expect("due at once");
        assert_eq!(
            claim.wanted_since,
            Some(at(5)),
            "the first wish that the run had not seen"
        );
        assert!(jobs::settle(c, me, &claim, None, at(10)).await.unwrap());
        assert_eq!(keys(c).await, []);
    }
}

#[tokio::test]
async fn a_booking_from_a_clock_ahead_is_due_at_once_all_the_same() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let me = worker(c).await;
    jobs::book(c, &key("a"), at(0)).await.unwrap();
    let claim = claim_one(c, me, 0).await.unwrap();
    jobs::book(c, &key("a"), at(500)).await.unwrap();
    jobs::settle(c, me, &claim, None, at(1)).await.unwrap();
    assert!(claim_one(c, me, 1).await.is_some());
}

#[tokio::test]
async fn what_is_scheduled_during_the_run_is_not_forgotten() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let me = worker(c).await;
    for (look_again, due) in [(None, 30), (Some(at(60)), 30), (Some(at(20)), 20)] {
        jobs::book(c, &key("a"), at(0)).await.unwrap();
        let claim = claim_one(c, me, 0).await.unwrap();
        jobs::schedule(c, &key("a"), at(30)).await.unwrap();
        assert!(jobs::settle(c, me, &claim, look_again, at(1)).await.unwrap());
        assert_eq!(jobs::next_due(c).await.unwrap(), Some(at(due)));
        let claim = claim_one(c, me, due).await.unwrap();
        assert_eq!(claim.wanted_since, None);
        jobs::settle(c, me, &claim, None, at(due)).await.unwrap();
        assert_eq!(keys(c).await, []);
    }
}

#[tokio::test]
async fn scheduling_only_moves_the_time_forward_and_wants_nothing() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let me = worker(c).await;
    jobs::schedule(c, &key("a"), at(60)).await.unwrap();
    jobs::schedule(c, &key("a"), at(90)).await.unwrap();
    assert_eq!(jobs::next_due(c).await.unwrap(), Some(at(60)));
    jobs::schedule(c, &key("a"), at(40)).await.unwrap();
    let claim = claim_one(c, me, 40).await.unwrap();
    assert_eq!((claim.seen, claim.wanted_since), (0, None));
    jobs::settle(c, me, &claim, Some(at(99)), at(40)).await.unwrap();
    jobs::book(c, &key("a"), at(50)).await.unwrap();
    let claim = claim_one(c, me, 50).await.expect("a booking wakes a sleeping job");
    assert_eq!((claim.seen, claim.wanted_since), (1, Some(at(50))));
}

#[tokio::test]
async fn a_booking_that_commits_while_the_settle_waits_for_it_is_seen() {
    let database = Database::migrated().await;
    let (c, pool) = (&mut database.connection().await, database.pool(1));
    let me = worker(c).await;
    for look_again in [None, Some(at(600))] {
        jobs::book(c, &key("a"), at(0)).await.unwrap();
        let claim = claim_one(c, me, 0).await.unwrap();
        let mut booking = c.begin().await.unwrap();
        jobs::book(&mut booking, &key("a"), at(1)).await.unwrap();
        let mut settling = JoinSet::new();
        let pool = pool.clone();
        settling.spawn(async move {
            let mut connection = pool.acquire().await.unwrap();
            jobs::settle(&mut connection, me, &claim, look_again, at(2))
                .await
                .unwrap()
        });
        blocked(&database, 1).await;
        booking.commit().await.unwrap();
        assert!(settling.join_next().await.unwrap().unwrap());
        let claim = claim_one(c, me, 2).await.expect("the late wish is served");
        assert!(jobs::settle(c, me, &claim, None, at(3)).await.unwrap());
        assert_eq!(keys(c).await, []);
    }
}

#[tokio::test]
async fn a_booking_that_waits_for_the_last_settle_makes_a_new_row() {
    let database = Database::migrated().await;
    let (c, pool) = (&mut database.connection().await, database.pool(1));
    let me = worker(c).await;
    jobs::book(c, &key("a"), at(0)).await.unwrap();
    let claim = claim_one(c, me, 0).await.unwrap();
    let mut settling = c.begin().await.unwrap();
    assert!(jobs::settle(&mut settling, me, &claim, None, at(1)).await.unwrap());
    let mut booking = JoinSet::new();
    booking.spawn(async move {
        let mut connection = pool.acquire().await.unwrap();
        jobs::book(&mut connection, &key("a"), at(2)).await.unwrap();
    });
    blocked(&database, 1).await;
    settling.commit().await.unwrap();
    booking.join_next().await.unwrap().unwrap();
    assert_eq!(claim_one(c, me, 2).await.unwrap().wanted_since, Some(at(2)));
}

#[tokio::test]
async fn a_late_owner_changes_nothing() {
    let database = Database::migrated().await;
    let (c, other) = (&mut database.connection().await, &mut database.connection().await);
    let (old, new) = (worker(other).await, worker(c).await);
    jobs::book(c, &key("a"), at(0)).await.unwrap();
    let stale = claim_one(c, old, 0).await.unwrap();
    assert!(workers::remove(c, old).await.unwrap());
    let fresh = claim_one(c, new, 0)
        .await
        .expect("freed with its worker, and due at once");
    assert!(fresh.epoch > stale.epoch);

    let before = jobs::list(c).await.unwrap();
    for (worker, claim) in [(old, &stale), (old, &fresh), (new, &stale)] {
        assert!(!jobs::still_owned(c, worker, claim).await.unwrap());
        assert!(!jobs::settle(c, worker, claim, None, at(1)).await.unwrap());
        assert!(!jobs::settle(c, worker, claim, Some(at(9)), at(1)).await.unwrap());
        assert!(!jobs::retry(c, worker, claim, at(9), "late").await.unwrap());
        assert!(!jobs::release(c, worker, claim).await.unwrap());
        let failure = jobs::fail(c, worker, claim, at(9), "late", 1, at(1)).await.unwrap();
        assert_eq!(failure, Failure::Fenced);
    }
    assert_eq!(jobs::list(c).await.unwrap(), before);
    assert!(jobs::still_owned(c, new, &fresh).await.unwrap());
}

#[tokio::test]
async fn a_settle_told_twice_does_not_touch_the_next_run_of_the_same_key() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let me = worker(c).await;
    jobs::book(c, &key("a"), at(0)).await.unwrap();
    let first = claim_one(c, me, 0).await.unwrap();
    assert!(jobs::settle(c, me, &first, None, at(1)).await.unwrap());
    // The answer was lost; meanwhile the row is a new one, claimed by ourselves.
    jobs::book(c, &key("a"), at(2)).await.unwrap();
    let second = claim_one(c, me, 2).await.unwrap();
    assert!(!jobs::settle(c, me, &first, None, at(3)).await.unwrap());
    assert!(jobs::still_owned(c, me, &second).await.unwrap());
}

#[tokio::test]
async fn nobody_takes_a_key_over_while_its_owner_writes() {
    let database = Database::migrated().await;
    let (c, pool) = (&mut database.connection().await, database.pool(1));
    let me = worker(c).await;
    jobs::book(c, &key("a"), at(0)).await.unwrap();
    let claim = claim_one(c, me, 0).await.unwrap();
    let mut writing = c.begin().await.unwrap();
    assert!(jobs::still_owned(&mut writing, me, &claim).await.unwrap());
    let mut reaping = JoinSet::new();
    reaping.spawn(async move {
        let mut connection = pool.acquire().await.unwrap();
        workers::remove(&mut connection, me).await.unwrap()
    });
    blocked(&database, 1).await;
    writing.commit().await.unwrap();
    assert!(reaping.join_next().await.unwrap().unwrap());
    assert!(!jobs::still_owned(c, me, &claim).await.unwrap());
}

#[tokio::test]
async fn a_retried_job_waits_for_its_time_and_counts_no_failure() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let me = worker(c).await;
    jobs::book(c, &key("a"), at(0)).await.unwrap();
    for attempt in 0..20 {
        let claim = claim_one(c, me, attempt * 10).await.unwrap();
        assert_eq!((i64::from(claim.attempts), claim.wanted_since), (attempt, Some(at(0))));
        let next = at(attempt * 10 + 10);
        assert!(jobs::retry(c, me, &claim, next, "discord: 503\0").await.unwrap());
        assert_eq!(claim_one(c, me, attempt * 10 + 9).await, None);
    }
    let job = &jobs::list(c).await.unwrap()[0];
    assert_eq!(
        (job.attempts, job.dead_at, job.last_error.as_deref()),
        (20, None, Some("discord: 503"))
    );

    let claim = claim_one(c, me, 200).await.unwrap();
    jobs::settle(c, me, &claim, Some(at(300)), at(200)).await.unwrap();
    let job = &jobs::list(c).await.unwrap()[0];
    assert_eq!(
        (job.attempts, job.last_error.as_deref()),
        (0, None),
        "a good run forgets the bad ones"
    );
}

#[tokio::test]
async fn a_booking_during_a_run_that_came_to_nothing_is_due_at_once() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let me = worker(c).await;
    jobs::book(c, &key("a"), at(0)).await.unwrap();
    let claim = claim_one(c, me, 0).await.unwrap();
    jobs::schedule(c, &key("a"), at(5)).await.unwrap();
    assert!(!jobs::is_outdated(c, me, &claim).await.unwrap(), "a timer is no news");
    jobs::book(c, &key("a"), at(1)).await.unwrap();
    assert!(jobs::is_outdated(c, me, &claim).await.unwrap());
    assert!(jobs::retry(c, me, &claim, at(60), "slow").await.unwrap());
    let again = claim_one(c, me, 1).await.expect("it need not wait");
    assert!(!jobs::is_outdated(c, me, &again).await.unwrap());
    assert!(jobs::retry(c, me, &again, at(60), "slow").await.unwrap());
    assert_eq!(claim_one(c, me, 59).await, None);
    assert!(jobs::is_outdated(c, me, &again).await.unwrap(), "it has it no longer");
}

#[tokio::test]
async fn a_job_that_fails_too_often_is_dead_until_somebody_wants_it() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let me = worker(c).await;
    let fail_thrice = async |c: &mut Connection| {
        for failures in 1..=3 {
            let claim = claim_one(c, me, 50).await.unwrap();
            let failure = jobs::fail(c, me, &claim, at(50), "a bug", 3, at(50)).await.unwrap();
            let expected = match failures {
                3 => Failure::Died { failures },
                _ => Failure::Counted { failures },
            };
            assert_eq!(failure, expected);
        }
    };
    jobs::book(c, &key("a"), at(0)).await.unwrap();
    // Being tried again for other reasons does not count.
    let claim = claim_one(c, me, 0).await.unwrap();
    jobs::retry(c, me, &claim, at(1), "slow").await.unwrap();
    fail_thrice(c).await;

    let dead = jobs::list_dead(c).await.unwrap();
    assert_eq!(dead, jobs::list(c).await.unwrap());
    assert_eq!(
        (dead[0].attempts, dead[0].dead_at, dead[0].owner),
        (4, Some(at(50)), None)
    );
    assert_eq!(dead[0].last_error.as_deref(), Some("a bug"));
    assert_eq!(
        (claim_one(c, me, 999).await, jobs::next_due(c).await.unwrap()),
        (None, None)
    );

    jobs::schedule(c, &key("a"), at(51)).await.unwrap();
    assert_eq!(claim_one(c, me, 999).await, None, "a timer does not revive it");

    assert!(jobs::revive(c, &key("a"), at(60)).await.unwrap());
    assert!(!jobs::revive(c, &key("a"), at(60)).await.unwrap(), "it lives already");
    assert!(!jobs::revive(c, &key("b"), at(60)).await.unwrap(), "there is none");
    let claim = claim_one(c, me, 60).await.unwrap();
    assert_eq!(claim.attempts, 0);
    jobs::release(c, me, &claim).await.unwrap();

    sqlx::query("update jobs set due_at = $1")
        .bind(at(50))
        .execute(&mut *c)
        .await
        .unwrap();
    fail_thrice(c).await;
    jobs::book(c, &key("a"), at(70)).await.unwrap();
    assert_eq!(claim_one(c, me, 70).await.expect("a booking revives it").attempts, 0);
    assert_eq!(jobs::list_dead(c).await.unwrap(), []);
}

#[tokio::test]
async fn a_released_job_is_due_at_once_and_not_a_try_older() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let me = worker(c).await;
    jobs::book(c, &key("a"), at(0)).await.unwrap();
    let claim = claim_one(c, me, 0).await.unwrap();
    assert!(jobs::release(c, me, &claim).await.unwrap());
    let again = claim_one(c, me, 0).await.unwrap();
    assert_eq!((again.attempts, again.wanted_since), (0, Some(at(0))));
}

#[tokio::test]
async fn claims_whose_answer_was_lost_are_given_back() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let (me, other) = (worker(c).await, worker(c).await);
    for name in ["known", "lost"] {
        jobs::book(c, &key(name), at(0)).await.unwrap();
    }
    let claims = jobs::claim(c, me, 9, at(0)).await.unwrap();
    jobs::book(c, &key("foreign"), at(0)).await.unwrap();
    let foreign = claim_one(c, other, 0).await.unwrap();
    let known = claims.iter().find(|claim| claim.key == key("known")).unwrap();
    assert_eq!(jobs::disown(c, me, &[known.epoch, 0]).await.unwrap(), 1);
    assert!(jobs::still_owned(c, me, known).await.unwrap());
    assert!(jobs::still_owned(c, other, &foreign).await.unwrap());
    assert_eq!(claim_one(c, me, 0).await.unwrap().key, key("lost"));
}

#[tokio::test]
async fn a_worker_that_was_removed_can_claim_nothing() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let me = worker(c).await;
    jobs::book(c, &key("a"), at(0)).await.unwrap();
    workers::remove(c, me).await.unwrap();
    let error = jobs::claim(c, me, 1, at(0)).await.unwrap_err();
    assert!(
        matches!(&error, Error::Unexpected(why) if why.contains("jobs_owner_fkey")),
        "{error}"
    );
}

#[tokio::test]
async fn counts_tell_waiting_running_sleeping_and_dead_apart() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let me = worker(c).await;
    assert_eq!(jobs::counts(c, at(0)).await.unwrap(), Counts::default());
    jobs::book(c, &key("dead"), at(0)).await.unwrap();
    let claim = claim_one(c, me, 0).await.unwrap();
    jobs::fail(c, me, &claim, at(0), "a bug", 1, at(0)).await.unwrap();
    jobs::book(c, &key("running"), at(1)).await.unwrap();
    claim_one(c, me, 1).await.unwrap();
    jobs::schedule(c, &key("asleep"), at(100)).await.unwrap();
    jobs::book(c, &key("waiting"), at(10)).await.unwrap();
    jobs::book(c, &key("waiting too"), at(11)).await.unwrap();
    let expected = Counts {
        waiting: 2,
        running: 1,
        dead: 1,
        asleep: 1,
        oldest_due_seconds: 2.5,
    };
    let now = at(12) + time::Duration::milliseconds(500);
    assert_eq!(jobs::counts(c, now).await.unwrap(), expected);
    assert_eq!(
        keys(c).await,
        ["dead", "running", "waiting", "waiting too", "asleep"].map(key)
    );
}
