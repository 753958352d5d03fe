//! The way down: people back to where they came from, channels deleted, leftovers looked for, and the match closed.

use std::collections::BTreeSet;

use crate::domain::{
    Timestamp,
    desired::LOOK_AGAIN,
    event::State,
    ids::{ChannelId, Faction, UserId},
    match_facts::Phase,
    plan::{Action, Decision, Destination, Note, Seat},
    record::{Obstacle, Slot},
    settings::{ReturnTo, Settings},
    standing::note_blocked,
};

/// Takes everything down: people back, then the channels, then whatever unanswered creates left behind.
pub(super) fn tear_down(state: &mut State, settings: &Settings, now: Timestamp, decision: &mut Decision) {
    let expired = state
        .record
        .facts
        .as_ref()
        .is_some_and(|facts| facts.status.phase() == Phase::Running);
    if state.record.is_taken_down() {
        decision.notes.push(Note::TakenDown);
    } else if expired {
        decision.notes.push(Note::Expired);
    }
    state.record.slots.retain(|_, slot| slot.may_exist());
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
        if is_held(state, slot, now) {
            note_blocked(state, faction, now, decision);
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
            let people = if state.seats.are_heard() {
                state.seats.in_channel(channel)
            } else {
                let members = state.record.members.iter();
                let of_faction = members.filter(|(_, member)| member.faction == faction);
                of_faction.map(|(user, _)| *user).collect()
            };
            empty_and_delete(state, settings, (faction, channel), people, decision);
        }
        delete_strays(state, settings, faction, now, decision);
    }
}

/// Whether it is too early to try again. What keeps a channel from being made does not keep one from being deleted.
fn is_held(state: &State, slot: &Slot, now: Timestamp) -> bool {
    let blocked = slot.blocked.as_ref().filter(|blocked| blocked.by == Obstacle::Refused);
    blocked.is_some_and(|blocked| now < state.guild.again_at(blocked))
}

/// Where somebody goes from a match channel; None: nowhere, Discord disconnects him with the channel.
pub(super) fn way_back(state: &State, settings: &Settings, user: UserId) -> Option<Destination> {
    let lobby = settings.lobby.map(Destination::Lobby);
    let came_from = match settings.return_to {
        ReturnTo::Stay => return None,
        ReturnTo::Lobby => None,
        ReturnTo::Before => state.record.members.get(&user).and_then(|member| member.came_from),
    };
    let usable = |channel: &ChannelId| {
        let of_a_match = state.record.owns(*channel) || state.other_matches.contains(channel);
        Some(*channel) != settings.lobby && !of_a_match && !state.seats.is_gone(*channel)
    };
    came_from.filter(usable).map(Destination::Back).or(lobby)
}

/// Deletes a channel as soon as none of these people is left in it who can be brought elsewhere. Who opted out of being moved stays in it: Discord
/// disconnects him.
fn empty_and_delete(
    state: &State,
    settings: &Settings,
    (faction, channel): (Faction, ChannelId),
    people: BTreeSet<UserId>,
    decision: &mut Decision,
) {
    let mut waits = false;
    for user in people {
        let opted_out = state.links.values().any(|link| link.user == user && link.opted_out);
        let Some(to) = way_back(state, settings, user).filter(|_| !opted_out) else {
            continue;
        };
        let action = match state.seats.of(user) {
            None => Action::LocateMember { user },
            Some(Seat::In(seat)) if seat == channel => Action::MoveMember { user, to },
            Some(_) => continue,
        };
        waits = true;
        let moves = |known: &Action| matches!(known, Action::MoveMember { user: moved, .. } if *moved == user);
        if !decision.actions.iter().any(|known| moves(known) || *known == action) {
            decision.actions.push(action);
        }
    }
    if !waits {
        decision.actions.push(Action::DeleteChannel { faction, channel });
    }
}

/// Deletes further channels that unanswered creates left behind.
pub(super) fn delete_strays(
    state: &State,
    settings: &Settings,
    faction: Faction,
    now: Timestamp,
    decision: &mut Decision,
) {
    let slot = state.record.slots.get(&faction);
    let Some(slot) = slot.filter(|slot| !is_held(state, slot, now)) else {
        return;
    };
    for &stray in &slot.strays {
        empty_and_delete(
            state,
            settings,
            (faction, stray),
            state.seats.in_channel(stray),
            decision,
        );
    }
}
