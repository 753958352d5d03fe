//! Brings up what the story needs: a database, the simulator, the links, the service. Everything ends with the demo, however it ends.

use std::{
    env, fs,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use muster::{
    sandbox::process::{Process, Program},
    store,
};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use crate::{
    cast::{self, Person},
    control::Control,
    database::Database,
    show::{Show, seconds},
};

/// For a program to come up, or to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// Lines of a program's standard error that are shown when it failed.
const LAST_LINES: usize = 15;
/// Guards nothing: everything listens on this machine only, and ends with the demo.
const WEBHOOK_SECRET: &str = "only-for-the-demo-0123456789";
const WEBHOOK_HEADER: &str = "X-Webhook-Secret";
/// The simulator's, unless its world says otherwise.
const FACEIT_CLIENT: [&str; 2] = ["simulated-faceit-client", "simulated-faceit-secret"];
/// Seals the tokens of simulated people.
const SEALING_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The simulator's line.
#[derive(Clone, Debug, Deserialize)]
pub struct Addresses {
    pub discord_api: String,
    pub discord_gateway: String,
    pub discord_authorize: String,
    pub faceit_api: String,
    pub faceit_accounts: String,
    pub faceit_auth: String,
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
        let port = free_port().context("no free port")?;
        let mut world = cast::world();
        // Registered in the developer portal, or the doctor would say that nobody can sign in.
        world["oauth"]["redirect_uris"] = json!([format!("http://127.0.0.1:{port}/api/auth/callback")]);
        let world = scratch.write("world.json", &world.to_string())?;
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

        let mut service = service(database.url(), &addresses, port, grace)?.start()?;
        let Some(service_address) = service
            .line_where(PATIENCE, |line| line.starts_with("listening on "))
            .and_then(|line| line.strip_prefix("listening on ").map(str::to_owned))
        else {
            bail!("muster serve did not start: {}", last_words(&mut service));
        };
        show.line(&format!("  service    muster serve at {service_address}"));
        control
            .send_webhooks_to(&format!("{service_address}/faceit-webhook"))
            .await?;

        let commands = Commands(database.url());
        let said = commands.run(&["links", "import", &links.display().to_string()])?;
        show.line(&format!("  links      muster links import: {said}"));
        let of_harbour = ["--guild", cast::HARBOUR];
        let settings = [
            format!("category={}", cast::BERTHS),
            format!("lobby={}", cast::QUAY),
            format!("name_template={}", cast::CHANNEL_NAMES),
            format!("grace_seconds={}", grace.as_secs()),
        ];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        commands.run(&[&["guilds", "set"], &settings[..], &of_harbour].concat())?;
        let cup = cast::CUP.id();
        let said = commands.run(&[&["guilds", "claim", cast::CUP.kind, cup.as_str()], &of_harbour[..]].concat())?;
        let said = said
            .split_once(cup.as_str())
            .map_or(said.as_str(), |(_, rest)| rest.trim());
        show.line(&format!(
            "  servers    muster guilds claim {}: its matches {said}",
            cast::CUP.kind
        ));
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
            (
                "sign in",
                format!(
                    "{} , continue as {} ({})",
                    sign_in(service),
                    cast::OPERATOR,
                    Person::called(cast::OPERATOR)
                        .map(Person::discord_id)
                        .unwrap_or_default()
                ),
            ),
            ("webhook", format!("{service}/faceit-webhook")),
            ("webhook header", format!("{WEBHOOK_HEADER}: {WEBHOOK_SECRET}")),
            ("control", format!("{}/control", self.addresses.control)),
            ("picture", format!("{}/control/picture", self.addresses.control)),
            ("discord_api", self.addresses.discord_api.clone()),
            ("discord token", self.addresses.bot_token.clone()),
            (
                "discord servers",
                format!(
                    "{} (category {}, lobby {}), {} (category {}, lobby {})",
                    cast::BACKYARD,
                    cast::CATEGORY,
                    cast::LOBBY,
                    cast::HARBOUR,
                    cast::BERTHS,
                    cast::QUAY
                ),
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
    let [client, client_secret] = FACEIT_CLIENT;
    let operator = Person::called(cast::OPERATOR)
        .map(Person::discord_id)
        .unwrap_or_default();
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
        ("OPERATOR_IDS", operator),
        ("FACEIT_API_URL", addresses.faceit_api.clone()),
        ("FACEIT_API_KEY", "demo".to_owned()),
        ("FACEIT_WEBHOOK_SECRET", WEBHOOK_SECRET.to_owned()),
        ("FACEIT_WEBHOOK_HEADER", WEBHOOK_HEADER.to_owned()),
        ("DISCORD_API_URL", addresses.discord_api.clone()),
        ("DISCORD_GATEWAY_URL", addresses.discord_gateway.clone()),
        ("DISCORD_TOKEN", addresses.bot_token.clone()),
        ("DISCORD_GUILD_ID", cast::BACKYARD.to_owned()),
        ("VC_CATEGORY_ID", cast::CATEGORY.to_owned()),
        ("LOBBY_CHANNEL_ID", cast::LOBBY.to_owned()),
        ("CHANNEL_NAME_TEMPLATE", cast::CHANNEL_NAMES.to_owned()),
        ("SOURCE_CHANNEL_IDS", format!("{},{}", cast::LOBBY, cast::GARDEN)),
        ("TEARDOWN_GRACE_SECONDS", grace.as_secs().to_string()),
        ("FACEIT_CLIENT_ID", client.to_owned()),
        ("FACEIT_CLIENT_SECRET", client_secret.to_owned()),
        (
            "FACEIT_REDIRECT_URI",
            format!("http://127.0.0.1:{port}/faceit/callback"),
        ),
        ("FACEIT_ACCOUNTS_URL", addresses.faceit_accounts.clone()),
        ("FACEIT_AUTH_URL", addresses.faceit_auth.clone()),
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

/// Runs commands against this database.
struct Commands<'a>(&'a str);

impl Commands<'_> {
    /// Gives the first line that it said.
    fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Program::own("muster")?
            .bare_env()
            .env("DATABASE_URL", self.0)
            .args(arguments)
            .start()?;
        let said = command.next_line(PATIENCE).unwrap_or_default();
        match command.wait(PATIENCE)? {
            Some(status) if status.success() => Ok(said),
            _ => bail!("muster {} failed: {}", arguments.join(" "), last_words(&mut command)),
        }
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
