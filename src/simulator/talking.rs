//! What people say to the application and see of it, for tests and control calls: commands, buttons, messages. The rules are in `discord::talk`.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State as Extract},
    http::StatusCode,
    routing::{get, post, put},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Simulator,
    control::{Outcome, done, read},
    discord::talk::{Ask, Asked, Post, Signature, Talk, pending::FIRST_WITHIN},
    exchange::Answer,
    state::{ControlError, Shared},
};

impl Simulator {
    /// Where commands go by HTTP; over the gateway without an address.
    pub fn set_interactions_target(&self, url: Option<String>) {
        self.shared.lock().discord.talk.target = url;
    }

    /// Somebody runs a command, presses a button, or types; comes back with the receiver's answer, or when Discord would wait no longer.
    pub async fn ask(&self, ask: &Ask) -> Result<Asked, ControlError> {
        send(&self.shared, ask).await
    }

    /// Discord's own PING, by HTTP.
    pub async fn ping(&self, signature: Signature) -> Result<Asked, ControlError> {
        ping(&self.shared, signature).await
    }

    /// What he sees of the answer by now.
    pub fn see(&self, id: &str) -> Result<Value, ControlError> {
        let state = self.shared.lock();
        state.discord.talk.see(id, state.clock.now())
    }

    /// All messages that were posted, in channels and to people.
    pub fn posts(&self) -> Vec<Post> {
        self.shared.lock().discord.talk.posts()
    }

    /// Somebody writes into a channel.
    pub fn write_as(&self, user: &str, channel: &str, content: &str) -> Result<(), ControlError> {
        let id = |text: &str| text.parse().map_err(ControlError::Malformed);
        let place = (id(user)?, id(channel)?);
        let mut state = self.shared.lock();
        let now = state.clock.now();
        let discord = &mut state.discord;
        discord.talk.say(&mut discord.world, place, content, now);
        Ok(())
    }

    /// Somebody who may deletes a message.
    pub fn delete_post(&self, id: &str) -> Result<(), ControlError> {
        let id = id.parse().map_err(ControlError::Malformed)?;
        self.shared.lock().discord.talk.delete_post(id);
        Ok(())
    }

    /// Somebody takes no direct messages from now on.
    pub fn close_messages(&self, user: &str) -> Result<(), ControlError> {
        let user = user.parse().map_err(ControlError::Malformed)?;
        self.shared.lock().discord.talk.closed.insert(user);
        Ok(())
    }

    /// The commands that are registered everywhere, or in one guild.
    pub fn commands(&self, guild: Option<&str>) -> Result<Vec<Value>, ControlError> {
        let guild = guild.map(str::parse).transpose().map_err(ControlError::Malformed)?;
        Ok(self.shared.lock().discord.talk.commands(guild))
    }
}

async fn send(shared: &Shared, ask: &Ask) -> Result<Asked, ControlError> {
    let (outgoing, by_http) = {
        let mut state = shared.lock();
        let now = state.clock.now();
        let discord = &mut state.discord;
        let outgoing = discord.talk.ask(&mut discord.world, ask, now)?;
        let target = discord.talk.target.clone();
        let by_http = target.map(|target| (target, discord.talk.sign(&outgoing.text, ask.signature, now)));
        if by_http.is_none() {
            discord.tell_application(&outgoing);
        }
        (outgoing, by_http)
    };
    let id = outgoing.id;
    let (status, body) = match by_http {
        Some((target, headers)) => {
            let (status, body) = post_signed(target, outgoing.text, &headers).await?;
            if status == 200 {
                answered_inline(shared, id, &body)?;
            }
            (status, body)
        }
        None => match tokio::time::timeout(FIRST_WITHIN, outgoing.answered).await {
            Ok(Ok(body)) => (204, body),
            Ok(Err(_)) | Err(_) => (0, Value::Null),
        },
    };
    Ok(Asked {
        id: id.to_string(),
        status,
        body,
    })
}

/// The answer that came back in the receiver's own response.
fn answered_inline(shared: &Shared, id: super::Snowflake, body: &Value) -> Result<(), ControlError> {
    let mut state = shared.lock();
    let now = state.clock.now();
    let discord = &mut state.discord;
    let refused = discord.talk.first_answer(&mut discord.world, id, body, now);
    refused.map_err(|why| ControlError::Malformed(format!("that is no answer to an interaction ({why:?}): {body}")))
}

async fn ping(shared: &Shared, signature: Signature) -> Result<Asked, ControlError> {
    let text = Talk::ping();
    let (headers, target) = {
        let state = shared.lock();
        let talk = &state.discord.talk;
        (talk.sign(&text, signature, state.clock.now()), talk.target.clone())
    };
    let none = || ControlError::Malformed("no address for interactions is set".to_owned());
    let (status, body) = post_signed(target.ok_or_else(none)?, text, &headers).await?;
    let id = "1".to_owned();
    Ok(Asked { id, status, body })
}

async fn post_signed(
    target: String,
    text: String,
    headers: &[(&'static str, String)],
) -> Result<(u16, Value), ControlError> {
    let client = reqwest::Client::builder().timeout(FIRST_WITHIN).no_proxy().build();
    let client = client.map_err(|error| ControlError::Malformed(error.to_string()))?;
    let mut request = client
        .post(target)
        .header("content-type", "application/json")
        .body(text);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let Ok(response) = request.send().await else {
        return Ok((0, Value::Null));
    };
    let status = response.status().as_u16();
    let text = response.text().await.unwrap_or_default();
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}

/// The control routes of this.
pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/discord/interactions", post(ask_route))
        .route("/discord/interactions/target", put(target_route))
        .route("/discord/interactions/{id}", get(see_route))
        .route("/discord/commands", get(commands_route))
        .route("/discord/messages", get(messages_route))
        .route("/discord/messages/closed", put(closed_route))
}

type World = Extract<Arc<Shared>>;

async fn ask_route(Extract(shared): World, body: axum::body::Bytes) -> Outcome {
    let ask: Ask = read(&body)?;
    let asked = send(&shared, &ask).await?;
    Ok(Answer::json(StatusCode::OK, &json!(asked)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    target: Option<String>,
}

async fn target_route(Extract(shared): World, body: axum::body::Bytes) -> Outcome {
    let Target { target } = read(&body)?;
    shared.lock().discord.talk.target = target;
    done()
}

async fn see_route(Extract(shared): World, Path(id): Path<String>) -> Outcome {
    let state = shared.lock();
    let seen = state.discord.talk.see(&id, state.clock.now())?;
    Ok(Answer::json(StatusCode::OK, &seen))
}

async fn commands_route(Extract(shared): World) -> Outcome {
    let commands = shared.lock().discord.talk.commands(None);
    Ok(Answer::json(StatusCode::OK, &json!(commands)))
}

async fn messages_route(Extract(shared): World) -> Outcome {
    let posts = shared.lock().discord.talk.posts();
    Ok(Answer::json(StatusCode::OK, &json!(posts)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Closed {
    user_id: String,
}

async fn closed_route(Extract(shared): World, body: axum::body::Bytes) -> Outcome {
    let Closed { user_id } = read(&body)?;
    let user = user_id.parse().map_err(ControlError::Malformed)?;
    shared.lock().discord.talk.closed.insert(user);
    done()
}
