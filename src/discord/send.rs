//! Sends one built request when its turn has come, by one of the bots: deadline, at most one second attempt where that is safe. When
//! the turn comes is decided in `line`, what came back is read in `answer`.

use std::time::Duration;

use axum::body::Bytes;
use reqwest::{
    StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use twilight_http::request::{Method, Request};

use crate::{
    discord::{
        answer::{Answer, read, seen},
        client::{LEFT_OUT, Options, Priority, api_base},
        error::Error,
        limiter::{Key, Scope, Seen, Verdict},
        line::{By, Class, LeftOut, Waiter},
        turns::{Flight, Turns},
    },
    metrics,
};

/// The form that Discord asks for (docs, "User Agent"): `DiscordBot ($url, $version)`. Others may be blocked. Muster has no home page that could
/// stand here, and a made-up one might be somebody else's: a name below `.invalid` never is (RFC 2606).
pub(super) const USER_AGENT: &str = concat!("DiscordBot (https://muster.invalid, ", env!("CARGO_PKG_VERSION"), ")");
/// Connections kept open: a wave of a 5v5 match (ten moves and two more) finds all of its connections warm.
const WARM_CONNECTIONS: usize = 12;
/// Who asked is told that nothing came after 3 s; this leaves room for the way.
const AT_ONCE: Duration = Duration::from_millis(2_500);

/// Method and path with names instead of ids, the guild or channel that limits count by, whose turn it is, and who may send it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    key: Key,
    class: Class,
    by: By,
}

impl Route {
    /// `POST /guilds/{guild}/channels` and the guild's id; 0 where there is none. Sent by the main bot.
    pub fn new(class: Class, route: &'static str, resource: u64) -> Self {
        let key = Key { route, resource };
        let by = By::Bot(0);
        Self { key, class, by }
    }

    pub fn by(self, by: By) -> Self {
        Self { by, ..self }
    }
}

/// Status, headers and body of an answer.
type Exchanged = reqwest::Result<(StatusCode, HeaderMap, Bytes)>;

pub(super) struct Sender {
    http: reqwest::Client,
    /// Without a slash at the end.
    base: String,
    /// Of each bot; the main one is the first.
    authorizations: Vec<HeaderValue>,
    deadline: Duration,
    patience: Duration,
    turns: Turns,
}

