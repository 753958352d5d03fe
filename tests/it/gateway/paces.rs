//! No storm: whatever ends the connections, there is a pause before the next one, and it grows.

use std::{
    sync::{Arc, Mutex},
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

/// The shortest pause after so many connections.
fn pause(after: u64) -> Duration {
    Duration::from_millis(250) * 2_u32.saturating_pow(after.saturating_sub(1) as u32)
}

/// Watches so many connections come after one that has `ended`, or a moment before that; none too soon: a slow machine can only make it longer.
async fn paced(what: &str, ended: Instant, connections: impl Fn() -> u64) {
    eventually(what, || async { connections() + 1 >= CONNECTIONS }).await;
    let (count, took) = (connections(), ended.elapsed());
    println!("{what}: {count} connections in {:.1} s", took.as_secs_f64());
    let least: Duration = (1..=count.min(30)).map(pause).sum();
    assert!(took >= least, "{what}: {count} connections in {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_greets_and_then_hangs_up_is_not_stormed() {
    let hang_up = |code: Option<u16>| async move {
        let bot = Bot::start_deaf(world(), |_| {}).await;
        bot.gateway_ready().await;
        bot.simulator.clear_gateway_counts();
        bot.simulator.end_after_hello(u32::MAX, code);
        let ended = Instant::now();
        bot.simulator.end_connections(&everybody(), None);
        paced(&format!("ended by {code:?} after hello"), ended, || {
            bot.simulator.gateway().counts.connections
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

/// A gateway that is no good, and when it was connected to.
struct Rude {
    url: String,
    connections: Arc<Mutex<Vec<Instant>>>,
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
        let connections = Arc::<Mutex<Vec<_>>>::default();
        let times = connections.clone();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Before it is ended: the pause that follows is all between this time and the next, however late both are.
                times.lock().expect("nobody panics").push(Instant::now());
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
        let times = || rude.connections.lock().expect("nobody panics").clone();
        eventually("it has tried some times", || async {
            times().len() as u64 >= CONNECTIONS
        })
        .await;
        for (count, pair) in (1..).zip(times().windows(2)) {
            let paused = pair[1] - pair[0];
            println!("{manners:?}: {:.2} s after connection {count}", paused.as_secs_f64());
            assert!(
                paused >= pause(count),
                "{manners:?}: {paused:?} after connection {count}"
            );
        }
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
