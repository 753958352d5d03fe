//! The unmodified `muster serve` as a process of its own, with FACEIT and Discord as a port that takes connections and never answers: the workers are
//! running and have booked jobs, but wait at FACEIT, and cost nothing while deliveries are measured.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    time::Duration,
};

use anyhow::Context;
use muster::sandbox::process::{Process, Program};

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

    /// Resident memory in MiB; none where there is no /proc.
    pub fn rss_mb(&self) -> Option<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
    }

    /// CPU time used so far; none where there is no /proc.
    pub fn cpu(&self) -> Option<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        // Linux counts in hundredths of a second, whatever its own clock does.
        Some(Duration::from_millis(ticks * 10))
    }
}
