//! One connection to the gateway, from its begin to its end: hello, heartbeats, identify or resume. It never connects again by itself; that,
//! and the pauses before it, is up to whoever listens. The session goes on in the next link.

use std::{future::pending, time::Duration};

use futures::{SinkExt as _, StreamExt as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    sync::oneshot,
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        Error, Message, Utf8Bytes,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};
use twilight_model::gateway::{OpCode, ShardId, event::GatewayEventDeserializer};

use crate::{
    gateway::{INTENTS, identify::Identify},
    store::gateway_sessions::Session,
};

/// How long it may take to connect, to be greeted, to send something.
const WITHIN: Duration = Duration::from_secs(10);
/// How long it may take from asking for a session to having it.
const ACTIVE_WITHIN: Duration = Duration::from_secs(60);
/// How long Discord has to answer when it asked us to leave.
const PARTING: Duration = Duration::from_millis(250);
/// After other codes than 1000 and 1001 a session can be resumed.
const RESUMABLE: u16 = 4000;
const READ_AT_ONCE: usize = 16 * 1024;
/// A guild of tens of thousands in voice comes as one message.
const LARGEST: usize = 256 << 20;

/// How a session is asked for.
#[derive(Clone, Debug)]
pub(super) struct Login {
    /// Where sessions begin.
    pub url: String,
    pub token: SecretString,
    pub identify: Identify,
}

/// What comes over a link.
#[derive(Debug)]
pub(super) enum Heard {
    Event(Utf8Bytes),
    /// It can't be used any more.
    End(End),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Discord closed it.
    Closed { code: Option<u16>, reason: String },
    /// Discord asked us to come again, with our session.
    Asked,
    /// Discord does not know our session any more.
    SessionLost,
    /// No connection could be made.
    Unreachable(String),
    /// It was of no use any more; says why.
    Lost(String),
}

impl End {
    /// The label under which metrics count it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Closed { .. } => "closed",
            Self::Asked => "asked",
            Self::SessionLost => "session_lost",
            Self::Unreachable(_) => "unreachable",
            Self::Lost(_) => "lost",
        }
    }

    fn lost(why: impl ToString) -> Self {
        Self::Lost(why.to_string())
    }
}

pub(super) struct Link {
    id: ShardId,
    login: Login,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: Option<Session>,
    heart: Option<Heart>,
    /// Our turn to start a session.
    turn: Option<oneshot::Receiver<()>>,
    /// When the answer that we wait for is overdue.
    overdue: Option<Instant>,
    /// When the session became active on this link.
    active_since: Option<Instant>,
}

struct Heart {
    beats: Interval,
    /// Something was heard since the last beat.
    alive: bool,
}

impl Link {
    pub async fn connect(id: ShardId, login: Login, session: Option<Session>) -> Result<Self, End> {
        let resume_url = session.as_ref().and_then(|session| session.resume_url.as_deref());
        let base = resume_url.unwrap_or(&login.url).trim_end_matches('/');
        let limits = WebSocketConfig::default()
            .read_buffer_size(READ_AT_ONCE)
            .max_message_size(Some(LARGEST))
            .max_frame_size(Some(LARGEST));
        let connecting = connect_async_with_config(format!("{base}/?v=10&encoding=json"), Some(limits), true);
        let socket = match timeout(WITHIN, connecting).await {
            Ok(Ok((socket, _))) => socket,
            Ok(Err(error)) => return Err(End::Unreachable(error.to_string())),
            Err(_) => return Err(End::Unreachable(format!("no answer within {} s", WITHIN.as_secs()))),
        };
        Ok(Self {
            id,
            login,
            socket,
            session,
            heart: None,
            turn: None,
            overdue: Some(Instant::now() + WITHIN),
            active_since: None,
        })
    }

    /// The session as it is after everything that was heard; None when the next link has to start a new one.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// For how long the session has been active on this link.
    pub fn active_for(&self) -> Option<Duration> {
        self.active_since.map(|since| since.elapsed())
    }

    /// The next event. Must be asked for without a break: only then do heartbeats go out. After its future was dropped there is only `leave`.
    pub async fn next(&mut self) -> Heard {
        loop {
            let step = tokio::select! {
                frame = self.socket.next() => self.frame(frame).await,
                () = tick(&mut self.heart) => self.beat().await.map(|()| None),
                admitted = turn(&mut self.turn) => self.identify(admitted).await.map(|()| None),
                () = at(self.overdue) => Err(End::lost("Discord did not answer in time")),
            };
            match step {
                Ok(None) => {}
                Ok(Some(event)) => return Heard::Event(event),
                Err(end) => return Heard::End(end),
            }
        }
    }

    async fn frame(&mut self, frame: Option<Result<Message, Error>>) -> Result<Option<Utf8Bytes>, End> {
        if let Some(heart) = &mut self.heart {
            heart.alive = true;
        }
        match frame {
            Some(Ok(Message::Text(text))) => Ok(self.read(&text).await?.then_some(text)),
            Some(Ok(Message::Close(frame))) => Err(End::Closed {
                code: frame.as_ref().map(|frame| frame.code.into()),
                reason: frame.map(|frame| frame.reason.to_string()).unwrap_or_default(),
            }),
            // Pings are answered by the library.
            Some(Ok(_)) => Ok(None),
            Some(Err(error)) => Err(End::lost(error)),
            None => Err(End::lost("it ended without a word")),
        }
    }

