//! Who may start a session, and when: one in five seconds for each key, over all processes, and never one more than Discord allows. To be
//! taken for a bot that starts without end costs it its token.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    clock::Clock,
    discord::{Client, Shards, gateway::Starts, shards::Status},
    gateway::{
        Gateway,
        pace::{Pace, database_pause},
    },
    store::{self, gateway_lease},
};

/// Discord: one for each key in so much time.
const APART: Duration = Duration::from_secs(5);
/// A database that does not answer within this is as good as away.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// So old may the number of starts that are left be: other processes start sessions too.
const BELIEVED: Duration = Duration::from_secs(30);

/// Where shards ask for their turn.
#[derive(Clone, Debug)]
pub(super) struct Identify(mpsc::UnboundedSender<(u32, oneshot::Sender<()>)>);

impl Identify {
    /// Resolves when the shard may start a session; not at all once we stop. Who no longer waits for it loses his place.
    pub fn enqueue(&self, shard: u32) -> oneshot::Receiver<()> {
        let (admit, admitted) = oneshot::channel();
        // Nobody is there to admit any more only when we stop.
        let _ = self.0.send((shard, admit));
        admitted
    }
}

/// The queue, and the future that admits those who wait.
pub(super) fn start(gateway: &Gateway, starts: Starts) -> (Identify, BoxFuture<'static, ()>) {
    let (sender, mut asking) = mpsc::unbounded_channel();
    let door = Arc::new(Door {
        pool: gateway.pool.clone(),
        clock: gateway.clock.clone(),
        discord: gateway.discord.clone(),
        shards: gateway.shards.clone(),
        unlimited: starts.max_concurrency == 0,
        left: tokio::sync::Mutex::new(Left {
            starts,
            asked: Instant::now(),
        }),
    });
    let admitting = async move {
        let keys = starts.max_concurrency.max(1);
        let mut queues = BTreeMap::new();
        let mut keepers = JoinSet::new();
        while let Some((shard, admit)) = asking.recv().await {
            let key = shard % keys;
            let queue = queues.entry(key).or_insert_with(|| {
                let (queue, waiting) = mpsc::unbounded_channel();
                keepers.spawn(door.clone().keep(key, waiting));
                queue
            });
            let _ = queue.send((shard, admit));
        }
    };
    (Identify(sender), Box::pin(admitting))
}

struct Door {
    pool: store::Pool,
    clock: Clock,
    discord: Client,
    shards: Shards,
    /// No key ever waits; Discord says so by a concurrency of 0.
    unlimited: bool,
    left: tokio::sync::Mutex<Left>,
}

struct Left {
    starts: Starts,
    asked: Instant,
}

impl Door {
    /// One key: admits one after the other.
    async fn keep(self: Arc<Self>, key: u32, mut waiting: mpsc::UnboundedReceiver<(u32, oneshot::Sender<()>)>) {
        while let Some((shard, admit)) = waiting.recv().await {
            // Whoever has hung up meanwhile asks again on his next connection.
            if admit.is_closed() {
                continue;
            }
            let turn = match self.unlimited {
                true => None,
                false => Some(self.turn(key).await),
            };
            self.take_start(shard).await;
            if admit.send(()).is_err() {
                continue;
            }
            tracing::info!(shard, "starting a new session with Discord's gateway");
            if turn.is_some() {
                sleep(APART).await;
            }
            drop(turn);
        }
    }

    /// Waits until no other process starts a session for this key; the connection holds the turn.
    async fn turn(&self, key: u32) -> store::Connection {
        loop {
            let attempt = async {
                let mut connection = store::dedicated(&self.pool).await?;
                let mine = gateway_lease::try_identify(&mut connection, key).await?;
                Ok::<_, store::Error>(mine.then_some(connection))
            };
            let attempt = timeout(ANSWER_WITHIN, attempt).await;
            match attempt.unwrap_or_else(|_| Err(store::Error::Unavailable("no answer in time".into()))) {
                Ok(Some(connection)) => return connection,
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "can't see whether another process starts a session; waiting"),
            }
            sleep(database_pause()).await;
        }
    }

    /// Counts one start down; while none is left, waits until Discord gives new ones.
    async fn take_start(&self, shard: u32) {
        let mut left = self.left.lock().await;
        let mut pace = Pace::default();
        loop {
            if left.asked.elapsed() > BELIEVED || left.starts.remaining == 0 {
                match self.discord.gateway_bot().await {
                    Ok(bot) => {
                        *left = Left {
                            starts: bot.starts,
                            asked: Instant::now(),
                        }
                    }
                    Err(error) => {
                        tracing::warn!(shard, %error, "Discord does not say how many sessions may be started; waiting");
                        sleep(pace.pause().max(error.retry_after().unwrap_or_default())).await;
                        continue;
                    }
                }
            }
            if left.starts.remaining > 0 {
                left.starts.remaining -= 1;
                return;
            }
            let wait = left.starts.reset_after().max(Duration::from_secs(1));
            let until = self.clock.now() + wait;
            let why = format!(
                "Discord allows no more new sessions until {until} ({} were started within a day); find out what makes them end, the log \
                 has a line for each",
                left.starts.total
            );
            tracing::error!(shard, "{why}");
            self.shards.set(shard, Status::Down { why });
            sleep(wait).await;
        }
    }
}
