//! Identify and resume: who may open a session, how often, with which shard and intents; what it is told first.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    Out, bodies, publish,
    session::Session,
    words::{Close, Identify, Resume},
};
use crate::simulator::discord::{DiscordSide, snowflake::Snowflake};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// One identify per key in this time.
const SPACING: Duration = Duration::from_secs(5);
/// Bits 0 to 16, 20, 21, 24 and 25 (Discord docs, Gateway, "List of Intents").
const KNOWN_INTENTS: u64 = 0x1_ffff | 1 << 20 | 1 << 21 | 1 << 24 | 1 << 25;
/// GUILD_MEMBERS, GUILD_PRESENCES and MESSAGE_CONTENT: switched off for these bots.
const PRIVILEGED: u64 = 1 << 1 | 1 << 8 | 1 << 15;

/// When a bot identified.
#[derive(Debug, Default)]
pub(super) struct Identifies {
    today: VecDeque<Duration>,
    /// The last of each key.
    last: BTreeMap<u64, Duration>,
}

impl Identifies {
    fn forget_old(&mut self, now: Duration) {
        while self.today.front().is_some_and(|at| *at + DAY <= now) {
            self.today.pop_front();
        }
    }
}

impl DiscordSide {
    pub(super) fn identify(&mut self, connection: u64, identify: Identify, now: Duration) -> Result<(), Close> {
        let bot = self
            .world
            .bot_with(&identify.token)
            .ok_or(Close::AuthenticationFailed)?;
        let shard = read_shard(identify.shard.as_ref())?;
        if identify.intents & !KNOWN_INTENTS != 0 {
            return Err(Close::InvalidIntents);
        }
        if identify.intents & PRIVILEGED != 0 {
            return Err(Close::DisallowedIntents);
        }
        let gateway = &mut self.gateway;
        let id = format!("{:032x}", self.world.mint.mint(now).0);
        let mut session = Session::new(id.clone(), bot, shard, identify.intents, gateway.options.replay_events);
        session.large_threshold = identify.large_threshold.unwrap_or(50);
        let guilds = publish::guilds_of(&self.world, &session);
        if guilds.len() > gateway.options.guilds_per_shard {
            return Err(Close::ShardingRequired);
        }

        let concurrency = gateway.options.max_concurrency;
        let identifies = gateway.identifies.entry(bot).or_default();
        if let Some(key) = shard.0.checked_rem(concurrency) {
            if identifies.last.get(&key).is_some_and(|last| now < *last + SPACING) {
                gateway.counts.identifies_refused += 1;
                gateway.refuse_session(connection, false);
                return Ok(());
            }
            identifies.last.insert(key, now);
        }
        identifies.forget_old(now);
        identifies.today.push_back(now);
        if identifies.today.len() > usize::try_from(gateway.options.identifies_per_day).unwrap_or(usize::MAX) {
            // "All active sessions will be terminated, and the token will be reset" (Discord docs, Gateway).
            let token = format!("reset-{}", self.world.mint.mint(now));
            self.reset_token(bot, token, now);
            return Err(Close::AuthenticationFailed);
        }
        gateway.counts.identifies += 1;

        let Some(open) = gateway.connections.get_mut(&connection) else {
            return Ok(());
        };
        open.session = Some(id.clone());
        session.attach(connection, open.outbox.clone());
        session.dispatch(
            "READY",
            &bodies::ready(&self.world, &session, &guilds, &gateway.url).to_string(),
        );
        for guild in guilds {
            publish::greet(&self.world, &mut session, guild);
        }
        gateway.sessions.insert(id, session);
        Ok(())
    }

    pub(super) fn resume(&mut self, connection: u64, resume: &Resume, now: Duration) -> Result<(), Close> {
        let bot = self.world.bot_with(&resume.token).ok_or(Close::AuthenticationFailed)?;
        let gateway = &mut self.gateway;
        if gateway.mischief.strike_resume() {
            gateway.sessions.remove(&resume.session_id);
        }
        let window = Duration::from_millis(gateway.options.resume_window_ms);
        gateway.sessions.retain(|_, session| !session.expired(window, now));
        let Some(session) = gateway
            .sessions
            .get_mut(&resume.session_id)
            .filter(|session| session.bot == bot)
        else {
            gateway.counts.resumes_refused += 1;
            gateway.refuse_session(connection, false);
            return Ok(());
        };
        if resume.seq > session.seq {
            return Err(Close::InvalidSeq);
        }
        if !session.remembers(resume.seq) {
            gateway.counts.resumes_refused += 1;
            gateway.refuse_session(connection, false);
            return Ok(());
        }
        // The client may know before us that its last connection is dead.
        if let Some(last) = session.connection().and_then(|last| gateway.connections.remove(&last)) {
            last.send(Out::Close(Close::Asked(4000)));
        }
        if let Some(open) = gateway.connections.get_mut(&connection) {
            gateway.counts.resumes += 1;
            open.session = Some(session.id.clone());
            session.attach(connection, open.outbox.clone());
            session.replay(resume.seq);
            session.dispatch("RESUMED", r#"{"_trace":["[\"simulator\"]"]}"#);
        }
        Ok(())
    }

    /// A bot has another token from now on: its sessions end, its old token is worth nothing.
    pub(in crate::simulator) fn reset_token(&mut self, bot: Snowflake, token: String, now: Duration) {
        if let Some(known) = self.world.bot_mut(bot) {
            known.token = token;
        }
        let of_bot = self.gateway.sessions.values().filter(|session| session.bot == bot);
        let connections: Vec<u64> = of_bot.filter_map(Session::connection).collect();
        for connection in connections {
            self.gateway.close(connection, Close::AuthenticationFailed, now);
        }
        self.gateway.sessions.retain(|_, session| session.bot != bot);
    }

    /// The body of `GET /gateway/bot`.
    pub(in crate::simulator::discord) fn gateway_bot(&mut self, now: Duration) -> Value {
        let gateway = &mut self.gateway;
        let identifies = gateway.identifies.entry(self.world.caller).or_default();
        identifies.forget_old(now);
        let used = u32::try_from(identifies.today.len()).unwrap_or(u32::MAX);
        let total = gateway.options.identifies_per_day;
        let reset_after = identifies
            .today
            .front()
            .map_or(Duration::ZERO, |first| *first + DAY - now);
        json!({
            "url": gateway.url,
            "shards": gateway.options.shards,
            "session_start_limit": {
                "total": total,
                "remaining": total.saturating_sub(used),
                "reset_after": u64::try_from(reset_after.as_millis()).unwrap_or(u64::MAX),
                "max_concurrency": gateway.options.max_concurrency.max(1),
            },
        })
    }
}

impl super::Gateway {
    /// Op 9: this session can't be, or can't be gone on with.
    pub(super) fn refuse_session(&self, connection: u64, resumable: bool) {
        if let Some(open) = self.connections.get(&connection) {
            open.say(&json!({ "t": null, "s": null, "op": 9, "d": resumable }));
        }
    }
}

/// `[id, count]`; alone when missing.
fn read_shard(shard: Option<&Value>) -> Result<(u64, u64), Close> {
    let Some(shard) = shard.filter(|shard| !shard.is_null()) else {
        return Ok((0, 1));
    };
    match serde_json::from_value::<(u64, u64)>(shard.clone()) {
        Ok((id, count)) if id < count => Ok((id, count)),
        _ => Err(Close::InvalidShard),
    }
}
