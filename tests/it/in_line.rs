//! Calls of a match that wait for their turn: taken back when there is news or the service stops, put off when Discord says for how long; and
//! what is told of bots that can't help.

use std::time::Duration;

use muster::{
    domain::{history::Kind, ids::MatchId},
    simulator::{Entry, Fault, Side},
    store::{self, audit::Actor, service_pause},
};
use serde_json::{Value, json};

use crate::support::{
    bodies::{Match, game},
    bot::{BOT, Bot, CATEGORY, GUILD, PEOPLE, member, world},
    database::{Database, eventually},
    service::Place,
};

fn one_v_one(n: usize, status: &str) -> Match {
    let id = format!("1-{n:08x}-0000-4000-8000-00000000abcd");
    game(&id, status, &[PEOPLE[2 * n]], &[PEOPLE[2 * n + 1]])
}

fn world_with(limits: &[(&str, Value)]) -> Value {
    let mut world = world();
    for (name, limit) in limits {
        world["limits"][*name] = limit.clone();
    }
    world
}

fn of_discord(bot: &Bot, method: &str) -> Vec<Entry> {
    let journal = bot.simulator.journal().into_iter();
    let wanted = |entry: &Entry| entry.side == Side::Discord && entry.method == method;
    journal.filter(wanted).collect()
}

/// One call is refused, and nothing more goes by this route for a while.
fn not_for_ten_seconds(method: &str, path: &str) -> Fault {
    serde_json::from_value(json!({
        "method": method, "path": path, "status": 429, "headers": {"retry-after": "10"},
        "body": {"message": "You are being rate limited.", "retry_after": 10.0, "global": false},
    }))
    .expect("a fault")
}

async fn job_of(bot: &Bot, game: &Match) -> store::jobs::Job {
    let jobs = bot.jobs().await;
    let job = jobs.into_iter().find(|job| job.key.as_str().ends_with(&game.id));
    job.expect("the match has a job")
}

#[tokio::test]
async fn a_match_that_is_called_off_takes_its_moves_out_of_the_line_and_is_torn_down_at_once() {
    let bot = Bot::start_in(
        world_with(&[("member_edit", json!({"limit": 2, "per_ms": 4_000}))]),
        &PEOPLE[..10],
    )
    .await;
    let games: Vec<Match> = (0..5).map(|n| one_v_one(n, "READY")).collect();
    for (n, game) in games.iter().enumerate() {
        // Each is younger than the one before.
        bot.clock.advance(Duration::from_secs(1));
        bot.faceit_says(game);
        bot.deliver(&game.webhook("match_status_ready", 3)).await;
        eventually("its channels stand", || async { bot.channels().len() == 2 * (n + 1) }).await;
    }
    // The first one's players are moved, eight wait. The youngest match ends; its turn would come last.
    let called_off = &games[4];
    bot.faceit_says(&called_off.status("CANCELLED"));
    bot.deliver(&called_off.webhook("match_status_cancelled", 4)).await;
    eventually("it waits for nothing but its grace period", || async {
        // Without an owner it is also between the run that was broken off and the next one.
        bot.record(&called_off.id).await.ended_at.is_some() && job_of(&bot, called_off).await.owner.is_none()
    })
    .await;
    bot.clock.advance(Duration::from_secs(61));
    bot.app.wake.notify_one();
    eventually("its channels are gone", || async { bot.channels().len() == 8 }).await;

    bot.settle().await;
    for name in &PEOPLE[..8] {
        assert!(
            bot.seat(name).is_some_and(|seat| seat.starts_with("match-")),
            "{name}\n{}",
            bot.picture()
        );
    }
    for name in &PEOPLE[8..10] {
        let path = format!("/members/{}", member(name));
        let moves = of_discord(&bot, "PATCH")
            .into_iter()
            .filter(|entry| entry.path.ends_with(&path));
        assert_eq!(moves.count(), 0, "{name} was moved for a match that is over");
    }
    let moves = of_discord(&bot, "PATCH");
    assert!(moves.iter().all(|entry| entry.status == 200), "{moves:?}");
    assert_eq!(moves.len(), 8);
    let deletes = of_discord(&bot, "DELETE");
    assert!(
        deletes.iter().all(|delete| delete.at_ms < moves[7].at_ms),
        "the channels wait for nobody: {deletes:?}, {moves:?}"
    );
    bot.finish().await;
}

