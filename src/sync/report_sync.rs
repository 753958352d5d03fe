//! One run of *report on match M*: the message in the guild's report channel made to say what the match's run wrote down. A job of its own, so
//! that nobody who is to be moved waits for a message, and no move is tried again because of one.

use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use twilight_model::id::Id;

use crate::{
    discord::{
        client::{Client, Priority},
        error::Error,
        messages::{self, Posted},
    },
    domain::{
        Timestamp,
        desired::LOOK_AGAIN,
        ids::{ChannelId, GuildId, MatchId},
        job::Claim,
        report::{Message, Report, Step, ended, is_about},
    },
    store::{
        self,
        match_reports::{self, StoredReport},
        workers::WorkerId,
    },
    sync::{
        Sync,
        cut::{Cut, cut_by},
        halt::Halt,
        settings_of,
        turns::while_current,
    },
};

/// More steps than any message needs: out of one channel, into another.
const STEPS: usize = 4;

impl Sync {
    pub(super) async fn sync_report(
        &self,
        worker: WorkerId,
        claim: &Claim,
        id: &MatchId,
        stop: &CancellationToken,
    ) -> Result<Option<Timestamp>, Cut> {
        let run = Run {
            sync: self,
            worker,
            claim,
            id,
            recall: stop.child_token(),
            halt: Halt::listen(&self.halted),
        };
        for _ in 0..STEPS {
            if stop.is_cancelled() {
                return Err(Cut::Yielded);
            }
            // Read anew for each step: what is wanted may change meanwhile.
            let Some(mut report) = run.load().await? else {
                return Ok(None);
            };
            if run.is_paused(report.guild).await? {
                return Ok(Some(self.sources.clock.now() + LOOK_AGAIN));
            }
            match report.report.next(self.sources.clock.now()) {
                Step::Done => return Ok(None),
                Step::Rest(until) => return Ok(Some(until)),
                Step::Forget => {
                    let mut tx = run.begin().await?;
                    match_reports::forget(&mut tx, id, &report.report).await?;
                    tx.commit().await.map_err(store::Error::from)?;
                    return Ok(None);
                }
                Step::Post { channel, text } => {
                    let text = text.unwrap_or_else(|| ended(id));
                    run.post(&mut report, channel, text).await?;
                }
                Step::Look { channel, since } => run.look(&mut report.report, channel, since).await?,
                Step::Edit { channel, message, text } => {
                    run.edit(&mut report.report, channel, message, text).await?;
                }
                Step::Delete { channel, message } => run.delete(&mut report.report, channel, message).await?,
            }
        }
        Ok(Some(self.sources.clock.now()))
    }
}

/// One run under one claim.
struct Run<'a> {
    sync: &'a Sync,
    worker: WorkerId,
    claim: &'a Claim,
    id: &'a MatchId,
    /// Takes back what waits for its turn.
    recall: CancellationToken,
    halt: Halt,
}

