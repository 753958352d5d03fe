//! Signing in at FACEIT: where to send a player, and who he is when he comes back. Plain OAuth2 with PKCE and userinfo: FACEIT's id_token is not
//! OpenID's (facts: no `exp`) and is not looked at. Keeps no token.

use std::{fmt, sync::Arc, time::Duration};

use axum::http::{HeaderMap, Response as HttpResponse, StatusCode, header::ACCEPT};
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet, HttpRequest,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, TokenResponse, TokenUrl,
    basic::BasicClient,
};
use reqwest::{Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::timeout;

use crate::{
    domain::ids::{PlayerId, is_plausible_id},
    metrics,
};

/// Token answers have about 3 KB.
const LARGEST_BODY: usize = 64 * 1024;

/// The application as it is registered in FACEIT's App Studio, and where FACEIT is.
#[derive(Clone, Debug)]
pub struct Options {
    pub client_id: String,
    pub client_secret: SecretString,
    /// Must be the one that is registered, letter by letter.
    pub redirect: Url,
    /// `https://accounts.faceit.com`
    pub authorize: Url,
    /// `https://api.faceit.com/auth/v1/oauth/token`
    pub token: Url,
    /// `https://api.faceit.com/auth/v1/resources/userinfo`
    pub userinfo: Url,
    /// For each of the two calls.
    pub deadline: Duration,
}

/// Signs players in. Clones share it.
#[derive(Clone)]
pub struct SignIn(Arc<Inner>);

struct Inner {
    client: BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>,
    client_id: String,
    http: reqwest::Client,
    userinfo: Url,
    deadline: Duration,
}

/// Where to send a player, and what to remember until he comes back.
pub struct Begun {
    pub address: Url,
    pub state: String,
    pub verifier: String,
}

/// Who signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub player: PlayerId,
    pub nickname: String,
}

/// Why it is not known who signed in; never holds a code, token or secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The code is used up, too old, or not ours: the player has to begin anew.
    #[error("FACEIT does not accept the sign-in any more ({0})")]
    Expired(String),
    /// FACEIT refuses the application itself: only the operator can help.
    #[error(
        "FACEIT refuses the application ({0}): check FACEIT_CLIENT_ID, FACEIT_CLIENT_SECRET and FACEIT_REDIRECT_URI"
    )]
    Misconfigured(String),
    /// Down, slow, or a web page in between: try later.
    #[error("FACEIT's sign-in is unavailable: {0}")]
    Unavailable(String),
    /// An answer that we don't understand.
    #[error("FACEIT's sign-in answered unexpectedly: {0}")]
    Unexpected(String),
}

#[derive(Deserialize)]
struct UserInfo {
    #[serde(default)]
    guid: Option<String>,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    nickname: Option<String>,
}

