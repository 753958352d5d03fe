//! The service as a whole: clients, queue, web and sweep wired together, started, and stopped gracefully.

mod commands;
mod database;
pub mod examine;
mod linking;
mod serve;
mod service;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};

pub use database::connect;
pub use serve::serve;

use crate::{
    clock::Clock,
    commands::Commands,
    config::Config,
    discord,
    domain::{job::Claim, settings::Settings},
    faceit::{self, secret::Secret},
    gateway::{self, Gateway},
    queue, store,
    sync::{self, Recent, Sources, Sync},
    telemetry::Metrics,
    web::{self, Web, auth::Admin, intake::Intake},
};

/// How often open matches without a job, lost matches and old deliveries are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How often histograms are folded together.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);
/// How long a stop waits for running jobs before it breaks them off; what they began is found again after the next start.
const HARD_STOP: Duration = Duration::from_secs(30);

/// A running service.
pub struct App {
    pub address: SocketAddr,
    pub sync: Sync,
    /// Who sits where, as the gateway tells it.
    pub voice: discord::VoiceMap,
    /// How the connections to the gateway stand.
    pub shards: discord::Shards,
    /// Fire it after booking a job or moving a manual clock.
    pub wake: Arc<Notify>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl App {
    /// Migrates the database and starts everything. Time is what `clock` says.
    pub async fn start(config: &Config, clock: Clock, metrics: Metrics) -> anyhow::Result<Self> {
        choose_tls();
        let pool = store::connect(&config.database.url, config.database.connections)?;
        database::migrate(&pool).await?;
        let sources = sources(pool.clone(), &config.faceit, config.guild.settings(), clock.clone())?;
        let (look_out, halted) = watch::channel(false);
        let sync = Sync {
            sources,
            discord: discord_client(&config.discord)?,
            voice: discord::VoiceMap::default(),
            recent: Recent::default(),
            halted,
        };
        let listen = (config.listen.host.as_str(), config.listen.port);
        let listener = TcpListener::bind(listen).await.with_context(|| {
            format!(
                "can't listen on {}:{}; is something else running there? (PORT, LISTEN_ADDR)",
                listen.0, listen.1
            )
        })?;
        let address = listener.local_addr()?;
        let app = Self {
            address,
            voice: sync.voice.clone(),
            shards: discord::Shards::default(),
            sync,
            wake: Arc::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let (standing_by, stands_by) = watch::channel(false);
        let admin = app.admin(config, &pool, &clock)?;
        let commands = app.commands(config, &clock, admin.as_ref());
        app.spawn_queue(config, clock.clone(), stands_by, commands.clone());
        app.spawn_gateway(
            config,
            clock.clone(),
            standing_by,
            app.interactions_of_gateway(&commands),
        );
        app.spawn_look_out(look_out);
        app.spawn_sweep(config.delivery_retention);
        app.spawn_upkeep(metrics.clone());
        let secret = Secret::new(
            config.webhook.secret.clone(),
            &config.webhook.header,
            config.webhook.query.clone(),
        );
        let render = Arc::new(move || metrics.render());
        let linking = app.linking(config, &pool, &clock)?;
        let (intake, writers) = Intake::new(&pool, &app.wake);
        for writer in writers {
            app.tasks.spawn(writer.run());
        }
        let interactions = app.interactions(config, &clock, &commands)?;
        if let Some(admin) = &admin {
            app.spawn_tidying(admin.clone());
            app.spawn_live(admin);
        }
        let web = Web {
            pool,
            clock,
            secret: Arc::new(secret),
            intake,
            admin,
            metrics: render,
            shards: app.shards.clone(),
            voice: app.voice.clone(),
            token_is_bad: {
                let discord = app.sync.discord.clone();
                Arc::new(move || discord.token_is_bad())
            },
            movers: {
                let discord = app.sync.discord.clone();
                Arc::new(move || (discord.movers() > 0).then(|| discord.left_out()))
            },
            examine: examine::for_the_web(config, &app.sync)?,
            examined: web::Examined::default(),
            linking,
            interactions,
        };
        app.spawn_web(listener, web);
        app.tasks.close();
        Ok(app)
    }

    fn spawn_queue(&self, config: &Config, clock: Clock, standing_by: watch::Receiver<bool>, commands: Commands) {
        let options = queue::Options {
            workers: config.workers,
            standing_by: Some(standing_by),
            ..queue::Options::default()
        };
        let (sync, stop) = (self.sync.clone(), self.stop.clone());
        let handler = move |worker, claim: Claim| {
            let (sync, commands, stop) = (sync.clone(), commands.clone(), stop.clone());
            async move {
                match claim.key.erasing_number() {
                    Some(number) => commands.erase(worker, &claim, number, &stop).await,
                    None => sync.run(worker, claim, stop).await,
                }
            }
        };
        let pool = self.sync.sources.pool.clone();
        self.tasks.spawn(queue::run(
            pool,
            clock,
            options,
            self.wake.clone(),
            self.stop.clone(),
            handler,
        ));
    }

    fn spawn_gateway(
        &self,
        config: &Config,
        clock: Clock,
        standing_by: watch::Sender<bool>,
        interactions: gateway::Interactions,
    ) {
        let gateway = Gateway {
            pool: self.sync.sources.pool.clone(),
            clock,
            discord: self.sync.discord.clone(),
            voice: self.voice.clone(),
            shards: self.shards.clone(),
            wake: self.wake.clone(),
            standing_by,
            interactions: Some(interactions),
            options: gateway::Options {
                token: config.discord.token.clone(),
                url: config.discord.gateway.clone(),
                shards: config.discord.shards,
            },
            stop: self.stop.clone(),
        };
        self.tasks.spawn(gateway.run());
    }

    /// Hears of the operators' pause.
    fn spawn_look_out(&self, halted: watch::Sender<bool>) {
        let (pool, stop) = (self.sync.sources.pool.clone(), self.stop.clone());
        self.tasks
            .spawn(async move { stop.run_until_cancelled(sync::look_out(pool, halted)).await });
    }

    fn spawn_sweep(&self, retention: Duration) {
        let (sync, wake) = (self.sync.clone(), self.wake.clone());
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let mut ticks = interval(SWEEP_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                match stop.run_until_cancelled(sync.sweep(retention)).await {
                    Some(Ok(swept)) if swept.rebooked + swept.discovered > 0 => wake.notify_one(),
                    Some(Ok(_)) | None => {}
                    Some(Err(error)) => warn!(%error, "a sweep was cut short; the next one is in a minute"),
                }
            }
        });
    }

