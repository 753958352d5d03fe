//! Verdicts on what belongs to no server: settings, secret, database, FACEIT, the bot itself. Pure; asks nobody.

use secrecy::{ExposeSecret, SecretString};

use crate::{
    discord::{
        self,
        survey::{Account, Application, Gateway},
    },
    doctor::Check,
    faceit, store,
};

/// Shorter secrets can be guessed.
const STRONG_SECRET: usize = 16;
/// So many different characters at least: `aaaaaaaaaaaaaaaa` is long, too.
const VARIED_SECRET: usize = 6;
/// Words that stand in examples; no secret.
const EXAMPLES: [&str; 6] = ["change-me", "changeme", "secret", "password", "example", "test"];
/// Below this share of the day's logins, something restarts in a loop.
const FEW_STARTS: f64 = 0.1;

/// A setting that is missing or wrong; the text says what would be right.
pub fn setting(name: &str, why: &str) -> Check {
    Check::failed("configuration", format!("{name} {why}"), format!("set {name}"))
}

pub fn settings_are_fine() -> Check {
    Check::ok("configuration", "nothing is missing or wrong")
}

/// The secret that FACEIT repeats with each delivery: whoever guesses it can end matches.
pub fn secret(secret: &SecretString, query: Option<&str>) -> Check {
    const ABOUT: &str = "webhook secret";
    let remedy =
        "make one with `openssl rand -hex 32`, put it into FACEIT_WEBHOOK_SECRET and into FACEIT App Studio → Webhooks";
    let text = secret.expose_secret();
    let varied = text.chars().collect::<std::collections::BTreeSet<_>>().len();
    let lower = text.to_lowercase();
    if EXAMPLES
        .iter()
        .any(|example| lower.trim_end_matches(|c: char| c.is_ascii_digit()) == *example)
    {
        Check::failed(
            ABOUT,
            "it is a word from an example, and anybody can end matches",
            remedy,
        )
    } else if text.chars().count() < STRONG_SECRET {
        let what = format!("it has fewer than {STRONG_SECRET} characters and can be guessed");
        Check::warning(ABOUT, what, remedy)
    } else if varied < VARIED_SECRET {
        Check::warning(ABOUT, "it repeats a few characters and can be guessed", remedy)
    } else if let Some(query) = query {
        Check::ok(
            ABOUT,
            format!("long enough; it may come as ?{query}=…, so keep addresses out of your proxy's logs"),
        )
    } else {
        Check::ok(ABOUT, "long enough")
    }
}

pub(super) fn database(answer: Result<String, store::Error>) -> Check {
    const ABOUT: &str = "database";
    match answer {
        Ok(version) => Check::ok(ABOUT, format!("PostgreSQL {version} answers")),
        Err(error) => Check::failed(
            ABOUT,
            error.to_string(),
            "start PostgreSQL, or correct DATABASE_URL (host, port, user, password, name)",
        ),
    }
}

pub(super) fn migrations(pending: Result<Vec<String>, store::Error>) -> Check {
    const ABOUT: &str = "migrations";
    match pending {
        Ok(pending) if pending.is_empty() => Check::ok(ABOUT, "all are applied"),
        Ok(pending) => Check::failed(
            ABOUT,
            format!("not applied yet: {}", pending.join(", ")),
            "run `muster migrate` (`muster serve` does so by itself)",
        ),
        Err(error) => Check::failed(ABOUT, error.to_string(), "mend the database first"),
    }
}

pub(super) fn jobs(dead: Result<usize, store::Error>) -> Check {
    const ABOUT: &str = "jobs";
    match dead {
        Ok(0) => Check::ok(ABOUT, "none is dead"),
        Ok(1) => Check::warning(ABOUT, "one is dead", LOOK_AT_DEAD),
        Ok(dead) => Check::warning(ABOUT, format!("{dead} are dead"), LOOK_AT_DEAD),
        Err(error) => Check::failed(ABOUT, error.to_string(), "mend the database first"),
    }
}

const LOOK_AT_DEAD: &str =
    "`muster jobs list` shows why; when that is mended, run them again with `muster jobs retry <match>`";

/// `asked` is the answer to a question after a match that does not exist.
pub(super) fn faceit(asked: Result<(), faceit::error::Error>) -> Check {
    const ABOUT: &str = "FACEIT key";
    match asked {
        Ok(()) | Err(faceit::error::Error::NotFound { .. }) => Check::ok(ABOUT, "the Data API takes it"),
        Err(error @ faceit::error::Error::Unauthorized { .. }) => Check::failed(
            ABOUT,
            error.to_string(),
            "make a server-side key at developers.faceit.com → App Studio → your app → API keys, and set FACEIT_API_KEY",
        ),
        Err(error @ faceit::error::Error::Busy { .. }) => Check::warning(
            ABOUT,
            error.to_string(),
            "wait; does another program use the same key? Give Muster one of its own",
        ),
        Err(error) => Check::failed(
            ABOUT,
            error.to_string(),
            "is FACEIT_API_URL right, and may this machine reach it? Until it answers, Muster goes by the webhooks alone",
        ),
    }
}

