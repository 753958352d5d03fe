//! Signing in: to Discord's consent page and back, or by a code that a client without cookies brings along.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tracing::{info, warn};
use url::Url;
use utoipa::{IntoParams, ToSchema};

use crate::{
    discord::oauth::{Error as OAuthError, OAuth, Person},
    store::{
        self, discord_tokens, sessions,
        users::{self, Profile},
    },
    web::{
        auth::{
            Admin,
            cookies::{Pending, SIGN_IN},
            session::{Begun, LIVES, hash},
        },
        extract::{Body, Query},
        refused::{ErrorBody, Refused},
        sent_back::SentBack,
    },
};

/// Codes and verifiers are shorter.
const LONGEST: usize = 512;

#[derive(Deserialize, IntoParams)]
pub struct LoginQuery {
    /// The page to come back to: a path of our own, such as `/matches`. Else the start of the first `FRONTEND_URL`, or `/api/docs`.
    next: Option<String>,
}

/// Begin to sign in: sends the browser to Discord's consent page.
#[utoipa::path(get, path = "/api/auth/login", tag = "auth", security(()), params(LoginQuery), responses(
    (status = 302, description = "To Discord."), (status = 400, body = ErrorBody), (status = 429, body = ErrorBody)))]
pub async fn login(State(admin): State<Arc<Admin>>, Query(query): Query<LoginQuery>) -> Result<Response, Refused> {
    let next = query.next.unwrap_or_else(|| admin.start().to_owned());
    if !is_own_path(&next) {
        return Err(Refused::malformed("next must be a path of our own, such as /matches"));
    }
    let (state, verifier) = OAuth::secrets();
    let page = admin.oauth.consent_page(&admin.callback(), &state, &verifier);
    let pending = Pending {
        state,
        verifier,
        next,
        until: (admin.clock.now() + SIGN_IN).unix_timestamp(),
    };
    let jar = admin.cookies.set_pending(&pending).ok_or_else(Refused::internal)?;
    Ok((jar, found(page.as_str())?).into_response())
}

#[derive(Deserialize, IntoParams)]
pub struct CallbackQuery {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

/// Where Discord sends the browser back to.
#[utoipa::path(get, path = "/api/auth/callback", tag = "auth", security(()), params(CallbackQuery), responses(
    (status = 302, description = "Signed in; to the page that was asked for."), (status = 400, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 429, body = ErrorBody), (status = 502, body = ErrorBody),
    (status = 504, body = ErrorBody)))]
pub async fn callback(
    State(admin): State<Arc<Admin>>,
    Query(query): Query<CallbackQuery>,
    headers: HeaderMap,
) -> Response {
    let mut response = match come_back(&admin, query, &headers).await {
        Ok(response) => response,
        Err(refused) => refused.into_response(),
    };
    // Right or wrong, this sign-in is over.
    append_cookie(&mut response, &admin.cookies.clear_pending());
    response
}

async fn come_back(admin: &Admin, query: CallbackQuery, headers: &HeaderMap) -> Result<Response, Refused> {
    let again =
        "this sign-in is not one that began in this browser less than ten minutes ago: begin again at /api/auth/login";
    let foreign = || Refused::new(StatusCode::BAD_REQUEST, "bad_state", again);
    let pending = admin.cookies.pending(headers).ok_or_else(foreign)?;
    let now = admin.clock.now();
    let state = query.state.unwrap_or_default();
    if pending.until <= now.unix_timestamp() || !bool::from(state.as_bytes().ct_eq(pending.state.as_bytes())) {
        return Err(foreign());
    }
    let mut connection = admin.pool.acquire().await.map_err(store::Error::from)?;
    if !sessions::use_state(&mut connection, &hash(&state), now + SIGN_IN).await? {
        return Err(foreign());
    }
    drop(connection);
    if let Some(error) = &query.error {
        return Err(match SentBack::read(error) {
            SentBack::Declined => {
                let message =
                    "you did not allow it at Discord; to sign in all the same, begin again at /api/auth/login";
                Refused::new(StatusCode::FORBIDDEN, "access_denied", message)
            }
            SentBack::Away(word) => OAuthError::Unavailable(word.to_owned()).into(),
            SentBack::Misconfigured(word) => {
                let why =
                    "check DISCORD_CLIENT_ID and the redirect that is registered in the developer portal under OAuth2";
                OAuthError::Misconfigured(format!("Discord refuses the application ({word}): {why}")).into()
            }
        });
    }
    let code = query
        .code
        .filter(|code| (1..=LONGEST).contains(&code.len()))
        .ok_or_else(foreign)?;
    let (begun, _) = sign_in(admin, &code, &pending.verifier, &admin.callback(), headers).await?;
    // Only to a page of ours: `next` was checked before it was signed.
    let front = admin.settings.frontends.first().map_or("", String::as_str);
    let mut response = found(&format!("{front}{}", pending.next))?;
    append_cookie(&mut response, &admin.cookies.set_session(begun.token, LIVES));
    Ok(response)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// From Discord.
    code: String,
    /// The PKCE verifier of the challenge that the consent page was opened with.
    code_verifier: String,
    /// The address that the consent page was opened with.
    redirect_uri: String,
}

