//! Verdicts on Muster's accounts elsewhere: FACEIT key and sign-in, Discord's bot, application, gateway and sign-in. Pure; asks nobody.

use url::Url;

use crate::{
    discord::{
        self,
        gateway::GatewayBot,
        survey::{Account, Application},
    },
    doctor::Check,
    faceit,
};

/// Below this share of the day's logins, something restarts in a loop.
const FEW_STARTS: f64 = 0.1;

/// What the application in Discord's developer portal has to agree with.
#[derive(Clone, Debug, Default)]
pub struct Portal {
    /// DISCORD_CLIENT_ID.
    pub client_id: Option<String>,
    /// Where people come back to after signing in with Discord.
    pub redirect: Option<Url>,
    /// DISCORD_PUBLIC_KEY.
    pub public_key: Option<[u8; 32]>,
}

/// `asked` is the answer to a question after a match that does not exist.
pub(super) fn faceit(asked: Result<(), faceit::error::Error>) -> Check {
    const ABOUT: &str = "FACEIT key";
    match asked {
        Ok(()) | Err(faceit::error::Error::NotFound { .. }) => Check::ok(ABOUT, "the Data API takes it"),
        Err(faceit::error::Error::Unauthorized { status, .. }) => Check::failed(
            ABOUT,
            format!("FACEIT refuses it (status {status})"),
            "make a server-side key at developers.faceit.com → App Studio → your app → API keys, set FACEIT_API_KEY and start Muster \
             again",
        ),
        Err(error @ faceit::error::Error::Busy { .. }) => Check::warning(
            ABOUT,
            error.to_string(),
            "wait; does another program use the same key? Give Muster one of its own",
        ),
        Err(error) => Check::failed(
            ABOUT,
            format!("unknown, for FACEIT does not answer: {error}"),
            "is FACEIT_API_URL right, and can this machine reach it? Until it answers, Muster goes by the webhooks alone",
        ),
    }
}

/// `asked` is the answer to a sign-in with a code that FACEIT never gave; `redirect` where players come back to.
pub(super) fn faceit_sign_in(redirect: &Url, asked: Result<(), faceit::oauth::Error>) -> Check {
    use faceit::oauth::Error;
    const ABOUT: &str = "FACEIT sign-in";
    const WHERE: &str = "developers.faceit.com → App Studio → your app → OAuth2 clients";
    match asked {
        // What it does not accept is the code; the application it does.
        Ok(()) | Err(Error::Expired(_)) if redirect.scheme() == "https" => Check::ok(
            ABOUT,
            format!("FACEIT knows the client; the redirect URL registered there must be {redirect}"),
        ),
        Ok(()) | Err(Error::Expired(_)) => Check::warning(
            ABOUT,
            format!("FACEIT knows the client, but players come back to {redirect}, which is not https"),
            format!(
                "FACEIT takes https only: set FACEIT_REDIRECT_URI to your public address, and register the same at {WHERE}"
            ),
        ),
        Err(Error::Misconfigured(why)) => Check::failed(
            ABOUT,
            format!("FACEIT refuses the client ({why})"),
            format!(
                "copy FACEIT_CLIENT_ID and FACEIT_CLIENT_SECRET from {WHERE}, and FACEIT_REDIRECT_URI letter by letter"
            ),
        ),
        Err(Error::Unavailable(why)) => Check::failed(
            ABOUT,
            format!("unknown, for FACEIT does not answer: {why}"),
            "is FACEIT_AUTH_URL right, and can this machine reach it? Until then /link fails, and links that exist go on",
        ),
        Err(Error::Unexpected(why)) => Check::warning(
            ABOUT,
            format!("FACEIT answers in a way that Muster does not understand: {why}"),
            "try /link yourself; if it fails, report this line",
        ),
    }
}

pub(super) fn token(asked: &Result<Account, discord::Error>) -> Check {
    const ABOUT: &str = "Discord token";
    match asked {
        Ok(me) => Check::ok(ABOUT, format!("it is that of {} ({})", me.name, me.id)),
        Err(error) => {
            let mut check = unanswered(ABOUT, error);
            check.what.push_str("; so nothing else in Discord was looked at");
            check
        }
    }
}

