//! What happened to a match, in order: deliveries that came, what was decided and why, calls to Discord with their outcome.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        Timestamp, event,
        history::{Kind, Step},
        ids::{Faction, MatchId, UserId},
        record::Record,
    },
    store::{
        self,
        delivery_list::{self, Listed},
        match_steps,
    },
};

/// More than any match of a day has.
const LONGEST: i64 = 1_000;
const MOST_DELIVERIES: i64 = 200;

/// One thing that happened.
#[derive(Serialize, ToSchema)]
pub struct EventBody {
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    kind: EventKind,
    /// For people.
    text: String,
    /// More of it: what a decision rests on; why Discord refused, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Calls: what kind of step.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "move_member")]
    action: Option<String>,
    /// Calls: `done`, `absent`, `not_in_guild`, `gone`, `refused`, `full`, `later`, `unavailable` and others.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    /// Calls: from asking for it to its outcome, the wait for its turn included, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    faction: Option<&'static str>,
    /// The person that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    /// What he is called on FACEIT, if he is on a roster.
    #[serde(skip_serializing_if = "Option::is_none")]
    nickname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_id: Option<String>,
    /// Deliveries: FACEIT's name of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "match_status_ready")]
    event: Option<String>,
    /// Deliveries: operators find the rest under `/api/deliveries`.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_id: Option<i64>,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// FACEIT told something.
    Delivery,
    /// The match itself: another status, closed, run again.
    Turn,
    /// What is done next, and why.
    Decision,
    /// One step in Discord.
    Call,
    /// Steps that Discord's limits hold up.
    Wait,
}

impl From<Kind> for EventKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Turn => Self::Turn,
            Kind::Decision => Self::Decision,
            Kind::Call => Self::Call,
            Kind::Wait => Self::Wait,
        }
    }
}

/// All that is kept of a match, the oldest first.
pub(super) async fn of(
    connection: &mut store::Connection,
    id: &MatchId,
    record: &Record,
    state: Option<&event::State>,
) -> Result<Vec<EventBody>, store::Error> {
    let deliveries = delivery_list::of_match(connection, id, MOST_DELIVERIES).await?;
    let steps = match_steps::of_match(connection, id, LONGEST).await?;
    let names = names(record, state);
    let mut events: Vec<EventBody> = deliveries.into_iter().rev().map(delivered).collect();
    events.extend(steps.into_iter().map(|step| stepped(step, &names)));
    // A delivery comes before what it led to, and steps keep their order.
    events.sort_by_key(|event| event.at);
    Ok(events)
}

/// What the linked players of the rosters are called.
fn names(record: &Record, state: Option<&event::State>) -> BTreeMap<UserId, String> {
    let sides = record.facts.iter().flat_map(|facts| facts.sides.values());
    let players = sides.flat_map(|side| &side.roster);
    let linked = players.filter_map(|player| {
        let link = state?.links.get(&player.id)?;
        Some((link.user, player.nickname.clone()))
    });
    linked.collect()
}

fn delivered(delivery: Listed) -> EventBody {
    let version = delivery.payload_version.map(|version| format!(" (version {version})"));
    EventBody {
        at: delivery.received_at,
        kind: EventKind::Delivery,
        text: format!("FACEIT sent {}{}", delivery.event, version.unwrap_or_default()),
        detail: None,
        action: None,
        outcome: None,
        ms: None,
        faction: None,
        user_id: None,
        nickname: None,
        channel_id: None,
        event: Some(delivery.event),
        delivery_id: Some(delivery.id),
    }
}

fn stepped(step: Step, names: &BTreeMap<UserId, String>) -> EventBody {
    EventBody {
        at: step.at,
        kind: step.kind.into(),
        text: step.words,
        detail: step.detail,
        action: step.action,
        outcome: step.outcome,
        ms: step
            .took
            .map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        faction: step.faction.map(Faction::as_str),
        user_id: step.user.as_ref().map(UserId::to_string),
        nickname: step.user.and_then(|user| names.get(&user).cloned()),
        channel_id: step.channel.map(|channel| channel.to_string()),
        event: None,
        delivery_id: None,
    }
}
