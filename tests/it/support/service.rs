//! The real `muster serve` as a child process, in a world and a database of its own: started, killed, and started again. Time is real.

use std::{
    path::PathBuf,
    process::{Command, ExitStatus},
    time::Duration,
};

use muster::{
    domain::ids::{PlayerId, UserId},
    sandbox::process::{Process, Program, own_binary},
    simulator::{Options, Simulator, WorldFile},
    store::{self, Connection, Pool, links::LinkRow},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::Row;
use tokio::task::spawn_blocking;

use super::{
    bodies,
    bot::{CATEGORY, GUILD, LOBBY, SECRET, member, world},
    database::{Database, LONG, eventually},
};

/// What the service needs besides its process.
pub struct Place {
    pub simulator: Simulator,
    pub database: Database,
    /// The test's own connections, outside the service's pool.
    pub pool: Pool,
    settings: Vec<(String, String)>,
}

impl Place {
    /// The usual world and a migrated database, with these people linked.
    pub async fn new(linked: &[&str]) -> Self {
        Self::on(Database::migrated().await, linked).await
    }

    pub async fn on(database: Database, linked: &[&str]) -> Self {
        Self::in_world(database, world(), linked).await
    }

    pub async fn in_world(database: Database, world: Value, linked: &[&str]) -> Self {
        let world = WorldFile::parse(&world.to_string()).expect("the world fits together");
        let options = Options {
            webhook_secret: SECRET.to_owned(),
            ..Options::default()
        };
        let simulator = Simulator::start(world, options).await.expect("the simulator starts");
        let addresses = simulator.addresses();
        let settings = [
            ("DATABASE_URL", database.url().expose_secret()),
            ("DATABASE_CONNECTIONS", "6"),
            ("LISTEN_ADDR", "127.0.0.1:0"),
            ("FACEIT_API_KEY", "a-faceit-key-for-the-tests"),
            ("FACEIT_API_URL", &addresses.faceit_api),
            ("FACEIT_WEBHOOK_SECRET", SECRET),
            ("DISCORD_TOKEN", &addresses.bot_token),
            ("DISCORD_API_URL", &addresses.discord_api),
            ("DISCORD_GUILD_ID", GUILD),
            ("VC_CATEGORY_ID", CATEGORY),
            ("LOBBY_CHANNEL_ID", LOBBY),
            ("TEARDOWN_GRACE_SECONDS", "0"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let place = Self {
            pool: database.pool(3),
            settings: settings.to_vec(),
            simulator,
            database,
        };
        place.link(linked).await;
        place
    }

    /// One more setting, or another value for one.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// `muster` with these arguments, all settings, and nothing else of our environment.
    pub fn muster(&self, args: &[&str]) -> Program {
        let program = Program::own("muster").expect("muster is built").args(args).bare_env();
        self.settings
            .iter()
            .fold(program, |program, (name, value)| program.env(name, value))
    }

    /// The same, as a command that its caller starts himself.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(own_binary("muster").expect("muster is built"));
        command.args(args).env_clear();
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    pub async fn serve(&self) -> Serving {
        Serving::start(self.muster(&["serve"])).await
    }

    /// Waits until the service has taken in and booked all that the gateway told it.
    pub async fn gateway_ready(&self, serving: &Serving) {
        eventually("the service listens to the gateway and has caught up", || async {
            let (_, body) = serving.get("/readyz").await;
            let body: Value = serde_json::from_str(&body).expect("JSON");
            let heard = &body["checks"]["gateway"]["events"];
            let sessions = self.simulator.gateway().sessions;
            let mut open = sessions.iter().filter(|session| session.connected).peekable();
            open.peek().is_some() && open.all(|session| heard[session.shard.0.to_string()] == session.seq)
        })
        .await;
    }

    /// Runs a command to its end.
    pub async fn run(&self, args: &[&str]) -> Ran {
        run(self.muster(args)).await
    }

    async fn link(&self, names: &[&str]) {
        let rows: Vec<LinkRow> = names
            .iter()
            .map(|name| LinkRow {
                player: PlayerId::new(format!("p-{name}")),
                user: UserId::new(member(name)).expect("above zero"),
                nickname: bodies::nickname(name),
            })
            .collect();
        if rows.is_empty() {
            return;
        }
        let mut tx = self.pool.begin().await.expect("a transaction");
        let now = muster::clock::Clock::system().now();
        let imported = store::links::import(&mut tx, &rows, now).await.expect("imported");
        imported.expect("no clash");
        tx.commit().await.expect("committed");
    }

    pub async fn connection(&self) -> Connection {
        self.database.connection().await
    }

    /// FACEIT now says this of a match.
    pub fn faceit_says(&self, game: &bodies::Match) {
        self.simulator.put_match(&game.id, &game.api()).expect("a match body");
    }

    pub async fn count(&self, query: &'static str) -> i64 {
        let row = sqlx::query(query)
            .fetch_one(&self.pool)
            .await
            .expect("the database answers");
        row.get(0)
    }

    /// Whether nothing is due, nothing runs, and nothing waits to be tried again.
    pub async fn rests(&self) -> bool {
        let query = "select count(*) from jobs where dead_at is null and (owner is not null or attempts > 0 or due_at <= now())";
        match sqlx::query(query).fetch_one(&self.pool).await {
            Ok(row) => row.get::<i64, _>(0) == 0,
            Err(_) => false,
        }
    }

    pub async fn rest(&self) {
        eventually("nothing is left to do", || self.rests()).await;
    }

    /// Whether a statement like this one waits for a lock of ours.
    pub async fn is_blocked(&self, statement: &str) -> bool {
        let query = "select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock' and query ilike $1";
        let row = sqlx::query(query).bind(statement).fetch_one(&self.pool).await;
        row.expect("the database answers").get::<i64, _>(0) > 0
    }

    /// The guild without its ids: every channel with its place, who may enter, and who sits there.
    pub fn picture(&self) -> Vec<String> {
        let guild = self.simulator.guild(GUILD).expect("there is a guild");
        let mut channels: Vec<String> = guild["channels"]
            .as_array()
            .expect("channels")
            .iter()
            .map(plain)
            .collect();
        channels.sort();
        channels
    }

    /// Names of the voice channels in the category.
    pub fn match_channels(&self) -> Vec<String> {
        let guild = self.simulator.guild(GUILD).expect("there is a guild");
        let channels = guild["channels"].as_array().expect("channels").iter();
        let mut names: Vec<String> = channels
            .filter(|channel| channel["parent_id"] == CATEGORY)
            .filter_map(|channel| channel["name"].as_str().map(str::to_owned))
            .collect();
        names.sort();
        names
    }

    /// Everything in our tables, as text: equal when nothing was changed.
    pub async fn dump(&self) -> String {
        self.dump_of(&TABLES).await
    }

    pub async fn dump_of(&self, tables: &[&str]) -> String {
        let mut dump = String::new();
        for table in tables {
            let query = format!("select coalesce(string_agg(t::text, e'\n' order by t::text), '') from {table} t");
            let row = sqlx::query(sqlx::AssertSqlSafe(query)).fetch_one(&self.pool).await;
            let rows: String = row.expect("the database answers").get(0);
            dump.push_str(&format!("{table}\n{rows}\n"));
        }
        dump
    }
}

/// All tables that tell of matches; `workers` changes with every heartbeat.
pub const TABLES: [&str; 6] = [
    "deliveries",
    "jobs",
    "player_links",
    "matches",
    "active_matches",
    "match_members",
];

fn plain(channel: &Value) -> String {
    let sorted = |value: &Value| {
        let mut items: Vec<String> = value.as_array().into_iter().flatten().map(Value::to_string).collect();
        items.sort();
        items.join(" ")
    };
    format!(
        "{} in {}: {} / {}",
        channel["name"],
        channel["parent_id"],
        sorted(&channel["members"]),
        sorted(&channel["permission_overwrites"])
    )
}

/// A running service.
pub struct Serving {
    pub process: Process,
    /// `http://127.0.0.1:…`
    pub url: String,
}

impl Serving {
    /// Starts it, and waits until it listens.
    pub async fn start(program: Program) -> Self {
        let started = spawn_blocking(move || {
            let mut process = program.start().expect("muster starts");
            let line = process.line_where(LONG, |line| line.starts_with("listening on "));
            let Some(line) = line else {
                let _ = process.kill_9();
                panic!("it does not listen; it said:\n{}", process.stderr());
            };
            let url = line.trim_start_matches("listening on ").to_owned();
            Self { process, url }
        });
        started.await.expect("it listens")
    }

    /// Ends it as a power cut would; gives what it had said.
    pub async fn kill_9(self) -> String {
        let mut process = self.process;
        let killed = spawn_blocking(move || {
            process.kill_9().expect("killed");
            process.stderr()
        });
        killed.await.expect("it is gone")
    }

    /// SIGTERM, and its exit status within that time, with what it had said.
    pub async fn terminate(self, within: Duration) -> (Option<ExitStatus>, String) {
        self.process.terminate().expect("it can be asked to end");
        self.end(within).await
    }

    pub async fn end(self, within: Duration) -> (Option<ExitStatus>, String) {
        let mut process = self.process;
        let ended = spawn_blocking(move || {
            let status = process.wait(within).expect("it can be waited for");
            (status, process.stderr())
        });
        ended.await.expect("waited")
    }

    /// FACEIT's webhook: the status, or None when nothing was answered.
    pub fn deliver(&self, body: &Value) -> impl Future<Output = Option<u16>> + use<> {
        let (url, body) = (self.url.clone(), body.clone());
        async move { deliver(&url, &body).await }
    }

    pub fn get(&self, path: &str) -> impl Future<Output = (u16, String)> + use<> {
        let url = format!("{}{path}", self.url);
        async move {
            let answer = client().get(url).send().await.expect("it answers");
            (answer.status().as_u16(), answer.text().await.expect("a text"))
        }
    }
}

/// The status, or None when nothing was answered.
pub async fn deliver(url: &str, body: &Value) -> Option<u16> {
    let request = client().post(format!("{url}/faceit-webhook")).json(body);
    let answer = request.header("x-webhook-secret", SECRET).send().await.ok()?;
    Some(answer.status().as_u16())
}

/// A client of its own for each call: no connection is left over from a service that was killed.
pub fn client() -> reqwest::Client {
    let client = reqwest::Client::builder()
        .timeout(LONG)
        .no_proxy()
        .pool_max_idle_per_host(0);
    client.build().expect("a client")
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

pub async fn run(program: Program) -> Ran {
    let ran = spawn_blocking(move || {
        let mut process = program.start().expect("it starts");
        let status = process.wait(LONG).expect("it can be waited for");
        let mut stdout = String::new();
        while let Some(line) = process.next_line(LONG) {
            stdout.push_str(&line);
            stdout.push('\n');
        }
        Ran {
            code: status.and_then(|status| status.code()),
            stdout,
            stderr: process.stderr(),
        }
    });
    ran.await.expect("it ran")
}

/// A folder for one test's files, removed with it.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("muster-test-{:016x}", rand::random::<u64>()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    /// Writes a file and gives its path.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A fault that holds one request for longer than any test takes.
pub fn hold(method: &str, path: &str, skip: usize, after_effect: bool) -> muster::simulator::Fault {
    let mut fault = json!({"method": method, "path": path, "skip": skip, "delay_ms": 600_000});
    if !after_effect {
        fault["drop"] = json!("before");
    }
    serde_json::from_value(fault).expect("a fault")
}
