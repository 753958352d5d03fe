//! Floor 2: the loop that makes Discord look like what a match needs. Webhook, timer, operator and start-up all come through here.

mod cut;
mod guild_sync;
mod guild_view;
mod halt;
mod match_sync;
mod perform;
mod preview;
mod reading;
mod recent;
mod report_sync;
mod sweep;
mod telling;
mod turns;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::sync::watch;

use crate::{
    clock::Clock,
    discord,
    domain::{
        event::{Event, Link, State},
        guild::Guild,
        ids::{GuildId, MatchId, PlayerId},
        record::Record,
        seats::{Heard, Seats},
        settings::Settings,
    },
    faceit, store,
};

pub use halt::look_out;
pub use preview::{Preview, Rehearsal};
pub use recent::Recent;
pub use sweep::Swept;

/// Where a decision's facts come from: enough to plan, not to act. Clones share it.
#[derive(Clone)]
pub struct Sources {
    pub pool: store::Pool,
    pub faceit: faceit::client::Client,
    pub clock: Clock,
    /// The guild of the environment: whatever no other guild claims is its own. A row in the database goes before these settings.
    pub default_guild: Option<Arc<Settings>>,
}

/// Plans and acts. Clones share it.
#[derive(Clone)]
pub struct Sync {
    pub sources: Sources,
    pub discord: discord::client::Client,
    /// Who sits where, as the gateway tells it; a guild is unknown to it while no shard of this process listens there.
    pub voice: discord::VoiceMap,
    pub recent: Recent,
    /// Whether the operators have paused everything, as `look_out` tells.
    pub halted: watch::Receiver<bool>,
}

impl Sync {
    /// A match as it stands for the next decision, for people who ask: nothing is done, and FACEIT is not asked. None for one that nobody heard of.
    pub async fn known(&self, id: &MatchId) -> Result<Option<State>, store::Error> {
        let mut conn = self.sources.pool.acquire().await?;
        let Some(record) = store::records::load(&mut conn, id).await? else {
            return Ok(None);
        };
        let mut state = load_state(&mut conn, &self.sources, record, &Event::Tick).await?;
        if let Some(guild) = state.record.guild {
            let ours: Vec<_> = state.record.slots.values().filter_map(|slot| slot.channel).collect();
            state.guild = guild_view::view(&mut conn, Some(&self.voice), guild, ours).await?;
        }
        state.seats.hear(hear(&self.voice, &state));
        Ok(Some(state))
    }
}

/// What `decide` may look at, put together from what is stored; the links are those of everybody on `players`.
async fn load_state(
    conn: &mut store::Connection,
    sources: &Sources,
    mut record: Record,
    event: &Event,
) -> Result<State, store::Error> {
    let players = reading::players(event, &record);
    let settings = find_home(conn, sources, &mut record, event).await?;
    let links: BTreeMap<PlayerId, Link> = store::links::for_players(conn, &players).await?;
    let lobby = settings.as_ref().and_then(|settings| settings.lobby);
    let came_from = record.members.values().filter_map(|member| member.came_from);
    let came_from: BTreeSet<_> = came_from.filter(|channel| Some(*channel) != lobby).collect();
    let other_matches = if came_from.is_empty() {
        BTreeSet::new()
    } else {
        let came_from: Vec<_> = came_from.into_iter().collect();
        store::active_matches::bound_elsewhere(conn, &came_from, &record.id).await?
    };
    Ok(State {
        settings,
        guild: Guild::default(),
        record,
        links,
        seats: Seats::default(),
        other_matches,
        announced: None,
    })
}

/// What the gateway tells of the people and channels of a match; None while nobody listens to its guild.
fn hear(voice: &discord::VoiceMap, state: &State) -> Option<Heard> {
    let settings = state.settings.as_ref()?;
    let record = &state.record;
    let linked = state.links.values().map(|link| link.user);
    let people = linked.chain(record.members.keys().copied()).collect();
    let slots = record.slots.values();
    let own = slots.flat_map(|slot| slot.channel.into_iter().chain(slot.strays.iter().copied()));
    let asked = record.members.values().filter_map(|member| member.came_from);
    voice.hear(settings.guild, &people, &own.collect(), &asked.collect())
}

/// Says in the record whose match it is, and gives that guild's settings. Once channels are made, it stays where it is.
async fn find_home(
    conn: &mut store::Connection,
    sources: &Sources,
    record: &mut Record,
    event: &Event,
) -> Result<Option<Arc<Settings>>, store::Error> {
    let bound = record.guild.filter(|_| !record.slots.is_empty());
    let default = sources.default_guild.as_ref();
    let competition = reading::competition(event, record);
    let (guild, stored) =
        store::guilds::home(conn, bound, &competition, default.map(|settings| settings.guild)).await?;
    record.guild = guild;
    Ok(guild.map(|guild| settings_of(sources, guild, stored)))
}

/// A guild's own settings, else those of the environment if it is that one, else what every guild starts with.
fn settings_of(sources: &Sources, guild: GuildId, stored: Option<store::guilds::StoredGuild>) -> Arc<Settings> {
    let default = sources
        .default_guild
        .as_ref()
        .filter(|settings| settings.guild == guild);
    match (stored, default) {
        (Some(stored), _) => Arc::new(stored.settings),
        (None, Some(default)) => default.clone(),
        (None, None) => Arc::new(Settings::new(guild)),
    }
}

/// The stored record, or a fresh one for a match nobody has looked at yet.
async fn load_record(conn: &mut store::Connection, id: &MatchId, sources: &Sources) -> Result<Record, store::Error> {
    let stored = store::records::load(conn, id).await?;
    Ok(stored.unwrap_or_else(|| Record::new(id.clone(), sources.clock.now())))
}
