//! How fast a backlog goes down: all booked while nobody works, then one process starts.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use muster::{
    clock::Clock,
    domain::job::JobKey,
    store::{Pool, jobs},
};
use sqlx::Connection as _;
use tokio::time::timeout;

use super::running::Queue;

const LONGEST_RUN: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(60);

/// From the start of the queue to the start of the last run; bookings of one key share a run.
pub async fn measure(pool: &Pool, bookings: u64, keys: u64) -> anyhow::Result<Duration> {
    let connection = &mut *pool.acquire().await?;
    let clock = Clock::system();
    let mut transaction = connection.begin().await?;
    for number in 0..bookings {
        jobs::book(
            &mut transaction,
            &JobKey::new(format!("match:{}", number % keys)),
            clock.now(),
        )
        .await?;
    }
    transaction.commit().await?;
    // What was written in one transaction is read by each claim; autovacuum would have come by in the time a real backlog takes to grow.
    sqlx::query("analyze jobs").execute(&mut *connection).await?;

    let start = Instant::now();
    let mut queue = Queue::run(pool, LONGEST_RUN);
    let mut served: HashMap<JobKey, i64> = HashMap::new();
    let mut left = bookings as i64;
    let mut last = start;
    while left > 0 {
        let started = timeout(PATIENCE, queue.starts.recv())
            .await?
            .context("the queue ended")?;
        let known = served.entry(started.key).or_default();
        left -= started.seen - *known;
        *known = started.seen;
        last = started.at;
    }
    queue.stop().await?;
    let left = jobs::counts(&mut *connection, clock.now()).await?;
    ensure!(left == jobs::Counts::default(), "the backlog was not served: {left:?}");
    Ok(last - start)
}
