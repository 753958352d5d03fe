//! The way up: both channels of a running match made, looked for or waited for; then everybody is brought into his own.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Timestamp,
    decide::TRY_REFUSED_AGAIN,
    desired::Wanted,
    event::State,
    ids::{Faction, UserId},
    placing::{place, put_out},
    plan::{Action, Decision, Note},
    record::Slot,
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
    for (&faction, players) in wanted {
        match state.record.slots.get(&faction) {
            Some(Slot {
                channel: Some(channel), ..
            }) => {
                let channel = *channel;
                place(state, settings, faction, channel, players, now, decision);
            }
            Some(Slot {
                blocked: Some(blocked), ..
            }) if now < blocked.at + TRY_REFUSED_AGAIN => {
                let why = blocked.why.clone();
                decision.notes.push(Note::Blocked { faction, why });
            }
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
            _ => create(state, settings, faction, players, now, decision),
        }
    }
    let users: BTreeSet<UserId> = wanted.values().flatten().map(|player| player.user).collect();
    put_out(state, settings, &users, decision);
    for faction in Faction::BOTH {
        delete_strays(state, settings, faction, now, decision);
    }
}

/// Writes the intent to create a faction's channel.
fn create(
    state: &mut State,
    settings: &Settings,
    faction: Faction,
    players: &[Wanted],
    now: Timestamp,
    decision: &mut Decision,
) {
    let old = state.record.slots.get(&faction);
    let facts = state.record.facts.as_ref();
    let name = channel_name(&settings.name_template, &state.record.id, faction, facts);
    let category = settings.category;
    let access: BTreeSet<UserId> = players.iter().map(|player| player.user).collect();
    let slot = Slot {
        name: name.clone(),
        category,
        intended_at: Some(now),
        channel: None,
        uncertain_since: old.and_then(|slot| slot.uncertain_since),
        strays: old.map(|slot| slot.strays.clone()).unwrap_or_default(),
        access: access.clone(),
        blocked: None,
        access_blocked: None,
    };
    state.record.slots.insert(faction, slot);
    decision.actions.push(Action::CreateChannel {
        faction,
        name,
        category,
        access: access.into_iter().collect(),
    });
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
