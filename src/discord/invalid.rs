//! Keeps away from Discord's ban for invalid requests: 10,000 answers of 401, 403 or 429 in ten minutes, counted by address, so for all
//! of our bots together. Pure: time comes in.

use std::{collections::BTreeMap, time::Duration};

/// What Discord counts over.
const SPAN: Duration = Duration::from_secs(600);
/// From here on requests are spread, so that even if every one of them is invalid there are no more than `STOP`.
pub const SLOW: u32 = 1_000;
/// Half of what Discord bears: other programs may share the address.
pub const STOP: u32 = 5_000;
/// How finely it is counted.
const STEP: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub struct Invalid {
    /// Counts by when they began, in steps.
    counts: BTreeMap<u64, u32>,
    last: Option<Duration>,
}

impl Invalid {
    pub fn count(&mut self, now: Duration) {
        *self.counts.entry(step(now)).or_default() += 1;
        let old = step(now.saturating_sub(SPAN));
        self.counts = self.counts.split_off(&old);
    }

    /// How many there were in the last ten minutes.
    pub fn recent(&self, now: Duration) -> u32 {
        self.counts
            .range(step(now.saturating_sub(SPAN))..)
            .map(|(_, count)| count)
            .sum()
    }

    /// When the next request may be sent, if not now.
    pub fn look(&self, now: Duration) -> Result<(), Duration> {
        let recent = self.recent(now);
        if recent < SLOW {
            return Ok(());
        }
        let opens = match STOP.checked_sub(recent) {
            None | Some(0) => {
                let oldest = self.counts.range(step(now.saturating_sub(SPAN))..).next();
                oldest.map_or(now, |(began, _)| {
                    STEP * u32::try_from(*began + 1).unwrap_or(u32::MAX) + SPAN
                })
            }
            Some(left) => self.last.map_or(now, |last| last + SPAN / left),
        };
        if opens > now { Err(opens) } else { Ok(()) }
    }

    pub fn sent(&mut self, now: Duration) {
        self.last = Some(now);
    }
}

fn step(at: Duration) -> u64 {
    at.as_secs() / STEP.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends as fast as it may for `time`, and every request is invalid; gives when they were sent.
    fn hammer(time: Duration) -> Vec<Duration> {
        let (mut invalid, mut now, mut sent) = (Invalid::default(), Duration::ZERO, Vec::new());
        while now < time {
            if let Err(until) = invalid.look(now) {
                now = until;
                continue;
            }
            invalid.sent(now);
            invalid.count(now);
            sent.push(now);
            now += Duration::from_millis(20);
        }
        sent
    }

    #[test]
    fn even_if_every_request_is_invalid_there_are_never_more_than_half_of_what_brings_a_ban() {
        let sent = hammer(Duration::from_secs(3 * 3600));
        for (first, at) in sent.iter().enumerate() {
            let end = sent.partition_point(|other| *other < *at + SPAN);
            assert!(end - first <= 5_000, "{} in ten minutes from {at:?}", end - first);
        }
        assert!(
            sent.len() > 3 * SLOW as usize,
            "it never stops for good: {}",
            sent.len()
        );
    }

    #[test]
    fn a_few_of_them_slow_nothing_and_old_ones_are_forgotten() {
        let mut invalid = Invalid::default();
        (0..SLOW - 1).for_each(|_| invalid.count(Duration::ZERO));
        assert_eq!(invalid.look(Duration::ZERO), Ok(()));
        invalid.sent(Duration::ZERO);
        invalid.count(Duration::ZERO);
        assert!(invalid.look(Duration::ZERO).is_err());
        let later = SPAN + STEP;
        assert_eq!((invalid.recent(later), invalid.look(later)), (0, Ok(())));
    }
}
