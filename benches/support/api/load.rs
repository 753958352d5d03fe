//! As many requests as are answered: a thread and a connection each, blocking, the next request as soon as the last one is answered.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};

use crate::support::stats::Spread;

const PATIENCE: Duration = Duration::from_secs(30);

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
    let mut stream = TcpStream::connect(service)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (mut took, mut answer) = (Vec::new(), vec![0; 256 * 1024]);
    while start.elapsed() < length {
        let sent = Instant::now();
        stream.write_all(request)?;
        let mut filled = 0;
        let status = loop {
            let read = stream.read(&mut answer[filled..]).context("no answer")?;
            if read == 0 {
                bail!("the service closed the connection, or its answer is longer than expected");
            }
            filled += read;
            if let Some(status) = complete(&answer[..filled])? {
                break status;
            }
        };
        if status != 200 {
            bail!("answered {status}: {}", String::from_utf8_lossy(&answer[..filled]));
        }
        took.push(sent.elapsed());
    }
    Ok(took)
}

/// The status, once head and body are all there.
fn complete(answer: &[u8]) -> anyhow::Result<Option<u16>> {
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&answer[..head])?;
    let length: usize = text
        .lines()
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim())
        })
        .context("an answer without a length")?
        .parse()?;
    let status = text.get(9..12).context("an answer without a status")?.parse()?;
    Ok((answer.len() >= head + 4 + length).then_some(status))
}
