//! Books the matches that news concern: everything that came in meanwhile at once, and again until it is stored. People whom no open match
//! concerns cost one look into an index.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{sleep, timeout},
};

use crate::{
    clock::Clock,
    discord::{Shards, VoiceMap},
    domain::ids::{ChannelId, GuildId, UserId},
    gateway::{pace::database_pause, taking_in::News},
    store::{self, affected, guild_states},
};

/// A database that does not answer within this is as good as away.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How many news are taken at once.
const AT_ONCE: usize = 4_096;

/// Where news go.
#[derive(Clone)]
pub(super) struct Booker {
    news: mpsc::UnboundedSender<News>,
    sent: Arc<AtomicU64>,
    booked: watch::Receiver<u64>,
}

impl Booker {
    pub fn book(&self, news: News) {
        // Counted first, so that nobody takes it for booked before it is.
        self.sent.fetch_add(1, Ordering::SeqCst);
        // It outlives everybody who books.
        let _ = self.news.send(news);
    }

    /// What was sent so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// Resolves when so much is stored.
    pub async fn booked(&self, count: u64) {
        let mut booked = self.booked.clone();
        // An error means that nothing is booked any more: then it never is.
        if booked.wait_for(|booked| *booked >= count).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The booker, and the future that does the work until everybody who books is gone.
pub(super) fn start(
    pool: store::Pool,
    clock: Clock,
    wake: Arc<Notify>,
    shards: Shards,
    voice: VoiceMap,
) -> (Booker, BoxFuture<'static, ()>) {
    let (news, mut waiting) = mpsc::unbounded_channel();
    let (count, booked) = watch::channel(0);
    let booker = Booker {
        news,
        sent: Arc::default(),
        booked,
    };
    let work = async move {
        let mut taken = Vec::new();
        while waiting.recv_many(&mut taken, AT_ONCE).await > 0 {
            let (mut batch, mut taken_in, mut told) = (Batch::default(), 0, false);
            let booked = loop {
                taken_in += taken.len() as u64;
                taken.drain(..).for_each(|news| batch.add(news));
                match batch.book(&pool, &clock, &voice).await {
                    Ok(booked) => break booked,
                    Err(error) => {
                        if !told {
                            tracing::warn!(%error, "what happened in Discord could not be booked; it is tried again until it works");
                            told = true;
                        }
                        sleep(database_pause()).await;
                    }
                }
                // What came meanwhile goes along, so that a long absence of the database costs no more than there are people.
                while let Ok(news) = waiting.try_recv() {
                    taken.push(news);
                }
            };
            if booked > 0 {
                wake.notify_one();
            }
            count.send_modify(|count| *count += taken_in);
            shards.set_booked(*count.borrow());
        }
    };
    (booker, Box::pin(work))
}

/// News without repetitions.
#[derive(Debug, Default, PartialEq, Eq)]
struct Batch {
    moved: BTreeSet<(GuildId, UserId)>,
    gone: BTreeSet<ChannelId>,
    permissions: BTreeSet<GuildId>,
    /// There is room for another channel.
    room: BTreeSet<GuildId>,
    back: BTreeSet<GuildId>,
    away: BTreeSet<GuildId>,
}

impl Batch {
    fn add(&mut self, news: News) {
        match news {
            News::Seats(guild, users) => self.moved.extend(users.into_iter().map(|user| (guild, user))),
            News::ChannelGone(guild, channel, users) => {
                self.gone.insert(channel);
                self.moved.extend(users.into_iter().map(|user| (guild, user)));
                self.room.insert(guild);
            }
            News::Permissions(guild) => {
                self.permissions.insert(guild);
            }
            News::Back(guild) => {
                self.away.remove(&guild);
                self.back.insert(guild);
            }
            News::Gone(guilds) => {
                for guild in guilds {
                    self.back.remove(&guild);
                    self.away.insert(guild);
                }
            }
        }
    }

    /// How many bookings there were.
    async fn book(&self, pool: &store::Pool, clock: &Clock, voice: &VoiceMap) -> Result<u64, store::Error> {
        let mut connection = pool.acquire().await?;
        match timeout(ANSWER_WITHIN, self.book_by(&mut connection, clock, voice)).await {
            Ok(booked) => booked,
            Err(_) => {
                // It may be dead without a word, and then would never come back to the pool.
                connection.close_on_drop();
                Err(store::Error::Unavailable("no answer in time".into()))
            }
        }
    }

    /// What was booked of it before an error is booked once more.
    async fn book_by(
        &self,
        connection: &mut store::Connection,
        clock: &Clock,
        voice: &VoiceMap,
    ) -> Result<u64, store::Error> {
        let now = clock.now();
        let mut booked = 0;
        // All matches of a guild that is back are booked anyway.
        let moved: Vec<_> = self
            .moved
            .iter()
            .copied()
            .filter(|(guild, _)| !self.back.contains(guild))
            .collect();
        if !moved.is_empty() {
            let seen = |(guild, user): &(GuildId, UserId)| Some((*guild, *user, voice.was_in_voice(*guild, *user)?));
            affected::note_seats(connection, &moved.iter().filter_map(seen).collect::<Vec<_>>()).await?;
            booked += affected::book_players(connection, &moved, now).await?;
        }
        if !self.gone.is_empty() {
            booked += affected::book_channels(connection, &list(&self.gone), now).await?;
        }
        if !self.away.is_empty() {
            guild_states::set_away(connection, &list(&self.away), now).await?;
        }
        if !self.back.is_empty() {
            guild_states::set_back(connection, &list(&self.back)).await?;
        }
        // Written before they are booked: a refusal from before that time is then tried again.
        let changed = &self.permissions | &self.back;
        let roomier = &self.room | &self.back;
        if !changed.is_empty() {
            guild_states::note_rights(connection, &list(&changed), now).await?;
        }
        if !roomier.is_empty() {
            guild_states::note_room(connection, &list(&roomier), now).await?;
            booked += affected::book_categories(connection, &list(&roomier), now).await?;
        }
        let refused = &self.permissions | &self.room;
        if !refused.is_empty() {
            booked += affected::book_refused(connection, &list(&refused), now).await?;
        }
        if !self.back.is_empty() {
            booked += affected::book_guilds(connection, &list(&self.back), now).await?;
        }
        Ok(booked)
    }
}

fn list<T: Copy + Ord>(set: &BTreeSet<T>) -> Vec<T> {
    set.iter().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_booked_as_one() {
        let guild = |id| GuildId::new(id).unwrap();
        let user = |id| UserId::new(id).unwrap();
        let mut batch = Batch::default();
        let burst = [
            News::Seats(guild(7), vec![user(1), user(2)]),
            News::Seats(guild(7), vec![user(1)]),
            News::Permissions(guild(7)),
            News::Permissions(guild(7)),
            News::Back(guild(8)),
        ];
        burst.into_iter().for_each(|news| batch.add(news));
        let expected = Batch {
            moved: BTreeSet::from([(guild(7), user(1)), (guild(7), user(2))]),
            permissions: BTreeSet::from([guild(7)]),
            back: BTreeSet::from([guild(8)]),
            ..Batch::default()
        };
        assert_eq!(batch, expected);
    }
}
