//! The unmodified `muster serve` as a process of its own, with the stub as Discord and FACEIT.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use muster::sandbox::process::{Process, Program};
use serde_json::Value;

use super::usage;

const WITHIN: Duration = Duration::from_secs(120);

pub struct Service {
    process: Process,
    url: String,
    client: reqwest::Client,
}

impl Service {
    pub fn start(database: &str, stub: SocketAddr, guild: u64) -> anyhow::Result<Self> {
        let mut process = Program::at(env!("CARGO_BIN_EXE_muster"))
            .arg("serve")
            .bare_env()
            .env("DATABASE_URL", database)
            .env("LISTEN_ADDR", "127.0.0.1:0")
            .env("FACEIT_API_KEY", "bench")
            .env("FACEIT_API_URL", format!("http://{stub}/data/v4"))
            .env("FACEIT_WEBHOOK_SECRET", "0123456789abcdef0123456789abcdef")
            .env("DISCORD_TOKEN", "bench")
            .env("DISCORD_API_URL", format!("http://{stub}/api/v10"))
            .env("DISCORD_GUILD_ID", guild.to_string())
            .start()?;
        let line = process.line_where(WITHIN, |line| line.starts_with("listening on "));
        let url = line
            .as_deref()
            .and_then(|line| line.strip_prefix("listening on "))
            .with_context(|| format!("muster serve did not start:\n{}", process.stderr()))?
            .to_owned();
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
