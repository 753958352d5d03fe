//! How long the keys of a worker that was killed (-9) stay without one. The victim is this benchmark once more, as a process of its own.

use std::{
    env,
    io::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use muster::{
    clock::Clock,
    domain::job::{Claim, JobKey, Verdict},
    queue,
    sandbox::process::Program,
    store::{self, Pool, jobs},
};
use secrecy::SecretString;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::running::Queue;

/// Held by the victim when it dies.
const KEYS: u64 = 20;
const PATIENCE: Duration = Duration::from_secs(60);

/// From the kill to the survivor's start of the first key, and of the last.
pub struct Takeover {
    pub first: Duration,
    pub last: Duration,
}

/// What the victim does: takes all it can and never ends a run.
pub async fn hold(url: &str) -> anyhow::Result<()> {
    let pool = store::connect(&SecretString::from(url), 4)?;
    let handler = |_, claim: Claim| async move {
        println!("{}", claim.key);
        let _ = std::io::stdout().flush();
        std::future::pending::<Verdict>().await
    };
    let (options, stop) = (queue::Options::default(), CancellationToken::new());
    queue::run(pool, Clock::system(), options, std::sync::Arc::default(), stop, handler).await;
    Ok(())
}

pub async fn measure(pool: &Pool, url: &str) -> anyhow::Result<Takeover> {
    let connection = &mut *pool.acquire().await?;
    for number in 0..KEYS {
        jobs::book(
            &mut *connection,
            &JobKey::new(format!("match:held-{number}")),
            Clock::system().now(),
        )
        .await?;
    }
    let mut victim = Program::at(env::current_exe()?).args(["--hold", url]).start()?;
    for _ in 0..KEYS {
        victim
            .next_line(PATIENCE)
            .with_context(|| format!("the victim took nothing:\n{}", victim.stderr()))?;
    }
    let mut survivor = Queue::run(pool, Duration::ZERO);
    // Into its routine, at any point between two of its looks.
    sleep(Duration::from_millis(1500) + Duration::from_secs(1).mul_f64(rand::random::<f64>())).await;
    ensure!(survivor.starts.is_empty(), "the survivor took a key that was held");

    let killed = Instant::now();
    victim.kill_9()?;
    let mut starts = Vec::new();
    for _ in 0..KEYS {
        starts.push(
            timeout(PATIENCE, survivor.starts.recv())
                .await?
                .context("the queue ended")?
                .at
                - killed,
        );
    }
    survivor.stop().await?;
    Ok(Takeover {
        first: starts.first().copied().unwrap_or_default(),
        last: starts.last().copied().unwrap_or_default(),
    })
}
