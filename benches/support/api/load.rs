//! As many requests as are answered: a thread and a connection each, blocking, the next request as soon as the last one is answered.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};

use super::bare_http::Connection;
use crate::support::stats::Spread;

/// What a load came to.
pub struct Load {
    pub per_second: f64,
    pub took: Spread,
}

pub fn get(service: SocketAddr, path: &str, token: &str, connections: usize, length: Duration) -> anyhow::Result<Load> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {service}\r\nauthorization: Bearer {token}\r\nuser-agent: muster-bench\r\n\r\n"
    );
    let start = Instant::now();
    let parts: Vec<anyhow::Result<Vec<Duration>>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|_| scope.spawn(|| one(service, request.as_bytes(), start, length)))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|_| Err(anyhow!("a load thread panicked")))
        };
        threads.into_iter().map(join).collect()
    });
    let took = start.elapsed();
    let mut all = Vec::new();
    for part in parts {
        all.extend(part.with_context(|| format!("GET {path}"))?);
    }
    Ok(Load {
        per_second: all.len() as f64 / took.as_secs_f64(),
        took: Spread::of(all),
    })
}

fn one(service: SocketAddr, request: &[u8], start: Instant, length: Duration) -> anyhow::Result<Vec<Duration>> {
    let mut connection = Connection::open(service, 256 * 1024)?;
    let mut took = Vec::new();
    while start.elapsed() < length {
        let sent = Instant::now();
        let (status, answer) = connection.ask(request)?;
        if status != 200 {
            bail!("answered {status}: {}", String::from_utf8_lossy(answer));
        }
        took.push(sent.elapsed());
    }
    Ok(took)
}
