//! A rehearsal: what a match would go through from here if every call succeeded. For people who ask first; changes nothing.

use crate::domain::{
    Timestamp,
    decide::decide,
    event::{Event, State},
    ids::ChannelId,
    plan::{Action, Decision, Outcome, Seat},
    record::Placement,
};

/// More waves than any match needs.
const LONGEST: usize = 8;
/// Stands for the channels that don't exist yet; never shown, since plans name a faction's channel by the faction.
const IMAGINED: u64 = 1;

/// The decisions one after the other, the last one without actions.
pub fn rehearse(mut state: State, mut event: Event, now: Timestamp) -> Vec<Decision> {
    let mut waves = Vec::new();
    let mut imagined = IMAGINED;
    while waves.len() < LONGEST {
        let decision = decide(&mut state, &event, now);
        let outcomes = decision
            .actions
            .iter()
            .map(|action| (action.clone(), imagine(&state, action, &mut imagined)));
        event = Event::Outcomes(outcomes.collect());
        let last = decision.actions.is_empty();
        waves.push(decision);
        if last {
            break;
        }
    }
    waves
}

fn imagine(state: &State, action: &Action, next: &mut u64) -> Outcome {
    match action {
        Action::CreateChannel { .. } => {
            *next += 1;
            ChannelId::new(*next).map_or(Outcome::Found(Vec::new()), Outcome::Created)
        }
        Action::FindChannel { .. } => Outcome::Found(Vec::new()),
        Action::LocateMember { user } => {
            // Who is already placed sits where he was put, the others where they can be moved from.
            let member = state.record.members.get(user);
            let placed = member.filter(|member| member.placement == Placement::Moved);
            let slot = placed.and_then(|member| state.record.slots.get(&member.faction));
            let settings = state.settings.as_ref();
            let source = || settings.and_then(|settings| settings.source_channels.first().copied());
            let channel = slot.and_then(|slot| slot.channel).or_else(source);
            Outcome::Seen(channel.map_or(Seat::Nowhere, Seat::In))
        }
        Action::MoveMember { .. }
        | Action::DeleteChannel { .. }
        | Action::CheckChannel { .. }
        | Action::GrantAccess { .. }
        | Action::RevokeAccess { .. } => Outcome::Done,
    }
}
