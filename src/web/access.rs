//! What each route of the admin part needs, in one table, and the gate that keeps it. A route that is not in the table is not served.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
};

use axum::{
    extract::{ConnectInfo, MatchedPath, RawPathParams, Request, State, rejection::RawPathParamsRejection},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tracing::{error, warn};

use crate::{
    domain::ids::GuildId,
    web::{
        auth::{Admin, login::append_cookie, roles::Role, session::LIVES},
        caller::forwarded,
        refused::Refused,
    },
};

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Anybody; so many times from one address.
    Nothing,
    /// Somebody who is signed in.
    Session,
    /// Somebody who is signed in, with a cookie from a page of ours only; or anybody, whom the route itself asks for a token.
    Live,
    /// At least this role in the guild of the path.
    Guild(Role),
    /// One of `OPERATOR_IDS`.
    Operator,
}

impl Needs {
    /// For people.
    pub fn words(self) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Session => "a session".to_owned(),
            Self::Live => "a session, or a token as first message".to_owned(),
            Self::Guild(role) => format!("{} in the server", word(role)),
            Self::Operator => "operator".to_owned(),
        }
    }
}

/// Method, path as the router has it, and what it needs.
pub type Rule = (&'static str, &'static str, Needs);

/// What `/api/live` tells of is what these calls show.
pub const MATCHES: &str = "/api/guilds/{guild}/matches";
pub const JOBS: &str = "/api/guilds/{guild}/jobs";

/// Every route of the admin part.
pub const RULES: &[Rule] = &[
    ("GET", "/api/openapi.json", Needs::Nothing),
    ("GET", "/api/docs", Needs::Nothing),
    ("GET", "/api/auth/login", Needs::Nothing),
    ("GET", "/api/auth/discord/login", Needs::Nothing),
    ("GET", "/api/auth/callback", Needs::Nothing),
    ("GET", "/api/auth/discord/callback", Needs::Nothing),
    ("POST", "/api/auth/exchange", Needs::Nothing),
    ("GET", "/api/auth/me", Needs::Session),
    ("POST", "/api/auth/logout", Needs::Session),
    ("GET", "/api/auth/sessions", Needs::Session),
    ("DELETE", "/api/auth/sessions/{session}", Needs::Session),
    ("GET", "/api/guilds", Needs::Session),
    ("GET", "/api/guilds/{guild}", Needs::Guild(Role::Staff)),
    ("GET", "/api/guilds/{guild}/channels", Needs::Guild(Role::Staff)),
    ("GET", "/api/guilds/{guild}/roles", Needs::Guild(Role::Staff)),
    ("GET", "/api/guilds/{guild}/bot-install-url", Needs::Guild(Role::Admin)),
    ("GET", "/api/guilds/{guild}/check", Needs::Guild(Role::Staff)),
    ("GET", "/api/guilds/{guild}/settings", Needs::Guild(Role::Staff)),
    ("PUT", "/api/guilds/{guild}/settings", Needs::Guild(Role::Admin)),
    ("GET", "/api/guilds/{guild}/competitions", Needs::Guild(Role::Staff)),
    ("POST", "/api/guilds/{guild}/competitions", Needs::Guild(Role::Admin)),
    (
        "DELETE",
        "/api/guilds/{guild}/competitions/{competition}",
        Needs::Guild(Role::Admin),
    ),
    ("GET", "/api/guilds/{guild}/matches", Needs::Guild(Role::Staff)),
    ("GET", "/api/guilds/{guild}/matches/{match}", Needs::Guild(Role::Staff)),
    (
        "POST",
        "/api/guilds/{guild}/matches/{match}/sync",
        Needs::Guild(Role::Staff),
    ),
    (
        "POST",
        "/api/guilds/{guild}/matches/{match}/teardown",
        Needs::Guild(Role::Staff),
    ),
    (
        "POST",
        "/api/guilds/{guild}/matches/{match}/move",
        Needs::Guild(Role::Staff),
    ),
    ("GET", "/api/deliveries", Needs::Operator),
    ("GET", "/api/deliveries/{delivery}", Needs::Operator),
    ("POST", "/api/deliveries/{delivery}/replay", Needs::Operator),
    ("GET", "/api/operator/pause", Needs::Operator),
    ("PUT", "/api/operator/pause", Needs::Operator),
    ("GET", "/api/guilds/{guild}/links", Needs::Guild(Role::Staff)),
    ("PUT", "/api/guilds/{guild}/links/{user}", Needs::Guild(Role::Staff)),
    ("DELETE", "/api/guilds/{guild}/links/{user}", Needs::Guild(Role::Staff)),
    ("GET", "/api/guilds/{guild}/jobs", Needs::Guild(Role::Staff)),
    (
        "POST",
        "/api/guilds/{guild}/jobs/{key}/retry",
        Needs::Guild(Role::Staff),
    ),
    ("GET", "/api/guilds/{guild}/audit", Needs::Guild(Role::Admin)),
    ("GET", "/api/live", Needs::Live),
];

