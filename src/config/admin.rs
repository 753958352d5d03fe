//! The settings of the admin part: all of them, or none and Muster runs without it. Half a set is a mistake, and said so.

use std::collections::BTreeSet;

use clap::Args;
use url::Url;

use crate::{
    config::{
        DatabaseArgs, Problems,
        text::{SNOWFLAKE, given, number, secret, shown, url},
    },
    domain::ids::UserId,
    seal::{self, Ring},
    web::auth::{
        Settings,
        jwt::{self, Keys},
        limits::{Window, Windows},
    },
};

/// The admin part.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Admin")]
pub struct AdminArgs {
    /// Id of the application, from the Discord developer portal → OAuth2
    #[arg(long, env = "DISCORD_CLIENT_ID", value_name = "ID")]
    pub discord_client_id: Option<String>,
    /// Secret of the application, from the Discord developer portal → OAuth2
    #[arg(long, env = "DISCORD_CLIENT_SECRET", hide_env_values = true, value_name = "SECRET")]
    pub discord_client_secret: Option<String>,
    /// Where people reach Muster, for example https://muster.example.org
    #[arg(long, env = "PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Secret that signs people's sessions, at least 32 random characters; name:secret,name:secret to change it
    #[arg(long, env = "JWT_SECRET", hide_env_values = true, value_name = "SECRET")]
    pub jwt_secret: Option<String>,
    /// Keys that seal people's Discord tokens, as name:base64 with 32 bytes each, separated by commas; the first one seals
    #[arg(long, env = "MUSTER_ENCRYPTION_KEYS", hide_env_values = true, value_name = "KEYS")]
    pub muster_encryption_keys: Option<String>,
    /// Addresses of pages that may call the API from browsers, separated by commas; sign-ins come back to the first [default: none]
    #[arg(long, env = "FRONTEND_URL", value_name = "URLS")]
    pub frontend_url: Option<String>,
    /// Discord ids of the people who may see deliveries and pause everything, separated by commas [default: none]
    #[arg(long, env = "OPERATOR_IDS", value_name = "IDS")]
    pub operator_ids: Option<String>,
    /// Discord's consent page [default: https://discord.com/oauth2/authorize]
    #[arg(long, env = "DISCORD_AUTHORIZE_URL", value_name = "URL")]
    pub discord_authorize_url: Option<String>,
    /// Requests/seconds from one address without a session [default: 30/60]
    #[arg(long, env = "RATE_LIMIT_AUTH", value_name = "N/SECONDS")]
    pub rate_limit_auth: Option<String>,
    /// Requests/seconds of one person [default: 300/60]
    #[arg(long, env = "RATE_LIMIT_USER", value_name = "N/SECONDS")]
    pub rate_limit_user: Option<String>,
    /// Requests/seconds about one Discord server [default: 600/60]
    #[arg(long, env = "RATE_LIMIT_GUILD", value_name = "N/SECONDS")]
    pub rate_limit_guild: Option<String>,
    /// Connections to /api/live that one person may have open in one process [default: 10]
    #[arg(long, env = "LIVE_CONNECTIONS_PER_USER", value_name = "N")]
    pub live_connections_per_user: Option<String>,
    /// Proxies in front of Muster that add to X-Forwarded-For [default: 0]
    #[arg(long, env = "TRUSTED_PROXIES", value_name = "N")]
    pub trusted_proxies: Option<String>,
}

/// What the whole message says once more when only some of them are given.
const ALL_OR_NONE: &str = "or leave out all settings of the admin part";

impl AdminArgs {
    /// The admin part alone: all mistakes at once.
    pub fn parse(&self) -> Result<Option<Settings>, Problems> {
        let mut problems = Problems::default();
        let settings = admin(self, &mut problems);
        problems.check(settings)
    }

    /// Something that only the admin part needs is given. Addresses of our own may be there for other reasons.
    fn is_wanted(&self) -> bool {
        [
            &self.discord_client_id,
            &self.discord_client_secret,
            &self.jwt_secret,
            &self.muster_encryption_keys,
            &self.frontend_url,
            &self.operator_ids,
        ]
        .into_iter()
        .any(|text| given(text).is_some())
    }
}

