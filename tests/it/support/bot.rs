//! The whole bot in this process: real HTTP to the simulator, a real Postgres, and a clock that stands still until it is advanced.

use std::{sync::OnceLock, time::Duration};

use muster::{
    app::App,
    clock::Clock,
    config::{
        AdminArgs, Config, DatabaseArgs, DiscordArgs, FaceitArgs, GuildArgs, LinkingArgs, ServeArgs, WebhookArgs,
    },
    domain::ids::{MatchId, PlayerId, UserId},
    domain::record::Record,
    simulator::{Delivered, Entry, Options, Side, Simulator, WorldFile},
    store::{self, links::LinkRow},
    telemetry::{self, LogFormat, Metrics},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{
    bodies,
    database::{Database, eventually},
};

/// Longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);
pub const SECRET: &str = "a-secret-for-the-tests";

/// As players see the bot from outside: a test's browser knows that it is at `App::address` in truth.
pub const REDIRECT: &str = "http://localhost/faceit/callback";
/// Nobody looks it up: redirects to it are followed by hand.
pub const PUBLIC_URL: &str = "http://muster.test";
pub const JWT_SECRET: &str = "1:a-secret-for-the-sessions-of-the-tests";
pub const ENCRYPTION_KEYS: &str = "1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub const BOT: &str = "900000000000000001";
pub const GUILD: &str = "1000";
pub const CATEGORY: &str = "1010";
pub const LOBBY: &str = "1011";
pub const BAR: &str = "1012";

/// Everybody who may appear in a test: name, Discord id. Player `p-<name>` is his FACEIT account.
pub const PEOPLE: [&str; 14] = [
    "nova", "rex", "ada", "bo", "cleo", "dan", "eve", "finn", "gus", "hana", "ivo", "jun", "kim", "lou",
];

/// The member's Discord id.
pub fn member(name: &str) -> u64 {
    let at = PEOPLE.iter().position(|known| *known == name);
    2001 + at.unwrap_or_else(|| panic!("nobody is called {name}")) as u64
}

/// One guild, everybody in its lobby; limits so wide that no test waits for a bucket, or for its turn to identify, unless it wants to.
pub fn world() -> Value {
    let people: Vec<Value> = PEOPLE
        .iter()
        .map(|name| json!({"id": member(name).to_string(), "name": bodies::nickname(name), "voice_channel_id": LOBBY}))
        .collect();
    json!({
        "guilds": [{
            "id": GUILD, "name": "Kiosk", "bot_permissions": "53478928",
            "categories": [{"id": CATEGORY, "name": "Matches"}],
            "voice_channels": [
                {"id": LOBBY, "name": "Lobby", "parent_id": null},
                {"id": BAR, "name": "Bar", "parent_id": null},
            ],
            "members": people,
        }],
        "limits": {"member_edit": {"limit": 1000, "per_ms": 1000}, "faceit_per_second": 1000},
        "gateway": {"max_concurrency": 0},
    })
}

/// The bot, its world, and its database.
pub struct Bot {
    pub simulator: Simulator,
    pub database: Database,
    pub app: App,
    pub clock: Clock,
    pub config: Config,
    metrics: Metrics,
}

impl Bot {
    /// A bot in the usual world, with everybody of `linked` linked.
    pub async fn start(linked: &[&str]) -> Self {
        Self::start_in(world(), linked).await
    }

    pub async fn start_in(world: Value, linked: &[&str]) -> Self {
        Self::start_as(world, linked, |_| {}).await
    }

    /// With other settings than usual.
    pub async fn start_as(world: Value, linked: &[&str], change: impl FnOnce(&mut Config)) -> Self {
        let bot = Self::start_deaf(world, change).await;
        bot.listen().await;
        bot.gateway_ready().await;
        bot.link(linked).await;
        bot
    }

    /// The same, without waiting for the gateway.
    pub async fn start_deaf(world: Value, change: impl FnOnce(&mut Config)) -> Self {
        let database = Database::empty().await;
        let options = Options {
            webhook_secret: SECRET.to_owned(),
            ..Options::default()
        };
        let world = WorldFile::parse(&world.to_string()).expect("the world fits together");
        let simulator = Simulator::start(world, options).await.expect("the simulator starts");
        let mut config = config(&simulator, &database);
        change(&mut config);
        let clock = Clock::manual(Clock::system().now());
        let metrics = metrics();
        let app = App::start(&config, clock.clone(), metrics.clone())
            .await
            .expect("the bot starts");
        Self {
            simulator,
            database,
            app,
            clock,
            config,
            metrics,
        }
    }

    /// Discord and FACEIT are told where the bot is, and Discord which commands there are.
    async fn listen(&self) {
        let here = |path| Some(format!("http://{}/{path}", self.app.address));
        self.simulator.set_webhook_target(here("faceit-webhook"));
        self.simulator.set_interactions_target(here("interactions"));
        let guild = self.config.commands_guild.map(|guild| guild.to_string());
        eventually("Discord knows the commands", || async {
            !self.simulator.commands(guild.as_deref()).expect("an id").is_empty()
        })
        .await;
    }

    /// Waits until the bot has a session with the gateway, and has taken in and booked all that it was told: it knows who sits where.
    pub async fn gateway_ready(&self) {
        eventually("the bot listens to the gateway and has caught up", || async {
            self.heard_up_to().is_some_and(|heard| !heard.is_empty())
        })
        .await;
    }

    /// The last event that was told on each open session; None unless the bot has taken in all of them, and booked what follows.
    fn heard_up_to(&self) -> Option<Vec<(String, u64)>> {
        let sessions = self.simulator.gateway().sessions.into_iter();
        let open = sessions.filter(|session| session.connected && session.bot_id.to_string() == BOT);
        open.map(|session| {
            let shard = u32::try_from(session.shard.0).expect("a small number");
            let told = (session.session_id, session.seq);
            (self.app.shards.caught_up(shard).as_ref() == Some(&told)).then_some(told)
        })
        .collect()
    }

    /// Ends the bot and starts it anew, as a deploy does.
    pub async fn restart(self) -> Self {
        self.restart_after(async |_| {}).await
    }

    /// The same; meanwhile, while nobody listens, this happens.
    pub async fn restart_after(self, meanwhile: impl AsyncFnOnce(&Simulator)) -> Self {
        self.restart_as(async move |simulator: &Simulator, _: &mut Config| meanwhile(simulator).await)
            .await
    }

    /// The same, and it comes back with other settings.
    pub async fn restart_as(self, meanwhile: impl AsyncFnOnce(&Simulator, &mut Config)) -> Self {
        let Self {
            simulator,
            database,
            app,
            clock,
            mut config,
            metrics,
        } = self;
        assert!(app.stop().await, "the bot stopped in time");
        meanwhile(&simulator, &mut config).await;
        let app = App::start(&config, clock.clone(), metrics.clone())
            .await
            .expect("the bot starts again");
        let bot = Self {
            simulator,
            database,
            app,
            clock,
            config,
            metrics,
        };
        bot.listen().await;
        bot.gateway_ready().await;
        bot
    }

    pub async fn link(&self, names: &[&str]) {
        let rows: Vec<LinkRow> = names
            .iter()
            .map(|name| LinkRow {
                player: PlayerId::new(format!("p-{name}")),
                user: UserId::new(member(name)).expect("above zero"),
                nickname: bodies::nickname(name),
            })
            .collect();
        let mut tx = self.app.sync.sources.pool.begin().await.expect("a transaction");
        let imported = store::links::import(&mut tx, &rows, self.clock.now())
            .await
            .expect("the database answers");
        imported.expect("no clash");
        tx.commit().await.expect("committed");
    }

    /// FACEIT now says this of a match.
    pub fn faceit_says(&self, game: &bodies::Match) {
        self.simulator.put_match(&game.id, &game.api()).expect("a match body");
    }

    /// FACEIT's webhook.
    pub async fn deliver(&self, body: &Value) -> Delivered {
        self.simulator.deliver(body).await.expect("the bot can be reached")
    }

    /// Both, and everything that follows.
    pub async fn play(&self, game: &bodies::Match, event: &str, version: i64) {
        self.faceit_says(game);
        let answer = self.deliver(&game.webhook(event, version)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.settle().await;
    }

    /// Waits until nothing is due and nothing runs, and until the bot has taken in everything that the gateway told it. A connection to the
    /// gateway that is down is not waited for: see `gateway_ready`.
    pub async fn settle(&self) {
        let mut ticks = interval(Duration::from_millis(5));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let settled = timeout(PATIENCE, async {
            loop {
                ticks.tick().await;
                self.app.wake.notify_one();
                let Some(heard) = self.heard_up_to() else { continue };
                let Ok(mut conn) = self.app.sync.sources.pool.acquire().await else {
                    continue;
                };
                let Ok(counts) = store::jobs::counts(&mut conn, self.clock.now()).await else {
                    continue;
                };
                // A run that ended meanwhile has changed something in Discord, or nothing at all.
                if counts.waiting == 0 && counts.running == 0 && self.heard_up_to() == Some(heard) {
                    return;
                }
            }
        });
        if settled.await.is_err() {
            panic!(
                "it does not come to rest; the jobs: {:#?}\n{}",
                self.jobs().await,
                self.picture()
            );
        }
    }

    /// Lets time pass, for us and for Discord and FACEIT, and waits for what follows.
    pub async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.simulator.advance(by);
        self.settle().await;
    }

    pub async fn jobs(&self) -> Vec<store::jobs::Job> {
        let mut conn = self.app.sync.sources.pool.acquire().await.expect("a connection");
        store::jobs::list(&mut conn).await.expect("the jobs")
    }

    pub async fn record(&self, id: &str) -> Record {
        let mut conn = self.app.sync.sources.pool.acquire().await.expect("a connection");
        store::records::load(&mut conn, &MatchId::new(id))
            .await
            .expect("loaded")
            .expect("the match is known")
    }

    /// What a page of the bot's answers: the status and the text.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.app.address);
        let answer = super::service::client().get(url).send().await.expect("it answers");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    }

    /// Whether a statement like this one waits for a lock of ours.
    pub async fn is_blocked(&self, statement: &str) -> bool {
        let query = "select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock' and query ilike $1";
        let mut conn = self.app.sync.sources.pool.acquire().await.expect("a connection");
        let row = sqlx::query_scalar::<_, i64>(query)
            .bind(statement)
            .fetch_one(&mut *conn)
            .await;
        row.expect("the database answers") > 0
    }

    pub fn picture(&self) -> String {
        self.simulator.picture(None).expect("there is a guild")
    }

    /// The voice channels in the category and who sits in them.
    pub fn channels(&self) -> Vec<(String, Vec<String>)> {
        let guild = self.simulator.guild(GUILD).expect("there is a guild");
        let channels = guild["channels"].as_array().expect("channels").iter();
        let mut channels: Vec<_> = channels
            .filter(|channel| channel["parent_id"] == CATEGORY)
            .map(|channel| {
                let members = channel["members"].as_array().expect("members").iter();
                let mut names: Vec<String> = members.filter_map(|id| name_of(id.as_str()?)).collect();
                names.sort();
                (channel["name"].as_str().unwrap_or_default().to_owned(), names)
            })
            .collect();
        channels.sort();
        channels
    }

    /// Where somebody sits; None when he is not in voice.
    pub fn seat(&self, name: &str) -> Option<String> {
        let guild = self.simulator.guild(GUILD).expect("there is a guild");
        let id = member(name).to_string();
        let sits = |channel: &&Value| {
            channel["members"]
                .as_array()
                .is_some_and(|members| members.contains(&json!(id)))
        };
        guild["channels"].as_array()?.iter().find(sits)?["name"]
            .as_str()
            .map(str::to_owned)
    }

    pub fn connect(&self, name: &str, channel: &str) {
        self.simulator
            .connect(GUILD, &member(name).to_string(), channel)
            .expect("he can be there");
    }

    pub fn disconnect(&self, name: &str) {
        self.simulator
            .disconnect(GUILD, &member(name).to_string())
            .expect("he was in voice");
    }

    /// Discord requests since the journal was cleared, as `METHOD path status`; what the bot asks about itself and says of its commands is left
    /// out.
    pub fn calls(&self) -> Vec<String> {
        let left_out = ["/users/@me", "/gateway/bot", "/applications/@me", "/commands"];
        let of_discord =
            |entry: &Entry| entry.side == Side::Discord && !left_out.iter().any(|path| entry.path.ends_with(path));
        let journal = self.simulator.journal().into_iter().filter(of_discord);
        journal
            .map(|entry| format!("{} {} {}", entry.method, entry.path, entry.status))
            .collect()
    }

    /// Ends the test: nothing dead, nothing due, nothing unknown, no orphan.
    pub async fn finish(self) {
        self.settle().await;
        let jobs = self.jobs().await;
        let troubled: Vec<_> = jobs
            .iter()
            .filter(|job| job.dead_at.is_some() || job.last_error.is_some())
            .collect();
        assert!(troubled.is_empty(), "jobs in trouble: {troubled:#?}");
        assert_eq!(
            self.simulator.unknown_requests(),
            vec![],
            "requests that the simulator doesn't know"
        );
        let mut bound = Vec::new();
        let mut conn = self.app.sync.sources.pool.acquire().await.expect("a connection");
        for id in store::records::open(&mut conn).await.expect("open matches") {
            let record = store::records::load(&mut conn, &id)
                .await
                .expect("loaded")
                .expect("it is open");
            bound.extend(
                record
                    .slots
                    .values()
                    .filter_map(|slot| slot.channel)
                    .map(|channel| channel.to_string()),
            );
        }
        drop(conn);
        let guild = self.simulator.guild(GUILD).expect("there is a guild");
        let in_category = |channel: &&Value| channel["parent_id"] == CATEGORY;
        let standing: Vec<_> = guild["channels"]
            .as_array()
            .expect("channels")
            .iter()
            .filter(in_category)
            .collect();
        for channel in &standing {
            let id = channel["id"].as_str().expect("an id");
            assert!(
                bound.iter().any(|known| known == id),
                "an orphan: {}\n{}",
                channel["name"],
                self.picture()
            );
        }
        assert_eq!(
            standing.len(),
            bound.len(),
            "a channel that is ours is missing in Discord"
        );
        assert!(self.app.stop().await, "the bot stopped in time");
    }
}

