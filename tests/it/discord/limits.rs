//! Waves of calls against the simulator's rate limits: no 429, no needless wait, the right order, several bots.

use axum::{Router, body::Body, extract::Request, response::Response};
use futures::future::join_all;
use muster::{discord::Priority, simulator::Entry};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::*;

/// As Discord's 10 per 10 s, only faster.
fn tenth() -> Limits {
    Limits {
        member_edit: Rate {
            limit: 10,
            per_ms: 1_000,
        },
        ..Limits::default()
    }
}

async fn guild_with_members(limits: Limits, latency_ms: u64) -> Guild {
    let members: Vec<Value> = (3000..3100)
        .map(|id: u64| json!({"id": id.to_string(), "name": "p", "voice_channel_id": "1011"}))
        .collect();
    let g = Guild::with(json!({"latency_ms": latency_ms, "guilds": [{
        "id": "1000", "name": "Cup",
        "categories": [{"id": "1010", "name": "Matches"}],
        "voice_channels": [{"id": "1011", "name": "Lobby"}],
        "members": members,
    }]}))
    .await;
    g.simulator.set_limits(limits);
    g
}

async fn moved(discord: &Client, user_id: u64) -> Result<Outcome, Error> {
    discord.move_member(guild(), user(user_id), Some(channel(LOBBY))).await
}

fn entries_of(simulator: &Simulator, method: &str) -> Vec<Entry> {
    let journal = simulator.journal();
    journal.into_iter().filter(|entry| entry.method == method).collect()
}

/// From the first arrival to the last.
fn span(entries: &[Entry]) -> u64 {
    entries.last().unwrap().at_ms - entries[0].at_ms
}

/// Who was moved, in the order of arrival.
fn users(entries: &[Entry]) -> Vec<u64> {
    let id = |entry: &Entry| entry.path.rsplit('/').next().unwrap().parse().unwrap();
    entries.iter().map(id).collect()
}

#[tokio::test]
async fn a_cold_wave_of_ten_goes_at_once() {
    let slow = Limits {
        member_edit: Rate {
            limit: 10,
            per_ms: 600_000,
        },
        ..Limits::default()
    };
    let g = guild_with_members(slow, 50).await;
    let started = Instant::now();
    let outcomes = join_all((3000..3010).map(|id| moved(&g.discord, id))).await;
    assert!(
        outcomes.iter().all(|outcome| *outcome == Ok(Outcome::Done)),
        "{outcomes:?}"
    );
    assert_eq!(g.statuses("PATCH"), [200; 10]);
    println!("10 moves, latency 50 ms, cold: {:?}; ideal 50 ms", started.elapsed());
    g.finish();
}

#[tokio::test]
async fn twenty_moves_take_one_refill_of_ten_and_no_429() {
    let g = guild_with_members(tenth(), 20).await;
    let started = Instant::now();
    for outcome in join_all((3000..3020).map(|id| moved(&g.discord, id))).await {
        assert_eq!(outcome, Ok(Outcome::Done));
    }
    let entries = entries_of(&g.simulator, "PATCH");
    println!(
        "20 moves, bucket 10 per 1 s, latency 20 ms: {:?}, arrivals within {} ms; ideal 1020 ms, 1000 ms",
        started.elapsed(),
        span(&entries)
    );
    assert_eq!(g.statuses("PATCH"), [200; 20]);
    g.finish();
}

#[tokio::test]
async fn five_matches_at_once_are_served_in_the_order_of_their_age_and_both_factions_alike() {
    let g = guild_with_members(tenth(), 0).await;
    // Nothing is left for a while.
    join_all((3000..3010).map(|id| moved(&g.discord, id))).await;
    g.simulator.clear_journal();

    let mut wished: Vec<(u64, Priority)> = Vec::new();
    for age in [3, 1, 4, 0, 2] {
        for faction in 0..2 {
            for nth in 0..5 {
                let priority = Priority {
                    since: Some(g.started - Duration::from_secs(60 * age)),
                    nth,
                    clearing_up: false,
                };
                wished.push((3010 + (4 - age) * 10 + faction * 5 + u64::from(nth), priority));
            }
        }
    }
    let started = Instant::now();
    let moves = wished.iter().map(|(id, priority)| {
        let discord = g.discord.with_priority(*priority);
        async move { moved(&discord, *id).await }
    });
    for outcome in join_all(moves).await {
        assert_eq!(outcome, Ok(Outcome::Done));
    }
    let entries = entries_of(&g.simulator, "PATCH");
    println!(
        "50 moves of 5 matches, empty bucket of 10 per 1 s: {:?}; ideal 5 s",
        started.elapsed()
    );
    assert_eq!(g.statuses("PATCH"), [200; 50]);
    // Age by age, and within each the factions in turn; on a busy machine two arrive at once, in any order.
    for (at, id) in users(&entries).into_iter().enumerate() {
        let (age, nth) = ((id - 3010) / 10, (id - 3010) % 5);
        let expected = (age * 10 + nth * 2) as usize;
        assert!(
            at.abs_diff(expected) <= 4,
            "{id} came as number {at}: {:?}",
            users(&entries)
        );
    }
    g.finish();
}

