//! The unmodified `muster serve` as a process of its own, with FACEIT and Discord as a port that takes connections and never answers: the workers are
//! running and have booked jobs, but wait at FACEIT, and cost nothing while deliveries are measured.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    time::Duration,
};

use anyhow::Context;
use muster::sandbox::process::{Process, Program};

use super::usage;

pub const SECRET: &str = "0123456789abcdef0123456789abcdef";
const START_WITHIN: Duration = Duration::from_secs(30);

pub struct Service {
    process: Process,
    pub address: SocketAddr,
    /// Bound and never accepted from: the kernel takes the connections.
    _silence: TcpListener,
}

impl Service {
    /// With every setting that has a default left at it.
    pub fn start(database: &str) -> anyhow::Result<Self> {
        let silence = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let silent = format!("http://{}", silence.local_addr()?);
        let mut process = Program::at(env!("CARGO_BIN_EXE_muster"))
            .arg("serve")
            .bare_env()
            .env("DATABASE_URL", database)
            .env("LISTEN_ADDR", "127.0.0.1:0")
            .env("FACEIT_API_KEY", "bench")
            .env("FACEIT_API_URL", &silent)
            .env("FACEIT_WEBHOOK_SECRET", SECRET)
            .env("DISCORD_TOKEN", "bench")
            .env("DISCORD_API_URL", &silent)
            .env("DISCORD_GUILD_ID", "1000")
            .start()?;
        let line = process.line_where(START_WITHIN, |line| line.starts_with("listening on "));
        let address = line
            .as_deref()
            .and_then(|line| line.strip_prefix("listening on http://"))
            .with_context(|| format!("muster serve did not start:\n{}", process.stderr()))?
            .parse()?;
        Ok(Self {
            process,
            address,
            _silence: silence,
        })
    }

    pub fn rss_mb(&self) -> Option<f64> {
        usage::rss_mb(self.process.id())
    }

    pub fn cpu(&self) -> Option<Duration> {
        usage::cpu(self.process.id())
    }
}
