//! Several processes on one database: one listens, the others stand by.

use tokio::time::Instant;

use super::*;
use crate::support::service::{Place, Serving};

async fn status(serving: &Serving) -> String {
    let (_, body) = serving.get("/readyz").await;
    let body: Value = serde_json::from_str(&body).expect("JSON");
    body["checks"]["gateway"]["shards"]["0"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

async fn stands_by(serving: &Serving) {
    eventually("it stands by", || async {
        status(serving).await.starts_with("standing by")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_listens_and_when_it_is_gone_the_next_one_goes_on_with_its_session() {
    let place = Place::new(&[]).await;
    let first = place.serve().await;
    place.gateway_ready(&first).await;
    let second = place.serve().await;
    stands_by(&second).await;
    assert_eq!(place.simulator.gateway().counts.connections, 1);
    eventually("the session is stored", || async {
        place.count("select count(*) from gateway_sessions").await == 1
    })
    .await;

    let killed = Instant::now();
    first.kill_9().await;
    place.gateway_ready(&second).await;
    println!("taken over {:.2} s after a kill", killed.elapsed().as_secs_f64());
    assert_eq!(begun_and_resumed(&place.simulator), (1, 1));

    let third = place.serve().await;
    stands_by(&third).await;
    let asked = Instant::now();
    let (status, said) = second.terminate(crate::support::database::LONG).await;
    assert!(status.is_some_and(|status| status.success()), "{said}");
    place.gateway_ready(&third).await;
    println!(
        "taken over {:.2} s after a stop was asked for",
        asked.elapsed().as_secs_f64()
    );
    assert_eq!(begun_and_resumed(&place.simulator), (1, 2));
    assert_eq!(place.simulator.gateway().open, 1);
}

/// What is not stored yet can't be gone on with by another process.
async fn session_stored(place: &Place) {
    eventually("the session is stored", || async {
        place.count("select count(*) from gateway_sessions").await > 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_whose_database_connection_breaks_makes_room_for_the_one_that_has_the_right() {
    let place = Place::new(&[]).await;
    let first = place.serve().await;
    place.gateway_ready(&first).await;
    let second = place.serve().await;
    stands_by(&second).await;
    session_stored(&place).await;
    eventually("the other one listens", || async {
        if !status(&second).await.starts_with("standing by") {
            return true;
        }
        // The connection that holds the right ends, again and again, until the one that stands by is quicker than the one that had it.
        let broken = place.count(
            "select count(pg_terminate_backend(pid)) from pg_locks
            where locktype = 'advisory' and granted and classid = x'6d757367'::int::oid and objsubid = 2
                and database = (select oid from pg_database where datname = current_database())",
        );
        broken.await;
        false
    })
    .await;
    stands_by(&first).await;
    place.gateway_ready(&second).await;
    eventually("one connection is left", || async {
        place.simulator.gateway().open == 1
    })
    .await;
    assert_eq!(
        place.simulator.gateway().counts.identifies,
        1,
        "the session goes from one to the other"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_hangs_is_replaced_and_stands_by_when_it_is_back() {
    let place = Place::new(&[]).await;
    let first = place.serve().await;
    place.gateway_ready(&first).await;
    let second = place.serve().await;
    stands_by(&second).await;
    session_stored(&place).await;
    first.process.signal(rustix::process::Signal::STOP).expect("stopped");
    let stopped = Instant::now();
    // That it hangs is noticed only after a while, so both steps have their own patience.
    eventually("the other one takes over", || async {
        !status(&second).await.starts_with("standing by")
    })
    .await;
    place.gateway_ready(&second).await;
    println!(
        "taken over {:.1} s after it was stopped",
        stopped.elapsed().as_secs_f64()
    );
    first.process.signal(rustix::process::Signal::CONT).expect("woken");
    stands_by(&first).await;
    place.gateway_ready(&second).await;
    assert_eq!(place.simulator.gateway().counts.identifies, 1, "the session goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_is_done_where_it_is_known_who_sits_where() {
    let everybody = ["nova", "rex", "ada", "bo"];
    let place = Place::new(&everybody).await;
    let first = place.serve().await;
    place.gateway_ready(&first).await;
    let second = place.serve().await;
    stands_by(&second).await;
    let seat = |name: &str, channel: Option<&str>| {
        let id = member(name).to_string();
        match channel {
            Some(channel) => place.simulator.connect(GUILD, &id, channel),
            None => place.simulator.disconnect(GUILD, &id),
        }
        .expect("he can");
    };
    everybody.iter().for_each(|name| seat(name, None));
    place.gateway_ready(&first).await;
    place.faceit_says(&a_match());
    // Taken by the one that stands by.
    assert_eq!(
        second.deliver(&a_match().webhook("match_status_ready", 2)).await,
        Some(200)
    );
    place.rest().await;
    assert_eq!(place.match_channels().len(), 2);
    for name in everybody {
        seat(name, Some(LOBBY));
        eventually("he is moved, though one of two does not know that he came", || async {
            let seats = true_seats(&place.simulator);
            seats.get(&user(name)).is_some_and(|seat| *seat != channel(LOBBY))
        })
        .await;
    }
    let (_, said) = second.terminate(crate::support::database::LONG).await;
    assert!(!said.contains("the match is"), "it has worked:\n{said}");
}
