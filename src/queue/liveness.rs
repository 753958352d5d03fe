//! Being alive: a registered worker whose lock lives on a connection of its own, and the removal of those that are not alive any more.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    queue::backoff::{self, Trouble},
    store::{self, Connection, Error, Pool, workers, workers::WorkerId},
};

/// How often peers are looked at: a process that was killed is noticed after this long.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const BEAT_EVERY: Duration = Duration::from_secs(2);
/// A worker that has not beaten for this long hangs, whatever its lock says.
const HANGS_AFTER: Duration = Duration::from_secs(30);
/// A session that does not answer within this is as good as lost.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Keeps this process registered until `end`; `me` tells as whom. A lost session means a new registration: what the old one ran may be taken over.
pub(super) async fn live(
    pool: Pool,
    clock: Clock,
    me: watch::Sender<Option<WorkerId>>,
    poke: Arc<Notify>,
    end: CancellationToken,
) {
    let mut trouble = Trouble::new("staying registered as a worker");
    let mut former = None;
    loop {
        let error = match session(&pool, &clock, &me, &poke, &end, &mut former, &mut trouble).await {
            Ok(()) => return,
            Err(error) => error,
        };
        me.send_replace(None);
        tokio::select! {
            () = sleep(trouble.wait(&error)) => {}
            () = end.cancelled() => return,
        }
    }
}

/// One registration, from its begin to the loss of its session (an error) or to the end of our work.
async fn session(
    pool: &Pool,
    clock: &Clock,
    me: &watch::Sender<Option<WorkerId>>,
    poke: &Notify,
    end: &CancellationToken,
    former: &mut Option<WorkerId>,
    trouble: &mut Trouble,
) -> Result<(), Error> {
    let mut connection = in_time(store::dedicated(pool)).await?;
    let id = in_time(workers::register(&mut connection, clock.now())).await?;
    // Our former self has no session any more, even if the database has not noticed yet.
    if let Some(former) = former.replace(id) {
        in_time(workers::remove(&mut connection, former)).await?;
    }
    me.send_replace(Some(id));
    trouble.over();
    tracing::debug!(worker = %id, "registered as a worker");

    let mut peers = Peers::default();
    let mut beaten = Instant::now();
    loop {
        tokio::select! {
            () = sleep(backoff::spread(LOOK_EVERY)) => {}
            () = end.cancelled() => {
                in_time(workers::remove(&mut connection, id)).await?;
                return Ok(());
            }
        }
        for gone in in_time(workers::reap(&mut connection, id)).await? {
            tracing::warn!(worker = %gone, "a worker is gone; its jobs are taken over");
            poke.notify_one();
        }
        if beaten.elapsed() >= BEAT_EVERY {
            beaten = Instant::now();
            if !in_time(workers::heartbeat(&mut connection, id, clock.now())).await? {
                return Err(Error::Unavailable(format!("worker {id} was given up by the others")));
            }
            expel_hanging(&mut connection, id, &mut peers, poke).await?;
        }
    }
}

async fn expel_hanging(
    connection: &mut Connection,
    me: WorkerId,
    peers: &mut Peers,
    poke: &Notify,
) -> Result<(), Error> {
    let beats = in_time(workers::beats(connection)).await?;
    for hanging in peers.standing_still(beats, Instant::now()) {
        if hanging != me && in_time(workers::remove(connection, hanging)).await? {
            tracing::warn!(worker = %hanging, "a worker hangs; its jobs are taken over");
            poke.notify_one();
        }
    }
    Ok(())
}

async fn in_time<T>(answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(ANSWER_WITHIN, answer)
        .await
        .unwrap_or_else(|_| Err(Error::Unavailable("no answer in time".into())))
}

/// When each worker's count of heartbeats was last seen to change, by our own clock: no two machines' clocks are compared.
#[derive(Debug, Default)]
struct Peers(BTreeMap<WorkerId, (i64, Instant)>);

impl Peers {
    /// Takes in the counts of now; gives those that stand still for too long.
    fn standing_still(&mut self, beats: Vec<(WorkerId, i64)>, now: Instant) -> Vec<WorkerId> {
        self.0 = beats
            .into_iter()
            .map(|(id, beats)| match self.0.get(&id) {
                Some((known, since)) if *known == beats => (id, (beats, *since)),
                _ => (id, (beats, now)),
            })
            .collect();
        self.0
            .iter()
            .filter(|(_, (_, since))| now.duration_since(*since) >= HANGS_AFTER)
            .map(|(id, _)| *id)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_hangs_when_its_beats_stand_still_for_half_a_minute() {
        let (steady, hanging) = (WorkerId::new(1), WorkerId::new(2));
        let mut peers = Peers::default();
        let start = Instant::now();
        for second in 0..30 {
            let now = start + Duration::from_secs(second);
            let beats = vec![(steady, second as i64), (hanging, 7)];
            assert_eq!(peers.standing_still(beats, now), []);
        }
        let now = start + HANGS_AFTER;
        assert_eq!(peers.standing_still(vec![(steady, 30), (hanging, 7)], now), [hanging]);
        assert_eq!(peers.standing_still(vec![(steady, 31), (hanging, 8)], now), []);
    }
}
