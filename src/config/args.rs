//! The flags and variables as they come in: texts only, so that clap never stops at the first mistake. Checked in `check`.

use clap::Args;

use crate::config::{
    AdminArgs, Config, Database, Discord, Faceit, Guild, LinkingArgs, PlanConfig, Problems, Webhook, check,
};
use crate::telemetry::LogFormat;

/// The database.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Database")]
pub struct DatabaseArgs {
    /// PostgreSQL database, for example postgres://muster:password@localhost/muster [required]
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Connections to the database, at most [default: 16]
    #[arg(long, env = "DATABASE_CONNECTIONS", value_name = "N")]
    pub database_connections: Option<String>,
}

/// FACEIT's Data API.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "FACEIT")]
pub struct FaceitArgs {
    /// Server-side API key of the app in FACEIT App Studio, for the Data API [required]
    #[arg(long, env = "FACEIT_API_KEY", hide_env_values = true, value_name = "KEY")]
    pub faceit_api_key: Option<String>,
    /// FACEIT Data API [default: https://open.faceit.com/data/v4]
    #[arg(long, env = "FACEIT_API_URL", value_name = "URL")]
    pub faceit_api_url: Option<String>,
}

/// The secret of FACEIT's webhooks.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "FACEIT webhook")]
pub struct WebhookArgs {
    /// Secret that FACEIT sends with each delivery [required]
    #[arg(long, env = "FACEIT_WEBHOOK_SECRET", hide_env_values = true, value_name = "SECRET")]
    pub faceit_webhook_secret: Option<String>,
    /// Header that carries the secret [default: X-Webhook-Secret]
    #[arg(long, env = "FACEIT_WEBHOOK_HEADER", value_name = "NAME")]
    pub faceit_webhook_header: Option<String>,
    /// Query parameter that may carry the secret instead [default: none]
    #[arg(long, env = "FACEIT_WEBHOOK_QUERY", value_name = "NAME")]
    pub faceit_webhook_query: Option<String>,
}

/// The bot.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Discord bot")]
pub struct DiscordArgs {
    /// Bot token from the Discord developer portal [required]
    #[arg(long, env = "DISCORD_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub discord_token: Option<String>,
    /// Tokens of further bots that share the moves, separated by commas [default: none]
    #[arg(long, env = "DISCORD_MOVER_TOKENS", hide_env_values = true, value_name = "TOKENS")]
    pub discord_mover_tokens: Option<String>,
    /// Discord REST API [default: https://discord.com/api/v10]
    #[arg(long, env = "DISCORD_API_URL", value_name = "URL")]
    pub discord_api_url: Option<String>,
    /// Discord gateway, ws or wss [default: the one that Discord names]
    #[arg(long, env = "DISCORD_GATEWAY_URL", value_name = "URL")]
    pub discord_gateway_url: Option<String>,
    /// Gateway connections that the servers are divided among [default: as many as Discord recommends]
    #[arg(long, env = "DISCORD_SHARDS", value_name = "N")]
    pub discord_shards: Option<String>,
}