    /// Answers what is about the connection itself; true for an event.
    async fn read(&mut self, text: &str) -> Result<bool, End> {
        let Some((op, sequence, name)) =
            GatewayEventDeserializer::from_json(text).map(GatewayEventDeserializer::into_parts)
        else {
            tracing::warn!(
                shard = self.id.number(),
                "Discord sent something that can't be read; skipped it"
            );
            return Ok(false);
        };
        match OpCode::from(op) {
            Some(OpCode::Dispatch) => {
                match name.as_deref() {
                    Some("READY") => {
                        let ready: Ready = data(text)?;
                        self.session = Some(Session {
                            id: ready.session_id,
                            resume_url: Some(ready.resume_gateway_url),
                            sequence: 0,
                        });
                        self.active();
                    }
                    Some("RESUMED") => self.active(),
                    _ => {}
                }
                if let (Some(session), Some(sequence)) = (&mut self.session, sequence) {
                    session.sequence = sequence;
                }
                return Ok(true);
            }
            Some(OpCode::Hello) => self.greeted(data(text)?).await?,
            Some(OpCode::Heartbeat) => self.send_beat().await?,
            Some(OpCode::Reconnect) => {
                self.leave(PARTING).await;
                return Err(End::Asked);
            }
            Some(OpCode::InvalidSession) => {
                let resumable: bool = data(text)?;
                self.leave(PARTING).await;
                if resumable {
                    return Err(End::Asked);
                }
                self.session = None;
                return Err(End::SessionLost);
            }
            _ => {}
        }
        Ok(false)
    }

    fn active(&mut self) {
        self.overdue = None;
        self.active_since.get_or_insert_with(Instant::now);
    }

    /// Goes on with the session, or waits for the turn to start one.
    async fn greeted(&mut self, hello: Hello) -> Result<(), End> {
        let every = Duration::from_millis(hello.heartbeat_interval.max(1));
        // Not all at once, when Discord has restarted.
        let first = Instant::now() + every.mul_f64(rand::random_range(0.0..1.0));
        let mut beats = interval_at(first, every);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.heart = Some(Heart { beats, alive: true });
        let Some(session) = &self.session else {
            self.overdue = None;
            self.turn = Some(self.login.identify.enqueue(self.id.number()));
            return Ok(());
        };
        self.overdue = Some(Instant::now() + ACTIVE_WITHIN);
        let resume = json!({
            "token": self.login.token.expose_secret(), "session_id": session.id, "seq": session.sequence,
        });
        self.say(OpCode::Resume, resume).await
    }

    async fn identify(&mut self, admitted: bool) -> Result<(), End> {
        self.turn = None;
        if !admitted {
            return Err(End::lost("nobody says when a session may be started"));
        }
        self.overdue = Some(Instant::now() + ACTIVE_WITHIN);
        let properties = json!({ "os": std::env::consts::OS, "browser": "muster", "device": "muster" });
        let identify = json!({
            "token": self.login.token.expose_secret(), "intents": INTENTS.bits(), "properties": properties,
            "shard": [self.id.number(), self.id.total()],
        });
        self.say(OpCode::Identify, identify).await
    }

    async fn beat(&mut self) -> Result<(), End> {
        let alive = self.heart.as_mut().is_none_or(|heart| std::mem::take(&mut heart.alive));
        if !alive {
            return Err(End::lost("Discord did not answer a heartbeat"));
        }
        self.send_beat().await
    }

    async fn send_beat(&mut self) -> Result<(), End> {
        let heard = self.session.as_ref().map(|session| session.sequence);
        self.say(OpCode::Heartbeat, json!(heard)).await
    }

    async fn say(&mut self, op: OpCode, data: Value) -> Result<(), End> {
        let text = json!({ "op": op as u8, "d": data }).to_string();
        match timeout(WITHIN, self.socket.send(Message::text(text))).await {
            Ok(sent) => sent.map_err(End::lost),
            Err(_) => Err(End::lost("it took too long to send something")),
        }
    }

    /// Hangs up so that the session can be resumed. What is still under way is told again then.
    pub async fn leave(&mut self, within: Duration) {
        let frame = CloseFrame {
            code: CloseCode::from(RESUMABLE),
            reason: Utf8Bytes::from_static("come again"),
        };
        let farewell = async {
            if self.socket.send(Message::Close(Some(frame))).await.is_ok() {
                // Whoever leaves bytes unread makes the system take back the close frame.
                while let Some(Ok(_)) = self.socket.next().await {}
            }
        };
        let _ = timeout(within, farewell).await;
    }
}

async fn tick(heart: &mut Option<Heart>) {
    match heart {
        Some(heart) => drop(heart.beats.tick().await),
        None => pending().await,
    }
}

/// Whether we may start a session.
async fn turn(turn: &mut Option<oneshot::Receiver<()>>) -> bool {
    match turn {
        Some(turn) => turn.await.is_ok(),
        None => pending().await,
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

#[derive(Deserialize)]
struct Hello {
    heartbeat_interval: u64,
}

#[derive(Deserialize)]
struct Ready {
    session_id: String,
    resume_gateway_url: String,
}

fn data<T: DeserializeOwned>(text: &str) -> Result<T, End> {
    #[derive(Deserialize)]
    struct Payload<T> {
        d: T,
    }
    let payload: serde_json::Result<Payload<T>> = serde_json::from_str(text);
    payload
        .map(|payload| payload.d)
        .map_err(|error| End::Lost(format!("Discord sent something that can't be read: {error}")))
}
