//! What came of a step at a channel: it is bound, forgotten or blocked. Plans nothing.

use crate::domain::{
    Timestamp,
    event::State,
    ids::{ChannelId, Faction},
    plan::Outcome,
    record::{Blocked, Member, Obstacle, Record},
    render::stamp,
};

pub(super) fn created(
    state: &mut State,
    faction: Faction,
    category: Option<ChannelId>,
    outcome: &Outcome,
    now: Timestamp,
) {
    let base = state.settings.as_ref().and_then(|settings| settings.category);
    if matches!(outcome, Outcome::CategoryFull | Outcome::CategoryGone(_)) {
        state.guild.closed.extend(category);
    }
    if *outcome == Outcome::NotHere {
        state.guild.left(now);
    }
    let Some(slot) = state.record.slots.get_mut(&faction) else {
        return;
    };
    slot.intended_at = None;
    slot.blocked = match outcome {
        Outcome::Created(channel) => {
            slot.channel = Some(*channel);
            slot.gone_at = None;
            None
        }
        // A further category of ours: another one will do.
        Outcome::CategoryGone(_) if category != base => Some(no_room(now)),
        Outcome::CategoryFull => Some(no_room(now)),
        outcome => block(outcome, now),
    };
    if slot.channel.is_none() {
        slot.access.clear();
    }
    drop_empty(&mut state.record, faction);
}

/// The create was never sent: there is nothing to look for.
pub(super) fn not_created(record: &mut Record, faction: Faction) {
    if let Some(slot) = record.slots.get_mut(&faction) {
        slot.intended_at = None;
        if slot.channel.is_none() {
            slot.access.clear();
        }
    }
    drop_empty(record, faction);
}

pub(super) fn found(state: &mut State, faction: Faction, since: Timestamp, outcome: &Outcome, now: Timestamp) {
    if *outcome == Outcome::NotHere {
        state.guild.left(now);
    }
    let Some(slot) = state.record.slots.get_mut(&faction) else {
        return;
    };
    let Outcome::Found(channels) = outcome else {
        slot.blocked = block(outcome, now);
        return;
    };
    let ours = slot.channel;
    let mut channels = channels.iter().copied().filter(|channel| ours != Some(*channel));
    slot.blocked = None;
    if slot.intended_at.take().is_some() {
        slot.channel = channels.next();
        slot.uncertain_since = Some(slot.uncertain_since.map_or(since, |first| first.min(since)));
    } else {
        slot.uncertain_since = None;
    }
    slot.strays.extend(channels);
}

pub(super) fn deleted(state: &mut State, faction: Faction, channel: ChannelId, outcome: &Outcome, now: Timestamp) {
    if *outcome == Outcome::NotHere {
        state.guild.left(now);
    }
    let record = &mut state.record;
    let Some(slot) = record.slots.get_mut(&faction) else {
        return;
    };
    match outcome {
        Outcome::Done | Outcome::Gone => {
            slot.blocked = None;
            slot.strays.remove(&channel);
            if slot.channel == Some(channel) {
                forget(record, faction, now);
            }
        }
        outcome => slot.blocked = block(outcome, now),
    }
}

/// The gateway did not know the channel; Discord was asked.
pub(super) fn checked(state: &mut State, faction: Faction, channel: ChannelId, outcome: &Outcome, now: Timestamp) {
    state.guild.missing.remove(&channel);
    let slot = state.record.slots.get(&faction);
    if *outcome == Outcome::Gone && slot.is_some_and(|slot| slot.channel == Some(channel)) {
        forget(&mut state.record, faction, now);
    }
}

/// The channel of a faction is gone: whoever was in it was put out by Discord. Where people came from is still known. While the match runs, we
/// remember that somebody deleted it.
pub(super) fn forget(record: &mut Record, faction: Faction, now: Timestamp) {
    let members = record.members.values_mut();
    members
        .filter(|member| member.faction == faction)
        .for_each(Member::try_anew);
    let running = record.ended_at.is_none();
    if let Some(slot) = record.slots.get_mut(&faction) {
        slot.channel = None;
        slot.access.clear();
        slot.access_blocked = None;
        slot.gone_at = running.then_some(now);
    }
    drop_empty(record, faction);
}

/// A slot that says nothing is no slot.
fn drop_empty(record: &mut Record, faction: Faction) {
    if record.slots.get(&faction).is_some_and(|slot| !slot.has_reason()) {
        record.slots.remove(&faction);
    }
}

fn no_room(now: Timestamp) -> Blocked {
    Blocked {
        why: "the category is full".to_owned(),
        at: now,
        by: Obstacle::NoRoom,
    }
}

/// What stands in the way after such an outcome; None when the bot is away, for that holds up everything there.
pub(super) fn block(outcome: &Outcome, now: Timestamp) -> Option<Blocked> {
    let (why, by) = match outcome {
        Outcome::NotHere => return None,
        Outcome::Refused(why) | Outcome::CategoryGone(why) => (why.clone(), Obstacle::Refused),
        Outcome::GuildFull => (
            "the Discord server has 500 channels, and Discord allows no more; delete some that nobody needs".to_owned(),
            Obstacle::GuildFull,
        ),
        Outcome::Later { after, why } => {
            let until = now + *after;
            (format!("not before {}: {why}", stamp(until)), Obstacle::Later(until))
        }
        other => (format!("Discord's answer was unexpected: {other}"), Obstacle::Refused),
    };
    Some(Blocked { why, at: now, by })
}
