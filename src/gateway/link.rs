//! One connection to the gateway, from its begin to its end: unlike twilight's shard, it never connects again by itself, because that has
//! no pause after a handshake that worked (facts/discord.md 3.3). The session goes on in the next link.

use std::{error::Error as _, pin::Pin, task::Poll, time::Duration};

use futures::{Stream as _, StreamExt as _, future::poll_fn};
use tokio::time::{Instant, timeout};
use twilight_gateway::{
    CloseFrame, Config, ConfigBuilder, Message, Session, Shard, ShardId, ShardState,
    error::{ReceiveMessageError, ReceiveMessageErrorType},
};

use crate::{gateway::identify::Identify, store::gateway_sessions};

/// How long the other side has to answer when we hang up.
const FAREWELL: Duration = Duration::from_secs(1);
/// The same when we connect again at once.
const BRIEF: Duration = Duration::from_millis(250);

/// What comes over a link.
#[derive(Debug)]
pub(super) enum Heard {
    Text(String),
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
    /// It was gone without a word.
    Lost,
}

impl End {
    /// The label under which metrics count it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Closed { .. } => "closed",
            Self::Asked => "asked",
            Self::SessionLost => "session_lost",
            Self::Unreachable(_) => "unreachable",
            Self::Lost => "lost",
        }
    }
}

pub(super) struct Link {
    shard: Shard<Identify>,
    /// The handshake worked.
    opened: bool,
    /// When the session became active on this link.
    active_since: Option<Instant>,
}

impl Link {
    /// Connects when it is first asked for something.
    pub fn new(id: ShardId, config: Config<Identify>, session: Option<&gateway_sessions::Session>) -> Self {
        let mut config = ConfigBuilder::from(config);
        if let Some(session) = session {
            config = config.session(Session::new(session.sequence, session.id.clone()));
            if let Some(url) = &session.resume_url {
                config = config.resume_url(url.trim_end_matches('/').to_owned());
            }
        }
        Self {
            shard: Shard::with_config(id, config.build()),
            opened: false,
            active_since: None,
        }
    }

    /// The session as it is after everything that was heard.
    pub fn session(&self) -> Option<gateway_sessions::Session> {
        let session = self.shard.session()?;
        Some(gateway_sessions::Session {
            id: session.id().to_owned(),
            resume_url: self.shard.resume_url().map(str::to_owned),
            sequence: session.sequence(),
        })
    }

    /// For how long the session has been active on this link.
    pub fn active_for(&self) -> Option<Duration> {
        self.active_since.map(|since| since.elapsed())
    }

    /// The next event. Must be asked for without a break: only then do heartbeats go out. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Heard {
        loop {
            let polled = poll_fn(|cx| {
                let polled = Pin::new(&mut self.shard).poll_next(cx);
                let state = self.shard.state();
                let down = matches!(state, ShardState::Disconnected { .. });
                self.opened |= !down;
                if state == ShardState::Active && self.active_since.is_none() {
                    self.active_since = Some(Instant::now());
                }
                match polled {
                    // It has begun to connect again: that is not for now.
                    Poll::Pending if down && self.opened => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(item) => Poll::Ready(Some(item)),
                }
            });
            return match polled.await {
                None | Some(None) => Heard::End(End::Lost),
                Some(Some(Ok(Message::Text(text)))) => match self.asked_to_leave() {
                    Some(end) => {
                        self.see_off(BRIEF).await;
                        Heard::End(end)
                    }
                    None => Heard::Text(text),
                },
                Some(Some(Ok(Message::Close(frame)))) => match frame {
                    // twilight's own way to say that it saw the connection die.
                    Some(frame) if frame.code == 1006 => Heard::End(End::Lost),
                    frame => Heard::End(End::Closed {
                        code: frame.as_ref().map(|frame| frame.code),
                        reason: frame.map(|frame| frame.reason.into_owned()).unwrap_or_default(),
                    }),
                },
                Some(Some(Err(error))) => match error.kind() {
                    ReceiveMessageErrorType::Reconnect => Heard::End(End::Unreachable(reason(&error))),
                    _ => {
                        tracing::warn!(shard = self.shard.id().number(), %error, "Discord sent something that can't be read; skipped it");
                        continue;
                    }
                },
            };
        }
    }

    /// Op 7 and op 9: twilight has queued its farewell.
    fn asked_to_leave(&self) -> Option<End> {
        if !matches!(self.shard.state(), ShardState::Disconnected { .. }) {
            return None;
        }
        Some(if self.shard.session().is_some() {
            End::Asked
        } else {
            End::SessionLost
        })
    }

    async fn see_off(&mut self, within: Duration) {
        // Sends the close frame; what then comes is the answer, or nothing.
        let _ = timeout(within, self.shard.next()).await;
    }

    /// Hangs up so that the session can be resumed. Gives what was still under way.
    pub async fn hang_up(&mut self) -> Vec<String> {
        let mut last = Vec::new();
        if !self.opened {
            return last;
        }
        self.shard.close(CloseFrame::RESUME);
        let farewell = async {
            while let Heard::Text(text) = self.next().await {
                last.push(text);
            }
        };
        let _ = timeout(FAREWELL, farewell).await;
        last
    }
}

/// `failed to reconnect to the gateway: connection refused`, without an address.
fn reason(error: &ReceiveMessageError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
