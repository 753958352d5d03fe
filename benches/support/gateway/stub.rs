//! A bare gateway: greets, gives a session, sends frames that were made before as fast as the connection takes them, and asks for a heartbeat after
//! them: its answer says that everything before it was taken in. The simulator would be busier than the service. Beside it the two or three
//! answers over HTTP that the service needs.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use axum::{
    Json, Router,
    extract::{
        Path, State,
        ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};

use super::matches;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Stub {
    pub address: SocketAddr,
    connections: mpsc::UnboundedReceiver<WebSocket>,
}

#[derive(Clone)]
struct Shared {
    address: SocketAddr,
    connections: mpsc::UnboundedSender<WebSocket>,
}

impl Stub {
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (sender, connections) = mpsc::unbounded_channel();
        let shared = Shared {
            address,
            connections: sender,
        };
        let routes = Router::new()
            .route("/", get(connect))
            .route("/api/v10/gateway/bot", get(gateway_bot))
            .route("/api/v10/users/@me", get(me))
            .route("/data/v4/matches/{id}", get(the_match))
            .with_state(shared);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(Self { address, connections })
    }

    /// The service's next connection, once it has identified.
    pub async fn session(&mut self) -> anyhow::Result<Session> {
        let coming = timeout(PATIENCE, self.connections.recv())
            .await
            .context("the service does not connect")?;
        let socket = coming.context("the stub has ended")?;
        let mut session = Session { socket, sequence: 0 };
        session.say(10, json!({ "heartbeat_interval": 3_600_000 })).await?;
        loop {
            let said = session.hear().await?;
            match said["op"].as_u64() {
                Some(2) => break,
                Some(1) => session.say(11, Value::Null).await?,
                _ => bail!("no identify but {said}"),
            }
        }
        Ok(session)
    }
}

async fn connect(State(shared): State<Shared>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |socket| _ = shared.connections.send(socket))
}

async fn gateway_bot(State(shared): State<Shared>) -> Json<Value> {
    Json(json!({
        "url": format!("ws://{}", shared.address), "shards": 1,
        "session_start_limit": {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 0},
    }))
}

async fn me() -> Json<Value> {
    Json(
        json!({"id": "1", "username": "muster", "discriminator": "0", "avatar": null, "bot": true, "mfa_enabled": false}),
    )
}

async fn the_match(Path(id): Path<String>) -> Response {
    match id.rsplit('-').next().and_then(|number| number.parse().ok()) {
        Some(number) => Json(matches::faceit(number)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The service's session, over its one connection.
pub struct Session {
    socket: WebSocket,
    sequence: u64,
}

impl Session {
    /// Begins, with no guild yet.
    pub async fn ready(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let ready = json!({
            "v": 10, "user": {"id": "1"}, "guilds": [], "session_id": "bench", "resume_gateway_url": format!("ws://{address}"),
            "shard": [0, 1], "application": {"id": "1", "flags": 0},
        });
        let frame = self.event("READY", &ready.to_string());
        self.send(vec![frame]).await.map(drop)
    }

    /// A frame with the next number; frames must be sent in the order in which they were made.
    pub fn event(&mut self, name: &str, data: &str) -> Message {
        self.sequence += 1;
        let text = format!(r#"{{"t":"{name}","s":{},"op":0,"d":{data}}}"#, self.sequence);
        Message::Text(Utf8Bytes::from(text))
    }

    /// The number of the last one.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Sends these, and waits until all are taken in; says how long that took.
    pub async fn send(&mut self, frames: Vec<Message>) -> anyhow::Result<Duration> {
        let started = Instant::now();
        for frame in frames {
            futures::SinkExt::feed(&mut self.socket, frame).await?;
        }
        self.taken_in().await?;
        Ok(started.elapsed())
    }

    /// Asks for a heartbeat: it comes when everything before it was taken in.
    async fn taken_in(&mut self) -> anyhow::Result<()> {
        self.say(1, Value::Null).await?;
        loop {
            let said = self.hear().await?;
            if said["op"] == 1 && said["d"] == self.sequence {
                return Ok(());
            }
        }
    }

    async fn say(&mut self, op: u8, data: Value) -> anyhow::Result<()> {
        let text = json!({ "op": op, "d": data, "s": null, "t": null }).to_string();
        Ok(self.socket.send(Message::Text(text.into())).await?)
    }

    async fn hear(&mut self) -> anyhow::Result<Value> {
        loop {
            let heard = timeout(PATIENCE, self.socket.recv())
                .await
                .context("the service says nothing")?;
            match heard.context("the service has hung up")?? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Close(frame) => bail!("the service has hung up: {frame:?}"),
                _ => {}
            }
        }
    }
}
