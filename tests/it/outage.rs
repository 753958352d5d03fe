//! Postgres stopped, started, and cut off under a running service: webhooks are told to come again, and nothing has to be done by hand.
#![expect(
    clippy::disallowed_methods,
    reason = "measures by the wall clock how soon the service is back"
)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join_all;
use muster::sandbox::postgres::{Options, PrivatePostgres};
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _};
use tokio::task::spawn_blocking;

use crate::support::{
    bodies::{Match, game},
    bot::SECRET,
    database::{Database, LONG, eventually},
    service::{Place, Serving, client},
};

const EVERYBODY: [&str; 4] = ["nova", "rex", "ada", "bo"];

fn a_match(n: usize) -> Match {
    game(
        &format!("1-{n:08x}-0000-4000-8000-0000000000aa"),
        "READY",
        &["nova", "rex"],
        &["ada", "bo"],
    )
}

/// A server that this test may stop, and a place on it.
async fn own_server() -> (Arc<PrivatePostgres>, Place) {
    let server = spawn_blocking(|| PrivatePostgres::start(Options { durable: false }));
    let server = Arc::new(server.await.expect("started").expect("a private server"));
    let database = Database::empty_on(server.url()).await;
    muster::store::migrate(&database.pool(1)).await.expect("migrates");
    (server, Place::on(database, &EVERYBODY).await)
}

async fn interrupt(server: &Arc<PrivatePostgres>) {
    let server = server.clone();
    spawn_blocking(move || server.interrupt().expect("stopped"))
        .await
        .expect("stopped");
}

async fn resume(server: &Arc<PrivatePostgres>) {
    let server = server.clone();
    spawn_blocking(move || server.resume().expect("started"))
        .await
        .expect("started");
}

/// The status and `Retry-After`.
async fn deliver(serving: &Serving, body: &Value) -> (u16, Option<String>) {
    let request = client().post(format!("{}/faceit-webhook", serving.url)).json(body);
    let answer = request
        .header("x-webhook-secret", SECRET)
        .send()
        .await
        .expect("it answers");
    let retry_after = answer
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    (answer.status().as_u16(), retry_after)
}