#[tokio::test]
async fn moves_of_running_matches_come_before_moves_home() {
    let g = guild_with_members(tenth(), 0).await;
    join_all((3000..3010).map(|id| moved(&g.discord, id))).await;
    g.simulator.clear_journal();
    let calls = (3020..3030).map(|id| {
        let clearing_up = id < 3025;
        let priority = Priority {
            clearing_up,
            ..Priority::default()
        };
        let discord = g.discord.with_priority(priority);
        async move { moved(&discord, id).await }
    });
    join_all(calls).await;
    let order = users(&entries_of(&g.simulator, "PATCH"));
    assert!(order[..3].iter().all(|id| *id >= 3025), "{order:?}");
    assert!(order[7..].iter().all(|id| *id < 3025), "{order:?}");
    g.finish();
}

#[tokio::test]
async fn who_gave_up_waiting_is_never_sent_and_costs_the_others_nothing() {
    let slow = Limits {
        member_edit: Rate {
            limit: 10,
            per_ms: 6_000,
        },
        ..Limits::default()
    };
    let g = guild_with_members(slow, 0).await;
    join_all((3000..3010).map(|id| moved(&g.discord, id))).await;
    g.simulator.clear_journal();
    let mut calls: Vec<_> = (3010..3020).map(|id| Box::pin(moved(&g.discord, id))).collect();
    for call in &mut calls {
        assert!(futures::poll!(call).is_pending());
    }
    // The first of them keeps the time for the others; it goes, too.
    let kept = calls.split_off(7);
    drop(calls);
    for outcome in join_all(kept).await {
        assert_eq!(outcome, Ok(Outcome::Done));
    }
    assert_eq!(users(&entries_of(&g.simulator, "PATCH")), [3017, 3018, 3019]);
    assert_eq!(g.statuses("PATCH"), [200; 3]);
    g.finish();
}

#[tokio::test]
async fn what_is_taken_back_while_it_waits_is_never_sent_and_what_is_under_way_comes_to_its_end() {
    let g = guild_with_members(tenth(), 100).await;
    let recall = CancellationToken::new();
    let discord = g.discord.with_recall(recall.clone());
    let mut calls: Vec<_> = (3000..3012).map(|id| Box::pin(moved(&discord, id))).collect();
    for call in &mut calls {
        assert!(futures::poll!(call).is_pending());
    }
    let (done, ()) = tokio::join!(join_all(calls), async {
        // Ten are under way by then, two wait for the next token.
        while entries_of(&g.simulator, "PATCH").is_empty() {
            tokio::task::yield_now().await;
        }
        recall.cancel();
    });
    let recalled = done.iter().filter(|outcome| **outcome == Err(Error::Recalled)).count();
    assert_eq!(recalled, 2, "{done:?}");
    assert_eq!(
        done.iter().filter(|outcome| **outcome == Ok(Outcome::Done)).count(),
        10,
        "{done:?}"
    );
    assert_eq!(
        moved(&discord, 3050).await,
        Err(Error::Recalled),
        "it would not even have had to wait"
    );
    assert_eq!(g.statuses("PATCH"), [200; 10]);
    g.finish();
}

#[tokio::test]
async fn a_request_nobody_waits_for_any_more_still_counts() {
    let g = guild_with_members(tenth(), 30).await;
    for id in 3000..3005 {
        let given_up = tokio::time::timeout(Duration::from_millis(15), moved(&g.discord, id)).await;
        assert!(given_up.is_err());
    }
    for outcome in join_all((3010..3030).map(|id| moved(&g.discord, id))).await {
        assert_eq!(outcome, Ok(Outcome::Done));
    }
    assert!(!g.statuses("PATCH").contains(&429), "{:?}", g.statuses("PATCH"));
    g.finish();
}

