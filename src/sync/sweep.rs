//! The safety net: books open matches that nobody is going to look at, finds matches whose first webhook was lost, removes old deliveries and the
//! history of matches of that age.

use std::time::Duration;

use tracing::{info, warn};

use crate::{
    domain::{job::JobKey, match_facts::Phase},
    faceit::client::HubMatches,
    store,
    sync::Sync,
};

/// Hubs that had a match within this time are asked for running matches.
const RECENT: Duration = Duration::from_secs(7 * 24 * 3600);
/// How many running matches of one hub are looked through.
const PER_HUB: usize = 100;
/// Rows removed in one statement, so that none takes long.
const AT_ONCE: i64 = 5_000;

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Open matches, and guilds with further categories, that had no job any more.
    pub rebooked: usize,
    /// Running matches that no webhook had told us of.
    pub discovered: usize,
    pub deliveries_removed: u64,
    /// Of what happened to matches.
    pub steps_removed: u64,
}

impl Sync {
    /// Sweeps once. `retention` is how long deliveries, and what happened to matches, are kept.
    pub async fn sweep(&self, retention: Duration) -> Result<Swept, store::Error> {
        let now = self.sources.clock.now();
        let mut swept = Swept::default();
        let mut conn = self.sources.pool.acquire().await?;
        for id in store::records::open_without_job(&mut conn).await? {
            warn!(match_id = %id, "an open match had no job; booked it");
            store::jobs::book(&mut conn, &JobKey::sync_match(&id), now).await?;
            swept.rebooked += 1;
        }
        for guild in store::overflow_categories::without_job(&mut conn).await? {
            store::jobs::book(&mut conn, &JobKey::sync_guild(guild), now).await?;
            swept.rebooked += 1;
        }
        loop {
            let removed = store::deliveries::delete_older_than(&mut conn, now - retention, AT_ONCE).await?;
            swept.deliveries_removed += removed;
            if removed < AT_ONCE as u64 {
                break;
            }
        }
        loop {
            let removed = store::match_steps::delete_older_than(&mut conn, now - retention, AT_ONCE).await?;
            swept.steps_removed += removed;
            if removed < AT_ONCE as u64 {
                break;
            }
        }
        let hubs = store::records::recent_hubs(&mut conn, now - RECENT).await?;
        drop(conn);
        for hub in hubs {
            swept.discovered += self.discover(&hub).await?;
        }
        Ok(swept)
    }

    /// Books the running matches of a hub that we don't know, or believe over.
    async fn discover(&self, hub: &str) -> Result<usize, store::Error> {
        let running = match self.sources.faceit.hub_matches(hub, HubMatches::Ongoing, PER_HUB).await {
            Ok(running) => running,
            Err(error) => {
                warn!(%hub, %error, "could not ask FACEIT for the running matches of a hub; lost webhooks are found later");
                return Ok(0);
            }
        };
        let mut found = 0;
        for (id, facts) in running {
            if facts.status.phase() != Phase::Running {
                continue;
            }
            let mut conn = self.sources.pool.acquire().await?;
            let news = match store::records::load(&mut conn, &id).await? {
                None => true,
                // Closed while it was running means that it outlasted the hard age: that stays.
                Some(record) => {
                    let over = record.facts.is_none_or(|facts| facts.status.phase() == Phase::Over);
                    record.closed_at.is_some() && over
                }
            };
            if news {
                info!(match_id = %id, %hub, "found a running match that no webhook told of; booked it");
                store::jobs::book(&mut conn, &JobKey::sync_match(&id), self.sources.clock.now()).await?;
                found += 1;
            }
        }
        Ok(found)
    }
}