/// The guild of the path, and what the caller may do in it.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    pub guild: GuildId,
    pub role: Role,
}

/// Lets through who may pass, with his `Session` and `Access` in the request's extensions.
pub async fn gate(
    State(admin): State<Arc<Admin>>,
    path: MatchedPath,
    parameters: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Response {
    let Ok(parameters) = parameters else {
        return Refused::not_found("this address can't be read").into_response();
    };
    let method = request.method().clone();
    let needs = match needs(&method, path.as_str()) {
        Some(needs) => needs,
        None if is_listed(path.as_str()) => return wrong_method(path.as_str()),
        None => {
            error!(%method, path = path.as_str(), "a route is not in the table of access; it is shut");
            return Refused::internal().into_response();
        }
    };
    match admit(&admin, needs, &parameters, &mut request).await {
        Err(refused) => refused.into_response(),
        Ok(renewed) => {
            let mut response = next.run(request).await;
            let has_cookie = response.headers().contains_key(header::SET_COOKIE);
            if let Some(token) = renewed.filter(|_| !has_cookie) {
                append_cookie(&mut response, &admin.cookies.set_session(token, LIVES));
            }
            response
        }
    }
}

fn needs(method: &Method, path: &str) -> Option<Needs> {
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    let rule = RULES.iter().find(|rule| (rule.0, rule.1) == (method, path));
    rule.map(|rule| rule.2)
}

/// The role that reading this needs in a guild; None when nobody may.
pub fn least_role(path: &str) -> Option<Role> {
    match needs(&Method::GET, path)? {
        Needs::Guild(role) => Some(role),
        _ => None,
    }
}

fn is_listed(path: &str) -> bool {
    RULES.iter().any(|rule| rule.1 == path)
}

fn wrong_method(path: &str) -> Response {
    let allowed: Vec<&str> = RULES.iter().filter(|rule| rule.1 == path).map(|rule| rule.0).collect();
    let allowed = allowed.join(", ");
    let message = format!("this address takes {allowed}");
    let mut response = Refused::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message).into_response();
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

/// Gives the token that the cookie is to be renewed with.
async fn admit(
    admin: &Admin,
    needs: Needs,
    parameters: &RawPathParams,
    request: &mut Request,
) -> Result<Option<String>, Refused> {
    if needs == Needs::Nothing {
        admin.limits.address(address(admin, request).ip())?;
        return Ok(None);
    }
    if needs == Needs::Live && !admin.has_token(request.headers()) {
        admin.limits.address(address(admin, request).ip())?;
        return Ok(None);
    }
    let session = admin.recognise(request.headers()).await?;
    admin.limits.user(session.user)?;
    admin.check_origin(&session, request.method(), request.headers())?;
    if needs == Needs::Live {
        admin.check_page(&session, request.headers())?;
    }
    match needs {
        Needs::Operator if !admin.is_operator(session.user) => {
            return Err(Refused::forbidden("only the people of OPERATOR_IDS may do that"));
        }
        Needs::Guild(least) => {
            let named = parameters.iter().find(|(name, _)| *name == "guild").map(|(_, id)| id);
            let guild = named.and_then(guild_id).ok_or_else(Refused::no_such_guild)?;
            let role = admin.role_in(session.user, guild).await?;
            // Whoever is not in it does not learn whether it exists.
            if role == Role::None {
                return Err(Refused::no_such_guild());
            }
            admin.limits.guild(guild)?;
            if role < least {
                let message = format!("this needs the role {}, and you are {}", word(least), word(role));
                return Err(Refused::forbidden(message));
            }
            request.extensions_mut().insert(Access { guild, role });
        }
        _ => {}
    }
    let renewed = session.renewed.clone();
    request.extensions_mut().insert(session);
    Ok(renewed)
}

/// As Discord writes ids, and no other way.
fn guild_id(text: &str) -> Option<GuildId> {
    let plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

fn word(role: Role) -> &'static str {
    match role {
        Role::None => "none",
        Role::Viewer => "viewer",
        Role::Staff => "staff",
        Role::Admin => "admin",
        Role::Owner => "owner",
    }
}

/// The caller's address: the connection's, or the one that the outermost of our own proxies saw.
fn address(admin: &Admin, request: &Request) -> SocketAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(SocketAddr::from(([0, 0, 0, 0], 0)), |info| info.0);
    let uncounted = admin.proxies == 0 && request.headers().contains_key("x-forwarded-for");
    if uncounted && !admin.told_of_a_proxy.swap(true, Ordering::Relaxed) {
        warn!(
            %peer,
            "a call came through a proxy, and TRUSTED_PROXIES is 0: all that comes through it counts as one address and shares one limit of \
             requests; set TRUSTED_PROXIES to the number of your proxies"
        );
    }
    forwarded(request.headers(), admin.proxies).map_or(peer, |ip| SocketAddr::new(ip, 0))
}
