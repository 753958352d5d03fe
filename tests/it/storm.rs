//! Many matches in bad weather: faults, crashes, deliveries lost, repeated and shuffled; at the end nothing is left, and no job is dead.
//! `MUSTER_STORM=1000` sets how many matches, `MUSTER_STORM_SEED` repeats a run.
#![expect(
    clippy::disallowed_methods,
    reason = "how many matches comes from the environment; measures by the wall clock"
)]

use std::{
    collections::BTreeMap,
    env,
    sync::Arc,
    time::{Duration, Instant},
};

use muster::domain::job::JobKey;
use muster::{
    clock::Clock,
    discord,
    domain::ids::{ChannelId, GuildId, PlayerId, UserId},
    domain::settings::Settings,
    faceit::{self, webhook::Delivery},
    queue,
    simulator::{Options, Simulator, WorldFile},
    store::{self, Pool, deliveries::NewDelivery, links::LinkRow},
    sync::{Sources, Sync},
};
use rand::{
    RngExt as _, SeedableRng,
    rngs::StdRng,
    seq::{IndexedRandom as _, SliceRandom as _},
};
use serde_json::{Value, json};
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::support::{
    bodies::{Match, game},
    database::{Database, eventually},
};

/// Matches that stand at the same time: a guild has room for 500 channels, and a category for 50.
const AT_ONCE: usize = 100;
const GUILD: u64 = 1000;
const LOBBY: u64 = 1011;
/// So many calls at least are made while anything is patient, and so often: more than any weather asks for.
const PACE: usize = 50;
const STEPS: usize = 100;
/// Holds a quarter of what stands at the same time.
const CATEGORY: u64 = 1010;

/// The shells of the service without the web: several queues on one database, that can be broken off.
struct Weather {
    simulator: Simulator,
    pool: Pool,
    clock: Clock,
    wake: Arc<Notify>,
    dice: StdRng,
    services: Vec<(JoinSet<()>, Pool)>,
    crashes: usize,
    deliveries: usize,
    database: Database,
}

impl Weather {
    async fn new(seed: u64) -> Self {
        let members: Vec<Value> = (0..2 * AT_ONCE)
            .map(|n| json!({"id": (2001 + n).to_string(), "name": format!("m{n}"), "voice_channel_id": LOBBY.to_string()}))
            .collect();
        let plenty = json!({"limit": 100_000, "per_ms": 1000});
        let world = json!({
            "guilds": [{
                "id": GUILD.to_string(), "name": "Storm", "bot_permissions": "53478928",
                "categories": [{"id": CATEGORY.to_string(), "name": "Matches"}],
                "voice_channels": [{"id": LOBBY.to_string(), "name": "Lobby", "parent_id": null}],
                "members": members,
            }],
            "limits": {
                "member_edit": plenty, "channel_create": plenty, "channel_delete": plenty, "other": plenty,
                "overwrite_edit": plenty, "global_per_second": 100_000, "faceit_per_second": 100_000,
            },
        });
        let world = WorldFile::parse(&world.to_string()).expect("the world fits together");
        let simulator = Simulator::start(world, Options::default())
            .await
            .expect("the simulator starts");
        let database = Database::migrated().await;
        let clock = Clock::manual(Clock::system().now());
        let pool = database.pool(4);
        let rows: Vec<LinkRow> = (0..2 * AT_ONCE)
            .map(|n| LinkRow {
                player: PlayerId::new(format!("p-m{n}")),
                user: UserId::new(2001 + n as u64).expect("above zero"),
                nickname: format!("m{n}"),
            })
            .collect();
        let mut tx = pool.begin().await.expect("a transaction");
        let imported = store::links::import(&mut tx, &rows, clock.now())
            .await
            .expect("imported");
        imported.expect("no clash");
        tx.commit().await.expect("committed");
        let mut weather = Self {
            simulator,
            pool,
            clock,
            wake: Arc::default(),
            dice: StdRng::seed_from_u64(seed),
            services: Vec::new(),
            crashes: 0,
            deliveries: 0,
            database,
        };
        for _ in 0..2 {
            let service = weather.service();
            weather.services.push(service);
        }
        weather
    }

    /// With a pool of its own, so that its connections go with it.
    fn service(&self) -> (JoinSet<()>, Pool) {
        let pool = self.database.pool(24);
        let addresses = self.simulator.addresses();
        let url = |text: &str| reqwest::Url::parse(text).expect("an address");
        let mut options = faceit::client::Options::new(url(&addresses.faceit_api), "key".into(), self.clock.clone());
        options.calls_per_second = 10_000;
        let sync = Sync {
            sources: Sources {
                pool: pool.clone(),
                faceit: faceit::client::Client::new(options).expect("a client"),
                clock: self.clock.clone(),
                default_guild: Some(Arc::new(Settings {
                    lobby: ChannelId::new(LOBBY),
                    category: ChannelId::new(CATEGORY),
                    ..Settings::new(GuildId::new(GUILD).expect("above zero"))
                })),
            },
            discord: discord::client::Client::new(discord::client::Options::new(
                url(&addresses.discord_api),
                addresses.bot_token.clone().into(),
            ))
            .expect("a client"),
            recent: Default::default(),
            halted: tokio::sync::watch::channel(false).1,
            voice: discord::VoiceMap::default(),
        };
        let stop = CancellationToken::new();
        let options = queue::Options {
            workers: 24,
            ..queue::Options::default()
        };
        let mut tasks = JoinSet::new();
        let handler = {
            let stop = stop.clone();
            move |worker, claim| {
                let (sync, stop) = (sync.clone(), stop.clone());
                async move { sync.run(worker, claim, stop).await }
            }
        };
        tasks.spawn(queue::run(
            pool.clone(),
            self.clock.clone(),
            options,
            self.wake.clone(),
            stop,
            handler,
        ));
        (tasks, pool)
    }

