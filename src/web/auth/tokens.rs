//! People's Discord tokens: sealed in the database, refreshed ahead of time by one process at a time, and the end of all sessions when
//! Discord takes them no more. Nothing waits for Discord inside a transaction.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, interval};
use tracing::{error, info, warn};

use crate::{
    clock::Clock,
    discord::oauth::{self, OAuth, Tokens},
    domain::{Timestamp, ids::UserId},
    seal::{Ring, Sealed},
    store::{
        Error, Pool,
        discord_tokens::{self, SealedTokens},
        sessions,
    },
    web::{auth::Admin, refused::Refused},
};

/// A token with less than this left is refreshed first.
const AHEAD: time::Duration = time::Duration::hours(1);
/// Longer than a refresh takes; whoever dies in the middle holds others up so long.
const LEASE: time::Duration = time::Duration::seconds(15);
/// How long somebody waits for another's refresh, and how often he looks.
const WAIT: Duration = Duration::from_secs(8);
const LOOK: Duration = Duration::from_millis(50);

#[derive(Serialize, Deserialize)]
struct Pair {
    access: String,
    refresh: String,
}

/// What tokens are bound to when they are sealed.
pub fn bound_to(user: UserId) -> String {
    format!("discord_tokens:{user}")
}

impl Admin {
    pub fn seal_tokens(&self, user: UserId, tokens: &Tokens) -> Result<SealedTokens, Refused> {
        seal(&self.settings.ring, user, tokens, self.clock.now())
    }

    /// Asks Discord something as that person, with a token that is good. When Discord takes none of his any more, he is signed out.
    pub async fn as_person<T, F>(&self, user: UserId, ask: impl Fn(SecretString) -> F) -> Result<T, Refused>
    where
        F: Future<Output = Result<T, oauth::Error>>,
    {
        let mut stored = self.good_tokens(user, None).await?;
        for last in [false, true] {
            match ask(self.open(&stored)?.0).await {
                Err(oauth::Error::Denied) if last => break,
                // Another process may have refreshed it just now, or Discord ended it early.
                Err(oauth::Error::Denied) => stored = self.good_tokens(user, Some(&stored)).await?,
                answer => return Ok(answer?),
            }
        }
        Err(self.sign_out(user).await?)
    }

    /// Opens the tokens and gives the access and the refresh token.
    pub fn open(&self, stored: &SealedTokens) -> Result<(SecretString, SecretString), Refused> {
        let pair = open(&self.settings.ring, stored).map_err(|why| {
            error!(why, user = %stored.user, "stored tokens can't be opened");
            let message = "your sign-in can't be read any more: sign in again at /api/auth/login";
            Refused::new(axum::http::StatusCode::UNAUTHORIZED, "unauthorized", message)
        })?;
        Ok((SecretString::from(pair.access), SecretString::from(pair.refresh)))
    }

    /// Tokens that are not about to end and are not those that were just denied.
    async fn good_tokens(&self, user: UserId, denied: Option<&SealedTokens>) -> Result<SealedTokens, Refused> {
        let deadline = Instant::now() + WAIT;
        let mut looks = interval(LOOK);
        while Instant::now() < deadline {
            looks.tick().await;
            let mut connection = self.pool.acquire().await.map_err(Error::from)?;
            let stored = discord_tokens::find(&mut connection, user).await?;
            let stored = stored.ok_or_else(Refused::unauthorized)?;
            let was_denied = denied.is_some_and(|denied| denied.bytes == stored.bytes);
            let now = self.clock.now();
            if !was_denied && stored.expires_at - now > AHEAD {
                return Ok(stored);
            }
            drop(connection);
            if let Some(fresh) = self.refresh(&stored).await? {
                return Ok(fresh);
            }
        }
        let message = "your sign-in is being renewed; try again in a moment";
        Err(Refused::new(axum::http::StatusCode::SERVICE_UNAVAILABLE, "busy", message).after(1))
    }

