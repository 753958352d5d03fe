//! What would be done for a match, without doing it: for `muster plan` and dry runs. Reads only.

use std::fmt;

use crate::{
    domain::{
        event::{Event, Link, State},
        ids::{Faction, MatchId},
        match_facts::{MatchFacts, Status},
        plan::Decision,
        rehearse::rehearse,
        render::stamp,
    },
    faceit::{self, webhook::Delivery},
    store::{self, deliveries::Newest},
    sync::{Sources, Sync, guild_view, load_record, load_state, reading},
};

/// A match as it is known, and the waves of steps that would be taken now. Prints for people.
pub struct Preview {
    id: MatchId,
    pub state: State,
    /// One after the other; the last one has no steps.
    pub waves: Vec<Decision>,
    stale: Option<faceit::error::Error>,
    /// Nobody ever heard of it.
    unknown: bool,
}

impl Sources {
    /// Rehearses a sync of `id`, as if `newest` were its newest delivery (else the newest stored one counts).
    pub async fn preview(&self, id: &MatchId, newest: Option<Newest>) -> Result<Preview, store::Error> {
        let mut conn = self.pool.acquire().await?;
        let record = load_record(&mut conn, id, self).await?;
        let newest = match newest {
            Some(newest) => Some(newest),
            None => store::deliveries::for_match(&mut conn, id).await?.newest,
        };
        let read = reading::read(&self.faceit, id, newest.as_ref()).await;
        let heard_of = record.facts.is_some() || newest.is_some();
        let mut state = load_state(&mut conn, self, record, &read.event).await?;
        state.announced = reading::announced(newest.as_ref());
        if let Some(guild) = state.record.guild {
            state.guild = guild_view::view(&mut conn, None, guild, []).await?;
        }
        let now = self.clock.now();
        let waves = rehearse(state.clone(), read.event.clone(), now);
        if let Event::Read(_) = read.event {
            crate::domain::absorb::absorb(&mut state, &read.event, now);
        }
        let gone = |facts: &MatchFacts| facts.status == Status::Gone;
        let unknown = !heard_of && state.record.facts.as_ref().is_some_and(gone);
        Ok(Preview {
            id: id.clone(),
            state,
            waves,
            stale: read.stale,
            unknown,
        })
    }
}

/// What a delivery would lead to. Prints for people.
pub enum Rehearsal {
    /// It would be refused, because.
    Refused(String),
    /// It would be stored, and nothing done for its event.
    Ignored {
        event: String,
    },
    Accepted {
        event: String,
        preview: Box<Preview>,
    },
}

impl Sources {
    /// Rehearses a delivery with this body, as if it were the newest of its match.
    pub async fn rehearse(&self, body: &[u8]) -> Result<Rehearsal, store::Error> {
        let delivery = match Delivery::parse(body) {
            Ok(delivery) => delivery,
            Err(error) => return Ok(Rehearsal::Refused(error.to_string())),
        };
        let Delivery {
            event,
            match_id,
            payload_version,
            ..
        } = delivery;
        let Some(id) = match_id else {
            return Ok(Rehearsal::Ignored { event });
        };
        let newest = Newest {
            event: event.clone(),
            payload_version,
            received_at: self.clock.now(),
            body: body.to_vec(),
        };
        let preview = Box::new(self.preview(&id, Some(newest)).await?);
        Ok(Rehearsal::Accepted { event, preview })
    }
}

impl fmt::Display for Rehearsal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => write!(f, "would be refused: {why}"),
            Self::Ignored { event } => write!(f, "{event}: would be stored; nothing to do for this event"),
            Self::Accepted { event, preview } => write!(f, "{event}\n{preview}"),
        }
    }
}

impl Sync {
    /// The same by what is known, with who sits where; FACEIT is not asked. None for a match that nobody heard of.
    pub async fn outlook(&self, id: &MatchId) -> Result<Option<Preview>, store::Error> {
        let Some(state) = self.known(id).await? else {
            return Ok(None);
        };
        Ok(Some(Preview {
            id: id.clone(),
            waves: rehearse(state.clone(), Event::Tick, self.sources.clock.now()),
            state,
            stale: None,
            unknown: false,
        }))
    }
}

impl Preview {
    /// Whether any step would be taken.
    pub fn is_empty(&self) -> bool {
        self.waves.iter().all(|wave| wave.actions.is_empty())
    }
}

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = self.state.record.facts.as_ref();
        if self.unknown {
            return write!(
                f,
                "match {}: neither FACEIT nor Muster knows it; is the id right?",
                self.id
            );
        }
        let status = facts.map_or("unknown to FACEIT and to us", |facts| facts.status.as_str());
        writeln!(f, "match {}: {status}", self.id)?;
        if let Some(error) = &self.stale {
            writeln!(f, "  (going by what is stored or delivered: {error})")?;
        }
        for faction in Faction::BOTH {
            let Some(side) = facts.and_then(|facts| facts.sides.get(&faction)) else {
                continue;
            };
            writeln!(f, "  {faction} '{}': {}", side.name, self.roster(faction))?;
        }
        let actions: Vec<_> = self.waves.iter().flat_map(|wave| &wave.actions).collect();
        if actions.is_empty() {
            writeln!(f, "  nothing to do")?;
        }
        for action in actions {
            writeln!(f, "  - {action}")?;
        }
        let mut notes: Vec<_> = self.waves.iter().flat_map(|wave| &wave.notes).collect();
        notes.sort();
        notes.dedup();
        for note in notes {
            writeln!(f, "  ({note})")?;
        }
        match self.waves.last().and_then(|wave| wave.look_again) {
            Some(at) => write!(f, "  then look again at {}", stamp(at)),
            None => write!(f, "  and the match is not looked at again unless FACEIT tells of it"),
        }
    }
}

impl Preview {
    fn roster(&self, faction: Faction) -> String {
        let roster = self
            .state
            .record
            .facts
            .iter()
            .filter_map(|facts| facts.sides.get(&faction))
            .flat_map(|side| &side.roster);
        let names: Vec<_> = roster
            .map(|player| match self.state.links.get(&player.id) {
                Some(Link { user, .. }) => format!("{} = member {user}", player.nickname),
                None => format!("{} = not linked", player.nickname),
            })
            .collect();
        if names.is_empty() {
            "no roster".to_owned()
        } else {
            names.join(", ")
        }
    }
}
