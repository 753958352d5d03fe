//! The way up: both channels of a running match made, looked for or waited for; then everybody is brought into his own.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Timestamp,
    desired::Wanted,
    event::State,
    guild::{CHANNELS, IN_CATEGORY},
    ids::{ChannelId, Faction, UserId},
    placing::{place, put_out},
    plan::{Action, Decision, Note},
    record::{Blocked, Obstacle, Slot},
    render::channel_name,
    settings::Settings,
    tear_down::delete_strays,
};

/// Brings both channels up and everybody into his own.
pub(super) fn stand(
    state: &mut State,
    settings: &Settings,
    wanted: &BTreeMap<Faction, Vec<Wanted>>,
    now: Timestamp,
    decision: &mut Decision,
) {
    note_unlinked(state, settings, decision);
    let slots = &state.record.slots;
    let stands = |faction: &Faction| slots.get(faction).is_some_and(|slot| slot.channel.is_some());
    let mut needed = wanted.keys().filter(|faction| !stands(faction)).count();
    for (&faction, players) in wanted {
        match state.record.slots.get(&faction) {
            Some(Slot {
                channel: Some(channel), ..
            }) if state.guild.missing.contains(channel) => {
                let channel = *channel;
                decision.actions.push(Action::CheckChannel { faction, channel });
            }
            Some(Slot {
                channel: Some(channel), ..
            }) => {
                let channel = *channel;
                place(state, settings, faction, channel, players, now, decision);
            }
            Some(slot) if is_held(slot, state, now) => note_blocked(state, faction, now, decision),
            Some(Slot {
                intended_at: Some(since),
                name,
                category,
                ..
            }) => {
                let (name, category, since) = (name.clone(), *category, *since);
                decision.actions.push(Action::FindChannel {
                    faction,
                    name,
                    category,
                    since,
                });
            }
            Some(Slot { gone_at: Some(_), .. }) if players.iter().all(|player| player.opted_out) => {
                decision.notes.push(Note::ChannelGone { faction });
            }
            _ => {
                if make(state, settings, faction, players, needed, now, decision) {
                    needed -= 1;
                }
            }
        }
    }
    let users: BTreeSet<UserId> = wanted.values().flatten().map(|player| player.user).collect();
    put_out(state, settings, &users, decision);
    for faction in Faction::BOTH {
        delete_strays(state, settings, faction, now, decision);
    }
}

/// Whether it is too early to try again. Where only a category is missing, there may be one by now.
fn is_held(slot: &Slot, state: &State, now: Timestamp) -> bool {
    let blocked = slot.blocked.as_ref();
    blocked.is_some_and(|blocked| blocked.by != Obstacle::NoRoom && now < state.guild.again_at(blocked))
}

/// Says why, and looks again when it is worth another try.
pub(super) fn note_blocked(state: &State, faction: Faction, now: Timestamp, decision: &mut Decision) {
    let slot = state.record.slots.get(&faction);
    let Some(blocked) = slot.and_then(|slot| slot.blocked.as_ref()) else {
        return;
    };
    let why = blocked.why.clone();
    decision.notes.push(Note::Blocked { faction, why });
    let again = state.guild.again_at(blocked).max(now);
    if blocked.by != Obstacle::NoRoom {
        decision.look_again = Some(decision.look_again.map_or(again, |at| at.min(again)));
    }
}

/// Has a faction's channel made where there is room for it and whatever else the match needs. False when there is none, and says so.
fn make(
    state: &mut State,
    settings: &Settings,
    faction: Faction,
    players: &[Wanted],
    needed: usize,
    now: Timestamp,
    decision: &mut Decision,
) -> bool {
    close_refused(state, faction, now);
    let mut others = state
        .record
        .slots
        .iter()
        .filter(|(other, slot)| **other != faction && slot.may_exist());
    let other = others.find_map(|(_, slot)| slot.category);
    let (by, why) = match (state.guild.room(), state.guild.choose(settings, needed, other)) {
        (Some(room), _) if room < needed => (Obstacle::GuildFull, guild_full(room, needed)),
        (_, None) => (Obstacle::NoRoom, no_room(state, settings)),
        (_, Some(category)) => {
            create(state, settings, faction, category, players, now, decision);
            return true;
        }
    };
    block(state, settings, faction, by, why, now);
    note_blocked(state, faction, now, decision);
    false
}

