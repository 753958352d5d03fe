//! Several processes on one database: one listens, the others stand by.

use std::time::Instant;

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

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_whose_database_connection_breaks_makes_room_for_the_one_that_has_the_right() {
    let place = Place::new(&[]).await;
    let first = place.serve().await;
    place.gateway_ready(&first).await;
    let second = place.serve().await;
    stands_by(&second).await;
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