fn fault(place: &Place, fault: Value) {
    place
        .simulator
        .fault(serde_json::from_value(fault).expect("a fault"))
        .expect("a fault");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_may_stop_and_start_in_mid_match() {
    let (server, place) = own_server().await;
    let serving = place.serve().await;
    let (first, second) = (a_match(1), a_match(2));
    place.faceit_says(&first);
    place.faceit_says(&second);
    fault(
        &place,
        json!({"method": "POST", "path": "/channels", "times": 2, "delay_ms": 1_500}),
    );
    assert_eq!(
        deliver(&serving, &first.webhook("match_status_ready", 2)).await,
        (200, None)
    );
    eventually("both creates are out", || async {
        place.simulator.waiting_faults().is_empty()
    })
    .await;
    assert_eq!(serving.get("/readyz").await.0, 200);
    interrupt(&server).await;

    let asked = Instant::now();
    let (status, retry_after) = deliver(&serving, &second.webhook("match_status_ready", 2)).await;
    println!(
        "while Postgres was away a webhook was answered after {:.2} s",
        asked.elapsed().as_secs_f64()
    );
    assert_eq!((status, retry_after.as_deref()), (503, Some("2")));
    assert_eq!(serving.get("/healthz").await.0, 200);
    let (status, body) = serving.get("/readyz").await;
    let body: Value = serde_json::from_str(&body).expect("JSON");
    println!("{body}");
    assert_eq!(
        (status, &body["ready"], &body["checks"]["database"]["ok"]),
        (503, &json!(false), &json!(false))
    );
    assert_eq!(serving.get("/metrics").await.0, 200);
    // Those that were on their way are answered, and have nowhere to be written.
    eventually("the creates are answered", || async {
        place
            .simulator
            .journal()
            .iter()
            .filter(|entry| entry.method == "POST")
            .count()
            == 2
    })
    .await;

    resume(&server).await;
    let back = Instant::now();
    eventually("deliveries are taken again", || async {
        deliver(&serving, &second.webhook("match_status_ready", 2)).await.0 == 200
    })
    .await;
    println!(
        "deliveries were taken {:.2} s after Postgres was back",
        back.elapsed().as_secs_f64()
    );
    eventually("both matches stand", || async {
        place.match_channels().len() == 4 && place.rests().await
    })
    .await;
    println!(
        "both matches stood {:.2} s after Postgres was back",
        back.elapsed().as_secs_f64()
    );
    assert_eq!(serving.get("/readyz").await.0, 200);
    let posts = place
        .simulator
        .journal()
        .iter()
        .filter(|entry| entry.method == "POST")
        .count();
    assert_eq!(posts, 4, "nothing was created twice");

    for game in [&first, &second] {
        place.faceit_says(&game.status("FINISHED"));
        assert_eq!(
            deliver(&serving, &game.webhook("match_status_finished", 3)).await.0,
            200
        );
    }
    eventually("all is cleaned up", || async {
        place.match_channels().is_empty() && place.rests().await
    })
    .await;
    assert_eq!(place.count("select count(*) from jobs").await, 0);
    let (status, said) = serving.terminate(Duration::from_secs(20)).await;
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{said}");
    let noise = said
        .lines()
        .filter(|line| line.contains("WARN") || line.contains("ERROR"))
        .count();
    println!("{noise} warnings and errors in all:\n{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_start_while_postgres_is_away_waits_for_it() {
    let (server, place) = own_server().await;
    interrupt(&server).await;
    let mut starting = place.muster(&["serve"]).start().expect("it starts");
    eventually("it says that it waits", || {
        let waits = starting.stderr().contains("the database is not there yet")
            && starting.stderr().contains("connection refused");
        async move { waits }
    })
    .await;
    assert!(starting.is_running());
    resume(&server).await;
    let back = Instant::now();
    let listening = spawn_blocking(move || {
        (
            starting.line_where(LONG, |line| line.starts_with("listening on ")),
            starting,
        )
    });
    let (line, _starting) = listening.await.expect("it listens");
    assert!(line.is_some());
    println!(
        "it listened {:.2} s after Postgres was back",
        back.elapsed().as_secs_f64()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_backends_cost_no_match() {
    const MATCHES: usize = 8;
    let place = Place::new(&EVERYBODY).await;
    let serving = place.serve().await;
    let mut killer = place.connection().await;
    fault(&place, json!({"path": "*", "times": 60, "delay_ms": 60}));
    for n in 0..MATCHES {
        let game = a_match(n);
        place.faceit_says(&game);
        eventually("it is taken", || async {
            deliver(&serving, &game.webhook("match_status_ready", 2)).await.0 == 200
        })
        .await;
        killer
            .execute(
                "select pg_terminate_backend(pid) from pg_stat_activity
                where datname = current_database() and application_name = 'muster' and pid <> pg_backend_pid()",
            )
            .await
            .expect("killed");
    }
    let killed = Instant::now();
    eventually("all stand", || async {
        place.match_channels().len() == 2 * MATCHES && place.rests().await
    })
    .await;
    println!(
        "all {MATCHES} stood {:.2} s after the last kill",
        killed.elapsed().as_secs_f64()
    );
    for n in 0..MATCHES {
        place.faceit_says(&a_match(n).status("CANCELLED"));
        let body = a_match(n).webhook("match_status_cancelled", 3);
        eventually("it is taken", || async { deliver(&serving, &body).await.0 == 200 }).await;
    }
    eventually("all is cleaned up", || async {
        place.match_channels().is_empty() && place.rests().await
    })
    .await;
    assert_eq!(place.count("select count(*) from active_matches").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_exhausted_pool_delays_and_loses_nothing() {
    const MATCHES: usize = 30;
    let mut place = Place::new(&EVERYBODY).await;
    place.set("DATABASE_CONNECTIONS", "2");
    let serving = place.serve().await;
    let mut locker = place.connection().await;
    let mut tx = locker.begin().await.expect("a transaction");
    tx.execute("lock table deliveries in exclusive mode")
        .await
        .expect("locked");
    let bodies: Vec<Value> = (0..MATCHES)
        .map(|n| {
            place.faceit_says(&a_match(n));
            a_match(n).webhook("match_status_ready", 2)
        })
        .collect();
    let asked = Instant::now();
    let answers = join_all(bodies.iter().map(|body| deliver(&serving, body))).await;
    println!(
        "{MATCHES} deliveries to a stuck database were answered within {:.2} s",
        asked.elapsed().as_secs_f64()
    );
    assert!(
        answers.iter().all(|answer| *answer == (503, Some("2".to_owned()))),
        "{answers:?}"
    );
    assert_eq!(serving.get("/healthz").await.0, 200);
    tx.rollback().await.expect("released");
    // A 503 says only "come again": the statement that waited may be carried out once the lock is gone. The counts below see that nothing is twice.
    eventually("it is ready again", || async { serving.get("/readyz").await.0 == 200 }).await;
    for _ in 0..20 {
        let answers = join_all(bodies.iter().map(|body| deliver(&serving, body))).await;
        if answers.iter().all(|answer| answer.0 == 200) {
            break;
        }
    }
    assert_eq!(place.count("select count(*) from deliveries").await, MATCHES as i64);
    eventually("all stand", || async {
        place.match_channels().len() == 2 * MATCHES.min(25) && place.rests().await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_web_page_in_place_of_discord_s_answer_is_no_answer() {
    let place = Place::new(&EVERYBODY).await;
    let serving = place.serve().await;
    let game = a_match(1);
    place.faceit_says(&game);
    let page = "<!doctype html><title>Sign in to the network</title>";
    fault(
        &place,
        json!({"method": "PATCH", "path": "/members/*", "status": 200, "body": page, "times": 2}),
    );
    assert_eq!(serving.deliver(&game.webhook("match_status_ready", 2)).await, Some(200));
    place.rest().await;
    let seated = place
        .picture()
        .iter()
        .filter(|channel| channel.contains("match-"))
        .all(|channel| channel.matches("\"200").count() >= 4);
    assert!(seated, "everybody was moved in the end: {:#?}", place.picture());
    // The page in place of the deletes: twice each, as a call is tried twice.
    fault(
        &place,
        json!({"method": "DELETE", "path": "/channels/*", "status": 200, "body": page, "times": 4}),
    );
    place.faceit_says(&game.status("FINISHED"));
    assert_eq!(
        serving.deliver(&game.webhook("match_status_finished", 3)).await,
        Some(200)
    );
    place.rest().await;
    assert_eq!(
        place.match_channels(),
        Vec::<String>::new(),
        "a channel is gone only when Discord says so"
    );
    assert_eq!(place.count("select count(*) from active_matches").await, 0);
}
