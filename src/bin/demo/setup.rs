//! Brings up what the story needs: a database, the simulator, the links, the service. Everything ends with the demo, however it ends.

use std::{
    env, fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use muster::{
    sandbox::{
        postgres::{Options, PrivatePostgres},
        process::{Process, Program},
    },
    store,
};
use reqwest::Url;
use secrecy::SecretString;
use serde::Deserialize;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::{
    cast,
    control::Control,
    show::{Show, seconds},
};

/// For a program to come up, or to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// Lines of a program's standard error that are shown when it failed.
const LAST_LINES: usize = 15;
/// Guards nothing: everything listens on this machine only, and ends with the demo.
const WEBHOOK_SECRET: &str = "only-for-the-demo-0123456789";
const WEBHOOK_HEADER: &str = "X-Webhook-Secret";
/// Seals the tokens of simulated people.
const SEALING_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A database of the demo's own: in a private server, or in the one that was named.
#[derive(Debug)]
pub enum Database {
    Private(PrivatePostgres),
    InServer {
        server: String,
        name: String,
        url: String,
        /// Held open, so that no other demo takes the database for one that was left behind.
        _in_use: PgConnection,
    },
}

impl Database {
    /// `given` is the address of a server that is there already.
    pub async fn open(given: Option<String>) -> anyhow::Result<Self> {
        let Some(server) = given else {
            // It waits for the disk at every commit, as a production server does.
            let private = PrivatePostgres::start(Options { durable: true })?;
            return Ok(Self::Private(private));
        };
        let mut url = Url::parse(&server).context("DATABASE_URL is no address")?;
        let name = format!("muster_demo_{}", std::process::id());
        url.set_path(&name);
        drop_left_behind(&server).await?;
        in_server(&server, &format!("create database {name}")).await?;
        let url = url.to_string();
        let _in_use = PgConnection::connect(&url).await.context("the demo's new database")?;
        Ok(Self::InServer {
            server,
            name,
            url,
            _in_use,
        })
    }

    pub fn url(&self) -> &str {
        match self {
            Self::Private(private) => private.url(),
            Self::InServer { url, .. } => url,
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Private(private) => format!("a private PostgreSQL on port {}", private.port()),
            Self::InServer { name, .. } => format!("the database {name} of its own in the server of DATABASE_URL"),
        }
    }

    pub async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Private(_) => Ok(()),
            Self::InServer { server, name, .. } => {
                in_server(&server, &format!("drop database {name} with (force)")).await
            }
        }
    }
}

/// Databases of demos that were killed: nobody uses them any more. (A private server needs no such thing: it ends by itself.)
async fn drop_left_behind(server: &str) -> anyhow::Result<()> {
    const LEFT_BEHIND: &str = r"select datname::text from pg_database where datname ~ '^muster_demo_\d+$'
        and not exists (select from pg_stat_activity where pg_stat_activity.datname = pg_database.datname)";
    let mut connection = PgConnection::connect(server)
        .await
        .context("the server of DATABASE_URL can't be reached")?;
    let names: Vec<String> = sqlx::query_scalar(LEFT_BEHIND).fetch_all(&mut connection).await?;
    connection.close().await?;
    for name in names {
        // Somebody may have begun to use it, or have dropped it, just now; then it is not ours to care for.
        let _ = in_server(server, &format!("drop database {name}")).await;
    }
    Ok(())
}

/// `statement` holds no name but the one made above.
async fn in_server(server: &str, statement: &str) -> anyhow::Result<()> {
    let told = async {
        let mut connection = PgConnection::connect(server).await?;
        sqlx::query(AssertSqlSafe(statement.to_owned()))
            .execute(&mut connection)
            .await?;
        connection.close().await
    };
    told.await
        .with_context(|| format!("the server of DATABASE_URL would not: {statement}"))
}

/// The simulator's line.
#[derive(Clone, Debug, Deserialize)]
pub struct Addresses {
    pub discord_api: String,
    pub discord_gateway: String,
    pub discord_authorize: String,
    pub faceit_api: String,
    pub control: String,
    pub bot_token: String,
}

