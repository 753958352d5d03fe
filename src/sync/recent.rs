//! When each running match was last read, so that people coming and going in voice don't eat up FACEIT's API: of a match that was read moments ago, and
//! of which nothing was delivered since, the stored reading is good enough.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    domain::{
        Timestamp,
        event::{Announced, Event, Source},
        ids::MatchId,
        match_facts::Phase,
        record::Record,
    },
    store::deliveries::Newest,
};

/// For how long a reading is good enough.
const GOOD_FOR: Duration = Duration::from_secs(30);
/// With so many matches, those whose reading is too old are dropped before one more is noted.
const MANY: usize = 1_024;

/// Of this process. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Recent(Arc<Mutex<HashMap<MatchId, Timestamp>>>);

impl Recent {
    /// When the stored reading was taken, if that needs no other one.
    pub fn reading(&self, record: &Record, newest: Option<&Newest>, now: Timestamp) -> Option<Timestamp> {
        let status = &record.facts.as_ref()?.status;
        let announced = super::reading::announced(newest);
        let agrees = |announced: Announced| announced.status.phase() == Phase::Running;
        if status.phase() != Phase::Running || !announced.is_none_or(agrees) {
            return None;
        }
        let at = self.with(|readings| readings.get(&record.id).copied())?;
        let newer = newest.is_some_and(|newest| newest.received_at >= at);
        (at < now && now < at + GOOD_FOR && !newer).then_some(at)
    }

    /// A match was read: begun then, for what is delivered meanwhile may not be in it.
    pub fn note(&self, id: &MatchId, event: &Event, begun: Timestamp) {
        let from_api = matches!(event, Event::Read(reading) if reading.source == Source::Api
            && reading.facts.status.phase() == Phase::Running);
        self.with(|readings| {
            if !from_api {
                readings.remove(id);
                return;
            }
            if readings.len() >= MANY {
                readings.retain(|_, at| begun < *at + GOOD_FOR);
            }
            readings.insert(id.clone(), begun);
        });
    }

    /// Has the next run read the match, however lately that was done.
    pub fn forget(&self, id: &MatchId) {
        self.with(|readings| readings.remove(id));
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<MatchId, Timestamp>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        event::Reading,
        match_facts::{MatchFacts, Status},
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn record(status: Status) -> Record {
        let facts = Some(MatchFacts::bare(status));
        Record {
            facts,
            ..Record::new(MatchId::new("1-a"), at(0))
        }
    }

    fn read(status: Status, source: Source) -> Event {
        let facts = MatchFacts::bare(status);
        Event::Read(Box::new(Reading { facts, source }))
    }

    fn delivered(event: &str, seconds: u64) -> Newest {
        Newest {
            event: event.to_owned(),
            payload_version: None,
            received_at: at(seconds),
            body: Vec::new(),
        }
    }

    #[test]
    fn a_reading_of_a_running_match_is_good_for_half_a_minute() {
        let (recent, record) = (Recent::default(), record(Status::Ready));
        assert_eq!(recent.reading(&record, None, at(100)), None, "never read");
        recent.note(&record.id, &read(Status::Ready, Source::Api), at(100));
        assert_eq!(recent.reading(&record, None, at(129)), Some(at(100)));
        assert_eq!(recent.reading(&record, None, at(130)), None);
        assert_eq!(recent.reading(&record, None, at(100)), None, "no time has passed");
    }

    #[test]
    fn whatever_was_delivered_since_or_says_something_else_wants_a_new_one() {
        let (recent, record) = (Recent::default(), record(Status::Ready));
        recent.note(&record.id, &read(Status::Ready, Source::Api), at(100));
        let good = |newest: Newest| recent.reading(&record, Some(&newest), at(110)).is_some();
        assert!(good(delivered("match_status_ready", 99)));
        assert!(!good(delivered("match_status_ready", 100)));
        assert!(!good(delivered("match_status_finished", 50)), "the API lags behind");
    }

    #[test]
    fn a_match_that_is_over_and_a_webhooks_own_word_are_always_read_anew() {
        let recent = Recent::default();
        let (running, over) = (record(Status::Ready), record(Status::Finished));
        recent.note(&running.id, &read(Status::Ready, Source::Api), at(100));
        assert_eq!(recent.reading(&over, None, at(110)), None);
        recent.note(
            &running.id,
            &read(Status::Ready, Source::Webhook { version: None }),
            at(105),
        );
        assert_eq!(recent.reading(&running, None, at(110)), None);
    }
}