/// A bot of DISCORD_MOVER_TOKENS; without it the others do its moves.
pub(super) fn mover(number: usize, asked: &Result<Account, discord::Error>) -> Check {
    let about = format!("mover bot {number}");
    let without = "; the other bots do its moves, more slowly";
    match asked {
        Ok(account) => Check::ok(about, format!("it is {} ({})", account.name, account.id)),
        Err(discord::Error::Unauthorized) => Check::warning(
            about,
            format!("Discord refuses its token{without}"),
            format!(
                "make a new one: discord.com/developers/applications → its application → Bot → Reset Token; it is number {number} \
                 in DISCORD_MOVER_TOKENS"
            ),
        ),
        Err(error) => Check::warning(
            about,
            format!("{error}{without}"),
            "look again; if Discord answers for the main bot, take it out of DISCORD_MOVER_TOKENS until it does for this one",
        ),
    }
}

pub(super) fn application(asked: &Result<Application, discord::Error>, portal: &Portal) -> Vec<Check> {
    const ABOUT: &str = "Discord application";
    let application = match asked {
        Ok(application) => application,
        Err(error) => return vec![unanswered(ABOUT, error)],
    };
    let name = format!("{} ({})", application.name, application.id);
    let mut checks = vec![Check::ok(ABOUT, name)];
    checks.push(commands(application, portal));
    checks.extend(
        portal
            .redirect
            .as_ref()
            .map(|redirect| redirects(application, redirect)),
    );
    if let Some(id) = portal
        .client_id
        .as_ref()
        .filter(|id| **id != application.id.to_string())
    {
        checks.push(Check::warning(
            "Discord sign-in",
            format!(
                "DISCORD_CLIENT_ID is {id}, but the bot belongs to the application {}",
                application.id
            ),
            "set DISCORD_CLIENT_ID and DISCORD_CLIENT_SECRET to those of the bot's own application, unless you mean it",
        ));
    }
    checks
}

/// How slash commands come in: over the gateway, or over HTTP to where the portal says.
fn commands(application: &Application, portal: &Portal) -> Check {
    const ABOUT: &str = "slash commands";
    const ENDPOINT: &str =
        "discord.com/developers/applications → your application → General Information → Interactions Endpoint URL";
    let key = |key: &[u8; 32]| key.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match (&application.interactions_endpoint_url, &portal.public_key) {
        (None, None) => Check::ok(ABOUT, "they come over the gateway"),
        (None, Some(_)) => Check::ok(
            ABOUT,
            "they come over the gateway; DISCORD_PUBLIC_KEY is set and not needed",
        ),
        (Some(url), None) => Check::failed(
            ABOUT,
            format!("Discord sends them to {url}, and not over the gateway"),
            format!("empty {ENDPOINT}; or, if that is Muster, set DISCORD_PUBLIC_KEY"),
        ),
        (Some(_), Some(ours)) if key(ours) != application.verify_key.to_lowercase() => Check::failed(
            ABOUT,
            "DISCORD_PUBLIC_KEY is not the application's, so every command is refused",
            "copy it: discord.com/developers/applications → your application → General Information → Public Key",
        ),
        (Some(url), Some(_)) if !url.ends_with("/interactions") => Check::failed(
            ABOUT,
            format!("Discord sends them to {url}, where Muster does not take them"),
            format!("enter https://<this host>/interactions as {ENDPOINT}, or empty it"),
        ),
        (Some(url), Some(_)) => Check::ok(ABOUT, format!("Discord sends them to {url}")),
    }
}

