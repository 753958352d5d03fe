//! Linking by proof: `/link`'s address sends a player to FACEIT, and FACEIT sends him back here. Decides nothing about links: `store::linking` does.

mod limit;

use std::{net::SocketAddr, num::NonZeroU32, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{ConnectInfo, Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use serde::Deserialize;
use tokio::sync::Notify;
use tracing::{error, info, warn};

use self::limit::PerAddress;
use crate::{
    clock::Clock,
    domain::ids::UserId,
    faceit::oauth::{self, SignIn},
    store::{
        self,
        audit::Actor,
        link_states::{self, LASTS, Taken, Wish},
        linking::{self, By, Linked},
        links::{LinkRow, Method, StoredLink},
    },
    web::{
        Web,
        caller::caller,
        page::{guarded, page},
        sent_back::SentBack,
    },
};

/// Calls of one address at once, and then one every so often.
const BURST: NonZeroU32 = NonZeroU32::new(30).expect("above zero");
const EVERY: Duration = Duration::from_secs(2);
/// Holds the token, so that only the browser that was sent to FACEIT can come back.
const COOKIE: &str = "muster_link";
/// Longer states and codes are none of FACEIT's.
const LONGEST: usize = 2048;

/// What signing in needs; clones share it.
#[derive(Clone)]
pub struct Linking {
    pub sign_in: SignIn,
    pub pool: store::Pool,
    pub clock: Clock,
    /// Wakes the queue.
    pub wake: Arc<Notify>,
    /// Sends somebody a direct message, sometime; that he takes none is no error.
    pub tell: Arc<dyn Fn(UserId, String) + Send + Sync>,
    /// Whether cookies may be sent over https only.
    pub https: bool,
    /// So many proxies of ours add to `X-Forwarded-For`; 0: nobody has said.
    pub proxies: usize,
    limit: PerAddress,
}

impl Linking {
    pub fn new(
        sign_in: SignIn,
        pool: store::Pool,
        clock: Clock,
        wake: Arc<Notify>,
        tell: Arc<dyn Fn(UserId, String) + Send + Sync>,
        https: bool,
        proxies: usize,
    ) -> Self {
        Self {
            sign_in,
            pool,
            clock,
            wake,
            tell,
            https,
            proxies,
            limit: PerAddress::new(BURST, EVERY),
        }
    }

    fn cookie(&self, token: String) -> Cookie<'static> {
        Cookie::build((COOKIE, token))
            .path("/")
            .http_only(true)
            .secure(self.https)
            // FACEIT's redirect comes from another site.
            .same_site(SameSite::Lax)
            .max_age(LASTS.try_into().unwrap_or_default())
            .build()
    }
}

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/faceit/link/{token}", get(begin))
        .route("/faceit/callback", get(callback))
}

/// Why somebody is not linked, as a page.
enum Stop {
    NotSetUp,
    TooOften(Duration),
    Stale,
    Foreign,
    Incomplete,
    Declined,
    DatabaseAway,
    Taken(StoredLink, Wish, String),
    Faceit(oauth::Error),
}