#[tokio::test]
async fn a_sub_limit_closes_its_route_for_as_long_as_it_says_and_no_other() {
    let g = Guild::new().await;
    let headers = [
        ("x-ratelimit-limit", "10"),
        ("x-ratelimit-remaining", "9"),
        ("x-ratelimit-reset-after", "1.000"),
        ("retry-after", "1"),
    ];
    let limited = Fault {
        status: Some(429),
        body: Some(json!({"message": "You are being rate limited.", "retry_after": 0.8, "global": false})),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..Fault::default()
    };
    g.fault("PATCH", limited);
    let (outcome, created) = tokio::join!(moved(&g.discord, 2001), g.create("a"));
    assert_eq!(outcome, Ok(Outcome::Done));
    assert!(matches!(created, Ok(Outcome::Created(_))), "{created:?}");
    let patches = entries_of(&g.simulator, "PATCH");
    assert_eq!(g.statuses("PATCH"), [429, 200]);
    assert!(span(&patches) >= 1_000, "{} ms", span(&patches));
    let create = &entries_of(&g.simulator, "POST")[0];
    assert!(create.at_ms < patches[1].at_ms, "the create waits for nobody");
    g.finish();
}

#[tokio::test]
async fn discord_overloaded_is_tried_once_more_and_then_left_to_the_caller() {
    let g = Guild::new().await;
    let overloaded = |times| Fault {
        status: Some(503),
        body: Some(
            json!({"code": 130_000, "message": "API resource is currently overloaded. Try again a little later"}),
        ),
        times,
        ..Fault::default()
    };
    g.fault("PATCH", overloaded(1));
    assert_eq!(moved(&g.discord, 2001).await, Ok(Outcome::Done));
    let entries = entries_of(&g.simulator, "PATCH");
    assert!(span(&entries) >= 249, "{} ms", span(&entries));
    g.fault("PATCH", overloaded(2));
    let Err(Error::Unavailable { why, ambiguous: false }) = moved(&g.discord, 2001).await else {
        panic!()
    };
    assert!(why.contains("overloaded"), "{why}");
    assert_eq!(g.statuses("PATCH"), [503, 200, 503, 503]);
    g.finish();
}

#[tokio::test]
async fn after_a_401_nothing_is_sent_any_more() {
    let g = Guild::new().await;
    let wrong = client_with(&g.simulator, "wr0ng", |_| {});
    assert!(!wrong.token_is_bad());
    assert_eq!(wrong.current_user().await, Err(Error::Unauthorized));
    assert!(wrong.token_is_bad());
    for _ in 0..5 {
        assert_eq!(moved(&wrong, 2001).await, Err(Error::Unauthorized));
        assert_eq!(
            wrong.delete_channel(&old(channel(LOBBY), "over")).await,
            Err(Error::Unauthorized)
        );
    }
    assert_eq!(g.simulator.journal().len(), 1);
    g.finish();
}

