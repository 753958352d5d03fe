//! PostgreSQL stops for some seconds and comes back while deliveries arrive at a constant rate: how long until they are taken at that rate again.

use std::{net::SocketAddr, thread, time::Duration};

use anyhow::anyhow;
use muster::sandbox::postgres::PrivatePostgres;

use super::load::{self, Load};

pub const STOPPED: Duration = Duration::from_secs(3);
const BEFORE: Duration = Duration::from_secs(2);
const AFTER: Duration = Duration::from_secs(12);
/// The rate is looked at over as long as this, from a moment on.
const SPAN: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(50);

pub struct Outage {
    pub load: Load,
    /// From PostgreSQL's being back until the full rate; none when it was not reached.
    pub back_after: Option<Duration>,
}

pub fn measure(
    postgres: &PrivatePostgres,
    service: SocketAddr,
    connections: usize,
    per_second: u64,
) -> anyhow::Result<Outage> {
    let length = BEFORE + STOPPED + AFTER;
    let (load, resumed) = thread::scope(|scope| {
        let loading = scope.spawn(|| load::open(service, connections, per_second, length));
        thread::sleep(BEFORE);
        postgres.interrupt()?;
        thread::sleep(STOPPED);
        postgres.resume()?;
        let resumed = std::time::Instant::now();
        let load = loading.join().unwrap_or_else(|_| Err(anyhow!("the load panicked")))?;
        anyhow::Ok((load, resumed))
    })?;
    let resumed = resumed.saturating_duration_since(load.started);
    let wanted = per_second as f64 * SPAN.as_secs_f64() * 0.98;
    let steps = (0..)
        .map(|step| STEP * step)
        .take_while(|after| resumed + *after + SPAN <= length);
    let rate = |from: Duration| load.at.iter().filter(|at| (from..from + SPAN).contains(*at)).count() as f64;
    let back_after = steps.into_iter().find(|after| rate(resumed + *after) >= wanted);
    Ok(Outage { load, back_after })
}