    /// The admin part, if it is set up.
    fn admin(&self, config: &Config, pool: &store::Pool, clock: &Clock) -> anyhow::Result<Option<Arc<Admin>>> {
        let Some(settings) = config.admin.clone() else {
            info!(
                "the admin part is off; to switch it on, set DISCORD_CLIENT_ID and what README's Admin chapter lists"
            );
            return Ok(None);
        };
        info!(public_url = %settings.public_url, "the admin part is on");
        let parts = web::auth::Parts {
            pool: pool.clone(),
            clock: clock.clone(),
            discord: self.sync.discord.clone(),
            faceit: self.sync.sources.faceit.clone(),
            default_guild: config.guild.settings(),
            wake: self.wake.clone(),
            proxies: config.proxies,
            examine: examine::for_a_guild(&self.sync),
            service: self.service(),
            tasks: self.tasks.clone(),
        };
        let admin = Admin::new(settings, parts, &config.discord.api)?;
        Ok(Some(Arc::new(admin)))
    }

    /// Removes sessions that have expired.
    fn spawn_tidying(&self, admin: Arc<Admin>) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let mut ticks = interval(SWEEP_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                if let Some(Err(error)) = stop.run_until_cancelled(admin.tidy()).await {
                    warn!(%error, "expired sessions were not removed; the next try is in a minute");
                }
            }
        });
    }

    /// Tells those who watch what changes.
    fn spawn_live(&self, admin: &Admin) {
        let (live, pool, stop) = (admin.live.clone(), admin.pool.clone(), self.stop.clone());
        self.tasks.spawn(async move { live.run(pool, stop).await });
    }

    fn spawn_upkeep(&self, metrics: Metrics) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let mut ticks = interval(UPKEEP_EVERY);
            while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                metrics.upkeep();
            }
        });
    }

    fn spawn_web(&self, listener: TcpListener, web: Web) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let service = web::router(web).into_make_service_with_connect_info::<SocketAddr>();
            let served = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
            if let Err(error) = served.await {
                error!(%error, "the web server ended; stopping");
                stop.cancel();
            }
        });
    }

    /// Resolves when a part of the service ended by itself.
    pub async fn ended(&self) {
        self.stop.cancelled().await;
    }

    /// Takes no more work, lets the running wave finish, and breaks off after 30 s. Says whether all was finished.
    pub async fn stop(self) -> bool {
        self.stop.cancel();
        timeout(HARD_STOP, self.tasks.wait()).await.is_ok()
    }
}

/// Before any client is made: libraries that bring their own choice of a TLS provider would make rustls refuse to choose.
pub fn choose_tls() {
    // An error means that it has been chosen already; there is only this one in the tree.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// The readable world of a configuration: for the service, and for commands that only look.
pub fn sources(
    pool: store::Pool,
    faceit: &crate::config::Faceit,
    default_guild: Option<Settings>,
    clock: Clock,
) -> anyhow::Result<Sources> {
    let options = faceit::client::Options::new(faceit.url.clone(), faceit.key.clone(), clock.clone());
    let faceit = faceit::client::Client::new(options)?;
    Ok(Sources {
        pool,
        faceit,
        clock,
        default_guild: default_guild.map(Arc::new),
    })
}

/// The client for all of the configured bots.
pub fn discord_client(config: &crate::config::Discord) -> Result<discord::Client, discord::Error> {
    let mut options = discord::client::Options::new(config.api.clone(), config.token.clone());
    options.movers.clone_from(&config.movers);
    discord::client::Client::new(options)
}
