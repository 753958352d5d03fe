//! One run of *sync match M*: load, read, decide, record the intents, act, record the outcomes, decide again until nothing is left.

use std::{collections::BTreeSet, time::Duration};

use futures::future::join_all;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{
    discord,
    domain::{
        Timestamp,
        absorb::absorb,
        decide::decide,
        desired::LOOK_AGAIN,
        event::{Event, State},
        ids::{ChannelId, Faction, MatchId},
        job::{Claim, JobKey, Verdict},
        plan::{Action, Note, Outcome},
        record::{Obstacle, Record, Slot},
        report::{Wish, wish},
    },
    faceit,
    store::{self, workers::WorkerId},
    sync::{
        Sync,
        cut::{Cut, KEY_REFUSED, NOT_READY, cut_by},
        guild_view,
        halt::Halt,
        hear, load_record, load_state,
        perform::{perform, priorities},
        reading,
        telling::Telling,
        turns::{PutOff, while_current},
    },
};

/// More waves in one run than any match needs; what is left is done in the next run.
const WAVES: usize = 12;
/// How soon to look again when FACEIT could not be asked.
const FACEIT_AWAY: Duration = Duration::from_secs(15);
impl Sync {
    /// Runs a claimed job. `stop` ends it between two waves, and takes back what waits for its turn, so that another process can go on.
    pub async fn run(&self, worker: WorkerId, claim: Claim, stop: CancellationToken) -> Verdict {
        let result = match (claim.key.match_id(), claim.key.guild_id()) {
            (Some(id), _) => self.sync(worker, &claim, &id, &stop).await,
            (None, Some(guild)) => self.sync_guild(worker, &claim, guild, &stop).await,
            (None, None) => match claim.key.report_id() {
                Some(id) => self.sync_report(worker, &claim, &id, &stop).await,
                None => Err(Cut::Failed {
                    why: format!("'{}' is no key of a match, a guild or a report", claim.key),
                }),
            },
        };
        match result {
            Ok(look_again) => Verdict::Done { look_again },
            Err(cut) => cut.into(),
        }
    }

    async fn sync(
        &self,
        worker: WorkerId,
        claim: &Claim,
        id: &MatchId,
        stop: &CancellationToken,
    ) -> Result<Option<Timestamp>, Cut> {
        let mut run = Run {
            sync: self,
            worker,
            claim,
            id,
            stop,
            put_off: PutOff::default(),
            telling: Telling::new(id, claim),
            halt: Halt::listen(&self.halted),
            saved: None,
            overflow: false,
            further: BTreeSet::new(),
            emptied: false,
            read_at: None,
        };
        let (mut state, mut event, stale) = run.begin().await?;
        let mut look_again = Some(self.sources.clock.now() + NOT_READY);
        for _ in 0..WAVES {
            // Before anything is intended: what is written as intended has to be looked for afterwards. What came of the last wave is kept.
            if stop.is_cancelled() || run.halt.has_begun() {
                absorb(&mut state, &event, self.sources.clock.now());
                run.save(&state.record).await?;
                return Err(Cut::recalled(stop));
            }
            state.seats.hear(hear(&self.voice, &state));
            let decision = decide(&mut state, &event, self.sources.clock.now());
            let actions = run.without_put_off(&mut state, decision.actions);
            let now = self.sources.clock.now();
            run.telling.decided(&state, &actions, &decision.notes, now);
            run.save(&state.record).await?;
            look_again = decision.look_again;
            for note in decision
                .notes
                .iter()
                .filter(|note| matches!(note, Note::GivenUp { .. }))
            {
                warn!(match_id = %id, "{note}");
            }
            if actions.is_empty() {
                debug!(match_id = %id, look_again = ?look_again, notes = ?decision.notes, "nothing to do");
                run.want_report(&wish(&state, &decision.notes)).await?;
                break;
            }
            event = run.wave(&mut state, actions).await?;
        }
        run.book_categories(&state).await?;
        let now = self.sources.clock.now();
        let next_reading = run.read_at.map(|at| (at + LOOK_AGAIN).max(now));
        let look_again = look_again.map(|at| next_reading.map_or(at, |next| at.min(next)));
        let look_again = soon_when_stale(look_again, stale.as_ref(), now);
        run.put_off.cut(look_again, now).map_or(Ok(look_again), Err)
    }
}

/// When FACEIT could not be asked, what we did rests on old news: look again soon, unless the match is closed.
fn soon_when_stale(
    look_again: Option<Timestamp>,
    stale: Option<&faceit::error::Error>,
    now: Timestamp,
) -> Option<Timestamp> {
    let Some(error) = stale else { return look_again };
    let pause = match error {
        faceit::error::Error::Unauthorized { .. } => KEY_REFUSED,
        error => error.retry_after().unwrap_or_default().max(FACEIT_AWAY),
    };
    look_again.map(|at| at.min(now + pause))
}

