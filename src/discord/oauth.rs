//! Discord's OAuth2: the address of the consent page, codes and refreshes for tokens, and what a person's own token may read. Keeps no
//! token, and never tries twice: a code or a refresh token is good only once.

use std::{fmt, time::Duration};

use futures::future::BoxFuture;
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope,
    TokenResponse, TokenUrl,
    basic::{BasicClient, BasicErrorResponse, BasicErrorResponseType, BasicTokenResponse},
};
use reqwest::{Response, StatusCode, Url, header::RETRY_AFTER, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    discord::client::api_base,
    domain::ids::{GuildId, UserId},
};

/// What the admin part asks of a person.
const SCOPES: [&str; 2] = ["identify", "guilds"];
/// Somebody waits at his browser.
const DEADLINE: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(3);
/// What a token is taken to live when Discord does not say.
const USUAL_LIFE: Duration = Duration::from_secs(604_800);
/// No list of 200 guilds comes near it.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// Why there is no answer. Never holds a token, a code or the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The code, the refresh token or the access token is not good, and won't be again.
    #[error("Discord does not accept the code or token")]
    Denied,
    #[error("Discord's rate limit asks for a pause of {} s", retry_after.as_secs())]
    Busy { retry_after: Duration },
    #[error("Discord did not answer in time")]
    TooSlow,
    #[error("Discord can't be reached: {0}")]
    Unavailable(String),
    /// Only the operator can change it.
    #[error("{0}")]
    Misconfigured(String),
}

/// A pair of tokens; `Debug` does not show them.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: SecretString,
    pub refresh: SecretString,
    pub expires_in: Duration,
}

/// `GET /users/@me`, as far as we look at it.
#[derive(Clone, Debug, Deserialize)]
pub struct Person {
    #[serde(deserialize_with = "user_id")]
    pub id: UserId,
    pub username: String,
    #[serde(default)]
    pub global_name: Option<String>,
    #[serde(default)]
    pub avatar: Option<String>,
}

/// One of `GET /users/@me/guilds`: what the person may do there, without the channels' overwrites.
#[derive(Clone, Debug, Deserialize)]
pub struct OwnGuild {
    #[serde(deserialize_with = "guild_id")]
    pub id: GuildId,
    pub name: String,
    #[serde(default)]
    pub icon: Option<String>,
    pub owner: bool,
    #[serde(deserialize_with = "number")]
    pub permissions: u64,
}

type Application = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// The application as Discord knows it; clones share connections.
#[derive(Clone)]
pub struct OAuth {
    http: reqwest::Client,
    application: Application,
    id: String,
    secret: SecretString,
    /// Without a slash at the end.
    api: String,
}

impl OAuth {
    /// `api` is the REST API's base, `authorize` the page that people see.
    pub fn new(api: &Url, authorize: &Url, id: &str, secret: SecretString) -> Result<Self, Error> {
        let wrong = |why: String| Error::Misconfigured(why);
        let api = api_base(api).map_err(|why| wrong(format!("Discord's address {why}")))?;
        let api = api.as_str().trim_end_matches('/').to_owned();
        let token = TokenUrl::new(format!("{api}/oauth2/token")).map_err(|error| wrong(error.to_string()))?;
        let application = BasicClient::new(ClientId::new(id.to_owned()))
            .set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()))
            .set_auth_uri(AuthUrl::from_url(authorize.clone()))
            .set_token_uri(token);
        let http = reqwest::Client::builder()
            .user_agent(super::send::USER_AGENT)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .timeout(DEADLINE)
            .connect_timeout(CONNECT)
            .build()
            .map_err(|error| wrong(format!("no HTTP client for Discord: {error}")))?;
        Ok(Self {
            http,
            application,
            id: id.to_owned(),
            secret,
            api,
        })
    }

    /// The consent page's address for this state and the challenge of this verifier.
    pub fn consent_page(&self, redirect: &Url, state: &str, verifier: &str) -> Url {
        let verifier = PkceCodeVerifier::new(verifier.to_owned());
        let state = state.to_owned();
        let request = self
            .application
            .authorize_url(move || CsrfToken::new(state))
            .add_scopes(SCOPES.map(|scope| Scope::new(scope.to_owned())))
            .set_redirect_uri(std::borrow::Cow::Owned(RedirectUrl::from_url(redirect.clone())))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        request.url().0
    }

    /// A fresh random state and verifier.
    pub fn secrets() -> (String, String) {
        let (_, verifier) = PkceCodeChallenge::new_random_sha256();
        (CsrfToken::new_random().into_secret(), verifier.into_secret())
    }

    pub async fn exchange(&self, code: &str, verifier: &str, redirect: &Url) -> Result<Tokens, Error> {
        let answer = self
            .application
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()))
            .set_redirect_uri(std::borrow::Cow::Owned(RedirectUrl::from_url(redirect.clone())))
            .request_async(&self.carrier())
            .await;
        tokens(answer)
    }

    pub async fn refresh(&self, refresh: &SecretString) -> Result<Tokens, Error> {
        let token = RefreshToken::new(refresh.expose_secret().to_owned());
        let answer = self
            .application
            .exchange_refresh_token(&token)
            .request_async(&self.carrier())
            .await;
        tokens(answer)
    }

    /// Ends the person's whole authorization. By hand: the library refuses addresses without TLS, such as a simulator's.
    pub async fn revoke(&self, token: &SecretString) -> Result<(), Error> {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token.expose_secret())
            .finish();
        let request = self
            .http
            .post(format!("{}/oauth2/token/revoke", self.api))
            .basic_auth(&self.id, Some(self.secret.expose_secret()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let answer = passed(request.send().await.map_err(|error| failed(&error))?).await?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::UNAUTHORIZED => Err(bad_secret()),
            _ => Err(Error::Denied),
        }
    }

    /// Who the token belongs to.
    pub async fn person(&self, token: &SecretString) -> Result<Person, Error> {
        self.read("/users/@me", token).await
    }

    /// The guilds that he is in, 200 at most.
    pub async fn guilds(&self, token: &SecretString) -> Result<Vec<OwnGuild>, Error> {
        self.read("/users/@me/guilds", token).await
    }

    async fn read<T: DeserializeOwned>(&self, path: &str, token: &SecretString) -> Result<T, Error> {
        let request = self
            .http
            .get(format!("{}{path}", self.api))
            .bearer_auth(token.expose_secret());
        let answer = passed(request.send().await.map_err(|error| failed(&error))?).await?;
        match answer.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Error::Denied),
            status if status.is_success() => {
                let body = body(answer).await?;
                serde_json::from_slice(&body).map_err(|_| strange(status))
            }
            status => Err(strange(status)),
        }
    }

    /// Our client as the library takes it. Owns what it needs: futures that borrow through it could not be sent between threads.
    fn carrier(&self) -> impl Fn(HttpRequest) -> BoxFuture<'static, Result<HttpResponse, Error>> + use<> {
        let own = self.clone();
        move |request| {
            let own = own.clone();
            Box::pin(async move { own.carry(request).await })
        }
    }

    /// One request of the library's, by our client.
    async fn carry(&self, request: HttpRequest) -> Result<HttpResponse, Error> {
        let request = reqwest::Request::try_from(request).map_err(|error| failed(&error))?;
        let answer = passed(self.http.execute(request).await.map_err(|error| failed(&error))?).await?;
        let mut response = HttpResponse::new(Vec::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        *response.body_mut() = body(answer).await?;
        Ok(response)
    }
}

