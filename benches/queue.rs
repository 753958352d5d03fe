//! How soon a booked job runs, how fast a backlog goes down, and how long the keys of a killed worker stay without one. The queue runs in this
//! process, release build, on a private PostgreSQL that waits for the disk.
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures by the wall clock, and starts tasks of its own"
)]

use std::{fmt::Write as _, thread, time::Duration};

use muster::store::{self, Pool};
use serde_json::{Value, json};

#[path = "support/queue/mod.rs"]
mod parts;
mod support;

use parts::{drain, latency, lost_notice, takeover};
use support::{
    args::Args,
    database,
    stats::{Spread, median, round},
};

const CONNECTIONS: u32 = 16;
const BACKLOG: u64 = 20_000;
const BACKLOG_KEYS: u64 = 2_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args: Args = support::args::get();
    if let Some(url) = &args.hold {
        return takeover::hold(url).await;
    }
    let postgres = database::start()?;
    let pool = database::pool(&postgres, CONNECTIONS)?;
    store::migrate(&pool).await?;

    args.say("warming up");
    latency::measure(&pool, Duration::from_secs(1)).await?;
    let report = json!({
        "bench": "queue",
        "rounds": args.rounds,
        "seconds_per_round": args.seconds,
        "cores": thread::available_parallelism()?.get(),
        "workers": muster::queue::Options::default().workers,
        "postgres": {
            "version": database::setting(&pool, "server_version").await?,
            "fsync": database::setting(&pool, "fsync").await?,
            "synchronous_commit": database::setting(&pool, "synchronous_commit").await?,
        },
        "commit_to_start": commit_to_start(&args, &pool).await?,
        "notification_lost": notification_lost(&args, &pool).await?,
        "drain": drained(&args, &pool, BACKLOG_KEYS).await?,
        "drain_without_coalescing": drained(&args, &pool, BACKLOG).await?,
        "takeover_after_kill_9": taken_over(&args, &pool, postgres.url()).await?,
    });
    args.print(&report, &table(&report)?);
    Ok(())
}

async fn commit_to_start(args: &Args, pool: &Pool) -> anyhow::Result<Value> {
    let (mut all, mut booked, mut runs) = (Vec::new(), 0, 0);
    let mut idle = Vec::new();
    for number in 1..=args.rounds {
        idle.push(args.idle());
        let waited = latency::measure(pool, Duration::from_secs(args.seconds * 2)).await?;
        args.say(&format!(
            "commit to start, round {number}: p50 {} ms, p99 {} ms, worst {} ms",
            waited.spread.ms(50.0),
            waited.spread.ms(99.0),
            waited.spread.ms(100.0)
        ));
        booked += waited.booked;
        runs += waited.runs;
        all.push(waited.spread);
    }
    let middle = |percent| median(&all.iter().map(|waited| waited.ms(percent)).collect::<Vec<_>>());
    Ok(json!({
        "per_second": latency::PER_SECOND,
        "keys": latency::KEYS,
        "booked": booked,
        "runs": runs,
        "measured": all.iter().map(Spread::count).sum::<usize>(),
        "p50_ms": middle(50.0),
        "p99_ms": middle(99.0),
        "worst_ms": middle(100.0),
        "machine_idle_percent_by_round": idle,
        "p99_ms_by_round": all.iter().map(|waited| waited.ms(99.0)).collect::<Vec<_>>(),
    }))
}

async fn notification_lost(args: &Args, pool: &Pool) -> anyhow::Result<Value> {
    let waited = Spread::of(lost_notice::measure(pool, args.rounds * 3).await?);
    args.say(&format!(
        "nobody told: p50 {} ms, worst {} ms",
        waited.ms(50.0),
        waited.ms(100.0)
    ));
    Ok(json!({ "times": waited.count(), "p50_ms": waited.ms(50.0), "worst_ms": waited.ms(100.0) }))
}

async fn drained(args: &Args, pool: &Pool, keys: u64) -> anyhow::Result<Value> {
    let (mut took, mut idle) = (Vec::new(), Vec::new());
    for number in 1..=args.rounds {
        idle.push(args.idle());
        let seconds = drain::measure(pool, BACKLOG, keys).await?.as_secs_f64();
        args.say(&format!(
            "drain of {BACKLOG} over {keys} keys, round {number}: {seconds:.2} s"
        ));
        took.push(seconds);
    }
    let seconds = median(&took);
    Ok(json!({
        "bookings": BACKLOG,
        "keys": keys,
        "seconds": round(seconds, 3),
        "bookings_per_second": (BACKLOG as f64 / seconds).round(),
        "machine_idle_percent_by_round": idle,
        "runs_per_second": (keys as f64 / seconds).round(),
    }))
}

async fn taken_over(args: &Args, pool: &Pool, url: &str) -> anyhow::Result<Value> {
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for number in 1..=args.rounds {
        let took = takeover::measure(pool, url).await?;
        args.say(&format!(
            "taken over, round {number}: first key after {:?}, last after {:?}",
            took.first, took.last
        ));
        first.push(took.first.as_secs_f64());
        last.push(took.last.as_secs_f64());
    }
    Ok(json!({
        "times": last.len(),
        "first_key_seconds": round(median(&first), 3),
        "last_key_seconds": round(median(&last), 3),
        "worst_seconds": round(last.iter().copied().fold(0.0, f64::max), 3),
    }))
}

fn table(report: &Value) -> anyhow::Result<String> {
    let mut text = String::new();
    let start = &report["commit_to_start"];
    writeln!(
        text,
        "\ncommit to start at {}/s over {} keys: p50 {} ms, p99 {} ms, worst {} ms",
        start["per_second"], start["keys"], start["p50_ms"], start["p99_ms"], start["worst_ms"]
    )?;
    let untold = &report["notification_lost"];
    writeln!(
        text,
        "notification lost: p50 {} ms, worst {} ms",
        untold["p50_ms"], untold["worst_ms"]
    )?;
    for drain in [&report["drain"], &report["drain_without_coalescing"]] {
        writeln!(
            text,
            "drain of {} bookings over {} keys: {} s ({} bookings/s, {} runs/s)",
            drain["bookings"], drain["keys"], drain["seconds"], drain["bookings_per_second"], drain["runs_per_second"]
        )?;
    }
    let takeover = &report["takeover_after_kill_9"];
    write!(
        text,
        "taken over after kill -9: first key {} s, last key {} s, worst {} s of {}",
        takeover["first_key_seconds"], takeover["last_key_seconds"], takeover["worst_seconds"], takeover["times"]
    )?;
    Ok(text)
}
