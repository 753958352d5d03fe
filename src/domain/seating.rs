//! What came of a step with a person: where he sits now, and what he is down as. Plans nothing.

use crate::domain::{
    Timestamp,
    binding::forget,
    event::State,
    ids::{ChannelId, Faction, UserId},
    match_facts::Status,
    plan::{Destination, Outcome, Seat},
    record::Placement,
};

pub(super) fn located(state: &mut State, user: UserId, outcome: &Outcome, now: Timestamp) {
    // What can't be told is left alone, as if he sat somewhere else.
    let seat = if let Outcome::Seen(seat) = outcome {
        *seat
    } else {
        Seat::Elsewhere
    };
    state.seats.learn(user, seat);
    if let Some(member) = state.record.members.get_mut(&user)
        && member.placement == Placement::Absent
    {
        member.tried_at = now;
    }
}

pub(super) fn moved(state: &mut State, user: UserId, to: Destination, outcome: &Outcome, now: Timestamp) {
    match (to, outcome) {
        (_, Outcome::NotHere) => state.guild.left(now),
        (Destination::Slot { faction, channel }, outcome) => moved_in(state, user, faction, channel, outcome, now),
        (_, Outcome::Absent | Outcome::NotInGuild) | (Destination::Out, _) => state.seats.learn(user, Seat::Nowhere),
        (Destination::Back(channel) | Destination::Lobby(channel), Outcome::Done) => {
            state.seats.learn(user, Seat::In(channel));
        }
        (Destination::Back(channel), _) => {
            // It is gone, or closed to him: then the lobby.
            let came_from = state.record.members.get_mut(&user).map(|member| &mut member.came_from);
            match came_from.filter(|from| **from == Some(channel)) {
                Some(from) => *from = None,
                None => state.seats.learn(user, Seat::Elsewhere),
            }
        }
        // Refused or gone: he was not worth a second try, the channel goes in any case.
        (Destination::Lobby(_), _) => state.seats.learn(user, Seat::Elsewhere),
    }
}

fn moved_in(state: &mut State, user: UserId, faction: Faction, channel: ChannelId, outcome: &Outcome, now: Timestamp) {
    let placement = match outcome {
        Outcome::Absent => Placement::Absent,
        Outcome::NotInGuild => Placement::NotInGuild,
        Outcome::Refused(why) => Placement::Refused(why.clone()),
        Outcome::Gone => {
            let slot = state.record.slots.get(&faction);
            if slot.is_some_and(|slot| slot.channel == Some(channel)) {
                forget(&mut state.record, faction, now);
            }
            return;
        }
        _ => Placement::Moved,
    };
    match placement {
        Placement::Moved => state.seats.learn(user, Seat::In(channel)),
        // Where he sits he stays.
        Placement::Refused(_) => {}
        _ => state.seats.learn(user, Seat::Nowhere),
    }
    let facts = state.record.facts.as_ref();
    let status = facts.map_or(Status::Gone, |facts| facts.status.clone());
    state.record.put(user, faction, placement, &status, now);
}
