//! Time, as a value that is passed in: the only place that reads the wall clock. A manual clock stands still until it is advanced.
#![expect(clippy::disallowed_methods, reason = "this is where the wall clock is read")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use time::OffsetDateTime as Timestamp;

/// Tells the time. Clones share it.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System,
    /// Microseconds since 1970.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's wall clock.
    pub fn system() -> Self {
        Self(Kind::System)
    }

    /// A clock that stands at `start` until `advance` is called.
    pub fn manual(start: Timestamp) -> Self {
        Self(Kind::Manual(Arc::new(AtomicI64::new(
            (start.unix_timestamp_nanos() / 1_000) as i64,
        ))))
    }

    /// The time in UTC, in whole microseconds, so that it survives a round trip through Postgres.
    pub fn now(&self) -> Timestamp {
        let micros = match &self.0 {
            Kind::System => (Timestamp::now_utc().unix_timestamp_nanos() / 1_000) as i64,
            Kind::Manual(micros) => micros.load(Ordering::SeqCst),
        };
        Timestamp::from_unix_timestamp_nanos(i128::from(micros) * 1_000).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Moves a manual clock forward; the system's clock moves by itself.
    pub fn advance(&self, by: Duration) {
        if let Kind::Manual(micros) = &self.0 {
            micros.fetch_add(by.as_micros() as i64, Ordering::SeqCst);
        }
    }
}
