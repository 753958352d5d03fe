//! A webhook delivery, read from its raw body. A hint that a match changed; the truth is in the Data API.

use std::fmt::Write as _;

use serde::Deserialize as _;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::{
    domain::{
        Timestamp,
        ids::{MatchId, is_plausible_id},
        match_facts::{MatchFacts, Status},
    },
    faceit::{
        fact,
        glance::{Keep, glance},
        wire,
    },
};

/// What decides whether and where a delivery is stored.
const HEAD: &[Keep] = &[
    Keep::Whole("event"),
    Keep::Whole("event_id"),
    Keep::Some(
        "payload",
        &[
            Keep::Whole("id"),
            Keep::Whole("version"),
            Keep::Whole("updated_at"),
            Keep::Whole("demo_url"),
        ],
    ),
];
/// No event name of FACEIT is longer than 40 characters; the store keeps up to this many bytes.
const LONGEST_EVENT: usize = 128;
const LONGEST_URL: usize = 2_048;

/// The seven events about a match, with the status that each implies. *Created* says nothing about the status (championship
/// matches are created weeks ahead), nor does *demo ready* (the match may have been restarted since).
const ABOUT_A_MATCH: [(&str, Option<Status>); 7] = [
    ("match_object_created", None),
    ("match_status_configuring", Some(Status::Configuring)),
    ("match_status_ready", Some(Status::Ready)),
    ("match_status_finished", Some(Status::Finished)),
    ("match_status_cancelled", Some(Status::Cancelled)),
    ("match_status_aborted", Some(Status::Aborted)),
    ("match_demo_ready", None),
];

/// Whether an event is about a match, so that it must name one.
pub fn needs_match(event: &str) -> bool {
    ABOUT_A_MATCH.iter().any(|(name, _)| *name == event)
}

/// The status that an event implies, if any.
pub fn implied_status(event: &str) -> Option<Status> {
    ABOUT_A_MATCH.iter().find(|(name, _)| *name == event)?.1.clone()
}

/// What a body says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub event: String,
    /// None when absent or unusable; `delivery_id` always gives one.
    pub event_id: Option<String>,
    /// Set for the seven events about a match, and only for these: other events' `payload.id` is a hub or the like.
    pub match_id: Option<MatchId>,
    /// The match's own version, which grows with every change of it.
    pub payload_version: Option<i64>,
    /// When the match changed.
    pub updated_at: Option<Timestamp>,
    pub demo_url: Option<String>,
    /// The status that the event implies.
    pub status: Option<Status>,
    /// The payload is read only when asked for: most deliveries are just stored.
    body: Box<[u8]>,
    /// Made only when there is no event id.
    body_hash: [u8; 32],
}

/// Why a body is no delivery.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("the body is empty")]
    Empty,
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    #[error("the body is not a JSON object")]
    NotAnObject,
    #[error("there is no event")]
    NoEvent,
    #[error("the event is not text")]
    EventNotText,
    #[error("the event is longer than {LONGEST_EVENT} bytes")]
    EventTooLong,
    #[error("the event contains a control character")]
    EventUnprintable,
    #[error("there is no payload.id, which {0} needs")]
    NoMatchId(String),
    #[error("payload.id is not text")]
    MatchIdNotText,
    #[error("payload.id can't be a match id: 1 to 128 bytes without blanks are expected")]
    ImplausibleMatchId,
}

impl Delivery {
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        if body.trim_ascii().is_empty() {
            return Err(Malformed::Empty);
        }
        // serde_json refuses more than 128 levels, and everything that is not UTF-8.
        let value = glance(body, HEAD).map_err(|error| Malformed::NotJson(error.to_string()))?;
        let Value::Object(mut envelope) = value else {
            return Err(Malformed::NotAnObject);
        };
        let event = event(&envelope)?;
        let payload = envelope.remove("payload").unwrap_or(Value::Null);
        let match_id = needs_match(&event).then(|| match_id(&event, &payload)).transpose()?;
        let head = wire::PayloadHead::deserialize(&payload).unwrap_or_default();
        let event_id = event_id(&envelope);
        let body_hash = match event_id {
            Some(_) => [0; 32],
            None => Sha256::digest(body).into(),
        };
        Ok(Self {
            event_id,
            match_id,
            payload_version: head.version,
            updated_at: head.updated_at,
            demo_url: head.demo_url.filter(|url| is_sound_url(url)),
            status: implied_status(&event),
            event,
            body: body.into(),
            body_hash,
        })
    }

    /// The payload as a reading, to be used while the Data API is away; None when the event implies no status.
    pub fn facts(&self) -> Option<MatchFacts> {
        let mut envelope: Value = serde_json::from_slice(&self.body).ok()?;
        let payload = envelope.get_mut("payload").map(Value::take).unwrap_or_default();
        let payload = wire::Payload::deserialize(payload).unwrap_or_default();
        Some(fact::from_payload(self.status.clone()?, payload))
    }

    /// What tells this delivery from others: FACEIT's `event_id`, or the hash of the raw body.
    pub fn delivery_id(&self) -> String {
        self.event_id.clone().unwrap_or_else(|| {
            let mut id = "sha256:".to_owned();
            for byte in self.body_hash {
                // Writing to a String can't fail.
                let _ = write!(id, "{byte:02x}");
            }
            id
        })
    }
}

fn event(envelope: &Map<String, Value>) -> Result<String, Malformed> {
    match envelope.get("event") {
        None | Some(Value::Null) => Err(Malformed::NoEvent),
        Some(Value::String(event)) if event.is_empty() => Err(Malformed::NoEvent),
        Some(Value::String(event)) if event.len() > LONGEST_EVENT => Err(Malformed::EventTooLong),
        Some(Value::String(event)) if event.chars().any(char::is_control) => Err(Malformed::EventUnprintable),
        Some(Value::String(event)) => Ok(event.clone()),
        Some(_) => Err(Malformed::EventNotText),
    }
}

fn event_id(envelope: &Map<String, Value>) -> Option<String> {
    let id = envelope.get("event_id")?.as_str()?;
    is_plausible_id(id).then(|| id.to_owned())
}

fn match_id(event: &str, payload: &Value) -> Result<MatchId, Malformed> {
    match payload.get("id") {
        None | Some(Value::Null) => Err(Malformed::NoMatchId(event.to_owned())),
        Some(Value::String(id)) if is_plausible_id(id) => Ok(MatchId::new(id)),
        Some(Value::String(_)) => Err(Malformed::ImplausibleMatchId),
        Some(_) => Err(Malformed::MatchIdNotText),
    }
}

fn is_sound_url(url: &str) -> bool {
    (1..=LONGEST_URL).contains(&url.len()) && !url.chars().any(char::is_control)
}
