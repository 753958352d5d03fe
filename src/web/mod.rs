//! Floor 2: what Muster answers over HTTP. FACEIT's webhook, health, readiness and metrics, and players who sign in at FACEIT.

mod error;
mod health;
pub mod intake;
pub mod oauth;
mod webhook;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    http::StatusCode,
    routing::{get, post},
};
use tower_http::{
    catch_panic::CatchPanicLayer,
    timeout::TimeoutLayer,
    trace::{DefaultOnFailure, TraceLayer},
};
use tracing::Level;

use crate::{clock::Clock, faceit::secret::Secret, store, web::intake::Intake};

/// What the handlers need; clones share it.
#[derive(Clone)]
pub struct Web {
    pub pool: store::Pool,
    pub clock: Clock,
    pub secret: Arc<Secret>,
    /// Takes deliveries and wakes the queue.
    pub intake: Intake,
    /// Renders all metrics in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Signing in at FACEIT; none when the operator has not set it up.
    pub linking: Option<oauth::Linking>,
}

/// The largest delivery that is taken, bytes. Recorded ones have up to 8 KB.
pub const LARGEST_BODY: usize = 256 * 1024;
/// No handler takes longer: each of its steps has a shorter limit of its own.
const DEADLINE: Duration = Duration::from_secs(20);

/// All routes.
pub fn router(web: Web) -> Router {
    Router::new()
        .route("/faceit-webhook", post(webhook::receive))
        .route("/webhooks/faceit", post(webhook::receive))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .merge(oauth::routes())
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
