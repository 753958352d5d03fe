//! The right to listen for a shard, held by a database connection that also saves the shard's session. Whoever finds that another process
//! has it writes nothing any more.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
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
        self, Connection,
        gateway_sessions::{self, News, Stored},
    },
};

/// How often it is looked whether the right is free, and whether it is still ours.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A database that does not answer within this is as good as away.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Something to be saved, once so many news are booked.
#[derive(Debug)]
pub(super) struct Save {
    pub news: News,
    pub after: u64,
}

/// Another process listens now.
pub(super) struct Taken;

pub(super) struct Lease {
    pool: store::Pool,
    clock: Clock,
    shard: ShardId,
    /// None while the database is away.
    connection: Option<Connection>,
}

impl Lease {
    /// Waits for the right to listen; gives it with the session to go on with. None when we stop before.
    pub async fn wait(
        pool: &store::Pool,
        clock: &Clock,
        shard: ShardId,
        stop: &CancellationToken,
    ) -> Option<(Self, Option<Stored>)> {
        let mut told = false;
        loop {
            let attempt = in_time(async {
                let mut connection = store::dedicated(pool).await?;
                if !gateway_sessions::try_listen(&mut connection, shard.number()).await? {
                    return Ok(None);
                }
                let stored = gateway_sessions::load(&mut connection, shard.number(), shard.total()).await?;
                Ok(Some((connection, stored)))
            });
            match stop.run_until_cancelled(attempt).await? {
                Ok(Some((connection, stored))) => {
                    let lease = Self {
                        pool: pool.clone(),
                        clock: clock.clone(),
                        shard,
                        connection: Some(connection),
                    };
                    return Some((lease, stored));
                }
                Ok(None) if !told => {
                    tracing::info!(
                        shard = shard.number(),
                        "another process listens to this shard; standing by"
                    );
                    told = true;
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "can't see whether another process listens to the gateway; waiting")
                }
            }
            stop.run_until_cancelled(sleep(spread(LOOK_EVERY))).await?;
        }
    }

    /// Keeps the right and saves what comes, until nothing more can come. While the database is away we go on listening, and see afterwards.
    pub async fn keep(mut self, mut saves: mpsc::Receiver<Save>, booker: Booker) -> Result<(), Taken> {
        loop {
            let save = tokio::select! {
                save = saves.recv() => match save {
                    Some(save) => Some(save),
                    None => return Ok(()),
                },
                () = sleep(LOOK_EVERY) => None,
            };
            if let Some(save) = &save {
                booker.booked(save.after).await;
            }
            let mut told = false;
            loop {
                let error = match in_time(self.attempt(save.as_ref())).await {
                    Ok(true) => break,
                    Ok(false) => return Err(Taken),
                    Err(error) => error,
                };
                self.connection = None;
                if !told {
                    tracing::warn!(shard = self.shard.number(), %error, "the gateway's session could not be saved; it is tried again until it works");
                    told = true;
                }
                sleep(database_pause()).await;
            }
        }
    }

    /// False when another process has the right.
    async fn attempt(&mut self, save: Option<&Save>) -> Result<bool, store::Error> {
        let (shard, shards) = (self.shard.number(), self.shard.total());
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => {
                let mut connection = store::dedicated(&self.pool).await?;
                if !gateway_sessions::try_listen(&mut connection, shard).await? {
                    return Ok(false);
                }
                self.connection.insert(connection)
            }
        };
        match save {
            Some(save) => gateway_sessions::save(connection, shard, shards, &save.news, self.clock.now()).await?,
            None => store::ping(connection).await?,
        }
        Ok(true)
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, store::Error>>) -> Result<T, store::Error> {
    timeout(ANSWER_WITHIN, answer)
        .await
        .unwrap_or_else(|_| Err(store::Error::Unavailable("no answer in time".into())))
}