impl SignIn {
    pub fn new(options: Options) -> Result<Self, Error> {
        let odd = |what: &str, why: &dyn fmt::Display| Error::Unexpected(format!("the {what} can't be used: {why}"));
        let http = reqwest::Client::builder()
            .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the code or the token to another place.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| odd("HTTP client", &error))?;
        let authorize = AuthUrl::new(options.authorize.to_string()).map_err(|error| odd("sign-in address", &error))?;
        let token = TokenUrl::new(options.token.to_string()).map_err(|error| odd("token address", &error))?;
        // As registered: `Url` would add a slash to a bare host.
        let redirect =
            RedirectUrl::new(options.redirect.to_string()).map_err(|error| odd("redirect address", &error))?;
        let client = BasicClient::new(ClientId::new(options.client_id.clone()))
            .set_client_secret(ClientSecret::new(options.client_secret.expose_secret().to_owned()))
            .set_auth_uri(authorize)
            .set_token_uri(token)
            .set_redirect_uri(redirect);
        Ok(Self(Arc::new(Inner {
            client,
            client_id: options.client_id,
            http,
            userinfo: options.userinfo,
            deadline: options.deadline,
        })))
    }

    /// A new sign-in: state and verifier are random and for one use.
    pub fn begin(&self) -> Begun {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (address, state) = self
            .0
            .client
            .authorize_url(CsrfToken::new_random)
            .add_scope(Scope::new("openid".to_owned()))
            .add_scope(Scope::new("profile".to_owned()))
            .set_pkce_challenge(challenge)
            .url();
        Begun {
            address,
            state: state.into_secret(),
            verifier: verifier.into_secret(),
        }
    }

    /// Exchanges the code and asks who it was. The tokens end here.
    pub async fn finish(&self, code: String, verifier: String) -> Result<Identity, Error> {
        let owned = self.clone();
        let send = move |request| {
            let sign_in = owned.clone();
            async move { sign_in.send("token", request).await }
        };
        let tokens = self
            .0
            .client
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier))
            // Basic authentication alone leaves it out; FACEIT is known to take both.
            .add_extra_param("client_id", self.0.client_id.as_str())
            .request_async(&send)
            .await
            .map_err(from_exchange)?;
        let request = axum::http::Request::get(self.0.userinfo.as_str())
            .header(ACCEPT, "application/json")
            .header("authorization", format!("Bearer {}", tokens.access_token().secret()))
            .body(Vec::new())
            .map_err(|_| Error::Unexpected("the access token can't be sent in a header".to_owned()))?;
        let answer = self.send("userinfo", request).await.map_err(|error| match error {
            // The token is a minute old at most: it is not the player's fault.
            Error::Expired(why) | Error::Misconfigured(why) => {
                Error::Unexpected(format!("userinfo refuses the token ({why})"))
            }
            error => error,
        })?;
        let info: UserInfo = serde_json::from_slice(answer.body())
            .map_err(|_| Error::Unexpected("userinfo is not the JSON that was expected".to_owned()))?;
        let given = |id: Option<String>| id.filter(|id| is_plausible_id(id));
        let player = given(info.guid).or_else(|| given(info.sub));
        let player = player.ok_or_else(|| Error::Unexpected("userinfo names no player (guid, sub)".to_owned()))?;
        let nickname = info.nickname.filter(|name| !name.trim().is_empty());
        Ok(Identity {
            nickname: nickname.unwrap_or_else(|| player.clone()),
            player: PlayerId::new(player),
        })
    }

    /// One request with its deadline. Whatever is not a 200 with a body of modest size is an error here already: FACEIT's refusals are not in
    /// OAuth's form.
    async fn send(&self, route: &'static str, request: HttpRequest) -> Result<HttpResponse<Vec<u8>>, Error> {
        let answer = timeout(self.0.deadline, self.exchange(request)).await;
        let (status, result) = match answer {
            Ok(Ok((status, headers, body))) => (status.as_str().to_owned(), judge(status, headers, body)),
            Ok(Err(error)) => ("error".to_owned(), Err(error)),
            Err(_) => (
                "timeout".to_owned(),
                Err(Error::Unavailable("no answer in time".to_owned())),
            ),
        };
        let route = if route == "token" {
            "/auth/v1/oauth/token"
        } else {
            "/auth/v1/resources/userinfo"
        };
        ::metrics::counter!(metrics::FACEIT_CALLS, "route" => route, "status" => status).increment(1);
        result
    }

    async fn exchange(&self, request: HttpRequest) -> Result<(StatusCode, HeaderMap, Vec<u8>), Error> {
        let request = reqwest::Request::try_from(request)
            .map_err(|_| Error::Unexpected("the request could not be built".to_owned()))?;
        let broken = |error: reqwest::Error| Error::Unavailable(error.without_url().to_string());
        let mut response = self.0.http.execute(request).await.map_err(broken)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > LARGEST_BODY {
                return Err(Error::Unexpected(format!("more than {LARGEST_BODY} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.status(), std::mem::take(response.headers_mut()), body))
    }
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("faceit::oauth::SignIn").finish_non_exhaustive()
    }
}

fn judge(status: StatusCode, headers: HeaderMap, body: Vec<u8>) -> Result<HttpResponse<Vec<u8>>, Error> {
    let web_page = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<');
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || web_page {
        let what = if web_page { "a web page" } else { "no service" };
        return Err(Error::Unavailable(format!("{what} (status {})", status.as_u16())));
    }
    if status == StatusCode::OK {
        let mut response = HttpResponse::new(body);
        *response.headers_mut() = headers;
        return Ok(response);
    }
    let why = format!("status {}, {}", status.as_u16(), reason(&body));
    Err(match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::Misconfigured(why),
        StatusCode::BAD_REQUEST if why.contains("redirect_uri") || why.contains("client") => Error::Misconfigured(why),
        StatusCode::BAD_REQUEST => Error::Expired(why),
        _ => Error::Unexpected(why),
    })
}

/// FACEIT's own word for it, in its shape or in OAuth's; only plain words, as the body is not ours.
fn reason(body: &[u8]) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let word = body["errors"][0]["message"].as_str().or_else(|| body["error"].as_str());
    let plain = |word: &&str| word.len() <= 60 && word.chars().all(|c| c.is_ascii_alphanumeric() || " _-.".contains(c));
    word.filter(plain).unwrap_or("no reason given").to_owned()
}

fn from_exchange<T: oauth2::ErrorResponse + 'static>(error: RequestTokenError<Error, T>) -> Error {
    match error {
        RequestTokenError::Request(error) => error,
        // The body may hold tokens.
        RequestTokenError::Parse(..) => {
            Error::Unexpected("the token answer is not the JSON that was expected".to_owned())
        }
        _ => Error::Unexpected("the token answer could not be read".to_owned()),
    }
}
