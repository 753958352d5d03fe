//! Floor 2: listens to Discord's gateway, keeps the map of who sits where, and books the matches that an event concerns. Moves nobody and
//! decides nothing. Interactions are only handed on, unread.

mod bookings;
mod events;
mod identify;
mod lease;
mod link;
mod listen;
mod pace;
mod taking_in;
mod words;

use std::{pin::pin, sync::Arc, time::Duration};

use secrecy::SecretString;
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use twilight_model::gateway::{Intents, ShardId};
use url::Url;

use crate::{
    clock::Clock,
    discord::{self, Client, Shards, VoiceMap, shards::Status},
    gateway::{bookings::Booker, lease::Lease, link::Login, listen::Listener, pace::Pace},
    store,
};

/// Channels and guilds, and who is in voice. Neither needs Discord's approval.
const INTENTS: Intents = Intents::GUILDS.union(Intents::GUILD_VOICE_STATES);
/// How long the last saves may take when we stop.
const SAVE_WITHIN: Duration = Duration::from_secs(3);
/// How long the last bookings may take when we stop.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// How to listen.
#[derive(Clone, Debug)]
pub struct Options {
    /// The bot's token, without the word `Bot`.
    pub token: SecretString,
    /// Another address than the one that Discord names.
    pub url: Option<Url>,
    /// Another number than the one that Discord recommends.
    pub shards: Option<u32>,
}

/// Where interactions go: commands, buttons and the like, each the `d` of an INTERACTION_CREATE, as Discord wrote it. Whoever takes them has
/// 3 s for each. After an interruption one may come late, or once more: Discord then refuses the answer (10062, 40060).
pub type Interactions = mpsc::UnboundedSender<Box<str>>;

/// What it works with; everything is shared.
#[derive(Clone)]
pub struct Gateway {
    pub pool: store::Pool,
    pub clock: Clock,
    /// Says where the gateway is.
    pub discord: Client,
    pub voice: VoiceMap,
    pub shards: Shards,
    /// Fired after something was booked.
    pub wake: Arc<Notify>,
    /// Whether another process listens, and works: then this one has nobody's seat to go by.
    pub standing_by: watch::Sender<bool>,
    /// None while nobody answers any.
    pub interactions: Option<Interactions>,
    pub options: Options,
    pub stop: CancellationToken,
}

/// Why we listen no longer.
#[derive(PartialEq, Eq)]
enum Left {
    /// We stop, or were given up.
    ForGood,
    /// Another process has the right now.
    Replaced,
}

impl Gateway {
    /// Listens until `stop`, then leaves so that the sessions can be resumed. Outlives the absence of Discord and of the database.
    pub async fn run(self) {
        let Some(bot) = self.find().await else { return };
        let count = self.options.shards.unwrap_or(bot.shards).max(1);
        let url = match &self.options.url {
            Some(url) => url.as_str(),
            None => &bot.url,
        };
        tracing::info!(
            shards = count,
            url,
            sessions_left = bot.starts.remaining,
            "listening to Discord's gateway"
        );
        let mut tasks = JoinSet::new();
        let (booker, booking) = bookings::start(
            self.pool.clone(),
            self.clock.clone(),
            self.wake.clone(),
            self.shards.clone(),
            self.voice.clone(),
        );
        tasks.spawn(booking);
        let (identify, admitting) = identify::start(&self, bot.starts);
        let admitting = tasks.spawn(admitting);
        let login = Login {
            url: url.to_owned(),
            token: self.options.token.clone(),
            identify,
        };
        while self.listen(count, &login, &booker).await == Left::Replaced {
            tracing::warn!("another process listens to Discord's gateway now");
        }
        drop((booker, login));
        admitting.abort();
        let leave = async { while tasks.join_next().await.is_some() {} };
        if timeout(LEAVE_WITHIN, leave).await.is_err() {
            tracing::warn!("what happened last in Discord could not be booked; the next start hears of it again");
        }
    }

    /// Waits for the right to listen, and listens to all shards.
    async fn listen(&self, count: u32, login: &Login, booker: &Booker) -> Left {
        let all = |status: &Status| (0..count).for_each(|number| self.shards.set(number, status.clone()));
        all(&Status::Connecting);
        let stand_by = || {
            all(&Status::StandingBy);
            self.standing_by.send_replace(true);
        };
        let waited = Lease::wait(&self.pool, &self.clock, count, &self.stop, stand_by).await;
        let Some((lease, mut sessions)) = waited else {
            return Left::ForGood;
        };
        self.standing_by.send_replace(false);
        let (saves, waiting) = mpsc::channel(count as usize);
        let mut listeners = JoinSet::new();
        for number in 0..count {
            let (shard, stored) = (ShardId::new(number, count), sessions.remove(&number));
            let listener = Listener::new(self.clone(), shard, login.clone(), booker.clone(), stored);
            listeners.spawn(listener.run(saves.clone()));
        }
        drop(saves);
        let mut keeping = pin!(lease.keep(waiting, booker.clone()));
        loop {
            tokio::select! {
                ended = listeners.join_next() => match ended {
                    Some(Ok(())) => {}
                    Some(Err(error)) => tracing::error!(%error, "a shard broke down; start Muster again, and report this"),
                    None => break,
                },
                kept = &mut keeping => {
                    if kept.is_ok() {
                        // Nothing more is to be saved: all of them are about to end.
                        while listeners.join_next().await.is_some() {}
                        return Left::ForGood;
                    }
                    listeners.shutdown().await;
                    // The other one knows better.
                    self.voice.clear();
                    return Left::Replaced;
                }
            }
        }
        if timeout(SAVE_WITHIN, keeping).await.is_err() {
            tracing::warn!("the gateway's sessions could not be saved at the end");
        }
        Left::ForGood
    }

    /// Where the gateway is; asked until it is known. None when we stop before.
    async fn find(&self) -> Option<discord::gateway::GatewayBot> {
        let mut pace = Pace::default();
        loop {
            let asked = self.stop.run_until_cancelled(self.discord.gateway_bot()).await?;
            let error = match asked {
                Ok(bot) => {
                    self.shards.set_trouble(None);
                    return Some(bot);
                }
                Err(error) => error,
            };
            let pause = pace.pause().max(error.retry_after().unwrap_or_default());
            tracing::warn!(%error, again_in = ?pause, "could not ask Discord where its gateway is");
            self.shards
                .set_trouble(Some(format!("Discord does not say where its gateway is: {error}")));
            self.stop.run_until_cancelled(tokio::time::sleep(pause)).await?;
        }
    }
}