    /// One of the services dies where it stands; another one starts.
    async fn crash(&mut self) {
        let which = self.dice.random_range(0..self.services.len());
        let fresh = self.service();
        let (mut tasks, pool) = std::mem::replace(&mut self.services[which], fresh);
        tasks.shutdown().await;
        // sqlx hands a connection back in mid-transaction when its `begin` is broken off; a process that dies takes all of them along.
        pool.close().await;
        self.crashes += 1;
    }

    fn faults(&mut self, count: usize) {
        let kinds = [
            json!({"drop": "before"}),
            json!({"drop": "after"}),
            json!({"status": 500}),
            json!({"status": 503, "after_effect": true}),
            json!({"status": 502, "body": "<html>bad gateway</html>"}),
            json!({"status": 200, "body": "<html>a page</html>"}),
            json!({"status": 429, "headers": {"retry-after": "0.2"}, "body": {"message": "", "retry_after": 0.2, "global": false}}),
            json!({"delay_ms": 200}),
            json!({"delay_ms": 20, "drop": "after"}),
        ];
        let routes = [
            ("POST", "/channels"),
            ("GET", "/channels"),
            ("DELETE", "/channels/*"),
            ("PATCH", "/members/*"),
            ("GET", "/voice-states/*"),
            ("GET", "/data/v4/matches/*"),
        ];
        for _ in 0..count {
            let (method, path) = *routes.choose(&mut self.dice).expect("routes");
            let mut fault = kinds.choose(&mut self.dice).expect("kinds").clone();
            if path.starts_with("/data") && self.dice.random_bool(0.2) {
                fault = json!({"status": 404});
            }
            fault["method"] = json!(method);
            fault["path"] = json!(path);
            fault["skip"] = json!(self.dice.random_range(0..40));
            self.simulator
                .fault(serde_json::from_value(fault).expect("a fault"))
                .expect("a fault");
        }
    }

    /// Stores deliveries as the webhook does: some never come, some come twice, and in any order.
    async fn deliver(&mut self, mut bodies: Vec<Value>) {
        let again: Vec<Value> = bodies.iter().filter(|_| self.dice.random_bool(0.2)).cloned().collect();
        bodies.retain(|_| self.dice.random_bool(0.9));
        bodies.extend(again);
        bodies.shuffle(&mut self.dice);
        let mut connection = self.pool.acquire().await.expect("a connection");
        for body in bodies {
            let raw = body.to_string().into_bytes();
            let delivery = Delivery::parse(&raw).expect("a delivery");
            let new = NewDelivery {
                received_at: self.clock.now(),
                event: &delivery.event,
                event_id: &delivery.delivery_id(),
                match_id: delivery.match_id.as_ref(),
                payload_version: delivery.payload_version,
                demo_url: delivery.demo_url.as_deref(),
                headers: json!({}),
                body: &raw,
            };
            let job = delivery.match_id.as_ref().map(JobKey::sync_match);
            store::deliveries::record(&mut connection, &new, job.as_ref())
                .await
                .expect("stored");
            self.wake.notify_one();
            self.deliveries += 1;
        }
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.simulator.advance(by);
        self.settle().await;
    }

    /// Waits until nothing is due and nothing runs. A hundred matches take as long as the machine is slow: what has to come in time is the next call
    /// to Discord or FACEIT, not the end.
    async fn settle(&self) {
        let calls = || self.simulator.answered();
        let at_rest = async || {
            self.wake.notify_one();
            let mut connection = self.pool.acquire().await.expect("a connection");
            let counts = store::jobs::counts(&mut connection, self.clock.now())
                .await
                .expect("counted");
            counts.waiting == 0 && counts.running == 0
        };
        for _ in 0..STEPS {
            let before = calls();
            eventually("nothing is due, or one goes on", || async {
                calls() > before + PACE || at_rest().await
            })
            .await;
            if at_rest().await {
                return;
            }
        }
        panic!("{} calls, and it does not come to rest", STEPS * PACE);
    }

    fn standing(&self) -> Vec<String> {
        let guild = self.simulator.guild(&GUILD.to_string()).expect("there is a guild");
        let channels = guild["channels"].as_array().expect("channels").iter();
        let ours = |name: &str| name.starts_with("match-") || name.starts_with("Matches ");
        let ours = channels.filter(|channel| channel["name"].as_str().is_some_and(ours));
        ours.map(|channel| channel["name"].to_string()).collect()
    }

