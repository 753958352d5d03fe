//! The right to listen: one process has it, for all shards, by a database connection that also saves their sessions. The others stand by. Whoever
//! finds that another process has it writes nothing any more.

use std::{collections::BTreeMap, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, Interval, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use twilight_model::gateway::ShardId;

use crate::{
    clock::Clock,
    gateway::{
        bookings::Booker,
        pace::{database_pause, spread},
    },
    store::{
        self, Connection, gateway_lease,
        gateway_sessions::{self, News, Stored},
    },
};

/// How often those who stand by look whether the right is free: a process that was killed is replaced after this long.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const BEAT_EVERY: Duration = Duration::from_secs(2);
/// A listener that has not beaten for this long hangs, whatever its lock says.
const HANGS_AFTER: Duration = Duration::from_secs(10);
/// A database that does not answer within this is as good as away.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Something to be saved, once so many news are booked.
#[derive(Debug)]
pub(super) struct Save {
    pub shard: ShardId,
    pub news: News,
    pub after: u64,
}

/// Another process listens now.
pub(super) struct Taken;

pub(super) struct Lease {
    pool: store::Pool,
    clock: Clock,
    /// None while the database is away.
    connection: Option<Connection>,
}

impl Lease {
    /// Waits for the right to listen; gives it with the sessions to go on with. Says once when there is somebody to wait for. None when we stop before.
    pub async fn wait(
        pool: &store::Pool,
        clock: &Clock,
        shards: u32,
        stop: &CancellationToken,
        stand_by: impl FnOnce(),
    ) -> Option<(Self, BTreeMap<u32, Stored>)> {
        let mut lease = Self {
            pool: pool.clone(),
            clock: clock.clone(),
            connection: None,
        };
        let mut stand_by = Some(stand_by);
        let mut standing = None;
        let mut told = false;
        loop {
            match stop.run_until_cancelled(in_time(lease.attempt(shards))).await? {
                Ok(Attempt::Ours(sessions)) => return Some((lease, sessions)),
                Ok(Attempt::Others { beats }) => {
                    if let Some(stand_by) = stand_by.take() {
                        tracing::info!("another process listens to Discord's gateway; standing by");
                        stand_by();
                    }
                    let since = match standing {
                        Some((known, since)) if known == beats => since,
                        _ => Instant::now(),
                    };
                    standing = Some((beats, since));
                    if since.elapsed() >= HANGS_AFTER {
                        tracing::warn!("the process that listens to Discord's gateway hangs; taking over");
                        standing = None;
                        if let Err(error) = in_time(lease.expel()).await {
                            tracing::warn!(%error, "it could not be thrown out");
                        }
                    }
                }
                Err(error) => {
                    lease.connection = None;
                    if !told {
                        tracing::warn!(%error, "can't see whether another process listens to the gateway; waiting");
                        told = true;
                    }
                }
            }
            stop.run_until_cancelled(sleep(spread(LOOK_EVERY))).await?;
        }
    }

    async fn attempt(&mut self, shards: u32) -> Result<Attempt, store::Error> {
        let connection = connected(&mut self.connection, &self.pool).await?;
        if !gateway_lease::try_take(connection).await? {
            let beats = gateway_lease::beats(connection).await?;
            return Ok(Attempt::Others { beats });
        }
        let mut sessions = BTreeMap::new();
        for shard in 0..shards {
            if let Some(stored) = gateway_sessions::load(connection, shard, shards).await? {
                sessions.insert(shard, stored);
            }
        }
        Ok(Attempt::Ours(sessions))
    }

    async fn expel(&mut self) -> Result<(), store::Error> {
        gateway_lease::expel(connected(&mut self.connection, &self.pool).await?).await
    }

    /// Keeps the right and saves what comes, until nothing more can come. While the database is away we go on listening, and see afterwards.
    pub async fn keep(mut self, mut saves: mpsc::Receiver<Save>, booker: Booker) -> Result<(), Taken> {
        let mut beats: Interval = interval(BEAT_EVERY);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let save = tokio::select! {
                save = saves.recv() => match save {
                    Some(save) => Some(save),
                    None => return Ok(()),
                },
                _ = beats.tick() => None,
            };
            if let Some(save) = &save {
                self.booked(save.after, &booker, &mut beats).await?;
            }
            self.write(save.as_ref()).await?;
        }
    }

    /// Waits until so much is booked; meanwhile the right is kept.
    async fn booked(&mut self, count: u64, booker: &Booker, beats: &mut Interval) -> Result<(), Taken> {
        loop {
            tokio::select! {
                () = booker.booked(count) => return Ok(()),
                _ = beats.tick() => self.write(None).await?,
            }
        }
    }

    /// Until it is written, or somebody else has the right.
    async fn write(&mut self, save: Option<&Save>) -> Result<(), Taken> {
        let mut told = false;
        loop {
            let error = match in_time(self.try_write(save)).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(Taken),
                Err(error) => error,
            };
            self.connection = None;
            if !told {
                tracing::warn!(%error, "the gateway's sessions can't be saved; it is tried again until it works");
                told = true;
            }
            sleep(database_pause()).await;
        }
    }

    /// False when another process has the right.
    async fn try_write(&mut self, save: Option<&Save>) -> Result<bool, store::Error> {
        let lost = self.connection.is_none();
        let connection = connected(&mut self.connection, &self.pool).await?;
        if lost && !gateway_lease::try_take(connection).await? {
            return Ok(false);
        }
        let now = self.clock.now();
        match save {
            Some(Save { shard, news, .. }) => {
                gateway_sessions::save(connection, shard.number(), shard.total(), news, now).await?;
            }
            None => gateway_lease::beat(connection, now).await?,
        }
        Ok(true)
    }
}

enum Attempt {
    Ours(BTreeMap<u32, Stored>),
    /// With the count of the other one's heartbeats.
    Others {
        beats: i64,
    },
}

async fn connected<'a>(
    connection: &'a mut Option<Connection>,
    pool: &store::Pool,
) -> Result<&'a mut Connection, store::Error> {
    match connection {
        Some(connection) => Ok(connection),
        None => Ok(connection.insert(store::dedicated(pool).await?)),
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, store::Error>>) -> Result<T, store::Error> {
    timeout(ANSWER_WITHIN, answer)
        .await
        .unwrap_or_else(|_| Err(store::Error::Unavailable("no answer in time".into())))
}
