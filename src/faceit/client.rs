//! The Data API as functions. Rate limited, with deadlines and retries; caches what may be stale, never a match that is being synced.

use std::{fmt, sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use moka::future::Cache;
use reqwest::{
    Url,
    header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    clock::Clock,
    domain::{
        ids::{MatchId, PlayerId},
        match_facts::MatchFacts,
    },
    faceit::{
        error::Error,
        fact,
        limit::Limit,
        player::{self, Profile},
        send::Sender,
        wire,
    },
};

/// The first try and three more.
const RETRIES: usize = 3;
/// A call with all its retries takes at most so many deadlines.
const DEADLINES_IN_TOTAL: u32 = 2;
const PLAYERS_STAY: Duration = Duration::from_secs(300);
const HUB_LISTS_STAY: Duration = Duration::from_secs(15);
/// The most that `/hubs/{id}/matches` gives at once.
const PAGE: usize = 100;
const SEARCH_RESULTS: &str = "20";

/// How to reach the Data API.
#[derive(Clone, Debug)]
pub struct Options {
    /// `https://open.faceit.com/data/v4`, with or without a slash at the end.
    pub base: Url,
    pub key: SecretString,
    /// FACEIT was recorded to allow 10 or 20 per second, and one call seems to cost two.
    pub calls_per_second: u32,
    /// For one attempt; with its retries a call takes at most twice that.
    pub deadline: Duration,
    pub clock: Clock,
}

impl Options {
    pub fn new(base: Url, key: SecretString, clock: Clock) -> Self {
        Self {
            base,
            key,
            calls_per_second: 5,
            deadline: Duration::from_secs(10),
            clock,
        }
    }
}

/// Why no client can be made of the options.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("the FACEIT API address '{0}' is no http or https address")]
    Base(Url),
    #[error("the FACEIT API key contains characters that can't be sent in a header")]
    Key,
    #[error("the HTTP client could not be set up")]
    Http(#[from] reqwest::Error),
}

/// Which matches of a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HubMatches {
    All,
    Upcoming,
    Ongoing,
    Past,
}

impl HubMatches {
    fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Upcoming => "upcoming",
            Self::Ongoing => "ongoing",
            Self::Past => "past",
        }
    }
}

/// Asks FACEIT. Clones share connections, rate limit and caches.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    base: Url,
    sender: Sender,
    players: Cache<Url, Profile>,
    hub_lists: Cache<(String, HubMatches, usize), HubList>,
}

type HubList = Arc<Vec<(MatchId, MatchFacts)>>;

