//! Who is moved into a faction's channel, who is let in, who is left alone, and who is put out again. Creates and deletes no channel.

use std::{collections::BTreeSet, time::Duration};

use crate::domain::{
    Timestamp,
    desired::Wanted,
    event::State,
    guild::TRY_REFUSED_AGAIN,
    ids::{ChannelId, Faction, UserId},
    match_facts::Status,
    plan::{Action, Decision, Destination, Note, Seat},
    record::{Member, Placement},
    settings::Settings,
    tear_down::way_back,
};

/// Discord may fail to tell of somebody's coming: who is absent for so long is asked for.
const ASK_AGAIN: Duration = Duration::from_secs(600);

/// However often he asks for it: whom Discord refused to have moved is not tried again sooner.
const ASK_DISCORD_AGAIN: Duration = Duration::from_secs(60);

/// What is to be done about one player.
enum Step {
    /// Nothing, and nothing is new.
    Leave,
    /// Nothing; so it stands with him now.
    Be(Placement),
    Ask,
    Move {
        from: Option<ChannelId>,
    },
}

/// Lets a faction's players in and moves those who sit where people are moved from. Who was brought in and left for another channel stays there.
pub(super) fn place(
    state: &mut State,
    settings: &Settings,
    faction: Faction,
    channel: ChannelId,
    players: &[Wanted],
    now: Timestamp,
    decision: &mut Decision,
) {
    change_access(state, faction, channel, players, now, decision);
    let Some(status) = state.record.facts.as_ref().map(|facts| facts.status.clone()) else {
        return;
    };
    for player in players {
        let user = player.user;
        let nickname = player.nickname.clone();
        if player.opted_out {
            // Forgotten, so that nothing of ours moves him out again either.
            state.record.members.remove(&user);
            decision.notes.push(Note::OptedOut { faction, nickname });
            continue;
        }
        match step(state, settings, faction, channel, user, &status, now) {
            Step::Leave => {}
            Step::Be(placement) => state.record.put(user, faction, placement, &status, now),
            Step::Ask => {
                decision.actions.push(Action::LocateMember { user });
                continue;
            }
            Step::Move { from } => {
                state.record.intend(user, faction, from, now);
                let to = Destination::Slot { faction, channel };
                decision.actions.push(Action::MoveMember { user, to });
                continue;
            }
        }
        let member = state.record.members.get(&user);
        let elsewhere = matches!(state.seats.of(user), Some(Seat::In(here)) if here != channel);
        let note = member.and_then(|member| why_not_there(faction, nickname, &member.placement, elsewhere));
        decision.notes.extend(note);
    }
}

fn step(
    state: &State,
    settings: &Settings,
    faction: Faction,
    channel: ChannelId,
    user: UserId,
    status: &Status,
    now: Timestamp,
) -> Step {
    let member = state.record.members.get(&user);
    let member = member.filter(|member| member.faction == faction);
    // Who asks for it is treated as if he was never tried.
    let known = member.filter(|member| !member.is_asked());
    if member.is_some_and(|member| {
        matches!(member.placement, Placement::Refused(_)) && now < member.tried_at + ASK_DISCORD_AGAIN
    }) {
        return Step::Leave;
    }
    let rested = |pause: Duration| known.is_none_or(|member| now >= member.tried_at + pause);
    let worth_another_try = || {
        rested(TRY_REFUSED_AGAIN) || known.is_some_and(|member| state.guild.rights_changed_since(member.tried_at, now))
    };
    let heard = state.seats.are_heard();
    let be = |placement: Placement| match known {
        Some(member) if member.placement == placement && (heard || member.tried_in == *status) => Step::Leave,
        _ => Step::Be(placement),
    };
    let Some(seat) = state.seats.of(user) else {
        return without_hearing(settings, known, status, worth_another_try());
    };
    let placement = known.map(|member| &member.placement);
    match seat {
        Seat::In(here) if here == channel => be(Placement::Moved),
        Seat::In(here) => match placement {
            // He went there by himself, unless he hung up meanwhile.
            Some(Placement::Moved) if !state.seats.is_fresh(user) && !is_stray(state, here) => Step::Leave,
            _ if !settings.is_source(here) && !state.record.owns(here) => be(Placement::Outside),
            Some(Placement::Refused(_)) if !worth_another_try() => Step::Leave,
            Some(Placement::NotInGuild) if !rested(TRY_REFUSED_AGAIN) => Step::Leave,
            _ => Step::Move { from: Some(here) },
        },
        Seat::Nowhere => match placement {
            Some(Placement::NotInGuild) => Step::Leave,
            Some(Placement::Absent) if heard && !state.seats.is_learnt(user) && rested(ASK_AGAIN) => Step::Ask,
            _ => be(Placement::Absent),
        },
        Seat::Elsewhere => match placement {
            None | Some(Placement::Absent) => be(Placement::Outside),
            Some(_) => Step::Leave,
        },
    }
}

