//! NOTIFY and LISTEN. On the channel of the queue processes wake each other, and what is to be done stands in `jobs`; on the live channel the
//! database's triggers tell what changed.

use sqlx::postgres::{PgListener, PgPoolOptions};

use crate::store::{Connection, Error, Pool};

/// Wakes the queue.
pub const JOBS: &str = "muster_jobs";
/// Sent by triggers (migrations 0056 to 0058).
pub const LIVE: &str = "muster_live";

/// Tells all listeners that there may be work. Never in a transaction that stores a delivery: commits that notify wait for each other.
pub async fn notify(connection: &mut Connection) -> Result<(), Error> {
    sqlx::query("select pg_notify($1, '')")
        .bind(JOBS)
        .execute(connection)
        .await?;
    Ok(())
}

/// As `notify`, and says who we are, so that we need not wake ourselves. Not inside a transaction that writes: its commit would not wait for the disk.
/// A notice need not, and would make the commits of deliveries wait for its own.
pub async fn notify_as(connection: &mut Connection, sender: &str) -> Result<(), Error> {
    sqlx::query("select set_config('synchronous_commit', 'off', true), pg_notify($1, $2)")
        .bind(JOBS)
        .bind(sender)
        .execute(connection)
        .await?;
    Ok(())
}

/// A connection of its own that hears notifications. After an error it is of no use: listen anew.
#[derive(Debug)]
pub struct Listener(PgListener);

/// What a listener heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Notice {
        payload: String,
    },
    /// The connection was lost and made anew: something may have been missed.
    Gap,
}

impl Listener {
    pub async fn listen(pool: &Pool, channel: &'static str) -> Result<Self, Error> {
        // A pool of one, because a listener reconnects through a pool, and must not take a seat in the one that everybody shares.
        let own = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(super::ACQUIRE_WITHIN)
            .connect_lazy_with(pool.connect_options().as_ref().clone());
        let mut listener = PgListener::connect_with(&own).await?;
        listener.listen(channel).await?;
        Ok(Self(listener))
    }

    pub async fn heard(&mut self) -> Result<Heard, Error> {
        Ok(match self.0.try_recv().await? {
            Some(notice) => Heard::Notice {
                payload: notice.payload().to_owned(),
            },
            None => Heard::Gap,
        })
    }
}
