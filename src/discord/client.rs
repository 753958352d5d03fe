//! The handle to Discord's REST API that everything shares: address, tokens, connections, limits. What can be asked is in `channels` and `members`.

use std::{fmt, sync::Arc, time::Duration};

use moka::future::Cache;
use reqwest::Url;
use secrecy::SecretString;
use tokio::{
    sync::{Mutex, OnceCell},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use twilight_http::request::{Request, TryIntoRequest};
use twilight_model::{
    channel::message::AllowedMentions,
    id::{Id, marker::ApplicationMarker},
};

use crate::{
    discord::{
        answer::Answer,
        error::Error,
        line::{By, Class, LeftOut, Rank},
        send::{Route, Sender},
    },
    domain::{
        Timestamp,
        ids::{ChannelId, GuildId, UserId},
        plan::Outcome,
    },
};

/// The version of the API that requests are built for.
const API_PATH: &str = "/api/v10";

/// How long the first calls in a guild wait for a further bot that is asked whether it can help.
const MOVER_WITHIN: Duration = Duration::from_secs(2);
/// How long a bot that can't move people in a guild is not asked again there: somebody may have invited it, or given it its permissions.
pub(super) const LEFT_OUT: Duration = Duration::from_secs(600);
/// The same for one whose question was not answered.
const NOT_ANSWERED: Duration = Duration::from_secs(30);

/// How long the reason of a refused move holds for others that were refused with it.
const EXPLAINED: Duration = Duration::from_secs(2);

/// How to reach Discord.
pub struct Options {
    /// `https://discord.com/api/v10`; see `api_base`.
    pub base: Url,
    /// The bot token, without the word `Bot`.
    pub token: SecretString,
    /// Further bots that share the moves in the guilds that they are in.
    pub movers: Vec<SecretString>,
    /// The longest one attempt may take.
    pub deadline: Duration,
    /// The longest a call may take in all, with its time in line, pauses for rate limits and a second attempt. The moves of five
    /// matches at once in one guild take 40 s.
    pub patience: Duration,
}

impl Options {
    pub fn new(base: Url, token: SecretString) -> Self {
        Self {
            base,
            token,
            movers: Vec::new(),
            deadline: Duration::from_secs(10),
            patience: Duration::from_secs(60),
        }
    }
}

/// Which of many calls comes first when they can't all be sent at once. What kind of call it is counts more than this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Priority {
    /// When the match began: older ones first. Calls that belong to no match come before all.
    pub since: Option<Timestamp>,
    /// The how manieth call of its faction, so that both factions fill up alike.
    pub nth: u32,
    /// Not for a running match, but to clear up after one.
    pub clearing_up: bool,
}

impl Priority {
    pub(super) fn rank(self, class: Class) -> Rank {
        Rank {
            class: if self.clearing_up { Class::TearDown } else { class },
            since: self.since.map_or(i64::MIN, Timestamp::unix_timestamp),
            nth: self.nth,
            number: 0,
        }
    }
}

/// Talks to Discord as one bot, and as further ones for moves. Clones share connections and what is known of the rate limits.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    priority: Priority,
    recall: Option<CancellationToken>,
}

struct Shared {
    /// Only builds and checks requests; it has no TLS, no token and no limiter, and sends nothing (facts/discord.md 2.5).
    builder: twilight_http::Client,
    sender: Sender,
    bots: Vec<Bot>,
    application: OnceCell<Id<ApplicationMarker>>,
    explained: Explained,
}

/// What moves to these channels were refused for, moments ago.
type Explained = Cache<(GuildId, Option<ChannelId>), Option<Outcome>>;

/// What is known of one of the bots.
#[derive(Default)]
struct Bot {
    me: OnceCell<UserId>,
    asking: Mutex<()>,
}

