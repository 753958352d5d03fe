//! The unmodified `muster serve` as a process of its own, with FACEIT and Discord as a port that takes connections and never answers: the workers are
//! running and have booked jobs, but wait at FACEIT, and cost nothing while deliveries are measured.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    time::Duration,
};

use muster::sandbox::process::Process;

use super::{serving, usage};

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
        let program = serving::program(database, &silent, &silent, "bench");
        let (process, address) = serving::start(program.env("DISCORD_GUILD_ID", "1000"))?;
        Ok(Self {
            process,
            address: address.parse()?,
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
