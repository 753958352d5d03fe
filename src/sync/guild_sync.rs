//! One run of *sync guild G*: the categories that its matches share. The same loop as for a match: load, decide, record the intents, act, record the
//! outcomes, decide again.

use std::collections::{BTreeMap, BTreeSet};

use ::metrics::counter;
use futures::future::join_all;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{
    discord::{self, client::Priority},
    domain::{
        Timestamp,
        ids::{ChannelId, GuildId},
        job::Claim,
        plan::Outcome,
        rooms::{Action, Category, Event, State, absorb, decide},
    },
    metrics,
    store::{self, affected, overflow_categories, workers::WorkerId},
    sync::{
        Sync,
        cut::{Cut, cut_by},
        guild_view,
        halt::Halt,
        perform::perform_for_guild,
        settings_of,
        turns::until,
    },
};

/// More waves in one run than any guild needs.
const WAVES: usize = 12;

impl Sync {
    pub(super) async fn sync_guild(
        &self,
        worker: WorkerId,
        claim: &Claim,
        guild: GuildId,
        stop: &CancellationToken,
    ) -> Result<Option<Timestamp>, Cut> {
        let mut run = Run {
            sync: self,
            worker,
            claim,
            guild,
            stop,
            halt: Halt::listen(&self.halted),
            saved: BTreeMap::new(),
        };
        let mut state = run.begin().await?;
        let mut event = Event::Tick;
        let mut look_again = None;
        for _ in 0..WAVES {
            if stop.is_cancelled() || run.halt.has_begun() {
                absorb(&mut state, &event, self.sources.clock.now());
                run.save(&state).await?;
                return Err(Cut::recalled(stop));
            }
            let decision = decide(&mut state, &event, self.sources.clock.now());
            run.save(&state).await?;
            look_again = decision.look_again;
            if decision.actions.is_empty() {
                debug!(%guild, look_again = ?look_again, notes = ?decision.notes, "nothing to do for the categories");
                break;
            }
            event = run.wave(&mut state, decision.actions).await?;
        }
        Ok(look_again)
    }
}

/// One run under one claim.
struct Run<'a> {
    sync: &'a Sync,
    worker: WorkerId,
    claim: &'a Claim,
    guild: GuildId,
    stop: &'a CancellationToken,
    halt: Halt,
    /// The categories as they are in the database.
    saved: BTreeMap<u32, Category>,
}

impl Run<'_> {
    async fn begin(&mut self) -> Result<State, Cut> {
        let sources = &self.sync.sources;
        let mut conn = sources.pool.acquire().await.map_err(store::Error::from)?;
        let stored = store::guilds::load(&mut conn, self.guild).await?;
        let settings = settings_of(sources, self.guild, stored);
        self.saved = overflow_categories::load(&mut conn, self.guild).await?;
        let waiting = overflow_categories::waiting(&mut conn, self.guild).await?;
        let ours = bound(&self.saved);
        let mut guild = guild_view::view(&mut conn, Some(&self.sync.voice), self.guild, ours.clone()).await?;
        if guild.fullness.is_none() {
            // Nobody tells us when one is deleted.
            guild.missing = ours;
        }
        guild.closed = waiting.full;
        Ok(State {
            settings,
            guild,
            categories: self.saved.clone(),
            waiting: waiting.needed,
            base_name: None,
            occupied: BTreeSet::new(),
        })
    }

    /// Writes the categories, if they changed and the key is still ours. Whoever waits for a new one is woken.
    async fn save(&mut self, state: &State) -> Result<(), Cut> {
        if self.saved == state.categories {
            return Ok(());
        }
        let now = self.sync.sources.clock.now();
        let mut tx = self.sync.sources.pool.begin().await.map_err(store::Error::from)?;
        if !store::jobs::still_owned(&mut tx, self.worker, self.claim).await? {
            return Err(Cut::Lost);
        }
        overflow_categories::save(&mut tx, self.guild, &state.categories, now).await?;
        tx.commit().await.map_err(store::Error::from)?;
        // Not in the transaction: a match that writes down meanwhile that it waits has to see the new category, or be seen here.
        if !bound(&state.categories).is_subset(&bound(&self.saved)) {
            let mut conn = self.sync.sources.pool.acquire().await.map_err(store::Error::from)?;
            affected::book_waiting(&mut conn, self.guild, now).await?;
        }
        self.saved = state.categories.clone();
        Ok(())
    }

    /// Takes all steps of a wave at once. When one of them has no outcome, the others are recorded and the run ends. What waits for its turn is
    /// taken back when everything is paused, but not when the guild is booked anew: every match that waits for room does that.
    async fn wave(&mut self, state: &mut State, actions: Vec<Action>) -> Result<Event, Cut> {
        let settings = state.settings.clone();
        let (voice, now) = (&self.sync.voice, self.sync.sources.clock.now());
        let recall = self.stop.child_token();
        let steps = actions.into_iter().map(|action| {
            let discord = self.sync.discord.with_recall(recall.clone()).with_priority(Priority {
                clearing_up: matches!(action, Action::DeleteCategory { .. }),
                ..Priority::default()
            });
            let settings = &settings;
            async move {
                let result = perform_for_guild(&discord, voice, settings, &action, now).await;
                (action, result)
            }
        });
        let mut outcomes = Vec::new();
        let (mut failed, mut recalled) = (None, false);
        for (action, result) in until(self.halt.clone().begins(), &recall, join_all(steps)).await {
            match result {
                Ok(outcome) => {
                    self.tell(&action, &outcome);
                    outcomes.push((action, outcome));
                }
                Err(discord::error::Error::Recalled) => {
                    debug!(guild = %self.guild, "taken back before it was sent: {action}");
                    outcomes.push((action, Outcome::NotSent));
                    recalled = true;
                }
                Err(error) => {
                    counter!(metrics::ACTIONS, "kind" => action.kind(), "outcome" => "unavailable").increment(1);
                    warn!(guild = %self.guild, kind = action.kind(), "could not {action}, will try again: {error}");
                    failed = Some(error);
                }
            }
        }
        let said = outcomes.iter().map(|(_, outcome)| outcome);
        guild_view::note_presence(&self.sync.sources, &mut state.guild, self.guild, said).await?;
        let event = Event::Outcomes(outcomes);
        let cut = match failed {
            Some(error) => cut_by(error),
            None if recalled => Cut::recalled(self.stop),
            None => return Ok(event),
        };
        absorb(state, &event, self.sync.sources.clock.now());
        self.save(state).await?;
        Err(cut)
    }

    fn tell(&self, action: &Action, outcome: &Outcome) {
        counter!(metrics::ACTIONS, "kind" => action.kind(), "outcome" => outcome.kind()).increment(1);
        let (guild, kind) = (self.guild, action.kind());
        match outcome {
            Outcome::Refused(why) => warn!(%guild, kind, "Discord refused to {action}: {why}"),
            _ => info!(%guild, kind, "{action}: {outcome}"),
        }
    }
}

fn bound(categories: &BTreeMap<u32, Category>) -> BTreeSet<ChannelId> {
    categories.values().filter_map(|category| category.channel).collect()
}
