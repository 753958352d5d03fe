//! Steps that wait for their turn at Discord: taken back when the match is booked anew, left aside for the rest of a run when the turn is far off.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    domain::{Timestamp, job::Claim, plan::Action},
    store::{self, workers::WorkerId},
    sync::{cut::Cut, halt::Halt},
};

/// How often a wave that takes longer looks whether its match was booked anew.
const LOOK_FOR_NEWS: Duration = Duration::from_millis(500);

/// Works until the key is booked anew, or everything is paused: then what still waits for its turn may be wrong (the match may be over), and is
/// taken back by `recall`. What is under way comes to its end.
pub(super) async fn while_current<T>(
    pool: &store::Pool,
    worker: WorkerId,
    claim: &Claim,
    recall: &CancellationToken,
    halt: Halt,
    work: impl Future<Output = T>,
) -> T {
    let news = async {
        tokio::select! {
            () = outdated(pool, worker, claim) => {}
            () = halt.begins() => {}
        }
    };
    until(news, recall, work).await
}

/// Works; on such news, what still waits for its turn is taken back by `recall`.
pub(super) async fn until<T>(
    news: impl Future<Output = ()>,
    recall: &CancellationToken,
    work: impl Future<Output = T>,
) -> T {
    tokio::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = news => recall.cancel(),
    }
    work.await
}

async fn outdated(pool: &store::Pool, worker: WorkerId, claim: &Claim) {
    loop {
        sleep(LOOK_FOR_NEWS).await;
        let asked = async {
            let mut conn = pool.acquire().await?;
            store::jobs::is_outdated(&mut conn, worker, claim).await
        };
        // While the database is away there is no news either.
        if let Ok(true) = asked.await {
            return;
        }
    }
}

/// Steps that are not taken in this run any more. The others go on meanwhile.
#[derive(Default)]
pub(super) struct PutOff(Vec<(Action, Timestamp, String)>);

impl PutOff {
    pub fn add(&mut self, action: Action, until: Timestamp, why: String) {
        self.0.push((action, until, why));
    }

    /// Those that were put off, and the others.
    pub fn divide(&self, actions: Vec<Action>) -> (Vec<Action>, Vec<Action>) {
        let is_put_off = |action: &Action| self.0.iter().any(|(known, ..)| known == action);
        actions.into_iter().partition(is_put_off)
    }

    /// Ends the run so that it goes on when the first of them may be sent, or when there is something else to look at.
    pub fn cut(&self, look_again: Option<Timestamp>, now: Timestamp) -> Option<Cut> {
        let (_, until, why) = self.0.iter().min_by_key(|(_, until, _)| *until)?;
        let at = look_again.map_or(*until, |at| at.min(*until));
        Some(Cut::PutOff {
            why: why.clone(),
            after: Duration::try_from(at - now).unwrap_or_default(),
        })
    }
}
