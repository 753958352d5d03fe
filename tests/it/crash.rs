//! kill -9 of the real service between every two steps of a match: after the next start all is as if nothing had happened.
#![expect(
    clippy::disallowed_methods,
    reason = "measures by the wall clock how soon a killed service has caught up"
)]

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{RngExt as _, SeedableRng, rngs::StdRng};
use serde_json::json;
use sqlx::{Connection as _, Executor as _};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::support::{
    bodies::{Match, game},
    database::eventually,
    service::{Place, Serving, TABLES, hold},
};

/// Stories told side by side: they mostly wait.
const AT_ONCE: usize = 8;
/// How long a request is held back so that the test can get its lock in before the answer.
const HELD_MS: u64 = 1_500;
/// The match of every story: two channels, four moves, four people to bring back.
const EVERYBODY: [&str; 4] = ["nova", "rex", "ada", "bo"];

fn a_match() -> Match {
    game(
        "1-c0ffee00-0000-4000-8000-000000000001",
        "READY",
        &["nova", "rex"],
        &["ada", "bo"],
    )
}

/// Where the process is killed.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// The nth request to Discord or FACEIT has left the process: before or after it took effect, its answer still out.
    Request { nth: usize, applied: bool },
    /// A statement waits for our lock: the step before it is done, it is not.
    Statement(&'static Blocked),
    /// The delivery is stored, the job booked, and the sender has no answer: he sends it again.
    Unanswered { chapter: usize },
}

#[derive(Debug)]
struct Blocked {
    name: &'static str,
    /// 0 the match stands up, 1 it ends.
    chapter: usize,
    /// The lock is taken while these requests are held back; at once without them.
    while_held: Option<(&'static str, &'static str, usize)>,
    lock: &'static str,
    /// What then waits for it.
    statement: &'static str,
}

const STATEMENTS: [Blocked; 12] = [
    Blocked {
        name: "storing the first delivery",
        chapter: 0,
        while_held: None,
        lock: "lock table deliveries in exclusive mode",
        statement: "%insert into deliveries%",
    },
    Blocked {
        name: "claiming the job",
        chapter: 0,
        while_held: None,
        lock: "select from workers for update",
        statement: "%update jobs set owner = $1%",
    },
    Blocked {
        name: "saving the reading",
        chapter: 0,
        while_held: None,
        lock: "lock table matches in exclusive mode",
        statement: "%insert into matches%",
    },
    Blocked {
        name: "saving the intents",
        chapter: 0,
        while_held: None,
        lock: "lock table active_matches in exclusive mode",
        statement: "%insert into active_matches%",
    },
    Blocked {
        name: "recording the creates",
        chapter: 0,
        while_held: Some(("POST", "/guilds/*/channels", 2)),
        lock: "lock table active_matches in exclusive mode",
        statement: "%insert into active_matches%",
    },
    Blocked {
        name: "recording the moves",
        chapter: 0,
        while_held: Some(("PATCH", "/members/*", 4)),
        lock: "lock table match_members in exclusive mode",
        statement: "%insert into match_members%",
    },
    Blocked {
        name: "settling the standing match",
        chapter: 0,
        while_held: Some(("GET", "/data/v4/matches/*", 1)),
        lock: "select from jobs for share",
        statement: "%done = $4%",
    },
    Blocked {
        name: "storing the last delivery",
        chapter: 1,
        while_held: None,
        lock: "lock table deliveries in exclusive mode",
        statement: "%insert into deliveries%",
    },
    Blocked {
        name: "claiming the job of the end",
        chapter: 1,
        while_held: None,
        lock: "select from workers for update",
        statement: "%update jobs set owner = $1%",
    },
    Blocked {
        name: "saving the end",
        chapter: 1,
        while_held: None,
        lock: "lock table matches in exclusive mode",
        statement: "%insert into matches%",
    },
    Blocked {
        name: "recording the deletes",
        chapter: 1,
        while_held: Some(("DELETE", "/channels/*", 2)),
        lock: "lock table active_matches in exclusive mode",
        statement: "%active_matches%",
    },
    Blocked {
        name: "settling the closed match",
        chapter: 1,
        while_held: Some(("GET", "/data/v4/matches/*", 1)),
        lock: "select from jobs for share",
        statement: "%delete from jobs%",
    },
];

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { nth, applied: true } => write!(f, "request {nth} applied, not answered"),
            Self::Request { nth, applied: false } => write!(f, "request {nth} sent, not applied"),
            Self::Statement(blocked) => write!(f, "before {}", blocked.name),
            Self::Unanswered { chapter } => write!(f, "delivery {chapter} stored, not answered"),
        }
    }
}