    /// None when it is somebody else's turn.
    async fn refresh(&self, stored: &SealedTokens) -> Result<Option<SealedTokens>, Refused> {
        let exchange = Exchange {
            oauth: self.oauth.clone(),
            pool: self.pool.clone(),
            clock: self.clock.clone(),
            ring: self.settings.ring.clone(),
            old: stored.clone(),
            lease: rand::random(),
        };
        let (_, refresh) = self.open(stored)?;
        // To its end also when nobody waits any more: at Discord the old tokens are gone by then.
        let exchanged = self.tasks.spawn(exchange.run(refresh)).await;
        let Some(exchanged) = exchanged.map_err(|_| Refused::internal())?? else {
            return Ok(None);
        };
        match exchanged {
            Ok(fresh) => Ok(Some(fresh)),
            Err(oauth::Error::Denied) => Err(self.sign_out(stored.user).await?),
            // It may still be good for what is left of its time.
            Err(other) if stored.expires_at > self.clock.now() && !matches!(other, oauth::Error::Misconfigured(_)) => {
                Ok(Some(stored.clone()))
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Has Discord take these tokens no more, with all that the person had allowed us. Says why, when it can't be done.
    pub async fn revoke(&self, tokens: &SealedTokens) -> Result<(), String> {
        self.forget(tokens.user).await;
        revoke(&self.oauth, &self.settings.ring, tokens).await
    }

    /// Discord takes his tokens no more: he took the permission back, or they were lost.
    async fn sign_out(&self, user: UserId) -> Result<Refused, Refused> {
        let mut tx = self.pool.begin().await.map_err(Error::from)?;
        let ended = sessions::end_all(&mut tx, user).await?;
        discord_tokens::remove(&mut tx, user).await?;
        tx.commit().await.map_err(Error::from)?;
        self.forget(user).await;
        info!(%user, ended, "Discord takes somebody's tokens no more: his sessions were ended");
        Ok(Refused::unauthorized())
    }
}

/// An exchange of tokens for new ones, under a lease: one at a time.
struct Exchange {
    oauth: OAuth,
    pool: Pool,
    clock: Clock,
    ring: Ring,
    old: SealedTokens,
    lease: i64,
}

impl Exchange {
    async fn run(self, refresh: SecretString) -> Result<Option<Result<SealedTokens, oauth::Error>>, Refused> {
        let (user, now) = (self.old.user, self.clock.now());
        let mut connection = self.pool.acquire().await.map_err(Error::from)?;
        if !discord_tokens::lease(&mut connection, &self.old, self.lease, now, now + LEASE).await? {
            return Ok(None);
        }
        drop(connection);
        let answer = self.oauth.refresh(&refresh).await;
        let mut connection = self.pool.acquire().await.map_err(Error::from)?;
        let tokens = match answer {
            Ok(tokens) => tokens,
            Err(oauth::Error::Denied) => return Ok(Some(Err(oauth::Error::Denied))),
            Err(other) => {
                discord_tokens::release(&mut connection, user, self.lease).await?;
                return Ok(Some(Err(other)));
            }
        };
        let now = self.clock.now();
        let fresh = seal(&self.ring, user, &tokens, now)?;
        if discord_tokens::replace(&mut connection, &fresh, self.lease, now).await? {
            return Ok(Some(Ok(fresh)));
        }
        warn!(%user, "tokens were refreshed too late: he signed in or out meanwhile");
        // Nobody else could have Discord end these any more.
        if discord_tokens::find(&mut connection, user).await?.is_none()
            && let Err(why) = revoke(&self.oauth, &self.ring, &fresh).await
        {
            warn!(why, %user, "tokens could not be revoked at Discord; they end within a week");
        }
        Err(Refused::unauthorized())
    }
}

fn seal(ring: &Ring, user: UserId, tokens: &Tokens, now: Timestamp) -> Result<SealedTokens, Refused> {
    let pair = Pair {
        access: tokens.access.expose_secret().to_owned(),
        refresh: tokens.refresh.expose_secret().to_owned(),
    };
    let text = serde_json::to_vec(&pair).map_err(|_| Refused::internal())?;
    let sealed = ring.seal(&text, &bound_to(user)).map_err(|why| {
        error!(%why, "tokens could not be sealed");
        Refused::internal()
    })?;
    Ok(SealedTokens {
        user,
        key: sealed.key,
        bytes: sealed.bytes,
        expires_at: now + tokens.expires_in,
    })
}

async fn revoke(oauth: &OAuth, ring: &Ring, tokens: &SealedTokens) -> Result<(), String> {
    let pair = open(ring, tokens)?;
    let revoked = oauth.revoke(&SecretString::from(pair.refresh)).await;
    revoked.map_err(|error| error.to_string())
}

fn open(ring: &Ring, stored: &SealedTokens) -> Result<Pair, String> {
    let sealed = Sealed {
        key: stored.key.clone(),
        bytes: stored.bytes.clone(),
    };
    let text = ring
        .open(&sealed, &bound_to(stored.user))
        .map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|_| "it holds no tokens".to_owned())
}

/// What a rotation came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotated {
    pub resealed: usize,
    pub unreadable: usize,
}

/// Seals all tokens anew that need another key than the ring's first. May run beside the service.
pub async fn rotate(pool: &Pool, ring: &Ring, clock: &Clock) -> Result<Rotated, Error> {
    let mut connection = pool.acquire().await?;
    let mut rotated = Rotated::default();
    for old in discord_tokens::not_sealed_with(&mut connection, ring.current()).await? {
        let bound_to = bound_to(old.user);
        let sealed = Sealed {
            key: old.key.clone(),
            bytes: old.bytes.clone(),
        };
        let fresh = ring
            .open(&sealed, &bound_to)
            .and_then(|text| ring.seal(&text, &bound_to));
        let Ok(fresh) = fresh else {
            rotated.unreadable += 1;
            continue;
        };
        // Refreshed meanwhile: sealed by a running service, and so with its first key.
        let done = discord_tokens::reseal(&mut connection, &old, &fresh.key, &fresh.bytes, clock.now()).await?;
        rotated.resealed += usize::from(done);
    }
    Ok(rotated)
}
