//! How long a booking waits from its commit until its handler starts, at a steady rate.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::ensure;
use futures::future::try_join_all;
use muster::{
    clock::Clock,
    domain::Timestamp,
    domain::job::JobKey,
    store::{self, Pool, jobs},
};
use tokio::time::{MissedTickBehavior, interval_at};

use super::running::{Queue, Shared};
use crate::support::stats::Spread;

pub const PER_SECOND: u64 = 500;
pub const KEYS: u64 = 200;
pub const LONGEST_RUN: Duration = Duration::from_millis(5);
const BOOKERS: u64 = 4;
const SETTLE: Duration = Duration::from_secs(3);

pub struct Waited {
    pub booked: u64,
    /// Runs that served bookings; a booking that found its key waiting or running shares a run.
    pub runs: u64,
    /// From the commit of the oldest booking that a run serves to the start of its handler.
    pub spread: Spread,
}

/// Books on connections of our own and wakes the queue as the webhook does.
pub async fn measure(pool: &Pool, length: Duration) -> anyhow::Result<Waited> {
    let mut queue = Queue::run(pool, LONGEST_RUN);
    let clock = Clock::system();
    // Registered as a worker and listening.
    tokio::time::sleep(Duration::from_millis(500)).await;

    let commits: Shared<(JobKey, Timestamp, Instant)> = Shared::new();
    let start = tokio::time::Instant::now() + Duration::from_millis(10);
    let each = PER_SECOND * length.as_secs() / BOOKERS;
    try_join_all((0..BOOKERS).map(|booker| {
        let (commits, wake, clock) = (commits.clone(), queue.wake.clone(), clock.clone());
        async move {
            let mut connection = store::dedicated(pool).await?;
            let apart = Duration::from_secs(BOOKERS) / PER_SECOND as u32;
            let mut ticks = interval_at(start + apart * booker as u32 / BOOKERS as u32, apart);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            for _ in 0..each {
                ticks.tick().await;
                let key = JobKey::new(format!("match:{}", rand::random::<u64>() % KEYS));
                let now = clock.now();
                jobs::book(&mut connection, &key, now).await?;
                commits.push((key, now, Instant::now()));
                wake.notify_one();
            }
            anyhow::Ok(())
        }
    }))
    .await?;
    tokio::time::sleep(SETTLE).await;

    let booked: HashMap<_, _> = commits
        .take()
        .into_iter()
        .map(|(key, now, at)| ((key, now), at))
        .collect();
    let (mut waited, mut runs) = (Vec::new(), 0);
    while let Ok(started) = queue.starts.try_recv() {
        runs += 1;
        if let Some(since) = started.wanted_since
            && let Some(committed) = booked.get(&(started.key, since))
        {
            // Another booking's wake-up may start it before our own commit is reported to us.
            waited.push(started.at.saturating_duration_since(*committed));
        }
    }
    let left = jobs::counts(&mut *pool.acquire().await?, clock.now()).await?;
    ensure!(
        left.waiting + left.running + left.dead == 0,
        "bookings were not served within {SETTLE:?}: {left:?}"
    );
    queue.stop().await?;
    Ok(Waited {
        booked: each * BOOKERS,
        runs,
        spread: Spread::of(waited),
    })
}
