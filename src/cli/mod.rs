//! The command line: which commands there are, and what each prints. The work is done elsewhere.

mod doctor;
mod guilds;
mod keys;
mod links;
mod replay;

use std::{
    fs::File,
    io::{self, Read, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::{ArgGroup, Args, Parser, Subcommand};
use reqwest::Url;

use crate::{
    app,
    clock::Clock,
    config::{DatabaseArgs, FaceitArgs, GuildArgs, PlanArgs, PlanConfig, Problems, ServeArgs, WebhookArgs},
    domain::{
        ids::{MatchId, is_plausible_id},
        job::JobKey,
        render::stamp,
    },
    store,
    sync::Sources,
    telemetry::{self, LogFormat},
};

/// Puts the players of a FACEIT match into their team's Discord voice channel, and cleans up after them.
#[derive(Parser)]
#[command(name = "muster", version, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service
    Serve(Box<ServeArgs>),
    /// Create or update the tables in the database (serve does so by itself)
    Migrate(DatabaseArgs),
    /// Send recorded webhook deliveries again, or show what they would lead to
    Replay(Box<ReplayArgs>),
    /// Show what would be done for a match now, and why nothing is; changes nothing
    Plan {
        /// FACEIT's match id, such as 1-5cd68867-aa96-4cfe-a373-12c57edbcab2
        match_id: String,
        #[command(flatten)]
        settings: Box<PlanArgs>,
    },
    /// Check that everything is in place: settings, database, FACEIT, Discord, permissions; says what to do, and where
    Doctor(Box<doctor::DoctorArgs>),
    /// Who is who: FACEIT players and their Discord accounts
    #[command(subcommand)]
    Links(LinksCommand),
    /// The Discord servers: their settings, and whose matches are whose
    #[command(subcommand)]
    Guilds(Box<guilds::GuildsCommand>),
    /// The keys that people's Discord tokens are sealed with
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// The queue's jobs
    #[command(subcommand)]
    Jobs(JobsCommand),
}

#[derive(Args)]
#[command(
    group = ArgGroup::new("where").required(true).args(["to", "dry_run"]),
    override_usage = "muster replay <PATHS>... --to <URL> [OPTIONS]\n       muster replay <PATHS>... --dry-run [OPTIONS]",
    after_help = "--to needs the webhook's settings only; --dry-run needs those of the database, FACEIT and the Discord server."
)]
struct ReplayArgs {
    /// Webhook bodies as FACEIT sent them: a file with one, with an array of them, or a folder of .json files (in name order)
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The running service to send to, such as http://127.0.0.1:8000
    #[arg(long, value_name = "URL")]
    to: Option<Url>,
    /// Print the plan each delivery would lead to now; changes nothing anywhere
    #[arg(long)]
    dry_run: bool,
    /// Keep the recorded pauses, this many times as fast (without it there are none)
    #[arg(long, value_name = "FACTOR", value_parser = speed)]
    speed: Option<f64>,
    #[command(flatten)]
    webhook: WebhookArgs,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    faceit: FaceitArgs,
    #[command(flatten)]
    guild: GuildArgs,
}

