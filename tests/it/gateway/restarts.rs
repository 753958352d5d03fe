//! The bot stops, or is killed, and starts again: it goes on listening as if nothing had happened.

use sqlx::{Connection as _, Executor as _};

use super::*;
use crate::support::service::{Place, Serving};

/// The number of the last event whose bookings are stored.
async fn stored(place: &Place) -> u64 {
    let count = place
        .count("select coalesce(max(sequence), 0) from gateway_sessions")
        .await;
    u64::try_from(count).expect("not negative")
}

fn told(place: &Place) -> u64 {
    place
        .simulator
        .gateway()
        .sessions
        .iter()
        .map(|session| session.seq)
        .max()
        .unwrap_or(0)
}

async fn all_is_stored(place: &Place) {
    eventually("the session is stored as far as it was told", || async {
        told(place) > 0 && stored(place).await == told(place)
    })
    .await;
}

fn go(place: &Place, name: &str, channel: Option<&str>) {
    let id = member(name).to_string();
    match channel {
        Some(channel) => place.simulator.connect(GUILD, &id, channel),
        None => place.simulator.disconnect(GUILD, &id),
    }
    .expect("he can");
}

/// A match that stands, with Rex not in voice.
async fn standing(place: &Place, serving: &Serving) {
    place.gateway_ready(serving).await;
    go(place, "rex", None);
    place.faceit_says(&a_match());
    let body = a_match().webhook("match_status_ready", 2);
    assert_eq!(serving.deliver(&body).await, Some(200));
    place.rest().await;
    assert_eq!(place.match_channels().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_resumes_the_session_and_hears_what_happened_meanwhile() {
    let bot = Bot::start(&PEOPLE).await;
    bot.disconnect("rex");
    bot.play(&a_match(), "match_status_ready", 2).await;
    let bot = bot
        .restart_after(async |simulator| {
            simulator.clear_journal();
            simulator
                .connect(GUILD, &member("rex").to_string(), LOBBY)
                .expect("he can");
            simulator
                .disconnect(GUILD, &member("cleo").to_string())
                .expect("he was there");
            simulator
                .connect(GUILD, &member("dan").to_string(), BAR)
                .expect("he can");
        })
        .await;
    bot.settle().await;
    assert_eq!(begun_and_resumed(&bot.simulator), (1, 1));
    knows_the_truth(&bot);
    assert!(looks(&bot.simulator) >= 1, "Rex came, who plays in a running match");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_after_which_the_session_is_gone_learns_everything_anew() {
    let bot = Bot::start(&PEOPLE).await;
    bot.play(&a_match(), "match_status_ready", 2).await;
    let bot = bot
        .restart_after(async |simulator| {
            simulator.clear_journal();
            simulator.refuse_resumes(1);
            simulator
                .disconnect(GUILD, &member("cleo").to_string())
                .expect("he was there");
            simulator.delete_channel(BAR).expect("there is a bar");
        })
        .await;
    bot.settle().await;
    assert_eq!(begun_and_resumed(&bot.simulator), (2, 0));
    knows_the_truth(&bot);
    assert_eq!(bot.app.voice.place(guild(), channel(BAR)), None);
    assert!(looks(&bot.simulator) >= 1, "what happened to its matches nobody knows");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_service_resumes_its_session_and_hears_what_happened_meanwhile() {
    let place = Place::new(&["nova", "rex", "ada", "bo"]).await;
    let serving = place.serve().await;
    standing(&place, &serving).await;
    all_is_stored(&place).await;
    serving.kill_9().await;
    place.simulator.clear_journal();
    go(&place, "rex", Some(LOBBY));
    go(&place, "dan", None);
    let serving = place.serve().await;
    place.gateway_ready(&serving).await;
    place.rest().await;
    assert_eq!(begun_and_resumed(&place.simulator), (1, 1));
    assert!(looks(&place.simulator) >= 1, "Rex came, who plays in a running match");
    let (_, metrics) = serving.get("/metrics").await;
    let seated = format!("muster_gateway_seated {}", true_seats(&place.simulator).len());
    assert!(metrics.contains(&seated), "not {seated}: {metrics}");
    assert!(metrics.contains("muster_gateway_guilds 1"), "{metrics}");
    assert!(
        metrics.contains(r#"muster_gateway_connections_total{how="resumed"} 1"#),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_killed_before_its_session_was_stored_begins_anew() {
    let place = Place::new(&["nova", "rex", "ada", "bo"]).await;
    let mut other = place.connection().await;
    let mut lock = other.begin().await.expect("a transaction");
    lock.execute("lock table gateway_sessions in exclusive mode")
        .await
        .expect("locked");
    let serving = place.serve().await;
    standing(&place, &serving).await;
    serving.kill_9().await;
    lock.rollback().await.expect("released");
    assert_eq!(stored(&place).await, 0);
    go(&place, "dan", None);
    let serving = place.serve().await;
    place.gateway_ready(&serving).await;
    assert_eq!(begun_and_resumed(&place.simulator), (2, 0));
    let (_, metrics) = serving.get("/metrics").await;
    let seated = format!("muster_gateway_seated {}", true_seats(&place.simulator).len());
    assert!(metrics.contains(&seated), "not {seated}: {metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_heard_again_after_a_kill_before_its_booking_was_stored() {
    let mut world = world();
    // The bot's own heartbeats measure how long nothing is stored.
    world["gateway"]["heartbeat_interval_ms"] = serde_json::json!(1_000);
    let database = crate::support::database::Database::migrated().await;
    let place = Place::in_world(database, world, &["nova", "rex", "ada", "bo"]).await;
    let serving = place.serve().await;
    standing(&place, &serving).await;
    all_is_stored(&place).await;
    let before = stored(&place).await;

    let mut other = place.connection().await;
    let mut lock = other.begin().await.expect("a transaction");
    lock.execute("lock table jobs in exclusive mode").await.expect("locked");
    go(&place, "rex", Some(LOBBY));
    eventually("the booking waits", || place.is_blocked("%insert into jobs%")).await;
    place.simulator.clear_gateway_counts();
    eventually("there was time enough to store the session", || async {
        place.simulator.gateway().counts.heartbeats >= 6
    })
    .await;
    assert_eq!(
        stored(&place).await,
        before,
        "the session is never ahead of what is booked"
    );
    serving.kill_9().await;
    lock.rollback().await.expect("released");

    place.simulator.clear_journal();
    let serving = place.serve().await;
    place.gateway_ready(&serving).await;
    place.rest().await;
    assert_eq!(place.simulator.gateway().counts.resumes, 1);
    assert!(looks(&place.simulator) >= 1, "Rex came, who plays in a running match");
    all_is_stored(&place).await;
}