impl Client {
    /// Connects lazily. Must be called inside a Tokio runtime: twilight's builder starts a task that ends at once.
    pub fn new(options: Options) -> Result<Self, Error> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(Error::unexpected(
                "the Discord client must be made inside a Tokio runtime",
            ));
        }
        let builder = twilight_http::Client::builder()
            .ratelimiter(None)
            .remember_invalid_token(false)
            // Names come from players: nobody is pinged by them.
            .default_allowed_mentions(AllowedMentions::default())
            .build();
        let bots = std::iter::repeat_with(Bot::default)
            .take(1 + options.movers.len())
            .collect();
        let sender = Sender::new(options)?;
        Ok(Self {
            shared: Arc::new(Shared {
                builder,
                sender,
                bots,
                application: OnceCell::new(),
                explained: Cache::builder().max_capacity(1_000).time_to_live(EXPLAINED).build(),
            }),
            priority: Priority::default(),
            recall: None,
        })
    }

    /// The same client, for calls of this priority. Dropping a call's future takes it out of the line.
    #[must_use]
    pub fn with_priority(&self, priority: Priority) -> Self {
        Self {
            priority,
            ..self.clone()
        }
    }

    /// The same client, for calls that are not sent any more once `recall` is cancelled: those that still wait for their turn end with
    /// `Error::Recalled`. What is under way by then comes to its end.
    #[must_use]
    pub fn with_recall(&self, recall: CancellationToken) -> Self {
        Self {
            recall: Some(recall),
            ..self.clone()
        }
    }

    /// How many further bots there are.
    pub fn movers(&self) -> usize {
        self.shared.bots.len() - 1
    }

    /// Which of the further bots can't help, where, and why; as far as it was found out.
    pub fn left_out(&self) -> Vec<LeftOut> {
        self.shared.sender.left_out()
    }

    /// Discord refused the token: every call fails until the next start.
    pub fn token_is_bad(&self) -> bool {
        self.shared.sender.token_is_bad()
    }

    pub(super) fn build(&self) -> &twilight_http::Client {
        &self.shared.builder
    }

    pub(super) async fn call(&self, route: Route, request: &Request) -> Result<Answer, Error> {
        let recall = self.recall.as_ref();
        self.shared.sender.call(route, self.priority, recall, request).await
    }

    pub(super) fn explained(&self) -> &Explained {
        &self.shared.explained
    }

    pub(super) fn bot_count(&self) -> usize {
        self.shared.bots.len()
    }

    /// Ahead of every line; only for what Discord counts in no limit. Says whether it took a second attempt.
    pub(super) async fn call_at_once(&self, route: Route, request: &Request) -> Result<(Answer, bool), Error> {
        self.shared.sender.call_at_once(route, request).await
    }

    pub(super) async fn remembered_application(
        &self,
        ask: impl Future<Output = Result<Id<ApplicationMarker>, Error>>,
    ) -> Result<Id<ApplicationMarker>, Error> {
        self.shared.application.get_or_try_init(|| ask).await.copied()
    }

    /// Who one of the bots is; asked once, then remembered.
    pub(super) async fn account(&self, bot: usize) -> Result<UserId, Error> {
        let me = self.shared.bots[bot]
            .me
            .get_or_try_init(|| self.ask_who_i_am(bot))
            .await?;
        Ok(*me)
    }

    /// The further bots that can help in a guild: they need access to the channels that they move people to. Each is asked once
    /// whether it is there, and left out if it isn't.
    pub(super) async fn movers_in(&self, guild: GuildId) -> Vec<UserId> {
        // What is found out serves everybody, so it is not taken back.
        let asking = Self {
            recall: None,
            ..self.clone()
        };
        let asked = (1..self.shared.bots.len()).map(|bot| asking.mover_in(bot, guild));
        futures::future::join_all(asked).await.into_iter().flatten().collect()
    }

    async fn mover_in(&self, bot: usize, guild: GuildId) -> Option<UserId> {
        let (sender, id) = (&self.shared.sender, guild.get());
        // Held while it is asked, so that calls at the same time ask once.
        let _asking = match sender.takes_part(bot, id) {
            Some(true) => return self.account(bot).await.ok(),
            Some(false) => return None,
            None => self.shared.bots[bot].asking.lock().await,
        };
        if sender.takes_part(bot, id).is_none() {
            match timeout(MOVER_WITHIN, self.ask_mover(bot, guild)).await {
                Ok(Ok(None)) => sender.admit(bot, id),
                Ok(Ok(Some(why))) => sender.leave_out(bot, id, &why, LEFT_OUT),
                Ok(Err(Error::Unauthorized)) => {}
                Ok(Err(error)) => sender.leave_out(bot, id, &error.to_string(), NOT_ANSWERED),
                Err(_) => sender.leave_out(bot, id, "Discord does not answer it in time", NOT_ANSWERED),
            }
        }
        match sender.takes_part(bot, id) {
            Some(true) => self.account(bot).await.ok(),
            _ => None,
        }
    }

    /// Why it can't help there, if it can't.
    async fn ask_mover(&self, bot: usize, guild: GuildId) -> Result<Option<String>, Error> {
        self.account(bot).await?;
        let request = built(self.build().guild(Id::new(guild.get())))?;
        let route = Route::new(Class::Create, "GET /guilds/{guild}", guild.get()).by(By::Bot(bot));
        Ok(match self.call(route, &request).await? {
            Answer::Ok(_) => None,
            Answer::Refused(refusal) => Some(refusal.said()),
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("discord::Client").finish_non_exhaustive()
    }
}

/// A request without options of its own; twilight can't refuse it.
pub(super) fn built(request: impl TryIntoRequest) -> Result<Request, Error> {
    request
        .try_into_request()
        .map_err(|error| Error::unexpected(format!("a request to Discord could not be built: {error}")))
}

/// The base address of API version 10: adds `/api/v10` to a bare address, and refuses any other path or version.
pub fn api_base(url: &Url) -> Result<Url, String> {
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("must be an http or https address".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("must be a plain address, without user, password, '?' or '#'".to_owned());
    }
    let path = url.path().trim_end_matches('/');
    if !path.is_empty() && !path.ends_with(API_PATH) {
        return Err(format!(
            "must end in {API_PATH}, the version of Discord's API that Muster speaks"
        ));
    }
    let mut base = url.clone();
    base.set_path(if path.is_empty() { API_PATH } else { path });
    Ok(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_address_gets_the_version_and_another_one_is_refused() {
        let base = |text: &str| api_base(&Url::parse(text).unwrap()).map(String::from);
        for good in [
            "https://discord.com",
            "https://discord.com/",
            "https://discord.com/api/v10/",
        ] {
            assert_eq!(base(good).as_deref(), Ok("https://discord.com/api/v10"), "{good}");
        }
        assert_eq!(
            base("http://127.0.0.1:8080/discord/api/v10").as_deref(),
            Ok("http://127.0.0.1:8080/discord/api/v10")
        );
        for bad in [
            "https://discord.com/api",
            "https://discord.com/api/v9",
            "ftp://discord.com",
            "https://a:b@discord.com",
            "https://discord.com/api/v10?x=1",
        ] {
            assert!(base(bad).is_err(), "{bad}");
        }
    }
}