impl Client {
    pub fn new(options: Options) -> Result<Self, Unusable> {
        let Options {
            base,
            key,
            calls_per_second,
            deadline,
            clock,
        } = options;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(Unusable::Base(base));
        }
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", key.expose_secret())).map_err(|_| Unusable::Key)?;
        bearer.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, bearer),
            (ACCEPT, HeaderValue::from_static("application/json")),
        ]);
        let http = reqwest::Client::builder()
            .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            // A redirect would carry the key to another place.
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self(Arc::new(Inner {
            base,
            sender: Sender {
                http,
                limit: Limit::new(calls_per_second),
                clock,
                deadline,
            },
            players: Cache::builder().max_capacity(10_000).time_to_live(PLAYERS_STAY).build(),
            hub_lists: Cache::builder().max_capacity(200).time_to_live(HUB_LISTS_STAY).build(),
        })))
    }

    /// `GET /matches/{id}`, always fresh.
    pub async fn fetch_match(&self, id: &MatchId) -> Result<MatchFacts, Error> {
        let route = "/matches/{id}";
        let url = self.url(route, &["matches", id.as_str()], &[])?;
        let (_, facts) = fact::from_match(self.get(route, url).await?).map_err(|error| Error::Unexpected {
            route,
            why: error.to_string(),
        })?;
        Ok(facts)
    }

    /// `GET /players/{id}`, up to five minutes old.
    pub async fn player(&self, id: &PlayerId) -> Result<Profile, Error> {
        let route = "/players/{id}";
        let url = self.url(route, &["players", id.as_str()], &[])?;
        self.profile(route, url).await
    }

    /// The same, but not a second old.
    pub async fn player_afresh(&self, id: &PlayerId) -> Result<Profile, Error> {
        let route = "/players/{id}";
        let url = self.url(route, &["players", id.as_str()], &[])?;
        self.0.players.invalidate(&url).await;
        self.profile(route, url).await
    }

    /// `GET /players?nickname=`, up to five minutes old. The nickname must match exactly, case included.
    pub async fn player_by_nickname(&self, nickname: &str) -> Result<Profile, Error> {
        let route = "/players";
        let url = self.url(route, &["players"], &[("nickname", nickname)])?;
        self.profile(route, url).await
    }

    /// `GET /search/players`: who has a nickname like this, best first, at most 20.
    pub async fn search_players(&self, nickname: &str) -> Result<Vec<Profile>, Error> {
        let route = "/search/players";
        let query = [("nickname", nickname), ("offset", "0"), ("limit", SEARCH_RESULTS)];
        let url = self.url(route, &["search", "players"], &query)?;
        let page = self.page(route, url).await?;
        Ok(page.into_iter().filter_map(player::from_profile).collect())
    }

    /// `GET /hubs/{id}/matches`, newest first as FACEIT gives them, up to `at_most`, up to 15 seconds old.
    pub async fn hub_matches(
        &self,
        hub_id: &str,
        kind: HubMatches,
        at_most: usize,
    ) -> Result<Vec<(MatchId, MatchFacts)>, Error> {
        let key = (hub_id.to_owned(), kind, at_most);
        let list = self
            .0
            .hub_lists
            .try_get_with(key, self.read_hub_list(hub_id, kind, at_most));
        let list = list.await.map_err(|error: Arc<Error>| (*error).clone())?;
        Ok(list.as_ref().clone())
    }

    async fn read_hub_list(&self, hub_id: &str, kind: HubMatches, at_most: usize) -> Result<HubList, Error> {
        let route = "/hubs/{id}/matches";
        let mut list = Vec::new();
        let mut offset = 0;
        while offset < at_most {
            let limit = PAGE.min(at_most - offset);
            let (start, count) = (offset.to_string(), limit.to_string());
            let query = [("type", kind.as_str()), ("offset", &*start), ("limit", &*count)];
            let items = self
                .page(route, self.url(route, &["hubs", hub_id, "matches"], &query)?)
                .await?;
            let found = items.len();
            // One odd match must not hide the others.
            list.extend(items.into_iter().filter_map(|item| match fact::from_match(item) {
                Ok((Some(id), facts)) => Some((id, facts)),
                _ => None,
            }));
            if found < limit {
                break;
            }
            offset += limit;
        }
        Ok(Arc::new(list))
    }

    async fn profile(&self, route: &'static str, url: Url) -> Result<Profile, Error> {
        let asked = async {
            player::from_profile(self.get(route, url.clone()).await?).ok_or_else(|| Error::Unexpected {
                route,
                why: "the player has no id".to_owned(),
            })
        };
        let profile = self.0.players.try_get_with(url.clone(), asked).await;
        profile.map_err(|error: Arc<Error>| (*error).clone())
    }

    async fn page(&self, route: &'static str, url: Url) -> Result<Vec<Value>, Error> {
        serde_json::from_value::<wire::Page>(self.get(route, url).await?)
            .map(|page| page.items)
            .map_err(|error| Error::Unexpected {
                route,
                why: error.to_string(),
            })
    }

    /// Asks until there is an answer, a final refusal, or no time or tries are left.
    pub(super) async fn get(&self, route: &'static str, url: Url) -> Result<Value, Error> {
        let sender = &self.0.sender;
        let end = Instant::now() + sender.deadline * DEADLINES_IN_TOTAL;
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(3))
            .with_max_times(RETRIES)
            .with_jitter()
            .build();
        loop {
            let error = match sender.get(route, url.clone(), end).await {
                Err(error) if error.is_transient() => error,
                answer => return answer,
            };
            // The wait that a `Busy` asks for is kept by the rate limit, for every caller alike.
            let wait = error.retry_after().unwrap_or_default();
            match pauses.next() {
                Some(pause) if Instant::now() + pause.max(wait) < end => {
                    tracing::debug!(%error, "asking FACEIT again");
                    sleep(pause).await;
                    // The sleep may have taken longer than asked for; the last error says more than "too late".
                    if Instant::now() >= end {
                        return Err(error);
                    }
                }
                _ => return Err(error),
            }
        }
    }

    /// The address, with every segment percent-encoded.
    pub(super) fn url(&self, route: &'static str, segments: &[&str], query: &[(&str, &str)]) -> Result<Url, Error> {
        // The two names that an address can't hold: a path swallows them. Nothing at FACEIT is called that.
        if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
            return Err(Error::NotFound { route });
        }
        let mut url = self.0.base.clone();
        url.set_query(None);
        url.set_fragment(None);
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.0.base.as_str())
            .finish_non_exhaustive()
    }
}
