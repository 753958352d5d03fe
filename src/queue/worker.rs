//! The loop that claims jobs and hands them to the handler. Woken by bookings here and elsewhere, by ended runs, by the next due time, and by a poll.

use std::{future::pending, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    domain::{
        Timestamp,
        job::{Claim, Verdict},
    },
    queue::{
        backoff::{self, Trouble},
        liveness, notices,
        slots::Slots,
        verdict,
    },
    store::{Error, Pool, jobs, workers::WorkerId},
};

/// The net under lost notifications: a look at the table after one to two seconds without any.
const POLL: Duration = Duration::from_secs(2);
/// A key that is due but could not be had is being booked in an open transaction; look again soon, but don't spin. Nor is a timer that precise.
const NOT_BEFORE: Duration = Duration::from_millis(50);
const CLAIM_WITHIN: Duration = Duration::from_secs(10);
/// The worker's row should go with us; if it can't, the others remove it.
const LEAVE_WITHIN: Duration = Duration::from_secs(3);

/// How the queue works.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many jobs run at once.
    pub workers: usize,
    /// After this many failures since the last good run a job is dead.
    pub max_attempts: i32,
    /// While this is true, another process does the work, and none is taken. None: never so.
    pub standing_by: Option<watch::Receiver<bool>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            workers: 32,
            max_attempts: 8,
            standing_by: None,
        }
    }
}

/// Works on jobs until `stop`, then waits for those that run. Outlives the database's absence. `wake` says that something was booked by this process;
/// what is due is told by `clock`, waiting is done in real time.
///
/// The handler gets the worker's id and its claim; what it writes must be written in a transaction that asked `jobs::still_owned` for them. Dropping
/// the future aborts what runs; others take it over.
pub async fn run<F, Fut>(
    pool: Pool,
    clock: Clock,
    options: Options,
    wake: Arc<Notify>,
    stop: CancellationToken,
    handler: F,
) where
    F: Fn(WorkerId, Claim) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Verdict> + Send + 'static,
{
    // Something may be due: heard from others, or freed from a worker that is gone.
    let poke = Arc::new(Notify::new());
    let tell_others = Arc::new(Notify::new());
    let end = CancellationToken::new();
    let name = format!("{:016x}", rand::random::<u64>());
    let (id, me) = watch::channel(None);

    let mut helpers = JoinSet::new();
    helpers.spawn(liveness::live(
        pool.clone(),
        clock.clone(),
        id,
        poke.clone(),
        end.clone(),
    ));
    helpers.spawn(notices::hear(pool.clone(), name.clone(), poke.clone(), end.clone()));
    helpers.spawn(notices::tell(pool.clone(), name, tell_others.clone(), end.clone()));

    let start = {
        let (pool, clock) = (pool.clone(), clock.clone());
        move |worker, claim: Claim| {
            let handler = handler.clone();
            let work = {
                let claim = claim.clone();
                // In a future of its own, so that a panic in the call itself is caught as well.
                async move { handler(worker, claim).await }
            };
            verdict::run_one(pool.clone(), clock.clone(), options.max_attempts, worker, claim, work)
        }
    };
    let claiming = Claiming {
        pool,
        clock,
        me,
        wake,
        poke,
        tell_others,
        standing_by: options.standing_by,
        stop,
    };
    claiming.work(options.workers, start).await;

    end.cancel();
    let leave = async { while helpers.join_next().await.is_some() {} };
    if timeout(LEAVE_WITHIN, leave).await.is_err() {
        tracing::warn!("could not sign off as a worker; the others will notice");
    }
}

struct Claiming {
    pool: Pool,
    clock: Clock,
    me: watch::Receiver<Option<WorkerId>>,
    wake: Arc<Notify>,
    poke: Arc<Notify>,
    tell_others: Arc<Notify>,
    standing_by: Option<watch::Receiver<bool>>,
    stop: CancellationToken,
}

impl Claiming {
    async fn work<F>(mut self, workers: usize, start: impl Fn(WorkerId, Claim) -> F)
    where
        F: Future<Output = Option<Timestamp>> + Send + 'static,
    {
        let mut slots = Slots::new(workers);
        let mut trouble = Trouble::new("claiming jobs");
        let mut look_at = Instant::now();
        loop {
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = self.wake.notified() => self.tell_others.notify_one(),
                () = self.poke.notified() => {}
                Ok(()) = self.me.changed() => {}
                () = changed(&mut self.standing_by) => {}
                due = slots.ended(&start) => look_at = look_at.min(self.instant_of(due)),
                () = sleep_until(look_at) => {}
            }
            let by_clock = look_at <= Instant::now();
            if by_clock {
                look_at = Instant::now() + backoff::spread(POLL);
            }
            // Without a free slot the end of a run wakes us, without an id the registration does, and the other process's end when we stand by.
            let worker = *self.me.borrow_and_update();
            let standing_by = self
                .standing_by
                .as_ref()
                .is_some_and(|standing_by| *standing_by.borrow());
            let Some(worker) = worker.filter(|_| slots.free() > 0 && !standing_by) else {
                continue;
            };

            let claims = match self.claim(worker, &slots, by_clock).await {
                Ok((claims, due)) => {
                    trouble.over();
                    look_at = look_at.min(self.instant_of(due));
                    claims
                }
                Err(error) => {
                    tokio::select! {
                        () = self.stop.cancelled() => break,
                        () = sleep(trouble.wait(&error)) => look_at = Instant::now(),
                    }
                    continue;
                }
            };
            for claim in claims {
                slots.take(worker, claim, &start);
            }
        }
        slots.drain().await;
    }

    /// Takes what is due. When it is the clock that woke us, also asks when to look next (between two such looks, our own runs tell), and gives back
    /// what a claim took whose answer we never got.
    async fn claim(
        &self,
        worker: WorkerId,
        slots: &Slots,
        by_clock: bool,
    ) -> Result<(Vec<Claim>, Option<Timestamp>), Error> {
        let look = async {
            let connection = &mut *self.pool.acquire().await?;
            if by_clock {
                let lost = jobs::disown(connection, worker, &slots.epochs()).await?;
                if lost > 0 {
                    tracing::warn!(jobs = lost, "gave back jobs that were claimed without our knowing");
                }
            }
            let claims = jobs::claim(connection, worker, slots.free(), self.clock.now()).await?;
            let due = if by_clock && claims.len() < slots.free() {
                jobs::next_due(connection).await?
            } else {
                None
            };
            Ok((claims, due))
        };
        timeout(CLAIM_WITHIN, look)
            .await
            .unwrap_or_else(|_| Err(Error::Unavailable("no answer in time".into())))
    }

    /// When to look because of that time: the next poll comes anyway.
    fn instant_of(&self, due: Option<Timestamp>) -> Instant {
        let wait = due.map_or(POLL, |due| {
            Duration::try_from(due - self.clock.now()).unwrap_or(Duration::ZERO)
        });
        Instant::now() + wait.clamp(NOT_BEFORE, POLL)
    }
}

/// Resolves when we begin or cease to stand by.
async fn changed(standing_by: &mut Option<watch::Receiver<bool>>) {
    let changed = match standing_by {
        Some(standing_by) => standing_by.changed().await,
        None => pending().await,
    };
    // Whoever could tell is gone: then it stays as it is.
    if changed.is_err() {
        pending().await
    }
}