/// What a story came to.
#[derive(Debug, Default)]
struct Told {
    /// The guild after each chapter.
    pictures: Vec<Vec<String>>,
    /// From the new start to rest, when the process was killed.
    caught_up: Option<Duration>,
    requests: Vec<String>,
}

/// One match from its start to its end, with at most one kill.
async fn tell(point: Option<Point>) -> Told {
    let place = Place::new(&EVERYBODY).await;
    let game = a_match();
    let mut told = Told::default();
    // The very first request asks for the gateway, before anything is delivered.
    if let Some(Point::Request { nth, applied }) = point {
        place.simulator.fault(hold("*", "*", nth, applied)).expect("a fault");
    }
    let mut serving = place.serve().await;
    // Whoever stops a claim by a lock on the worker's row needs that row.
    eventually("the worker is registered", || async {
        place.count("select count(*) from workers").await == 1
    })
    .await;
    let chapters = [
        ("READY", "match_status_ready", 2),
        ("FINISHED", "match_status_finished", 3),
    ];
    for (chapter, (status, event, version)) in chapters.into_iter().enumerate() {
        let game = game.status(status);
        place.faceit_says(&game);
        let body = game.webhook(event, version);
        let answer = match point {
            Some(Point::Statement(blocked)) if blocked.chapter == chapter => {
                let (killed, answer) = kill_at_statement(&place, serving, blocked, &body).await;
                let (again, took) = start_again(&place).await;
                killed.expect("our own lock is released");
                (serving, told.caught_up) = (again, Some(took));
                answer
            }
            Some(Point::Unanswered { chapter: here }) if here == chapter => {
                kill_unanswered(&place, serving, &body, chapter).await;
                let (again, took) = start_again(&place).await;
                (serving, told.caught_up) = (again, Some(took));
                None
            }
            _ => {
                let answer = serving.deliver(&body).await;
                let waiting = matches!(point, Some(Point::Request { .. })) && told.caught_up.is_none();
                eventually("the match comes to rest, or to the point", || async {
                    (waiting && place.simulator.waiting_faults().is_empty()) || place.rests().await
                })
                .await;
                if waiting && place.simulator.waiting_faults().is_empty() {
                    serving.kill_9().await;
                    let (again, took) = start_again(&place).await;
                    (serving, told.caught_up) = (again, Some(took));
                }
                answer
            }
        };
        if answer != Some(200) {
            assert_eq!(serving.deliver(&body).await, Some(200), "sent again, as FACEIT does");
        }
        place.rest().await;
        told.pictures.push(place.picture());
    }
    assert_eq!(
        place.count("select count(*) from deliveries").await,
        2,
        "nothing accepted is lost"
    );
    assert_eq!(place.count("select count(*) from jobs").await, 0, "no job is left");
    assert_eq!(
        place.count("select count(*) from active_matches").await,
        0,
        "nothing of ours is left"
    );
    assert_eq!(
        place
            .count("select count(*) from matches where closed_at is not null")
            .await,
        1,
        "the match is closed"
    );
    assert!(
        place.simulator.unknown_requests().is_empty(),
        "{:?}",
        place.simulator.unknown_requests()
    );
    told.requests = place
        .simulator
        .journal()
        .into_iter()
        .map(|entry| format!("{} {} {}", entry.method, entry.path, entry.status))
        .collect();
    told
}

/// Starts the service and waits until it has caught up; says how long both took.
async fn start_again(place: &Place) -> (Serving, Duration) {
    place.simulator.clear_faults();
    let started = Instant::now();
    let serving = place.serve().await;
    place.rest().await;
    (serving, started.elapsed())
}

async fn kill_at_statement(
    place: &Place,
    serving: Serving,
    blocked: &Blocked,
    body: &serde_json::Value,
) -> (Result<(), sqlx::Error>, Option<u16>) {
    let mut locker = place.connection().await;
    let mut tx = locker.begin().await.expect("a transaction");
    if let Some((method, path, times)) = blocked.while_held {
        let fault = json!({"method": method, "path": path, "times": times, "delay_ms": HELD_MS});
        place
            .simulator
            .fault(serde_json::from_value(fault).expect("a fault"))
            .expect("a fault");
    } else {
        tx.execute(blocked.lock).await.expect("locked");
    }
    let url = serving.url.clone();
    let delivery = {
        let body = body.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { crate::support::service::deliver(&url, &body).await });
        tasks
    };
    if blocked.while_held.is_some() {
        eventually("the requests before it are out", || async {
            place.simulator.waiting_faults().is_empty()
        })
        .await;
        tx.execute(blocked.lock).await.expect("locked");
    }
    eventually(blocked.name, || place.is_blocked(blocked.statement)).await;
    serving.kill_9().await;
    let released = tx.rollback().await;
    let answer = delivery.join_all().await.into_iter().next().flatten();
    (released, answer)
}

