//! The jobs that run in this process: so many at once, and never two for one key, not even after the key was taken over by ourselves.

use std::collections::HashMap;

use tokio::task::{Id, JoinError, JoinSet};

use crate::{
    domain::{
        Timestamp,
        job::{Claim, JobKey},
    },
    store::workers::WorkerId,
};

/// Claims held by this process. After a restart of the database we may get a key back while its former run has not ended; that one can write nothing
/// any more, but may still be talking to the outside, so the new run waits for its end.
#[derive(Debug)]
pub(super) struct Slots {
    all: usize,
    tasks: JoinSet<Option<Timestamp>>,
    keys: HashMap<Id, JobKey>,
    running: HashMap<JobKey, Run>,
}

#[derive(Debug)]
struct Run {
    epoch: i64,
    /// What waits for its end.
    next: Option<(WorkerId, Claim)>,
}

impl Slots {
    pub(super) fn new(all: usize) -> Self {
        Self {
            all,
            tasks: JoinSet::new(),
            keys: HashMap::new(),
            running: HashMap::new(),
        }
    }

    pub(super) fn free(&self) -> usize {
        let waiting = self.running.values().filter(|run| run.next.is_some()).count();
        self.all.saturating_sub(self.tasks.len() + waiting)
    }

    /// The epochs of all claims that we know we hold.
    pub(super) fn epochs(&self) -> Vec<i64> {
        let waiting = self.running.values().filter_map(|run| run.next.as_ref());
        let running = self.running.values().map(|run| run.epoch);
        running.chain(waiting.map(|(_, claim)| claim.epoch)).collect()
    }

    /// Starts the claim, or keeps it until the run under way for its key has ended.
    pub(super) fn take<F>(&mut self, worker: WorkerId, claim: Claim, start: impl Fn(WorkerId, Claim) -> F)
    where
        F: Future<Output = Option<Timestamp>> + Send + 'static,
    {
        if let Some(run) = self.running.get_mut(&claim.key) {
            // One that waited already belongs to a former self of ours, and is of no use.
            run.next = Some((worker, claim));
            return;
        }
        let (key, epoch) = (claim.key.clone(), claim.epoch);
        let task = self.tasks.spawn(start(worker, claim));
        self.keys.insert(task.id(), key.clone());
        self.running.insert(key, Run { epoch, next: None });
    }

    /// Waits for runs to end, and starts what waited for their keys; gives when one of them is due next, if that is known. Pending while nothing runs.
    /// Takes all that have ended, so that one claim fills all their places.
    pub(super) async fn ended<F>(&mut self, start: impl Fn(WorkerId, Claim) -> F) -> Option<Timestamp>
    where
        F: Future<Output = Option<Timestamp>> + Send + 'static,
    {
        let Some(mut ended) = self.tasks.join_next_with_id().await else {
            return std::future::pending().await;
        };
        let mut earliest = None;
        loop {
            let (id, due) = match ended {
                Ok((id, due)) => (id, due),
                Err(error) => (failed(&error), None),
            };
            earliest = earliest.into_iter().chain(due).min();
            if let Some(key) = self.keys.remove(&id)
                && let Some(run) = self.running.remove(&key)
                && let Some((worker, claim)) = run.next
            {
                self.take(worker, claim, &start);
            }
            ended = match self.tasks.try_join_next_with_id() {
                Some(ended) => ended,
                None => return earliest,
            };
        }
    }

    /// Waits until nothing runs; what waited is not started.
    pub(super) async fn drain(&mut self) {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            if let Err(error) = ended {
                failed(&error);
            }
        }
    }
}

/// The handler's panics are caught in the task; one that comes here is a mistake in the queue itself. Its claim is given back at the next look.
fn failed(error: &JoinError) -> Id {
    tracing::error!(%error, "a run ended without a verdict");
    error.id()
}
