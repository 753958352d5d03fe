//! The unmodified `muster serve` as a process of its own, with the simulator as Discord and FACEIT in this one, and somebody signed in.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use muster::{
    sandbox::process::Process,
    simulator::{Options, Simulator, WorldFile},
};
use reqwest::{Client, Response, redirect};
use serde_json::json;

use super::serving;

pub const GUILD: u64 = 1000;
const OWNER: &str = "2001";
const PUBLIC_URL: &str = "http://muster.bench";

pub struct Service {
    _process: Process,
    _simulator: Simulator,
    pub address: SocketAddr,
    /// Of the guild's owner.
    pub token: String,
}

impl Service {
    /// With no limit in the way of the load.
    pub async fn start(database: &str) -> anyhow::Result<Self> {
        let world = json!({
            "guilds": [{
                "id": GUILD.to_string(), "name": "Bench", "bot_permissions": "53478928", "owner_id": OWNER,
                "members": [{"id": OWNER, "name": "Owner"}],
            }],
            "gateway": {"max_concurrency": 0},
            "oauth": {"redirect_uris": [format!("{PUBLIC_URL}/api/auth/callback")]},
        });
        let world = WorldFile::parse(&world.to_string()).map_err(anyhow::Error::msg)?;
        let simulator = Simulator::start(world, Options::default()).await?;
        let addresses = simulator.addresses();
        let (faceit, discord) = (&addresses.faceit_api, &addresses.discord_api);
        let program = serving::program(database, faceit, discord, &addresses.bot_token)
            .env("DISCORD_GUILD_ID", GUILD.to_string())
            .env("DISCORD_CLIENT_ID", "900000000000000001")
            .env("DISCORD_CLIENT_SECRET", "simulated-client-secret")
            .env("DISCORD_AUTHORIZE_URL", &addresses.discord_authorize)
            .env("PUBLIC_URL", PUBLIC_URL)
            .env("JWT_SECRET", "a-secret-of-the-bench-0123456789abcdef")
            .env(
                "MUSTER_ENCRYPTION_KEYS",
                "1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            )
            .env("RATE_LIMIT_AUTH", "1000000/1")
            .env("RATE_LIMIT_USER", "1000000/1")
            .env("RATE_LIMIT_GUILD", "1000000/1")
            .env("LIVE_CONNECTIONS_PER_USER", "1000");
        let (process, address) = serving::start(program)?;
        let address: SocketAddr = address.parse()?;
        let token = sign_in(address).await?;
        Ok(Self {
            _process: process,
            _simulator: simulator,
            address,
            token,
        })
    }
}

/// As a browser does, redirect by redirect.
async fn sign_in(address: SocketAddr) -> anyhow::Result<String> {
    let http = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .build()?;
    let login = http.get(format!("http://{address}/api/auth/login")).send().await?;
    let (cookie, page) = (header(&login, "set-cookie")?, header(&login, "location")?);
    let back = http.post(page).body(format!("user={OWNER}")).send().await?;
    let back = header(&back, "location")?;
    let back = back.strip_prefix(PUBLIC_URL).context("not sent back to us")?;
    let cookie = cookie.split(';').next().unwrap_or_default();
    let done = http
        .get(format!("http://{address}{back}"))
        .header("cookie", cookie)
        .send()
        .await?;
    let tokens = done.headers().get_all("set-cookie").iter();
    let mut tokens = tokens.filter_map(|cookie| cookie.to_str().ok()?.strip_prefix("muster_session="));
    let token = tokens
        .next()
        .context("no session")?
        .split(';')
        .next()
        .unwrap_or_default();
    ensure!(!token.is_empty(), "an empty session");
    Ok(token.to_owned())
}

fn header(answer: &Response, name: &str) -> anyhow::Result<String> {
    let value = answer.headers().get(name).with_context(|| format!("no {name}"))?;
    Ok(value.to_str()?.to_owned())
}
