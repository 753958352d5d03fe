//! The demo: a private PostgreSQL, the simulated FACEIT and Discord, and the unmodified service between them, seen at work.

mod bodies;
mod browser;
mod cast;
mod control;
mod database;
mod report;
mod scenes;
mod setup;
mod show;
mod story;
mod text;
mod watch;

use std::{process::ExitCode, time::Duration};

use anyhow::bail;
use clap::Parser;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep, timeout},
};

use crate::{database::Database, report::Report, setup::Stage, show::Show, story::Story, watch::Watcher};

/// How long channels stay after the end of a match: long enough to see it, and the service's setting of one minute is too long to watch.
const GRACE: Duration = Duration::from_secs(2);
/// Between looks at the programs.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How much later than the programs we may notice a signal that was for all of us.
const SIGNAL_LAGS: Duration = Duration::from_millis(300);
/// As a shell reports an end by Ctrl-C.
const INTERRUPTED: u8 = 130;

/// Runs four FACEIT matches in two Discord servers through the real service, in under a minute, against a simulated FACEIT and Discord.
///
/// Starts a private PostgreSQL, the simulator and `muster serve`, shows who sits in which voice channel while matches begin,
/// overlap, are cancelled, begin again and end, and then what it took. On a terminal the picture is redrawn in place; elsewhere
/// every change is a line. Everything it starts ends with it. Exits with 1 when anything was left over.
#[derive(Parser)]
#[command(name = "demo", version)]
struct Arguments {
    /// Make the last line of standard output a JSON object with the figures
    #[arg(long)]
    json: bool,
    /// Leave everything running after the story, and print the addresses; Ctrl-C ends it
    #[arg(long)]
    keep: bool,
    /// Use this PostgreSQL server instead of a private one: in a database of the demo's own, which is dropped at the end
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
}

/// The ways in which the demo is asked to end.
struct Asked([Signal; 3]);

impl Asked {
    fn listen() -> std::io::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn wait(&mut self) {
        let [interrupt, terminate, hang_up] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    muster::app::choose_tls();
    let outcome = match Asked::listen() {
        Ok(asked) => run(arguments, asked).await,
        Err(error) => Err(error.into()),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("demo: {error:#}");
        ExitCode::FAILURE
    })
}

async fn run(arguments: Arguments, mut asked: Asked) -> anyhow::Result<ExitCode> {
    let show = Show::new();
    show.line("Muster demo: real service, real PostgreSQL; FACEIT and Discord simulated, with its true limits");
    show.line("Starting:");
    let given = arguments.database_url.clone().filter(|url| !url.is_empty());
    let database = Database::open(given).await?;
    let outcome = with_database(&arguments, &database, &mut asked, &show).await;
    show.close();
    let closed = database.close().await;
    let code = match outcome {
        Ok(code) => code,
        // A Ctrl-C reaches the programs, too; that they end then is no failure, and it may be noticed before the signal is.
        Err(error) if timeout(SIGNAL_LAGS, asked.wait()).await.is_err() => return Err(error),
        Err(_) => None,
    };
    closed?;
    Ok(code.unwrap_or_else(|| {
        show.line("Interrupted. Everything that was started has been stopped.");
        ExitCode::from(INTERRUPTED)
    }))
}

/// None when it was interrupted.
async fn with_database(
    arguments: &Arguments,
    database: &Database,
    asked: &mut Asked,
    show: &Show,
) -> anyhow::Result<Option<ExitCode>> {
    let mut stage = tokio::select! {
        biased;
        () = asked.wait() => return Ok(None),
        stage = Stage::set(database, GRACE, show) => stage?,
    };
    let (control, pool) = (stage.control.clone(), stage.pool.clone());
    let address = stage.service_address.clone();
    let before = control.guild().await?;
    let watcher = Watcher::new(before.clone());
    let mut story = Story::new(&control, show, &watcher, &pool, &address, GRACE);
    let started = Instant::now();
    show.open();
    tokio::select! {
        biased;
        () = asked.wait() => return Ok(None),
        why = fallen(&mut stage) => bail!(why),
        error = watcher.run(&control, show) => return Err(explained(error, &mut stage)),
        told = story.tell() => {
            if let Err(error) = told {
                return Err(explained(error, &mut stage));
            }
        }
    }
    let took = started.elapsed();
    show.close();

    let report = Report::make(&story.told, &before, watcher.returned(), &control, &pool).await?;
    show.line("");
    for line in report.lines(&story.told, took) {
        show.line(&line);
    }
    if !report.problems.is_empty() {
        show.line(&format!("muster serve: {}", setup::last_words(&mut stage.service)));
    }
    if !arguments.keep {
        show.line("To look at these matches in the admin part, by a link that signs you in: make demo ARGS=--keep");
    }
    if arguments.keep {
        show.line("");
        show.line("Everything is left running; Ctrl-C ends it.");
        for (name, address) in stage.describe(database) {
            show.line(&format!("  {name:<16} {address}"));
        }
    }
    if arguments.json {
        show.line(&serde_json::to_string(&report)?);
    }
    if arguments.keep {
        tokio::select! {
            biased;
            () = asked.wait() => {}
            why = fallen(&mut stage) => bail!(why),
        }
    }
    stage.strike().await;
    let code = if report.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    };
    Ok(Some(code))
}

/// Resolves when a program has ended that should run.
async fn fallen(stage: &mut Stage) -> String {
    loop {
        if let Some(why) = stage.fallen() {
            return why;
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Whatever failed, the reason is a program that is gone, if one is.
fn explained(error: anyhow::Error, stage: &mut Stage) -> anyhow::Error {
    match stage.fallen() {
        Some(why) => anyhow::anyhow!(why),
        None => error,
    }
}
