//! Floor 2: the loop that makes Discord look like what a match needs. Webhook, timer, operator and start-up all come through here.

mod match_sync;
mod perform;
mod preview;
mod reading;
mod sweep;

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    clock::Clock,
    discord,
    domain::{
        event::{Link, State},
        ids::{MatchId, PlayerId},
        record::Record,
        settings::Settings,
    },
    faceit, store,
};

pub use preview::Preview;
pub use sweep::Swept;

/// Where a decision's facts come from: enough to plan, not to act. Clones share it.
#[derive(Clone)]
pub struct Sources {
    pub pool: store::Pool,
    pub faceit: faceit::client::Client,
    pub clock: Clock,
    pub settings: Arc<Settings>,
}

/// Plans and acts. Clones share it.
#[derive(Clone)]
pub struct Sync {
    pub sources: Sources,
    pub discord: discord::client::Client,
    /// Who sits where, as the gateway tells it; a guild is unknown to it while no shard of this process listens there.
    pub voice: discord::VoiceMap,
}

/// What `decide` may look at, put together from what is stored; the links are those of everybody on `players`.
async fn load_state(
    conn: &mut store::Connection,
    settings: &Settings,
    record: Record,
    players: &[PlayerId],
) -> Result<State, store::Error> {
    let links: BTreeMap<PlayerId, Link> = store::links::for_players(conn, players).await?;
    Ok(State {
        settings: settings.clone(),
        record,
        links,
        seats: BTreeMap::new(),
        announced: None,
    })
}

/// The stored record, or a fresh one for a match nobody has looked at yet.
async fn load_record(conn: &mut store::Connection, id: &MatchId, sources: &Sources) -> Result<Record, store::Error> {
    let stored = store::records::load(conn, id).await?;
    Ok(stored.unwrap_or_else(|| Record::new(id.clone(), sources.settings.guild, sources.clock.now())))
}
