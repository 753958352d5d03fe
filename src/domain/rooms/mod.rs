//! The further categories of a guild: made when matches find the others full, removed when nothing of ours is in them. One job for each guild
//! decides it, so two matches that need room at once get one category and not two. Like `decide`, pure, and run until it plans nothing.

mod binding;
mod plan;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::domain::{
    Timestamp,
    desired::LOOK_AGAIN,
    guild::{CHANNELS, Guild, IN_CATEGORY, TRY_REFUSED_AGAIN},
    ids::ChannelId,
    plan::Note,
    record::{Blocked, Obstacle},
    render::category_name,
    settings::Settings,
};

use self::binding::learn;
pub use self::plan::{Action, Decision, Event};

/// The guild's own category is the first.
const FIRST: u32 = 2;

/// A category that is ours, may be, or can't be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// The guild's own category that was full.
    pub base: ChannelId,
    /// The name that it was or will be created with.
    pub name: String,
    /// Set while a create may have been sent and its answer is not recorded.
    pub intended_at: Option<Timestamp>,
    pub channel: Option<ChannelId>,
    /// Start of the first create whose answer never came: before it is forgotten, look for what that may have left behind.
    pub uncertain_since: Option<Timestamp>,
    /// Further categories found from unanswered creates; to be deleted.
    pub strays: BTreeSet<ChannelId>,
    pub blocked: Option<Blocked>,
}

/// All that may be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub settings: Arc<Settings>,
    pub guild: Guild,
    /// By number, as in their names.
    pub categories: BTreeMap<u32, Category>,
    /// How many channels each match needs that waits for room.
    pub waiting: Vec<usize>,
    /// The name of the guild's own category, once it was asked.
    pub base_name: Option<String>,
    /// Categories in which there are channels of others.
    pub occupied: BTreeSet<ChannelId>,
}

/// Changes `state` by what `event` tells.
pub fn absorb(state: &mut State, event: &Event, now: Timestamp) {
    if let Event::Outcomes(outcomes) = event {
        outcomes
            .iter()
            .for_each(|(action, outcome)| learn(state, action, outcome, now));
    }
    // A category that says nothing is none.
    state
        .categories
        .retain(|_, category| may_exist(category) || category.blocked.is_some());
}

/// Takes `event` into `state` and says what to do next. Save the categories before acting: they now hold the intents.
pub fn decide(state: &mut State, event: &Event, now: Timestamp) -> Decision {
    absorb(state, event, now);
    let mut decision = Decision::default();
    if let Some((why, look_again)) = held(state, now) {
        decision.notes.push(why);
        decision.look_again = (!state.categories.is_empty()).then_some(look_again);
        return decision;
    }
    let Packed { used, missing } = pack(state);
    let wants = missing > 0;
    state
        .categories
        .retain(|_, category| may_exist(category) || (wants && category.blocked.is_some()));
    let numbers: Vec<u32> = state.categories.keys().copied().collect();
    for number in numbers {
        tend(state, number, &used, wants, now, &mut decision);
    }
    if wants {
        grow(state, missing, now, &mut decision);
    }
    if !state.categories.is_empty() || !state.waiting.is_empty() {
        let again = now + LOOK_AGAIN;
        decision.look_again = Some(decision.look_again.map_or(again, |at| at.min(again)));
    }
    decision
}

/// Why nothing is done at all, and until when.
fn held(state: &State, now: Timestamp) -> Option<(String, Timestamp)> {
    if state.guild.halted {
        return Some((Note::Halted.to_string(), now + LOOK_AGAIN));
    }
    if state.guild.outage {
        return Some((Note::Outage.to_string(), now + LOOK_AGAIN));
    }
    if let Some(away) = state.guild.away {
        let again = away.checked_at + TRY_REFUSED_AGAIN;
        if now < again {
            return Some((Note::Parked { since: away.since }.to_string(), again));
        }
    }
    state
        .settings
        .paused
        .then(|| (Note::Paused.to_string(), now + LOOK_AGAIN))
}

/// Where those who wait will go.
struct Packed {
    /// Categories that have room for some of them.
    used: BTreeSet<ChannelId>,
    /// How many categories are missing, besides those that are on their way.
    missing: usize,
}

/// As `Guild::choose` will have it: a match's channels in one place, and the first place that has room.
fn pack(state: &State) -> Packed {
    let mut used = BTreeSet::new();
    let Some(base) = state.settings.category.filter(|_| state.settings.overflow) else {
        return Packed { used, missing: 0 };
    };
    let ours = state.categories.values().filter(|category| category.base == base);
    let places = std::iter::once(base).chain(ours.filter_map(|category| category.channel));
    let mut places: Vec<(ChannelId, usize)> = places.map(|place| (place, state.guild.room_in(place))).collect();
    let mut further: Vec<usize> = Vec::new();
    for needed in &state.waiting {
        if let Some((place, room)) = places.iter_mut().find(|(_, room)| room >= needed) {
            *room -= needed;
            used.insert(*place);
        } else if let Some(room) = further.iter_mut().find(|room| **room >= *needed) {
            *room -= needed;
        } else {
            further.push(IN_CATEGORY.saturating_sub(*needed));
        }
    }
    Packed {
        used,
        missing: further.len(),
    }
}

