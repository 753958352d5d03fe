//! The settings as a user gives them: flags and environment through clap, all mistakes in one message, no secret in any text.

use std::time::Duration;

use clap::{CommandFactory, FromArgMatches, Parser};
use muster::config::{self, Config, DatabaseArgs, PlanArgs, Problems, ServeArgs};
use secrecy::ExposeSecret;

#[derive(Parser)]
struct Serve {
    #[command(flatten)]
    args: ServeArgs,
}

/// Flags only: the variables of a test process are shared by all tests, and some set DATABASE_URL.
const WHOLE: [&str; 5] = [
    "--database-url=postgres://muster:p4ssw0rd@localhost/muster",
    "--faceit-api-key=k3y-of-the-app",
    "--faceit-webhook-secret=s3cret-of-the-webhook",
    "--discord-token=t0ken.of.the-bot",
    "--discord-guild-id=1000",
];

fn serve(flags: &[&str]) -> Result<Config, Problems> {
    let command = Serve::command().mut_args(|arg| arg.env(None::<&'static str>));
    let matches = command.get_matches_from(std::iter::once("serve").chain(flags.iter().copied()));
    config::parse(Serve::from_arg_matches(&matches).unwrap().args)
}

fn with(extra: &[&str]) -> Result<Config, Problems> {
    let last_wins = WHOLE.iter().filter(|flag| {
        let name = flag.split_once('=').unwrap().0;
        !extra.iter().any(|other| other.starts_with(&format!("{name}=")))
    });
    serve(&last_wins.copied().chain(extra.iter().copied()).collect::<Vec<_>>())
}

fn names(problems: &Problems) -> Vec<&str> {
    problems.0.iter().map(|problem| problem.name).collect()
}

#[test]
fn five_settings_are_enough_and_the_rest_has_its_documented_default() {
    let config = with(&[]).unwrap();
    assert_eq!(config.listen.to_string(), "0.0.0.0:8000");
    assert_eq!(config.faceit.url.as_str(), "https://open.faceit.com/data/v4");
    assert_eq!(config.discord.api.as_str(), "https://discord.com/api/v10");
    assert_eq!(config.webhook.header, "X-Webhook-Secret");
    assert_eq!(config.webhook.query, None);
    assert_eq!(config.guild.grace, Duration::from_secs(60));
    assert_eq!(config.guild.max_age, Duration::from_secs(8 * 3600));
    assert_eq!(config.guild.name_template, "match-{short_id}-{faction}");
    assert_eq!((config.workers, config.database.connections), (64, 16));
    assert_eq!(config.delivery_retention, Duration::from_secs(30 * 86_400));
    assert!(config.warnings.is_empty());
}

#[test]
fn nothing_given_names_all_four_required_settings_in_one_message() {
    let problems = serve(&[]).unwrap_err();
    assert_eq!(
        names(&problems),
        [
            "DATABASE_URL",
            "FACEIT_API_KEY",
            "FACEIT_WEBHOOK_SECRET",
            "DISCORD_TOKEN"
        ]
    );
    let text = problems.to_string();
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(text.contains("4 settings are missing or wrong"), "{text}");
}

#[test]
fn every_bad_setting_is_named_together_with_the_missing_ones() {
    let problems = serve(&[
        "--database-url=mysql://localhost/muster",
        "--faceit-api-key=",
        "--faceit-api-url=open.faceit.com",
        "--faceit-webhook-header=X Secret",
        "--faceit-webhook-query=a=b",
        "--discord-api-url=https://discord.com/api/v9",
        "--discord-gateway-url=https://gateway.discord.gg",
        "--discord-guild-id=my-server",
        "--vc-category-id=0",
        "--lobby-channel-id=-1",
        "--teardown-grace-seconds=1m",
        "--match-max-age-hours=0",
        "--channel-name-template=",
        "--overflow-categories=perhaps",
        "--source-channel-ids=1,bar",
        "--staff-role-ids=0",
        "--spectator-role-ids=everybody",
        "--channel-user-limit=100",
        "--open-when=now",
        "--return-to=work",
        "--log-format=xml",
        "--listen-addr=no host",
        "--port=70000",
        "--workers=257",
        "--delivery-retention-days=ever",
        "--database-connections=0",
    ])
    .unwrap_err();
    let mut names = names(&problems);
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "CHANNEL_USER_LIMIT",
            "DATABASE_CONNECTIONS",
            "DATABASE_URL",
            "DELIVERY_RETENTION_DAYS",
            "DISCORD_API_URL",
            "DISCORD_GATEWAY_URL",
            "DISCORD_GUILD_ID",
            "DISCORD_TOKEN",
            "FACEIT_API_KEY",
            "FACEIT_API_URL",
            "FACEIT_WEBHOOK_HEADER",
            "FACEIT_WEBHOOK_QUERY",
            "FACEIT_WEBHOOK_SECRET",
            "LISTEN_ADDR",
            "LOBBY_CHANNEL_ID",
            "LOG_FORMAT",
            "MATCH_MAX_AGE_HOURS",
            "OPEN_WHEN",
            "OVERFLOW_CATEGORIES",
            "PORT",
            "RETURN_TO",
            "SOURCE_CHANNEL_IDS",
            "SPECTATOR_ROLE_IDS",
            "STAFF_ROLE_IDS",
            "TEARDOWN_GRACE_SECONDS",
            "VC_CATEGORY_ID",
            "WORKERS",
        ]
    );
}

