//! How long a booking waits when nobody is told of it: the poll finds it.

use std::time::{Duration, Instant};

use anyhow::Context;
use muster::{
    clock::Clock,
    domain::job::JobKey,
    store::{Pool, jobs},
};
use tokio::time::{sleep, timeout};

use super::running::Queue;

const PATIENCE: Duration = Duration::from_secs(30);

pub async fn measure(pool: &Pool, times: u64) -> anyhow::Result<Vec<Duration>> {
    let mut queue = Queue::run(pool, Duration::ZERO);
    let clock = Clock::system();
    sleep(Duration::from_millis(500)).await;
    let connection = &mut *pool.acquire().await?;
    let mut waited = Vec::new();
    for number in 0..times {
        // Anywhere between two polls.
        sleep(Duration::from_secs(1).mul_f64(rand::random::<f64>())).await;
        jobs::book(
            &mut *connection,
            &JobKey::new(format!("match:untold-{number}")),
            clock.now(),
        )
        .await?;
        let committed = Instant::now();
        let started = timeout(PATIENCE, queue.starts.recv())
            .await?
            .context("the queue ended")?;
        waited.push(started.at.saturating_duration_since(committed));
    }
    queue.stop().await?;
    Ok(waited)
}
