//! What FACEIT says about a match right now: the Data API's answer, or a delivery's own payload while the API is away.

use crate::{
    domain::{
        event::{Announced, Event, Reading, Source},
        ids::{MatchId, PlayerId},
        match_facts::{Competition, MatchFacts, Status},
        record::Record,
    },
    faceit::{self, webhook::Delivery},
    store::deliveries::Newest,
};

/// An event for `decide`, and how good it is.
pub struct Read {
    pub event: Event,
    /// Why the Data API could not be asked; look again soon.
    pub stale: Option<faceit::error::Error>,
}

impl Read {
    /// What is stored was read moments ago.
    pub fn nothing_new() -> Self {
        Self {
            event: Event::Tick,
            stale: None,
        }
    }
}

/// Asks FACEIT about `id`. `newest` is the delivery with the highest version, as stored.
pub async fn read(faceit: &faceit::client::Client, id: &MatchId, newest: Option<&Newest>) -> Read {
    match faceit.fetch_match(id).await {
        Ok(facts) => Read {
            event: api(facts),
            stale: None,
        },
        Err(faceit::error::Error::NotFound { .. }) => Read {
            event: api(MatchFacts::bare(Status::Gone)),
            stale: None,
        },
        Err(error) => Read {
            event: newest.and_then(fallback).unwrap_or(Event::Tick),
            stale: Some(error),
        },
    }
}

fn api(facts: MatchFacts) -> Event {
    Event::Read(Box::new(Reading {
        facts,
        source: Source::Api,
    }))
}

fn fallback(newest: &Newest) -> Option<Event> {
    let facts = Delivery::parse(&newest.body).ok()?.facts()?;
    Some(Event::Read(Box::new(Reading {
        facts,
        source: Source::Webhook {
            version: newest.payload_version,
        },
    })))
}

/// What the newest delivery announced.
pub fn announced(newest: Option<&Newest>) -> Option<Announced> {
    let newest = newest?;
    let status = faceit::webhook::implied_status(&newest.event)?;
    Some(Announced {
        status,
        version: newest.payload_version,
        at: newest.received_at,
    })
}

/// Where the match is played, by the new reading or the old one.
pub fn competition(event: &Event, record: &Record) -> Competition {
    let new = if let Event::Read(reading) = event {
        Some(&reading.facts)
    } else {
        None
    };
    let named = |facts: &&MatchFacts| !facts.competition.id.is_empty() || !facts.competition.organizer_id.is_empty();
    let known = new.into_iter().chain(&record.facts).find(named);
    known.map(|facts| facts.competition.clone()).unwrap_or_default()
}

/// Everybody on a roster, in the new reading or the old one.
pub fn players(event: &Event, record: &Record) -> Vec<PlayerId> {
    let new = if let Event::Read(reading) = event {
        Some(&reading.facts)
    } else {
        None
    };
    let sides = new
        .into_iter()
        .chain(&record.facts)
        .flat_map(|facts| facts.sides.values());
    let mut players: Vec<_> = sides
        .flat_map(|side| &side.roster)
        .map(|player| player.id.clone())
        .collect();
    players.sort();
    players.dedup();
    players
}
