//! Stores deliveries in batches: what waits when a connection is free goes into one transaction, and each is answered once that is committed. Alone, a
//! delivery waits for nobody; under load, many share one wait for the disk. Knows nothing of HTTP.

use std::{collections::HashSet, slice, sync::Arc, time::Duration};

use axum::body::Bytes;
use serde_json::Value;
use tokio::{
    sync::{Mutex, Notify, mpsc, oneshot},
    time::timeout,
};

use crate::{
    domain::{Timestamp, job::JobKey},
    faceit::webhook::Delivery,
    store::{
        Error, Pool, Pooled,
        deliveries::{NewDelivery, Recorded, record_all},
    },
};

/// One waits for the disk while the other fills its batch.
const WRITERS: usize = 2;
/// More would make the first of a batch wait for the last.
const LARGEST_BATCH: usize = 64;
/// Those who come when so many wait are held back, and refused when it lasts.
const WAITING: usize = 256;
const WRITE_WITHIN: Duration = Duration::from_secs(5);
/// A connection that was used this recently is kept for the next batch.
const KEEP: Duration = Duration::from_millis(500);

/// A delivery to be stored.
#[derive(Debug)]
pub struct Incoming {
    pub received_at: Timestamp,
    pub delivery: Arc<Delivery>,
    pub event_id: String,
    pub headers: Value,
    pub body: Bytes,
    /// Booked with it.
    pub job: Option<JobKey>,
}

impl Incoming {
    fn row(&self) -> (NewDelivery<'_>, Option<&JobKey>) {
        let row = NewDelivery {
            received_at: self.received_at,
            event: &self.delivery.event,
            event_id: &self.event_id,
            match_id: self.delivery.match_id.as_ref(),
            payload_version: self.delivery.payload_version,
            demo_url: self.delivery.demo_url.as_deref(),
            headers: self.headers.clone(),
            body: &self.body,
        };
        (row, self.job.as_ref())
    }
}

#[derive(Debug)]
struct Waiting {
    incoming: Incoming,
    answer: oneshot::Sender<Result<Recorded, Error>>,
}

/// Where deliveries are handed in; clones share the writers.
#[derive(Clone, Debug)]
pub struct Intake(mpsc::Sender<Waiting>);

impl Intake {
    /// Also gives the writers, to be spawned; they end when the last clone is gone. `wake` is fired when jobs were booked.
    pub fn new(pool: &Pool, wake: &Arc<Notify>) -> (Self, Vec<Writer>) {
        let (sender, inbox) = mpsc::channel(WAITING);
        let inbox = Arc::new(Mutex::new(inbox));
        let writer = |_| Writer {
            pool: pool.clone(),
            wake: wake.clone(),
            inbox: inbox.clone(),
        };
        (Self(sender), (0..WRITERS).map(writer).collect())
    }

    /// Returns when the delivery is stored and its job is booked, committed. Giving up earlier does not say that it was not stored.
    pub async fn store(&self, incoming: Incoming) -> Result<Recorded, Error> {
        let (answer, answered) = oneshot::channel();
        let gone = |_| Error::Unavailable("the service is stopping".to_owned());
        self.0.send(Waiting { incoming, answer }).await.map_err(|_| gone(()))?;
        answered.await.map_err(|_| gone(()))?
    }
}

/// Writes one batch after the other.
#[derive(Debug)]
pub struct Writer {
    pool: Pool,
    wake: Arc<Notify>,
    inbox: Arc<Mutex<mpsc::Receiver<Waiting>>>,
}

impl Writer {
    pub async fn run(self) {
        let mut held = None;
        loop {
            let mut batch = Vec::new();
            // While deliveries keep coming so does the connection; handing it back costs a round trip.
            if held.is_none() || timeout(KEEP, self.take(&mut batch)).await.is_err() {
                held = None;
                self.take(&mut batch).await;
            }
            if batch.is_empty() {
                return;
            }
            // A caller that gave up heard that nothing was stored: the delivery will come again.
            batch.retain(|waiting| !waiting.answer.is_closed());
            while !batch.is_empty() {
                let repeated = split_off_repeated(&mut batch);
                self.store(&mut held, batch).await;
                batch = repeated;
            }
        }
    }

    /// All that wait, at least one; none when no more will come.
    async fn take(&self, batch: &mut Vec<Waiting>) {
        self.inbox.lock().await.recv_many(batch, LARGEST_BATCH).await;
    }

    async fn store(&self, held: &mut Option<Pooled>, batch: Vec<Waiting>) {
        let fresh = held.is_none();
        let error = match self.attempt(held, &batch).await {
            Ok(recorded) => {
                if recorded.iter().any(|recorded| matches!(recorded, Recorded::New { .. })) {
                    self.wake.notify_one();
                }
                for (waiting, recorded) in batch.into_iter().zip(recorded) {
                    let _ = waiting.answer.send(Ok(recorded));
                }
                return;
            }
            Err(error) => error,
        };
        // A kept connection may have died unnoticed, and one bad delivery must not fail the others: each on its own then.
        let mut away = (fresh && error.is_unavailable()).then_some(error);
        for waiting in batch {
            let outcome = match &away {
                Some(error) => Err(error.clone()),
                None => self.attempt(held, slice::from_ref(&waiting)).await,
            };
            away = outcome.as_ref().err().filter(|error| error.is_unavailable()).cloned();
            let outcome = outcome.map(|recorded| recorded.first().copied().unwrap_or(Recorded::Duplicate));
            let _ = waiting.answer.send(outcome);
        }
        // Whatever they came to: the first attempt may have been committed without our knowing.
        self.wake.notify_one();
    }

    /// One transaction. A connection that failed is not used again.
    async fn attempt(&self, held: &mut Option<Pooled>, batch: &[Waiting]) -> Result<Vec<Recorded>, Error> {
        let mut connection = match held.take() {
            Some(connection) => connection,
            None => self.pool.acquire().await?,
        };
        let rows: Vec<_> = batch.iter().map(|waiting| waiting.incoming.row()).collect();
        let result = timeout(WRITE_WITHIN, record_all(&mut connection, &rows))
            .await
            .unwrap_or_else(|_| Err(Error::Unavailable("no answer in time".to_owned())));
        match &result {
            Err(error) if error.is_unavailable() => drop(connection.detach()),
            _ => *held = Some(connection),
        }
        result
    }
}

/// Leaves the first of each event id in the batch, and gives the others.
fn split_off_repeated(batch: &mut Vec<Waiting>) -> Vec<Waiting> {
    let mut seen = HashSet::new();
    batch
        .extract_if(.., |waiting| !seen.insert(waiting.incoming.event_id.clone()))
        .collect()
}
