//! A match whose guild can't be reached: Discord has an outage there, or the bot was removed. Nothing is lost and nothing is tried; it goes on
//! when the bot is back, or is given up long after its hard age.

use std::time::Duration;

use crate::domain::{
    Timestamp,
    desired::LOOK_AGAIN,
    event::State,
    guild::TRY_REFUSED_AGAIN,
    plan::{Decision, Note},
    settings::Settings,
};

/// How long after its hard age a match is kept whose guild the bot was removed from.
const KEPT: Duration = Duration::from_secs(3 * 24 * 3600);

/// What to do about the match instead; None when its guild can be reached, as far as we know. That the bot is still away is seen anew now
/// and then by trying: the gateway would tell, but it may not listen.
pub(super) fn parked(state: &mut State, settings: &Settings, now: Timestamp) -> Option<Decision> {
    if state.record.closed_at.is_some() {
        return None;
    }
    if state.guild.outage {
        return Some(wait(Note::Outage, now + LOOK_AGAIN));
    }
    let away = state.guild.away?;
    let record = &mut state.record;
    let began = record.live_since.unwrap_or(record.first_seen_at);
    if now >= began + settings.max_age + KEPT {
        let channels = record.slots.values().filter(|slot| slot.may_exist()).count();
        record.slots.clear();
        record.members.clear();
        record.ended_at.get_or_insert(now);
        record.closed_at = Some(now);
        return Some(Decision {
            notes: vec![Note::GivenUp { channels }],
            ..Decision::default()
        });
    }
    let again = away.checked_at + TRY_REFUSED_AGAIN;
    (now < again).then(|| wait(Note::Parked { since: away.since }, again))
}

fn wait(note: Note, look_again: Timestamp) -> Decision {
    Decision {
        notes: vec![note],
        look_again: Some(look_again),
        ..Decision::default()
    }
}