/// While nobody listens to the gateway: whoever was not tried yet, and the others when the match goes on to its next status. Where only people in
/// certain channels are moved, he is asked for first.
fn without_hearing(settings: &Settings, member: Option<&Member>, status: &Status, rested: bool) -> Step {
    let due = member.is_none_or(|member| match member.placement {
        Placement::Moved => false,
        Placement::Absent | Placement::Outside | Placement::NotInGuild => member.tried_in != *status,
        Placement::Refused(_) => rested,
    });
    if !due {
        Step::Leave
    } else if settings.source_channels.is_empty() {
        Step::Move { from: None }
    } else {
        Step::Ask
    }
}

fn is_stray(state: &State, channel: ChannelId) -> bool {
    state.record.slots.values().any(|slot| slot.strays.contains(&channel))
}

fn why_not_there(faction: Faction, nickname: String, placement: &Placement, elsewhere: bool) -> Option<Note> {
    match placement {
        Placement::Moved => elsewhere.then_some(Note::WentElsewhere { faction, nickname }),
        Placement::Absent => Some(Note::NotInVoice { faction, nickname }),
        Placement::Outside => Some(Note::NotInSource { faction, nickname }),
        Placement::NotInGuild => Some(Note::NotInGuild { faction, nickname }),
        Placement::Refused(why) => Some(Note::MoveRefused {
            faction,
            nickname,
            why: why.clone(),
        }),
    }
}

/// Brings the list of who may enter in line with the roster, unless Discord refused that for this channel.
fn change_access(
    state: &State,
    faction: Faction,
    channel: ChannelId,
    players: &[Wanted],
    now: Timestamp,
    decision: &mut Decision,
) {
    let Some(slot) = state.record.slots.get(&faction) else {
        return;
    };
    let wanted: BTreeSet<UserId> = players.iter().map(|player| player.user).collect();
    if wanted == slot.access {
        return;
    }
    if let Some(blocked) = &slot.access_blocked
        && !state.guild.rights_changed_since(blocked.at, now)
    {
        let why = blocked.why.clone();
        decision.notes.push(Note::AccessBlocked { faction, why });
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

/// Gets people out of the match's channels who don't belong there any more, but only out of those: where nobody listens, first asks where they
/// are.
pub(super) fn put_out(state: &mut State, settings: &Settings, wanted: &BTreeSet<UserId>, decision: &mut Decision) {
    let members = state.record.members.keys();
    let others: Vec<UserId> = members.copied().filter(|user| !wanted.contains(user)).collect();
    let standing = state.record.slots.values().any(|slot| slot.channel.is_some());
    for user in others {
        match state.seats.of(user) {
            None if standing => decision.actions.push(Action::LocateMember { user }),
            Some(Seat::In(here)) if state.record.owns(here) => {
                let lobby = settings.lobby.map(Destination::Lobby);
                let to = way_back(state, settings, user).or(lobby).unwrap_or(Destination::Out);
                decision.actions.push(Action::MoveMember { user, to });
            }
            _ => {
                state.record.members.remove(&user);
            }
        }
    }
}