#[tokio::test]
async fn who_comes_while_the_others_wait_takes_his_place_in_the_line_at_once() {
    let bot = Bot::start_in(
        world_with(&[("member_edit", json!({"limit": 1, "per_ms": 3_000}))]),
        &["gus", "nova", "ada", "eve"],
    )
    .await;
    let first = game("1-00000001-0000-4000-8000-00000000abcd", "READY", &["gus"], &["hana"]);
    let old = game(
        "1-00000002-0000-4000-8000-00000000abcd",
        "READY",
        &["nova", "rex"],
        &["ada"],
    );
    let young = game("1-00000003-0000-4000-8000-00000000abcd", "READY", &["eve"], &["finn"]);
    for (n, game) in [&first, &old, &young].into_iter().enumerate() {
        bot.clock.advance(Duration::from_secs(1));
        bot.faceit_says(game);
        bot.deliver(&game.webhook("match_status_ready", 3)).await;
        eventually(
            "its channels stand, and the first move shows how few are allowed",
            || async { bot.channels().len() == 2 * (n + 1) && !of_discord(&bot, "PATCH").is_empty() },
        )
        .await;
    }
    // He is linked while others of his match and of a younger one wait.
    bot.link(&["rex"]).await;
    bot.deliver(&old.webhook("match_status_ready", 4)).await;
    bot.settle().await;
    let moves = of_discord(&bot, "PATCH");
    let paths: Vec<&str> = moves.iter().map(|entry| entry.path.as_str()).collect();
    let at = |name: &str| paths.iter().position(|path| path.ends_with(&member(name).to_string()));
    assert_eq!(
        (paths.len(), at("eve")),
        (5, Some(4)),
        "the younger match comes last: {paths:?}"
    );
    assert!(moves.iter().all(|entry| entry.status == 200), "{moves:?}");
    bot.finish().await;
}

#[tokio::test]
async fn matches_that_wait_for_their_turn_keep_no_other_match_waiting() {
    let world = world_with(&[("member_edit", json!({"limit": 1, "per_ms": 45_000}))]);
    let bot = Bot::start_in(world, &PEOPLE).await;
    for (n, name) in PEOPLE.iter().enumerate() {
        let game = game(
            &format!("1-{n:08x}-0000-4000-8000-00000000abcd"),
            "READY",
            &[name],
            &["stranger"],
        );
        bot.faceit_says(&game);
        bot.deliver(&game.webhook("match_status_ready", 3)).await;
        eventually("the first move shows how few are allowed", || async {
            !of_discord(&bot, "PATCH").is_empty()
        })
        .await;
    }
    eventually("each has its channels", || async {
        bot.channels().len() == 2 * PEOPLE.len()
    })
    .await;
    assert_eq!(of_discord(&bot, "PATCH").len(), 1);
    assert!(bot.app.stop().await);
}

#[tokio::test]
async fn a_stop_takes_back_what_waits_for_its_turn() {
    let bot = Bot::start_in(
        world_with(&[("member_edit", json!({"limit": 2, "per_ms": 90_000}))]),
        &PEOPLE[..4],
    )
    .await;
    for n in 0..2 {
        let game = one_v_one(n, "READY");
        bot.faceit_says(&game);
        bot.deliver(&game.webhook("match_status_ready", 3)).await;
        eventually("its channels stand, and the first two are moved", || async {
            bot.channels().len() == 2 * (n + 1) && of_discord(&bot, "PATCH").len() == 2
        })
        .await;
    }
    let Bot {
        app,
        simulator,
        database,
        clock,
        ..
    } = bot;
    assert!(app.stop().await, "it would wait for 45 s");
    let jobs = store::jobs::list(&mut database.connection().await).await.unwrap();
    assert!(
        jobs.iter().all(|job| job.owner.is_none() && job.last_error.is_none()),
        "{jobs:?}"
    );
    let due = jobs.iter().filter(|job| job.due_at <= clock.now()).count();
    assert_eq!((jobs.len(), due), (2, 1), "whoever starts next goes on");
    let moves = simulator.journal().into_iter().filter(|entry| entry.method == "PATCH");
    assert_eq!(moves.count(), 2);
}

#[tokio::test]
async fn a_pause_of_everything_takes_back_what_waits_for_its_turn() {
    let bot = Bot::start(&PEOPLE[..4]).await;
    // Long enough for a slow machine to come to the pause.
    bot.simulator.fault(not_for_ten_seconds("PATCH", "/members/*")).unwrap();
    for n in 0..2 {
        let game = one_v_one(n, "READY");
        bot.faceit_says(&game);
        bot.deliver(&game.webhook("match_status_ready", 3)).await;
        eventually("its channels stand, and the others of all wait", || async {
            bot.channels().len() == 2 * (n + 1) && of_discord(&bot, "PATCH").len() == 2
        })
        .await;
    }
    let (mut conn, system) = (bot.database.connection().await, Actor::system());
    service_pause::begin(&mut conn, &system, None, bot.clock.now())
        .await
        .unwrap();
    bot.settle().await;
    bot.advance(Duration::from_secs(61)).await;
    assert_eq!(of_discord(&bot, "PATCH").len(), 2);
    service_pause::end(&mut conn, &system, bot.clock.now()).await.unwrap();
    bot.settle().await;
    let moves: Vec<u16> = of_discord(&bot, "PATCH").iter().map(|entry| entry.status).collect();
    assert_eq!(
        (moves.len(), moves.iter().filter(|status| **status == 200).count()),
        (5, 4),
        "{moves:?}"
    );
    bot.finish().await;
}