fn name_of(id: &str) -> Option<String> {
    let at: usize = id.parse().ok()?;
    PEOPLE.get(at.checked_sub(2001)?).map(|name| (*name).to_owned())
}

fn config(simulator: &Simulator, database: &Database) -> Config {
    let some = |text: &str| Some(text.to_owned());
    let addresses = simulator.addresses();
    let args = ServeArgs {
        database: DatabaseArgs {
            database_url: some(database.url().expose_secret()),
            database_connections: some("8"),
        },
        faceit: FaceitArgs {
            faceit_api_key: some("key"),
            faceit_api_url: some(&addresses.faceit_api),
        },
        webhook: WebhookArgs {
            faceit_webhook_secret: some(SECRET),
            ..WebhookArgs::default()
        },
        discord: DiscordArgs {
            discord_token: some(&addresses.bot_token),
            discord_api_url: some(&addresses.discord_api),
            ..DiscordArgs::default()
        },
        guild: GuildArgs {
            discord_guild_id: some(GUILD),
            vc_category_id: some(CATEGORY),
            lobby_channel_id: some(LOBBY),
            ..GuildArgs::default()
        },
        linking: LinkingArgs {
            faceit_client_id: some("simulated-faceit-client"),
            faceit_client_secret: some("simulated-faceit-secret"),
            faceit_redirect_uri: some(REDIRECT),
            faceit_accounts_url: some(&addresses.faceit_accounts),
            faceit_auth_url: some(&addresses.faceit_auth),
            discord_public_key: some(&addresses.discord_public_key),
            ..LinkingArgs::default()
        },
        admin: AdminArgs {
            discord_client_id: some(BOT),
            discord_client_secret: some("simulated-client-secret"),
            public_url: some(PUBLIC_URL),
            jwt_secret: some(JWT_SECRET),
            muster_encryption_keys: some(ENCRYPTION_KEYS),
            operator_ids: some(&member("lou").to_string()),
            discord_authorize_url: some(&addresses.discord_authorize),
            rate_limit_auth: some("1000/1"),
            rate_limit_user: some("1000/1"),
            rate_limit_guild: some("1000/1"),
            ..AdminArgs::default()
        },
        listen_addr: some("127.0.0.1:0"),
        ..ServeArgs::default()
    };
    args.parse().expect("the settings are complete")
}

/// Logging and metrics are set up once per process.
pub fn metrics() -> Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS
        .get_or_init(|| telemetry::init(LogFormat::Text).expect("nobody else sets them up"))
        .clone()
}
