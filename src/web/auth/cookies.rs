//! The two cookies: the session's token, and what a sign-in must find again when it comes back from Discord. Both httpOnly and Lax.

use axum::http::HeaderMap;
use axum_extra::extract::cookie::{Cookie, CookieJar, Key, SameSite, SignedCookieJar};
use serde::{Deserialize, Serialize};
use time::Duration;

/// How long somebody may take at Discord.
pub const SIGN_IN: Duration = Duration::minutes(10);

/// How cookies are named and signed here.
#[derive(Clone)]
pub struct Cookies {
    key: Key,
    secure: bool,
}

/// A sign-in under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pending {
    pub state: String,
    pub verifier: String,
    /// An own path.
    pub next: String,
    /// Unix seconds: a browser may keep a cookie longer than it was told.
    pub until: i64,
}

impl Cookies {
    pub fn new(key: &[u8; 64], secure: bool) -> Self {
        Self {
            key: Key::from(key),
            secure,
        }
    }

    /// `__Host-` binds a cookie to this very host, and needs TLS.
    fn name(&self, name: &str) -> String {
        let prefix = if self.secure { "__Host-" } else { "" };
        format!("{prefix}muster_{name}")
    }

    fn cookie(&self, name: &str, value: String, lives: Duration) -> Cookie<'static> {
        Cookie::build((self.name(name), value))
            .path("/")
            .http_only(true)
            .secure(self.secure)
            .same_site(SameSite::Lax)
            .max_age(lives)
            .build()
    }

    pub fn session(&self, headers: &HeaderMap) -> Option<String> {
        let jar = CookieJar::from_headers(headers);
        jar.get(&self.name("session")).map(|cookie| cookie.value().to_owned())
    }

    /// For `Set-Cookie`.
    pub fn set_session(&self, token: String, lives: Duration) -> String {
        self.cookie("session", token, lives).to_string()
    }

    pub fn clear_session(&self) -> String {
        self.cookie("session", String::new(), Duration::ZERO).to_string()
    }

    pub fn pending(&self, headers: &HeaderMap) -> Option<Pending> {
        let jar = SignedCookieJar::from_headers(headers, self.key.clone());
        serde_json::from_str(jar.get(&self.name("login"))?.value()).ok()
    }

    /// A jar to answer with.
    pub fn set_pending(&self, pending: &Pending) -> Option<SignedCookieJar> {
        let value = serde_json::to_string(pending).ok()?;
        Some(SignedCookieJar::new(self.key.clone()).add(self.cookie("login", value, SIGN_IN)))
    }

    pub fn clear_pending(&self) -> String {
        self.cookie("login", String::new(), Duration::ZERO).to_string()
    }
}