impl Run<'_> {
    async fn load(&self) -> Result<Option<StoredReport>, Cut> {
        let mut conn = self.sync.sources.pool.acquire().await.map_err(store::Error::from)?;
        Ok(match_reports::load(&mut conn, self.id).await?)
    }

    async fn is_paused(&self, guild: Option<GuildId>) -> Result<bool, Cut> {
        let mut conn = self.sync.sources.pool.acquire().await.map_err(store::Error::from)?;
        if store::service_pause::load(&mut conn).await?.is_some() {
            return Ok(true);
        }
        let Some(guild) = guild else { return Ok(false) };
        let stored = store::guilds::load(&mut conn, guild).await?;
        Ok(settings_of(&self.sync.sources, guild, stored).paused)
    }

    /// A transaction in which the report is ours.
    async fn begin(&self) -> Result<store::Transaction, Cut> {
        let mut tx = self.sync.sources.pool.begin().await.map_err(store::Error::from)?;
        match_reports::lock(&mut tx, self.id).await?;
        if !store::jobs::still_owned(&mut tx, self.worker, self.claim).await? {
            return Err(Cut::Lost);
        }
        Ok(tx)
    }

    async fn save(&self, report: &Report) -> Result<(), Cut> {
        let mut tx = self.begin().await?;
        match_reports::save(&mut tx, self.id, report, self.sync.sources.clock.now()).await?;
        Ok(tx.commit().await.map_err(store::Error::from)?)
    }

    /// Written down before, so that a post whose answer is lost is no second message: Discord gives the same one for the same nonce, for some
    /// minutes; after them it is looked for.
    async fn post(&self, stored: &mut StoredReport, channel: ChannelId, text: String) -> Result<(), Cut> {
        let nonce = format!("muster-{}", stored.number);
        let report = &mut stored.report;
        let now = self.sync.sources.clock.now();
        let before = report.posting;
        report.posting = before.or(Some((now, channel)));
        self.save(report).await?;
        let message = messages::Message {
            content: &text,
            nonce: Some(&nonce),
            ..messages::Message::default()
        };
        let posted = self.call(async |discord: &Client| discord.post_message(channel, &message).await);
        let posted = match posted.await {
            Err(error) => {
                // An earlier try may have been carried out all the same.
                if !error.is_ambiguous() && before.is_none() {
                    report.posting = None;
                    self.save(report).await?;
                }
                return Err(self.cut(error));
            }
            Ok(posted) => posted,
        };
        match posted {
            Posted::Yes(id) => {
                info!(match_id = %self.id, %channel, "the report is posted");
                report.posting = None;
                report.message = Some(Message {
                    channel,
                    id: id.get(),
                    // It may be what an earlier try posted, and then says what was wanted at that time.
                    said: if before.is_none() { text } else { String::new() },
                    said_at: now,
                });
                report.blocked = None;
            }
            refused => {
                if before.is_none() {
                    report.posting = None;
                }
                self.block(report, channel, refused);
            }
        }
        self.save(report).await
    }

    /// Takes the message over if it was posted after all; else it is posted anew, in the next step.
    async fn look(&self, report: &mut Report, channel: ChannelId, since: Timestamp) -> Result<(), Cut> {
        let found = async |discord: &Client| {
            let found = discord.find_own_message(channel, since, |said| is_about(said, self.id));
            found.await
        };
        match self.call(found).await.map_err(|error| self.cut(error))? {
            Ok(Some(found)) => {
                info!(match_id = %self.id, %channel, "the report was posted after all");
                report.posting = None;
                report.blocked = None;
                report.message = Some(Message {
                    channel,
                    id: found.id.get(),
                    said: found.content,
                    said_at: self.sync.sources.clock.now(),
                });
            }
            Ok(None) => report.posting = None,
            Err(refused) => self.block(report, channel, refused),
        }
        self.save(report).await
    }

    async fn edit(&self, report: &mut Report, channel: ChannelId, id: u64, text: String) -> Result<(), Cut> {
        let message = messages::Message {
            content: &text,
            ..messages::Message::default()
        };
        let edited = self.call(async |discord: &Client| discord.edit_message(channel, Id::new(id), &message).await);
        match edited.await.map_err(|error| self.cut(error))? {
            Posted::Yes(_) => {
                debug!(match_id = %self.id, %channel, "the report is brought up to date");
                report.blocked = None;
                report.message = Some(Message {
                    channel,
                    id,
                    said: text,
                    said_at: self.sync.sources.clock.now(),
                });
            }
            Posted::Gone => {
                info!(match_id = %self.id, %channel, "somebody deleted the report: it is not posted again");
                report.message = None;
                report.dismissed = true;
            }
            refused => {
                self.block(report, channel, refused);
                if report.over {
                    // The last word stays unsaid: nobody looks after a match that is over for ever.
                    report.message = None;
                }
            }
        }
        self.save(report).await
    }

    /// What can't be deleted stays, and is not thought of again.
    async fn delete(&self, report: &mut Report, channel: ChannelId, id: u64) -> Result<(), Cut> {
        let why = format!("FACEIT match {}: its report is done with", self.id);
        let deleted = self.call(async |discord: &Client| discord.delete_message(channel, Id::new(id), &why).await);
        if let Posted::Refused(why) = deleted.await.map_err(|error| self.cut(error))? {
            warn!(match_id = %self.id, %channel, "the report can't be deleted and stays there: {why}");
        }
        report.message = None;
        self.save(report).await
    }

    /// Discord's limits are used for moves first.
    async fn call<T>(&self, work: impl AsyncFnOnce(&Client) -> Result<T, Error>) -> Result<T, Error> {
        let discord = self.sync.discord.with_priority(Priority::default());
        let discord = discord.with_recall(self.recall.clone());
        let pool = &self.sync.sources.pool;
        let halt = self.halt.clone();
        while_current(pool, self.worker, self.claim, &self.recall, halt, work(&discord)).await
    }

    fn block(&self, report: &mut Report, channel: ChannelId, refused: Posted) {
        if refused == Posted::Gone {
            // With all that was in it.
            report.posting = None;
        }
        let why = match refused {
            Posted::Refused(why) => why,
            Posted::Yes(_) | Posted::Gone | Posted::Closed => format!(
                "channel {channel} does not exist any more: name another one with `muster guilds set report_channel=…`, or none"
            ),
        };
        if report.blocked.as_ref().is_none_or(|(before, _)| *before != why) {
            warn!(match_id = %self.id, %channel, "the report can't be written: {why}");
        }
        report.refused(channel, why, self.sync.sources.clock.now());
    }

    fn cut(&self, error: Error) -> Cut {
        debug!(match_id = %self.id, "the report could not be written, will try again: {error}");
        cut_by(error)
    }
}
