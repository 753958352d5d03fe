//! Medians and percentiles of what was measured.

use std::time::Duration;

/// The middle one; with an even count, the lower of the two in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
        .get(sorted.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(f64::NAN)
}

/// Durations in the order of their length.
pub struct Spread(Vec<Duration>);

impl Spread {
    pub fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort();
        Self(durations)
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest value that `percent` of all do not exceed, in milliseconds.
    pub fn ms(&self, percent: f64) -> f64 {
        let rank = (percent / 100.0 * self.0.len() as f64).ceil() as usize;
        let value = self.0.get(rank.clamp(1, self.0.len().max(1)) - 1);
        value.map_or(f64::NAN, |value| round(value.as_secs_f64() * 1e3, 3))
    }
}

/// As many digits as mean something.
pub fn round(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}