/// The Discord server.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Discord server")]
pub struct GuildArgs {
    /// Id of the Discord server whose matches are all those that no other server claims [default: none]
    #[arg(long, env = "DISCORD_GUILD_ID", value_name = "ID")]
    pub discord_guild_id: Option<String>,
    /// Category that match channels are made in [default: none, they stand at the top of the channel list]
    #[arg(long, env = "VC_CATEGORY_ID", value_name = "ID")]
    pub vc_category_id: Option<String>,
    /// Make further categories when that one is full, on or off [default: on]
    #[arg(long, env = "OVERFLOW_CATEGORIES", value_name = "ON")]
    pub overflow_categories: Option<String>,
    /// Voice channel that players go to when their match is over and they can't go back [default: none, they are disconnected]
    #[arg(long, env = "LOBBY_CHANNEL_ID", value_name = "ID")]
    pub lobby_channel_id: Option<String>,
    /// Voice channels that players are moved out of, separated by commas [default: any]
    #[arg(long, env = "SOURCE_CHANNEL_IDS", value_name = "IDS")]
    pub source_channel_ids: Option<String>,
    /// Roles that may enter every match channel and speak, separated by commas [default: none]
    #[arg(long, env = "STAFF_ROLE_IDS", value_name = "IDS")]
    pub staff_role_ids: Option<String>,
    /// Roles that may enter every match channel and listen, separated by commas [default: none]
    #[arg(long, env = "SPECTATOR_ROLE_IDS", value_name = "IDS")]
    pub spectator_role_ids: Option<String>,
    /// How many people a match channel holds, 1 to 99; 0 is no limit [default: 0]
    #[arg(long, env = "CHANNEL_USER_LIMIT", value_name = "N")]
    pub channel_user_limit: Option<String>,
    /// When channels are made: rosters_known or somebody_linked [default: rosters_known]
    #[arg(long, env = "OPEN_WHEN", value_name = "WHEN")]
    pub open_when: Option<String>,
    /// Where players go when their match is over: before (where they were), lobby or stay [default: before]
    #[arg(long, env = "RETURN_TO", value_name = "WHERE")]
    pub return_to: Option<String>,
    /// Seconds that channels stay after the end of a match [default: 60]
    #[arg(long, env = "TEARDOWN_GRACE_SECONDS", value_name = "SECONDS")]
    pub teardown_grace_seconds: Option<String>,
    /// Hours after which a match is treated as over, whatever FACEIT says [default: 8]
    #[arg(long, env = "MATCH_MAX_AGE_HOURS", value_name = "HOURS")]
    pub match_max_age_hours: Option<String>,
    /// Names of match channels; knows {short_id}, {match_id}, {faction}, {team}, {map} [default: match-{short_id}-{faction}]
    #[arg(long, env = "CHANNEL_NAME_TEMPLATE", value_name = "TEMPLATE")]
    pub channel_name_template: Option<String>,
}

/// Logging.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Service")]
pub struct LogArgs {
    /// Log lines as text or json [default: text]
    #[arg(long, env = "LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<String>,
}

/// Everything for `muster serve`.
#[derive(Args, Clone, Default)]
pub struct ServeArgs {
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub faceit: FaceitArgs,
    #[command(flatten)]
    pub webhook: WebhookArgs,
    #[command(flatten)]
    pub discord: DiscordArgs,
    #[command(flatten)]
    pub guild: GuildArgs,
    #[command(flatten)]
    pub linking: LinkingArgs,
    #[command(flatten)]
    pub admin: AdminArgs,
    #[command(flatten)]
    pub log: LogArgs,
    /// Address to listen on: host, host:port or IP address; a port here wins over PORT [default: 0.0.0.0]
    #[arg(long, env = "LISTEN_ADDR", value_name = "ADDR", help_heading = "Service")]
    pub listen_addr: Option<String>,
    /// Port to listen on [default: 8000]
    #[arg(long, env = "PORT", value_name = "PORT", help_heading = "Service")]
    pub port: Option<String>,
    /// Matches worked on at the same time, 1 to 256 [default: 64]
    #[arg(long, env = "WORKERS", value_name = "N", help_heading = "Service")]
    pub workers: Option<String>,
    /// Days that stored deliveries, and what happened to each match, are kept [default: 30]
    #[arg(long, env = "DELIVERY_RETENTION_DAYS", value_name = "DAYS", help_heading = "Service")]
    pub delivery_retention_days: Option<String>,
}

/// Everything for `muster plan` and `muster replay --dry-run`.
#[derive(Args, Clone, Default)]
pub struct PlanArgs {
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub faceit: FaceitArgs,
    #[command(flatten)]
    pub guild: GuildArgs,
}

impl ServeArgs {
    /// All mistakes at once.
    pub fn parse(self) -> Result<Config, Problems> {
        let mut problems = Problems::default();
        let config = check::serve(self, &mut problems);
        problems.check(config)
    }
}

impl PlanArgs {
    /// All mistakes at once.
    pub fn parse(self) -> Result<PlanConfig, Problems> {
        let mut problems = Problems::default();
        let config = check::plan(self, &mut problems);
        problems.check(config)
    }
}

macro_rules! parse_alone {
    ($($args:ident => $checked:ident by $check:ident),* $(,)?) => {$(
        impl $args {
            /// All mistakes at once.
            pub fn parse(self) -> Result<$checked, Problems> {
                let mut problems = Problems::default();
                let checked = check::$check(self, &mut problems);
                problems.check(checked)
            }
        }
    )*};
}

parse_alone!(
    DatabaseArgs => Database by database,
    FaceitArgs => Faceit by faceit,
    WebhookArgs => Webhook by webhook,
    DiscordArgs => Discord by discord,
    GuildArgs => Guild by guild,
    LogArgs => LogFormat by log,
);
