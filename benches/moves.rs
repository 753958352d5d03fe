//! How long people wait until they sit in their match channel, beside the ideal schedule that Discord's latency and limits allow, and beside a bare
//! client that sends the same calls. The real process, release build, against the simulator with 100 ms latency and true buckets.
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures by the wall clock, and talks to the simulator without the adapters"
)]

use std::{fmt::Write as _, thread, time::Duration};

use muster::sandbox::postgres::PrivatePostgres;
use serde_json::{Value, json};

#[path = "support/moves/mod.rs"]
mod parts;
mod support;

use parts::{
    bare, ideal,
    play::{self, Game},
    stage::{GRACE, Stage, Wanted},
};
use support::{
    args::Args,
    database,
    stats::{Spread, median, round},
};

const MATCHES_AT_ONCE: usize = 5;
const GUILDS_AT_ONCE: usize = 40;
/// A bucket of ten moves is full again.
const REFILL: Duration = Duration::from_secs(11);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args: Args = support::args::get();
    let postgres = database::start()?;
    let pool = database::pool(&postgres, 1)?;
    let mut limited = 0;
    let report = json!({
        "bench": "moves",
        "cores": thread::available_parallelism()?.get(),
        "latency_ms": ideal::LATENCY.as_millis() as u64,
        "grace_seconds": GRACE.as_secs(),
        "postgres": {
            "version": database::setting(&pool, "server_version").await?,
            "fsync": database::setting(&pool, "fsync").await?,
            "synchronous_commit": database::setting(&pool, "synchronous_commit").await?,
        },
        "one_match": one_match(&args, &postgres, &mut limited).await?,
        "late_joiner": late_joiner(&args, &postgres, &mut limited).await?,
        "five_matches_in_one_guild": [
            five_matches(&args, &postgres, 1, &mut limited).await?,
            five_matches(&args, &postgres, 2, &mut limited).await?,
            five_matches(&args, &postgres, 4, &mut limited).await?,
        ],
        "forty_matches_in_forty_guilds": forty_guilds(&args, &postgres, &mut limited).await?,
        "answers_429": limited,
    });
    args.print(&report, &table(&report)?);
    Ok(())
}

/// One 5v5 at a time, each in a guild of its own, so that its bucket is full; and its end.
async fn one_match(args: &Args, postgres: &PrivatePostgres, limited: &mut usize) -> anyhow::Result<Value> {
    let runs = args.rounds as usize * 4;
    let wanted = Wanted {
        guilds: runs + 1,
        bots: 1,
        seated: 50,
    };
    let stage = Stage::start(postgres, &wanted).await?;
    let rss_idle = stage.rss_mb();
    let games: Vec<Game> = (0..=runs).map(|guild| Game::new(guild, 0)).collect();
    // The first one finds nothing remembered and no connection open.
    let first = play::begin(&stage, &games[..1], 10).await?;
    let idle = args.idle();
    let cpu = stage.cpu();
    let (mut up, mut calls_up) = (Vec::new(), Vec::new());
    for game in &games[1..] {
        let timed = play::begin(&stage, std::slice::from_ref(game), 10).await?;
        *limited += play::limited(&stage);
        up.push(timed.took);
        calls_up.push(timed.calls as f64);
    }
    let cpu_per_match = cpu
        .zip(stage.cpu())
        .map(|(before, after)| (after - before).as_secs_f64() * 1e3 / runs as f64);
    let mut bare = Vec::new();
    for guild in 1..=runs.min(5) {
        // With the players of other matches, whose bucket is full again by now or soon.
        tokio::time::sleep(REFILL).await;
        bare.push(bare::matches(&stage, guild, 1).await?);
    }
    tokio::time::sleep(REFILL).await;
    let (mut down, mut calls_down) = (Vec::new(), Vec::new());
    for game in &games[runs.min(5) + 1..] {
        let timed = play::end(&stage, std::slice::from_ref(game)).await?;
        *limited += play::limited(&stage);
        down.push(timed.took);
        calls_down.push(timed.calls as f64);
    }
    let (up, down, bare) = (Spread::of(up), Spread::of(down), Spread::of(bare));
    let ideal = ideal::moved(10, 1).as_secs_f64() * 1e3;
    args.say(&format!(
        "one 5v5: p50 {} ms, p95 {} ms, ideal {ideal} ms, bare client p50 {} ms; end to gone: p50 {} ms",
        up.ms(50.0),
        up.ms(95.0),
        bare.ms(50.0),
        down.ms(50.0)
    ));
    Ok(json!({
        "runs": up.count(),
        "ideal_ms": ideal,
        "cold_ms": first.took.as_millis() as u64,
        "p50_ms": up.ms(50.0),
        "p95_ms": up.ms(95.0),
        "worst_ms": up.ms(100.0),
        "p95_over_ideal_ms": round(up.ms(95.0) - ideal, 1),
        "bare_client_p50_ms": bare.ms(50.0),
        "bare_client_worst_ms": bare.ms(100.0),
        "discord_calls_up": median(&calls_up),
        "end_to_gone": {
            "runs": down.count(),
            "ideal_ms": ideal::gone().as_millis() as u64,
            "p50_ms": down.ms(50.0),
            "p95_ms": down.ms(95.0),
            "worst_ms": down.ms(100.0),
            "discord_calls": median(&calls_down),
        },
        "cpu_ms_per_match_up": cpu_per_match.map(|ms| round(ms, 1)),
        "rss_idle_mb": rss_idle.map(|mb| round(mb, 1)),
        "rss_after_mb": stage.rss_mb().map(|mb| round(mb, 1)),
        "machine_idle_percent": idle,
    }))
}

