//! Sessions: begun, recognised, kept alive, ended. A token proves who he is; the row says that the session still exists.

use axum::http::{HeaderMap, Method, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use time::Duration;

use crate::{
    domain::{Timestamp, ids::UserId},
    store::{
        Connection, Error, sessions,
        sessions::{SessionHash, StoredSession},
    },
    web::{
        auth::{Admin, jwt::Claims},
        refused::Refused,
    },
};

/// Without use.
pub const LIVES: Duration = Duration::days(7);
/// A token older than this is replaced in the cookie.
const RENEW: Duration = Duration::days(1);
/// The row is written no more often than this.
const TOUCH: Duration = Duration::minutes(1);
const USER_AGENT: usize = 200;

/// How the caller proved the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Cookie,
    /// `Authorization: Bearer`, which no browser sends by itself.
    Bearer,
}

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: SessionHash,
    pub user: UserId,
    pub by: By,
    /// When the token ends.
    pub until: Timestamp,
    /// The secret id; only this request knows it.
    secret: SecretString,
    /// A new token for the cookie.
    pub renewed: Option<String>,
}

/// A new session and its token.
pub struct Begun {
    pub token: String,
    pub expires_at: Timestamp,
}

impl Session {
    /// The word that unsafe requests by cookie must carry in `x-csrf-token`: derived from what only the cookie holds.
    pub fn csrf_token(&self) -> String {
        let mut token = [0; 32];
        // 32 bytes are always to be had.
        let _ = Hkdf::<Sha256>::new(None, self.secret.expose_secret().as_bytes()).expand(b"muster csrf", &mut token);
        URL_SAFE_NO_PAD.encode(token)
    }
}

pub fn hash(secret: &str) -> SessionHash {
    Sha256::digest(secret).into()
}

impl Admin {
    /// Adds a session for somebody who just signed in, on the caller's transaction.
    pub async fn begin_session(
        &self,
        connection: &mut Connection,
        user: UserId,
        headers: &HeaderMap,
    ) -> Result<Begun, Refused> {
        let now = self.clock.now();
        let secret = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let expires_at = now + LIVES;
        let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        let row = StoredSession {
            id: hash(&secret),
            user,
            created_at: now,
            last_seen_at: now,
            expires_at,
            user_agent: agent.map(|agent| agent.chars().take(USER_AGENT).collect()),
        };
        sessions::insert(connection, &row).await?;
        let token = self.sign(user, &secret)?;
        Ok(Begun { token, expires_at })
    }

    fn sign(&self, user: UserId, secret: &str) -> Result<String, Refused> {
        let now = self.clock.now();
        let claims = Claims::new(&self.origin(), user, secret, now, now + LIVES);
        self.settings.jwt.sign(&claims).ok_or_else(Refused::internal)
    }

    /// Who is calling; 401 without a token, with a bad one, or when its session was ended.
    pub async fn recognise(&self, headers: &HeaderMap) -> Result<Session, Refused> {
        let (token, by) = match headers.get(header::AUTHORIZATION) {
            // Whoever sends one means it: the cookie is no fallback.
            Some(value) => (bearer(value.to_str().ok()), By::Bearer),
            None => (self.cookies.session(headers), By::Cookie),
        };
        self.recognise_token(&token.ok_or_else(Refused::unauthorized)?, by)
            .await
    }

    pub async fn recognise_token(&self, token: &str, by: By) -> Result<Session, Refused> {
        let now = self.clock.now();
        let claims = self.settings.jwt.verify(token, &self.origin(), now);
        let claims = claims.ok_or_else(Refused::unauthorized)?;
        let user = claims.user().ok_or_else(Refused::unauthorized)?;
        let id = hash(&claims.jti);
        let mut connection = self.pool.acquire().await.map_err(Error::from)?;
        let row = sessions::find(&mut connection, &id, now).await?;
        let row = row.filter(|row| row.user == user).ok_or_else(Refused::unauthorized)?;
        if now - row.last_seen_at >= TOUCH {
            sessions::touch(&mut connection, &id, now, now + LIVES).await?;
        }
        let old = now.unix_timestamp() - claims.iat >= RENEW.whole_seconds();
        let renewed = if by == By::Cookie && old {
            Some(self.sign(user, &claims.jti)?)
        } else {
            None
        };
        Ok(Session {
            id,
            user,
            by,
            until: claims.expires_at(),
            secret: SecretString::from(claims.jti),
            renewed,
        })
    }

    /// Whether a request brings anything to recognise it by.
    pub fn has_token(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(header::AUTHORIZATION) || self.cookies.session(headers).is_some()
    }

    /// Browsers send cookies along with a WebSocket that any page opens, and no rule of theirs keeps that page from reading: it must be ours.
    pub fn check_page(&self, session: &Session, headers: &HeaderMap) -> Result<(), Refused> {
        if session.by == By::Bearer || self.is_known_origin(headers) {
            return Ok(());
        }
        let message = "with a cookie, only a page of PUBLIC_URL or FRONTEND_URL may open this";
        Err(Refused::new(axum::http::StatusCode::FORBIDDEN, "csrf", message))
    }

    /// Unsafe requests by cookie need the session's token, and must not come from a foreign page.
    pub fn check_origin(&self, session: &Session, method: &Method, headers: &HeaderMap) -> Result<(), Refused> {
        if session.by == By::Bearer || method.is_safe() {
            return Ok(());
        }
        let refuse = |why: &str| Err(Refused::new(axum::http::StatusCode::FORBIDDEN, "csrf", why));
        if headers.contains_key(header::ORIGIN) && !self.is_known_origin(headers) {
            return refuse("this page may not call us: its address is neither PUBLIC_URL nor in FRONTEND_URL");
        }
        let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
        if site == Some("cross-site") && !headers.contains_key(header::ORIGIN) {
            return refuse("a foreign page may not call us");
        }
        let given = headers
            .get("x-csrf-token")
            .map(|value| value.as_bytes())
            .unwrap_or_default();
        if bool::from(given.ct_eq(session.csrf_token().as_bytes())) {
            Ok(())
        } else {
            refuse("send the csrf_token of GET /api/auth/me in the header x-csrf-token")
        }
    }

    /// Whether `Origin` names one of our own pages.
    pub fn is_known_origin(&self, headers: &HeaderMap) -> bool {
        let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
        origin.is_some_and(|origin| {
            origin == self.origin() || self.settings.frontends.iter().any(|known| known == origin)
        })
    }
}

fn bearer(value: Option<&str>) -> Option<String> {
    let (scheme, token) = value?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}