fn redirects(application: &Application, redirect: &Url) -> Check {
    const ABOUT: &str = "Discord redirect";
    let registered = application.redirect_uris.iter().any(|uri| uri == redirect.as_str());
    if !registered {
        Check::failed(
            ABOUT,
            format!("{redirect} is not registered: nobody can sign in"),
            "add it, letter by letter, at discord.com/developers/applications → your application → OAuth2 → Redirects, or correct \
             PUBLIC_URL",
        )
    } else if redirect.scheme() == "https" {
        Check::ok(ABOUT, format!("{redirect} is registered"))
    } else {
        Check::warning(
            ABOUT,
            format!("{redirect} is registered, but is not https: sessions can be read on the way"),
            "put a proxy with TLS in front of Muster and set PUBLIC_URL to its https address",
        )
    }
}

/// `asked` is the answer to a sign-in with a code that Discord never gave.
pub(super) fn discord_sign_in(asked: Result<(), discord::oauth::Error>) -> Check {
    use discord::oauth::Error;
    const ABOUT: &str = "Discord sign-in";
    match asked {
        // What it does not accept is the code; the application it does.
        Ok(()) | Err(Error::Denied) => Check::ok(ABOUT, "Discord takes client id and secret"),
        Err(Error::Misconfigured(why)) => Check::failed(
            ABOUT,
            why,
            "discord.com/developers/applications → your application → OAuth2: set DISCORD_CLIENT_ID and DISCORD_CLIENT_SECRET \
             (Reset Secret) and start Muster again",
        ),
        Err(error @ Error::Busy { .. }) => Check::warning(ABOUT, error.to_string(), "wait, and look again"),
        Err(error @ (Error::TooSlow | Error::Unavailable(_))) => Check::failed(
            ABOUT,
            error.to_string(),
            "is DISCORD_API_URL right, can this machine reach it, and is Discord up (discordstatus.com)?",
        ),
    }
}

