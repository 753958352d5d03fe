//! Takes every Discord and FACEIT request in: journal, faults, latency, then the side it is for; control calls pass it by.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{ConnectInfo, FromRequestParts, Request, State as Extract, ws::WebSocketUpgrade},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};

use super::{
    clock::millis,
    connection::Scissors,
    discord::{self, gateway::connection},
    exchange::{Answer, Call},
    faceit,
    faults::Fault,
    journal::{Entry, Exchange, Side},
    state::Shared,
};

/// Bytes of a request body, at most.
const LONGEST_BODY: usize = 2 * 1024 * 1024;

/// Everything that is no control route.
pub(super) async fn serve(
    Extract(shared): Extract<Arc<Shared>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request<Body>,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let upgrade = parts
        .headers
        .get(header::UPGRADE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if upgrade {
        return match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
            Ok(upgrade) => {
                let query = parts.uri.query().unwrap_or_default().to_owned();
                upgrade.on_upgrade(move |socket| connection::serve(socket, query, shared))
            }
            Err(refusal) => refusal.into_response(),
        };
    }
    let Some(side) = side(parts.uri.path()) else {
        // Most likely a base URL without its prefix: in the list of unknown requests it can't be overlooked.
        shared.lock().nowhere(&parts.method, parts.uri.path());
        let message = "nothing here: Discord is under /api/v10, FACEIT under /data/v4, control under /control\n";
        return (StatusCode::NOT_FOUND, message).into_response();
    };
    let Ok(body) = to_bytes(body, LONGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let call = call(parts, body);
    // In a task of its own, since a request that came in whole takes effect even if the caller hangs up meanwhile.
    #[expect(
        clippy::disallowed_methods,
        reason = "it must outlive the caller, and ends by itself"
    )]
    let exchanged = tokio::spawn(exchange(shared, side, call));
    match exchanged.await {
        Ok(Some(answer)) => answer.into(),
        Ok(None) => {
            scissors.cut();
            StatusCode::BAD_GATEWAY.into_response()
        }
        Err(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "the simulator failed at this request\n",
        )
            .into_response(),
    }
}

fn side(path: &str) -> Option<Side> {
    if discord::below_prefix(path).is_some() {
        Some(Side::Discord)
    } else {
        let faceit = faceit::api::below_prefix(path).or_else(|| faceit::oauth::below_prefix(path));
        faceit.map(|_| Side::Faceit)
    }
}

fn call(parts: Parts, body: Bytes) -> Call {
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    Call {
        method: parts.method,
        path,
        query,
        headers: parts.headers,
        body,
    }
}

/// One request from arrival to answer; `None` when the connection shall be cut.
async fn exchange(shared: Arc<Shared>, side: Side, call: Call) -> Option<Answer> {
    let (number, at_ms, fault, latency) = {
        let mut state = shared.lock();
        let fault = state.faults.strike(call.method.as_str(), &call.path);
        (state.journal.arrive(), millis(state.clock.now()), fault, state.latency)
    };
    wait(latency / 2).await;
    let (truth, known) = if fault.as_ref().is_none_or(Fault::takes_effect) {
        let (answer, known) = answer(&shared, side, &call);
        (Some(answer), known)
    } else {
        (None, true)
    };
    wait(latency - latency / 2 + fault.as_ref().map_or(Duration::ZERO, Fault::delay)).await;

    let answer = match &fault {
        Some(fault) if fault.drop.is_some() => None,
        Some(fault) => fault.answer(side).or(truth),
        None => truth,
    };
    let query = if call.query.is_empty() {
        String::new()
    } else {
        format!("?{}", call.query)
    };
    let entry = Entry {
        at_ms,
        side,
        method: call.method.to_string(),
        path: format!("{}{query}", call.path),
        status: answer.as_ref().map_or(0, |answer| answer.status.as_u16()),
    };
    let mut state = shared.lock();
    state.journal.keep(|| Exchange {
        entry: entry.clone(),
        sent_type: call.header(header::CONTENT_TYPE).unwrap_or_default().to_owned(),
        sent: call.body.to_vec(),
        answered_type: answer.as_ref().map(Answer::media_type).unwrap_or_default(),
        answered: answer.as_ref().map(|answer| answer.body.to_vec()).unwrap_or_default(),
        struck: fault.is_some_and(|fault| fault.status.is_some() || fault.drop.is_some()),
    });
    state.journal.record(number, entry, known);
    answer
}

fn answer(shared: &Shared, side: Side, call: &Call) -> (Answer, bool) {
    let mut state = shared.lock();
    let now = state.clock.now();
    match side {
        Side::Discord => state
            .discord
            .answer(call, discord::below_prefix(&call.path).unwrap_or_default(), now),
        Side::Faceit => {
            if let Some(path) = faceit::oauth::below_prefix(&call.path) {
                return state.faceit.sign_in(call, path, now);
            }
            let limit = state.discord.limiter.limits.faceit_per_second;
            state.faceit.answer(
                call,
                faceit::api::below_prefix(&call.path).unwrap_or_default(),
                limit,
                now,
            )
        }
    }
}

async fn wait(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}
