//! The admin part as a router: its routes with their description, behind the gate, with the headers and limits that all of them share.

mod description;

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::get,
};
use tower_http::cors::CorsLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::web::{
    access,
    auth::{Admin, account, login},
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
