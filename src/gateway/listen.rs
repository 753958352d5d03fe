//! One shard for as long as we have the right to listen: connects, takes in what is told, saves, and connects again with a pause.

use std::{pin::pin, time::Duration};

use ::metrics::counter;
use tokio::{
    sync::mpsc,
    time::{Instant, Interval, MissedTickBehavior, interval, sleep},
};
use twilight_model::gateway::ShardId;

use crate::{
    discord::shards::Status,
    gateway::{
        Gateway,
        bookings::Booker,
        events::{self, Event},
        lease::Save,
        link::{End, Heard, Link, Login},
        pace::Pace,
        taking_in::Guilds,
        words,
    },
    metrics,
    store::gateway_sessions::{News, Session, Stored},
};

/// How often the session is saved: so much is told again after a kill.
const SAVE_EVERY: Duration = Duration::from_secs(3);
/// The same for a session that has just begun.
const SAVE_FIRST: Duration = Duration::from_millis(200);
/// After so long without a connection, what we know of the guilds is no longer good enough to decide by.
const STALE_AFTER: Duration = Duration::from_secs(15);
/// Discord wants so much time, at least and at most, between the loss of a session and the next one.
const NEW_SESSION: (f64, f64) = (1.0, 5.0);
/// How long Discord has to answer when we hang up.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why we listen to a shard no longer.
enum Over {
    Stopping,
    Fatal(&'static str),
}

pub(super) struct Listener {
    gateway: Gateway,
    id: ShardId,
    login: Login,
    booker: Booker,
    guilds: Guilds,
    session: Option<Session>,
    /// What was last handed over to be saved; None while nothing that is stored is ours.
    saved: Option<Session>,
    /// Since when we hear nothing.
    deaf_since: Option<Instant>,
}

impl Listener {
    /// Goes on with what is stored of the shard.
    pub fn new(gateway: Gateway, id: ShardId, login: Login, booker: Booker, stored: Option<Stored>) -> Self {
        let mut guilds = Guilds::new(gateway.voice.clone());
        let (session, snapshots) = stored.map(|stored| (stored.session, stored.guilds)).unzip();
        guilds.restore(snapshots.unwrap_or_default());
        Self {
            guilds,
            gateway,
            id,
            login,
            booker,
            saved: session.clone(),
            session,
            deaf_since: Some(Instant::now()),
        }
    }

    /// Until we stop, or Discord says something that only a person can help with.
    pub async fn run(mut self, saves: mpsc::Sender<Save>) {
        let over = self.listen(saves).await;
        self.guilds.forget();
        if let Over::Fatal(why) = over {
            tracing::error!(shard = self.id.number(), "given up: {why}");
            self.tell(Status::Fatal { why: why.to_owned() });
        }
    }

    fn tell(&self, status: Status) {
        self.gateway.shards.set(self.id.number(), status);
    }

    async fn listen(&mut self, saves: mpsc::Sender<Save>) -> Over {
        let mut pace = Pace::default();
        let mut ticks = interval(SAVE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.tell(Status::Connecting);
            let Some(end) = self.hear(&mut pace, &saves, &mut ticks).await else {
                // The very last; there is room as soon as the one before it is written.
                if let Some(save) = self.changes() {
                    let _ = saves.send(save).await;
                }
                return Over::Stopping;
            };
            self.deaf_since.get_or_insert_with(Instant::now);
            let pause = match self.pause_after(end, &mut pace) {
                Ok(pause) => pause,
                Err(why) => return Over::Fatal(why),
            };
            if self.meanwhile(sleep(pause), &saves, &mut ticks).await.is_none() {
                return Over::Stopping;
            }
        }
    }

    /// Everything that comes over one link, and how it ended; None when we are to stop.
    async fn hear(&mut self, pace: &mut Pace, saves: &mpsc::Sender<Save>, ticks: &mut Interval) -> Option<End> {
        let connecting = Link::connect(self.id, self.login.clone(), self.session.clone());
        let mut link = match self.meanwhile(connecting, saves, ticks).await? {
            Ok(link) => link,
            Err(end) => return Some(end),
        };
        loop {
            match self.meanwhile(link.next(), saves, ticks).await {
                Some(Heard::Event(text)) => {
                    if self.take_in(&text) {
                        // A session that is not saved can't be gone on with after a kill.
                        ticks.reset_after(SAVE_FIRST);
                    }
                    self.note(&link);
                }
                Some(Heard::End(end)) => {
                    self.session = link.session().cloned();
                    pace.lasted(link.active_for());
                    return Some(end);
                }
                None => {
                    link.leave(FAREWELL).await;
                    return None;
                }
            }
        }
    }

