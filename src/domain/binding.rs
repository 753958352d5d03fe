//! What came of a step at a channel: it is bound, forgotten or blocked. Plans nothing.

use crate::domain::{
    Timestamp,
    ids::{ChannelId, Faction},
    plan::Outcome,
    record::{Blocked, Member, Record, Slot},
};

pub(super) fn created(record: &mut Record, faction: Faction, outcome: &Outcome, now: Timestamp) {
    let Some(slot) = record.slots.get_mut(&faction) else {
        return;
    };
    match outcome {
        Outcome::Created(channel) => {
            slot.channel = Some(*channel);
            slot.blocked = None;
        }
        other => {
            slot.access.clear();
            slot.blocked = Some(Blocked {
                why: refusal(other),
                at: now,
            });
        }
    }
    slot.intended_at = None;
}

pub(super) fn found(record: &mut Record, faction: Faction, since: Timestamp, outcome: &Outcome, now: Timestamp) {
    let Some(slot) = record.slots.get_mut(&faction) else {
        return;
    };
    let Outcome::Found(channels) = outcome else {
        slot.blocked = Some(Blocked {
            why: refusal(outcome),
            at: now,
        });
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

pub(super) fn deleted(record: &mut Record, faction: Faction, channel: ChannelId, outcome: &Outcome, now: Timestamp) {
    let Some(slot) = record.slots.get_mut(&faction) else {
        return;
    };
    match outcome {
        Outcome::Done | Outcome::Gone => {
            slot.blocked = None;
            slot.strays.remove(&channel);
            if slot.channel == Some(channel) {
                forget(record, faction);
            }
        }
        other => {
            slot.blocked = Some(Blocked {
                why: refusal(other),
                at: now,
            })
        }
    }
}

/// The channel of a faction is gone: whoever was in it was put out by Discord. Where people came from is still known.
pub(super) fn forget(record: &mut Record, faction: Faction) {
    let members = record.members.values_mut();
    members
        .filter(|member| member.faction == faction)
        .for_each(Member::try_anew);
    let keep = |slot: &Slot| slot.uncertain_since.is_some() || !slot.strays.is_empty();
    if let Some(slot) = record.slots.get_mut(&faction) {
        slot.channel = None;
        slot.access.clear();
        slot.access_blocked = None;
        if !keep(slot) {
            record.slots.remove(&faction);
        }
    }
}

fn refusal(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Refused(why) => why.clone(),
        other => format!("Discord's answer was unexpected: {other}"),
    }
}
