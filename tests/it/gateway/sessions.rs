//! Connections that end in every way, and sessions that go on or have to begin anew.

use futures::future::join_all;
use serde_json::json;

use super::*;

/// How a connection ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Cut,
    Code(u16),
    AskedToReconnect,
    Invalid { resumable: bool },
    CutAndForgotten,
}

impl End {
    fn befall(self, simulator: &Simulator) {
        match self {
            Self::Cut => simulator.end_connections(&everybody(), None),
            Self::Code(code) => simulator.end_connections(&everybody(), Some(code)),
            Self::AskedToReconnect => simulator.ask_to_reconnect(&everybody()),
            Self::Invalid { resumable } => simulator.invalidate_sessions(&everybody(), resumable),
            Self::CutAndForgotten => {
                simulator.refuse_resumes(1);
                simulator.end_connections(&everybody(), None)
            }
        };
    }
}

/// People come and go while the bot has no connection, or is about to lose it; it must know of all of that.
async fn survives(end: End, begun: u64, resumed: u64) -> Bot {
    let bot = Bot::start(&[]).await;
    end.befall(&bot.simulator);
    bot.connect("nova", BAR);
    bot.disconnect("rex");
    bot.connect("ada", BAR);
    bot.disconnect("ada");
    sessions(&bot, begun, resumed).await;
    assert_eq!(known_seats(&bot), Some(true_seats(&bot.simulator)), "{end:?}");
    bot
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_resumed_however_its_connection_ended_and_nothing_is_missed() {
    let ends = [
        End::Cut,
        End::Code(4000),
        End::AskedToReconnect,
        End::Invalid { resumable: true },
    ];
    for bot in join_all(ends.map(|end| survives(end, 1, 1))).await {
        bot.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_lost_begins_anew_and_every_guild_is_told_anew() {
    let ends = [
        End::Invalid { resumable: false },
        End::CutAndForgotten,
        End::Code(4009),
        End::Code(1000),
    ];
    for bot in join_all(ends.map(|end| survives(end, 2, 0))).await {
        bot.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_timed_out_is_not_even_asked_for() {
    let bot = survives(End::Code(4009), 2, 0).await;
    assert_eq!(bot.simulator.gateway().counts.resumes_refused, 0);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_answers_no_heartbeat_is_left_and_the_session_resumed() {
    let mut world = world();
    world["gateway"]["heartbeat_interval_ms"] = json!(1_000);
    let bot = Bot::start_in(world, &[]).await;
    bot.simulator.leave_heartbeats_unanswered(true);
    eventually("the bot has come again", || async {
        bot.simulator.gateway().counts.connections > 1
    })
    .await;
    bot.simulator.leave_heartbeats_unanswered(false);
    bot.connect("nova", BAR);
    eventually("its session goes on", || async {
        bot.simulator.gateway().counts.resumes > 0
    })
    .await;
    bot.gateway_ready().await;
    knows_the_truth(&bot);
    let counts = bot.simulator.gateway().counts;
    assert_eq!(counts.identifies, 1, "{counts:?}");
    assert_eq!(counts.closed.get(&4009), None, "it left by itself: {counts:?}");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_goes_to_the_usual_address_when_the_session_s_own_is_down() {
    let bot = Bot::start(&[]).await;
    let pool = bot.database.pool(1);
    let bot = bot
        .restart_after(async |simulator| {
            // Nothing listens at port 1.
            let moved = "update gateway_sessions set resume_url = 'ws://127.0.0.1:1'";
            sqlx::query(moved).execute(&pool).await.expect("the database answers");
            simulator
                .connect(GUILD, &member("nova").to_string(), BAR)
                .expect("he can");
        })
        .await;
    assert_eq!(begun_and_resumed(&bot.simulator), (1, 1));
    knows_the_truth(&bot);
    bot.finish().await;
}
