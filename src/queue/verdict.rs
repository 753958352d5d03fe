//! One run of a job: the handler, and its verdict written down. The writing is tried until the database answers.

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use tokio::time::{sleep, timeout};

use crate::{
    clock::Clock,
    domain::{
        Timestamp,
        job::{Claim, Verdict},
    },
    metrics,
    queue::backoff::{self, Trouble},
    store::{Error, Pool, jobs, jobs::Failure, workers::WorkerId},
};

const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// What the writing of a verdict came to.
#[derive(Debug)]
enum Written {
    /// The key sleeps until then, or is due at once, or has nothing left to do.
    Kept(Option<Timestamp>),
    Dead,
    Fenced,
}

/// Runs the handler and writes its verdict down; gives when the key is due next, if that is known. A panic is a failure like another.
pub(super) async fn run_one(
    pool: Pool,
    clock: Clock,
    max_attempts: i32,
    worker: WorkerId,
    claim: Claim,
    handler: impl Future<Output = Verdict>,
) -> Option<Timestamp> {
    let verdict = match AssertUnwindSafe(handler).catch_unwind().await {
        Ok(verdict) => verdict,
        Err(panic) => Verdict::Failed {
            why: format!("panicked: {}", message_of(panic.as_ref())),
        },
    };
    ::metrics::counter!(metrics::RUNS, "verdict" => label(&verdict)).increment(1);

    let mut trouble = Trouble::new("writing down what became of a job");
    let written = loop {
        let attempt = write(&pool, &clock, max_attempts, worker, &claim, &verdict);
        let wait = match timeout(WRITE_WITHIN, attempt).await {
            Ok(Ok(written)) => break written,
            Ok(Err(error)) => trouble.wait(&error),
            Err(_) => trouble.wait(&"no answer in time"),
        };
        sleep(wait).await;
    };
    trouble.over();
    report(&clock, &claim, &verdict, &written);
    match written {
        Written::Kept(due) => due,
        Written::Dead | Written::Fenced => None,
    }
}

async fn write(
    pool: &Pool,
    clock: &Clock,
    max_attempts: i32,
    worker: WorkerId,
    claim: &Claim,
    verdict: &Verdict,
) -> Result<Written, Error> {
    if *verdict == Verdict::Lost {
        return Ok(Written::Fenced);
    }
    let connection = &mut *pool.acquire().await?;
    let now = clock.now();
    let (held, due) = match verdict {
        Verdict::Done { look_again } => (
            jobs::settle(connection, worker, claim, *look_again, now).await?,
            *look_again,
        ),
        Verdict::Retry { why, after } => {
            let at = now + backoff::before_retry(claim.attempts, *after);
            (jobs::retry(connection, worker, claim, at, why).await?, Some(at))
        }
        Verdict::PutOff { why, after } => {
            let at = now + backoff::as_told(*after);
            (jobs::retry(connection, worker, claim, at, why).await?, Some(at))
        }
        Verdict::Failed { why } => {
            let at = now + backoff::before_retry(claim.attempts, Duration::ZERO);
            match jobs::fail(connection, worker, claim, at, why, max_attempts, now).await? {
                Failure::Counted { .. } => (true, Some(at)),
                Failure::Died { .. } => return Ok(Written::Dead),
                Failure::Fenced => (false, None),
            }
        }
        Verdict::Yielded | Verdict::Recalled => (jobs::release(connection, worker, claim).await?, None),
        Verdict::Lost => (false, None),
    };
    Ok(if held { Written::Kept(due) } else { Written::Fenced })
}

fn report(clock: &Clock, claim: &Claim, verdict: &Verdict, written: &Written) {
    let Claim { key, attempts, .. } = claim;
    match (verdict, written) {
        (_, Written::Fenced) => {
            tracing::info!(%key, verdict = label(verdict), "the job was taken over by another worker meanwhile");
        }
        (Verdict::Failed { why }, Written::Dead) => {
            tracing::error!(%key, attempts = attempts + 1, error = why, "the job failed too often and is dead; see 'muster jobs list'");
        }
        (Verdict::Failed { why }, _) => {
            tracing::warn!(%key, attempts = attempts + 1, error = why, "the job failed and is tried again");
        }
        (Verdict::Retry { why, .. } | Verdict::PutOff { why, .. }, _) => {
            tracing::info!(%key, attempts = attempts + 1, error = why, "the job could not be finished and is tried again");
        }
        (Verdict::Done { .. }, _) => {
            if let Some(since) = claim.wanted_since {
                let took = (clock.now() - since).as_seconds_f64().max(0.0);
                ::metrics::histogram!(metrics::DELIVERY_TO_DONE).record(took);
            }
        }
        (Verdict::Yielded | Verdict::Recalled | Verdict::Lost, _) => {}
    }
}

fn label(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Done { .. } => "done",
        Verdict::Retry { .. } => "retry",
        Verdict::PutOff { .. } => "put_off",
        Verdict::Failed { .. } => "failed",
        Verdict::Lost => "lost",
        Verdict::Yielded => "yielded",
        Verdict::Recalled => "recalled",
    }
}

fn message_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