/// Everything that runs.
#[derive(Debug)]
pub struct Stage {
    // First, because fields are dropped in this order.
    pub service: Process,
    pub simulator: Process,
    pub addresses: Addresses,
    pub service_address: String,
    pub control: Control,
    pub pool: store::Pool,
}

impl Stage {
    pub async fn set(database: &Database, grace: Duration, show: &Show) -> anyhow::Result<Self> {
        let started = now();
        let scratch = Scratch::new()?;
        let world = scratch.write("world.json", &cast::world().to_string())?;
        let links = scratch.write("links.csv", &cast::links())?;
        show.line(&format!("  database   {}", database.describe()));

        let mut simulator = Program::own("simulator")?
            .bare_env()
            .env("FACEIT_WEBHOOK_SECRET", WEBHOOK_SECRET)
            .env("FACEIT_WEBHOOK_HEADER", WEBHOOK_HEADER)
            .args(["--listen", "127.0.0.1:0", "--world"])
            .arg(world)
            .start()?;
        let Some(line) = simulator.next_line(PATIENCE) else {
            bail!("the simulator did not start: {}", last_words(&mut simulator));
        };
        let addresses: Addresses = serde_json::from_str(&line).context("the simulator's addresses")?;
        show.line(&format!("  simulator  FACEIT and Discord at {}", addresses.control));
        let control = Control::new(&addresses.control)?;

        let port = free_port().context("no free port")?;
        let mut service = service(database.url(), &addresses, port, grace)?.start()?;
        let Some(service_address) = service
            .line_where(PATIENCE, |line| line.starts_with("listening on "))
            .and_then(|line| line.strip_prefix("listening on ").map(str::to_owned))
        else {
            bail!("muster serve did not start: {}", last_words(&mut service));
        };
        show.line(&format!("  service    muster serve at {service_address}"));
        show.line(&format!(
            "  admin      sign in as anybody at {}",
            sign_in(&service_address)
        ));
        control
            .send_webhooks_to(&format!("{service_address}/faceit-webhook"))
            .await?;

        let said = import_links(database.url(), &links)?;
        show.line(&format!("  links      muster links import: {said}"));
        show.line(&format!("  all up after {}", seconds(now() - started)));
        let pool = store::connect(&SecretString::from(database.url()), 2)?;
        Ok(Self {
            service,
            simulator,
            addresses,
            service_address,
            control,
            pool,
        })
    }

    /// Why one of the programs is gone that should run, if one is.
    pub fn fallen(&mut self) -> Option<String> {
        let programs = [
            ("muster serve", &mut self.service),
            ("the simulator", &mut self.simulator),
        ];
        programs
            .into_iter()
            .find_map(|(name, process)| match process.wait(Duration::ZERO) {
                Ok(Some(status)) => Some(format!("{name} ended ({status}): {}", last_words(process))),
                _ => None,
            })
    }

    /// What to use while it is left running.
    pub fn describe(&self, database: &Database) -> Vec<(&'static str, String)> {
        let service = &self.service_address;
        vec![
            ("service", service.clone()),
            ("sign in", sign_in(service)),
            ("webhook", format!("{service}/faceit-webhook")),
            ("webhook header", format!("{WEBHOOK_HEADER}: {WEBHOOK_SECRET}")),
            ("control", format!("{}/control", self.addresses.control)),
            ("picture", format!("{}/control/picture", self.addresses.control)),
            ("discord_api", self.addresses.discord_api.clone()),
            ("discord token", self.addresses.bot_token.clone()),
            (
                "discord server",
                format!("{} (category {}, lobby {})", cast::GUILD, cast::CATEGORY, cast::LOBBY),
            ),
            ("faceit_api", self.addresses.faceit_api.clone()),
            ("database", database.url().to_owned()),
        ]
    }

    /// Asks the service to stop, as an operator would, and then ends the rest.
    pub async fn strike(mut self) {
        self.pool.close().await;
        // Whoever does not listen is killed when dropped.
        let _ = self.service.terminate();
        let _ = self.service.wait(Duration::from_secs(5));
    }
}