/// Matches that stand with half of their players; the others connect one after the other.
async fn late_joiner(args: &Args, postgres: &PrivatePostgres, limited: &mut usize) -> anyhow::Result<Value> {
    let guilds = args.rounds as usize;
    let wanted = Wanted {
        guilds,
        bots: 1,
        seated: 5,
    };
    let stage = Stage::start(postgres, &wanted).await?;
    let games: Vec<Game> = (0..guilds).map(|guild| Game::new(guild, 0)).collect();
    for game in &games {
        play::begin(&stage, std::slice::from_ref(game), 5).await?;
    }
    let idle = args.idle();
    let (mut took, mut missed) = (Vec::new(), 0);
    for player in 5..9 {
        for game in &games {
            match play::join(&stage, game, player).await? {
                Some(moved) => took.push(moved),
                None => missed += 1,
            }
            *limited += play::limited(&stage);
        }
    }
    let took = Spread::of(took);
    args.say(&format!(
        "late joiner: p50 {} ms, p95 {} ms, {missed} not moved",
        took.ms(50.0),
        took.ms(95.0)
    ));
    Ok(json!({
        "runs": took.count() + missed,
        "not_moved": missed,
        "ideal_ms": ideal::joined().as_millis() as u64,
        "p50_ms": took.ms(50.0),
        "p95_ms": took.ms(95.0),
        "worst_ms": took.ms(100.0),
        "machine_idle_percent": idle,
    }))
}

/// Five 5v5s at once in one guild, by so many bots; and the same by the bare client in another guild, right after it.
async fn five_matches(
    args: &Args,
    postgres: &PrivatePostgres,
    bots: usize,
    limited: &mut usize,
) -> anyhow::Result<Value> {
    let wanted = Wanted {
        guilds: 3,
        bots,
        seated: 50,
    };
    let stage = Stage::start(postgres, &wanted).await?;
    // A service that has run for a while: the bots are known, and the connections are open.
    play::begin(&stage, &[Game::new(0, 0)], 10).await?;
    let idle = args.idle();
    let games: Vec<Game> = (0..MATCHES_AT_ONCE).map(|n| Game::new(1, 10 * n)).collect();
    let timed = play::begin(&stage, &games, 10).await?;
    *limited += play::limited(&stage);
    let bare = bare::matches(&stage, 2, MATCHES_AT_ONCE).await?;
    let ideal = ideal::moved(10 * MATCHES_AT_ONCE as u32, bots as u32);
    let over = |took: Duration| round((took.as_secs_f64() / ideal.as_secs_f64() - 1.0) * 100.0, 1);
    args.say(&format!(
        "5 matches at once, {bots} token(s): {:.2} s, ideal {:.2} s, bare client {:.2} s",
        timed.took.as_secs_f64(),
        ideal.as_secs_f64(),
        bare.as_secs_f64()
    ));
    Ok(json!({
        "tokens": bots,
        "ideal_seconds": round(ideal.as_secs_f64(), 2),
        "seconds": round(timed.took.as_secs_f64(), 2),
        "over_ideal_percent": over(timed.took),
        "bare_client_seconds": round(bare.as_secs_f64(), 2),
        "bare_client_over_ideal_percent": over(bare),
        "discord_calls_per_match": timed.calls as f64 / MATCHES_AT_ONCE as f64,
        "machine_idle_percent": idle,
    }))
}

