//! A simulated FACEIT and Discord, the unmodified `muster serve` with signing in set up, and players who come back from FACEIT with a code each.

use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context, bail};
use futures::{StreamExt, TryStreamExt, stream};
use muster::{
    clock::Clock,
    domain::ids::UserId,
    faceit::oauth::{self, SignIn},
    sandbox::process::Process,
    simulator::{Options, Simulator, WorldFile},
    store::{
        self,
        link_states::{self, Wish},
    },
};
use reqwest::{StatusCode, Url, header, redirect};
use serde_json::{Value, json};

use super::{serving, usage};

const CLIENT: (&str, &str) = ("simulated-faceit-client", "simulated-faceit-secret");
/// Nobody looks it up.
const REDIRECT: &str = "http://localhost/faceit/callback";
const START_WITHIN: Duration = Duration::from_secs(30);
/// Prepared at the same time.
const AT_ONCE: usize = 16;

pub struct Stage {
    pub service: String,
    pub http: reqwest::Client,
    sign_in: SignIn,
    _simulator: Simulator,
    process: Process,
    pool: store::Pool,
    /// The first player who has not been to FACEIT.
    next: AtomicUsize,
    players: usize,
}

/// A player on his way back to the service.
#[derive(Clone)]
pub struct Back {
    pub url: Url,
    pub cookie: String,
    /// Everybody has an address of his own.
    pub from: String,
}

/// A player's code, with the verifier that redeems it.
#[derive(Clone)]
pub struct Code {
    pub code: String,
    pub verifier: String,
}

fn user_id(player: usize) -> u64 {
    5_000_000 + player as u64
}

impl Stage {
    pub async fn start(database: &str, pool: store::Pool, players: usize) -> anyhow::Result<Self> {
        let known: Vec<Value> = (0..players)
            .map(|n| json!({"player_id": format!("p-{n}"), "nickname": format!("Player{n}")}))
            .collect();
        let members: Vec<Value> = (0..players)
            .map(|n| json!({"id": user_id(n).to_string(), "name": format!("Member {n}")}))
            .collect();
        let world = json!({
            "guilds": [{"id": "1000", "name": "Kiosk", "members": members}],
            "faceit": {"players": known},
        });
        let world = WorldFile::parse(&world.to_string()).map_err(anyhow::Error::msg)?;
        let simulator = Simulator::start(world, Options::default()).await?;
        let addresses = simulator.addresses().clone();
        let (faceit, discord) = (&addresses.faceit_api, &addresses.discord_api);
        let program = serving::program(database, faceit, discord, &addresses.bot_token)
            .env("FACEIT_CLIENT_ID", CLIENT.0)
            .env("FACEIT_CLIENT_SECRET", CLIENT.1)
            .env("FACEIT_REDIRECT_URI", REDIRECT)
            .env("FACEIT_ACCOUNTS_URL", &addresses.faceit_accounts)
            .env("FACEIT_AUTH_URL", &addresses.faceit_auth)
            .env("DISCORD_GUILD_ID", "1000");
        let (process, address) = serving::start(program)?;
        let service = format!("http://{address}");
        let below = |path: &str| format!("{}{path}", addresses.faceit_auth).parse();
        let sign_in = SignIn::new(oauth::Options {
            client_id: CLIENT.0.to_owned(),
            client_secret: CLIENT.1.to_owned().into(),
            redirect: REDIRECT.parse()?,
            authorize: addresses.faceit_accounts.parse()?,
            token: below("/oauth/token")?,
            userinfo: below("/resources/userinfo")?,
            deadline: START_WITHIN,
        })?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .timeout(START_WITHIN);
        Ok(Self {
            service,
            http: http.build()?,
            sign_in,
            _simulator: simulator,
            process,
            pool,
            next: AtomicUsize::new(0),
            players,
        })
    }

