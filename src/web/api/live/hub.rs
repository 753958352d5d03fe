//! The live connections of this process, and one connection to the database that hears for all of them what changed. What was heard is put into each
//! one's queue; whoever does not empty it is dropped. Time is told by the clock, waiting is done in real time.
//!
//! - Whoever is in here before a change commits is told of it, or told to look anew, or dropped with a reason; nothing is lost in silence.
//! - A session that ended, in whatever process, has no connection here for longer than it takes to hear of it, or a minute when it is not heard of.
//! - Nobody waits for a slow reader.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use ::metrics::{counter, gauge};
use axum::extract::ws::Utf8Bytes;
use time::Duration as Span;
use tokio::{
    sync::{Notify, mpsc},
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info, warn};

use super::{ending::Ending, message::Told};
use crate::{
    clock::Clock,
    domain::{
        Timestamp,
        ids::{GuildId, UserId},
    },
    metrics,
    store::{
        Error, Pool,
        listener::{Heard, LIVE, Listener},
        sessions::{self, SessionHash},
    },
};

/// Changes that wait for one reader.
const QUEUE: usize = 256;
const TICK: Duration = Duration::from_secs(1);
/// A pong must come before the next ping.
const PING_EVERY: Span = Span::seconds(25);
/// The net under notices of ended sessions that were lost.
const CHECK_EVERY: Span = Span::minutes(1);
/// How soon somebody who joined a server hears of it.
const GUILDS_EVERY: Span = Span::minutes(5);
/// Between two attempts to listen.
const PAUSE: Duration = Duration::from_millis(500);
const CHECK_WITHIN: Duration = Duration::from_secs(5);
const FAREWELL_WITHIN: Duration = Duration::from_secs(3);

/// All live connections of this process.
pub struct Hub {
    clock: Clock,
    per_user: usize,
    connections: Mutex<Connections>,
    check: Notify,
    pub(super) stopping: CancellationToken,
    pub(super) tasks: TaskTracker,
}

#[derive(Default)]
struct Connections {
    next: u64,
    all: BTreeMap<u64, Connection>,
}

struct Connection {
    user: UserId,
    session: SessionHash,
    /// When the token ends.
    until: Timestamp,
    /// Changes in other guilds are not queued.
    guilds: BTreeSet<GuildId>,
    queue: mpsc::Sender<Item>,
    state: Arc<State>,
    pinged_at: Timestamp,
    guilds_at: Timestamp,
}

/// What a connection and the hub tell each other.
pub(super) struct State {
    ending: OnceLock<Ending>,
    ended: CancellationToken,
    /// Unix microseconds.
    heard_at: AtomicI64,
}

/// What is queued for a connection.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Change {
        guild: GuildId,
        path: &'static str,
        text: Utf8Bytes,
    },
    Resync,
    Ping,
    /// Ask again which guilds he is in.
    Guilds,
}

/// A place in the hub; given up when dropped.
pub(super) struct Seat {
    hub: Arc<Hub>,
    id: u64,
    pub queue: mpsc::Receiver<Item>,
    pub state: Arc<State>,
}