/// The sender hangs up before he hears anything; the process is killed as soon as the delivery is stored.
async fn kill_unanswered(place: &Place, serving: Serving, body: &serde_json::Value, chapter: usize) {
    let url = serving.url.clone();
    let body = body.clone();
    let mut delivery = JoinSet::new();
    delivery.spawn(async move { crate::support::service::deliver(&url, &body).await });
    let stored = i64::try_from(chapter).expect("a small number") + 1;
    eventually("the delivery is stored", || async {
        place.count("select count(*) from deliveries").await == stored
    })
    .await;
    serving.kill_9().await;
    delivery.abort_all();
}

/// Tells all these stories and compares them with the undisturbed one. Prints what was covered and how long catching up took.
async fn survive(points: Vec<Point>) {
    let undisturbed = Arc::new(tell(None).await);
    assert_eq!(undisturbed.pictures.len(), 2);
    assert!(
        undisturbed.requests.len() <= REQUESTS,
        "it makes more requests by now: {:#?}",
        undisturbed.requests
    );
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut stories = JoinSet::new();
    for point in points {
        let (turns, undisturbed) = (turns.clone(), undisturbed.clone());
        stories.spawn(async move {
            let _turn = turns.acquire().await.expect("never closed");
            let story = tokio::time::timeout(Duration::from_secs(120), tell(Some(point)));
            let told = story.await.unwrap_or_else(|_| panic!("it hangs: killed {point}"));
            assert_eq!(
                told.pictures, undisturbed.pictures,
                "killed {point}; requests: {:#?}",
                told.requests
            );
            (point, told.caught_up, told.requests.len())
        });
    }
    let mut took = Vec::new();
    let mut troubles = Vec::new();
    while let Some(story) = stories.join_next().await {
        match story {
            Ok((point, Some(caught_up), _)) => took.push((caught_up, point)),
            // Both creates may ask who the bot is, or one for both.
            Ok((Point::Request { nth, .. }, None, requests)) if nth >= requests => {}
            Ok((point, None, _)) => troubles.push(format!("never came to this point: {point}")),
            Err(error) => troubles.push(error.to_string()),
        }
    }
    println!("the undisturbed match makes {} requests", undisturbed.requests.len());
    took.sort_by_key(|(caught_up, _)| *caught_up);
    for (caught_up, point) in &took {
        println!("{:6.0} ms  killed {point}", caught_up.as_secs_f64() * 1e3);
    }
    let at = |part: f64| {
        took.get(((took.len() as f64 - 1.0) * part) as usize)
            .map_or(0.0, |(took, _)| took.as_secs_f64())
    };
    println!(
        "{} kill points; caught up after p50 {:.2} s, p95 {:.2} s, max {:.2} s",
        took.len(),
        at(0.5),
        at(0.95),
        at(1.0)
    );
    assert!(
        troubles.is_empty(),
        "{} stories went wrong:\n{}",
        troubles.len(),
        troubles.join("\n")
    );
}