    fn take(&self, count: usize) -> anyhow::Result<std::ops::Range<usize>> {
        let first = self.next.fetch_add(count, Ordering::Relaxed);
        if first + count > self.players {
            bail!("there are only {} players", self.players);
        }
        Ok(first..first + count)
    }

    /// So many players who ran `/link`, opened its address and chose their account at FACEIT.
    pub async fn on_their_way_back(&self, count: usize) -> anyhow::Result<Vec<Back>> {
        let players = stream::iter(self.take(count)?);
        players
            .map(|player| self.way_back(player))
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn way_back(&self, player: usize) -> anyhow::Result<Back> {
        let token = format!("token-of-player-{player}");
        let wish = Wish {
            user: UserId::new(user_id(player)).context("an id above zero")?,
            name: format!("Member {player}"),
            guild: None,
        };
        let mut connection = self.pool.acquire().await?;
        link_states::open(&mut connection, &token, &wish, Clock::system().now()).await?;
        drop(connection);
        let from = Ipv4Addr::from(0x0b00_0000 + player as u32).to_string();
        let begun = self
            .http
            .get(format!("{}/faceit/link/{token}", self.service))
            .header("x-forwarded-for", &from)
            .send()
            .await?;
        let url = self.choose(&location(&begun)?, player).await?;
        let service: Url = self.service.parse()?;
        let mut back = service.join(url.path())?;
        back.set_query(url.query());
        Ok(Back {
            url: back,
            cookie: format!("muster_link={token}"),
            from,
        })
    }

    /// At FACEIT, continues as this player; gives where he is sent back to.
    async fn choose(&self, page: &Url, player: usize) -> anyhow::Result<Url> {
        let mut chosen = page.clone();
        chosen.set_path("/accounts/continue");
        chosen.query_pairs_mut().append_pair("as", &format!("p-{player}"));
        location(&self.http.get(chosen).send().await?)
    }

    /// So many codes of players, for somebody who redeems them without the service.
    pub async fn codes(&self, count: usize) -> anyhow::Result<Vec<Code>> {
        let players = stream::iter(self.take(count)?);
        let code = |player| async move {
            let begun = self.sign_in.begin();
            let back = self.choose(&begun.address, player).await?;
            let code = back.query_pairs().find(|(name, _)| name == "code");
            anyhow::Ok(Code {
                code: code.context("no code")?.1.into_owned(),
                verifier: begun.verifier,
            })
        };
        players.map(code).buffered(AT_ONCE).try_collect().await
    }

    /// The callback, to its page.
    pub async fn link(&self, back: Back) -> anyhow::Result<()> {
        let request = self.http.get(back.url).header(header::COOKIE, back.cookie);
        let answer = request.header("x-forwarded-for", back.from).send().await?;
        let (status, page) = (answer.status(), answer.text().await?);
        if status != StatusCode::OK || !page.contains("You are linked") {
            bail!("not linked: {status}: {page}\n{}", self.process.stderr());
        }
        Ok(())
    }

    /// What FACEIT is asked for each callback, and nothing else.
    pub async fn redeem(&self, code: Code) -> anyhow::Result<()> {
        self.sign_in.finish(code.code, code.verifier).await?;
        Ok(())
    }

    /// The least that the service can be asked.
    pub async fn health(&self) -> anyhow::Result<()> {
        let answer = self.http.get(format!("{}/healthz", self.service)).send().await?;
        answer.error_for_status()?.bytes().await?;
        Ok(())
    }

    pub fn rss_mb(&self) -> Option<f64> {
        usage::rss_mb(self.process.id())
    }

    pub fn cpu(&self) -> Option<Duration> {
        usage::cpu(self.process.id())
    }
}

fn location(answer: &reqwest::Response) -> anyhow::Result<Url> {
    let location = answer.headers().get(header::LOCATION);
    let location = location.with_context(|| format!("no redirect, but {}", answer.status()))?;
    Ok(location.to_str()?.parse()?)
}