impl fmt::Debug for OAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("discord::OAuth")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

fn tokens(answer: Result<BasicTokenResponse, RequestTokenError<Error, BasicErrorResponse>>) -> Result<Tokens, Error> {
    let answer = answer.map_err(|error| match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(said) => match said.error() {
            BasicErrorResponseType::InvalidClient => bad_secret(),
            BasicErrorResponseType::InvalidGrant => Error::Denied,
            other => Error::Misconfigured(format!("Discord refuses the sign-in ({})", other.as_ref())),
        },
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => strange(StatusCode::OK),
    })?;
    let refresh = answer.refresh_token().ok_or_else(|| strange(StatusCode::OK))?;
    Ok(Tokens {
        access: SecretString::from(answer.access_token().secret().as_str()),
        refresh: SecretString::from(refresh.secret().as_str()),
        expires_in: answer.expires_in().unwrap_or(USUAL_LIFE),
    })
}

/// Takes out what says nothing about the question: overload and outage.
async fn passed(answer: Response) -> Result<Response, Error> {
    if answer.status() == StatusCode::TOO_MANY_REQUESTS {
        let told = answer
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        return Err(Error::Busy {
            retry_after: Duration::from_secs(told.unwrap_or(5)),
        });
    }
    if answer.status().is_server_error() {
        return Err(Error::Unavailable(format!("it answered {}", answer.status())));
    }
    Ok(answer)
}

async fn body(mut answer: Response) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| failed(&error))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > LARGEST_ANSWER {
            return Err(Error::Unavailable("its answer is too long".to_owned()));
        }
    }
    Ok(bytes)
}

/// Without the address, and in few words: people read it.
fn failed(error: &reqwest::Error) -> Error {
    if error.is_timeout() {
        Error::TooSlow
    } else if error.is_connect() {
        Error::Unavailable("no connection".to_owned())
    } else {
        Error::Unavailable("the connection broke".to_owned())
    }
}

fn strange(status: StatusCode) -> Error {
    Error::Unavailable(format!("something that is not Discord answered {}", status.as_u16()))
}

fn bad_secret() -> Error {
    Error::Misconfigured(
        "Discord refuses DISCORD_CLIENT_ID or DISCORD_CLIENT_SECRET: copy them from the developer portal (your application → OAuth2)"
            .to_owned(),
    )
}

fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

fn user_id<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<UserId, D::Error> {
    UserId::new(number(deserializer)?).ok_or_else(|| serde::de::Error::custom("an id is zero"))
}

fn guild_id<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<GuildId, D::Error> {
    GuildId::new(number(deserializer)?).ok_or_else(|| serde::de::Error::custom("an id is zero"))
}
