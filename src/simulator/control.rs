//! The control routes: drivers in any language put matches, move people, set faults and look; the rules live in `state`.

mod administer;
mod gateway;

use std::{str, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, RawQuery, State as Extract},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    clock::millis,
    discord::{limits::Limits, permissions::Bits},
    exchange::{Answer, parameters},
    faceit::webhooks::DeliveryError,
    faults::Fault,
    state::{ControlError, Shared},
};

type World = Extract<Arc<Shared>>;
pub(super) type Outcome = Result<Answer, ControlError>;

/// The routes without their prefix; they are mounted at `/control` and at the root.
pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/faceit/matches/{id}", put(put_match).delete(remove_match))
        .route("/faceit/deliver", post(deliver))
        .route("/faceit/webhook", put(set_webhook))
        .route("/discord/voice", post(voice))
        .route("/discord/channels/{id}", delete(delete_channel))
        .route("/discord/guilds/{id}/bot_permissions", put(set_bot_permissions))
        .merge(administer::routes())
        .merge(gateway::routes())
        .route("/discord/deauthorize", post(deauthorize))
        .merge(super::talking::routes())
        .route("/limits", get(limits).put(set_limits))
        .route("/picture", get(picture))
        .route("/guilds/{id}", get(guild))
        .route("/journal", get(journal).delete(clear_journal))
        .route("/unknown", get(unknown))
        .route("/faults", get(faults).post(add_faults).delete(clear_faults))
        .route("/clock", get(clock).post(advance))
}

async fn put_match(world: World, Path(id): Path<String>, body: Bytes) -> Outcome {
    world.lock().put_match(&id, text(&body)?)?;
    done()
}

async fn remove_match(world: World, Path(id): Path<String>) -> Outcome {
    world.lock().remove_match(&id)?;
    done()
}

/// The receiver's answer in a 200, whatever it was; 409 without a target, 502 when nobody answered.
async fn deliver(world: World, body: Bytes) -> Outcome {
    let _: Value = read(&body)?;
    let sender = world.lock().sender.clone();
    match sender.deliver(body).await {
        Ok(delivered) => ok(&json!(delivered)),
        Err(error) => {
            let unset = matches!(error, DeliveryError::NoTarget);
            let status = if unset {
                StatusCode::CONFLICT
            } else {
                StatusCode::BAD_GATEWAY
            };
            Ok(Answer::json(status, &json!({ "error": error.to_string() })))
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookTarget {
    target: Option<String>,
}

async fn set_webhook(world: World, body: Bytes) -> Outcome {
    let WebhookTarget { target } = read(&body)?;
    world.lock().sender.target = target;
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VoiceChange {
    guild_id: String,
    user_id: String,
    /// Null to leave; a missing field is refused, since it is more likely a mistake.
    #[serde(deserialize_with = "Option::deserialize")]
    channel_id: Option<String>,
    /// Ask for the permissions and the room that a person needs to walk in by himself.
    #[serde(default)]
    as_user: bool,
}

async fn voice(world: World, body: Bytes) -> Outcome {
    let change: VoiceChange = read(&body)?;
    world.lock().voice(
        &change.guild_id,
        &change.user_id,
        change.channel_id.as_deref(),
        change.as_user,
    )?;
    done()
}

async fn delete_channel(world: World, Path(id): Path<String>) -> Outcome {
    world.lock().delete_channel(&id)?;
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BotPermissions {
    bot_permissions: Bits,
    /// The first bot unless another is named.
    #[serde(default)]
    bot_id: Option<String>,
}

async fn set_bot_permissions(world: World, Path(id): Path<String>, body: Bytes) -> Outcome {
    let BotPermissions {
        bot_permissions,
        bot_id,
    } = read(&body)?;
    world
        .lock()
        .set_permissions(&id, bot_id.as_deref(), bot_permissions.0)?;
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    user_id: String,
}

async fn deauthorize(world: World, body: Bytes) -> Outcome {
    let Person { user_id } = read(&body)?;
    world.lock().deauthorize(&user_id)?;
    done()
}

async fn limits(world: World) -> Outcome {
    let state = world.lock();
    let mut body = json!(state.discord.limiter.limits);
    body["invalid_requests"] = json!(state.discord.limiter.invalid.used(state.clock.now()));
    ok(&body)
}

/// Those not given take their defaults.
async fn set_limits(world: World, body: Bytes) -> Outcome {
    let limits: Limits = read(&body)?;
    world.lock().set_limits(limits);
    done()
}

async fn picture(world: World, RawQuery(query): RawQuery) -> Outcome {
    let query = query.unwrap_or_default();
    let guild = parameters(&query).find_map(|(name, value)| (name == "guild").then_some(value));
    let picture = world.lock().picture(guild.as_deref())?;
    Ok(Answer::typed(StatusCode::OK, "text/plain; charset=utf-8", picture))
}

async fn guild(world: World, Path(id): Path<String>) -> Outcome {
    ok(&world.lock().guild(&id)?)
}

async fn journal(world: World) -> Outcome {
    ok(&json!(world.lock().journal.entries()))
}

async fn clear_journal(world: World) -> Outcome {
    world.lock().journal.clear();
    done()
}

async fn unknown(world: World) -> Outcome {
    ok(&json!(world.lock().journal.unknown()))
}

async fn faults(world: World) -> Outcome {
    ok(&json!(world.lock().faults.waiting()))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Value>),
    One(Value),
}

async fn add_faults(world: World, body: Bytes) -> Outcome {
    let given = match read(&body)? {
        OneOrMany::Many(faults) => faults,
        OneOrMany::One(fault) => vec![fault],
    };
    let read = |value| serde_json::from_value(value).map_err(|error| ControlError::Malformed(error.to_string()));
    let faults = given.into_iter().map(read).collect::<Result<Vec<Fault>, _>>()?;
    let mut state = world.lock();
    faults.into_iter().try_for_each(|fault| state.fault(fault))?;
    ok(&json!(state.faults.waiting()))
}

async fn clear_faults(world: World) -> Outcome {
    world.lock().faults.clear();
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_ms: u64,
}

async fn clock(world: World) -> Outcome {
    ok(&json!({ "now_ms": millis(world.lock().clock.now()) }))
}

async fn advance(world: World, body: Bytes) -> Outcome {
    let Advance { advance_ms } = read(&body)?;
    let mut state = world.lock();
    state.clock.advance(Duration::from_millis(advance_ms));
    ok(&json!({ "now_ms": millis(state.clock.now()) }))
}

pub(super) fn done() -> Outcome {
    ok(&json!({ "ok": true }))
}

fn ok(body: &Value) -> Outcome {
    Ok(Answer::json(StatusCode::OK, body))
}

fn text(body: &[u8]) -> Result<&str, ControlError> {
    str::from_utf8(body).map_err(|error| ControlError::Malformed(format!("the body is no UTF-8: {error}")))
}

pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ControlError> {
    serde_json::from_slice(body)
        .map_err(|error| ControlError::Malformed(format!("the body is not understood: {error}")))
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Unknown(_) => StatusCode::NOT_FOUND,
            Self::Barred(_) => StatusCode::FORBIDDEN,
        };
        Answer::json(status, &json!({ "error": self.to_string() })).into()
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        self.into()
    }
}
