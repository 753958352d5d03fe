//! The fake of Discord's gateway v10: sessions, resume with replay, shards, intents, close codes; without compression, since a
//! client that asks for it takes plain text frames too.

mod bodies;
pub(in crate::simulator) mod connection;
mod identify;
pub mod options;
mod publish;
mod session;
pub mod steer;
pub mod upsets;
mod words;

use std::{collections::BTreeMap, time::Duration};

use axum::extract::ws::Utf8Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::{
    identify::Identifies,
    options::GatewayFile,
    session::Session,
    steer::{Counts, Mischief},
    upsets::Upsets,
    words::{Close, Word},
};
use super::{DiscordSide, limits::Window, snowflake::Snowflake};

/// What goes out on a connection, in this order.
#[derive(Debug)]
enum Out {
    Text(Utf8Bytes),
    /// A close frame with this code.
    Close(Close),
    /// The TCP connection ends without a word.
    Cut,
}

/// One open WebSocket.
#[derive(Debug)]
struct Connection {
    outbox: UnboundedSender<Out>,
    /// The session it identified or resumed.
    session: Option<String>,
    /// Payloads of the client's in the running minute.
    heard: Window,
}

/// Everything the gateway remembers.
#[derive(Debug)]
pub(in crate::simulator) struct Gateway {
    options: GatewayFile,
    /// `ws://host:port`, for `GET /gateway` and `resume_gateway_url`.
    pub(super) url: String,
    connections: BTreeMap<u64, Connection>,
    sessions: BTreeMap<String, Session>,
    identifies: BTreeMap<Snowflake, Identifies>,
    opened: u64,
    counts: Counts,
    mischief: Mischief,
    upsets: Upsets,
}

impl Gateway {
    pub(in crate::simulator) fn new(options: GatewayFile, url: String) -> Self {
        Self {
            options,
            url,
            connections: BTreeMap::new(),
            sessions: BTreeMap::new(),
            identifies: BTreeMap::new(),
            opened: 0,
            counts: Counts::default(),
            mischief: Mischief::default(),
            upsets: Upsets::default(),
        }
    }

    /// A client has connected: it is greeted, and what it shall hear comes out of the receiver.
    fn open(&mut self, version: Option<&str>) -> (u64, UnboundedReceiver<Out>) {
        self.opened += 1;
        self.counts.connections += 1;
        let (outbox, waiting) = unbounded_channel();
        let greeting = json!({
            "t": null, "s": null, "op": 10,
            "d": { "heartbeat_interval": self.options.heartbeat_interval_ms, "_trace": ["[\"simulator\"]"] },
        });
        let connection = Connection {
            outbox,
            session: None,
            heard: Window::of(Duration::from_secs(60)),
        };
        connection.say(&greeting);
        self.connections.insert(self.opened, connection);
        if version.is_some_and(|version| version != "10" && version != "9") {
            self.close(self.opened, Close::InvalidVersion, Duration::ZERO);
        } else if let Some(end) = self.mischief.strike_greeting() {
            self.end(self.opened, end, Duration::ZERO);
        }
        (self.opened, waiting)
    }

    /// Ends a connection with a close code; whether its session can be resumed depends on the code.
    fn close(&mut self, connection: u64, code: Close, now: Duration) {
        if let Some(open) = self.connections.get(&connection) {
            open.send(Out::Close(code));
            *self.counts.closed.entry(code.code()).or_default() += 1;
        }
        self.forget(connection, !code.ends_session(), now);
    }

    /// The connection is gone, or going; its session waits for a resume, or ends.
    fn forget(&mut self, connection: u64, resumable: bool, now: Duration) {
        let session = self.connections.remove(&connection).and_then(|gone| gone.session);
        if let Some(id) = session {
            if !resumable {
                self.sessions.remove(&id);
            } else if let Some(session) = self.sessions.get_mut(&id) {
                session.detach(now);
            }
        }
    }

    /// Cuts every connection, for good.
    pub(in crate::simulator) fn shut(&mut self) {
        for connection in self.connections.values() {
            connection.send(Out::Cut);
        }
        self.connections.clear();
        self.sessions.clear();
    }
}

impl Connection {
    fn send(&self, out: Out) {
        // Nobody listens when the connection has just ended by itself.
        let _ = self.outbox.send(out);
    }

    fn say(&self, payload: &Value) {
        self.send(Out::Text(payload.to_string().into()));
    }
}

impl DiscordSide {
    /// A client sent a text frame.
    fn hear(&mut self, connection: u64, text: &str, now: Duration) {
        if let Err(code) = self.obey(connection, text, now) {
            self.gateway.close(connection, code, now);
        }
    }

    fn obey(&mut self, connection: u64, text: &str, now: Duration) -> Result<(), Close> {
        let limit = self.gateway.options.commands_per_minute;
        let Some(open) = self.gateway.connections.get_mut(&connection) else {
            return Ok(());
        };
        open.heard.take(limit, now).map_err(|_| Close::RateLimited)?;
        let authenticated = open.session.is_some();
        match (Word::read(text)?, authenticated) {
            (Word::Heartbeat, _) => {
                self.gateway.counts.heartbeats += 1;
                if !self.gateway.mischief.heartbeats_unanswered {
                    open.say(&json!({ "t": null, "s": null, "op": 11, "d": null }));
                }
                Ok(())
            }
            (Word::Identify(_) | Word::Resume(_), true) => Err(Close::AlreadyAuthenticated),
            (Word::Identify(identify), false) => self.identify(connection, identify, now),
            (Word::Resume(resume), false) => self.resume(connection, &resume, now),
            (Word::Other, true) => Ok(()),
            (Word::Other, false) => Err(Close::NotAuthenticated),
        }
    }
}