/// `GET /faceit/link/{token}`
async fn begin(
    State(web): State<Web>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Response {
    let begun = async {
        let linking = web.linking.as_ref().ok_or(Stop::NotSetUp)?;
        linking
            .limit
            .check(caller(peer, &headers, linking.proxies))
            .map_err(Stop::TooOften)?;
        let begun = linking.sign_in.begin();
        let mut conn = linking.pool.acquire().await.map_err(away)?;
        let now = linking.clock.now();
        let started = link_states::start(&mut conn, &token, &begun.state, &begun.verifier, now);
        started.await.map_err(failed)?.ok_or(Stop::Stale)?;
        Ok((linking.cookie(token), begun.address))
    };
    match begun.await {
        Ok((cookie, address)) => (
            StatusCode::SEE_OTHER,
            guarded(),
            CookieJar::new().add(cookie),
            [(header::LOCATION, address.to_string())],
        )
            .into_response(),
        Err(stop) => Stop::into_response(stop),
    }
}

#[derive(Deserialize)]
struct Back {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

/// `GET /faceit/callback`
async fn callback(
    State(web): State<Web>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    jar: CookieJar,
    back: Result<Query<Back>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let linked = async {
        let linking = web.linking.as_ref().ok_or(Stop::NotSetUp)?;
        linking
            .limit
            .check(caller(peer, &headers, linking.proxies))
            .map_err(Stop::TooOften)?;
        let Query(back) = back.map_err(|_| Stop::Incomplete)?;
        let token = jar.get(COOKIE).map(Cookie::value);
        finish(linking, back, token).await
    };
    match linked.await {
        Ok((wish, link)) => page(
            StatusCode::OK,
            "You are linked",
            &[
                format!(
                    "The FACEIT account {} now belongs to the Discord account {}.",
                    link.row.nickname, wish.name
                ),
                "When a match of yours starts, Muster moves you into your team's voice channel. You can close this page."
                    .to_owned(),
                "Not your Discord account? Then somebody sent you his own address: ask the server's staff to unlink it.".to_owned(),
            ],
        ),
        Err(stop) => stop.into_response(),
    }
}

async fn finish(linking: &Linking, back: Back, token: Option<&str>) -> Result<(Wish, StoredLink), Stop> {
    let plausible = |text: Option<String>| text.filter(|text| (1..=LONGEST).contains(&text.len()));
    let state = plausible(back.state).ok_or(Stop::Incomplete)?;
    let mut conn = linking.pool.acquire().await.map_err(away)?;
    // Used up first: whatever happens next, the same address can't be used again.
    let taken = link_states::take(&mut conn, &state, token, linking.clock.now());
    let (wish, verifier) = match taken.await.map_err(failed)? {
        Taken::Good { wish, verifier } => (wish, verifier),
        Taken::Unknown | Taken::Expired => return Err(Stop::Stale),
        Taken::Foreign => return Err(Stop::Foreign),
    };
    drop(conn);
    if let Some(error) = &back.error {
        return Err(match SentBack::read(error) {
            SentBack::Declined => Stop::Declined,
            SentBack::Away(word) => Stop::Faceit(oauth::Error::Unavailable(word.to_owned())),
            SentBack::Misconfigured(word) => Stop::Faceit(oauth::Error::Misconfigured(word.to_owned())),
        });
    }
    let code = plausible(back.code).ok_or(Stop::Incomplete)?;
    let identity = linking.sign_in.finish(code, verifier).await.map_err(Stop::Faceit)?;
    let row = LinkRow {
        player: identity.player,
        user: wish.user,
        nickname: identity.nickname,
    };
    let by = By {
        actor: Actor::web(wish.user, wish.name.clone()),
        guild: wish.guild,
        at: linking.clock.now(),
    };
    let mut tx = linking.pool.begin().await.map_err(away)?;
    let linked = linking::link(&mut tx, &row, Method::Oauth, &by).await.map_err(failed)?;
    tx.commit().await.map_err(away)?;
    match linked {
        Linked::Done { link, lost, .. } => {
            linking.wake.notify_one();
            info!(player = %link.row.player, user = %link.row.user, lost = lost.len(), "a player proved who he is");
            tell(linking, &wish, &link, &lost);
            Ok((wish, link))
        }
        Linked::PlayerTaken(other) | Linked::UserTaken(other) => Err(Stop::Taken(other, wish, row.nickname)),
    }
}

fn tell(linking: &Linking, wish: &Wish, link: &StoredLink, lost: &[StoredLink]) {
    let nickname = &link.row.nickname;
    (linking.tell)(
        wish.user,
        format!("You are linked to the FACEIT account **{nickname}**, proven by signing in. `/unlink` undoes it."),
    );
    for other in lost.iter().filter(|other| other.row.user != wish.user) {
        (linking.tell)(
            other.row.user,
            format!(
                "You are no longer linked to the FACEIT account **{}**: somebody signed in at FACEIT and proved that it is his. If it is \
                 yours, run `/link` and sign in.",
                other.row.nickname
            ),
        );
    }
}

fn away(error: impl Into<store::Error>) -> Stop {
    failed(error.into())
}

fn failed(error: store::Error) -> Stop {
    if error.is_unavailable() {
        warn!(%error, "somebody could not be linked: the database is away");
    } else {
        error!(%error, "somebody could not be linked");
    }
    Stop::DatabaseAway
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        let again = "Run /link in Discord again, and open the new address.";
        let (status, heading, line) = match self {
            Self::NotSetUp => (
                StatusCode::NOT_FOUND,
                "Signing in is not set up",
                "The operator of this bot has not set up signing in at FACEIT. Use /register in Discord.".to_owned(),
            ),
            Self::TooOften(wait) => {
                let seconds = wait.as_secs() + 1;
                let line = format!("Wait {seconds} s, then load this page again.");
                let mut response = page(StatusCode::TOO_MANY_REQUESTS, "Too many tries", &[line]);
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                return response;
            }
            Self::Stale => (
                StatusCode::GONE,
                "This address is no longer good",
                format!("It was used already, or is older than ten minutes. {again}"),
            ),
            Self::Foreign => (
                StatusCode::FORBIDDEN,
                "This sign-in was begun elsewhere",
                format!("It must be finished in the browser in which it was begun, with cookies allowed. {again}"),
            ),
            Self::Incomplete => (
                StatusCode::BAD_REQUEST,
                "This address is not complete",
                format!("FACEIT sent you back without what is needed. {again}"),
            ),
            Self::Declined => (
                StatusCode::OK,
                "Nothing was linked",
                format!("FACEIT says that you did not agree. If you change your mind: {again}"),
            ),
            Self::DatabaseAway => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Not now",
                format!("Muster's database is not available. Wait a minute. {again}"),
            ),
            Self::Taken(other, wish, nickname) => {
                let line = if other.row.user == wish.user {
                    format!(
                        "Your Discord account {} is already linked to the FACEIT account {}. Run /unlink in Discord first.",
                        wish.name, other.row.nickname
                    )
                } else {
                    format!(
                        "The FACEIT account {nickname} is already linked to another Discord account, and that was proven by signing in. Run \
                         /unlink with that account, or ask the server's staff."
                    )
                };
                (StatusCode::CONFLICT, "Already linked", line)
            }
            Self::Faceit(error) => faceit(&error, again),
        };
        page(status, heading, &[line])
    }
}

fn faceit(error: &oauth::Error, again: &str) -> (StatusCode, &'static str, String) {
    match error {
        oauth::Error::Expired(_) => {
            info!(%error, "a sign-in was not accepted by FACEIT");
            (
                StatusCode::GONE,
                "FACEIT did not accept it",
                format!("The sign-in took too long or was used already. {again}"),
            )
        }
        oauth::Error::Unavailable(_) => {
            warn!(%error, "somebody could not be linked");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "FACEIT does not answer",
                format!("Wait a few minutes. {again}"),
            )
        }
        oauth::Error::Misconfigured(_) | oauth::Error::Unexpected(_) => {
            error!(%error, "somebody could not be linked");
            (
                StatusCode::BAD_GATEWAY,
                "It could not be found out who you are",
                "Tell the server's staff: signing in at FACEIT is not set up rightly, and the bot's log says why. Until then /register may help."
                    .to_owned(),
            )
        }
    }
}