/// While the gateway does not tell how full a category is, it is not tried again at once after Discord called it full.
fn close_refused(state: &mut State, faction: Faction, now: Timestamp) {
    let Some(slot) = state.record.slots.get(&faction) else {
        return;
    };
    if let (Some(blocked), Some(category)) = (&slot.blocked, slot.category)
        && blocked.by == Obstacle::NoRoom
        && state.guild.fullness.is_none()
        && now < state.guild.again_at(blocked)
    {
        state.guild.closed.insert(category);
    }
}

/// Writes the intent to create a faction's channel.
fn create(
    state: &mut State,
    settings: &Settings,
    faction: Faction,
    category: Option<ChannelId>,
    players: &[Wanted],
    now: Timestamp,
    decision: &mut Decision,
) {
    let access: BTreeSet<UserId> = players.iter().map(|player| player.user).collect();
    let slot = Slot {
        category,
        intended_at: Some(now),
        access: access.clone(),
        ..fresh(state, settings, faction)
    };
    let name = slot.name.clone();
    state.guild.take(category);
    state.record.slots.insert(faction, slot);
    decision.actions.push(Action::CreateChannel {
        faction,
        name,
        category,
        access: access.into_iter().collect(),
        staff: settings.staff_roles.iter().copied().collect(),
        spectators: settings.spectator_roles.iter().copied().collect(),
    });
}

/// Writes down why there is no channel; since when, only once.
fn block(state: &mut State, settings: &Settings, faction: Faction, by: Obstacle, why: String, now: Timestamp) {
    let slot = state.record.slots.get(&faction);
    let before = slot.and_then(|slot| slot.blocked.clone().filter(|blocked| blocked.by == by));
    // Where it was refused; that is what is not to be tried again.
    let category = before.as_ref().and_then(|_| slot?.category).or(settings.category);
    // A category may be looked at at any time, since that costs nothing; the guild is asked about again.
    let at = before
        .filter(|_| by == Obstacle::NoRoom)
        .map_or(now, |blocked| blocked.at);
    let slot = Slot {
        category,
        blocked: Some(Blocked { why, at, by }),
        gone_at: slot.and_then(|slot| slot.gone_at),
        ..fresh(state, settings, faction)
    };
    state.record.slots.insert(faction, slot);
}

/// A slot without a channel; what unanswered creates may have left behind stays with it.
fn fresh(state: &State, settings: &Settings, faction: Faction) -> Slot {
    let old = state.record.slots.get(&faction);
    let facts = state.record.facts.as_ref();
    Slot {
        name: channel_name(&settings.name_template, &state.record.id, faction, facts),
        category: None,
        intended_at: None,
        channel: None,
        uncertain_since: old.and_then(|slot| slot.uncertain_since),
        strays: old.map(|slot| slot.strays.clone()).unwrap_or_default(),
        access: BTreeSet::new(),
        blocked: None,
        gone_at: None,
        access_blocked: None,
    }
}

fn guild_full(room: usize, needed: usize) -> String {
    format!(
        "the Discord server has room for {room} more of its {CHANNELS} channels, and this match needs {needed}; delete some that nobody needs"
    )
}

fn no_room(state: &State, settings: &Settings) -> String {
    let category = settings.category.map_or_else(String::new, |id| format!(" {id}"));
    let full = format!("category{category} is full ({IN_CATEGORY} channels)");
    match &state.guild.overflow_blocked {
        _ if !settings.overflow => format!(
            "{full}: delete some of them in Discord, let Muster make further categories (OVERFLOW_CATEGORIES), or set VC_CATEGORY_ID to another one"
        ),
        Some(why) => format!("{full}, and no further one can be made: {why}"),
        None => format!("{full}; a further one is being made"),
    }
}

fn note_unlinked(state: &State, settings: &Settings, decision: &mut Decision) {
    let Some(facts) = &state.record.facts else { return };
    for (&faction, side) in &facts.sides {
        for player in &side.roster {
            let nickname = || player.nickname.clone();
            match state.links.get(&player.id) {
                None => decision.notes.push(Note::NotLinked {
                    faction,
                    nickname: nickname(),
                }),
                Some(link) if settings.verified_links_only && !link.verified => {
                    decision.notes.push(Note::NotVerified {
                        faction,
                        nickname: nickname(),
                    });
                }
                Some(_) => {}
            }
        }
    }
}
