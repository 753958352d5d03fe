//! Who is there: signing in with Discord, sessions, their tokens, and what somebody may do in a guild. Decided here from Discord's data,
//! never from what a client says.

pub mod account;
pub mod cookies;
pub mod for_browsers;
pub mod jwt;
pub mod limits;
pub mod login;
pub mod roles;
pub mod session;
pub mod tokens;

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use futures::future::BoxFuture;
use moka::future::Cache;
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use url::Url;

use self::{
    cookies::Cookies,
    jwt::Keys,
    limits::{Limits, Windows},
    roles::{InstalledIn, OwnGuilds, RolesOf},
};
use crate::{
    clock::Clock,
    discord::{self, oauth::OAuth},
    domain::{
        ids::{GuildId, UserId},
        settings as guild,
    },
    faceit,
    seal::Ring,
    store::{self, audit::Actor},
    web::{api::live::Hub, refused::Refused, service::Service},
};

/// The settings of the admin part.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The application's id at Discord.
    pub client_id: String,
    pub client_secret: SecretString,
    /// Where people reach us: scheme, host and port.
    pub public_url: Url,
    /// The consent page.
    pub authorize_url: Url,
    pub jwt: Keys,
    pub ring: Ring,
    /// Origins of pages that may call us from browsers, besides our own.
    pub frontends: Vec<String>,
    /// Who may see deliveries and pause everything.
    pub operators: BTreeSet<UserId>,
    pub windows: Windows,
    /// Live connections of one person in one process, at most.
    pub live_per_user: usize,
}

impl Settings {
    /// Where Discord sends people back to.
    pub fn callback(&self) -> Url {
        let mut url = self.public_url.clone();
        url.set_path("/api/auth/callback");
        url
    }
}

/// What the admin part is given of the service.
pub struct Parts {
    pub pool: store::Pool,
    pub clock: Clock,
    /// The bot.
    pub discord: discord::Client,
    pub faceit: faceit::client::Client,
    /// The guild of the environment; its settings count as long as none are stored for it.
    pub default_guild: Option<guild::Settings>,
    /// Wakes the queue; fire it after booking a job.
    pub wake: Arc<Notify>,
    /// So many proxies in front of us add to `X-Forwarded-For`.
    pub proxies: usize,
    /// Looks whether all is in place for a guild.
    pub examine: Examine,
    pub service: Service,
    /// For what must come to its end although nobody waits for it any more.
    pub tasks: TaskTracker,
}

/// Gives a report as JSON; costs calls to Discord.
pub type Examine = Arc<dyn Fn(GuildId) -> BoxFuture<'static, Value> + Send + Sync>;

/// What every handler of the admin part needs.
pub struct Admin {
    pub settings: Settings,
    pub pool: store::Pool,
    pub clock: Clock,
    /// The bot.
    pub discord: discord::Client,
    pub oauth: OAuth,
    pub faceit: faceit::client::Client,
    /// Wakes the queue; fire it after booking a job.
    pub wake: Arc<Notify>,
    pub service: Service,
    pub(super) proxies: usize,
    /// Said once.
    pub(super) told_of_a_proxy: AtomicBool,
    /// Who is told at once what changes.
    pub live: Arc<Hub>,
    tasks: TaskTracker,
    examine: Examine,
    examined: Cache<GuildId, Value>,
    default_guild: Option<guild::Settings>,
    pub(super) cookies: Cookies,
    pub(in crate::web) limits: Limits,
    own_guilds: Cache<UserId, Arc<OwnGuilds>>,
    roles_of: Cache<(GuildId, UserId), Arc<RolesOf>>,
    installed: Cache<(), Arc<InstalledIn>>,
}

/// People cached at once, at most.
const CACHED: u64 = 10_000;
/// What is cached is never used after this long.
const FRESH: Duration = Duration::from_secs(60);
/// A report costs many calls.
const EXAMINED: Duration = Duration::from_secs(15);

impl Admin {
    /// `api` is the base of Discord's REST API.
    pub fn new(settings: Settings, parts: Parts, api: &Url) -> Result<Self, discord::oauth::Error> {
        let Parts {
            pool,
            clock,
            discord,
            faceit,
            default_guild,
            wake,
            proxies,
            examine,
            service,
            tasks,
        } = parts;
        let oauth = OAuth::new(
            api,
            &settings.authorize_url,
            &settings.client_id,
            settings.client_secret.clone(),
        )?;
        let secure = settings.public_url.scheme() == "https";
        Ok(Self {
            cookies: Cookies::new(&settings.jwt.cookie_key(), secure),
            limits: Limits::new(settings.windows, &clock),
            live: Arc::new(Hub::new(clock.clone(), settings.live_per_user)),
            own_guilds: Cache::builder().max_capacity(CACHED).time_to_live(FRESH).build(),
            roles_of: Cache::builder().max_capacity(CACHED).time_to_live(FRESH).build(),
            installed: Cache::builder().max_capacity(1).time_to_live(FRESH).build(),
            settings,
            pool,
            clock,
            discord,
            oauth,
            faceit,
            wake,
            service,
            proxies,
            told_of_a_proxy: AtomicBool::new(false),
            tasks,
            examine,
            examined: Cache::builder().max_capacity(CACHED).time_to_live(EXAMINED).build(),
            default_guild,
        })
    }

    /// Where Discord sends people back to.
    pub fn callback(&self) -> Url {
        self.settings.callback()
    }

    /// Our own origin, as browsers write it.
    pub fn origin(&self) -> String {
        self.settings.public_url.origin().ascii_serialization()
    }

    /// Where people get to who signed in and named no page: a page elsewhere, when there is one, begins at its root; we have none there.
    pub fn start(&self) -> &'static str {
        if self.settings.frontends.is_empty() {
            "/api/docs"
        } else {
            "/"
        }
    }

    pub fn is_operator(&self, user: UserId) -> bool {
        self.settings.operators.contains(&user)
    }

    /// A report of a guild, made once for all who ask within a short time.
    pub async fn examine(&self, guild: GuildId) -> Value {
        self.examined.get_with(guild, (self.examine)(guild)).await
    }

    /// Somebody who is signed in, for the audit log.
    pub async fn actor(&self, user: UserId) -> Result<Actor, Refused> {
        let mut connection = self.pool.acquire().await.map_err(store::Error::from)?;
        let stored = store::users::find(&mut connection, user).await?;
        let stored = stored.ok_or_else(Refused::unauthorized)?;
        Ok(Actor::web(user, stored.profile.username))
    }

    /// Removes what has expired; to be called now and then.
    pub async fn tidy(&self) -> Result<(), store::Error> {
        self.limits.tidy();
        let mut connection = self.pool.acquire().await?;
        store::sessions::remove_expired(&mut connection, self.clock.now()).await?;
        Ok(())
    }
}
