//! Texts into settings, group by group. Adds to the problems and goes on, so that all mistakes are named together.

use std::time::Duration;

use axum::http::HeaderName;
use secrecy::SecretString;
use url::Url;

use crate::{
    config::{
        Config, Database, Discord, Faceit, Guild, PlanConfig, Problems, Webhook,
        admin::admin,
        args::{DatabaseArgs, DiscordArgs, FaceitArgs, GuildArgs, LogArgs, PlanArgs, ServeArgs, WebhookArgs},
        linking,
        text::{SNOWFLAKE, given, listen, number, required, secret, snowflake, url},
    },
    discord::api_base,
    domain::{
        setting_text,
        settings::{OpenWhen, ReturnTo, Settings},
    },
    telemetry::LogFormat,
};

/// Shorter webhook secrets can be guessed.
const STRONG_SECRET: usize = 16;

pub(super) fn serve(args: ServeArgs, problems: &mut Problems) -> Option<Config> {
    let database = database(args.database, problems);
    let faceit = faceit(args.faceit, problems);
    let mut warnings = Vec::new();
    let weak = given(&args.webhook.faceit_webhook_secret).is_some_and(|secret| secret.chars().count() < STRONG_SECRET);
    if weak {
        warnings.push(format!(
            "FACEIT_WEBHOOK_SECRET has fewer than {STRONG_SECRET} characters and can be guessed; make one with: openssl rand -hex 32"
        ));
    }
    if given(&args.guild.discord_guild_id).is_none() {
        warnings.push(
            "DISCORD_GUILD_ID is not set: only matches that a server claims (muster guilds claim) get channels"
                .to_owned(),
        );
    }
    let webhook = webhook(args.webhook, problems);
    let discord = discord(args.discord, problems);
    let guild = guild(args.guild, problems);
    let public_key = linking::public_key(&args.linking, problems);
    let commands_guild = snowflake(
        problems,
        "DISCORD_COMMANDS_GUILD_ID",
        &args.linking.discord_commands_guild_id,
    );
    let linking = linking::linking(args.linking, problems);
    let admin = admin(&args.admin, problems);
    let proxies = number(problems, "TRUSTED_PROXIES", &args.admin.trusted_proxies, 0, 0, 10);
    let listen = listen(&args.listen_addr, &args.port, problems);
    let workers = number(problems, "WORKERS", &args.workers, 64, 1, 256);
    let days = number(
        problems,
        "DELIVERY_RETENTION_DAYS",
        &args.delivery_retention_days,
        30,
        1,
        3650,
    );
    let log_format = log(args.log, problems);
    Some(Config {
        listen: listen?,
        database: database?,
        faceit: faceit?,
        webhook: webhook?,
        discord: discord?,
        guild: guild?,
        linking: linking?,
        public_key: public_key?,
        commands_guild: commands_guild?,
        admin: admin?,
        proxies: proxies? as usize,
        workers: workers? as usize,
        delivery_retention: Duration::from_secs(days? * 24 * 3600),
        log_format: log_format?,
        warnings,
    })
}

pub(super) fn plan(args: PlanArgs, problems: &mut Problems) -> Option<PlanConfig> {
    let database = database(args.database, problems);
    let faceit = faceit(args.faceit, problems);
    let guild = guild(args.guild, problems);
    Some(PlanConfig {
        database: database?,
        faceit: faceit?,
        guild: guild?,
    })
}

pub(super) fn database(args: DatabaseArgs, problems: &mut Problems) -> Option<Database> {
    const NAME: &str = "DATABASE_URL";
    const EXAMPLE: &str = "for example postgres://muster:password@localhost:5432/muster";
    let connections = number(
        problems,
        "DATABASE_CONNECTIONS",
        &args.database_connections,
        16,
        1,
        1000,
    );
    let url = required(problems, NAME, &args.database_url, "the PostgreSQL database", EXAMPLE)?;
    // Nothing of the value may be shown, not even by the parser: it holds the password.
    match Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "postgres" | "postgresql") => {}
        Ok(_) => {
            problems.add(NAME, format!("must begin with postgres://, {EXAMPLE}"));
            return None;
        }
        Err(_) => {
            problems.add(
                NAME,
                format!("is no URL (special characters in the password need %-encoding), {EXAMPLE}"),
            );
            return None;
        }
    }
    Some(Database {
        url: SecretString::from(url),
        connections: u32::try_from(connections?).ok()?,
    })
}

