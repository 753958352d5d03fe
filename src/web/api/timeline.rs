//! What happened to a match, in order: deliveries that came, what staff ordered, what was decided and why, calls to Discord with their outcome.

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
        audit::{self, Filter, Recorded},
        delivery_list::{self, Listed},
        match_steps,
    },
};

/// More than any match of a day has.
const LONGEST: i64 = 1_000;
const MOST_DELIVERIES: i64 = 200;
const MOST_ORDERS: i64 = 200;

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
    /// Somebody of the staff, or an operator, asked for something; who it was stands in the audit log.
    Order,
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
    let mut causes: Vec<EventBody> = deliveries.into_iter().rev().map(delivered).collect();
    let about = Filter {
        subject: Some(id.as_str()),
        ..Filter::default()
    };
    let orders = audit::list(connection, &about, MOST_ORDERS).await?;
    causes.extend(orders.into_iter().rev().filter_map(|order| ordered(&order, &names)));
    causes.sort_by_key(|cause| cause.at);
    Ok(merge(causes, steps.into_iter().map(|step| stepped(step, &names))))
}

/// A delivery or an order comes before what it led to. Steps keep their order, whatever two clocks say.
fn merge(causes: Vec<EventBody>, steps: impl Iterator<Item = EventBody>) -> Vec<EventBody> {
    let mut causes = causes.into_iter().peekable();
    let mut events = Vec::new();
    for step in steps {
        while let Some(cause) = causes.next_if(|cause| cause.at <= step.at) {
            events.push(cause);
        }
        events.push(step);
    }
    events.extend(causes);
    events
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

impl EventBody {
    fn new(kind: EventKind, at: Timestamp, text: impl Into<String>) -> Self {
        Self {
            at,
            kind,
            text: text.into(),
            detail: None,
            action: None,
            outcome: None,
            ms: None,
            faction: None,
            user_id: None,
            nickname: None,
            channel_id: None,
            event: None,
            delivery_id: None,
        }
    }

    fn about(mut self, user: Option<UserId>, names: &BTreeMap<UserId, String>) -> Self {
        self.user_id = user.as_ref().map(UserId::to_string);
        self.nickname = user.and_then(|user| names.get(&user).cloned());
        self
    }
}

fn delivered(delivery: Listed) -> EventBody {
    let version = delivery.payload_version.map(|version| format!(" (version {version})"));
    let text = format!("FACEIT sent {}{}", delivery.event, version.unwrap_or_default());
    EventBody {
        event: Some(delivery.event),
        delivery_id: Some(delivery.id),
        ..EventBody::new(EventKind::Delivery, delivery.received_at, text)
    }
}

/// None for what is no order.
fn ordered(order: &Recorded, names: &BTreeMap<UserId, String>) -> Option<EventBody> {
    let after = order.entry.after.as_ref();
    let user = after.and_then(|after| after["user_id"].as_str()?.parse().ok());
    let text = match order.entry.action.as_str() {
        "match.sync" => "staff had it looked at again",
        "match.teardown" => "staff had it taken down",
        "match.move" if user.is_some() => "staff had somebody moved once more",
        "match.move" => "staff had everybody moved once more",
        "delivery.replayed" => "an operator went by a delivery once more",
        _ => return None,
    };
    let event = EventBody::new(EventKind::Order, order.at, text).about(user, names);
    let delivery_id = after.and_then(|after| after["delivery"].as_i64());
    Some(EventBody { delivery_id, ..event })
}

fn stepped(step: Step, names: &BTreeMap<UserId, String>) -> EventBody {
    EventBody {
        detail: step.detail,
        action: step.action,
        outcome: step.outcome,
        ms: step
            .took
            .map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        faction: step.faction.map(Faction::as_str),
        channel_id: step.channel.map(|channel| channel.to_string()),
        ..EventBody::new(step.kind.into(), step.at, step.words).about(step.user, names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{
            history::turns,
            match_facts::{MatchFacts, Status},
        },
        store::delivery_list::Outcome,
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + time::Duration::seconds(seconds)
    }

    fn delivery(seconds: i64) -> EventBody {
        delivered(Listed {
            id: seconds,
            received_at: at(seconds),
            event: format!("event {seconds}"),
            event_id: String::new(),
            match_id: None,
            payload_version: None,
            demo_url: None,
            outcome: Outcome::Done,
        })
    }

    fn step(status: Status, seconds: i64) -> EventBody {
        let before = Record::new(MatchId::new("1-a"), at(0));
        let record = Record {
            facts: Some(MatchFacts::bare(status)),
            ..before.clone()
        };
        let turn = turns(Some(&before), &record, at(seconds)).remove(0);
        stepped(turn, &BTreeMap::new())
    }

    #[test]
    fn deliveries_stand_before_what_they_led_to_and_steps_keep_their_order() {
        let steps = [
            step(Status::Ready, 2),
            step(Status::Ongoing, 1),
            step(Status::Finished, 4),
        ];
        let events = merge(vec![delivery(1), delivery(2), delivery(5)], steps.into_iter());
        let texts: Vec<&str> = events.iter().map(|event| event.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "FACEIT sent event 1",
                "FACEIT sent event 2",
                "the match is READY",
                "the match is ONGOING",
                "the match is FINISHED",
                "FACEIT sent event 5",
            ]
        );
    }
}
