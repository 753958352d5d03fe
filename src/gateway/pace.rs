//! How long to wait before connecting again: longer each time, never all at once, and short again only after a connection that lasted.

use std::time::Duration;

/// The first wait; it doubles.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);
/// A session that was active for this long was a good one.
const GOOD: Duration = Duration::from_secs(60);
/// While the database is away we ask this often, so that we are back soon after it is.
const DATABASE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Pace {
    tried: u32,
}

impl Pace {
    /// Before the next try: between half and all of 0.5 s, 1 s, 2 s … 60 s.
    pub fn pause(&mut self) -> Duration {
        let full = FIRST.saturating_mul(1 << self.tried.min(16)).min(LONGEST);
        self.tried = self.tried.saturating_add(1);
        spread(full)
    }

    /// A connection ended that had been active for that long.
    pub fn lasted(&mut self, active: Option<Duration>) {
        if active.is_some_and(|active| active >= GOOD) {
            self.tried = 0;
        }
    }
}

/// Before the database is asked again.
pub(super) fn database_pause() -> Duration {
    spread(DATABASE)
}

/// Between half and all of it.
pub(super) fn spread(full: Duration) -> Duration {
    full.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute_whatever_short_sessions_there_were_between_them() {
        let mut pace = Pace::default();
        let mut full = FIRST;
        for _ in 0..40 {
            let pause = pace.pause();
            assert!(pause >= full / 2 && pause <= full, "{pause:?} of {full:?}");
            pace.lasted(None);
            pace.lasted(Some(GOOD - Duration::from_millis(1)));
            full = (full * 2).min(LONGEST);
        }
        pace.lasted(Some(GOOD));
        assert!(pace.pause() <= FIRST);
    }

    #[test]
    fn a_gateway_that_takes_and_drops_us_is_tried_a_few_times_a_minute_only() {
        let (mut pace, mut time, mut tries) = (Pace::default(), Duration::ZERO, 0);
        while time < Duration::from_secs(600) {
            time += pace.pause();
            tries += 1;
        }
        assert!(tries <= 30, "{tries} in ten minutes");
    }
}
