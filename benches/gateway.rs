//! How fast `muster serve` takes in what Discord's gateway tells it over one shard, and how much memory it takes to know 100,000 people in voice and
//! 1,000 running matches. The real process, release build, on a private PostgreSQL that waits for the disk; the gateway is a bare one in this process.
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures by the wall clock, and starts tasks of its own"
)]

use std::{fmt::Write as _, thread, time::Duration};

use muster::store::Pool;
use serde_json::{Value, json};
use sqlx::Row;

#[path = "support/gateway/mod.rs"]
mod parts;
mod support;

use parts::{
    guilds::{self, GUILDS, MATCHES, PLAYERS, SEATED},
    matches,
    service::Service,
    stub::{Session, Stub},
};
use support::{
    args::Args,
    database,
    stats::{Spread, median, round},
};

/// Changes of seats in one round.
const EVENTS: u64 = 100_000;
/// Changes of seats a second of a busy evening, for what storing the session costs.
const BUSY: u64 = 100;
/// The service's own start-up is over.
const IDLE: Duration = Duration::from_secs(3);
/// For all matches to be looked at once.
const LOOKED_AT_WITHIN: Duration = Duration::from_secs(300);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args: Args = support::args::get();
    let postgres = database::start()?;
    let pool = database::pool(&postgres, 2)?;
    let mut stub = Stub::start().await?;
    let service = Service::start(postgres.url(), stub.address, guilds::guild_id(0))?;
    let mut session = stub.session().await?;
    session.ready(stub.address).await?;
    tokio::time::sleep(IDLE).await;
    let rss_idle = service.rss_mb();

    let guild_create = told(&args, &service, &mut session).await?;
    let rss_seated = service.rss_mb();
    args.say("writing matches");
    matches::prepare(&pool).await?;
    // As autovacuum has done long before there are so many.
    sqlx::query("analyze").execute(&pool).await?;
    let events = poured(&args, &service, &mut session).await?;
    let stored = stored(&args, &pool, &mut session).await?;
    let players = players(&args, &pool, &service, &mut session).await?;
    let mb = |mb: Option<f64>| mb.map(|mb| round(mb, 1));
    let report = json!({
        "bench": "gateway",
        "rounds": args.rounds,
        "cores": thread::available_parallelism()?.get(),
        "postgres": {
            "version": database::setting(&pool, "server_version").await?,
            "fsync": database::setting(&pool, "fsync").await?,
            "synchronous_commit": database::setting(&pool, "synchronous_commit").await?,
        },
        "guild_create": guild_create,
        "voice_state_update": events,
        "busy_evening": stored,
        "players_on_the_move": players,
        "people_in_voice": GUILDS * SEATED,
        "running_matches": GUILDS * MATCHES,
        "rss_idle_mb": mb(rss_idle),
        "rss_people_mb": mb(rss_seated),
        "rss_people_and_matches_mb": mb(service.rss_mb()),
    });
    args.print(&report, &table(&report)?);
    Ok(())
}

/// All guilds, one after the other.
async fn told(args: &Args, service: &Service, session: &mut Session) -> anyhow::Result<Value> {
    let (mut took, mut bytes, mut idle) = (Vec::new(), 0, Vec::new());
    for guild in 0..GUILDS {
        let data = guilds::guild_create(guild).to_string();
        bytes = data.len();
        let frame = session.event("GUILD_CREATE", &data);
        drop(data);
        idle.push(args.idle());
        let within = session.send(vec![frame]).await?;
        args.say(&format!(
            "a guild with {SEATED} in voice, {} MB: taken in after {} ms",
            bytes / 1_000_000,
            within.as_millis()
        ));
        took.push(within);
    }
    service.booked(session.sequence()).await?;
    let took = Spread::of(took);
    Ok(json!({
        "seated": SEATED,
        "bytes": bytes,
        "guilds": took.count(),
        "taken_in_ms": took.ms(50.0),
        "worst_ms": took.ms(100.0),
        "machine_idle_percent_by_guild": idle,
    }))
}

/// Somebody who plays in no match.
fn bystander() -> u64 {
    let guild = rand::random_range(0..GUILDS);
    guild * SEATED + rand::random_range(MATCHES * PLAYERS..SEATED)
}

fn change(session: &mut Session, who: u64) -> axum::extract::ws::Message {
    let room = guilds::room_id(who / SEATED, rand::random());
    session.event("VOICE_STATE_UPDATE", &guilds::voice_state_update(who, room).to_string())
}

