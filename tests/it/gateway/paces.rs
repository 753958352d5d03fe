//! No storm: whatever ends the connections, there is a pause before the next one, and it grows.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{net::TcpListener, task::JoinSet, time::Instant};
use tokio_tungstenite::{
    accept_async,
    tungstenite::{
        Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use super::*;

/// So many connections are waited for: the pauses between them grow from a quarter of a second, at least, to one.
const CONNECTIONS: u64 = 4;

/// Before so many connections there were at least these pauses: a slow machine can only make it longer.
fn at_least(connections: u64) -> Duration {
    Duration::from_millis(250) * (2_u32.pow(connections.saturating_sub(1) as u32) - 1)
}

/// Watches so many connections come; none too soon.
async fn paced(what: &str, connections: impl Fn() -> u64) {
    let started = Instant::now();
    eventually(what, || async { connections() >= CONNECTIONS }).await;
    let (count, took) = (connections(), started.elapsed());
    println!("{what}: {count} connections in {:.1} s", took.as_secs_f64());
    assert!(took >= at_least(count), "{what}: {count} connections in {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_greets_and_then_hangs_up_is_not_stormed() {
    let hang_up = |code: Option<u16>| async move {
        let bot = Bot::start_deaf(world(), |_| {}).await;
        bot.gateway_ready().await;
        bot.simulator.clear_gateway_counts();
        bot.simulator.end_after_hello(u32::MAX, code);
        bot.simulator.end_connections(&everybody(), None);
        // The first pause comes before the first connection.
        paced(&format!("ended by {code:?} after hello"), || {
            bot.simulator.gateway().counts.connections + 1
        })
        .await;
        bot.simulator.end_after_hello(0, None);
        bot.gateway_ready().await;
        let counts = bot.simulator.gateway().counts;
        assert_eq!(
            (counts.identifies, counts.resumes),
            (0, 1),
            "the session outlives all that"
        );
        bot.finish().await;
    };
    tokio::join!(hang_up(None), hang_up(Some(4000)), hang_up(Some(4008)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_lost_again_and_again_is_not_begun_in_a_storm() {
    let bot = Bot::start(&[]).await;
    let started = Instant::now();
    let mut last = String::new();
    for _ in 0..3 {
        eventually("there is another session", || async {
            let open = bot
                .simulator
                .gateway()
                .sessions
                .into_iter()
                .find(|session| session.connected);
            open.is_some_and(|session| session.session_id != last)
        })
        .await;
        last = bot.simulator.gateway().sessions.remove(0).session_id;
        assert_eq!(bot.simulator.invalidate_sessions(&everybody(), false), 1);
    }
    bot.gateway_ready().await;
    let (begun, took) = (bot.simulator.gateway().counts.identifies, started.elapsed());
    println!("{begun} sessions in {:.1} s", took.as_secs_f64());
    assert_eq!(begun, 4);
    // Discord wants one to five seconds before each.
    assert!(took >= Duration::from_secs(3), "{begun} sessions in {took:?}");
    bot.finish().await;
}

/// A gateway that is no good, and how many connections it has had.
struct Rude {
    url: String,
    connections: Arc<AtomicU64>,
    _serving: JoinSet<()>,
}

#[derive(Clone, Copy, Debug)]
enum Manners {
    HangsUpAtOnce,
    HangsUpAfterTheHandshake,
    ClosesAfterTheHandshake,
    SaysNonsense,
}

impl Rude {
    async fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("ws://{}", listener.local_addr().expect("an address"));
        let connections = Arc::new(AtomicU64::new(0));
        let count = connections.clone();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                if matches!(manners, Manners::HangsUpAtOnce) {
                    continue;
                }
                let Ok(mut socket) = accept_async(stream).await else {
                    continue;
                };
                let frame = CloseFrame {
                    code: CloseCode::from(4000),
                    reason: "no".into(),
                };
                // It may have hung up already.
                let _ = match manners {
                    Manners::ClosesAfterTheHandshake => socket.close(Some(frame)).await,
                    Manners::SaysNonsense => {
                        futures::SinkExt::send(&mut socket, Message::text(r#"{"op":10,"d":7}"#)).await
                    }
                    _ => Ok(()),
                };
            }
        });
        Self {
            url,
            connections,
            _serving: serving,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_never_greets_is_not_stormed() {
    let knock = |manners: Manners| async move {
        let rude = Rude::start(manners).await;
        let url = rude.url.parse().expect("an address");
        let bot = Bot::start_deaf(world(), |config| config.discord.gateway = Some(url)).await;
        paced(&format!("{manners:?}"), || rude.connections.load(Ordering::SeqCst)).await;
        let (status, body) = bot.get("/readyz").await;
        assert_eq!(status, 200, "it connects again by itself: {body}");
        assert_eq!(bot.simulator.gateway().counts.identifies, 0);
        bot.finish().await;
    };
    tokio::join!(
        knock(Manners::HangsUpAtOnce),
        knock(Manners::HangsUpAfterTheHandshake),
        knock(Manners::ClosesAfterTheHandshake),
        knock(Manners::SaysNonsense),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn when_no_session_may_be_started_any_more_today_none_is() {
    let mut world = world();
    world["gateway"]["identifies_per_day"] = serde_json::json!(1);
    let bot = Bot::start_in(world, &[]).await;
    bot.simulator.invalidate_sessions(&everybody(), false);
    eventually("it says why it waits", || async {
        bot.get("/readyz")
            .await
            .1
            .contains("Discord allows no more new sessions until")
    })
    .await;
    let counts = bot.simulator.gateway().counts;
    assert_eq!(
        (counts.identifies, counts.closed.get(&4004)),
        (1, None),
        "one more would have cost the token"
    );
    bot.finish().await;
}
