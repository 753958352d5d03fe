//! Who is moved into a faction's channel, who is let in, and who is put out again. Creates and deletes no channel.

use std::collections::BTreeSet;

use crate::domain::{
    Timestamp,
    decide::TRY_REFUSED_AGAIN,
    desired::Wanted,
    event::State,
    ids::{ChannelId, Faction, UserId},
    plan::{Action, Decision, Destination, Note, Seat},
    record::{Member, Placement},
    settings::Settings,
};

/// Lets a faction's players in and moves those who were not tried yet.
pub(super) fn place(
    state: &mut State,
    faction: Faction,
    channel: ChannelId,
    players: &[Wanted],
    now: Timestamp,
    decision: &mut Decision,
) {
    change_access(state, faction, channel, players, decision);
    let Some(status) = state.record.facts.as_ref().map(|facts| facts.status.clone()) else {
        return;
    };
    for Wanted {
        user,
        nickname,
        opted_out,
    } in players
    {
        let (user, nickname) = (*user, nickname.clone());
        let member = state
            .record
            .members
            .get(&user)
            .filter(|member| member.faction == faction);
        if *opted_out {
            decision.notes.push(Note::OptedOut { faction, nickname });
            if member.is_none() {
                let placement = Placement::Absent;
                state.record.members.insert(
                    user,
                    Member {
                        faction,
                        placement,
                        tried_in: status.clone(),
                        tried_at: now,
                    },
                );
            }
            continue;
        }
        if state.seats.get(&user) == Some(&Seat::In(channel)) {
            let placement = Placement::Moved;
            state.record.members.insert(
                user,
                Member {
                    faction,
                    placement,
                    tried_in: status.clone(),
                    tried_at: now,
                },
            );
            continue;
        }
        let again = member.is_none_or(|member| match &member.placement {
            Placement::Moved => false,
            Placement::Absent | Placement::NotInGuild => member.tried_in != status,
            Placement::Refused(_) => now >= member.tried_at + TRY_REFUSED_AGAIN,
        });
        if again {
            decision.actions.push(Action::MoveMember {
                user,
                to: Destination::Slot { faction, channel },
            });
        } else if let Some(note) = member.and_then(|member| why_not_moved(faction, nickname, &member.placement)) {
            decision.notes.push(note);
        }
    }
}

fn why_not_moved(faction: Faction, nickname: String, placement: &Placement) -> Option<Note> {
    match placement {
        Placement::Moved => None,
        Placement::Absent => Some(Note::NotInVoice { faction, nickname }),
        Placement::NotInGuild => Some(Note::NotInGuild { faction, nickname }),
        Placement::Refused(why) => Some(Note::MoveRefused {
            faction,
            nickname,
            why: why.clone(),
        }),
    }
}

/// Brings the list of who may enter in line with the roster, unless Discord refused that for this channel.
fn change_access(state: &State, faction: Faction, channel: ChannelId, players: &[Wanted], decision: &mut Decision) {
    let Some(slot) = state.record.slots.get(&faction) else {
        return;
    };
    let wanted: BTreeSet<UserId> = players.iter().map(|player| player.user).collect();
    if wanted == slot.access {
        return;
    }
    if let Some(why) = &slot.access_blocked {
        decision.notes.push(Note::AccessBlocked {
            faction,
            why: why.clone(),
        });
        return;
    }
    let grants = wanted
        .difference(&slot.access)
        .map(|&user| Action::GrantAccess { faction, channel, user });
    let revokes = slot
        .access
        .difference(&wanted)
        .map(|&user| Action::RevokeAccess { faction, channel, user });
    decision.actions.extend(grants.chain(revokes));
}

/// Gets people out of a channel they don't belong to any more, but only out of that: first asks where they are.
pub(super) fn put_out(state: &mut State, settings: &Settings, wanted: &BTreeSet<UserId>, decision: &mut Decision) {
    let lobby = settings.lobby;
    let slots = &state.record.slots;
    let seats = &state.seats;
    state.record.members.retain(|user, member| {
        if wanted.contains(user) {
            return true;
        }
        let Some(channel) = slots.get(&member.faction).and_then(|slot| slot.channel) else {
            return false;
        };
        match seats.get(user) {
            None => decision.actions.push(Action::LocateMember { user: *user }),
            Some(Seat::In(seat)) if *seat == channel => {
                let to = lobby.map_or(Destination::Out, Destination::Lobby);
                decision.actions.push(Action::MoveMember { user: *user, to });
            }
            Some(_) => return false,
        }
        true
    });
}
