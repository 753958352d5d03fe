//! How long to wait before trying again: longer each time, and never all at once.

use std::time::Duration;

/// The wait before a job's next try grows up to this.
const JOB_CAP: Duration = Duration::from_secs(60);
/// Nothing is tried again sooner.
const SOONEST: Duration = Duration::from_millis(250);
/// No answer of a foreign server may put a job to sleep for longer.
const AFTER_CAP: Duration = Duration::from_secs(3600);
/// While the database is away we ask this often at most, so that we are back soon after it is.
const DATABASE_CAP: Duration = Duration::from_secs(1);

/// Before the next try of a job that went wrong `attempts` times before this one: 1 s, 2 s, 4 s … 60 s, less up to half, and not below `after`.
pub(super) fn before_retry(attempts: i32, after: Duration) -> Duration {
    let exponent = attempts.clamp(0, 16).unsigned_abs();
    let full = Duration::from_secs(1 << exponent).min(JOB_CAP);
    spread(full).max(after.min(AFTER_CAP))
}

/// When the outside world has told how long: just that, within reason.
pub(super) fn as_told(after: Duration) -> Duration {
    after.clamp(SOONEST, AFTER_CAP)
}

/// Between half and all of it.
pub(super) fn spread(full: Duration) -> Duration {
    full.mul_f64(rand::random_range(0.5..=1.0))
}

/// Trouble with the database: says when to ask again, and reports its begin and its end once each.
#[derive(Debug)]
pub(super) struct Trouble {
    what: &'static str,
    failed: u32,
}

impl Trouble {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, failed: 0 }
    }

    /// Takes in a failure; gives the wait before the next try.
    pub(super) fn wait(&mut self, error: &dyn std::fmt::Display) -> Duration {
        if self.failed == 0 {
            tracing::warn!(%error, "{} failed; it is tried again until it works", self.what);
        }
        self.failed = self.failed.saturating_add(1);
        spread(Duration::from_millis(50 << self.failed.min(5)).min(DATABASE_CAP))
    }

    pub(super) fn over(&mut self) {
        if self.failed > 0 {
            tracing::info!(failed = self.failed, "{} works again", self.what);
        }
        self.failed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_to_a_minute_and_no_further() {
        for (attempts, full) in [(0, 1), (1, 2), (5, 32), (6, 60), (40, 60), (i32::MAX, 60), (-1, 1)] {
            let full = Duration::from_secs(full);
            for _ in 0..50 {
                let wait = before_retry(attempts, Duration::ZERO);
                assert!(wait >= full / 2 && wait <= full, "{attempts}: {wait:?}");
            }
        }
    }

    #[test]
    fn a_server_s_wish_is_honoured_within_reason() {
        assert_eq!(before_retry(0, Duration::from_secs(90)), Duration::from_secs(90));
        assert_eq!(before_retry(0, Duration::MAX), AFTER_CAP);
        assert_eq!(as_told(Duration::from_secs(90)), Duration::from_secs(90));
        assert_eq!((as_told(Duration::ZERO), as_told(Duration::MAX)), (SOONEST, AFTER_CAP));
    }

    #[test]
    fn a_database_that_is_away_is_asked_about_every_second() {
        let mut trouble = Trouble::new("claiming jobs");
        let waits: Vec<_> = (0..50).map(|_| trouble.wait(&"gone")).collect();
        assert!(waits[0] <= Duration::from_millis(100), "{:?}", waits[0]);
        assert!(waits.iter().all(|wait| *wait <= DATABASE_CAP));
    }
}
