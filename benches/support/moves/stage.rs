//! A simulated Discord and FACEIT with true buckets and latency, the unmodified `muster serve` on a database of its own, and players who are linked.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, bail};
use muster::{
    clock::Clock,
    domain::{
        ids::{ChannelId, GuildId, PlayerId, UserId},
        settings::{ClaimKind, Settings},
    },
    sandbox::{postgres::PrivatePostgres, process::Process},
    simulator::{Options, Simulator, WorldFile},
    store::{self, links::LinkRow},
};
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::time::{Instant, sleep};

use super::{ideal::LATENCY, serving, usage};

const START_WITHIN: Duration = Duration::from_secs(30);
pub const PLAYERS: usize = 50;
/// Channels go so long after the end.
pub const GRACE: Duration = Duration::from_secs(1);

/// What is needed of a world.
pub struct Wanted {
    pub guilds: usize,
    /// Bots that move people, the main one among them.
    pub bots: usize,
    /// Of each guild's players, the first so many sit in the lobby.
    pub seated: usize,
}

pub struct Stage {
    pub simulator: Simulator,
    process: Process,
    pub tokens: Vec<String>,
}

/// The ids of a guild and of what is in it.
pub fn guild_id(guild: usize) -> u64 {
    1_000 * (guild as u64 + 1)
}

pub fn lobby_id(guild: usize) -> u64 {
    guild_id(guild) + 11
}

fn category_id(guild: usize) -> u64 {
    guild_id(guild) + 10
}

pub fn user_id(guild: usize, player: usize) -> u64 {
    1_000_000 * (guild as u64 + 1) + player as u64
}

/// FACEIT knows him as `p-<name>`.
pub fn name(guild: usize, player: usize) -> String {
    format!("g{guild}m{player}")
}

pub fn hub(guild: usize) -> String {
    format!("hub-{guild}")
}

/// Unix milliseconds, as in the simulator's journal.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Stage {
    pub async fn start(postgres: &PrivatePostgres, wanted: &Wanted) -> anyhow::Result<Self> {
        let bots: Vec<Value> = (1..wanted.bots)
            .map(|n| json!({"id": (900_000_000_000_000_001 + n as u64).to_string(), "name": format!("Mover {n}"), "token": format!("mover-{n}")}))
            .collect();
        let guilds: Vec<Value> = (0..wanted.guilds).map(|guild| guild_of(guild, wanted.seated)).collect();
        let world = json!({"latency_ms": LATENCY.as_millis() as u64, "bots": bots, "guilds": guilds});
        let options = Options {
            webhook_secret: serving::SECRET.to_owned(),
            ..Options::default()
        };
        let simulator = Simulator::start(
            WorldFile::parse(&world.to_string()).map_err(anyhow::Error::msg)?,
            options,
        )
        .await?;
        let database = database(postgres).await?;
        let pool = store::connect(&SecretString::from(database.clone()), 2)?;
        store::migrate(&pool).await?;
        fill(&pool, wanted.guilds).await?;
        pool.close().await;

        let addresses = simulator.addresses().clone();
        let movers: Vec<String> = (1..wanted.bots).map(|n| format!("mover-{n}")).collect();
        let (faceit, discord) = (&addresses.faceit_api, &addresses.discord_api);
        let program = serving::program(&database, faceit, discord, &addresses.bot_token);
        let (process, address) = serving::start(program.env("DISCORD_MOVER_TOKENS", movers.join(",")))?;
        let address = format!("http://{address}");
        simulator.set_webhook_target(Some(format!("{address}/faceit-webhook")));
        let stage = Self {
            tokens: std::iter::once(addresses.bot_token).chain(movers).collect(),
            process,
            simulator,
        };
        stage.listens_to_the_gateway(&address, wanted.guilds).await?;
        Ok(stage)
    }

    /// Waits until the service knows who sits where.
    async fn listens_to_the_gateway(&self, address: &str, guilds: usize) -> anyhow::Result<()> {
        let http = reqwest::Client::builder().no_proxy().timeout(START_WITHIN).build()?;
        let known = format!("muster_gateway_guilds {guilds}");
        let until = Instant::now() + START_WITHIN;
        while Instant::now() < until {
            let metrics = http.get(format!("{address}/metrics")).send().await?.text().await?;
            if metrics.lines().any(|line| line == known) {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        bail!("it does not listen to the gateway:\n{}", self.log())
    }

    /// What the service said so far, for when something went wrong.
    pub fn log(&self) -> String {
        self.process.stderr()
    }

    /// Resident memory in MiB; none where there is no /proc.
    pub fn rss_mb(&self) -> Option<f64> {
        usage::rss_mb(self.process.id())
    }

    /// CPU time used so far; none where there is no /proc.
    pub fn cpu(&self) -> Option<Duration> {
        usage::cpu(self.process.id())
    }
}

fn guild_of(guild: usize, seated: usize) -> Value {
    let members: Vec<Value> = (0..PLAYERS)
        .map(|player| {
            let seat = (player < seated).then(|| lobby_id(guild).to_string());
            json!({"id": user_id(guild, player).to_string(), "name": name(guild, player), "voice_channel_id": seat})
        })
        .collect();
    json!({
        "id": guild_id(guild).to_string(), "name": format!("Guild {guild}"),
        "categories": [{"id": category_id(guild).to_string(), "name": "Matches"}],
        "voice_channels": [{"id": lobby_id(guild).to_string(), "name": "Lobby", "parent_id": null}],
        "members": members,
    })
}

/// An empty one on the same server.
async fn database(postgres: &PrivatePostgres) -> anyhow::Result<String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("moves_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let mut admin = store::Connection::connect(postgres.url()).await?;
    admin.execute(AssertSqlSafe(format!("create database {name}"))).await?;
    let mut url = reqwest::Url::parse(postgres.url())?;
    url.set_path(&name);
    Ok(url.into())
}

/// Links everybody, and gives each guild its hub.
async fn fill(pool: &store::Pool, guilds: usize) -> anyhow::Result<()> {
    let now = Clock::system().now();
    let id = |id: u64| UserId::new(id).context("an id above zero");
    let everybody = (0..guilds).flat_map(|guild| (0..PLAYERS).map(move |player| (guild, player)));
    let rows = everybody
        .map(|(guild, player)| {
            Ok(LinkRow {
                player: PlayerId::new(format!("p-{}", name(guild, player))),
                user: id(user_id(guild, player))?,
                nickname: name(guild, player),
            })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut tx = pool.begin().await?;
    if store::links::import(&mut tx, &rows, now).await?.is_err() {
        bail!("two players with one account");
    }
    for guild in 0..guilds {
        let id = GuildId::new(guild_id(guild)).context("an id above zero")?;
        let settings = Settings {
            category: ChannelId::new(category_id(guild)),
            lobby: ChannelId::new(lobby_id(guild)),
            grace: GRACE,
            ..Settings::new(id)
        };
        store::guilds::save(&mut tx, &settings, None, now).await?;
        store::competitions::claim(&mut tx, id, ClaimKind::Hub, &hub(guild), now).await?;
    }
    tx.commit().await?;
    Ok(())
}