/// Two bots of the same guild: each token has a simulator of its own behind one address.
async fn front(simulators: &[(&'static str, &Simulator)]) -> String {
    let http = reqwest::Client::builder().build().unwrap();
    let targets: Vec<(String, String)> = simulators
        .iter()
        .map(|(token, simulator)| (format!("Bot {token}"), simulator.addresses().control.clone()))
        .collect();
    let forward = move |request: Request| {
        let (http, targets) = (http.clone(), targets.clone());
        async move {
            let (parts, body) = request.into_parts();
            let token = parts.headers["authorization"].to_str().unwrap().to_owned();
            let (_, target) = targets.iter().find(|(known, _)| *known == token).unwrap_or(&targets[0]);
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let answer = http
                .request(parts.method, format!("{target}{}", parts.uri))
                .headers(parts.headers)
                .body(body)
                .send()
                .await
                .unwrap();
            let mut response = Response::builder().status(answer.status());
            *response.headers_mut().unwrap() = answer.headers().clone();
            response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    spawn(async move { axum::serve(listener, Router::new().fallback(forward)).await.unwrap() });
    format!("http://{address}/api/v10")
}

async fn of_bot(token: &str, id: u64, limits: Limits, bits: u64) -> Guild {
    let members: Vec<Value> = (3000..3100)
        .map(|id: u64| json!({"id": id.to_string(), "name": "p", "voice_channel_id": "1011"}))
        .collect();
    let g = Guild::with(json!({
        "bot_token": token, "bot": {"id": id.to_string(), "name": "Mover"},
        "guilds": [{
            "id": "1000", "name": "Cup", "bot_permissions": bits.to_string(),
            "categories": [{"id": "1010", "name": "Matches"}],
            "voice_channels": [{"id": "1011", "name": "Lobby"}],
            "members": members,
        }],
    }))
    .await;
    g.simulator.set_limits(limits);
    g
}

fn movers(base: &str, main: &str, tokens: &[&str]) -> Client {
    let mut options = Options::new(base.parse().unwrap(), SecretString::from(main));
    options.movers = tokens.iter().map(|token| SecretString::from(*token)).collect();
    Client::new(options).unwrap()
}

const ALL: u64 = 53_478_928;

#[tokio::test]
async fn a_second_bot_halves_the_wait() {
    let main = of_bot("main", BOT, tenth(), ALL).await;
    let other = of_bot("other", BOT + 1, tenth(), ALL).await;
    let base = front(&[("main", &main.simulator), ("other", &other.simulator)]).await;
    let two = movers(&base, "main", &["other"]);
    let started = Instant::now();
    for outcome in join_all((3000..3040).map(|id| moved(&two, id))).await {
        assert_eq!(outcome, Ok(Outcome::Done));
    }
    let counts = [&main, &other].map(|g| g.statuses("PATCH"));
    println!(
        "40 moves by 2 bots, bucket 10 per 1 s each: {:?}; ideal 1 s (3 s by one)",
        started.elapsed()
    );
    assert!(!counts.concat().contains(&429));
    assert!(
        counts.iter().all(|count| (15..=25).contains(&count.len())),
        "{counts:?}"
    );
    // Everything else is done by the main bot, and both may enter what it makes.
    let Ok(Outcome::Created(id)) = two.create_voice_channel(&new_channel("a", &[user(3001)])).await else {
        panic!()
    };
    let made = overwrites(&main.channel(id).unwrap());
    assert_eq!(made[&(BOT + 1)], (1, HIDDEN | (1 << 24), 0));
    assert!(made.contains_key(&BOT) && made.contains_key(&3001));
    assert!(other.statuses("POST").is_empty());
    assert_eq!(
        other.statuses("GET"),
        [200, 200],
        "who am I, am I in this guild: asked once"
    );
    main.finish();
    other.finish();
}

#[tokio::test]
async fn a_bot_that_may_not_move_or_has_a_bad_token_is_left_out_and_its_moves_are_done_by_the_main_bot() {
    let main = of_bot("main", BOT, Limits::default(), ALL).await;
    let weak = of_bot("weak", BOT + 1, Limits::default(), HIDDEN).await;
    let away = of_bot("away", BOT + 2, Limits::default(), ALL).await;
    away.fault(
        "GET",
        Fault {
            path: "/guilds/1000".to_owned(),
            status: Some(404),
            body: Some(json!({"code": 10004, "message": "Unknown Guild"})),
            ..Fault::default()
        },
    );
    let base = front(&[
        ("main", &main.simulator),
        ("weak", &weak.simulator),
        ("away", &away.simulator),
    ])
    .await;
    let four = movers(&base, "main", &["wr0ng", "weak", "away"]);
    for id in 3000..3010 {
        assert_eq!(moved(&four, id).await, Ok(Outcome::Done));
    }
    assert_eq!(main.statuses("PATCH"), [200; 10]);
    assert_eq!(weak.statuses("PATCH"), [403], "once");
    assert!(away.statuses("PATCH").is_empty());
    assert_eq!(main.statuses("GET"), [401], "the bad token, once");
    assert!(!four.token_is_bad());
    let Ok(Outcome::Created(id)) = four.create_voice_channel(&new_channel("a", &[])).await else {
        panic!()
    };
    assert_eq!(
        overwrites(&main.channel(id).unwrap()).len(),
        2,
        "none for those left out"
    );
    [main, weak, away].into_iter().for_each(Guild::finish);
}