/// One 5v5 in each of forty guilds, all at once: nothing but the 50 a second holds them up.
async fn forty_guilds(args: &Args, postgres: &PrivatePostgres, limited: &mut usize) -> anyhow::Result<Value> {
    let wanted = Wanted {
        guilds: GUILDS_AT_ONCE + 1,
        bots: 1,
        seated: 10,
    };
    let stage = Stage::start(postgres, &wanted).await?;
    play::begin(&stage, &[Game::new(GUILDS_AT_ONCE, 0)], 10).await?;
    let idle = args.idle();
    let games: Vec<Game> = (0..GUILDS_AT_ONCE).map(|guild| Game::new(guild, 0)).collect();
    let cpu = stage.cpu();
    let timed = play::begin(&stage, &games, 10).await?;
    let cpu = cpu
        .zip(stage.cpu())
        .map(|(before, after)| (after - before).as_secs_f64() * 1e3);
    *limited += play::limited(&stage);
    let ideal = ideal::spread(timed.calls as u32);
    let each = Spread::of(timed.by_guild);
    args.say(&format!(
        "40 matches in 40 guilds: {:.2} s, ideal {:.2} s, one match p50 {} ms",
        timed.took.as_secs_f64(),
        ideal.as_secs_f64(),
        each.ms(50.0)
    ));
    Ok(json!({
        "matches": GUILDS_AT_ONCE,
        "ideal_seconds": round(ideal.as_secs_f64(), 2),
        "seconds": round(timed.took.as_secs_f64(), 2),
        "over_ideal_percent": round((timed.took.as_secs_f64() / ideal.as_secs_f64() - 1.0) * 100.0, 1),
        "one_match_p50_ms": each.ms(50.0),
        "one_match_p95_ms": each.ms(95.0),
        "discord_calls_per_match": timed.calls as f64 / GUILDS_AT_ONCE as f64,
        "cpu_ms_per_match": cpu.map(|ms| round(ms / GUILDS_AT_ONCE as f64, 1)),
        "rss_mb": stage.rss_mb().map(|mb| round(mb, 1)),
        "machine_idle_percent": idle,
    }))
}

fn table(report: &Value) -> anyhow::Result<String> {
    let mut text = String::new();
    let one = &report["one_match"];
    writeln!(
        text,
        "\none 5v5, event to all moved ({} runs): p50 {} ms, p95 {} ms, worst {} ms; ideal {} ms, bare client {} ms; the very first {} ms",
        one["runs"],
        one["p50_ms"],
        one["p95_ms"],
        one["worst_ms"],
        one["ideal_ms"],
        one["bare_client_p50_ms"],
        one["cold_ms"]
    )?;
    let gone = &one["end_to_gone"];
    writeln!(
        text,
        "match end to channels gone, after the grace ({} runs): p50 {} ms, p95 {} ms; ideal {} ms",
        gone["runs"], gone["p50_ms"], gone["p95_ms"], gone["ideal_ms"]
    )?;
    let late = &report["late_joiner"];
    writeln!(
        text,
        "late joiner, voice event to moved ({} runs, {} not moved): p50 {} ms, p95 {} ms; ideal {} ms",
        late["runs"], late["not_moved"], late["p50_ms"], late["p95_ms"], late["ideal_ms"]
    )?;
    for row in report["five_matches_in_one_guild"].as_array().into_iter().flatten() {
        writeln!(
            text,
            "5 matches at once in one guild, {} token(s): {} s; ideal {} s ({} % over), bare client {} s",
            row["tokens"], row["seconds"], row["ideal_seconds"], row["over_ideal_percent"], row["bare_client_seconds"]
        )?;
    }
    let forty = &report["forty_matches_in_forty_guilds"];
    writeln!(
        text,
        "40 matches in 40 guilds: {} s; ideal {} s ({} % over); one match p50 {} ms, p95 {} ms",
        forty["seconds"],
        forty["ideal_seconds"],
        forty["over_ideal_percent"],
        forty["one_match_p50_ms"],
        forty["one_match_p95_ms"]
    )?;
    writeln!(
        text,
        "calls to Discord per 5v5: {} up, {} down; answers 429: {}",
        one["discord_calls_up"], gone["discord_calls"], report["answers_429"]
    )?;
    write!(
        text,
        "cost of a match: {} ms of CPU; memory {} MB idle, {} MB after {} matches",
        one["cpu_ms_per_match_up"], one["rss_idle_mb"], one["rss_after_mb"], one["runs"]
    )?;
    Ok(text)
}