impl Sender {
    pub fn new(options: Options) -> Result<Self, Error> {
        let base = api_base(&options.base).map_err(|why| Error::unexpected(format!("Discord's address {why}")))?;
        let tokens = std::iter::once(&options.token).chain(&options.movers);
        let authorizations: Vec<_> = tokens.map(authorization).collect::<Result<_, _>>()?;
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_secs(30))
            .pool_max_idle_per_host(WARM_CONNECTIONS)
            .pool_idle_timeout(Duration::from_secs(60))
            .connect_timeout(options.deadline.min(Duration::from_secs(5)))
            .build()
            .map_err(|error| Error::unexpected(format!("no HTTP client for Discord: {}", chain(&error))))?;
        Ok(Self {
            http,
            base: base.as_str().trim_end_matches('/').to_owned(),
            deadline: options.deadline,
            patience: options.patience,
            turns: Turns::new(authorizations.len()),
            authorizations,
        })
    }

    pub fn token_is_bad(&self) -> bool {
        self.turns.line(|line| line.token_is_bad(0))
    }

    /// Whether a bot moves people in a guild; None when that is to be found out.
    pub fn takes_part(&self, bot: usize, guild: u64) -> Option<bool> {
        let now = self.turns.now();
        self.turns.line(|line| line.takes_part(bot, guild, now))
    }

    /// The bot is in the guild, and from now on moves people there.
    pub fn admit(&self, bot: usize, guild: u64) {
        self.turns.line(|line| line.admit(bot, guild));
        self.count_left_out();
    }

    pub fn left_out(&self) -> Vec<LeftOut> {
        self.turns.line(|line| line.left_out())
    }

    fn count_left_out(&self) {
        ::metrics::gauge!(metrics::DISCORD_LEFT_OUT).set(self.left_out().len() as f64);
    }

    /// Reports why a bot can't help in a guild, once; the others go on without it, and it is asked again after that time.
    pub fn leave_out(&self, bot: usize, guild: u64, why: &str, within: Duration) {
        let until = self.turns.now() + within;
        let is_news = self.turns.line(|line| line.leave_out(bot, guild, why, until));
        self.count_left_out();
        if is_news {
            tracing::warn!(
                bot,
                guild,
                why,
                "a bot of DISCORD_MOVER_TOKENS can't move people in this server and is left out there: invite it, or grant its \
                 role View Channels, Connect and Move Members (permissions=17826816)"
            );
        }
    }

    /// Sends until there is an answer, as long as patience lasts: an attempt starts only when it can end in time.
    /// What still waits for its turn is not sent once `recall` is cancelled.
    pub async fn call(
        &self,
        route: Route,
        priority: Priority,
        recall: Option<&CancellationToken>,
        request: &Request,
    ) -> Result<Answer, Error> {
        let joined = self.turns.now();
        let waiter = Waiter {
            key: route.key,
            by: route.by,
            joined,
            last_start: joined + self.patience.saturating_sub(self.deadline),
        };
        let rank = priority.rank(route.class);
        let mut first_failure = None;
        loop {
            let flight = match self.turns.wait(rank, waiter, recall).await {
                Ok(flight) => flight,
                Err(error) => return Err(first_failure.unwrap_or(error)),
            };
            match self.attempt(flight, route, request).await {
                Ok(Some(answer)) => return Ok(answer),
                // The line knows how long to wait, or that another bot does it.
                Ok(None) => {}
                Err(error @ Error::Unavailable { .. }) if !is_create(request) && first_failure.is_none() => {
                    let Key { route, resource } = route.key;
                    tracing::info!(route, resource, %error, "Discord gave no answer; trying once more");
                    first_failure = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends without a turn: for what Discord counts in no limit of ours and wants at once. A second attempt is safe here, since it is
    /// told when the first one was carried out. Says whether there was one.
    pub async fn call_at_once(&self, route: Route, request: &Request) -> Result<(Answer, bool), Error> {
        let (started, sent) = (Instant::now(), self.turns.now());
        let mut second = false;
        loop {
            let within = AT_ONCE.min(self.deadline).saturating_sub(started.elapsed());
            let result = self.exchange(None, request, within).await;
            observe(route, None, request, &result, started);
            let error = match result {
                Ok((status, headers, bytes)) => {
                    let (key, seen) = (route.key, seen(status, &headers, &bytes));
                    let now = self.turns.now();
                    self.turns
                        .line(|line| line.overheard(status.as_u16(), &seen, sent, now));
                    if let Verdict::Limited { pause, scope } = seen.verdict {
                        warn_of_429(None, key, pause, scope);
                        return Err(Error::Busy { retry_after: pause });
                    }
                    match self.judge(None, route.by, read(key.route, status, bytes, true)) {
                        Ok(Some(answer)) => return Ok((answer, second)),
                        Ok(None) => Error::unexpected("Discord asks to wait, but not for how long"),
                        Err(error) => error,
                    }
                }
                Err(error) => unanswered(request, error),
            };
            let in_time = started.elapsed() < AT_ONCE.min(self.deadline);
            if second || !in_time || !matches!(error, Error::Unavailable { .. }) {
                return Err(error);
            }
            second = true;
        }
    }

    /// One request and its answer; None when it is to be sent again.
    async fn attempt(&self, flight: Flight<'_>, route: Route, request: &Request) -> Result<Option<Answer>, Error> {
        let (started, key) = (Instant::now(), route.key);
        // Who needs no token has none.
        let bot = (!matches!(route.by, By::Nobody)).then_some(flight.bot);
        let result = self.exchange(bot, request, self.deadline).await;
        observe(route, bot, request, &result, started);
        match result {
            Ok((status, headers, bytes)) => {
                let seen = seen(status, &headers, &bytes);
                if let Verdict::Limited { pause, scope } = seen.verdict {
                    warn_of_429(bot, key, pause, scope);
                }
                // Before it lands, since that lets others go.
                let answer = self.judge(bot, route.by, read(key.route, status, bytes, is_create(request)));
                flight.land(status.as_u16(), &seen);
                answer
            }
            Err(error) => {
                let seen = Seen {
                    verdict: Verdict::Failed,
                    ..Seen::default()
                };
                flight.land(0, &seen);
                Err(unanswered(request, error))
            }
        }
    }

    /// Stops using a bot that can't do it; what others can do becomes None.
    fn judge(
        &self,
        bot: Option<usize>,
        by: By,
        answer: Result<Option<Answer>, Error>,
    ) -> Result<Option<Answer>, Error> {
        let Some(bot) = bot else {
            return answer.map_err(|error| match error {
                Error::Unauthorized => Error::unexpected("Discord does not know this interaction (401)"),
                error => error,
            });
        };
        match (answer, by) {
            (Err(Error::Unauthorized), _) => {
                self.lose_token(bot);
                if bot > 0 && matches!(by, By::AnyIn(_)) {
                    Ok(None)
                } else {
                    Err(Error::Unauthorized)
                }
            }
            (Ok(Some(Answer::Refused(refusal))), By::AnyIn(guild)) if bot > 0 && refusal.is_about_the_bot() => {
                self.leave_out(bot, guild, &refusal.said(), LEFT_OUT);
                Ok(None)
            }
            (answer, _) => answer,
        }
    }

    /// Never uses a token again.
    fn lose_token(&self, bot: usize) {
        if !self.turns.line(|line| line.bad_token(bot)) {
            return;
        }
        self.count_left_out();
        if bot == 0 {
            tracing::error!(
                "Discord refuses the bot's token; nothing is sent to Discord until the next start: set a new DISCORD_TOKEN (developer portal, Bot, Reset Token) and restart"
            );
        } else {
            tracing::warn!(
                bot,
                "Discord refuses a token of DISCORD_MOVER_TOKENS; it is left out until the next start"
            );
        }
    }

    /// One request and its whole answer.
    async fn exchange(&self, bot: Option<usize>, request: &Request, within: Duration) -> Exchanged {
        let mut builder = self
            .http
            .request(method(request.method()), format!("{}/{}", self.base, request.path()))
            .timeout(within);
        if let Some(bot) = bot {
            builder = builder.header(AUTHORIZATION, self.authorizations[bot].clone());
        }
        if let Some(headers) = request.headers() {
            builder = builder.headers(headers.clone());
        }
        if let Some(body) = request.body() {
            builder = builder
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(body.to_vec());
        } else if let Some(form) = request.form() {
            builder = builder
                .header(CONTENT_TYPE, form.content_type())
                .body(form.clone().build());
        }
        let response = builder.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok((status, headers, response.bytes().await?))
    }
}

/// Counts and logs one exchange. A path without a token of ours holds one itself.
fn observe(route: Route, bot: Option<usize>, request: &Request, result: &Exchanged, started: Instant) {
    let status = match result {
        Ok((status, ..)) => status.as_str().to_owned(),
        Err(error) if error.is_connect() => "unreachable".to_owned(),
        Err(error) if error.is_timeout() => "timeout".to_owned(),
        Err(_) => "cut".to_owned(),
    };
    let route = route.key.route;
    ::metrics::counter!(metrics::DISCORD_CALLS, "route" => route, "status" => status.clone()).increment(1);
    let ms = started.elapsed().as_millis() as u64;
    let path = bot.map(|_| request.path());
    tracing::debug!(route, path, bot, status, ms, "asked Discord");
}

fn unanswered(request: &Request, error: reqwest::Error) -> Error {
    Error::Unavailable {
        // Without a connection nothing was sent.
        ambiguous: is_create(request) && !error.is_connect(),
        why: chain(&error.without_url()),
    }
}

fn authorization(token: &SecretString) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(&format!("Bot {}", token.expose_secret()))
        .map_err(|_| Error::unexpected("a Discord token holds characters that no token has"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn warn_of_429(bot: Option<usize>, Key { route, resource }: Key, pause: Duration, scope: Scope) {
    let pause_seconds = pause.as_secs_f64();
    tracing::warn!(
        bot,
        route,
        resource,
        pause_seconds,
        ?scope,
        "Discord answered 429: nothing more of this scope until the pause is over"
    );
}

/// What does something else when it is sent twice.
fn is_create(request: &Request) -> bool {
    request.method() == Method::Post
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Delete => reqwest::Method::DELETE,
        Method::Patch => reqwest::Method::PATCH,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        // GET, and whatever twilight may add.
        _ => reqwest::Method::GET,
    }
}

/// `error sending request: connection refused`: reqwest keeps the reason in the sources.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let more = inner.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        source = inner.source();
    }
    text
}
