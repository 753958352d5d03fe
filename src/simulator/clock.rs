//! The simulator's own clock: wall time plus whatever a test advanced it by; the only place of the simulator that reads time.

#![expect(
    clippy::disallowed_methods,
    reason = "the simulator has a clock of its own and imports nothing of ours"
)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time since the Unix epoch as the simulator sees it. Buckets, snowflakes and the journal all go by it.
#[derive(Debug)]
pub(super) struct Clock {
    epoch_at_start: Duration,
    started: Instant,
    advanced: Duration,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            epoch_at_start: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            started: Instant::now(),
            advanced: Duration::ZERO,
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.epoch_at_start + self.started.elapsed() + self.advanced
    }

    pub(super) fn advance(&mut self, by: Duration) {
        self.advanced += by;
    }
}

/// Whole milliseconds, the unit the control routes speak.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