pub(super) fn faceit(args: FaceitArgs, problems: &mut Problems) -> Option<Faceit> {
    let key = secret(
        problems,
        "FACEIT_API_KEY",
        &args.faceit_api_key,
        "a server-side API key",
        "make one at developers.faceit.com → App Studio → your app → API keys",
    );
    let url = url(
        problems,
        "FACEIT_API_URL",
        &args.faceit_api_url,
        "https://open.faceit.com/data/v4",
        &["http", "https"],
    );
    Some(Faceit { key: key?, url: url? })
}

pub(super) fn webhook(args: WebhookArgs, problems: &mut Problems) -> Option<Webhook> {
    let secret = secret(
        problems,
        "FACEIT_WEBHOOK_SECRET",
        &args.faceit_webhook_secret,
        "the secret that FACEIT sends with each delivery",
        "choose one (openssl rand -hex 32) and enter it in App Studio → Webhooks too",
    );
    let header = given(&args.faceit_webhook_header).unwrap_or("X-Webhook-Secret");
    let header = if HeaderName::from_bytes(header.as_bytes()).is_ok() {
        Some(header.to_owned())
    } else {
        problems.add(
            "FACEIT_WEBHOOK_HEADER",
            "is no header name: letters, digits and '-', for example X-Webhook-Secret",
        );
        None
    };
    let query = given(&args.faceit_webhook_query);
    if query.is_some_and(|name| !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b))) {
        problems.add(
            "FACEIT_WEBHOOK_QUERY",
            "is no parameter name: letters, digits, '-', '_', '.', '~', for example secret",
        );
        return None;
    }
    Some(Webhook {
        secret: secret?,
        header: header?,
        query: query.map(str::to_owned),
    })
}

pub(super) fn discord(args: DiscordArgs, problems: &mut Problems) -> Option<Discord> {
    const API: &str = "DISCORD_API_URL";
    let bare = args.discord_token.as_deref().map(bare_token);
    let token = secret(
        problems,
        "DISCORD_TOKEN",
        &bare,
        "the bot's token",
        "discord.com/developers/applications → your application → Bot → Reset Token",
    );
    let movers = movers(&args.discord_mover_tokens, bare.as_deref(), problems);
    let api = url(
        problems,
        API,
        &args.discord_api_url,
        "https://discord.com/api/v10",
        &["http", "https"],
    )
    .and_then(|url| api_base(&url).map_err(|why| problems.add(API, why)).ok());
    let gateway = match given(&args.discord_gateway_url) {
        Some(_) => url(
            problems,
            "DISCORD_GATEWAY_URL",
            &args.discord_gateway_url,
            "",
            &["ws", "wss"],
        )
        .map(Some),
        None => Some(None),
    };
    let shards = match given(&args.discord_shards) {
        Some(_) => {
            number(problems, "DISCORD_SHARDS", &args.discord_shards, 1, 1, 10_000).map(|shards| Some(shards as u32))
        }
        None => Some(None),
    };
    Some(Discord {
        token: token?,
        movers: movers?,
        api: api?,
        gateway: gateway?,
        shards: shards?,
    })
}

/// Some copy it with the word that stands before it in the header.
fn bare_token(token: &str) -> String {
    token.trim().trim_start_matches("Bot ").to_owned()
}