#[tokio::test]
async fn a_pause_of_everything_takes_back_a_further_category_that_waits_for_its_turn() {
    let mut world = world();
    let full =
        (4000..4050).map(|id| json!({"id": id.to_string(), "name": format!("text-{id}"), "parent_id": CATEGORY}));
    world["guilds"][0]["text_channels"] = full.collect();
    let bot = Bot::start_in(world, &["nova", "rex"]).await;
    bot.simulator
        .fault(not_for_ten_seconds("POST", "/guilds/*/channels"))
        .unwrap();
    let game = one_v_one(0, "READY");
    bot.faceit_says(&game);
    bot.deliver(&game.webhook("match_status_ready", 3)).await;
    let creates = || -> Vec<u16> { of_discord(&bot, "POST").iter().map(|entry| entry.status).collect() };
    eventually("the category waits for its turn", || async { creates() == [429] }).await;
    let (mut conn, system) = (bot.database.connection().await, Actor::system());
    service_pause::begin(&mut conn, &system, None, bot.clock.now())
        .await
        .unwrap();
    bot.settle().await;
    bot.advance(Duration::from_secs(61)).await;
    assert_eq!(creates(), [429]);
    bot.simulator.clear_journal();
    service_pause::end(&mut conn, &system, bot.clock.now()).await.unwrap();
    bot.settle().await;
    assert_eq!(creates(), [201; 3], "the category and its two channels");
    let calls = bot.calls();
    assert!(
        calls
            .iter()
            .all(|call| !(call.starts_with("GET") && call.contains("/channels "))),
        "what was taken back is not looked for: {calls:?}"
    );
    bot.play(&game.status("CANCELLED"), "match_status_cancelled", 7).await;
    bot.advance(Duration::from_secs(61)).await;
    assert_eq!(bot.jobs().await, [], "nothing is left to do, and nothing went wrong");
}

#[tokio::test]
async fn what_discord_puts_off_for_long_keeps_nothing_else_of_the_match_waiting() {
    let bot = Bot::start_in(world_with(&[("channels_per_day", json!(1))]), &["nova", "rex"]).await;
    let game = one_v_one(0, "READY");
    bot.play(&game, "match_status_ready", 3).await;
    let moved = ["nova", "rex"].map(|name| bot.seat(name).expect("he is in voice"));
    assert_eq!(
        moved.iter().filter(|seat| seat.starts_with("match-")).count(),
        1,
        "one channel stands, and its player is in it\n{}",
        bot.picture()
    );
    let record = bot.record(&game.id).await;
    let why: Vec<_> = record.slots.values().filter_map(|slot| slot.blocked.as_ref()).collect();
    assert!(why.len() == 1 && why[0].why.contains("no more channels"), "{why:?}");
    // The timer's usual look does not make it try again, nor look for a channel that was never asked for.
    for _ in 0..2 {
        bot.simulator.clear_journal();
        bot.advance(Duration::from_secs(61)).await;
        assert_eq!(bot.calls(), Vec::<String>::new());
    }
    bot.play(&game.status("FINISHED"), "match_status_finished", 7).await;
    bot.advance(Duration::from_secs(61)).await;
    assert!(bot.channels().is_empty());
    bot.finish().await;
}

