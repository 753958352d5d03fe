//! What a run tells of itself: lines in the log, counts, and the steps that are kept with the match. The steps are gathered here and stored by
//! the run together with the outcomes that they tell of.

use std::time::Duration;

use ::metrics::counter;
use tracing::{debug, info, warn};

use crate::{
    discord,
    domain::{
        Timestamp,
        event::State,
        history::{Step, turns},
        ids::MatchId,
        job::Claim,
        note::Note,
        plan::{Action, Outcome},
        record::{Obstacle, Record},
    },
    metrics,
};

/// Of one run.
pub(super) struct Telling<'a> {
    id: &'a MatchId,
    /// Somebody or something booked the match.
    asked: bool,
    /// While something fails again and again, only every so often what changes nothing is kept.
    keeps_all: bool,
    calls: Vec<Step>,
    decision: Option<Step>,
    /// A decision that is kept only if one of its calls is.
    held: Option<Step>,
}

impl<'a> Telling<'a> {
    pub fn new(id: &'a MatchId, claim: &Claim) -> Self {
        let attempts = claim.attempts.unsigned_abs();
        Self {
            id,
            asked: claim.wanted_since.is_some(),
            keeps_all: attempts == 0 || attempts.is_power_of_two(),
            calls: Vec::new(),
            decision: None,
            held: None,
        }
    }

    /// What is done next; nothing when there are no actions.
    pub fn decided(&mut self, state: &State, actions: &[Action], notes: &[Note], now: Timestamp) {
        let status = state.record.facts.as_ref().map(|facts| facts.status.as_str());
        let decision = (!actions.is_empty()).then(|| Step::decision(now, actions, notes, status, self.asked));
        if self.keeps_all {
            self.decision = decision;
        } else {
            self.held = decision;
        }
    }

    pub fn outcome(&mut self, action: &Action, outcome: &Outcome, begun: Timestamp, took: Duration) {
        counter!(metrics::ACTIONS, "kind" => action.kind(), "outcome" => outcome.kind()).increment(1);
        let (match_id, kind) = (self.id, action.kind());
        match outcome {
            Outcome::Refused(why) => warn!(%match_id, kind, "Discord refused to {action}: {why}"),
            Outcome::Seen(_) => debug!(%match_id, kind, "{action}: {outcome}"),
            _ => info!(%match_id, kind, "{action}: {outcome}"),
        }
        if self.keeps_all || !action.only_asks() {
            self.push(Step::call(begun, action, outcome, took));
        }
    }

    /// It was taken back before its turn came.
    pub fn recalled(&self, action: &Action) {
        debug!(match_id = %self.id, kind = action.kind(), "{action}: taken back before its turn came");
    }

    /// These are not sent yet; the reason is the first one's.
    pub fn put_off(&mut self, put_off: &[(Action, String)], now: Timestamp) {
        for (action, why) in put_off {
            counter!(metrics::ACTIONS, "kind" => action.kind(), "outcome" => "put_off").increment(1);
            info!(match_id = %self.id, kind = action.kind(), "could not {action} yet: {why}");
        }
        if let Some((_, why)) = put_off.first().filter(|_| self.keeps_all) {
            self.push(Step::wait(now, put_off.len(), why.clone()));
        }
    }

    pub fn failed(&mut self, action: &Action, error: &discord::error::Error, begun: Timestamp, took: Duration) {
        counter!(metrics::ACTIONS, "kind" => action.kind(), "outcome" => "unavailable").increment(1);
        warn!(match_id = %self.id, kind = action.kind(), "could not {action}, will try again: {error}");
        if self.keeps_all {
            self.push(Step::unavailable(begun, action, error.to_string(), took));
        }
    }

    /// After the decision that it comes of, if that was not stored before.
    fn push(&mut self, step: Step) {
        self.calls.extend(self.decision.take().or(self.held.take()));
        self.calls.push(step);
    }

    /// Whether there is something to be stored even when the record has not changed.
    pub fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// What is to be stored with this record, in order; gone from here once it is taken.
    pub fn take(&mut self, before: Option<&Record>, record: &Record, now: Timestamp) -> Vec<Step> {
        let mut steps = std::mem::take(&mut self.calls);
        // What was decided comes of them.
        let turned_at = self.decision.as_ref().map_or(now, |decision| decision.at);
        steps.extend(turns(before, record, turned_at));
        steps.extend(self.decision.take());
        steps
    }

    /// One line for each turn in a match's life. `overflow`: a full category mends itself.
    pub fn changes(&self, before: Option<&Record>, record: &Record, overflow: bool) {
        let match_id = self.id;
        let status = |record: &Record| record.facts.as_ref().map(|facts| facts.status.clone());
        if let Some(now) = status(record).filter(|now| before.and_then(status).as_ref() != Some(now)) {
            info!(%match_id, status = %now, "the match is {now}");
        }
        if record.closed_at.is_some() && before.is_some_and(|before| before.closed_at.is_none()) {
            info!(%match_id, "the match is over and cleaned up");
        }
        for (faction, slot) in &record.slots {
            let Some(blocked) = &slot.blocked else { continue };
            let before = before.and_then(|before| before.slots.get(faction)?.blocked.as_ref());
            if before.is_none_or(|before| before.by.as_str() != blocked.by.as_str()) {
                counter!(metrics::CHANNELS_BLOCKED, "why" => blocked.by.as_str()).increment(1);
                if blocked.by == Obstacle::NoRoom && overflow {
                    info!(%match_id, %faction, "the channel of {faction} waits: {}", blocked.why);
                } else {
                    warn!(%match_id, %faction, "the channel of {faction} is blocked: {}", blocked.why);
                }
            }
        }
    }
}
