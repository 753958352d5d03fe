//! What came of a step at a category: it is bound, forgotten or blocked. Plans nothing.

use std::collections::BTreeSet;

use crate::domain::{
    Timestamp,
    binding::block,
    ids::ChannelId,
    plan::Outcome,
    rooms::{Action, State},
};

pub(super) fn learn(state: &mut State, action: &Action, outcome: &Outcome, now: Timestamp) {
    if *outcome == Outcome::NotHere {
        state.guild.left(now);
    }
    if *outcome == Outcome::NotSent {
        // There is nothing to look for.
        if let Action::CreateCategory { number, .. } = action
            && let Some(category) = state.categories.get_mut(number)
        {
            category.intended_at = None;
        }
        return;
    }
    let number = match action {
        Action::AskName { .. } => {
            // Hidden from the bot or gone: the number will do to tell them apart.
            let name = match outcome {
                Outcome::Named(name) => name.clone(),
                _ => "Matches".to_owned(),
            };
            state.base_name = Some(name);
            return;
        }
        Action::CreateCategory { number, .. }
        | Action::FindCategory { number, .. }
        | Action::CheckCategory { number, .. }
        | Action::DeleteCategory { number, .. } => *number,
    };
    let ours: BTreeSet<ChannelId> = state
        .categories
        .values()
        .flat_map(|category| category.channel.iter().chain(&category.strays).copied())
        .collect();
    let Some(category) = state.categories.get_mut(&number) else {
        return;
    };
    match (action, outcome) {
        (Action::CreateCategory { .. }, outcome) => {
            category.intended_at = None;
            category.blocked = match outcome {
                Outcome::Created(channel) => {
                    category.channel = Some(*channel);
                    None
                }
                outcome => block(outcome, now),
            };
        }
        (Action::FindCategory { since, .. }, Outcome::Found(channels)) => {
            let mut channels = channels.iter().copied().filter(|channel| !ours.contains(channel));
            category.blocked = None;
            if category.intended_at.take().is_some() {
                category.channel = channels.next();
                let first = category.uncertain_since.map_or(*since, |first| first.min(*since));
                category.uncertain_since = Some(first);
            } else {
                category.uncertain_since = None;
            }
            category.strays.extend(channels);
        }
        (Action::CheckCategory { channel, .. }, outcome) => {
            state.guild.missing.remove(channel);
            if *outcome == Outcome::Gone {
                category.channel = None;
            }
        }
        (Action::DeleteCategory { channel, .. }, Outcome::Done | Outcome::Gone) => {
            category.blocked = None;
            category.strays.remove(channel);
            if category.channel == Some(*channel) {
                category.channel = None;
            }
        }
        (Action::DeleteCategory { channel, .. }, Outcome::Occupied) => {
            state.occupied.insert(*channel);
        }
        (_, outcome) => category.blocked = block(outcome, now),
    }
}
