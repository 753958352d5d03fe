//! What should exist for a match right now: nothing yet, both channels, the channels as they are, or nothing any more.

use std::{collections::BTreeMap, time::Duration};

use crate::domain::{
    Timestamp,
    event::State,
    ids::{Faction, UserId},
    match_facts::{MatchFacts, Phase, Status},
    settings::{OpenWhen, Settings},
};

/// What a match needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Desired {
    /// Not yet. Look again then.
    Wait { why: String, look_again: Timestamp },
    /// Both channels, with these linked players in them.
    Stand(BTreeMap<Faction, Vec<Wanted>>),
    /// Over, but within the grace period: leave everything as it is.
    Keep { until: Timestamp },
    /// Nothing, and what exists goes.
    Nothing,
}

/// A linked player who belongs into a faction's channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub user: UserId,
    pub nickname: String,
    pub opted_out: bool,
}

/// How often an open match is looked at again, in case a webhook was lost.
pub const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// How often a match is looked at that is scheduled for later.
const LOOK_AT_SCHEDULED: Duration = Duration::from_secs(3600);
/// How long before its scheduled time a match is looked at every minute again.
const EARLY: Duration = Duration::from_secs(600);
/// A match that never started this long after it was scheduled, or first heard of, is not waited for any more.
const NEVER_STARTED: Duration = Duration::from_secs(24 * 3600);

/// What `state` needs at `now`.
pub fn desired(state: &State, settings: &Settings, now: Timestamp) -> Desired {
    let record = &state.record;
    if let Some(ended) = record.ended_at {
        let until = ended + settings.grace;
        return if now < until && !record.slots.is_empty() && !record.is_taken_down() {
            Desired::Keep { until }
        } else {
            Desired::Nothing
        };
    }
    let Some(facts) = &record.facts else {
        return wait(
            "FACEIT has not told us anything about it yet",
            record.first_seen_at,
            now,
            LOOK_AGAIN,
        );
    };
    match facts.status.phase() {
        Phase::Over => Desired::Nothing,
        Phase::Waiting => {
            let since = facts
                .scheduled_at
                .map_or(record.first_seen_at, |at| at.max(record.first_seen_at));
            wait(
                waiting_for(&facts.status),
                since,
                now,
                pause_before(facts.scheduled_at, now),
            )
        }
        Phase::Running if !facts.rosters_known() => {
            wait(missing_roster(facts), record.live_since.unwrap_or(now), now, LOOK_AGAIN)
        }
        Phase::Running => {
            let wanted = wanted(state, settings, facts);
            let nobody = record.slots.is_empty() && wanted.values().all(Vec::is_empty);
            if nobody && settings.open_when == OpenWhen::SomebodyLinked {
                let since = record.live_since.unwrap_or(now);
                return wait("nobody on either roster is linked yet", since, now, LOOK_AGAIN);
            }
            Desired::Stand(wanted)
        }
    }
}

fn wait(why: &str, since: Timestamp, now: Timestamp, pause: Duration) -> Desired {
    if now >= since + NEVER_STARTED {
        return Desired::Nothing;
    }
    Desired::Wait {
        why: why.to_owned(),
        look_again: now + pause,
    }
}

fn waiting_for(status: &Status) -> &'static str {
    match status {
        Status::Scheduled => "it is only scheduled",
        Status::CaptainPick => "the captains are still picking",
        _ => "it is only created",
    }
}

fn missing_roster(facts: &MatchFacts) -> &'static str {
    if facts.sides.values().any(|side| side.bye) {
        "one side is a bye: nobody to play against"
    } else {
        "FACEIT has not named both rosters yet"
    }
}

/// Championship matches are created days ahead: asking about each every minute would eat the API's budget.
fn pause_before(scheduled_at: Option<Timestamp>, now: Timestamp) -> Duration {
    let Some(at) = scheduled_at else { return LOOK_AGAIN };
    let ahead = Duration::try_from(at - EARLY - now).unwrap_or_default();
    ahead.clamp(LOOK_AGAIN, LOOK_AT_SCHEDULED)
}

/// Who belongs where. Somebody on both rosters counts for the first.
fn wanted(state: &State, settings: &Settings, facts: &MatchFacts) -> BTreeMap<Faction, Vec<Wanted>> {
    let mut seen = std::collections::BTreeSet::new();
    let mut wanted = BTreeMap::new();
    for faction in Faction::BOTH {
        let roster = facts.sides.get(&faction).map_or(&[][..], |side| &side.roster);
        let players = roster
            .iter()
            .filter_map(|player| Some((player, state.links.get(&player.id)?)))
            .filter(|(_, link)| link.verified || !settings.verified_links_only)
            .filter(|(_, link)| seen.insert(link.user))
            .map(|(player, link)| Wanted {
                user: link.user,
                nickname: player.nickname.clone(),
                opted_out: link.opted_out,
            })
            .collect();
        wanted.insert(faction, players);
    }
    wanted
}
