//! The admin part as a router: its routes with their description, behind the gate, with the headers and limits that all of them share.
//!
//! A new route is a handler with `#[utoipa::path]`, a line in `described` below, and a line in `access::RULES` that says what it needs; without
//! the latter it stays shut, and a test walks all of them. Handlers take `Session`, `Access` (guild and role, checked by the gate), and `Body`,
//! `Query` and `Path` of `extract`, and refuse with `Refused`. Changes are recorded with `admin.actor(…)` in the transaction that makes them.

pub mod audit;
pub mod channels;
mod choices;
pub mod competitions;
pub mod deliveries;
mod description;
pub mod guilds;
pub mod jobs;
pub mod links;
pub mod live;
pub mod match_orders;
pub mod matches;
pub mod one_match;
pub mod operator;
mod pages;
mod plan;
pub mod settings;
mod timeline;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::time::timeout;
use tower_http::{catch_panic::CatchPanicLayer, cors::CorsLayer};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::web::{
    access,
    auth::{Admin, account, for_browsers::for_browsers, login},
    refused::Refused,
};

/// No body of ours is larger; settings have about one kilobyte.
const LARGEST_BODY: usize = 64 * 1024;

/// All routes of the admin part.
pub fn router<S: Clone + Send + Sync + 'static>(admin: Arc<Admin>) -> Router<S> {
    let (router, description) = described();
    // Under their other names they are not described twice.
    let router = router
        .route("/api/auth/discord/login", get(login::login))
        .route("/api/auth/discord/callback", get(login::callback));
    // The gate knows which methods a path takes and has answered before; set here, so that it stands before these too.
    let router =
        description::serve(router, description).method_not_allowed_fallback(async || StatusCode::METHOD_NOT_ALLOWED);
    let router = router
        .layer(from_fn_with_state(admin.clone(), access::gate))
        .layer(from_fn(in_time))
        .layer(CatchPanicLayer::custom(|_| Refused::internal().into_response()))
        .layer(from_fn(for_browsers))
        .layer(from_fn_with_state(admin.clone(), with_headers))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(cors(&admin));
    router.with_state(admin)
}

/// The routes and what OpenAPI says of them.
fn described() -> (Router<Arc<Admin>>, OpenApi) {
    OpenApiRouter::with_openapi(description::basis())
        .routes(routes!(login::login))
        .routes(routes!(login::callback))
        .routes(routes!(login::exchange))
        .routes(routes!(account::me))
        .routes(routes!(account::logout))
        .routes(routes!(account::list_sessions))
        .routes(routes!(account::end_session))
        .routes(routes!(guilds::list))
        .routes(routes!(guilds::show))
        .routes(routes!(guilds::bot_install_url))
        .routes(routes!(guilds::check))
        .routes(routes!(channels::channels))
        .routes(routes!(channels::roles))
        .routes(routes!(settings::show, settings::change))
        .routes(routes!(competitions::list, competitions::claim))
        .routes(routes!(competitions::release))
        .routes(routes!(matches::list))
        .routes(routes!(one_match::show))
        .routes(routes!(match_orders::sync))
        .routes(routes!(match_orders::teardown))
        .routes(routes!(match_orders::move_people))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::show))
        .routes(routes!(deliveries::replay))
        .routes(routes!(operator::show, operator::change))
        .routes(routes!(links::list))
        .routes(routes!(links::link, links::unlink))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::retry))
        .routes(routes!(audit::list))
        .routes(routes!(live::live))
        .split_for_parts()
}

/// The description alone, for tests and for `GET /api/openapi.json`.
pub fn openapi() -> OpenApi {
    described().1
}

fn cors(admin: &Admin) -> CorsLayer {
    let origins: Vec<HeaderValue> = admin
        .settings
        .frontends
        .iter()
        .filter_map(|origin| origin.parse().ok())
        .collect();
    CorsLayer::new()
        .allow_origin(origins)
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            HeaderName::from_static("x-csrf-token"),
        ])
        .expose_headers([header::ETAG, header::RETRY_AFTER])
}

/// Longer than each of its steps may take, and shorter than what ends every request without a word.
const DEADLINE: Duration = Duration::from_secs(18);

async fn in_time(request: Request, next: Next) -> Response {
    let answer = timeout(DEADLINE, next.run(request)).await;
    answer.unwrap_or_else(|_| Refused::took_too_long().into_response())
}

/// Answers hold people's data: nothing is kept, framed, guessed at or passed on.
async fn with_headers(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CACHE_CONTROL, "no-store");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "no-referrer");
    set(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    );
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-site");
    if admin.settings.public_url.scheme() == "https" {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}
