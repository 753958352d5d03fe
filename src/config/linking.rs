//! How players link themselves: the FACEIT application they sign in with, and Discord's commands. All optional, but half a set is refused.

use clap::Args;
use secrecy::SecretString;
use url::Url;

use crate::config::{
    Problems,
    text::{given, secret, url},
};

/// The end of the redirect address: where this service answers.
const CALLBACK: &str = "/faceit/callback";

/// Players who link themselves.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Linking")]
pub struct LinkingArgs {
    /// Client id of the app in FACEIT App Studio, for players who sign in [default: none, /link is off]
    #[arg(long, env = "FACEIT_CLIENT_ID", value_name = "ID")]
    pub faceit_client_id: Option<String>,
    /// Its client secret
    #[arg(long, env = "FACEIT_CLIENT_SECRET", hide_env_values = true, value_name = "SECRET")]
    pub faceit_client_secret: Option<String>,
    /// Its redirect URL: https://<this service>/faceit/callback
    #[arg(long, env = "FACEIT_REDIRECT_URI", value_name = "URL")]
    pub faceit_redirect_uri: Option<String>,
    /// Where players sign in [default: https://accounts.faceit.com]
    #[arg(long, env = "FACEIT_ACCOUNTS_URL", value_name = "URL")]
    pub faceit_accounts_url: Option<String>,
    /// FACEIT's tokens and userinfo [default: https://api.faceit.com/auth/v1]
    #[arg(long, env = "FACEIT_AUTH_URL", value_name = "URL")]
    pub faceit_auth_url: Option<String>,
    /// Public key of the Discord application, for commands that Discord sends over HTTP [default: none, over the gateway]
    #[arg(long, env = "DISCORD_PUBLIC_KEY", hide_env_values = true, value_name = "HEX")]
    pub discord_public_key: Option<String>,
    /// Register the commands in this Discord server only, for development [default: none, everywhere]
    #[arg(long, env = "DISCORD_COMMANDS_GUILD_ID", value_name = "ID")]
    pub discord_commands_guild_id: Option<String>,
}

/// The FACEIT application that players sign in with.
#[derive(Clone, Debug)]
pub struct Linking {
    pub client_id: String,
    pub client_secret: SecretString,
    pub redirect: Url,
    pub accounts: Url,
    /// Without a slash at the end.
    pub auth: Url,
}

impl Linking {
    /// The address under which players reach this service, without a slash at the end.
    pub fn public(&self) -> String {
        self.redirect.as_str().trim_end_matches(CALLBACK).to_owned()
    }
}

impl LinkingArgs {
    /// Signing in at FACEIT alone: all mistakes at once.
    pub fn parse(self) -> Result<Option<Linking>, Problems> {
        let mut problems = Problems::default();
        let linking = linking(self, &mut problems);
        problems.check(linking)
    }

    /// The key of signed interactions alone.
    pub fn public_key(&self) -> Result<Option<[u8; 32]>, Problems> {
        let mut problems = Problems::default();
        let key = public_key(self, &mut problems);
        problems.check(key)
    }
}

pub(super) fn linking(args: LinkingArgs, problems: &mut Problems) -> Option<Option<Linking>> {
    let accounts = url(
        problems,
        "FACEIT_ACCOUNTS_URL",
        &args.faceit_accounts_url,
        "https://accounts.faceit.com",
        &["http", "https"],
    );
    let auth = url(
        problems,
        "FACEIT_AUTH_URL",
        &args.faceit_auth_url,
        "https://api.faceit.com/auth/v1",
        &["http", "https"],
    );
    let set = [
        ("FACEIT_CLIENT_ID", given(&args.faceit_client_id)),
        ("FACEIT_CLIENT_SECRET", given(&args.faceit_client_secret)),
        ("FACEIT_REDIRECT_URI", given(&args.faceit_redirect_uri)),
    ];
    if set.iter().all(|(_, value)| value.is_none()) {
        return Some(None);
    }
    let missing: Vec<_> = set.iter().filter(|(_, value)| value.is_none()).collect();
    for (name, _) in &missing {
        problems.add(
            name,
            "is missing: FACEIT_CLIENT_ID, FACEIT_CLIENT_SECRET and FACEIT_REDIRECT_URI go together; give all three, or none to do without \
             signing in (developers.faceit.com → App Studio → your app → OAuth2 clients)",
        );
    }
    if !missing.is_empty() {
        return None;
    }
    let client_secret = secret(
        problems,
        "FACEIT_CLIENT_SECRET",
        &args.faceit_client_secret,
        "the secret of the OAuth2 client",
        "developers.faceit.com → App Studio → your app → OAuth2 clients",
    );
    let redirect = redirect(&args.faceit_redirect_uri, problems);
    let client_id = given(&args.faceit_client_id).unwrap_or_default().to_owned();
    Some(Some(Linking {
        client_id,
        client_secret: client_secret?,
        redirect: redirect?,
        accounts: accounts?,
        auth: auth?,
    }))
}

/// FACEIT takes https only; plain http is for this machine, where the simulator is.
fn redirect(text: &Option<String>, problems: &mut Problems) -> Option<Url> {
    const NAME: &str = "FACEIT_REDIRECT_URI";
    const EXAMPLE: &str = "https://muster.example.org/faceit/callback";
    let redirect = url(problems, NAME, text, EXAMPLE, &["http", "https"])?;
    let here = matches!(redirect.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if !redirect.path().ends_with(CALLBACK) || (redirect.scheme() == "http" && !here) {
        problems.add(
            NAME,
            format!("must be an https address that ends in {CALLBACK}, as registered at FACEIT, for example {EXAMPLE}"),
        );
        return None;
    }
    Some(redirect)
}

pub(super) fn public_key(args: &LinkingArgs, problems: &mut Problems) -> Option<Option<[u8; 32]>> {
    let Some(text) = given(&args.discord_public_key) else {
        return Some(None);
    };
    let bytes: Option<Vec<u8>> = (text.len() == 64 && text.is_ascii())
        .then(|| {
            let pairs = (0..32).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16));
            pairs.collect::<Result<_, _>>().ok()
        })
        .flatten();
    match bytes.and_then(|bytes| bytes.try_into().ok()) {
        Some(key) => Some(Some(key)),
        None => {
            problems.add(
                "DISCORD_PUBLIC_KEY",
                "is no public key: 64 hexadecimal digits; discord.com/developers/applications → your application → General Information → \
                 Public Key",
            );
            None
        }
    }
}
