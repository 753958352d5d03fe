//! A rehearsal: what a match would go through from here if every call succeeded. For people who ask first; changes nothing.

use crate::domain::{
    Timestamp,
    decide::decide,
    event::{Event, State},
    ids::ChannelId,
    plan::{Action, Decision, Destination, Outcome, Seat},
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
            let member = state.record.members.get(user);
            let slot = member.and_then(|member| state.record.slots.get(&member.faction));
            Outcome::Seen(slot.and_then(|slot| slot.channel).map_or(Seat::Nowhere, Seat::In))
        }
        Action::MoveMember {
            to: Destination::Slot { .. } | Destination::Lobby(_) | Destination::Out,
            ..
        }
        | Action::DeleteChannel { .. }
        | Action::GrantAccess { .. }
        | Action::RevokeAccess { .. } => Outcome::Done,
    }
}
