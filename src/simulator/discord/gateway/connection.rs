//! One WebSocket from handshake to end: carries text to the gateway and back; decides nothing but when a heartbeat is overdue.

use std::{sync::Arc, time::Duration};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use tokio::time::{Instant, sleep_until, timeout};

use super::{Out, words::Close};
use crate::simulator::{exchange::parameters, state::Shared};

/// How long a client may take to answer a close frame.
const PARTING: Duration = Duration::from_secs(2);

/// Serves a client until one of the two ends it. `query` is that of the handshake.
pub(in crate::simulator) async fn serve(mut socket: WebSocket, query: String, shared: Arc<Shared>) {
    let version = parameters(&query).find_map(|(name, value)| (name == "v").then_some(value));
    let (id, mut waiting, latency, patience) = {
        let mut state = shared.lock();
        let gateway = &mut state.discord.gateway;
        let (id, waiting) = gateway.open(version.as_deref());
        let latency = Duration::from_millis(gateway.options.latency_ms);
        // Twice the interval: one late heartbeat is forgiven.
        let patience = Duration::from_millis(gateway.options.heartbeat_interval_ms.saturating_mul(2));
        (id, waiting, latency, patience)
    };
    let mut overdue = Instant::now() + patience;
    let mut next: Option<(Instant, Out)> = None;
    loop {
        tokio::select! {
            out = waiting.recv(), if next.is_none() => match out {
                Some(out) => next = Some((Instant::now() + latency, out)),
                None => break,
            },
            () = sleep_until(next.as_ref().map_or(overdue, |(due, _)| *due)), if next.is_some() => {
                match next.take() {
                    Some((_, Out::Text(text))) => {
                        if socket.send(Message::Text(text)).await.is_err() {
                            break;
                        }
                    }
                    Some((_, Out::Close(close))) => return part(socket, close).await,
                    Some((_, Out::Cut)) | None => break,
                }
            }
            heard = socket.recv() => match heard {
                Some(Ok(Message::Text(text))) => {
                    overdue = Instant::now() + patience;
                    let mut state = shared.lock();
                    let now = state.clock.now();
                    state.discord.hear(id, &text, now);
                }
                Some(Ok(Message::Binary(_))) => {
                    let mut state = shared.lock();
                    let now = state.clock.now();
                    state.discord.gateway.close(id, Close::DecodeError, now);
                }
                Some(Ok(Message::Close(frame))) => {
                    let done = frame.is_some_and(|frame| matches!(frame.code, 1000 | 1001));
                    return forget(&shared, id, !done);
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Err(_)) | None => break,
            },
            () = sleep_until(overdue) => {
                overdue = Instant::now() + patience;
                let mut state = shared.lock();
                let now = state.clock.now();
                state.discord.gateway.close(id, Close::SessionTimedOut, now);
            }
        }
    }
    forget(&shared, id, true);
}

fn forget(shared: &Shared, id: u64, resumable: bool) {
    let mut state = shared.lock();
    let now = state.clock.now();
    state.discord.gateway.forget(id, resumable, now);
}

/// Says why, and waits for the client to hang up: bytes of his that nobody reads would make the system discard the close frame.
async fn part(mut socket: WebSocket, close: Close) {
    let frame = CloseFrame {
        code: close.code(),
        reason: close.reason().into(),
    };
    if socket.send(Message::Close(Some(frame))).await.is_ok() {
        let _ = timeout(PARTING, async { while let Some(Ok(_)) = socket.recv().await {} }).await;
    }
}
