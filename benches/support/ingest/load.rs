//! Loads the service: closed loop (as fast as it answers) for what it can take, open loop (constant arrivals) for how long it lets one wait.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{anyhow, bail};

use super::http::Client;

/// What a load came to.
pub struct Load {
    pub took: Duration,
    /// How long each 2xx answer took; in the open loop, from when it should have been sent.
    pub accepted: Vec<Duration>,
    /// When each of them came, since the start.
    pub at: Vec<Duration>,
    pub started: Instant,
    pub refused: u64,
}

impl Load {
    pub fn per_second(&self) -> f64 {
        self.accepted.len() as f64 / self.took.as_secs_f64()
    }
}

/// Every connection posts its next delivery as soon as the last one is answered.
pub fn closed(service: SocketAddr, connections: usize, length: Duration) -> anyhow::Result<Load> {
    run(service, connections, |client, load, start| {
        while start.elapsed() < length {
            let sent = Instant::now();
            note(load, client.post()?, sent, start);
        }
        Ok(())
    })
}

/// Deliveries arrive at fixed times, whatever the service does; the connections are many enough that one is nearly always free.
pub fn open(service: SocketAddr, connections: usize, per_second: u64, length: Duration) -> anyhow::Result<Load> {
    let arrivals = AtomicU64::new(0);
    let all = per_second * length.as_secs();
    run(service, connections, |client, load, start| {
        loop {
            let number = arrivals.fetch_add(1, Ordering::Relaxed);
            if number >= all {
                return Ok(());
            }
            let due = start + Duration::from_secs_f64(number as f64 / per_second as f64);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            note(load, client.post()?, due, start);
        }
    })
}

fn note(load: &mut Load, status: u16, since: Instant, start: Instant) {
    if (200..300).contains(&status) {
        load.accepted.push(since.elapsed());
        load.at.push(start.elapsed());
    } else {
        load.refused += 1;
    }
}

/// A thread per connection, blocking: it wakes more exactly than a runtime's timers, and costs no more.
fn run(
    service: SocketAddr,
    connections: usize,
    work: impl Fn(&mut Client, &mut Load, Instant) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<Load> {
    let mut clients = (0..connections)
        .map(|_| Client::connect(service))
        .collect::<Result<Vec<_>, _>>()?;
    let start = Instant::now();
    let parts: Vec<anyhow::Result<Load>> = thread::scope(|scope| {
        let threads: Vec<_> = clients
            .iter_mut()
            .map(|client| {
                let work = &work;
                scope.spawn(move || {
                    let mut load = Load {
                        took: Duration::ZERO,
                        accepted: Vec::new(),
                        at: Vec::new(),
                        started: start,
                        refused: 0,
                    };
                    work(client, &mut load, start)?;
                    Ok(load)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("a load thread panicked"))))
            .collect()
    });
    let mut all = Load {
        took: start.elapsed(),
        accepted: Vec::new(),
        at: Vec::new(),
        started: start,
        refused: 0,
    };
    for part in parts {
        let part = part?;
        all.accepted.extend(part.accepted);
        all.at.extend(part.at);
        all.refused += part.refused;
    }
    if all.accepted.is_empty() {
        bail!("the service accepted nothing");
    }
    Ok(all)
}
