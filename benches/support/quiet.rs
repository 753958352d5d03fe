//! Is the machine busy with something else? Then figures say little: a benchmark waits a while for quiet before each round, and reports what it found.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

/// Percent of all cores.
const QUIET: f64 = 90.0;
const LOOK: Duration = Duration::from_millis(500);

/// Waits until the machine is quiet, at most this long; gives how idle it was then, in percent. None where there is no /proc.
pub fn wait(at_most: Duration) -> Option<f64> {
    let start = Instant::now();
    loop {
        let before = ticks()?;
        thread::sleep(LOOK);
        let after = ticks()?;
        let all = (after.0 - before.0).max(1.0);
        let idle = (100.0 * (after.1 - before.1) / all).round();
        if idle >= QUIET || start.elapsed() >= at_most {
            return Some(idle);
        }
    }
}

/// All ticks since the start, and the idle ones among them; waiting for a disk is not idle.
fn ticks() -> Option<(f64, f64)> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<f64> = line.split_whitespace().filter_map(|tick| tick.parse().ok()).collect();
    // The last two, guests, are counted in the first two as well.
    Some((ticks.iter().take(8).sum(), *ticks.get(3)?))
}
