//! Settings from flags and environment, checked all at once: a start with mistakes names every one of them. Nothing is read from files.

mod admin;
mod args;
mod check;
mod linking;
mod problems;
mod text;

use std::{collections::BTreeSet, fmt, time::Duration};

use secrecy::SecretString;
use url::Url;

pub use admin::{AdminArgs, KeysArgs};
pub use args::{DatabaseArgs, DiscordArgs, FaceitArgs, GuildArgs, LogArgs, PlanArgs, ServeArgs, WebhookArgs};
pub use linking::{Linking, LinkingArgs};
pub use problems::{Problem, Problems};

use crate::{
    domain::{
        ids::{ChannelId, GuildId, RoleId},
        settings::{OpenWhen, ReturnTo, Settings},
    },
    telemetry::LogFormat,
    web,
};

/// Everything `muster serve` needs. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: Listen,
    pub database: Database,
    pub faceit: Faceit,
    pub webhook: Webhook,
    pub discord: Discord,
    pub guild: Guild,
    /// Signing in at FACEIT; none: players can only be linked by name.
    pub linking: Option<Linking>,
    /// Verifies commands that Discord sends over HTTP; none: they come over the gateway only.
    pub public_key: Option<[u8; 32]>,
    /// Commands show only here, and at once; for development.
    pub commands_guild: Option<GuildId>,
    /// The admin part, when it is set up.
    pub admin: Option<web::auth::Settings>,
    /// So many proxies in front of us add to `X-Forwarded-For`.
    pub proxies: usize,
    /// Jobs run at the same time, 1 to 256.
    pub workers: usize,
    /// Stored deliveries are deleted after this long.
    pub delivery_retention: Duration,
    pub log_format: LogFormat,
    /// Things that work but should not be so; to be logged once at the start.
    pub warnings: Vec<String>,
}

/// What `muster plan` and `muster replay --dry-run` need: they look, and change nothing.
#[derive(Clone, Debug)]
pub struct PlanConfig {
    pub database: Database,
    pub faceit: Faceit,
    pub guild: Guild,
}

/// Where to listen; `Display` is what `TcpListener::bind` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// A host name or an address, IPv6 without brackets.
    pub host: String,
    /// 0 takes a free one.
    pub port: u16,
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The PostgreSQL database.
#[derive(Clone, Debug)]
pub struct Database {
    /// Holds the password, therefore secret.
    pub url: SecretString,
    /// At most this many connections in the pool.
    pub connections: u32,
}

/// FACEIT's Data API.
#[derive(Clone, Debug)]
pub struct Faceit {
    pub key: SecretString,
    /// Without a slash at the end of the path.
    pub url: Url,
}

/// How FACEIT's calls prove who they are.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub secret: SecretString,
    /// The header that carries the secret.
    pub header: String,
    /// The query parameter that may carry it instead.
    pub query: Option<String>,
}

/// The bot.
#[derive(Clone, Debug)]
pub struct Discord {
    pub token: SecretString,
    /// Tokens of further bots that share the moves.
    pub movers: Vec<SecretString>,
    /// Ends in `/api/v10`.
    pub api: Url,
    /// Another gateway than the one Discord names; for tests.
    pub gateway: Option<Url>,
    /// Another number of gateway connections than Discord recommends.
    pub shards: Option<u32>,
}

/// The Discord server and how matches look in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guild {
    /// None: only guilds that claim competitions have matches.
    pub id: Option<GuildId>,
    pub category: Option<ChannelId>,
    pub overflow: bool,
    pub lobby: Option<ChannelId>,
    pub source_channels: BTreeSet<ChannelId>,
    pub staff_roles: BTreeSet<RoleId>,
    pub spectator_roles: BTreeSet<RoleId>,
    pub user_limit: u16,
    pub open_when: OpenWhen,
    pub return_to: ReturnTo,
    pub grace: Duration,
    pub max_age: Duration,
    pub name_template: String,
}

impl Guild {
    /// The domain's settings of the default guild, if there is one.
    pub fn settings(&self) -> Option<Settings> {
        Some(Settings {
            category: self.category,
            overflow: self.overflow,
            lobby: self.lobby,
            source_channels: self.source_channels.clone(),
            staff_roles: self.staff_roles.clone(),
            spectator_roles: self.spectator_roles.clone(),
            user_limit: self.user_limit,
            open_when: self.open_when,
            return_to: self.return_to,
            grace: self.grace,
            max_age: self.max_age,
            name_template: self.name_template.clone(),
            ..Settings::new(self.id?)
        })
    }
}

/// Checks the settings of `muster serve`.
pub fn parse(args: ServeArgs) -> Result<Config, Problems> {
    args.parse()
}
