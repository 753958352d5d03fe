//! What Discord closed for a while: a route, a bot, or our address. Says for how long, and how carefully it is tried again. Pure: time comes in.

use std::time::Duration;

/// The shortest pause after a 429 or a failure; doubled for each further one in a row, so that nothing is ever retried hot.
const SHORTEST: Duration = Duration::from_millis(250);

/// Open by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Closing {
    until: Duration,
    /// How often in a row; 0 once something has passed.
    times: u32,
}

impl Closing {
    /// Closes it after an answer to what was sent at `sent`; gives for how long. `pause` is what Discord asks for, `longest` the longest that
    /// our own doubling goes to.
    pub fn close(&mut self, pause: Duration, longest: Duration, sent: Duration, now: Duration) -> Duration {
        // What was sent before it was closed says nothing new.
        if self.times == 0 || sent >= self.until {
            self.times += 1;
        }
        let doubled = SHORTEST.saturating_mul(1 << (self.times - 1).min(16));
        let pause = pause.max(doubled.min(longest));
        self.until = self.until.max(now.saturating_add(pause));
        pause
    }

    /// Something passed that was sent at `sent`.
    pub fn passed(&mut self, sent: Duration) {
        if sent >= self.until {
            self.times = 0;
        }
    }

    /// Until when nothing is to be sent.
    pub fn until(&self) -> Duration {
        self.until
    }

    /// The pause is over, but nothing has passed yet: it is tried with one request at a time.
    pub fn is_in_doubt(&self) -> bool {
        self.times > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn each_time_in_a_row_is_twice_as_long_up_to_the_longest_and_what_passes_ends_it() {
        let (mut closing, mut now) = (Closing::default(), ms(1000));
        for expected in [250, 500, 1000, 2000, 3000, 3000] {
            assert_eq!(closing.close(Duration::ZERO, ms(3000), now, now), ms(expected));
            assert!(closing.is_in_doubt());
            now = closing.until();
        }
        closing.passed(now);
        assert!(!closing.is_in_doubt());
        assert_eq!(
            closing.close(ms(700), ms(3000), now, now),
            ms(700),
            "Discord's own wish"
        );
    }

    #[test]
    fn answers_to_what_was_sent_before_neither_double_nor_open_nor_shorten() {
        let mut closing = Closing::default();
        closing.close(ms(5000), ms(60_000), ms(1000), ms(1100));
        closing.close(ms(10), ms(60_000), ms(1000), ms(1200));
        assert_eq!(closing.until(), ms(6100));
        closing.passed(ms(1000));
        assert!(closing.is_in_doubt());
        assert_eq!(
            closing.close(Duration::ZERO, ms(60_000), ms(6100), ms(6200)),
            ms(500),
            "only the second in a row"
        );
    }
}