fn movers(text: &Option<String>, main: Option<&str>, problems: &mut Problems) -> Option<Vec<SecretString>> {
    const NAME: &str = "DISCORD_MOVER_TOKENS";
    let tokens = given(text).unwrap_or_default().split(',').map(bare_token);
    let tokens: Vec<String> = tokens.filter(|token| !token.is_empty()).collect();
    let twice = tokens
        .iter()
        .enumerate()
        .any(|(at, token)| tokens[..at].contains(token));
    if twice || tokens.iter().any(|token| Some(token.as_str()) == main) {
        problems.add(
            NAME,
            "names the same bot twice, or the bot of DISCORD_TOKEN: each must be another application's bot",
        );
        return None;
    }
    let what = "the token of a further bot";
    let how =
        "separate them with commas; discord.com/developers/applications → another application → Bot → Reset Token";
    tokens
        .into_iter()
        .map(|token| secret(problems, NAME, &Some(token), what, how))
        .collect()
}

pub(super) fn guild(args: GuildArgs, problems: &mut Problems) -> Option<Guild> {
    let id = snowflake(problems, "DISCORD_GUILD_ID", &args.discord_guild_id);
    let places = [
        &args.vc_category_id,
        &args.lobby_channel_id,
        &args.source_channel_ids,
        &args.staff_role_ids,
        &args.spectator_role_ids,
    ];
    if id == Some(None) && places.iter().any(|place| given(place).is_some()) {
        problems.add(
            "DISCORD_GUILD_ID",
            format!("is missing: the id of the Discord server that the given channels and roles are in; {SNOWFLAKE}"),
        );
    }
    let overflow = text(problems, "OVERFLOW_CATEGORIES", &args.overflow_categories, |text| {
        setting_text::on_off(text, true)
    });
    let source_channels = text(
        problems,
        "SOURCE_CHANNEL_IDS",
        &args.source_channel_ids,
        setting_text::ids,
    );
    let staff_roles = text(problems, "STAFF_ROLE_IDS", &args.staff_role_ids, setting_text::roles);
    let spectator_roles = text(
        problems,
        "SPECTATOR_ROLE_IDS",
        &args.spectator_role_ids,
        setting_text::roles,
    );
    let most = u64::from(Settings::MAX_USER_LIMIT);
    let user_limit = number(problems, "CHANNEL_USER_LIMIT", &args.channel_user_limit, 0, 0, most);
    let open_when = text(problems, "OPEN_WHEN", &args.open_when, |text| {
        setting_text::word(text, OpenWhen::ALL, OpenWhen::as_str)
    });
    let return_to = text(problems, "RETURN_TO", &args.return_to, |text| {
        setting_text::word(text, ReturnTo::ALL, ReturnTo::as_str)
    });
    let category = snowflake(problems, "VC_CATEGORY_ID", &args.vc_category_id);
    let lobby = snowflake(problems, "LOBBY_CHANNEL_ID", &args.lobby_channel_id);
    let grace = number(
        problems,
        "TEARDOWN_GRACE_SECONDS",
        &args.teardown_grace_seconds,
        60,
        0,
        24 * 3600,
    );
    let max_age = number(problems, "MATCH_MAX_AGE_HOURS", &args.match_max_age_hours, 8, 1, 24 * 7);
    let name_template = text(
        problems,
        "CHANNEL_NAME_TEMPLATE",
        &args.channel_name_template,
        setting_text::name_template,
    );
    Some(Guild {
        id: id?,
        category: category?,
        overflow: overflow?,
        source_channels: source_channels?,
        staff_roles: staff_roles?,
        spectator_roles: spectator_roles?,
        user_limit: u16::try_from(user_limit?).ok()?,
        open_when: open_when?,
        return_to: return_to?,
        lobby: lobby?,
        grace: Duration::from_secs(grace?),
        max_age: Duration::from_secs(max_age? * 3600),
        name_template: name_template?,
    })
}

/// A setting that the domain reads.
fn text<T>(
    problems: &mut Problems,
    name: &'static str,
    text: &Option<String>,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    read(given(text).unwrap_or_default())
        .map_err(|why| problems.add(name, why))
        .ok()
}

pub(super) fn log(args: LogArgs, problems: &mut Problems) -> Option<LogFormat> {
    match given(&args.log_format).map_or(Ok(LogFormat::default()), str::parse) {
        Ok(format) => Some(format),
        Err(why) => {
            problems.add("LOG_FORMAT", why);
            None
        }
    }
}
