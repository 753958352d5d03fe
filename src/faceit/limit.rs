//! The outgoing rate limit: at most so many calls in any second, and none while FACEIT asks for a pause. Per process only.
//!
//! A sliding window instead of a token bucket: a bucket of 5 that refills at 5/s lets 10 calls out in one second.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// A second and a little more, because calls that leave a second apart may arrive closer together.
const WINDOW: Duration = Duration::from_millis(1_050);

#[derive(Debug)]
pub struct Limit(Mutex<Window>);

#[derive(Debug)]
struct Window {
    per_second: usize,
    /// The last `per_second` starts that were given out, oldest first; some may lie ahead.
    starts: VecDeque<Instant>,
    held_until: Option<Instant>,
}

impl Limit {
    pub fn new(per_second: u32) -> Self {
        Self(Mutex::new(Window::new(per_second)))
    }

    /// Waits for a turn. Gives up at once when the turn would come after `latest`, and says how long it would take.
    pub async fn turn(&self, latest: Instant) -> Result<(), Duration> {
        loop {
            let at = self.window(|window| window.book(Instant::now(), latest))?;
            sleep_until(at).await;
            // A pause may have been asked for meanwhile; then the turn is lost and we queue again.
            if !self.window(|window| window.is_held(Instant::now())) {
                return Ok(());
            }
        }
    }

    /// No call starts before `until`; a later hold that is already there stays.
    pub fn hold(&self, until: Instant) {
        self.window(|window| window.held_until = window.held_until.max(Some(until)));
    }

    fn window<T>(&self, work: impl FnOnce(&mut Window) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Window {
    fn new(per_second: u32) -> Self {
        let per_second = per_second.max(1) as usize;
        Self {
            per_second,
            starts: VecDeque::with_capacity(per_second),
            held_until: None,
        }
    }

    fn book(&mut self, now: Instant, latest: Instant) -> Result<Instant, Duration> {
        let full = self.starts.len() >= self.per_second;
        let free = self.starts.front().filter(|_| full).map(|oldest| *oldest + WINDOW);
        // Never before the start given out last, so that turns come in the order of asking.
        let last = self.starts.back().copied();
        let at = [free, last, self.held_until]
            .into_iter()
            .flatten()
            .fold(now, Instant::max);
        if at > latest {
            return Err(at - now);
        }
        if full {
            self.starts.pop_front();
        }
        self.starts.push_back(at);
        Ok(at)
    }

    fn is_held(&self, now: Instant) -> bool {
        self.held_until.is_some_and(|until| until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Duration = Duration::from_secs(3_600);

    fn offsets(window: &mut Window, now: Instant, calls: usize) -> Vec<u128> {
        (0..calls)
            .map(|_| (window.book(now, now + FAR).expect("in time") - now).as_millis())
            .collect()
    }

    #[test]
    fn five_leave_at_once_and_the_next_five_a_second_later() {
        let now = Instant::now();
        let mut window = Window::new(5);
        assert_eq!(
            offsets(&mut window, now, 12),
            [0, 0, 0, 0, 0, 1050, 1050, 1050, 1050, 1050, 2100, 2100]
        );
    }

    #[test]
    fn no_second_ever_sees_more_than_five_however_calls_arrive() {
        let start = Instant::now();
        let mut window = Window::new(5);
        let mut given = Vec::new();
        for step in 0..400_u64 {
            let now = start + Duration::from_millis(step * step % 7_919 * 3);
            given.push(window.book(now, start + FAR).expect("in time"));
        }
        given.sort();
        assert!(given.windows(6).all(|six| six[5] - six[0] > Duration::from_secs(1)));
    }

    #[test]
    fn a_pause_moves_all_starts_and_a_shorter_one_does_not_end_it() {
        let now = Instant::now();
        let limit = Limit::new(5);
        limit.hold(now + Duration::from_secs(3));
        limit.hold(now + Duration::from_secs(1));
        assert_eq!(limit.window(|window| offsets(window, now, 2)), [3000, 3000]);
    }

    #[test]
    fn a_turn_beyond_the_deadline_is_refused_with_the_wait_and_takes_no_place() {
        let now = Instant::now();
        let mut window = Window::new(1);
        assert_eq!(offsets(&mut window, now, 1), [0]);
        let soon = now + Duration::from_millis(500);
        assert_eq!(window.book(now, soon), Err(WINDOW));
        assert_eq!(window.book(now, soon), Err(WINDOW));
    }
}
