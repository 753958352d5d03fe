//! How fast `muster serve` answers those who look after their servers, with 100,000 matches and 1,000,000 rows of audit log, beside its health page; and how
//! soon 1,000 people who watch hear of a change. The real process on a private PostgreSQL that waits for the disk; Discord is simulated in this one.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures by the wall clock")]

use std::{fmt::Write as _, thread, time::Duration};

use clap::Parser;
use muster::store;
use serde_json::{Value, json};

#[path = "support/api/mod.rs"]
mod parts;
mod support;

use parts::{
    fill,
    load::{self, Load},
    service::{GUILD, Service},
    watch::Watchers,
};
use support::{
    args::Args,
    database,
    stats::{Spread, median},
};

const CONNECTIONS: usize = 16;
/// Changes of one round that are watched, one after the other.
const CHANGES: u64 = 50;

#[derive(Parser)]
struct ApiArgs {
    #[command(flatten)]
    common: Args,
    /// Matches in the database
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1000..))]
    matches: u64,
    /// Rows of the audit log
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1000..))]
    audit: u64,
    /// People who watch
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1000))]
    watchers: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let api: ApiArgs = support::args::get();
    let args = &api.common;
    let postgres = database::start()?;
    let pool = database::pool(&postgres, 2)?;
    store::migrate(&pool).await?;
    args.say("filling the database");
    fill::fill(&pool, api.matches, api.audit).await?;
    let service = Service::start(postgres.url()).await?;

    let calls = [
        ("health", "/healthz".to_owned()),
        ("me", "/api/auth/me".to_owned()),
        ("matches", format!("/api/guilds/{GUILD}/matches")),
        ("audit", format!("/api/guilds/{GUILD}/audit")),
        (
            "audit_by_action",
            format!("/api/guilds/{GUILD}/audit?action=guild.changed"),
        ),
    ];
    args.say("warming up");
    for (_, path) in &calls {
        load::get(
            service.address,
            path,
            &service.token,
            CONNECTIONS,
            Duration::from_millis(500),
        )?;
    }
    let mut rounds: Vec<Vec<Load>> = calls.iter().map(|_| Vec::new()).collect();
    let mut idle = Vec::new();
    let length = Duration::from_secs(args.seconds);
    for round in 1..=args.rounds {
        idle.push(args.idle());
        // In turns, so that all meet the same machine.
        for ((name, path), loads) in calls.iter().zip(&mut rounds) {
            let load = load::get(service.address, path, &service.token, CONNECTIONS, length)?;
            args.say(&format!(
                "{name}, round {round}: {:.0}/s, p50 {} ms, p99 {} ms",
                load.per_second,
                load.took.ms(50.0),
                load.took.ms(99.0)
            ));
            loads.push(load);
        }
    }
    let answers: Vec<Value> = calls
        .iter()
        .zip(&rounds)
        .map(|(call, loads)| told(call, loads))
        .collect();
    let live = watched(args, &pool, &service, api.watchers).await?;
    let report = json!({
        "bench": "api",
        "rounds": args.rounds,
        "seconds_per_round": args.seconds,
        "cores": thread::available_parallelism()?.get(),
        "connections": CONNECTIONS,
        "matches": api.matches,
        "audit_rows": api.audit,
        "postgres": {
            "version": database::setting(&pool, "server_version").await?,
            "fsync": database::setting(&pool, "fsync").await?,
            "synchronous_commit": database::setting(&pool, "synchronous_commit").await?,
        },
        "calls": answers,
        "live": live,
        "machine_idle_percent_by_round": idle,
    });
    args.print(&report, &table(&report)?);
    Ok(())
}

fn told((name, path): &(&str, String), loads: &[Load]) -> Value {
    let middle = |percent| median(&loads.iter().map(|load| load.took.ms(percent)).collect::<Vec<_>>());
    let per_second: Vec<f64> = loads.iter().map(|load| load.per_second.round()).collect();
    json!({
        "call": name,
        "path": path,
        "per_second": median(&per_second),
        "p50_ms": middle(50.0),
        "p99_ms": middle(99.0),
        "per_second_by_round": per_second,
    })
}

/// From sending a change to the database to the last one of all watchers who heard of it.
async fn watched(args: &Args, pool: &store::Pool, service: &Service, count: u64) -> anyhow::Result<Value> {
    args.say(&format!("opening {count} WebSockets"));
    let mut watchers = Watchers::open(service.address, &service.token, usize::try_from(count)?).await?;
    watchers.change(pool).await?;
    let (mut each, mut last, mut idle) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        idle.push(args.idle());
        let before = last.len();
        for _ in 0..CHANGES {
            let took = watchers.change(pool).await?;
            last.extend(took.iter().max());
            each.extend(took);
        }
        let of_round = Spread::of(last.get(before..).unwrap_or_default().to_vec());
        args.say(&format!(
            "live, round {round}: the last of {count} hears of a change after p50 {} ms, p99 {} ms",
            of_round.ms(50.0),
            of_round.ms(99.0)
        ));
    }
    let (each, last) = (Spread::of(each), Spread::of(last));
    Ok(json!({
        "watchers": count,
        "changes": last.count(),
        "each_p50_ms": each.ms(50.0),
        "each_p99_ms": each.ms(99.0),
        "last_p50_ms": last.ms(50.0),
        "last_p99_ms": last.ms(99.0),
        "last_worst_ms": last.ms(100.0),
        "machine_idle_percent_by_round": idle,
    }))
}

fn table(report: &Value) -> anyhow::Result<String> {
    let mut text = format!(
        "\n{} matches, {} rows of audit log, {} connections\n",
        report["matches"], report["audit_rows"], report["connections"]
    );
    for call in report["calls"].as_array().into_iter().flatten() {
        writeln!(
            text,
            "{:<16} {:>7} requests/s, p50 {} ms, p99 {} ms",
            call["call"].as_str().unwrap_or_default(),
            call["per_second"],
            call["p50_ms"],
            call["p99_ms"]
        )?;
    }
    let live = &report["live"];
    write!(
        text,
        "a change reaches the last of {} watchers after p50 {} ms, p99 {} ms, worst {} ms",
        live["watchers"], live["last_p50_ms"], live["last_p99_ms"], live["last_worst_ms"]
    )?;
    Ok(text)
}
