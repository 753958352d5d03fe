//! The queue in this process, with the service's own defaults and a handler that notes its start and then waits a little.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use muster::{
    clock::Clock,
    domain::{
        Timestamp,
        job::{Claim, JobKey, Verdict},
    },
    queue,
    store::Pool,
};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// A handler that was started.
#[derive(Debug)]
pub struct Started {
    pub key: JobKey,
    /// When the oldest of the bookings that this run serves was booked, as given to `book`.
    pub wanted_since: Option<Timestamp>,
    /// How many bookings of the key it serves, of those since its row is there.
    pub seen: i64,
    pub at: Instant,
}

pub struct Queue {
    pub wake: Arc<Notify>,
    pub starts: mpsc::UnboundedReceiver<Started>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Queue {
    /// Handlers take up to this long, evenly spread.
    pub fn run(pool: &Pool, longest: Duration) -> Self {
        let (sender, starts) = mpsc::unbounded_channel();
        let (wake, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let handler = move |_, claim: Claim| {
            let _ = sender.send(Started {
                key: claim.key,
                wanted_since: claim.wanted_since,
                seen: claim.seen,
                at: Instant::now(),
            });
            async move {
                tokio::time::sleep(longest.mul_f64(rand::random::<f64>())).await;
                Verdict::Done { look_again: None }
            }
        };
        let task = tokio::spawn(queue::run(
            pool.clone(),
            Clock::system(),
            queue::Options::default(),
            wake.clone(),
            stop.clone(),
            handler,
        ));
        Self {
            wake,
            starts,
            stop,
            task,
        }
    }

    /// Ends it once what runs is done.
    pub async fn stop(self) -> anyhow::Result<mpsc::UnboundedReceiver<Started>> {
        self.stop.cancel();
        self.task.await?;
        Ok(self.starts)
    }
}

/// A list that tasks add to.
#[derive(Clone, Default)]
pub struct Shared<T>(Arc<Mutex<Vec<T>>>);

impl<T> Shared<T> {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Vec::new())))
    }

    pub fn push(&self, item: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(item);
    }

    pub fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
