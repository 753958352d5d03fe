//! How many sign-ins at FACEIT end in a link in a second, and how long a player waits for the page at the end; beside the two calls to FACEIT that each
//! of them needs, made by a bare client, and beside bare GETs. The real process, release build, on a private PostgreSQL that waits for the disk.
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures by the wall clock, and talks to the simulator without the adapters"
)]

use std::{fmt::Write as _, thread};

use serde_json::{Value, json};

#[path = "support/link/mod.rs"]
mod parts;
mod support;

use parts::{
    load::{self, Load},
    stage::Stage,
};
use support::{
    args::Args,
    database,
    stats::{Spread, median, round},
};

/// Players who come back at the same time.
const CONNECTIONS: usize = 16;
/// Prepared for each second of a round; what a round takes depends on the machine.
const PER_SECOND: usize = 200;
/// Constant arrivals: a large tournament's players all at once would be fewer.
const ARRIVALS: u64 = 50;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args: Args = support::args::get();
    let postgres = database::start()?;
    let pool = database::pool(&postgres, 4)?;
    muster::store::migrate(&pool).await?;
    let (round_size, arriving) = (
        PER_SECOND * args.seconds as usize,
        ARRIVALS as usize * args.seconds as usize,
    );
    let players = (args.rounds as usize + 1) * (2 * round_size + arriving);
    let stage = Stage::start(postgres.url(), pool.clone(), players).await?;
    args.say("warming up");
    let few = stage.on_their_way_back(CONNECTIONS * 4).await?;
    load::closed(CONNECTIONS, &few, |back| stage.link(back)).await?;

    let (mut links, mut bare, mut health, mut arrived) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut idle, mut cpu) = (Vec::new(), Vec::new());
    for number in 1..=args.rounds {
        idle.push(args.idle());
        // Codes are good for a minute: each kind is prepared just before it is used.
        let codes = stage.codes(round_size).await?;
        bare.push(load::closed(CONNECTIONS, &codes, |code| stage.redeem(code)).await?);
        health.push(load::closed(CONNECTIONS, &vec![(); round_size], |()| stage.health()).await?);
        let backs = stage.on_their_way_back(round_size).await?;
        let before = stage.cpu();
        let linked = load::closed(CONNECTIONS, &backs, |back| stage.link(back)).await?;
        if let (Some(before), Some(after)) = (before, stage.cpu()) {
            cpu.push((after - before).as_secs_f64() * 1e6 / linked.took.len() as f64);
        }
        let backs = stage.on_their_way_back(arriving).await?;
        arrived.push(load::open(CONNECTIONS * 2, ARRIVALS, &backs, |back| stage.link(back)).await?);
        args.say(&format!(
            "round {number}: {:.0} links/s, {:.0} bare exchanges/s, {:.0} bare GETs/s",
            linked.per_second(),
            bare.last().map_or(f64::NAN, Load::per_second),
            health.last().map_or(f64::NAN, Load::per_second),
        ));
        links.push(linked);
    }
    let ratios = links
        .iter()
        .zip(&bare)
        .map(|(linked, bare)| linked.per_second() / bare.per_second());
    let ratios: Vec<f64> = ratios.map(|ratio| round(ratio, 3)).collect();
    let report = json!({
        "bench": "link",
        "rounds": args.rounds,
        "cores": thread::available_parallelism()?.get(),
        "postgres": {
            "version": database::setting(&pool, "server_version").await?,
            "fsync": database::setting(&pool, "fsync").await?,
            "synchronous_commit": database::setting(&pool, "synchronous_commit").await?,
        },
        "connections": CONNECTIONS,
        "links": figures(links),
        "bare_exchanges": figures(bare),
        "bare_gets": figures(health),
        "ratio_to_bare_exchange": median(&ratios),
        "ratio_by_round": ratios,
        "at_50_per_second": figures(arrived),
        "server_cpu_us_per_link": (!cpu.is_empty()).then(|| median(&cpu).round()),
        "machine_idle_percent_by_round": idle,
        "rss_after_load_mb": stage.rss_mb().map(|mb| round(mb, 1)),
    });
    args.print(&report, &table(&report)?);
    Ok(())
}

/// The median of the rounds' rates and percentiles.
fn figures(rounds: Vec<Load>) -> Value {
    let rates: Vec<f64> = rounds.iter().map(Load::per_second).collect();
    let spreads: Vec<Spread> = rounds.into_iter().map(|load| Spread::of(load.took)).collect();
    let middle = |percent| median(&spreads.iter().map(|took| took.ms(percent)).collect::<Vec<_>>());
    json!({
        "answered": spreads.iter().map(Spread::count).sum::<usize>(),
        "per_second": median(&rates).round(),
        "p50_ms": middle(50.0),
        "p99_ms": middle(99.0),
        "worst_ms": middle(100.0),
        "p99_ms_by_round": spreads.iter().map(|took| took.ms(99.0)).collect::<Vec<_>>(),
    })
}

fn table(report: &Value) -> anyhow::Result<String> {
    let mut text = String::from("\n                              per second   p50 ms   p99 ms\n");
    for (what, name) in [
        ("sign-ins that end in a link", "links"),
        ("the same calls to FACEIT", "bare_exchanges"),
        ("bare GETs", "bare_gets"),
        ("sign-ins at 50/s", "at_50_per_second"),
    ] {
        let number = |field: &str| report[name][field].as_f64().unwrap_or(f64::NAN);
        writeln!(
            text,
            "{what:<28} {:>11} {:>8.2} {:>8.2}",
            number("per_second"),
            number("p50_ms"),
            number("p99_ms")
        )?;
    }
    write!(
        text,
        "\n{} × the bare exchange; {} µs of the service's CPU each; {} MB afterwards",
        report["ratio_to_bare_exchange"], report["server_cpu_us_per_link"], report["rss_after_load_mb"]
    )?;
    Ok(text)
}