/// Muster asks for GUILDS and GUILD_VOICE_STATES, which every bot may have.
pub(super) fn gateway(asked: &Result<GatewayBot, discord::Error>) -> Check {
    const ABOUT: &str = "Discord gateway";
    let gateway = match asked {
        Ok(gateway) => gateway,
        Err(error) => return unanswered(ABOUT, error),
    };
    let starts = gateway.starts;
    let what = format!(
        "{} of {} logins are left today; {} shard{}; the intents (guilds, voice states) need no permission",
        starts.remaining,
        starts.total,
        gateway.shards,
        if gateway.shards == 1 { "" } else { "s" }
    );
    let minutes = starts.reset_after().as_secs().div_ceil(60);
    let remedy = format!(
        "find out what starts the bot so often, and stop it: beyond the limit Discord makes the token invalid. All are back in \
         {minutes} min"
    );
    if starts.remaining < gateway.shards {
        Check::failed(ABOUT, what, remedy)
    } else if f64::from(starts.remaining) < f64::from(starts.total) * FEW_STARTS {
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
            "is DISCORD_API_URL right, can this machine reach it, and is Discord up (discordstatus.com)?",
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
    use serde_json::{Value, json};

    use super::*;
    use crate::doctor::Verdict;

    fn says(check: &Check, verdict: Verdict, words: &[&str]) {
        assert_eq!(check.verdict, verdict, "{check}");
        for word in words {
            assert!(check.to_string().contains(word), "'{word}' is not in: {check}");
        }
    }

    #[test]
    fn few_logins_left_are_a_warning_and_none_a_failure() {
        let left = |remaining: u64| {
            let body = json!({"url": "wss://gateway.discord.gg", "shards": 2, "session_start_limit":
                {"total": 1000, "remaining": remaining, "reset_after": 90_000, "max_concurrency": 1}});
            gateway(&Ok(serde_json::from_value(body).unwrap()))
        };
        says(&left(1000), Verdict::Ok, &["2 shards"]);
        says(&left(99), Verdict::Warning, &[]);
        says(&left(1), Verdict::Failed, &["1 of 1000", "in 2 min"]);
    }

    #[test]
    fn a_refused_key_is_told_apart_from_a_faceit_that_is_down() {
        let route = "/matches/{id}";
        let key = faceit(Err(faceit::error::Error::Unauthorized { route, status: 403 }));
        says(&key, Verdict::Failed, &["refuses it (status 403)", "App Studio"]);
        assert_eq!(
            faceit(Err(faceit::error::Error::NotFound { route })).verdict,
            Verdict::Ok
        );
        let why = "status 503".to_owned();
        let down = faceit(Err(faceit::error::Error::Unavailable { route, why }));
        says(
            &down,
            Verdict::Failed,
            &["does not answer", "status 503", "FACEIT_API_URL"],
        );
        assert!(!down.to_string().contains("App Studio"), "{down}");
    }

    #[test]
    fn a_refused_token_says_where_a_new_one_is_made() {
        let refused = token(&Err(discord::Error::Unauthorized));
        says(&refused, Verdict::Failed, &["Reset Token", "DISCORD_TOKEN"]);
    }

    #[test]
    fn a_code_that_nobody_gave_tells_whether_the_client_is_known() {
        let at = |redirect: &str, answer| faceit_sign_in(&Url::parse(redirect).unwrap(), answer);
        let public = "https://muster.example.org/faceit/callback";
        let unknown_code = || Err(faceit::oauth::Error::Expired("invalid_grant".into()));
        says(&at(public, unknown_code()), Verdict::Ok, &[public]);
        let local = at("http://localhost/faceit/callback", unknown_code());
        says(&local, Verdict::Warning, &["not https", "FACEIT_REDIRECT_URI"]);
        let refused = at(public, Err(faceit::oauth::Error::Misconfigured("status 401".into())));
        says(&refused, Verdict::Failed, &["FACEIT_CLIENT_SECRET", "OAuth2 clients"]);
        let down = at(public, Err(faceit::oauth::Error::Unavailable("no answer".into())));
        says(&down, Verdict::Failed, &["does not answer", "FACEIT_AUTH_URL"]);

        says(
            &discord_sign_in(Err(discord::oauth::Error::Denied)),
            Verdict::Ok,
            &["client id and secret"],
        );
        let bad = discord::oauth::Error::Misconfigured("Discord refuses it".into());
        says(&discord_sign_in(Err(bad)), Verdict::Failed, &["DISCORD_CLIENT_SECRET"]);
    }

    fn portal() -> Portal {
        Portal {
            client_id: Some("77".into()),
            redirect: Some(Url::parse("https://muster.example.org/api/auth/callback").unwrap()),
            public_key: None,
        }
    }

    /// The one line that is not ok.
    fn trouble(change: Value, portal: &Portal) -> Check {
        let mut body = json!({"id": "77", "name": "Muster", "verify_key": "00".repeat(32),
            "redirect_uris": ["https://muster.example.org/api/auth/callback"]});
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let mut checks = application(&Ok(serde_json::from_value(body).unwrap()), portal);
        checks.retain(|check| check.verdict != Verdict::Ok);
        assert_eq!(checks.len(), 1, "{checks:#?}");
        checks.remove(0)
    }

    #[test]
    fn what_the_developer_portal_says_otherwise_is_named() {
        let found = trouble(json!({"redirect_uris": []}), &portal());
        says(&found, Verdict::Failed, &["/api/auth/callback", "Redirects"]);
        let found = trouble(json!({"id": "78"}), &portal());
        says(&found, Verdict::Warning, &["DISCORD_CLIENT_ID is 77", "78"]);
        let elsewhere = json!({"interactions_endpoint_url": "https://old.example.org/bot"});
        let found = trouble(elsewhere.clone(), &portal());
        says(
            &found,
            Verdict::Failed,
            &["https://old.example.org/bot", "Interactions Endpoint URL"],
        );
        let keyed = Portal {
            public_key: Some([0; 32]),
            ..portal()
        };
        says(
            &trouble(elsewhere, &keyed),
            Verdict::Failed,
            &["https://<this host>/interactions"],
        );
        let wrong = Portal {
            public_key: Some([1; 32]),
            ..portal()
        };
        let here = json!({"interactions_endpoint_url": "https://muster.example.org/interactions"});
        says(&trouble(here, &wrong), Verdict::Failed, &["Public Key"]);
    }
}
