//! The decision: take an event in, then say which steps come next and when to look again. Pure; ids exist only in bindings, so a step is
//! planned only once what it needs is bound, and the next decision brings the next step.

use std::time::Duration;

use crate::domain::{
    Timestamp, absorb,
    desired::{Desired, LOOK_AGAIN, desired},
    event::{Event, State},
    match_facts::Phase,
    parking::parked,
    plan::{Decision, Note},
    record::Record,
    settings::Settings,
    standing::stand,
    tear_down::tear_down,
};

/// How soon to look again when FACEIT's API does not yet say what its webhook announced.
const API_LAGS: Duration = Duration::from_secs(5);
/// For how long after an announcement the API is believed to lag.
const ANNOUNCEMENT_HOLDS: Duration = Duration::from_secs(60);
/// How often a match that no guild claims is looked at again: a claim books it at once.
const LOOK_AT_UNCLAIMED: Duration = Duration::from_secs(600);
/// After this long nobody is going to claim it.
const GIVE_UP_UNCLAIMED: Duration = Duration::from_secs(24 * 3600);

/// Takes `event` into `state` and says what to do next. Save the state's record before acting: it now holds the intents of the actions.
pub fn decide(state: &mut State, event: &Event, now: Timestamp) -> Decision {
    absorb::absorb(state, event, now);
    let mut decision = Decision::default();
    let Some(settings) = state.settings.clone() else {
        unclaimed(&mut state.record, now, &mut decision);
        return decision;
    };
    expire(state, &settings, now);
    let pause = [(state.guild.halted, Note::Halted), (settings.paused, Note::Paused)];
    let pause = pause.into_iter().find(|(holds, _)| *holds);
    if let Some((_, why)) = pause.filter(|_| state.record.closed_at.is_none()) {
        decision.notes.push(why);
        decision.look_again = Some(now + LOOK_AGAIN);
        return decision;
    }
    let desired = desired(state, &settings, now);
    // What needs nothing of Discord goes on as usual.
    if (matches!(desired, Desired::Stand(_)) || !state.record.slots.is_empty())
        && let Some(parked) = parked(state, &settings, now)
    {
        return parked;
    }
    match desired {
        Desired::Wait { why, look_again } => {
            decision.notes.push(Note::Waiting(why));
            decision.look_again = Some(look_again);
        }
        Desired::Stand(wanted) => {
            decision.look_again = Some(stand_again(state, &settings, now));
            stand(state, &settings, &wanted, now, &mut decision);
        }
        Desired::Keep { until } => {
            decision.notes.push(Note::Grace(until));
            decision.look_again = Some(until.min(now + LOOK_AGAIN));
        }
        Desired::Nothing => tear_down(state, &settings, now, &mut decision),
    }
    if api_lags(state, now) {
        decision.look_again = Some(decision.look_again.map_or(now + API_LAGS, |at| at.min(now + API_LAGS)));
    }
    decision
}

/// A match that no guild claims is stored, looked at now and then, and closed when it is over.
fn unclaimed(record: &mut Record, now: Timestamp, decision: &mut Decision) {
    let over = record
        .facts
        .as_ref()
        .is_some_and(|facts| facts.status.phase() == Phase::Over);
    if over || now >= record.live_since.unwrap_or(record.first_seen_at) + GIVE_UP_UNCLAIMED {
        record.closed_at.get_or_insert(now);
    }
    decision.notes.push(Note::Unclaimed);
    decision.look_again = record.closed_at.is_none().then(|| now + LOOK_AT_UNCLAIMED);
}

/// Ends a life that outlasted the hard age, for a match that FACEIT forgot must not keep its channels for ever, and one that staff had taken down.
fn expire(state: &mut State, settings: &Settings, now: Timestamp) {
    let record = &mut state.record;
    if record.live_since.is_some_and(|since| now >= since + settings.max_age) {
        record.ended_at.get_or_insert(now);
    }
    if record.is_taken_down() {
        record.ended_at.get_or_insert(now);
    }
}

/// When to look again while the match runs.
fn stand_again(state: &State, settings: &Settings, now: Timestamp) -> Timestamp {
    let expiry = state.record.live_since.map(|since| since + settings.max_age);
    expiry.map_or(now + LOOK_AGAIN, |at| at.min(now + LOOK_AGAIN)).max(now)
}

/// The newest delivery announced something else than the API says, moments ago.
fn api_lags(state: &State, now: Timestamp) -> bool {
    let (Some(announced), Some(facts)) = (&state.announced, &state.record.facts) else {
        return false;
    };
    announced.status.phase() != facts.status.phase()
        && now < announced.at + ANNOUNCEMENT_HOLDS
        && (announced.version.is_none() || announced.version >= state.record.last_version)
}
