//! `/api/live`: a WebSocket that tells what changes in the servers that somebody looks after. It tells, and is told nothing but a token.

mod ending;
mod hub;
mod message;
mod socket;

use std::sync::Arc;

use axum::{
    Extension,
    extract::{
        State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::StatusCode,
    response::Response,
};

pub use self::{hub::Hub, message::LiveMessage};
use crate::web::{
    auth::{Admin, session::Session},
    refused::{ErrorBody, Refusals, Refused},
};

/// Bytes; a token has about 400.
const LARGEST_MESSAGE: usize = 8 * 1024;

/// A WebSocket that tells at once what changes in the servers in which I am staff or more.
///
/// With the cookie, only from a page of ours; a program sends `Authorization`, or `{"token": "…"}` as its first message within 5 seconds, and nothing else ever. The first answer is `ready`. It ends with a close
/// code: 1001 Muster restarts, 1008 something was sent, 1009 too large or broken, 1013 too slow or Discord is away, 4401 not signed in any more, 4408 no pong,
/// 4429 too many connections.
#[utoipa::path(get, path = "/api/live", tag = "live", responses(
    (status = 101, body = LiveMessage, description = "Every message is one of these, as text."),
    (status = 426, body = ErrorBody, description = "It was not opened as a WebSocket."), Refusals))]
pub async fn live(
    State(admin): State<Arc<Admin>>,
    session: Option<Extension<Session>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refused> {
    let upgrade = upgrade.map_err(|_| {
        let message = "open this address as a WebSocket";
        Refused::new(StatusCode::UPGRADE_REQUIRED, "not_a_websocket", message)
    })?;
    let upgrade = upgrade
        .max_message_size(LARGEST_MESSAGE)
        .max_frame_size(LARGEST_MESSAGE);
    let session = session.map(|Extension(session)| session);
    let (hub, now) = (admin.live.clone(), admin.clock.now());
    Ok(upgrade.on_upgrade(move |socket| hub.tasks.track_future(socket::serve(admin, socket, session, now))))
}
