//! `muster serve`: the service for as long as nobody asks it to stop.

use std::io::{self, Write};

use anyhow::bail;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use super::{App, HARD_STOP};
use crate::{clock::Clock, config::Config, telemetry::Metrics};

/// Runs until a signal asks to stop. A second signal does not wait for what runs.
pub async fn serve(config: Config, metrics: Metrics) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let app = App::start(&config, Clock::system(), metrics).await?;
    info!(address = %app.address, guild = config.guild.id.map(|id| id.get()), workers = config.workers, "Muster is up");
    // Who started us may have stopped reading.
    let _ = writeln!(io::stdout(), "listening on http://{}", app.address);
    let asked = tokio::select! {
        signal = signals.next() => {
            info!(signal, "stopping: no new jobs, the running ones finish; a second signal breaks them off");
            true
        }
        () = app.ended() => false,
    };
    tokio::select! {
        finished = app.stop() => if !finished {
            warn!(
                "jobs were still running after {} s and were broken off; they go on after the next start",
                HARD_STOP.as_secs()
            );
        },
        signal = signals.next() => bail!("broken off by a second {signal}; what was running goes on after the next start"),
    }
    if !asked {
        bail!("the web server ended by itself; the log says why");
    }
    info!("stopped");
    Ok(())
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