/// The unmodified service, pointed at the simulator by nothing but its settings.
fn service(database: &str, addresses: &Addresses, port: u16, grace: Duration) -> anyhow::Result<Program> {
    let settings = [
        ("DATABASE_URL", database.to_owned()),
        ("LISTEN_ADDR", "127.0.0.1".to_owned()),
        ("PORT", port.to_string()),
        ("PUBLIC_URL", format!("http://127.0.0.1:{port}")),
        ("DISCORD_CLIENT_ID", "900000000000000001".to_owned()),
        ("DISCORD_CLIENT_SECRET", "simulated-client-secret".to_owned()),
        ("DISCORD_AUTHORIZE_URL", addresses.discord_authorize.clone()),
        ("JWT_SECRET", format!("{WEBHOOK_SECRET}-{WEBHOOK_SECRET}")),
        ("MUSTER_ENCRYPTION_KEYS", format!("1:{SEALING_KEY}")),
        ("OPERATOR_IDS", cast::OWNER.to_owned()),
        ("FACEIT_API_URL", addresses.faceit_api.clone()),
        ("FACEIT_API_KEY", "demo".to_owned()),
        ("FACEIT_WEBHOOK_SECRET", WEBHOOK_SECRET.to_owned()),
        ("FACEIT_WEBHOOK_HEADER", WEBHOOK_HEADER.to_owned()),
        ("DISCORD_API_URL", addresses.discord_api.clone()),
        ("DISCORD_GATEWAY_URL", addresses.discord_gateway.clone()),
        ("DISCORD_TOKEN", addresses.bot_token.clone()),
        ("DISCORD_GUILD_ID", cast::GUILD.to_owned()),
        ("VC_CATEGORY_ID", cast::CATEGORY.to_owned()),
        ("LOBBY_CHANNEL_ID", cast::LOBBY.to_owned()),
        ("CHANNEL_NAME_TEMPLATE", cast::CHANNEL_NAMES.to_owned()),
        ("TEARDOWN_GRACE_SECONDS", grace.as_secs().to_string()),
    ];
    let program = Program::own("muster")?.bare_env().arg("serve");
    Ok(settings
        .into_iter()
        .fold(program, |program, (name, value)| program.env(name, value)))
}

/// A page for whoever wants to look at the admin part; it ends at the list of calls.
fn sign_in(service: &str) -> String {
    format!("{service}/api/auth/login?next=/api/docs")
}

/// The service's own address must be known before it listens. Below those ports that systems give out by themselves, so that nobody else takes
/// it in between.
fn free_port() -> Option<u16> {
    let mut tries = (0..100).map(|_| rand::random_range(20_000..32_000));
    tries.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
}

fn import_links(database: &str, table: &Path) -> anyhow::Result<String> {
    let mut import = Program::own("muster")?
        .bare_env()
        .env("DATABASE_URL", database)
        .args(["links", "import"])
        .arg(table)
        .start()?;
    let said = import.next_line(PATIENCE).unwrap_or_default();
    match import.wait(PATIENCE)? {
        Some(status) if status.success() => Ok(said),
        _ => bail!("muster links import failed: {}", last_words(&mut import)),
    }
}

/// What a program that failed said last.
pub fn last_words(process: &mut Process) -> String {
    // Its end may be under way; only then is all of what it said there.
    let _ = process.wait(Duration::from_millis(500));
    let said = process.stderr();
    let lines: Vec<&str> = said.lines().collect();
    match lines.len() {
        0 => "it said nothing on standard error".to_owned(),
        count => format!(
            "it said last:\n    {}",
            lines[count.saturating_sub(LAST_LINES)..].join("\n    ")
        ),
    }
}

/// The files that the programs read as they start; gone once the stage is set.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        let dir = env::temp_dir().join(format!("muster-demo-{}", std::process::id()));
        // One of the same name is from a demo that was killed while it started.
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).with_context(|| format!("can't make {}", dir.display()))?;
        Ok(Self(dir))
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.0.join(name);
        fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