/// Whether there is, or may be, anything in Discord.
fn may_exist(category: &Category) -> bool {
    category.channel.is_some()
        || category.intended_at.is_some()
        || category.uncertain_since.is_some()
        || !category.strays.is_empty()
}

/// Whether it is too early to try again.
fn held_up(state: &State, category: &Category, now: Timestamp) -> bool {
    let blocked = category.blocked.as_ref();
    blocked.is_some_and(|blocked| now < state.guild.again_at(blocked))
}

/// The next step for a category that is known.
fn tend(state: &State, number: u32, used: &BTreeSet<ChannelId>, wants: bool, now: Timestamp, decision: &mut Decision) {
    let Some(category) = state.categories.get(&number) else {
        return;
    };
    if let Some(blocked) = category.blocked.as_ref().filter(|_| held_up(state, category, now)) {
        let again = state.guild.again_at(blocked);
        decision
            .notes
            .push(format!("category '{}': {}", category.name, blocked.why));
        decision.look_again = Some(decision.look_again.map_or(again, |at| at.min(again)));
        return;
    }
    let unused = |channel: &ChannelId| !used.contains(channel) && !state.guild.taken.contains_key(channel);
    let name = || category.name.clone();
    let step = match (category.channel, category.intended_at) {
        (None, Some(since)) => Some(Action::FindCategory {
            number,
            name: name(),
            since,
        }),
        (Some(channel), _) if state.guild.missing.contains(&channel) => Some(Action::CheckCategory { number, channel }),
        (Some(channel), _) if unused(&channel) => {
            if state.occupied.contains(&channel) {
                let what = format!("category '{}' stays: there are channels of others in it", category.name);
                decision.notes.push(what);
                None
            } else {
                Some(Action::DeleteCategory { number, channel })
            }
        }
        // Nobody needs it any more.
        (None, None) if !wants => category.uncertain_since.map(|since| Action::FindCategory {
            number,
            name: name(),
            since,
        }),
        _ => None,
    };
    decision.actions.extend(step);
    let strays = category.strays.iter().filter(|stray| !state.occupied.contains(stray));
    decision
        .actions
        .extend(strays.map(|&channel| Action::DeleteCategory { number, channel }));
}

/// Has so many categories made as are missing, besides those that are on their way.
fn grow(state: &mut State, missing: usize, now: Timestamp, decision: &mut Decision) {
    let settings = Arc::clone(&state.settings);
    let Some(base) = settings.category else { return };
    let unmade = |category: &Category| category.channel.is_none() && category.base == base;
    let coming = state.categories.values().filter(|category| unmade(category));
    let coming = coming.filter(|category| category.intended_at.is_some() || held_up(state, category, now));
    let missing = missing.saturating_sub(coming.count());
    if missing == 0 {
        return;
    }
    let Some(base_name) = state.base_name.clone() else {
        decision.actions.push(Action::AskName { base });
        return;
    };
    for _ in 0..missing {
        // A number that came to nothing before is tried again, else the first that is free.
        let free = |number: &u32| {
            let known = state.categories.get(number);
            known.is_none_or(|category| {
                category.channel.is_none() && category.intended_at.is_none() && !held_up(state, category, now)
            })
        };
        let Some(number) = (FIRST..).find(free) else { return };
        let old = state.categories.get(&number);
        let blocked = too_full(state).map(|why| Blocked {
            why,
            at: now,
            by: Obstacle::GuildFull,
        });
        let full = blocked.is_some();
        let name = category_name(&settings.overflow_name, &base_name, number);
        let category = Category {
            base,
            name: name.clone(),
            intended_at: blocked.is_none().then_some(now),
            channel: None,
            uncertain_since: old.and_then(|old| old.uncertain_since),
            strays: old.map(|old| old.strays.clone()).unwrap_or_default(),
            blocked,
        };
        state.categories.insert(number, category);
        if full {
            tend(state, number, &BTreeSet::new(), true, now, decision);
            return;
        }
        state.guild.take(None);
        decision.actions.push(Action::CreateCategory { number, name });
    }
}

/// A category is of no use without a match's channels in it.
fn too_full(state: &State) -> Option<String> {
    let needed = 1 + state.waiting.iter().max().copied().unwrap_or(1);
    let room = state.guild.room().filter(|room| *room < needed)?;
    Some(format!(
        "the Discord server has room for {room} more of its {CHANNELS} channels, which is not enough; delete some that nobody needs"
    ))
}
