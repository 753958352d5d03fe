//! How many deliveries a second `muster serve` stores durably, beside a bare one-row insert over as many connections, and how long one waits for its
//! answer at 200 a second. The real process, release build, on a private PostgreSQL that waits for the disk.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures by the wall clock")]

use std::{fmt::Write as _, thread, time::Duration};

use muster::{sandbox::postgres::PrivatePostgres, store::Pool};
use serde_json::{Value, json};
use sqlx::Row;

#[path = "support/ingest/mod.rs"]
mod ingest;
mod support;

use ingest::{bare, deliveries::Template, load, outage, service::Service};
use support::{
    args::Args,
    database,
    stats::{Spread, median, round},
};

const CONNECTIONS: [usize; 3] = [1, 16, 64];
const ARRIVALS: u64 = 200;
/// More than are ever busy at that rate unless an answer takes 160 ms.
const OPEN_CONNECTIONS: usize = 32;
/// The service's own start-up is over, the pool's idle connections are there.
const IDLE: Duration = Duration::from_secs(3);

/// What was accepted in all, to be compared with what is in the table.
#[derive(Default)]
struct Sums {
    accepted: u64,
    refused: u64,
}

impl Sums {
    fn add(&mut self, load: &load::Load) {
        self.accepted += load.accepted.len() as u64;
        self.refused += load.refused;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args: Args = support::args::get();
    let postgres = database::start()?;
    let pool = database::pool(&postgres, 2)?;
    let service = Service::start(postgres.url())?;
    thread::sleep(IDLE);
    let rss_idle = service.rss_mb();
    bare::prepare(&pool).await?;

    let length = Duration::from_secs(args.seconds);
    let mut sums = Sums::default();
    args.say("warming up");
    sums.add(&load::closed(service.address, 16, length.min(Duration::from_secs(2)))?);

    let waiting = waiting(&args, &service, &mut sums)?;
    let mut saturation = Vec::new();
    for connections in CONNECTIONS {
        saturation.push(saturated(&args, &pool, &service, connections, &mut sums).await?);
    }

    let outage = outage(&args, &postgres, &service, &mut sums)?;

    let rows: i64 = sqlx::query("select count(*) as rows from deliveries")
        .fetch_one(&pool)
        .await?
        .try_get("rows")?;
    let report = json!({
        "bench": "ingest",
        "rounds": args.rounds,
        "seconds_per_round": args.seconds,
        "body_bytes": Template::new(|_| String::new())?.next().len(),
        "cores": thread::available_parallelism()?.get(),
        "postgres": {
            "version": database::setting(&pool, "server_version").await?,
            "fsync": database::setting(&pool, "fsync").await?,
            "synchronous_commit": database::setting(&pool, "synchronous_commit").await?,
        },
        "at_200_per_second": waiting,
        "saturation": saturation,
        "postgres_stopped": outage,
        "accepted": sums.accepted,
        "refused": sums.refused,
        "rows": rows,
        "lost": (sums.accepted as i64 - rows).max(0),
        "stored_though_refused": (rows - sums.accepted as i64).max(0),
        "rss_idle_mb": rss_idle.map(|mb| round(mb, 1)),
        "rss_after_load_mb": service.rss_mb().map(|mb| round(mb, 1)),
    });
    args.print(&report, &table(&report)?);
    Ok(())
}

/// Rounds of bare inserts and of deliveries in turns, so that both meet the same machine.
async fn saturated(
    args: &Args,
    pool: &Pool,
    service: &Service,
    connections: usize,
    sums: &mut Sums,
) -> anyhow::Result<Value> {
    let length = Duration::from_secs(args.seconds);
    let mut inserters = bare::connect(pool, connections).await?;
    let (mut acks, mut inserts, mut ratios, mut took) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut cpu = Vec::new();
    let mut idle = Vec::new();
    for round in 1..=args.rounds {
        idle.push(args.idle());
        let bare = bare::per_second(&mut inserters, length).await?;
        let before = service.cpu();
        let load = load::closed(service.address, connections, length)?;
        if let (Some(before), Some(after)) = (before, service.cpu()) {
            cpu.push((after - before).as_secs_f64() * 1e6 / load.accepted.len() as f64);
        }
        sums.add(&load);
        let ours = load.per_second();
        args.say(&format!(
            "{connections:>2} connections, round {round}: {bare:>6.0} bare inserts/s, {ours:>6.0} acks/s"
        ));
        ratios.push(ours / bare);
        acks.push(ours);
        inserts.push(bare);
        took.extend(load.accepted);
    }
    let took = Spread::of(took);
    Ok(json!({
        "connections": connections,
        "acks_per_second": median(&acks).round(),
        "bare_inserts_per_second": median(&inserts).round(),
        "ratio_to_bare_insert": round(median(&acks) / median(&inserts), 3),
        "ratio_by_round": ratios.iter().map(|ratio| round(*ratio, 3)).collect::<Vec<_>>(),
        "machine_idle_percent_by_round": idle,
        "p50_ms": took.ms(50.0),
        "p99_ms": took.ms(99.0),
        "server_cpu_us_per_ack": (!cpu.is_empty()).then(|| median(&cpu).round()),
    }))
}

/// Constant arrivals; a late answer counts from when the delivery should have been sent.
fn waiting(args: &Args, service: &Service, sums: &mut Sums) -> anyhow::Result<Value> {
    let length = Duration::from_secs(args.seconds * 4);
    let (mut rounds, mut idle) = (Vec::new(), Vec::new());
    for round in 1..=args.rounds.min(3) {
        idle.push(args.idle());
        let load = load::open(service.address, OPEN_CONNECTIONS, ARRIVALS, length)?;
        sums.add(&load);
        let took = Spread::of(load.accepted);
        args.say(&format!(
            "{ARRIVALS} arrivals/s, round {round}: p50 {} ms, p99 {} ms, worst {} ms",
            took.ms(50.0),
            took.ms(99.0),
            took.ms(100.0)
        ));
        rounds.push(took);
    }
    let middle = |percent| median(&rounds.iter().map(|took| took.ms(percent)).collect::<Vec<_>>());
    Ok(json!({
        "rounds": rounds.len(),
        "seconds_per_round": length.as_secs(),
        "answered": rounds.iter().map(Spread::count).sum::<usize>(),
        "p50_ms": middle(50.0),
        "p99_ms": middle(99.0),
        "worst_ms": middle(100.0),
        "machine_idle_percent_by_round": idle,
        "p99_ms_by_round": rounds.iter().map(|took| took.ms(99.0)).collect::<Vec<_>>(),
    }))
}

/// PostgreSQL goes away and comes back while deliveries arrive.
fn outage(args: &Args, postgres: &PrivatePostgres, service: &Service, sums: &mut Sums) -> anyhow::Result<Value> {
    let (mut back, mut not_back, mut refused) = (Vec::new(), 0, 0);
    for round in 1..=args.rounds {
        let outage = outage::measure(postgres, service.address, OPEN_CONNECTIONS, ARRIVALS)?;
        sums.add(&outage.load);
        refused += outage.load.refused;
        match outage.back_after {
            Some(after) => back.push(after),
            None => not_back += 1,
        }
        args.say(&format!(
            "PostgreSQL stopped, round {round}: {} refused, full rate again after {:?}",
            outage.load.refused, outage.back_after
        ));
    }
    let back = Spread::of(back);
    Ok(json!({
        "rounds": args.rounds,
        "per_second": ARRIVALS,
        "stopped_seconds": outage::STOPPED.as_secs(),
        "refused": refused,
        "full_rate_again_p50_ms": back.ms(50.0),
        "full_rate_again_worst_ms": back.ms(100.0),
        "never_within_11_s": not_back,
    }))
}

fn table(report: &Value) -> anyhow::Result<String> {
    let mut text = String::from("\nconnections   acks/s   bare inserts/s   ratio   p50 ms   p99 ms\n");
    for row in report["saturation"].as_array().into_iter().flatten() {
        let number = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
        writeln!(
            text,
            "{:>11} {:>8} {:>16} {:>7.2} {:>8.2} {:>8.2}",
            number("connections"),
            number("acks_per_second"),
            number("bare_inserts_per_second"),
            number("ratio_to_bare_insert"),
            number("p50_ms"),
            number("p99_ms"),
        )?;
    }
    let waiting = &report["at_200_per_second"];
    writeln!(
        text,
        "\nat 200/s: p50 {} ms, p99 {} ms, worst {} ms",
        waiting["p50_ms"], waiting["p99_ms"], waiting["worst_ms"]
    )?;
    let stopped = &report["postgres_stopped"];
    writeln!(
        text,
        "PostgreSQL stopped for {} s: 98 % of the rate again p50 {} ms, worst {} ms after it is back",
        stopped["stopped_seconds"], stopped["full_rate_again_p50_ms"], stopped["full_rate_again_worst_ms"]
    )?;
    writeln!(
        text,
        "accepted {}, in the table {}, lost {}, refused {}",
        report["accepted"], report["rows"], report["lost"], report["refused"]
    )?;
    write!(
        text,
        "memory of the service: {} MB idle, {} MB after the load",
        report["rss_idle_mb"], report["rss_after_load_mb"]
    )?;
    Ok(text)
}
