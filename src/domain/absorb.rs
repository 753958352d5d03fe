//! Taking an event in: a reading moves the match forward (never back), an outcome binds, forgets or blocks. Plans nothing.

use crate::domain::{
    Timestamp,
    binding::{block, checked, created, deleted, forget, found, not_created},
    event::{Event, Reading, Source, State},
    ids::{ChannelId, Faction, UserId},
    match_facts::{MatchFacts, Phase, Side, Status},
    plan::{Action, Outcome},
    record::{Member, Record},
    seating::{located, moved},
};

/// Changes `state` by what `event` tells.
pub fn absorb(state: &mut State, event: &Event, now: Timestamp) {
    match event {
        Event::Tick => {}
        Event::Read(reading) => read(state, reading, now),
        Event::Outcomes(outcomes) => outcomes
            .iter()
            .for_each(|(action, outcome)| learn(state, action, outcome, now)),
    }
}

fn read(state: &mut State, reading: &Reading, now: Timestamp) {
    let record = &mut state.record;
    match reading.source {
        Source::Api => {
            let announced = state.announced.as_ref().and_then(|announced| announced.version);
            record.last_version = record.last_version.max(announced);
        }
        Source::Webhook { version } => {
            let newer = match record.last_version {
                Some(last) => version.is_some_and(|version| version > last),
                None => record.facts.is_none() || version.is_some(),
            };
            if !newer {
                return;
            }
            record.last_version = record.last_version.max(version);
        }
    }
    let old = record.facts.take();
    let facts = merge(old.as_ref(), &reading.facts, reading.source);
    move_on(record, old.as_ref(), &facts, now);
    record.facts = Some(facts);
}

/// A new reading replaces the old one, but what it leaves out is not unlearnt: an answer without rosters must not empty a channel.
fn merge(old: Option<&MatchFacts>, new: &MatchFacts, source: Source) -> MatchFacts {
    let Some(old) = old else { return new.clone() };
    if new.status == Status::Gone {
        return MatchFacts {
            status: Status::Gone,
            ..old.clone()
        };
    }
    let mut merged = new.clone();
    for (&faction, side) in &old.sides {
        let known = merged.sides.entry(faction).or_default();
        if known.roster.is_empty() && !known.bye {
            *known = Side {
                bye: false,
                ..side.clone()
            };
        }
    }
    if source != Source::Api {
        merged.scheduled_at = merged.scheduled_at.or(old.scheduled_at);
        merged.configured_at = merged.configured_at.or(old.configured_at);
        merged.map = merged.map.take().or_else(|| old.map.clone());
    }
    merged
}

/// Starts, ends or restarts the match's life. Neither `finished` nor `cancelled` is final (recorded: both were played afterwards).
fn move_on(record: &mut Record, old: Option<&MatchFacts>, new: &MatchFacts, now: Timestamp) {
    let was = old.map(|facts| facts.status.phase());
    match new.status.phase() {
        Phase::Over => {
            record.ended_at.get_or_insert(now);
        }
        Phase::Waiting => {
            // Put off: what stands goes as at an end, and the match stays open.
            record.closed_at = None;
            if record.slots.is_empty() {
                record.ended_at = None;
                record.live_since = None;
            } else {
                record.ended_at.get_or_insert(now);
            }
        }
        Phase::Running => {
            let reconfigured = old
                .and_then(|facts| facts.configured_at)
                .zip(new.configured_at)
                .is_some_and(|(a, b)| b > a);
            let again = record.ended_at.is_some() && (was != Some(Phase::Running) || reconfigured);
            if again || record.live_since.is_none() {
                record.live_since = Some(now);
                record.ended_at = None;
                record.closed_at = None;
            }
            if again {
                // In a new life everybody is brought in once more, wherever the break took him.
                record.members.values_mut().for_each(Member::try_anew);
            }
        }
    }
}

fn learn(state: &mut State, action: &Action, outcome: &Outcome, now: Timestamp) {
    if *outcome == Outcome::NotSent {
        if let Action::CreateChannel { faction, .. } = action {
            not_created(&mut state.record, *faction);
        }
        return;
    }
    match action {
        Action::CreateChannel { faction, category, .. } => created(state, *faction, *category, outcome, now),
        Action::FindChannel { faction, since, .. } => found(state, *faction, *since, outcome, now),
        Action::DeleteChannel { faction, channel } => deleted(state, *faction, *channel, outcome, now),
        Action::CheckChannel { faction, channel } => checked(state, *faction, *channel, outcome, now),
        Action::GrantAccess { faction, channel, user } => {
            access_changed(&mut state.record, *faction, *channel, *user, true, outcome, now);
        }
        Action::RevokeAccess { faction, channel, user } => {
            access_changed(&mut state.record, *faction, *channel, *user, false, outcome, now);
        }
        Action::LocateMember { user } => located(state, *user, outcome, now),
        Action::MoveMember { user, to } => moved(state, *user, *to, outcome, now),
    }
}

fn access_changed(
    record: &mut Record,
    faction: Faction,
    channel: ChannelId,
    user: UserId,
    granted: bool,
    outcome: &Outcome,
    now: Timestamp,
) {
    let Some(slot) = record
        .slots
        .get_mut(&faction)
        .filter(|slot| slot.channel == Some(channel))
    else {
        return;
    };
    match outcome {
        Outcome::Refused(_) => slot.access_blocked = block(outcome, now),
        Outcome::Gone => forget(record, faction, now),
        _ => {
            slot.access_blocked = None;
            if granted {
                slot.access.insert(user);
            } else {
                slot.access.remove(&user);
            }
        }
    }
}