impl Hub {
    pub fn new(clock: Clock, per_user: usize) -> Self {
        Self {
            clock,
            per_user,
            connections: Mutex::default(),
            check: Notify::new(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Hears and passes on until `stop`, and then waits a little for the connections to say goodbye.
    pub async fn run(&self, pool: Pool, stop: CancellationToken) {
        tokio::select! {
            () = self.listen(&pool) => {}
            () = self.look_after(&pool) => {}
            () = stop.cancelled() => {}
        }
        self.stopping.cancel();
        self.end_where(Ending::Stopping, |_| true);
        self.tasks.close();
        let _ = timeout(FAREWELL_WITHIN, self.tasks.wait()).await;
    }

    /// A place for one more connection of somebody.
    pub(super) fn enter(
        self: &Arc<Self>,
        user: UserId,
        session: SessionHash,
        until: Timestamp,
    ) -> Result<Seat, Ending> {
        let now = self.clock.now();
        let state = Arc::new(State::new(now));
        let (sender, queue) = mpsc::channel(QUEUE);
        let mut connections = self.connections();
        if self.stopping.is_cancelled() {
            return Err(Ending::Stopping);
        }
        if connections.all.values().filter(|other| other.user == user).count() >= self.per_user {
            return Err(Ending::TooMany);
        }
        let id = connections.next;
        connections.next += 1;
        connections.all.insert(
            id,
            Connection {
                user,
                session,
                until,
                guilds: BTreeSet::new(),
                queue: sender,
                state: state.clone(),
                pinged_at: now,
                guilds_at: now,
            },
        );
        gauge!(metrics::LIVE_CONNECTIONS).set(connections.all.len() as f64);
        drop(connections);
        Ok(Seat {
            hub: self.clone(),
            id,
            queue,
            state,
        })
    }

    async fn listen(&self, pool: &Pool) {
        let mut failed = false;
        loop {
            let error = match self.hear(pool, &mut failed).await {
                Ok(never) => match never {},
                Err(error) => error,
            };
            if !failed {
                warn!(%error, "listening for changes failed; it is tried again until it works");
            }
            failed = true;
            sleep(PAUSE).await;
        }
    }

    async fn hear(&self, pool: &Pool, failed: &mut bool) -> Result<std::convert::Infallible, Error> {
        let mut listener = Listener::listen(pool, LIVE).await?;
        if std::mem::take(failed) {
            info!("listening for changes works again");
        }
        // What happened before we listened.
        self.miss();
        loop {
            match listener.heard().await? {
                Heard::Notice { payload } => self.tell(payload),
                Heard::Gap => self.miss(),
            }
        }
    }

    fn tell(&self, text: String) {
        match Told::read(&text) {
            Told::All => self.miss(),
            Told::Ended(ended) => {
                let ended: BTreeSet<&str> = ended.iter().map(String::as_str).collect();
                self.end_where(Ending::SessionEnded, |connection| {
                    ended.contains(hex(&connection.session).as_str())
                });
            }
            Told::Change { guild, path } => {
                let text = Utf8Bytes::from(text);
                let change = Item::Change { guild, path, text };
                self.put_where(&change, |connection| connection.guilds.contains(&guild));
            }
        }
    }

    /// Something may have been missed.
    fn miss(&self) {
        self.put_where(&Item::Resync, |_| true);
        self.check.notify_one();
    }

    async fn look_after(&self, pool: &Pool) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut checked_at = self.clock.now();
        loop {
            let asked = tokio::select! {
                _ = ticks.tick() => false,
                () = self.check.notified() => true,
            };
            let now = self.clock.now();
            self.end_where(Ending::SessionEnded, |connection| connection.until <= now);
            self.ping(now);
            if asked || now - checked_at >= CHECK_EVERY {
                checked_at = now;
                match timeout(CHECK_WITHIN, self.check_sessions(pool, now)).await {
                    Ok(Ok(())) => {}
                    // The next tick tries again.
                    Ok(Err(_)) | Err(_) => checked_at = now - CHECK_EVERY,
                }
            }
        }
    }

    fn ping(&self, now: Timestamp) {
        self.end_where(Ending::NoPong, |connection| {
            now - connection.pinged_at >= PING_EVERY && connection.state.heard_at() < connection.pinged_at
        });
        let mut connections = self.connections();
        let mut slow = Vec::new();
        for (id, connection) in &mut connections.all {
            let mut items = Vec::new();
            if now - connection.pinged_at >= PING_EVERY {
                connection.pinged_at = now;
                items.push(Item::Ping);
            }
            if now - connection.guilds_at >= GUILDS_EVERY {
                connection.guilds_at = now;
                items.push(Item::Guilds);
            }
            if items.into_iter().any(|item| connection.queue.try_send(item).is_err()) {
                slow.push(*id);
            }
        }
        connections.end(&slow, Ending::TooSlow);
    }

    async fn check_sessions(&self, pool: &Pool, now: Timestamp) -> Result<(), Error> {
        let ids: BTreeSet<SessionHash> = self.connections().all.values().map(|one| one.session).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<SessionHash> = ids.into_iter().collect();
        let mut connection = pool.acquire().await?;
        let living = sessions::living(&mut connection, &ids, now).await?;
        self.end_where(Ending::SessionEnded, |connection| {
            ids.contains(&connection.session) && !living.contains(&connection.session)
        });
        Ok(())
    }

    fn put_where(&self, item: &Item, whose: impl Fn(&Connection) -> bool) {
        let mut connections = self.connections();
        let chosen = connections.all.iter().filter(|(_, connection)| whose(connection));
        let full = chosen.filter(|(_, connection)| connection.queue.try_send(item.clone()).is_err());
        let slow: Vec<u64> = full.map(|(id, _)| *id).collect();
        connections.end(&slow, Ending::TooSlow);
    }

    fn end_where(&self, ending: Ending, whose: impl Fn(&Connection) -> bool) {
        let mut connections = self.connections();
        let chosen = connections.all.iter().filter(|(_, connection)| whose(connection));
        let chosen: Vec<u64> = chosen.map(|(id, _)| *id).collect();
        connections.end(&chosen, ending);
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        // Nothing here panics with the map half changed.
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    fn end(&mut self, ids: &[u64], ending: Ending) {
        for id in ids {
            if let Some(connection) = self.all.remove(id) {
                connection.state.end(ending);
            }
        }
        gauge!(metrics::LIVE_CONNECTIONS).set(self.all.len() as f64);
    }
}

impl State {
    fn new(now: Timestamp) -> Self {
        Self {
            ending: OnceLock::new(),
            ended: CancellationToken::new(),
            heard_at: AtomicI64::new(micros(now)),
        }
    }

    /// The first reason counts.
    fn end(&self, ending: Ending) {
        let _ = self.ending.set(ending);
        self.ended.cancel();
    }

    /// Resolves when the hub has ended the connection.
    pub async fn ended(&self) -> Ending {
        self.ended.cancelled().await;
        self.ending.get().copied().unwrap_or(Ending::Gone)
    }

    fn heard_at(&self) -> Timestamp {
        let nanos = i128::from(self.heard_at.load(Ordering::Relaxed)) * 1_000;
        Timestamp::from_unix_timestamp_nanos(nanos).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl Seat {
    /// The other side gave a sign of life.
    pub fn heard(&self) {
        let now = micros(self.hub.clock.now());
        self.state.heard_at.store(now, Ordering::Relaxed);
    }

    /// From now on changes in these guilds are queued.
    pub fn watch(&self, guilds: BTreeSet<GuildId>) {
        if let Some(connection) = self.hub.connections().all.get_mut(&self.id) {
            connection.guilds = guilds;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.connections().end(&[self.id], Ending::Gone);
    }
}

/// Notes how a connection ended.
pub(super) fn note(user: Option<UserId>, ending: Ending) {
    counter!(metrics::LIVE_ENDS, "why" => ending.word()).increment(1);
    let user = user.map(UserId::get);
    match ending {
        Ending::TooSlow | Ending::NoPong => info!(user, why = ending.word(), "a live connection was dropped"),
        _ => debug!(user, why = ending.word(), "a live connection ended"),
    }
}

fn micros(at: Timestamp) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or_default()
}

/// As the database writes it.
fn hex(id: &SessionHash) -> String {
    use std::fmt::Write;
    id.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
