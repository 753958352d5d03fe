//! The unmodified `muster serve` as a process of its own, with the stub as Discord and FACEIT.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::bail;
use muster::sandbox::process::Process;
use serde_json::Value;

use super::{serving, usage};

const WITHIN: Duration = Duration::from_secs(120);

pub struct Service {
    process: Process,
    url: String,
    client: reqwest::Client,
}

impl Service {
    pub fn start(database: &str, stub: SocketAddr, guild: u64) -> anyhow::Result<Self> {
        let below = |path: &str| format!("http://{stub}{path}");
        let program = serving::program(database, &below("/data/v4"), &below("/api/v10"), "bench");
        let (process, address) = serving::start(program.env("DISCORD_GUILD_ID", guild.to_string()))?;
        let url = format!("http://{address}");
        let client = reqwest::Client::builder().timeout(WITHIN).no_proxy().build()?;
        Ok(Self { process, url, client })
    }

    /// Waits until everything up to this event is booked.
    pub async fn booked(&self, event: u64) -> anyhow::Result<Duration> {
        let started = Instant::now();
        while started.elapsed() < WITHIN {
            let answer = self.client.get(format!("{}/readyz", self.url)).send().await?;
            let body: Value = answer.json().await?;
            if body["checks"]["gateway"]["events"]["0"] == event {
                return Ok(started.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bail!("event {event} is still not booked; it said:\n{}", self.process.stderr())
    }

    pub fn rss_mb(&self) -> Option<f64> {
        usage::rss_mb(self.process.id())
    }

    pub fn cpu(&self) -> Option<Duration> {
        usage::cpu(self.process.id())
    }
}