#[derive(Serialize, ToSchema)]
pub struct Exchanged {
    /// For `Authorization: Bearer …`.
    token: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    expires_at: crate::domain::Timestamp,
    user: UserBody,
}

/// A Discord account.
#[derive(Serialize, ToSchema)]
pub struct UserBody {
    #[schema(example = "80351110224678912")]
    pub id: String,
    pub username: String,
    pub global_name: Option<String>,
    /// Hash of the picture.
    pub avatar: Option<String>,
}

impl From<Profile> for UserBody {
    fn from(profile: Profile) -> Self {
        Self {
            id: profile.id.to_string(),
            username: profile.username,
            global_name: profile.global_name,
            avatar: profile.avatar,
        }
    }
}

/// Sign in without cookies: a code of Discord's for a token of ours.
#[utoipa::path(post, path = "/api/auth/exchange", tag = "auth", security(()), request_body = Exchange, responses(
    (status = 200, body = Exchanged), (status = 400, body = ErrorBody), (status = 413, body = ErrorBody),
    (status = 415, body = ErrorBody), (status = 422, body = ErrorBody), (status = 429, body = ErrorBody),
    (status = 502, body = ErrorBody), (status = 504, body = ErrorBody)))]
pub async fn exchange(
    State(admin): State<Arc<Admin>>,
    headers: HeaderMap,
    Body(body): Body<Exchange>,
) -> Result<Json<Exchanged>, Refused> {
    let fits = |text: &str| (1..=LONGEST).contains(&text.len());
    if !fits(&body.code) || !fits(&body.code_verifier) {
        return Err(Refused::malformed("code and code_verifier have 1 to 512 characters"));
    }
    let redirect = Url::parse(&body.redirect_uri).map_err(|_| {
        Refused::malformed("redirect_uri is no address; it must be the one that the code was asked for with")
    })?;
    let (begun, profile) = sign_in(&admin, &body.code, &body.code_verifier, &redirect, &headers).await?;
    Ok(Json(Exchanged {
        token: begun.token,
        expires_at: begun.expires_at,
        user: profile.into(),
    }))
}

/// Always a new session, so that nobody can wait in one that he planted; the one that the browser had before ends.
async fn sign_in(
    admin: &Admin,
    code: &str,
    verifier: &str,
    redirect: &Url,
    headers: &HeaderMap,
) -> Result<(Begun, Profile), Refused> {
    let tokens = admin.oauth.exchange(code, verifier, redirect).await.map_err(|error| match error {
        OAuthError::Denied => {
            warn!("Discord refused the code of a sign-in");
            let message = "Discord does not accept the code: it is used up, too old or of another sign-in; begin again at /api/auth/login";
            Refused::new(StatusCode::BAD_REQUEST, "bad_code", message)
        }
        other => other.into(),
    })?;
    let (person, guilds) = tokio::try_join!(admin.oauth.person(&tokens.access), admin.oauth.guilds(&tokens.access))?;
    let profile = profile(person);
    let user = profile.id;
    let sealed = admin.seal_tokens(user, &tokens)?;
    let former = admin.recognise(headers).await.ok();
    let now = admin.clock.now();
    let mut tx = admin.pool.begin().await.map_err(store::Error::from)?;
    users::save(&mut tx, &profile, true, now).await?;
    discord_tokens::save(&mut tx, &sealed, now).await?;
    if let Some(former) = former {
        sessions::end(&mut tx, former.user, &former.id).await?;
    }
    let begun = admin.begin_session(&mut tx, user, headers).await?;
    tx.commit().await.map_err(store::Error::from)?;
    admin.remember_guilds(user, guilds).await;
    info!(%user, "signed in");
    Ok((begun, profile))
}

pub fn profile(person: Person) -> Profile {
    Profile {
        id: person.id,
        username: person.username,
        global_name: person.global_name,
        avatar: person.avatar,
    }
}

fn found(to: &str) -> Result<Response, Refused> {
    let to = HeaderValue::from_str(to).map_err(|_| Refused::malformed("next must be a plain path"))?;
    Ok((StatusCode::FOUND, [(header::LOCATION, to)]).into_response())
}

pub fn append_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// A path on this host: browsers read `//host`, `/\host` and paths with tabs in them as other hosts.
fn is_own_path(next: &str) -> bool {
    next.len() <= LONGEST
        && next.starts_with('/')
        && !next[1..].starts_with(['/', '\\'])
        && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::is_own_path;

    #[test]
    fn only_paths_of_our_own_are_come_back_to() {
        for good in ["/", "/matches", "/matches?state=open#top", "/a//b"] {
            assert!(is_own_path(good), "{good}");
        }
        for bad in [
            "",
            "matches",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "/a b",
            "/a\r\nSet-Cookie: x=1",
            "javascript:alert(1)",
            "/ä",
        ] {
            assert!(!is_own_path(bad), "{bad:?}");
        }
    }
}