/// How many requests the undisturbed match makes: one asks for the gateway, and both creates may ask who the bot is.
const REQUESTS: usize = 21;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_kill_at_any_request_before_it_takes_effect_changes_nothing_in_the_end() {
    survive(
        (0..REQUESTS)
            .map(|nth| Point::Request { nth, applied: false })
            .collect(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_kill_at_any_request_before_its_answer_changes_nothing_in_the_end() {
    survive((0..REQUESTS).map(|nth| Point::Request { nth, applied: true }).collect()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_kill_at_any_write_to_the_database_changes_nothing_in_the_end() {
    let statements = STATEMENTS.iter().map(Point::Statement);
    let unanswered = (0..2).map(|chapter| Point::Unanswered { chapter });
    survive(statements.chain(unanswered).collect()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_service_that_is_killed_over_and_over_still_gets_there() {
    let undisturbed = tell(None).await;
    let mut stories = JoinSet::new();
    for seed in 0..6 {
        stories.spawn(async move { (seed, killed_over_and_over(seed).await) });
    }
    for (seed, pictures) in stories.join_all().await {
        assert_eq!(pictures, undisturbed.pictures, "seed {seed}");
    }
}

/// Five lives in each chapter, each ended at a request that the dice choose.
async fn killed_over_and_over(seed: u64) -> Vec<Vec<String>> {
    let mut dice = StdRng::seed_from_u64(seed);
    let place = Place::new(&EVERYBODY).await;
    let mut pictures = Vec::new();
    let mut serving = place.serve().await;
    for (status, event, version) in [
        ("READY", "match_status_ready", 2),
        ("FINISHED", "match_status_finished", 3),
    ] {
        let game = a_match().status(status);
        place.faceit_says(&game);
        let body = game.webhook(event, version);
        assert_eq!(serving.deliver(&body).await, Some(200));
        for _ in 0..5 {
            let fault = hold("*", "*", dice.random_range(0..6), dice.random());
            place.simulator.fault(fault).expect("a fault");
            eventually("the point is reached, or rest", || async {
                place.simulator.waiting_faults().is_empty() || place.rests().await
            })
            .await;
            serving.kill_9().await;
            place.simulator.clear_faults();
            serving = place.serve().await;
        }
        place.rest().await;
        pictures.push(place.picture());
    }
    assert_eq!(
        place.count("select count(*) from active_matches").await,
        0,
        "seed {seed}: nothing of ours is left"
    );
    pictures
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_create_that_lands_only_after_the_new_start_is_cleaned_up_at_the_end() {
    let place = Place::new(&EVERYBODY).await;
    let serving = place.serve().await;
    let game = a_match();
    place.faceit_says(&game);
    place
        .simulator
        .fault(hold("POST", "/channels", 0, false))
        .expect("a fault");
    assert_eq!(serving.deliver(&game.webhook("match_status_ready", 2)).await, Some(200));
    eventually("the create is out", || async {
        place.simulator.waiting_faults().is_empty()
    })
    .await;
    serving.kill_9().await;
    let (serving, _) = start_again(&place).await;
    let channels = place.match_channels();
    assert_eq!(channels.len(), 2, "{channels:?}");
    // The network had kept the requests of the first life, and hands them over now. Neither was recorded: the wave had not ended.
    for name in &channels {
        late_create(&place, name).await;
    }
    assert_eq!(place.match_channels().len(), 4);

    place.faceit_says(&game.status("FINISHED"));
    assert_eq!(
        serving.deliver(&game.webhook("match_status_finished", 3)).await,
        Some(200)
    );
    place.rest().await;
    assert_eq!(
        place.match_channels(),
        Vec::<String>::new(),
        "the latecomers are found and deleted"
    );
}

/// The same create once more, as Discord would carry it out late.
async fn late_create(place: &Place, name: &str) {
    let guild = place.simulator.guild("1000").expect("there is a guild");
    let channels = guild["channels"].as_array().expect("channels");
    let ours = channels
        .iter()
        .find(|channel| channel["name"] == name)
        .expect("it stands");
    let body = json!({
        "name": name, "type": 2, "parent_id": ours["parent_id"],
        "permission_overwrites": ours["permission_overwrites"],
    });
    let addresses = place.simulator.addresses();
    let request = crate::support::service::client()
        .post(format!("{}/guilds/1000/channels", addresses.discord_api))
        .header("authorization", format!("Bot {}", addresses.bot_token))
        .header("user-agent", "DiscordBot (https://example.invalid, 1)")
        .json(&body);
    let answer = request.send().await.expect("it answers");
    assert!(
        answer.status().is_success(),
        "{}",
        answer.text().await.unwrap_or_default()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_kill_before_the_worker_has_signed_on_loses_no_delivery() {
    let place = Place::new(&EVERYBODY).await;
    let mut locker = place.connection().await;
    let mut tx = locker.begin().await.expect("a transaction");
    tx.execute("lock table workers in share row exclusive mode")
        .await
        .expect("locked");
    let serving = place.serve().await;
    eventually("it wants to sign on", || place.is_blocked("%insert into workers%")).await;
    let game = a_match();
    place.faceit_says(&game);
    let answer = serving.deliver(&game.webhook("match_status_ready", 2)).await;
    let said = serving.kill_9().await;
    assert_eq!(answer, Some(200), "{said}");
    tx.rollback().await.expect("released");
    let (_serving, _) = start_again(&place).await;
    assert_eq!(place.match_channels().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_services_on_one_database_one_takes_over_when_the_other_is_killed() {
    const MATCHES: usize = 10;
    let place = Place::new(&EVERYBODY).await;
    let first = place.serve().await;
    let games: Vec<Match> = (0..MATCHES)
        .map(|n| {
            game(
                &format!("1-{n:08x}-0000-4000-8000-000000000002"),
                "READY",
                &["nova"],
                &["ada"],
            )
        })
        .collect();
    // The first one gets stuck in the creates of three matches, before and after they took effect.
    for cut in [json!(null), json!("before")] {
        let fault = json!({"method": "POST", "path": "/channels", "times": 3, "delay_ms": 600_000, "drop": cut});
        place
            .simulator
            .fault(serde_json::from_value(fault).expect("a fault"))
            .expect("a fault");
    }
    for game in &games[..3] {
        place.faceit_says(game);
        assert_eq!(first.deliver(&game.webhook("match_status_ready", 2)).await, Some(200));
    }
    eventually("creates hang", || async { place.simulator.waiting_faults().is_empty() }).await;
    let second = place.serve().await;
    for (n, game) in games.iter().enumerate().skip(3) {
        place.faceit_says(game);
        // Each delivery twice, at both: one job all the same.
        let (one, other) = if n % 2 == 0 {
            (&first, &second)
        } else {
            (&second, &first)
        };
        assert_eq!(one.deliver(&game.webhook("match_status_ready", 2)).await, Some(200));
        assert_eq!(other.deliver(&game.webhook("match_status_ready", 2)).await, Some(200));
    }
    first.kill_9().await;
    let killed = Instant::now();
    eventually("the other one has done it all", || async {
        place.match_channels().len() >= 2 * MATCHES && place.rests().await
    })
    .await;
    println!(
        "{MATCHES} matches, one of two services killed: all stood after {:.2} s",
        killed.elapsed().as_secs_f64()
    );
    let channels = place.match_channels();
    let mut once = channels.clone();
    once.dedup();
    assert_eq!(channels, once, "no channel was made twice");
    assert_eq!(channels.len(), 2 * MATCHES);
    for game in &games {
        place.faceit_says(&game.status("FINISHED"));
        assert_eq!(
            second.deliver(&game.webhook("match_status_finished", 3)).await,
            Some(200)
        );
    }
    eventually("all is taken down", || async {
        place.match_channels().is_empty() && place.rests().await
    })
    .await;
    assert_eq!(place.count("select count(*) from active_matches").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_services_that_get_every_delivery_create_each_channel_once() {
    const MATCHES: usize = 10;
    let place = Place::new(&EVERYBODY).await;
    let (first, second) = (place.serve().await, place.serve().await);
    let mut deliveries = JoinSet::new();
    for n in 0..MATCHES {
        let game = game(
            &format!("1-{n:08x}-0000-4000-8000-000000000003"),
            "READY",
            &["nova"],
            &["ada"],
        );
        place.faceit_says(&game);
        for (version, event) in [(1, "match_status_configuring"), (2, "match_status_ready")] {
            for url in [first.url.clone(), second.url.clone()] {
                let body = game.webhook(event, version);
                deliveries.spawn(async move { crate::support::service::deliver(&url, &body).await });
            }
        }
    }
    assert!(deliveries.join_all().await.iter().all(|answer| *answer == Some(200)));
    place.rest().await;
    assert_eq!(place.match_channels().len(), 2 * MATCHES);
    let creates = place
        .simulator
        .journal()
        .into_iter()
        .filter(|entry| entry.method == "POST")
        .count();
    assert_eq!(creates, 2 * MATCHES, "never two creates for a channel");
    assert_eq!(place.count("select count(*) from deliveries").await, 2 * MATCHES as i64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_service_frozen_in_mid_create_and_woken_after_it_was_replaced_writes_nothing() {
    let place = Place::new(&EVERYBODY).await;
    let frozen = place.serve().await;
    let game = a_match();
    place.faceit_says(&game);
    let fault = json!({"method": "POST", "path": "/channels", "times": 2, "delay_ms": 4_000});
    place
        .simulator
        .fault(serde_json::from_value(fault).expect("a fault"))
        .expect("a fault");
    assert_eq!(frozen.deliver(&game.webhook("match_status_ready", 2)).await, Some(200));
    eventually("both creates are out", || async {
        place.simulator.waiting_faults().is_empty()
    })
    .await;
    frozen.process.signal(rustix::process::Signal::STOP).expect("stopped");
    let other = place.serve().await;
    // What a network that loses its connections does; the frozen one can't notice.
    place
        .count(
            "select count(pg_terminate_backend(pid)) from pg_locks
            where locktype = 'advisory' and pid <> pg_backend_pid() and objid in (0, (select min(id) from workers)::oid)
                and database = (select oid from pg_database where datname = current_database())",
        )
        .await;
    place.rest().await;
    assert_eq!(place.match_channels().len(), 2);
    // Only bookings may come of it: it hears, as we all do, who was moved, and has the match looked at.
    let but_jobs: Vec<&str> = TABLES.into_iter().filter(|table| *table != "jobs").collect();
    let before = place.dump_of(&but_jobs).await;
    eventually("the first creates are answered", || async {
        let journal = place.simulator.journal();
        journal.iter().filter(|entry| entry.method == "POST").count() == 2
    })
    .await;
    frozen.process.signal(rustix::process::Signal::CONT).expect("woken");
    // It comes to rest by leaving: whatever it had to write it has tried by then.
    let (status, said) = frozen.terminate(Duration::from_secs(35)).await;
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{said}");
    assert_eq!(
        place.dump_of(&but_jobs).await,
        before,
        "it wrote nothing; it said:\n{said}"
    );
    assert_eq!(place.match_channels().len(), 2);
    place.faceit_says(&game.status("FINISHED"));
    assert_eq!(
        other.deliver(&game.webhook("match_status_finished", 3)).await,
        Some(200)
    );
    place.rest().await;
    assert_eq!(place.match_channels(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stop_in_mid_wave_finishes_the_wave_and_the_next_start_goes_on() {
    let place = Place::new(&EVERYBODY).await;
    let serving = place.serve().await;
    let game = a_match();
    place.faceit_says(&game);
    let fault = json!({"method": "POST", "path": "/channels", "times": 2, "delay_ms": 1_500});
    place
        .simulator
        .fault(serde_json::from_value(fault).expect("a fault"))
        .expect("a fault");
    assert_eq!(serving.deliver(&game.webhook("match_status_ready", 2)).await, Some(200));
    eventually("both creates are out", || async {
        place.simulator.waiting_faults().is_empty()
    })
    .await;
    let asked = Instant::now();
    let (status, said) = serving.terminate(Duration::from_secs(20)).await;
    println!(
        "stopped in mid-wave (1.5 s of it left) after {:.2} s",
        asked.elapsed().as_secs_f64()
    );
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{said}");
    assert_eq!(
        place
            .count("select count(*) from active_matches where channel_id is not null")
            .await,
        2,
        "{said}"
    );
    assert_eq!(place.count("select count(*) from workers").await, 0, "it signed off");
    assert_eq!(
        place
            .count("select count(*) from jobs where owner is null and due_at <= now()")
            .await,
        1,
        "the rest is due"
    );
    let (_serving, took) = start_again(&place).await;
    println!("went on and was done {:.2} s after the start", took.as_secs_f64());
    let posts = place
        .simulator
        .journal()
        .into_iter()
        .filter(|entry| entry.method == "POST")
        .count();
    assert_eq!(posts, 2, "nothing was created again");
    let moves = place
        .simulator
        .journal()
        .into_iter()
        .filter(|entry| entry.method == "PATCH")
        .count();
    assert_eq!(moves, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_second_signal_does_not_wait_for_a_wave_that_hangs() {
    let place = Place::new(&EVERYBODY).await;
    let serving = place.serve().await;
    let game = a_match();
    place.faceit_says(&game);
    let fault = json!({"method": "POST", "path": "/channels", "times": 2, "delay_ms": 600_000});
    place
        .simulator
        .fault(serde_json::from_value(fault).expect("a fault"))
        .expect("a fault");
    assert_eq!(serving.deliver(&game.webhook("match_status_ready", 2)).await, Some(200));
    eventually("both creates are out", || async {
        place.simulator.waiting_faults().is_empty()
    })
    .await;
    serving.process.terminate().expect("asked");
    eventually("it has heard", || async {
        serving.process.stderr().contains("stopping")
    })
    .await;
    let asked = Instant::now();
    let (status, said) = serving.terminate(Duration::from_secs(20)).await;
    println!("a second signal ended it after {:.2} s", asked.elapsed().as_secs_f64());
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "the second signal was not heard:\n{said}"
    );
    assert!(
        status.is_some_and(|status| !status.success()),
        "something was broken off: {status:?}"
    );
    let (_serving, _) = start_again(&place).await;
    assert_eq!(place.match_channels().len(), 2, "found again");
}