/// The outer None is a mistake, the inner one Muster without the admin part.
pub(super) fn admin(args: &AdminArgs, problems: &mut Problems) -> Option<Option<Settings>> {
    if !args.is_wanted() {
        return Some(None);
    }
    let portal = format!("discord.com/developers/applications → your application → OAuth2, {ALL_OR_NONE}");
    let client_id = client_id(args, &portal, problems);
    let client_secret = secret(
        problems,
        "DISCORD_CLIENT_SECRET",
        &args.discord_client_secret,
        "the application's secret",
        &portal,
    );
    let jwt = read(problems, "JWT_SECRET", &args.jwt_secret, jwt::HOW, Keys::parse);
    let ring = read(
        problems,
        "MUSTER_ENCRYPTION_KEYS",
        &args.muster_encryption_keys,
        seal::HOW,
        Ring::parse,
    );
    let public_url = public_url(args, problems);
    let frontends = frontends(args, problems);
    let operators = operators(args, problems);
    let authorize_url = url(
        problems,
        "DISCORD_AUTHORIZE_URL",
        &args.discord_authorize_url,
        "https://discord.com/oauth2/authorize",
        &["http", "https"],
    );
    let windows = Windows {
        auth: window(problems, "RATE_LIMIT_AUTH", &args.rate_limit_auth, "30/60")?,
        user: window(problems, "RATE_LIMIT_USER", &args.rate_limit_user, "300/60")?,
        guild: window(problems, "RATE_LIMIT_GUILD", &args.rate_limit_guild, "600/60")?,
    };
    let live_per_user = number(
        problems,
        "LIVE_CONNECTIONS_PER_USER",
        &args.live_connections_per_user,
        10,
        1,
        1000,
    );
    Some(Some(Settings {
        client_id: client_id?,
        client_secret: client_secret?,
        public_url: public_url?,
        authorize_url: authorize_url?,
        jwt: jwt?,
        ring: ring?,
        frontends: frontends?,
        operators: operators?,
        windows,
        live_per_user: live_per_user? as usize,
    }))
}

/// The keys alone, for `muster keys rotate`.
fn ring(text: &Option<String>, problems: &mut Problems) -> Option<Ring> {
    read(problems, "MUSTER_ENCRYPTION_KEYS", text, seal::HOW, Ring::parse)
}

fn client_id(args: &AdminArgs, portal: &str, problems: &mut Problems) -> Option<String> {
    const NAME: &str = "DISCORD_CLIENT_ID";
    let Some(text) = given(&args.discord_client_id) else {
        problems.add(NAME, format!("is missing: the application's id; {portal}"));
        return None;
    };
    match text.parse::<UserId>() {
        Ok(id) => Some(id.to_string()),
        Err(_) => {
            problems.add(
                NAME,
                format!(
                    "{} is no application id (a number of about 19 digits); {portal}",
                    shown(text)
                ),
            );
            None
        }
    }
}

/// Parsers say what is wrong and how to make a good one, and show nothing of it.
fn read<T>(
    problems: &mut Problems,
    name: &'static str,
    text: &Option<String>,
    how: &str,
    parse: fn(&str) -> Result<T, String>,
) -> Option<T> {
    let Some(text) = given(text) else {
        problems.add(name, format!("is missing: {how}"));
        return None;
    };
    parse(text).map_err(|why| problems.add(name, why)).ok()
}

fn public_url(args: &AdminArgs, problems: &mut Problems) -> Option<Url> {
    const NAME: &str = "PUBLIC_URL";
    if given(&args.public_url).is_none() {
        problems.add(
            NAME,
            format!("is missing: where people reach Muster, for example https://muster.example.org, {ALL_OR_NONE}"),
        );
        return None;
    }
    let url = url(problems, NAME, &args.public_url, "", &["http", "https"])?;
    origin(problems, NAME, url)
}

/// Cookies, redirects and browsers' origin checks know no path.
fn origin(problems: &mut Problems, name: &'static str, url: Url) -> Option<Url> {
    if url.path() == "/" {
        return Some(url);
    }
    problems.add(
        name,
        "must be an address without a path, for example https://muster.example.org",
    );
    None
}

fn frontends(args: &AdminArgs, problems: &mut Problems) -> Option<Vec<String>> {
    const NAME: &str = "FRONTEND_URL";
    let listed = given(&args.frontend_url).unwrap_or_default().split(',').map(str::trim);
    let listed = listed.filter(|text| !text.is_empty());
    listed
        .map(|text| {
            let url = url(problems, NAME, &Some(text.to_owned()), "", &["http", "https"])?;
            Some(origin(problems, NAME, url)?.origin().ascii_serialization())
        })
        .collect()
}

fn operators(args: &AdminArgs, problems: &mut Problems) -> Option<BTreeSet<UserId>> {
    let listed = given(&args.operator_ids).unwrap_or_default().split(',').map(str::trim);
    let listed = listed.filter(|text| !text.is_empty());
    listed
        .map(|text| {
            let wrong = |_| {
                problems.add(
                    "OPERATOR_IDS",
                    format!(
                        "{} is no Discord id (a number of about 19 digits): {SNOWFLAKE}",
                        shown(text)
                    ),
                );
            };
            text.parse().map_err(wrong).ok()
        })
        .collect()
}

fn window(problems: &mut Problems, name: &'static str, text: &Option<String>, default: &str) -> Option<Window> {
    let text = given(text).unwrap_or(default);
    text.parse()
        .map_err(|why| problems.add(name, format!("{} {why}", shown(text))))
        .ok()
}

/// Everything for `muster keys rotate`.
#[derive(Args, Clone, Default)]
pub struct KeysArgs {
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// All keys, the one to seal with first, as name:base64,name:base64 [required]
    #[arg(long, env = "MUSTER_ENCRYPTION_KEYS", hide_env_values = true, value_name = "KEYS")]
    pub muster_encryption_keys: Option<String>,
}

impl KeysArgs {
    pub fn ring(&self) -> Result<Ring, Problems> {
        let mut problems = Problems::default();
        let ring = ring(&self.muster_encryption_keys, &mut problems);
        problems.check(ring)
    }
}