#[test]
fn a_server_is_needed_only_for_channels_and_roles() {
    let config = with(&["--discord-guild-id=", "--teardown-grace-seconds=30"]).unwrap();
    assert_eq!(config.guild.settings(), None);
    assert!(
        config.warnings[0].contains("muster guilds claim"),
        "{:?}",
        config.warnings
    );
    let problems = with(&["--discord-guild-id=", "--staff-role-ids=21"]).unwrap_err();
    assert_eq!(names(&problems), ["DISCORD_GUILD_ID"]);
    let settings = with(&[
        "--source-channel-ids= 11, 12",
        "--return-to=lobby",
        "--overflow-categories=off",
    ]);
    let settings = settings.unwrap().guild.settings().unwrap();
    assert_eq!(settings.get("source_channels").as_deref(), Some("11,12"));
    assert_eq!(settings.get("return_to").as_deref(), Some("lobby"));
    assert!(!settings.overflow);
}

#[test]
fn no_secret_shows_in_debug_or_in_a_complaint() {
    let shown = format!("{:?}", with(&["--workers=3"]).unwrap());
    for secret in ["p4ssw0rd", "k3y-of", "s3cret-of", "t0ken"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let problems = with(&[
        "--database-url=postgres://muster:p4ss/w0rd@local host/muster",
        "--faceit-api-key=k3y with blanks",
        "--faceit-webhook-secret=s3crét",
        "--discord-token=t0ken\u{7f}",
        "--discord-guild-id=MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs",
        "--faceit-api-url=https://user:hunter2@open.faceit.com/data/v4",
    ])
    .unwrap_err();
    assert_eq!(problems.0.len(), 6, "{problems}");
    let shown = format!("{problems} {problems:?}");
    for secret in ["p4ss", "k3y with", "s3cr", "t0ken", "MTk4", "hunter2"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn an_address_with_a_port_wins_and_every_form_can_be_bound() {
    for (addr, bound) in [
        ("127.0.0.1", "127.0.0.1:9000"),
        ("127.0.0.1:1", "127.0.0.1:1"),
        ("localhost", "localhost:9000"),
        ("localhost:1", "localhost:1"),
        ("::1", "[::1]:9000"),
        ("[::1]", "[::1]:9000"),
        ("[::1]:1", "[::1]:1"),
        ("", "0.0.0.0:9000"),
    ] {
        let config = with(&[&format!("--listen-addr={addr}"), "--port=9000"]).unwrap();
        assert_eq!(config.listen.to_string(), bound, "{addr}");
    }
    for bad in ["host:http", "host:", ":80", "a b", "http://host"] {
        let problems = with(&[&format!("--listen-addr={bad}")]).unwrap_err();
        assert_eq!(names(&problems), ["LISTEN_ADDR"], "{bad}");
    }
}

#[test]
fn copied_blanks_and_the_word_bot_are_forgiven_and_a_weak_secret_warns() {
    let config = with(&["--discord-token= Bot abc.def \n", "--faceit-webhook-secret=short"]).unwrap();
    assert_eq!(config.discord.token.expose_secret(), "abc.def");
    assert_eq!(config.warnings.len(), 1);
    assert!(!config.warnings[0].contains("short"), "{:?}", config.warnings);
}

#[test]
fn a_command_asks_only_for_what_it_uses() {
    assert_eq!(names(&DatabaseArgs::default().parse().unwrap_err()), ["DATABASE_URL"]);
    assert_eq!(
        names(&PlanArgs::default().parse().unwrap_err()),
        ["DATABASE_URL", "FACEIT_API_KEY"]
    );
}

#[test]
fn help_names_every_variable_and_hides_the_values_of_secrets() {
    let command = Serve::command();
    for arg in command.get_arguments() {
        let Some(variable) = arg.get_env() else { continue };
        let variable = variable.to_str().unwrap();
        let secret = ["DATABASE_URL", "_KEY", "_KEYS", "_SECRET", "_TOKEN", "_TOKENS"]
            .iter()
            .any(|end| variable.ends_with(end));
        assert_eq!(arg.is_hide_env_values_set(), secret, "{variable}");
        assert_eq!(arg.get_long().unwrap().replace('-', "_").to_uppercase(), variable);
    }
    assert_eq!(
        command.get_arguments().filter(|arg| arg.get_env().is_some()).count(),
        50
    );
}

#[test]
fn further_bots_are_listed_with_commas_and_each_only_once() {
    assert!(with(&[]).unwrap().discord.movers.is_empty());
    let config = with(&["--discord-mover-tokens= Bot 0ne.two , thr33.four,"]).unwrap();
    let tokens: Vec<_> = config.discord.movers.iter().map(ExposeSecret::expose_secret).collect();
    assert_eq!(tokens, ["0ne.two", "thr33.four"]);
    assert!(!format!("{config:?}").contains("0ne"));
    for bad in ["a.b,a.b", "t0ken.of.the-bot", "a b"] {
        let problems = with(&[&format!("--discord-mover-tokens={bad}")]).unwrap_err();
        assert_eq!(names(&problems), ["DISCORD_MOVER_TOKENS"]);
    }
}

const ADMIN: [&str; 5] = [
    "--discord-client-id=900000000000000001",
    "--discord-client-secret=cl13nt-secret",
    "--public-url=https://muster.example.org/",
    "--jwt-secret=1:s1gns-sessions-0123456789-abcdefghijk",
    "--muster-encryption-keys=1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
];

#[test]
fn the_admin_part_is_off_unless_it_is_set_up_whole() {
    assert!(with(&[]).unwrap().admin.is_none());
    // Where Muster is reached may be set for other reasons.
    assert!(
        with(&["--public-url=https://muster.example.org"])
            .unwrap()
            .admin
            .is_none()
    );
    let config = with(&ADMIN).unwrap();
    let admin = config.admin.as_ref().unwrap();
    assert_eq!(admin.public_url.as_str(), "https://muster.example.org/");
    assert_eq!(admin.authorize_url.as_str(), "https://discord.com/oauth2/authorize");
    assert_eq!(admin.windows.auth.to_string(), "30/60");
    let shown = format!("{config:?}");
    for secret in ["cl13nt", "s1gns", "AAECAw"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let half = names(&with(&ADMIN[..1]).unwrap_err()).join(" ");
    assert_eq!(
        half,
        "DISCORD_CLIENT_SECRET JWT_SECRET MUSTER_ENCRYPTION_KEYS PUBLIC_URL"
    );
}

#[test]
fn weak_secrets_and_odd_addresses_of_the_admin_part_are_refused_with_how_to_make_good_ones() {
    for (flag, name, says) in [
        ("--jwt-secret=short", "JWT_SECRET", "openssl rand -base64 48"),
        (
            "--jwt-secret=1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "JWT_SECRET",
            "too weak",
        ),
        (
            "--muster-encryption-keys=1:c2hvcnQ=",
            "MUSTER_ENCRYPTION_KEYS",
            "openssl rand -base64 32",
        ),
        (
            "--public-url=https://muster.example.org/app",
            "PUBLIC_URL",
            "without a path",
        ),
        (
            "--public-url=muster.example.org",
            "PUBLIC_URL",
            "is no http or https address",
        ),
        (
            "--frontend-url=https://a.example,nonsense",
            "FRONTEND_URL",
            "is no http or https address",
        ),
        ("--operator-ids=1,me", "OPERATOR_IDS", "is no Discord id"),
        ("--discord-client-id=app", "DISCORD_CLIENT_ID", "OAuth2"),
        ("--rate-limit-auth=many", "RATE_LIMIT_AUTH", "for example 30/60"),
        (
            "--live-connections-per-user=0",
            "LIVE_CONNECTIONS_PER_USER",
            "from 1 to 1000",
        ),
    ] {
        let last_wins = ADMIN
            .iter()
            .copied()
            .filter(|other| !other.starts_with(flag.split_once('=').unwrap().0));
        let problems = with(&last_wins.chain([flag]).collect::<Vec<_>>()).unwrap_err();
        assert_eq!(names(&problems), [name], "{flag}");
        assert!(problems.to_string().contains(says), "{problems}");
        assert!(!problems.to_string().contains("c2hvcnQ"), "{problems}");
    }
}