/// As many changes of seats as go through.
async fn poured(args: &Args, service: &Service, session: &mut Session) -> anyhow::Result<Value> {
    let (mut rates, mut cpu, mut lag, mut idle) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for number in 1..=args.rounds {
        let frames: Vec<_> = (0..EVENTS).map(|_| change(session, bystander())).collect();
        idle.push(args.idle());
        let before = service.cpu();
        let took = session.send(frames).await?;
        let behind = service.booked(session.sequence()).await?;
        if let (Some(before), Some(after)) = (before, service.cpu()) {
            cpu.push((after - before).as_secs_f64() * 1e6 / EVENTS as f64);
        }
        let rate = EVENTS as f64 / took.as_secs_f64();
        args.say(&format!(
            "{EVENTS} changes of seats, round {number}: {rate:.0}/s, all stored {} ms later",
            behind.as_millis()
        ));
        rates.push(rate);
        lag.push(behind.as_secs_f64() * 1e3);
    }
    Ok(json!({
        "events": EVENTS,
        "events_per_second": median(&rates).round(),
        "events_per_second_by_round": rates.iter().map(|rate| rate.round()).collect::<Vec<_>>(),
        "booked_after_ms": median(&lag).round(),
        "server_cpu_us_per_event": (!cpu.is_empty()).then(|| round(median(&cpu), 1)),
        "machine_idle_percent_by_round": idle,
    }))
}

/// What is written to the database's log while people change seats as on a busy evening.
async fn stored(args: &Args, pool: &Pool, session: &mut Session) -> anyhow::Result<Value> {
    args.say(&format!("{BUSY} changes of seats a second"));
    let seconds = args.seconds.max(9);
    let before = written(pool).await?;
    for _ in 0..seconds * BUSY {
        let frame = change(session, bystander());
        session.send(vec![frame]).await?;
        tokio::time::sleep(Duration::from_secs(1) / BUSY as u32).await;
    }
    let kb = (written(pool).await? - before) as f64 / 1e3;
    Ok(json!({ "events_per_second": BUSY, "seconds": seconds, "wal_kb_per_second": (kb / seconds as f64).round() }))
}

/// Bytes of the database's log so far.
async fn written(pool: &Pool) -> anyhow::Result<i64> {
    let row = sqlx::query("select (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint as bytes")
        .fetch_one(pool)
        .await?;
    Ok(row.try_get("bytes")?)
}

/// One player of each match goes elsewhere: all matches have to be looked at.
async fn players(args: &Args, pool: &Pool, service: &Service, session: &mut Session) -> anyhow::Result<Value> {
    let frames: Vec<_> = (0..GUILDS * MATCHES)
        .map(|number| change(session, guilds::player(number, 0)))
        .collect();
    let events = frames.len();
    args.idle();
    let took = session.send(frames).await? + service.booked(session.sequence()).await?;
    args.say(&format!(
        "a player of each of {events} matches: booked after {} ms",
        took.as_millis()
    ));
    let started = std::time::Instant::now();
    loop {
        let row = sqlx::query("select count(*) as left from jobs where done < wanted")
            .fetch_one(pool)
            .await?;
        if row.try_get::<i64, _>("left")? == 0 {
            break;
        }
        anyhow::ensure!(
            started.elapsed() < LOOKED_AT_WITHIN,
            "the matches are still not looked at"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    args.say(&format!(
        "all were looked at after {:.1} s",
        started.elapsed().as_secs_f64()
    ));
    Ok(json!({
        "events": events,
        "booked_ms": took.as_millis() as u64,
        "looked_at_after_seconds": round(started.elapsed().as_secs_f64(), 1),
    }))
}

fn table(report: &Value) -> anyhow::Result<String> {
    let mut text = String::new();
    let guild = &report["guild_create"];
    writeln!(
        text,
        "\na guild with {} in voice ({} bytes): taken in after {} ms",
        guild["seated"], guild["bytes"], guild["taken_in_ms"]
    )?;
    let events = &report["voice_state_update"];
    writeln!(
        text,
        "changes of seats through one shard: {} a second, {} µs of CPU each, all stored {} ms after the last",
        events["events_per_second"], events["server_cpu_us_per_event"], events["booked_after_ms"]
    )?;
    let busy = &report["busy_evening"];
    writeln!(
        text,
        "at {} a second: {} KB a second are written to the database's log",
        busy["events_per_second"], busy["wal_kb_per_second"]
    )?;
    let players = &report["players_on_the_move"];
    writeln!(
        text,
        "a player of each of {} matches moves: all booked after {} ms, all looked at after {} s",
        players["events"], players["booked_ms"], players["looked_at_after_seconds"]
    )?;
    write!(
        text,
        "memory: {} MB idle, {} MB with {} people in voice, {} MB with {} running matches as well",
        report["rss_idle_mb"],
        report["rss_people_mb"],
        report["people_in_voice"],
        report["rss_people_and_matches_mb"],
        report["running_matches"]
    )?;
    Ok(text)
}
