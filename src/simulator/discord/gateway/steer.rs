//! What a driver asks of the gateway: end connections, spoil sessions, look at what is open and what was counted.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Gateway, Out, session::Session, upsets::EventFault, words::Close};
use crate::simulator::discord::snowflake::Snowflake;

/// How often things happened since the start, or since the counts were cleared.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Handshakes.
    pub connections: u64,
    pub identifies: u64,
    /// Identifies that came too early: op 9.
    pub identifies_refused: u64,
    pub resumes: u64,
    /// Resumes answered with op 9.
    pub resumes_refused: u64,
    pub heartbeats: u64,
    /// Connections the gateway ended, by close code.
    pub closed: BTreeMap<u16, u64>,
}

/// A session, as `GET /gateway` lists it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct SessionReport {
    pub session_id: String,
    pub bot_id: Snowflake,
    pub shard: (u64, u64),
    pub intents: u64,
    /// The number of the last event.
    pub seq: u64,
    /// Or waiting for a resume.
    pub connected: bool,
}

/// What `GET /gateway` answers.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct GatewayReport {
    pub counts: Counts,
    /// Open connections, identified or not.
    pub open: usize,
    pub sessions: Vec<SessionReport>,
}

/// Which sessions are meant: all unless something is given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Whose {
    pub bot_id: Option<Snowflake>,
    pub session_id: Option<String>,
    pub shard: Option<u64>,
}

impl Whose {
    fn fits(&self, session: &Session) -> bool {
        self.bot_id.is_none_or(|bot| bot == session.bot)
            && self.session_id.as_ref().is_none_or(|id| *id == session.id)
            && self.shard.is_none_or(|shard| shard == session.shard.0)
    }
}

/// How a connection is ended: with this close code, or by the TCP connection alone.
pub(in crate::simulator) type End = Option<u16>;

/// What goes wrong with connections to come.
#[derive(Debug, Default)]
pub(super) struct Mischief {
    greetings: (u32, End),
    resumes: u32,
    pub(super) heartbeats_unanswered: bool,
}

impl Mischief {
    /// How the connection that was just greeted ends, if it does.
    pub(super) fn strike_greeting(&mut self) -> Option<End> {
        let (left, end) = &mut self.greetings;
        let struck = *left > 0;
        *left = left.saturating_sub(1);
        struck.then_some(*end)
    }

    pub(super) fn strike_resume(&mut self) -> bool {
        let struck = self.resumes > 0;
        self.resumes = self.resumes.saturating_sub(1);
        struck
    }
}

impl Gateway {
    /// Says how many connections ended.
    pub(in crate::simulator) fn end_those(&mut self, whose: &Whose, end: End, now: Duration) -> usize {
        let connections = self.connections_of(whose);
        connections
            .iter()
            .for_each(|connection| self.end(*connection, end, now));
        connections.len()
    }

    pub(super) fn end(&mut self, connection: u64, end: End, now: Duration) {
        if let Some(code) = end {
            return self.close(connection, Close::Asked(code), now);
        }
        if let Some(open) = self.connections.get(&connection) {
            open.send(Out::Cut);
        }
        self.forget(connection, true, now);
    }

    /// Op 7. Says how many were asked.
    pub(in crate::simulator) fn ask_to_reconnect(&mut self, whose: &Whose) -> usize {
        let connections = self.connections_of(whose);
        for open in connections
            .iter()
            .filter_map(|connection| self.connections.get(connection))
        {
            open.say(&json!({ "t": null, "s": null, "op": 7, "d": null }));
        }
        connections.len()
    }

    /// Op 9. Unless resumable, the sessions are gone; the connections stay. Says how many were told.
    pub(in crate::simulator) fn invalidate(&mut self, whose: &Whose, resumable: bool, now: Duration) -> usize {
        let connections = self.connections_of(whose);
        for connection in &connections {
            self.refuse_session(*connection, resumable);
            let session = self
                .connections
                .get_mut(connection)
                .and_then(|open| open.session.take());
            let Some(id) = session else { continue };
            if !resumable {
                self.sessions.remove(&id);
            } else if let Some(session) = self.sessions.get_mut(&id) {
                session.detach(now);
            }
        }
        connections.len()
    }

    fn connections_of(&self, whose: &Whose) -> Vec<u64> {
        let meant = self.sessions.values().filter(|session| whose.fits(session));
        meant.filter_map(Session::connection).collect()
    }

    /// The next connections end right after their hello.
    pub(in crate::simulator) fn end_after_hello(&mut self, times: u32, end: End) {
        self.mischief.greetings = (times, end);
    }

    /// The next resumes find that their session is gone.
    pub(in crate::simulator) fn refuse_resumes(&mut self, times: u32) {
        self.mischief.resumes = times;
    }

    pub(in crate::simulator) fn leave_heartbeats_unanswered(&mut self, unanswered: bool) {
        self.mischief.heartbeats_unanswered = unanswered;
    }

    pub(in crate::simulator) fn upset(&mut self, fault: EventFault) {
        self.upsets.add(fault);
    }

    pub(in crate::simulator) fn calm(&mut self) {
        self.upsets.clear();
    }

    /// Event faults that have not struck as often as they should.
    pub(in crate::simulator) fn upsets(&self) -> &[EventFault] {
        self.upsets.waiting()
    }

    pub(in crate::simulator) fn report(&self) -> GatewayReport {
        let sessions = self.sessions.values().map(|session| SessionReport {
            session_id: session.id.clone(),
            bot_id: session.bot,
            shard: session.shard,
            intents: session.intents,
            seq: session.seq,
            connected: session.connection().is_some(),
        });
        GatewayReport {
            counts: self.counts.clone(),
            open: self.connections.len(),
            sessions: sessions.collect(),
        }
    }

    pub(in crate::simulator) fn clear_counts(&mut self) {
        self.counts = Counts::default();
    }
}