    /// Waits for something, and saves now and then; None when we are to stop before.
    async fn meanwhile<T>(
        &mut self,
        what: impl Future<Output = T>,
        saves: &mpsc::Sender<Save>,
        ticks: &mut Interval,
    ) -> Option<T> {
        let stop = self.gateway.stop.clone();
        let mut what = pin!(what);
        loop {
            tokio::select! {
                what = &mut what => return Some(what),
                () = stop.cancelled() => return None,
                _ = ticks.tick() => self.tick(saves),
            }
        }
    }

    /// Takes note of how far we have heard.
    fn note(&mut self, link: &Link) {
        let Some(session) = link.session() else { return };
        let (shard, sent) = (self.id.number(), self.booker.sent());
        self.gateway
            .shards
            .set_heard(shard, &session.id, session.sequence, sent);
        match &mut self.session {
            Some(ours) if ours.id == session.id => ours.sequence = session.sequence,
            ours => *ours = Some(session.clone()),
        }
    }

    /// Says whether a session has begun, or goes on.
    fn take_in(&mut self, text: &str) -> bool {
        let Some((name, event)) = events::read(text) else {
            return false;
        };
        counter!(metrics::GATEWAY_EVENTS, "event" => name).increment(1);
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(shard = self.id.number(), event = name, %error, "an event of Discord's can't be read; skipped it");
                return false;
            }
        };
        if let Event::Interaction(interaction) = event {
            if let Some(interactions) = &self.gateway.interactions {
                // Nobody takes any more only when we stop.
                let _ = interactions.send(interaction);
            }
            return false;
        }
        let connected = matches!(event, Event::Ready(_) | Event::Resumed);
        if connected {
            tracing::info!(shard = self.id.number(), how = name, "connected to Discord's gateway");
            counter!(metrics::GATEWAY_CONNECTIONS, "how" => name).increment(1);
            self.deaf_since = None;
            self.tell(Status::Up);
        }
        if let Some(news) = self.guilds.take_in(event) {
            self.booker.book(news);
        }
        connected
    }

    /// How long to wait before the next link; an error when there is to be none.
    fn pause_after(&mut self, end: End, pace: &mut Pace) -> Result<Duration, &'static str> {
        let mut pause = pace.pause();
        counter!(metrics::GATEWAY_ENDS, "why" => end.name()).increment(1);
        let why = match end {
            End::Closed { code, reason } => {
                if let Some(fatal) = code.and_then(words::fatal) {
                    self.session = None;
                    return Err(fatal);
                }
                if code.is_some_and(words::session_is_lost) {
                    self.session = None;
                }
                let code = code.map_or_else(|| "no code".to_owned(), |code| format!("code {code}"));
                format!("Discord closed the connection ({code} {reason})")
            }
            End::Asked => "Discord asked us to connect again".to_owned(),
            End::SessionLost => {
                pause = pause.max(Duration::from_secs_f64(rand::random_range(
                    NEW_SESSION.0..=NEW_SESSION.1,
                )));
                "Discord does not know our session any more".to_owned()
            }
            End::Unreachable(why) => {
                // The address of the session may be the one that is down.
                if let Some(session) = &mut self.session {
                    session.resume_url = None;
                }
                format!("no connection to Discord's gateway: {why}")
            }
            End::Lost(why) => format!("the connection was lost: {why}"),
        };
        tracing::warn!(shard = self.id.number(), resumes = self.session.is_some(), again_in = ?pause, "{why}");
        self.tell(Status::Down { why });
        Ok(pause)
    }

    fn tick(&mut self, saves: &mpsc::Sender<Save>) {
        if self.deaf_since.is_some_and(|since| since.elapsed() >= STALE_AFTER) {
            self.guilds.set_stale();
        }
        // While the last one is still being written, this one waits for the next tick.
        if let Ok(room) = saves.try_reserve()
            && let Some(save) = self.changes()
        {
            room.send(save);
        }
    }

    /// What is to be saved; None when nothing happened.
    fn changes(&mut self) -> Option<Save> {
        let session = self.session.clone()?;
        if self.saved.as_ref() == Some(&session) {
            return None;
        }
        // Of a new session's guilds each is told anew.
        let before = self.saved.replace(session.clone());
        let whole = before.is_none_or(|before| before.id != session.id);
        Some(Save {
            shard: self.id,
            news: News {
                session,
                whole,
                guilds: self.guilds.take_changed(),
            },
            after: self.booker.sent(),
        })
    }
}