#[derive(Subcommand)]
enum LinksCommand {
    /// Read links from CSV (faceit_id,discord_id,nickname); all or nothing
    Import {
        /// The file; - is standard input
        file: PathBuf,
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Write all links as CSV to standard output
    Export {
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Show all links
    List {
        #[command(flatten)]
        database: DatabaseArgs,
    },
}

#[derive(Subcommand)]
enum JobsCommand {
    /// Show the queue, a job for each open match: dead ones with their errors first
    List {
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Run a dead job again, when what killed it is mended
    Retry {
        /// The job's key, such as match:1-5cd68867-aa96-4cfe-a373-12c57edbcab2; the match's id will do
        key: String,
        #[command(flatten)]
        database: DatabaseArgs,
    },
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(factor) if factor > 0.0 && f64::is_finite(factor) => Ok(factor),
        _ => Err("expected a number above 0, such as 10".to_owned()),
    }
}

/// Runs the command that was asked for. Errors are printed as one message; a configuration that can't be used exits with 2.
pub async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "muster: {error:#}");
            ExitCode::from(if error.is::<Problems>() { Problems::EXIT_CODE } else { 1 })
        }
    }
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => {
            let config = args.parse()?;
            let metrics = telemetry::init(config.log_format)?;
            for warning in &config.warnings {
                tracing::warn!("{warning}");
            }
            app::serve(config, metrics).await?;
        }
        Command::Migrate(database) => migrate(database).await?,
        Command::Replay(args) => return replay(*args).await,
        Command::Plan { match_id, settings } => plan(&match_id, *settings).await?,
        Command::Doctor(args) => {
            let healthy = doctor::run(*args).await?;
            return Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Links(command) => links_command(command).await?,
        Command::Guilds(command) => guilds::run(*command).await?,
        Command::Keys(command) => say(&keys::run(command).await?)?,
        Command::Jobs(command) => jobs_command(command).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn migrate(database: DatabaseArgs) -> anyhow::Result<()> {
    let pool = open(database).await?;
    let pending = store::migrations_pending(&pool).await?;
    store::migrate(&pool).await?;
    match pending.len() {
        0 => say("the database is up to date"),
        _ => say(&format!("applied {}", pending.join(", "))),
    }
}

async fn replay(args: ReplayArgs) -> anyhow::Result<ExitCode> {
    let recordings = replay::read_all(&args.paths)?;
    let bad = if let Some(to) = &args.to {
        let webhook = args.webhook.parse()?;
        let summary = replay::send(&recordings, to, &webhook, args.speed).await?;
        say(&summary.to_string())?;
        summary.refused
    } else {
        telemetry::init(LogFormat::Text)?;
        let settings = PlanArgs {
            database: args.database,
            faceit: args.faceit,
            guild: args.guild,
        };
        replay::dry_run(&recordings, &look(settings.parse()?).await?).await?
    };
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn plan(match_id: &str, settings: PlanArgs) -> anyhow::Result<()> {
    if !is_plausible_id(match_id) {
        bail!("'{match_id}' can't be a match id; it looks like 1-5cd68867-aa96-4cfe-a373-12c57edbcab2");
    }
    let preview = look(settings.parse()?)
        .await?
        .preview(&MatchId::new(match_id), None)
        .await?;
    say(&preview.to_string())
}

async fn links_command(command: LinksCommand) -> anyhow::Result<()> {
    match command {
        LinksCommand::Import { file, database } => {
            let rows = read_links(&file)?;
            let pool = migrated(database).await?;
            let mut tx = pool.begin().await.map_err(store::Error::from)?;
            let table: Vec<_> = rows.iter().map(|(_, row)| row.clone()).collect();
            match store::links::import(&mut tx, &table, Clock::system().now()).await? {
                Ok(done) => {
                    tx.commit().await.map_err(store::Error::from)?;
                    say(&format!(
                        "added {}, changed {}, unchanged {}",
                        done.added, done.changed, done.unchanged
                    ))
                }
                Err(clashes) => {
                    let lines = clashes.iter().map(|clash| {
                        let line = rows.get(clash.index).map_or(0, |(line, _)| *line);
                        format!("line {line}: {}", clash.reason)
                    });
                    bail!("nothing was imported:\n{}", lines.collect::<Vec<_>>().join("\n"))
                }
            }
        }
        LinksCommand::Export { database } => {
            let rows = all_links(database).await?;
            let rows: Vec<_> = rows.into_iter().map(|link| link.row).collect();
            let mut table = Vec::new();
            links::write(&rows, &mut table)?;
            write_out(&table)
        }
        LinksCommand::List { database } => {
            let rows = all_links(database).await?;
            for link in &rows {
                let opted_out = if link.opted_out { ", opted out" } else { "" };
                let store::links::LinkRow { player, user, nickname } = &link.row;
                say(&format!(
                    "{nickname}: FACEIT {player} = Discord {user} ({}{opted_out})",
                    link.method.as_str()
                ))?;
            }
            say(&counted(rows.len(), "link"))
        }
    }
}

async fn all_links(database: DatabaseArgs) -> anyhow::Result<Vec<store::links::StoredLink>> {
    let pool = migrated(database).await?;
    let mut conn = pool.acquire().await.map_err(store::Error::from)?;
    Ok(store::links::all(&mut conn).await?)
}

fn read_links(file: &PathBuf) -> anyhow::Result<Vec<(u64, store::links::LinkRow)>> {
    let input: Box<dyn Read> = if file.as_os_str() == "-" {
        Box::new(io::stdin())
    } else if file.is_dir() {
        bail!("{} is a folder; name a file, or - for standard input", file.display())
    } else {
        Box::new(File::open(file).with_context(|| format!("can't read {}", file.display()))?)
    };
    links::read(input).map_err(|problems| anyhow::anyhow!("nothing was imported:\n{}", problems.join("\n")))
}

async fn jobs_command(command: JobsCommand) -> anyhow::Result<()> {
    match command {
        JobsCommand::List { database } => {
            let pool = migrated(database).await?;
            let mut conn = pool.acquire().await.map_err(store::Error::from)?;
            let jobs = store::jobs::list(&mut conn).await?;
            let dead = jobs.iter().filter(|job| job.dead_at.is_some()).count();
            for job in &jobs {
                say(&describe(job))?;
            }
            say(&format!("{}, {dead} dead", counted(jobs.len(), "job")))
        }
        JobsCommand::Retry { key, database } => {
            let pool = migrated(database).await?;
            let mut conn = pool.acquire().await.map_err(store::Error::from)?;
            let job = match JobKey::new(&key) {
                job if job.match_id().or(job.report_id()).is_some() => job,
                job if job.guild_id().is_some() || job.erasing_number().is_some() => job,
                _ => JobKey::sync_match(&MatchId::new(&key)),
            };
            let now = Clock::system().now();
            if let Some(id) = job.match_id() {
                store::guild_states::note_wish(&mut conn, &id, now).await?;
            }
            if !store::jobs::revive(&mut conn, &job, now).await? {
                if !store::jobs::list(&mut conn).await?.iter().any(|known| known.key == job) {
                    bail!("there is no job '{key}'; `muster jobs list` shows them");
                }
                store::jobs::book(&mut conn, &job, now).await?;
            }
            store::listener::notify(&mut conn).await?;
            say(&format!("{job} runs again"))
        }
    }
}

/// One line about a job.
fn describe(job: &store::jobs::Job) -> String {
    let error = job.last_error.as_deref().unwrap_or("no error recorded");
    let (key, attempts, due) = (&job.key, job.attempts, stamp(job.due_at));
    let tries = if attempts == 1 { "attempt" } else { "attempts" };
    match (job.dead_at.map(stamp), job.owner) {
        (Some(at), _) => format!("{key}  dead since {at} after {attempts} {tries}: {error}"),
        (None, Some(owner)) => format!("{key}  running (worker {owner})"),
        (None, None) if attempts > 0 => format!("{key}  tried again at {due} after {attempts} {tries}: {error}"),
        (None, None) => format!("{key}  looked at again at {due}"),
    }
}

/// What a command that only looks needs.
async fn look(config: PlanConfig) -> anyhow::Result<Sources> {
    let pool = app::connect(&config.database.url, config.database.connections).await?;
    current(&pool).await?;
    app::sources(pool, &config.faceit, config.guild.settings(), Clock::system())
}

async fn open(database: DatabaseArgs) -> anyhow::Result<store::Pool> {
    let database = database.parse()?;
    app::connect(&database.url, database.connections).await
}

async fn migrated(database: DatabaseArgs) -> anyhow::Result<store::Pool> {
    let pool = open(database).await?;
    current(&pool).await?;
    Ok(pool)
}

/// Commands other than `migrate` and `serve` don't change the schema.
async fn current(pool: &store::Pool) -> anyhow::Result<()> {
    if !store::migrations_pending(pool).await?.is_empty() {
        bail!("the database is not up to date; run `muster migrate` first");
    }
    Ok(())
}

/// `1 job`, `2 jobs`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A line on standard output.
fn say(line: &str) -> anyhow::Result<()> {
    write_out(format!("{line}\n").as_bytes())
}

/// On standard output. A reader who went away (`| head`) is no error, and wants no more.
fn write_out(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => Ok(result?),
    }
}