/// One run under one claim.
struct Run<'a> {
    sync: &'a Sync,
    worker: WorkerId,
    claim: &'a Claim,
    id: &'a MatchId,
    stop: &'a CancellationToken,
    put_off: PutOff,
    telling: Telling<'a>,
    halt: Halt,
    /// The record as it is in the database.
    saved: Option<Record>,
    /// The guild wants further categories.
    overflow: bool,
    /// Our further categories.
    further: BTreeSet<ChannelId>,
    /// A channel in one of them is gone.
    emptied: bool,
    /// When FACEIT was asked, if that was a run before this one: a look in between does not put the next reading off.
    read_at: Option<Timestamp>,
}

impl Run<'_> {
    /// Loads what is stored and asks FACEIT. No transaction is open while we wait for FACEIT.
    async fn begin(&mut self) -> Result<(State, Event, Option<faceit::error::Error>), Cut> {
        let sources = &self.sync.sources;
        let mut conn = sources.pool.acquire().await.map_err(store::Error::from)?;
        let mut record = load_record(&mut conn, self.id, sources).await?;
        self.saved = Some(record.clone());
        let deliveries = store::deliveries::for_match(&mut conn, self.id).await?;
        record.demo_urls.extend(deliveries.demo_urls);
        drop(conn);
        let newest = deliveries.newest.as_ref();
        let begun = sources.clock.now();
        let known = self.sync.recent.reading(&record, newest, begun);
        self.read_at = known;
        let read = if known.is_some() {
            reading::Read::nothing_new()
        } else {
            let read = reading::read(&sources.faceit, self.id, newest).await;
            self.sync.recent.note(self.id, &read.event, begun);
            read
        };
        if let Some(error) = &read.stale {
            let instead = if read.event == Event::Tick {
                "what is stored"
            } else {
                "the webhook's own payload"
            };
            warn!(match_id = %self.id, %error, "FACEIT could not be asked about the match; going by {instead}");
        }
        let mut conn = sources.pool.acquire().await.map_err(store::Error::from)?;
        let mut state = load_state(&mut conn, sources, record, &read.event).await?;
        state.announced = reading::announced(deliveries.newest.as_ref());
        self.overflow = state.settings.as_ref().is_some_and(|settings| settings.overflow);
        if let Some(guild) = state.record.guild {
            let ours = state.record.slots.values().filter_map(|slot| slot.channel);
            state.guild = guild_view::view(&mut conn, Some(&self.sync.voice), guild, ours).await?;
            self.further = state.guild.overflow.iter().map(|overflow| overflow.channel).collect();
        }
        Ok((state, read.event, read.stale))
    }

    /// Has the guild's own job look after its categories: somebody waits for room, or one may be empty now.
    async fn book_categories(&mut self, state: &State) -> Result<(), Cut> {
        let Some(settings) = &state.settings else { return Ok(()) };
        let waits = |slot: &Slot| {
            slot.blocked
                .as_ref()
                .is_some_and(|blocked| blocked.by == Obstacle::NoRoom)
        };
        if self.emptied || (settings.overflow && state.record.slots.values().any(waits)) {
            let mut conn = self.sync.sources.pool.acquire().await.map_err(store::Error::from)?;
            let (key, now) = (JobKey::sync_guild(settings.guild), self.sync.sources.clock.now());
            store::jobs::book(&mut conn, &key, now).await?;
            self.emptied = false;
            // One that was made since this run began: whoever made it did not know yet that this match waits.
            let known = store::guild_states::load(&mut conn, settings.guild).await?;
            if known
                .overflow
                .iter()
                .any(|overflow| !self.further.contains(&overflow.channel))
            {
                store::jobs::book(&mut conn, &self.claim.key, now).await?;
            }
        }
        Ok(())
    }

    /// Has the report's own job see to its message, when it should say something else now: nobody waits for it to be moved.
    async fn want_report(&self, wish: &Wish) -> Result<(), Cut> {
        let now = self.sync.sources.clock.now();
        let mut conn = self.sync.sources.pool.acquire().await.map_err(store::Error::from)?;
        Ok(store::match_reports::want(&mut conn, self.worker, self.claim, self.id, wish, now).await?)
    }

    /// Writes the record, if it changed, and what is to be told of it, if the key is still ours: a late owner must not write over his successor.
    async fn save(&mut self, record: &Record) -> Result<(), Cut> {
        let changed = self.saved.as_ref() != Some(record);
        if !changed && !self.telling.has_calls() {
            return Ok(());
        }
        let mut tx = self.sync.sources.pool.begin().await.map_err(store::Error::from)?;
        if !store::jobs::still_owned(&mut tx, self.worker, self.claim).await? {
            return Err(Cut::Lost);
        }
        let now = self.sync.sources.clock.now();
        if changed {
            store::records::save(&mut tx, record, now).await?;
        }
        let steps = self.telling.take(self.saved.as_ref(), record, now);
        store::match_steps::add(&mut tx, self.id, &steps).await?;
        tx.commit().await.map_err(store::Error::from)?;
        self.telling.changes(self.saved.as_ref(), record, self.overflow);
        self.emptied |= self
            .saved
            .as_ref()
            .is_some_and(|before| leaves_any(&self.further, before, record));
        self.saved = Some(record.clone());
        Ok(())
    }

    /// Takes all steps of a wave at once. When one of them has no outcome, the others are recorded and the run ends.
    async fn wave(&mut self, state: &mut State, actions: Vec<Action>) -> Result<Event, Cut> {
        let priorities = priorities(&state.record, &actions);
        let (id, voice, now) = (self.id, &self.sync.voice, self.sync.sources.clock.now());
        let recall = self.stop.child_token();
        let Some(settings) = state.settings.clone() else {
            return Ok(Event::Outcomes(Vec::new()));
        };
        let settings = settings.as_ref();
        let steps = actions.into_iter().zip(priorities).map(|(action, priority)| {
            let discord = self.sync.discord.with_priority(priority).with_recall(recall.clone());
            async move {
                let asked = Instant::now();
                let result = perform(&discord, voice, settings, id, &action, now).await;
                (action, result, asked.elapsed())
            }
        });
        let (mut outcomes, mut held_up) = (Vec::new(), Vec::new());
        let (mut worst, mut recalled) = (None, false);
        let pool = &self.sync.sources.pool;
        let work = while_current(
            pool,
            self.worker,
            self.claim,
            &recall,
            self.halt.clone(),
            join_all(steps),
        );
        for (action, result, took) in work.await {
            let result = self.only_ours(result).await;
            match result {
                Ok(outcome) => {
                    self.telling.outcome(&action, &outcome, now, took);
                    outcomes.push((action, outcome));
                }
                Err(discord::error::Error::Recalled) => {
                    self.telling.recalled(&action);
                    outcomes.push((action, Outcome::NotSent));
                    recalled = true;
                }
                Err(error @ discord::error::Error::Busy { retry_after }) => {
                    outcomes.push((action.clone(), Outcome::NotSent));
                    let until = self.sync.sources.clock.now() + retry_after;
                    held_up.push((action.clone(), error.to_string()));
                    self.put_off.add(action, until, error.to_string());
                }
                Err(error) => {
                    self.telling.failed(&action, &error, now, took);
                    worst = Some(error);
                }
            }
        }
        self.telling.put_off(&held_up, now);
        guild_view::note_presence(
            &self.sync.sources,
            &mut state.guild,
            settings.guild,
            outcomes.iter().map(|(_, o)| o),
        )
        .await?;
        let event = Event::Outcomes(outcomes);
        let cut = match worst {
            Some(error) => cut_by(error),
            None if recalled => Cut::recalled(self.stop),
            None => return Ok(event),
        };
        absorb(state, &event, self.sync.sources.clock.now());
        self.save(&state.record).await?;
        Err(cut)
    }

    /// Leaves out what was put off in this run, and voids the intents of it.
    fn without_put_off(&self, state: &mut State, actions: Vec<Action>) -> Vec<Action> {
        let (put_off, actions) = self.put_off.divide(actions);
        let not_sent = put_off.into_iter().map(|action| (action, Outcome::NotSent)).collect();
        absorb(state, &Event::Outcomes(not_sent), self.sync.sources.clock.now());
        actions
    }

    /// A look for lost channels must not find those of another match that happens to have the same name.
    async fn only_ours(
        &self,
        result: Result<Outcome, discord::error::Error>,
    ) -> Result<Outcome, discord::error::Error> {
        let Ok(Outcome::Found(found)) = result else {
            return result;
        };
        if found.is_empty() {
            return Ok(Outcome::Found(found));
        }
        let others = async {
            let mut conn = self.sync.sources.pool.acquire().await?;
            store::active_matches::bound_elsewhere(&mut conn, &found, self.id).await
        };
        let others: BTreeSet<_> = others
            .await
            .map_err(|error: store::Error| discord::error::Error::Unavailable {
                why: format!("the found channels could not be checked: {error}"),
                ambiguous: false,
            })?;
        Ok(Outcome::Found(
            found.into_iter().filter(|channel| !others.contains(channel)).collect(),
        ))
    }
}

/// Whether a channel that was, or may have been, in one of these categories is no more.
fn leaves_any(categories: &BTreeSet<ChannelId>, before: &Record, now: &Record) -> bool {
    let gone = |(faction, slot): (&Faction, &Slot)| {
        let still = now.slots.get(faction);
        let still = still.is_some_and(|now| now.may_exist() && now.category == slot.category);
        slot.may_exist() && !still && slot.category.is_some_and(|category| categories.contains(&category))
    };
    before.slots.iter().any(gone)
}
