//! Control routes of the gateway: end, spoil and list sessions, upset events, count.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    routing::{get, post, put},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{OneOrMany, Outcome, World, done, ok, read};
use crate::simulator::{
    discord::gateway::{steer::Whose, upsets::EventFault},
    state::{ControlError, Shared},
};

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/gateway", get(report).delete(clear_counts))
        .route("/gateway/end", post(end))
        .route("/gateway/reconnect", post(reconnect))
        .route("/gateway/invalidate", post(invalidate))
        .route("/gateway/greeting", put(greeting))
        .route("/gateway/refuse_resumes", put(refuse_resumes))
        .route("/gateway/heartbeats", put(heartbeats))
        .route("/gateway/events", get(upsets).post(upset).delete(calm))
        .route("/gateway/release", post(release))
}

async fn report(world: World) -> Outcome {
    ok(&json!(world.lock().discord.gateway.report()))
}

async fn clear_counts(world: World) -> Outcome {
    world.lock().discord.gateway.clear_counts();
    done()
}

#[derive(Deserialize)]
struct End {
    #[serde(default)]
    code: Option<u16>,
    #[serde(flatten)]
    whose: Value,
}

async fn end(world: World, body: Bytes) -> Outcome {
    let End { code, whose } = read(&body)?;
    let whose = pick(whose)?;
    check_code(code)?;
    let mut state = world.lock();
    let now = state.clock.now();
    let struck = state.discord.gateway.end_those(&whose, code, now);
    ok(&json!({ "struck": struck }))
}

async fn reconnect(world: World, body: Bytes) -> Outcome {
    let whose = pick(read(&body)?)?;
    let struck = world.lock().discord.gateway.ask_to_reconnect(&whose);
    ok(&json!({ "struck": struck }))
}

#[derive(Deserialize)]
struct Invalidate {
    resumable: bool,
    #[serde(flatten)]
    whose: Value,
}

async fn invalidate(world: World, body: Bytes) -> Outcome {
    let Invalidate { resumable, whose } = read(&body)?;
    let whose = pick(whose)?;
    let mut state = world.lock();
    let now = state.clock.now();
    let struck = state.discord.gateway.invalidate(&whose, resumable, now);
    ok(&json!({ "struck": struck }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Greeting {
    times: u32,
    #[serde(default)]
    code: Option<u16>,
}

async fn greeting(world: World, body: Bytes) -> Outcome {
    let Greeting { times, code } = read(&body)?;
    check_code(code)?;
    world.lock().discord.gateway.end_after_hello(times, code);
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Times {
    times: u32,
}

async fn refuse_resumes(world: World, body: Bytes) -> Outcome {
    let Times { times } = read(&body)?;
    world.lock().discord.gateway.refuse_resumes(times);
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Heartbeats {
    unanswered: bool,
}

async fn heartbeats(world: World, body: Bytes) -> Outcome {
    let Heartbeats { unanswered } = read(&body)?;
    world.lock().discord.gateway.leave_heartbeats_unanswered(unanswered);
    done()
}

async fn upsets(world: World) -> Outcome {
    ok(&json!(world.lock().discord.gateway.upsets()))
}

async fn upset(world: World, body: Bytes) -> Outcome {
    let given = match read(&body)? {
        OneOrMany::Many(faults) => faults,
        OneOrMany::One(fault) => vec![fault],
    };
    let read = |value| serde_json::from_value(value).map_err(|error| ControlError::Malformed(error.to_string()));
    let faults = given.into_iter().map(read).collect::<Result<Vec<EventFault>, _>>()?;
    let mut state = world.lock();
    faults.into_iter().try_for_each(|fault| state.upset(fault))?;
    ok(&json!(state.discord.gateway.upsets()))
}

async fn calm(world: World) -> Outcome {
    world.lock().discord.gateway.calm();
    done()
}

async fn release(world: World) -> Outcome {
    world.lock().discord.release();
    done()
}

fn pick(whose: Value) -> Result<Whose, ControlError> {
    serde_json::from_value(whose).map_err(|error| ControlError::Malformed(error.to_string()))
}

/// A WebSocket can't be closed with any number.
fn check_code(code: Option<u16>) -> Result<(), ControlError> {
    match code {
        Some(code) if code != 1000 && code != 1001 && !(3000..5000).contains(&code) => Err(ControlError::Malformed(
            format!("{code} is no close code: 1000, 1001 or 3000 to 4999"),
        )),
        _ => Ok(()),
    }
}
