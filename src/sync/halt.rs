//! The operators' pause of everything, for runs that are under way when it begins: every process looks for it twice a second. Runs that begin later
//! read it with their guild.

use std::{future::pending, time::Duration};

use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use crate::store;

/// Half of what it may take.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Tells whether everything is paused, for as long as it runs. While the database is away, what was last known stands.
pub async fn look_out(pool: store::Pool, halted: watch::Sender<bool>) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let look = async {
            let mut conn = pool.acquire().await?;
            store::service_pause::load(&mut conn).await
        };
        if let Ok(pause) = look.await {
            halted.send_if_modified(|halted| {
                let news = *halted != pause.is_some();
                *halted = pause.is_some();
                news
            });
        }
    }
}

/// What one run hears of it. Begin to listen before reading whether everything is paused already: then nothing is missed.
#[derive(Clone)]
pub(super) struct Halt(watch::Receiver<bool>);

impl Halt {
    pub fn listen(halted: &watch::Receiver<bool>) -> Self {
        let mut halted = halted.clone();
        halted.mark_unchanged();
        Self(halted)
    }

    /// Whether it began since.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow() && self.0.has_changed().unwrap_or(false)
    }

    /// Resolves when it begins.
    pub async fn begins(mut self) {
        while self.0.changed().await.is_ok() {
            if *self.0.borrow_and_update() {
                return;
            }
        }
        // Nobody looks any more.
        pending().await
    }
}
