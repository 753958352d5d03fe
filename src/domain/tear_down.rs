//! The way down: people back to the lobby, channels deleted, leftovers looked for, and the match closed.

use crate::domain::{
    Timestamp,
    decide::TRY_REFUSED_AGAIN,
    desired::LOOK_AGAIN,
    event::State,
    ids::{ChannelId, Faction},
    match_facts::Phase,
    plan::{Action, Decision, Destination, Note, Seat},
    settings::Settings,
};

/// Takes everything down: people back to the lobby, then the channels, then whatever unanswered creates left behind.
pub(super) fn tear_down(state: &mut State, settings: &Settings, now: Timestamp, decision: &mut Decision) {
    let expired = state
        .record
        .facts
        .as_ref()
        .is_some_and(|facts| facts.status.phase() == Phase::Running);
    if expired {
        decision.notes.push(Note::Expired);
    }
    state.record.slots.retain(|_, slot| {
        slot.channel.is_some()
            || slot.intended_at.is_some()
            || slot.uncertain_since.is_some()
            || !slot.strays.is_empty()
    });
    if state.record.slots.is_empty() {
        state.record.members.clear();
        let put_off = state
            .record
            .facts
            .as_ref()
            .is_some_and(|facts| facts.status.phase() == Phase::Waiting);
        if put_off && state.record.ended_at.take().is_some() {
            state.record.live_since = None;
            decision.look_again = Some(now + LOOK_AGAIN);
            return;
        }
        state.record.closed_at.get_or_insert(now);
        decision.notes.push(Note::Closed);
        return;
    }
    decision.look_again = Some(now + LOOK_AGAIN);
    for (&faction, slot) in &state.record.slots {
        if let Some(blocked) = &slot.blocked
            && now < blocked.at + TRY_REFUSED_AGAIN
        {
            decision.notes.push(Note::Blocked {
                faction,
                why: blocked.why.clone(),
            });
            continue;
        }
        let leftover = slot
            .intended_at
            .or_else(|| slot.uncertain_since.filter(|_| slot.channel.is_none()));
        if let Some(since) = leftover {
            let (name, category) = (slot.name.clone(), slot.category);
            decision.actions.push(Action::FindChannel {
                faction,
                name,
                category,
                since,
            });
        }
        if let Some(channel) = slot.channel {
            let before = decision.actions.len();
            send_home(state, settings, faction, channel, decision);
            if decision.actions.len() == before {
                decision.actions.push(Action::DeleteChannel { faction, channel });
            }
        }
        delete_strays(state, faction, now, decision);
    }
}

/// Moves those who still sit in a channel that is about to go to the lobby; without a lobby Discord disconnects them.
fn send_home(state: &State, settings: &Settings, faction: Faction, channel: ChannelId, decision: &mut Decision) {
    let Some(lobby) = settings.lobby else { return };
    for (&user, _) in state
        .record
        .members
        .iter()
        .filter(|(_, member)| member.faction == faction)
    {
        match state.seats.get(&user) {
            None => decision.actions.push(Action::LocateMember { user }),
            Some(Seat::In(seat)) if *seat == channel => {
                decision.actions.push(Action::MoveMember {
                    user,
                    to: Destination::Lobby(lobby),
                });
            }
            Some(_) => {}
        }
    }
}

/// Deletes further channels that unanswered creates left behind.
pub(super) fn delete_strays(state: &State, faction: Faction, now: Timestamp, decision: &mut Decision) {
    let Some(slot) = state.record.slots.get(&faction) else {
        return;
    };
    if slot
        .blocked
        .as_ref()
        .is_some_and(|blocked| now < blocked.at + TRY_REFUSED_AGAIN)
    {
        return;
    }
    decision.actions.extend(
        slot.strays
            .iter()
            .map(|&channel| Action::DeleteChannel { faction, channel }),
    );
}
