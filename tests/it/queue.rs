//! The queue at work on a real PostgreSQL: several workers, lost notifications, lost sessions, a lost server.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use muster::{
    clock::Clock,
    domain::{
        Timestamp,
        ids::MatchId,
        job::{Claim, JobKey, Verdict},
    },
    queue::{self, Options},
    sandbox::postgres::{Options as ServerOptions, PrivatePostgres},
    store::{Connection, Pool, jobs, listener, workers, workers::WorkerId},
};
use sqlx::Connection as _;
use time::macros::datetime;
use tokio::{
    sync::{Notify, Semaphore, mpsc},
    task::JoinSet,
    time::{Instant, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::database::{Database, LONG, eventually};

const START: Timestamp = datetime!(2026-11-21 18:00 UTC);

fn key(name: impl std::fmt::Display) -> JobKey {
    JobKey::sync_match(&MatchId::new(name.to_string()))
}

fn options(workers: usize) -> Options {
    Options {
        workers,
        max_attempts: 3,
        ..Options::default()
    }
}

const DONE: Verdict = Verdict::Done { look_again: None };

/// A running queue; its end is awaited by `stop`.
struct Running {
    wake: Arc<Notify>,
    stop: CancellationToken,
    task: JoinSet<()>,
    _stop_on_drop: DropGuard,
}

impl Running {
    fn start<F, Fut>(pool: Pool, clock: &Clock, workers: usize, handler: F) -> Self
    where
        F: Fn(WorkerId, Claim) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Verdict> + Send + 'static,
    {
        let (wake, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let mut task = JoinSet::new();
        task.spawn(queue::run(
            pool,
            clock.clone(),
            options(workers),
            wake.clone(),
            stop.clone(),
            handler,
        ));
        Self {
            wake,
            _stop_on_drop: stop.clone().drop_guard(),
            stop,
            task,
        }
    }

    async fn stop(mut self) {
        self.stop.cancel();
        timeout(LONG, self.task.join_next())
            .await
            .expect("stops")
            .expect("ran")
            .expect("no panic");
    }
}

/// A handler that reports each run and ends it when told.
#[derive(Clone)]
struct Reporter {
    starts: mpsc::UnboundedSender<(WorkerId, Claim)>,
    go_on: Arc<Semaphore>,
}

impl Reporter {
    /// `ends` runs may end without being told.
    fn new(ends: usize) -> (Self, mpsc::UnboundedReceiver<(WorkerId, Claim)>) {
        let (starts, started) = mpsc::unbounded_channel();
        let go_on = Arc::new(Semaphore::new(ends));
        (Self { starts, go_on }, started)
    }

    async fn run(self, worker: WorkerId, claim: Claim, verdict: Verdict) -> Verdict {
        // Nobody listens any more when the test is over.
        let _ = self.starts.send((worker, claim));
        self.go_on.acquire().await.unwrap().forget();
        verdict
    }
}

async fn next(started: &mut mpsc::UnboundedReceiver<(WorkerId, Claim)>) -> (WorkerId, Claim) {
    timeout(LONG, started.recv())
        .await
        .expect("a run starts")
        .expect("the queue runs")
}

async fn no_jobs_left(database: &Database) {
    eventually("no job is left", async || {
        jobs::list(&mut database.connection().await).await.unwrap().is_empty()
    })
    .await;
}

async fn book(c: &mut Connection, name: impl std::fmt::Display, clock: &Clock) {
    jobs::book(c, &key(name), clock.now()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn six_processes_run_every_wish_and_never_one_key_twice_at_once() {
    const KEYS: usize = 40;
    const BOOKINGS: usize = 1_500;
    let database = Database::migrated().await;
    let clock = Clock::system();
    // For each key: how often it was booked before a run of it began, and whether one is under way.
    #[derive(Default)]
    struct Seen {
        booked: BTreeMap<JobKey, i64>,
        served: BTreeMap<JobKey, i64>,
        running: BTreeSet<JobKey>,
        overlaps: usize,
    }
    let seen = Arc::new(Mutex::new(Seen::default()));
    let processes: Vec<_> = (0..6)
        .map(|_| {
            let seen = seen.clone();
            Running::start(database.pool(5), &clock, 4, move |_, claim| {
                let seen = seen.clone();
                async move {
                    let booked = {
                        let mut seen = seen.lock().unwrap();
                        if !seen.running.insert(claim.key.clone()) {
                            seen.overlaps += 1;
                        }
                        seen.booked.get(&claim.key).copied().unwrap_or(0)
                    };
                    tokio::task::yield_now().await;
                    let mut seen = seen.lock().unwrap();
                    seen.running.remove(&claim.key);
                    seen.served.insert(claim.key, booked);
                    DONE
                }
            })
        })
        .collect();

    let mut bookers = JoinSet::new();
    for (booker, process) in processes.iter().take(3).enumerate() {
        let (pool, clock, seen) = (database.pool(1), clock.clone(), seen.clone());
        let wake = process.wake.clone();
        bookers.spawn(async move {
            for turn in 0..BOOKINGS / 3 {
                let name = (turn * 7 + booker * 13) % KEYS;
                let mut connection = pool.acquire().await.unwrap();
                let mut transaction = connection.begin().await.unwrap();
                book(&mut transaction, name, &clock).await;
                // Counted while the row is locked: a run that sees the wish sees the count.
                *seen.lock().unwrap().booked.entry(key(name)).or_default() += 1;
                transaction.commit().await.unwrap();
                wake.notify_one();
            }
        });
    }
    bookers.join_all().await;
    no_jobs_left(&database).await;

    for process in processes {
        process.stop().await;
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.overlaps, 0, "runs of one key at once");
    assert_eq!(seen.served, seen.booked, "the last run of a key saw all its wishes");
    assert_eq!(seen.booked.values().sum::<i64>(), BOOKINGS as i64);
}

#[tokio::test]
async fn a_booking_during_the_run_leads_to_another_run() {
    let database = Database::migrated().await;
    let (c, clock) = (&mut database.connection().await, Clock::manual(START));
    let (reporter, mut started) = Reporter::new(0);
    let go_on = reporter.go_on.clone();
    let process = Running::start(database.pool(3), &clock, 4, move |worker, claim| {
        reporter.clone().run(worker, claim, DONE)
    });
    book(c, "a", &clock).await;
    process.wake.notify_one();
    let (_, first) = next(&mut started).await;

    // From a transaction that is open over the end of the first run.
    let mut late = c.begin().await.unwrap();
    book(&mut late, "a", &clock).await;
    go_on.add_permits(1);
    eventually("the settle waits for the booking", async || {
        let waiting: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        )
        .fetch_one(&mut database.connection().await)
        .await
        .unwrap();
        waiting == 1
    })
    .await;
    late.commit().await.unwrap();

    let (_, second) = next(&mut started).await;
    assert_eq!((second.key, second.seen), (first.key, first.seen + 1));
    go_on.add_permits(1);
    no_jobs_left(&database).await;
    process.stop().await;
}

#[tokio::test]
async fn a_booking_that_nobody_announced_is_found_by_the_poll() {
    let database = Database::migrated().await;
    let (c, clock) = (&mut database.connection().await, Clock::manual(START));
    let (reporter, mut started) = Reporter::new(100);
    let process = Running::start(database.pool(3), &clock, 4, move |worker, claim| {
        reporter.clone().run(worker, claim, DONE)
    });
    for turn in 0..3 {
        book(c, turn, &clock).await;
        assert_eq!(next(&mut started).await.1.key, key(turn));
    }
    process.stop().await;
}

#[tokio::test]
async fn a_booking_elsewhere_wakes_the_others() {
    let database = Database::migrated().await;
    let (c, clock) = (&mut database.connection().await, Clock::manual(START));
    let (busy, mut busy_started) = Reporter::new(0);
    let (free, mut free_started) = Reporter::new(100);
    let booking = Running::start(database.pool(3), &clock, 1, move |worker, claim| {
        busy.clone().run(worker, claim, DONE)
    });
    book(c, "keeps busy", &clock).await;
    booking.wake.notify_one();
    next(&mut busy_started).await;
    let other = Running::start(database.pool(3), &clock, 1, move |worker, claim| {
        free.clone().run(worker, claim, DONE)
    });
    listening(&database, 2).await;

    // A poll finds it as well, but ten times in a row within two seconds only a notification does.
    let begin = Instant::now();
    for turn in 0..10 {
        book(c, turn, &clock).await;
        booking.wake.notify_one();
        assert_eq!(next(&mut free_started).await.1.key, key(turn));
    }
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "found by polls: {:?}",
        begin.elapsed()
    );

    // A tool that has no queue of its own announces it by itself.
    book(c, "by hand", &clock).await;
    listener::notify(c).await.unwrap();
    assert_eq!(next(&mut free_started).await.1.key, key("by hand"));
    other.stop().await;
    drop(booking);
}

async fn listening(database: &Database, sessions: i64) {
    eventually("all listen", async || {
        let listening: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity where datname = current_database() and query ilike 'listen%'",
        )
        .fetch_one(&mut database.connection().await)
        .await
        .unwrap();
        listening == sessions
    })
    .await;
}

#[tokio::test]
async fn a_job_to_be_looked_at_again_runs_when_the_clock_says_so() {
    let database = Database::migrated().await;
    let (c, clock) = (&mut database.connection().await, Clock::manual(START));
    let (reporter, mut started) = Reporter::new(100);
    let handler_clock = clock.clone();
    let process = Running::start(database.pool(3), &clock, 4, move |worker, claim| {
        let look_again = (claim.wanted_since.is_some()).then(|| handler_clock.now() + Duration::from_secs(60));
        reporter.clone().run(worker, claim, Verdict::Done { look_again })
    });
    book(c, "a", &clock).await;
    process.wake.notify_one();
    next(&mut started).await;
    eventually("it sleeps", async || {
        jobs::counts(&mut database.connection().await, clock.now())
            .await
            .unwrap()
            .asleep
            == 1
    })
    .await;
    clock.advance(Duration::from_secs(60));
    process.wake.notify_one();
    assert_eq!(next(&mut started).await.1.wanted_since, None);
    no_jobs_left(&database).await;
    process.stop().await;
}

#[tokio::test]
async fn a_job_that_can_t_be_done_now_is_tried_for_as_long_as_it_takes() {
    let database = Database::migrated().await;
    let (c, clock) = (&mut database.connection().await, Clock::manual(START));
    let (reporter, mut started) = Reporter::new(1_000);
    let process = Running::start(database.pool(3), &clock, 4, move |worker, claim| {
        let verdict = match claim.attempts {
            10 => DONE,
            _ => Verdict::Retry {
                why: "discord is down".into(),
                after: Duration::from_secs(5),
            },
        };
        reporter.clone().run(worker, claim, verdict)
    });
    book(c, "a", &clock).await;
    for attempt in 0..=10 {
        process.wake.notify_one();
        let (_, claim) = next(&mut started).await;
        assert_eq!((claim.attempts, claim.wanted_since), (attempt, Some(START)));
        if attempt < 10 {
            let due = sleeping(&database, &clock).await;
            let wait = due - clock.now();
            assert!(
                wait >= Duration::from_secs(5) && wait <= Duration::from_secs(60),
                "{wait}"
            );
            if attempt >= 6 {
                assert!(wait >= Duration::from_secs(30), "{wait}");
            }
            clock.advance(wait.unsigned_abs());
        }
    }
    no_jobs_left(&database).await;
    process.stop().await;
}

/// Waits until the only job is asleep; gives until when.
async fn sleeping(database: &Database, clock: &Clock) -> Timestamp {
    eventually("it is asleep", async || {
        jobs::counts(&mut database.connection().await, clock.now())
            .await
            .unwrap()
            .asleep
            == 1
    })
    .await;
    jobs::next_due(&mut database.connection().await)
        .await
        .unwrap()
        .expect("one job")
}

#[tokio::test]
async fn failures_and_panics_end_in_death_and_a_revived_job_runs_again() {
    let database = Database::migrated().await;
    let (c, clock) = (&mut database.connection().await, Clock::manual(START));
    let (reporter, mut started) = Reporter::new(1_000);
    let process = Running::start(database.pool(3), &clock, 4, move |worker, claim| {
        let reporter = reporter.clone();
        async move {
            let attempts = claim.attempts;
            let verdict = reporter
                .run(worker, claim, Verdict::Failed { why: "a bug".into() })
                .await;
            assert!(attempts != 2, "two failures, now a panic");
            verdict
        }
    });
    book(c, "a", &clock).await;
    for attempt in 0..3 {
        process.wake.notify_one();
        assert_eq!(next(&mut started).await.1.attempts, attempt);
        if attempt < 2 {
            let wait = sleeping(&database, &clock).await - clock.now();
            clock.advance(wait.unsigned_abs());
        }
    }
    eventually("it is dead", async || {
        jobs::counts(&mut database.connection().await, clock.now())
            .await
            .unwrap()
            .dead
            == 1
    })
    .await;
    let dead = jobs::list_dead(c).await.unwrap().remove(0);
    assert_eq!((dead.key.clone(), dead.attempts), (key("a"), 3));
    assert_eq!(dead.last_error.as_deref(), Some("panicked: two failures, now a panic"));

    assert!(jobs::revive(c, &dead.key, clock.now()).await.unwrap());
    process.wake.notify_one();
    assert_eq!(next(&mut started).await.1.attempts, 0);
    process.stop().await;
}

#[tokio::test]
async fn a_yielded_job_goes_to_another_process_at_once_and_a_lost_one_is_left_alone() {
    let database = Database::migrated().await;
    let (c, clock) = (&mut database.connection().await, Clock::manual(START));
    let (reporter, mut started) = Reporter::new(2);
    let stopping = CancellationToken::new();
    let told = stopping.clone();
    let first = Running::start(database.pool(3), &clock, 1, {
        let reporter = reporter.clone();
        move |worker, claim| {
            let (reporter, told) = (reporter.clone(), told.clone());
            async move {
                let _ = reporter.starts.send((worker, claim));
                told.cancelled().await;
                Verdict::Yielded
            }
        }
    });
    book(c, "a", &clock).await;
    first.wake.notify_one();
    let (one, claim) = next(&mut started).await;
    first.stop.cancel();
    stopping.cancel();
    first.stop().await;
    assert_eq!(workers::beats(c).await.unwrap(), [], "signed off");
    assert!(!jobs::still_owned(c, one, &claim).await.unwrap());

    let second = Running::start(database.pool(3), &clock, 1, move |worker, claim| {
        reporter.clone().run(worker, claim, Verdict::Lost)
    });
    let (two, claim) = next(&mut started).await;
    assert_ne!(one, two);
    assert_eq!(claim.wanted_since, Some(START));
    second.stop().await;
    assert_eq!(jobs::list(c).await.unwrap().len(), 1, "kept for whoever has it");
}

#[tokio::test]
async fn stopping_waits_for_what_runs_and_takes_nothing_more() {
    let database = Database::migrated().await;
    let (c, clock) = (&mut database.connection().await, Clock::manual(START));
    let (reporter, mut started) = Reporter::new(0);
    let go_on = reporter.go_on.clone();
    let process = Running::start(database.pool(3), &clock, 1, move |worker, claim| {
        reporter.clone().run(worker, claim, DONE)
    });
    book(c, "a", &clock).await;
    process.wake.notify_one();
    next(&mut started).await;
    book(c, "b", &clock).await;
    process.stop.cancel();
    process.wake.notify_one();
    go_on.add_permits(10);
    process.stop().await;
    let left: Vec<_> = jobs::list(c).await.unwrap().into_iter().map(|job| job.key).collect();
    assert_eq!(left, [key("b")]);
    assert!(started.try_recv().is_err());
}

#[tokio::test]
async fn a_dead_process_s_jobs_are_taken_over_and_it_can_write_nothing_more() {
    let database = Database::migrated().await;
    let (c, clock) = (&mut database.connection().await, Clock::manual(START));
    let mut doomed = database.connection().await;
    let dead = workers::register(&mut doomed, START).await.unwrap();
    for turn in 0..5 {
        book(c, turn, &clock).await;
    }
    let stale = jobs::claim(&mut doomed, dead, 5, START).await.unwrap();
    let (reporter, mut started) = Reporter::new(100);
    let process = Running::start(database.pool(3), &clock, 2, move |worker, claim| {
        reporter.clone().run(worker, claim, DONE)
    });
    listening(&database, 1).await;

    let begin = Instant::now();
    doomed.close_hard().await.unwrap();
    let mut taken = BTreeSet::new();
    while taken.len() < 5 {
        taken.insert(next(&mut started).await.1.key);
    }
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    no_jobs_left(&database).await;
    for claim in &stale {
        assert!(!jobs::still_owned(c, dead, claim).await.unwrap());
        assert!(!jobs::settle(c, dead, claim, Some(START), START).await.unwrap());
    }
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lost_session_makes_a_new_worker_that_waits_for_its_former_self() {
    let database = Database::migrated().await;
    let (c, clock) = (&mut database.connection().await, Clock::manual(START));
    let (reporter, mut started) = Reporter::new(0);
    let go_on = reporter.go_on.clone();
    let process = Running::start(database.pool(3), &clock, 4, move |worker, claim| {
        reporter.clone().run(worker, claim, DONE)
    });
    book(c, "a", &clock).await;
    process.wake.notify_one();
    let (former, first) = next(&mut started).await;

    // Everything but us, as a restart or a cut cable would.
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    )
    .execute(&mut *c)
    .await
    .unwrap();
    eventually("another worker holds the key", async || {
        let jobs = jobs::list(&mut database.connection().await).await.unwrap();
        jobs[0].owner.is_some_and(|owner| owner != former)
    })
    .await;
    assert!(!jobs::still_owned(c, former, &first).await.unwrap());
    assert!(started.try_recv().is_err(), "not while the former run is under way");
    book(c, "b", &clock).await;
    process.wake.notify_one();
    assert_eq!(next(&mut started).await.1.key, key("b"), "others are not held up");

    go_on.add_permits(10);
    let (new, second) = next(&mut started).await;
    assert!(new != former && second.epoch > first.epoch);
    assert_eq!((&second.key, second.wanted_since), (&first.key, Some(START)));
    no_jobs_left(&database).await;
    process.stop().await;
}

#[tokio::test]
async fn claims_whose_answer_was_lost_run_all_the_same() {
    let database = Database::migrated().await;
    let (c, clock) = (&mut database.connection().await, Clock::manual(START));
    let (reporter, mut started) = Reporter::new(100);
    let process = Running::start(database.pool(3), &clock, 4, move |worker, claim| {
        reporter.clone().run(worker, claim, DONE)
    });
    book(c, "a", &clock).await;
    let (worker, _) = next(&mut started).await;
    // As if the process had claimed it and never heard back.
    let mut transaction = c.begin().await.unwrap();
    book(&mut transaction, "b", &clock).await;
    assert_eq!(jobs::claim(&mut transaction, worker, 9, START).await.unwrap().len(), 1);
    transaction.commit().await.unwrap();
    assert_eq!(next(&mut started).await.1.key, key("b"));
    no_jobs_left(&database).await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_queue_goes_on_by_itself_after_the_database_was_away() {
    let postgres = Arc::new(PrivatePostgres::start(ServerOptions { durable: false }).unwrap());
    let database = Database::empty_on(postgres.url()).await;
    muster::store::migrate(&database.pool(1)).await.unwrap();
    let clock = Clock::system();
    let (reporter, mut started) = Reporter::new(0);
    let go_on = reporter.go_on.clone();
    let process = Running::start(database.pool(5), &clock, 8, move |worker, claim| {
        reporter.clone().run(worker, claim, DONE)
    });
    {
        let c = &mut database.connection().await;
        for turn in 0..4 {
            book(c, turn, &clock).await;
        }
    }
    process.wake.notify_one();
    for _ in 0..4 {
        next(&mut started).await;
    }

    postgres.interrupt().unwrap();
    // The runs end while nobody can write that down.
    go_on.add_permits(1_000);
    process.wake.notify_one();
    postgres.resume().unwrap();
    let back = Instant::now();

    no_jobs_left(&database).await;
    let c = &mut database.connection().await;
    for turn in 10..30 {
        book(c, turn, &clock).await;
        process.wake.notify_one();
    }
    no_jobs_left(&database).await;
    assert!(back.elapsed() < Duration::from_secs(10), "{:?}", back.elapsed());
    let mut run = BTreeSet::new();
    while let Ok((_, claim)) = started.try_recv() {
        run.insert(claim.key);
    }
    assert!((10..30).all(|turn| run.contains(&key(turn))), "{run:?}");
    process.stop().await;
}