pub(super) fn token(asked: &Result<Account, discord::Error>) -> Check {
    const ABOUT: &str = "Discord token";
    match asked {
        Ok(me) => Check::ok(ABOUT, format!("it is that of {} ({})", me.name, me.id)),
        Err(error) => unanswered(ABOUT, error),
    }
}

pub(super) fn application(asked: &Result<Application, discord::Error>) -> Check {
    const ABOUT: &str = "Discord application";
    match asked {
        Ok(Application {
            name,
            interactions_endpoint_url: Some(url),
            ..
        }) => Check::warning(
            ABOUT,
            format!("{name}: slash commands are sent to {url} and not over the gateway"),
            "if that is not Muster, empty it: discord.com/developers/applications → your application → General \
             Information → Interactions Endpoint URL",
        ),
        Ok(application) => Check::ok(ABOUT, format!("{} ({})", application.name, application.id)),
        Err(error) => unanswered(ABOUT, error),
    }
}

/// Muster asks for GUILDS and GUILD_VOICE_STATES, which every bot may have.
pub(super) fn gateway(asked: &Result<Gateway, discord::Error>) -> Check {
    const ABOUT: &str = "gateway";
    let gateway = match asked {
        Ok(gateway) => gateway,
        Err(error) => return unanswered(ABOUT, error),
    };
    let starts = gateway.session_start_limit;
    let what = format!(
        "{} of {} logins are left today; {} shard{}; the intents (guilds, voice states) need no leave",
        starts.remaining,
        starts.total,
        gateway.shards,
        if gateway.shards == 1 { "" } else { "s" }
    );
    let minutes = starts.reset_after().as_secs().div_ceil(60);
    let remedy = format!(
        "find out what restarts so often, and stop it: beyond the limit Discord makes the token invalid. All are back in {minutes} min"
    );
    if starts.remaining < gateway.shards {
        Check::failed(ABOUT, what, remedy)
    } else if (starts.remaining as f64) < starts.total as f64 * FEW_STARTS {
        Check::warning(ABOUT, what, remedy)
    } else {
        Check::ok(ABOUT, what)
    }
}

/// Discord gave no answer that could be judged.
pub(super) fn unanswered(about: impl Into<String>, error: &discord::Error) -> Check {
    let what = error.to_string();
    match error {
        discord::Error::Busy { .. } => Check::warning(
            about,
            what,
            "wait, and look again; other calls go on when Discord lets them",
        ),
        discord::Error::Unauthorized => Check::failed(
            about,
            "Discord refuses the bot token",
            "make a new one: discord.com/developers/applications → your application → Bot → Reset Token, set DISCORD_TOKEN and \
             start Muster again",
        ),
        discord::Error::Unavailable { .. } => Check::failed(
            about,
            what,
            "is DISCORD_API_URL right, may this machine reach it, and is Discord up (discordstatus.com)?",
        ),
        _ => Check::failed(
            about,
            what,
            "see the text; if it makes no sense, report it as a fault of Muster",
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::Verdict;

    fn judged(text: &str) -> Verdict {
        secret(&SecretString::from(text), None).verdict
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_said_so() {
        assert_eq!(judged("changeme"), Verdict::Failed);
        assert_eq!(judged("Password123"), Verdict::Failed);
        assert_eq!(judged("k3v9w1"), Verdict::Warning);
        assert_eq!(judged(&"ab".repeat(20)), Verdict::Warning);
        assert_eq!(judged("3f1c9b7a55d02e4488aa"), Verdict::Ok);
        let shown = secret(&SecretString::from("hunter2"), None).to_string();
        assert!(!shown.contains("hunter2") && shown.contains("openssl rand"), "{shown}");
    }

    #[test]
    fn few_logins_left_are_a_warning_and_none_a_failure() {
        let left = |remaining: u64| {
            let body = json!({"shards": 2, "session_start_limit":
                {"total": 1000, "remaining": remaining, "reset_after": 90_000, "max_concurrency": 1}});
            gateway(&Ok(serde_json::from_value(body).unwrap()))
        };
        assert_eq!(left(1000).verdict, Verdict::Ok);
        assert_eq!(left(99).verdict, Verdict::Warning);
        let none = left(1);
        assert_eq!(none.verdict, Verdict::Failed);
        assert!(
            none.to_string().contains("1 of 1000") && none.to_string().contains("in 2 min"),
            "{none}"
        );
    }

    #[test]
    fn a_refused_key_and_a_refused_token_say_where_a_new_one_is_made() {
        let route = "/matches/{id}";
        let key = faceit(Err(faceit::error::Error::Unauthorized { route, status: 401 }));
        assert_eq!(key.verdict, Verdict::Failed);
        assert!(key.to_string().contains("App Studio"), "{key}");
        assert_eq!(
            faceit(Err(faceit::error::Error::NotFound { route })).verdict,
            Verdict::Ok
        );
        let token = token(&Err(discord::Error::Unauthorized)).to_string();
        assert!(token.starts_with("failed") && token.contains("Reset Token"), "{token}");
    }
}
