//! Floor 2: what Muster answers over HTTP. FACEIT's webhook, health, readiness and metrics, players who sign in at FACEIT; behind a
//! sign-in with Discord the admin part.

pub mod access;
pub mod api;
pub mod auth;
mod caller;
mod error;
pub mod extract;
mod health;
pub mod intake;
pub mod interactions;
pub mod oauth;
mod page;
pub mod refused;
mod sent_back;
pub mod service;
mod webhook;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    http::StatusCode,
    routing::{get, post},
};
use futures::future::BoxFuture;
use serde_json::Value;
use tower_http::{
    catch_panic::CatchPanicLayer,
    timeout::TimeoutLayer,
    trace::{DefaultOnFailure, TraceLayer},
};
use tracing::Level;

pub use health::Examined;

use crate::{
    clock::Clock,
    discord::{LeftOut, Shards, VoiceMap},
    faceit::secret::Secret,
    store,
    web::intake::Intake,
};

/// What the handlers need; clones share it.
#[derive(Clone)]
pub struct Web {
    pub pool: store::Pool,
    pub clock: Clock,
    pub secret: Arc<Secret>,
    /// Takes deliveries and wakes the queue.
    pub intake: Intake,
    /// The admin part, when it is set up.
    pub admin: Option<Arc<auth::Admin>>,
    /// Renders all metrics in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// How the connections to Discord's gateway stand.
    pub shards: Shards,
    /// Who sits where, to be counted.
    pub voice: VoiceMap,
    /// Discord refused the bot's token.
    pub token_is_bad: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Which of the further bots can't help, and where; None when there are no further bots.
    pub movers: Arc<dyn Fn() -> Option<Vec<LeftOut>> + Send + Sync>,
    /// Looks whether all is in place; costs calls to Discord and FACEIT.
    pub examine: Examine,
    /// The last result of that.
    pub examined: Examined,
    /// Signing in at FACEIT; none when the operator has not set it up.
    pub linking: Option<oauth::Linking>,
    /// Commands that Discord sends over HTTP; none when they come over the gateway only.
    pub interactions: Option<interactions::Interactions>,
}

/// Gives a report as JSON.
pub type Examine = Arc<dyn Fn() -> BoxFuture<'static, Value> + Send + Sync>;

/// The largest delivery that is taken, bytes. Recorded ones have up to 8 KB.
pub const LARGEST_BODY: usize = 256 * 1024;
/// No handler takes longer: each of its steps has a shorter limit of its own.
const DEADLINE: Duration = Duration::from_secs(20);

/// All routes.
pub fn router(web: Web) -> Router {
    let admin = web.admin.clone().map_or_else(Router::new, api::router);
    Router::new()
        .merge(admin)
        .route("/faceit-webhook", post(webhook::receive))
        .route("/webhooks/faceit", post(webhook::receive))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .merge(oauth::routes())
        .merge(interactions::routes(web.interactions.as_ref()))
        .fallback(error::no_such_page)
        .method_not_allowed_fallback(error::wrong_method)
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            DEADLINE,
        ))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(span)
                .on_failure(DefaultOnFailure::new().level(Level::DEBUG)),
        )
        .with_state(web)
}

/// Without the query: it may hold the webhook secret.
fn span(request: &axum::extract::Request) -> tracing::Span {
    tracing::debug_span!("request", method = %request.method(), path = request.uri().path())
}