    async fn count(&self, query: &'static str) -> i64 {
        let row = sqlx::query(query)
            .fetch_one(&self.pool)
            .await
            .expect("the database answers");
        sqlx::Row::get(&row, 0)
    }

    /// One lot of matches, from before their start to after their end.
    async fn lot(&mut self, first: usize, count: usize) {
        let games: Vec<Match> = (first..first + count)
            .map(|n| {
                let (a, b) = (format!("m{}", 2 * (n - first)), format!("m{}", 2 * (n - first) + 1));
                game(&format!("1-{n:08x}-0000-4000-8000-00000000abcd"), "READY", &[&a], &[&b])
            })
            .collect();
        self.faults(count);
        let mut bodies = Vec::new();
        for game in &games {
            self.simulator.put_match(&game.id, &game.api()).expect("a match");
            bodies.push(game.webhook("match_object_created", 1));
            bodies.push(game.webhook("match_status_configuring", 2));
            bodies.push(game.webhook("match_status_ready", 3));
        }
        self.deliver(bodies).await;
        self.crash().await;
        self.settle().await;
        self.advance(Duration::from_secs(61)).await;
        // Some are called off and run again, some lose their channel to a person's hand.
        let mut bodies = Vec::new();
        for game in &games {
            if self.dice.random_bool(0.2) {
                self.simulator
                    .put_match(&game.id, &game.status("CANCELLED").api())
                    .expect("a match");
                bodies.push(game.webhook("match_status_cancelled", 4));
            }
        }
        self.deliver(bodies).await;
        self.advance(Duration::from_secs(20)).await;
        self.faults(count / 2);
        for game in &games {
            self.simulator
                .put_match(&game.id, &game.status("ONGOING").api())
                .expect("a match");
        }
        self.deliver(games.iter().map(|game| game.webhook("match_status_ready", 5)).collect())
            .await;
        self.crash().await;
        self.settle().await;
        self.faults(count);
        let mut bodies = Vec::new();
        for game in &games {
            let (status, event) = *[
                ("FINISHED", "match_status_finished"),
                ("CANCELLED", "match_status_cancelled"),
                ("ABORTED", "match_status_aborted"),
            ]
            .choose(&mut self.dice)
            .expect("ends");
            if self.dice.random_bool(0.1) {
                self.simulator.remove_match(&game.id).expect("it knew the match");
            } else {
                self.simulator
                    .put_match(&game.id, &game.status(status).api())
                    .expect("a match");
            }
            bodies.push(game.webhook(event, 7));
            bodies.push(game.webhook("match_demo_ready", 8));
        }
        self.deliver(bodies).await;
        self.advance(Duration::from_secs(30)).await;
        self.crash().await;
        // The weather clears; then only time is needed.
        for _ in 0..8 {
            self.advance(Duration::from_secs(61)).await;
            self.simulator.clear_faults();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_storm_nothing_is_left_and_no_job_is_dead() {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let matches = number("MUSTER_STORM").unwrap_or(200) as usize;
    let seed = number("MUSTER_STORM_SEED").unwrap_or_else(rand::random);
    println!("MUSTER_STORM={matches} MUSTER_STORM_SEED={seed}");
    let started = Instant::now();
    let mut weather = Weather::new(seed).await;
    let mut first = 0;
    while first < matches {
        let count = AT_ONCE.min(matches - first);
        weather.lot(first, count).await;
        first += count;
    }
    let mut answers: BTreeMap<String, usize> = BTreeMap::new();
    for entry in weather.simulator.journal() {
        let kind = match entry.status {
            0 => "cut".to_owned(),
            status => format!("{}xx", status / 100),
        };
        *answers.entry(kind).or_default() += 1;
    }
    let standing = weather.standing();
    let dead = weather
        .count("select count(*) from jobs where dead_at is not null")
        .await;
    let jobs = weather.count("select count(*) from jobs").await;
    let rows = weather.count("select count(*) from active_matches").await;
    let categories = weather.count("select count(*) from overflow_categories").await;
    let made = weather.simulator.guild(&GUILD.to_string()).expect("there is a guild")["audit"]
        .as_array()
        .expect("an audit log")
        .iter()
        .filter(|entry| {
            entry["action"] == "channel_create"
                && entry["name"].as_str().is_some_and(|name| name.starts_with("Matches "))
        })
        .count();
    let open = weather
        .count("select count(*) from matches where closed_at is null")
        .await;
    println!(
        "{matches} matches, {} deliveries, {} crashes, answers {answers:?}: {made} further categories made, {} orphans, {dead} dead jobs, \
         {open} open, in {:.1} s",
        weather.deliveries,
        weather.crashes,
        standing.len(),
        started.elapsed().as_secs_f64()
    );
    assert_eq!(standing, Vec::<String>::new(), "orphans, seed {seed}");
    assert_eq!(
        (dead, jobs, rows, categories, open),
        (0, 0, 0, 0, 0),
        "dead, jobs, channels, categories, open matches; seed {seed}"
    );
}
