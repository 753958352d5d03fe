//! Sends requests: as many at once as there are connections, or at a constant rate.

use std::{
    future::Future,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::try_join_all;
use tokio::time::{Instant, sleep_until};

/// How long each took, and all together.
pub struct Load {
    pub took: Vec<Duration>,
    pub all: Duration,
}

impl Load {
    pub fn per_second(&self) -> f64 {
        self.took.len() as f64 / self.all.as_secs_f64()
    }
}

/// Each of `connections` takes the next one as soon as its last one is answered.
pub async fn closed<T, F: Future<Output = anyhow::Result<()>>>(
    connections: usize,
    work: &[T],
    send: impl Fn(T) -> F,
) -> anyhow::Result<Load>
where
    T: Clone,
{
    run(connections, work, None, send).await
}

/// They arrive at fixed times; a late answer counts from when it should have been sent.
pub async fn open<T, F: Future<Output = anyhow::Result<()>>>(
    connections: usize,
    per_second: u64,
    work: &[T],
    send: impl Fn(T) -> F,
) -> anyhow::Result<Load>
where
    T: Clone,
{
    run(connections, work, Some(per_second), send).await
}

async fn run<T, F: Future<Output = anyhow::Result<()>>>(
    connections: usize,
    work: &[T],
    per_second: Option<u64>,
    send: impl Fn(T) -> F,
) -> anyhow::Result<Load>
where
    T: Clone,
{
    let (next, took) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(work.len())));
    let start = Instant::now();
    let sender = || async {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(one) = work.get(number) else {
                return anyhow::Ok(());
            };
            let since = match per_second {
                Some(rate) => {
                    let due = start + Duration::from_secs_f64(number as f64 / rate as f64);
                    sleep_until(due).await;
                    due
                }
                None => Instant::now(),
            };
            send(one.clone()).await?;
            took.lock().expect("nobody panics with it").push(since.elapsed());
        }
    };
    try_join_all((0..connections).map(|_| sender())).await?;
    Ok(Load {
        all: start.elapsed(),
        took: took.into_inner().expect("nobody panics with it"),
    })
}