#[tokio::test]
async fn a_match_is_looked_at_again_when_discord_said_and_not_before() {
    let bot = Bot::start(&["nova", "rex"]).await;
    let limited: Fault = serde_json::from_value(json!({
        "method": "PATCH", "path": "/members/*", "status": 429, "times": 2, "headers": {"retry-after": "55"},
        "body": {"message": "You are being rate limited.", "retry_after": 54.6, "global": false},
    }))
    .unwrap();
    bot.simulator.fault(limited).unwrap();
    let game = one_v_one(0, "READY");
    bot.play(&game, "match_status_ready", 3).await;
    let job = job_of(&bot, &game).await;
    let wait = (job.due_at - bot.clock.now()).as_seconds_f64();
    assert!((50.0..=55.0).contains(&wait), "{wait}");
    let why = job.last_error.expect("somebody may wonder");
    assert!(why.contains("rate limit"), "{why}");
    let mut conn = bot.database.connection().await;
    let steps = store::match_steps::of_match(&mut conn, &MatchId::new(&game.id), 100).await;
    let waits: Vec<_> = steps
        .unwrap()
        .into_iter()
        .filter(|step| step.kind == Kind::Wait)
        .collect();
    assert_eq!(waits.len(), 1, "{waits:?}");
    assert_eq!(waits[0].words, "2 steps held up");
    assert!(
        waits[0].detail.as_ref().is_some_and(|why| why.contains("rate limit")),
        "{waits:?}"
    );
    assert_eq!(of_discord(&bot, "PATCH").len(), 2, "both were under way at once");
    bot.advance(Duration::from_secs(45)).await;
    assert_eq!(of_discord(&bot, "PATCH").len(), 2);
    // News is looked at meanwhile, and nothing of it is sent before its time.
    bot.play(&game.status("ONGOING"), "match_status_ready", 4).await;
    assert_eq!(of_discord(&bot, "PATCH").len(), 2);
    bot.play(&game.status("CANCELLED"), "match_status_cancelled", 7).await;
    bot.advance(Duration::from_secs(61)).await;
    assert!(bot.channels().is_empty());
    bot.finish().await;
}

#[tokio::test]
async fn a_further_bot_that_can_not_help_is_named_by_readyz_and_counted() {
    let mut world = world();
    world["bots"] = json!([
        {"id": "900000000000000002", "name": "Away", "token": "away-token", "guilds": []},
        {"id": "900000000000000003", "name": "Weak", "token": "weak-token", "permissions": "1024"},
    ]);
    let mut place = Place::in_world(Database::migrated().await, world, &["nova", "rex"]).await;
    place.set("DISCORD_MOVER_TOKENS", "away-token,wrong-token,weak-token");
    let serving = place.serve().await;
    let movers = || async {
        let (status, body) = serving.get("/readyz").await;
        let body: Value = serde_json::from_str(&body).unwrap();
        (status, body["checks"]["movers"].clone())
    };
    assert_eq!(movers().await, (200, json!({"ok": true, "left_out": []})));
    let game = one_v_one(0, "READY");
    place.faceit_says(&game);
    serving.deliver(&game.webhook("match_status_ready", 3)).await;
    eventually("both are in their channels", || async {
        let picture = place.picture().concat();
        place.match_channels().len() == 2 && !picture.contains("Lobby\" in null: \"2001\"")
    })
    .await;
    place.rest().await;
    let (status, movers) = movers().await;
    assert_eq!((status, &movers["ok"]), (200, &json!(true)), "they are only helpers");
    let left_out = movers["left_out"].as_array().unwrap();
    assert_eq!(left_out[0]["bot"], 1);
    assert_eq!(left_out[0]["server"], GUILD);
    assert!(left_out[0]["why"].as_str().unwrap().contains("1000"), "{movers}");
    assert_eq!(
        left_out[1],
        json!({"bot": 2, "server": null, "why": "Discord refuses its token"})
    );
    let (_, metrics) = serving.get("/metrics").await;
    let line = format!("muster_discord_bots_left_out {}", left_out.len());
    assert!(
        metrics.lines().any(|known| known == line),
        "{line} is not in\n{metrics}"
    );
}

#[tokio::test]
async fn a_token_that_is_refused_stops_the_sender_and_turns_readyz_red() {
    let place = Place::new(&PEOPLE[..6]).await;
    let serving = place.serve().await;
    place.gateway_ready(&serving).await;
    assert_eq!(serving.get("/readyz").await.0, 200);
    place.simulator.reset_token(BOT, "another-token").unwrap();
    place.simulator.clear_journal();
    let unauthorized = || {
        let journal = place.simulator.journal().into_iter();
        journal
            .filter(|entry| entry.side == Side::Discord && entry.status == 401)
            .count()
    };
    for n in 0..3 {
        let game = one_v_one(n, "READY");
        place.faceit_says(&game);
        serving.deliver(&game.webhook("match_status_ready", 3)).await;
        eventually("readyz names the token", || async {
            let (status, body) = serving.get("/readyz").await;
            let body: Value = serde_json::from_str(&body).unwrap();
            let check = &body["checks"]["discord_token"];
            status == 503
                && check["ok"] == false
                && check["why"].as_str().is_some_and(|why| why.contains("DISCORD_TOKEN"))
        })
        .await;
        eventually("the match was looked at", || async {
            place.count("select count(*) from jobs where attempts > 0").await == n as i64 + 1
        })
        .await;
    }
    assert_eq!(unauthorized(), 1, "{:?}", place.simulator.journal());
}
