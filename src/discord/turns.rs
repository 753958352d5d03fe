//! Waits for one's turn: the line behind a lock, and who is woken when. It has no task of its own: whoever is first in line keeps the
//! time for all. Who goes when is decided in `line`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future::OptionFuture;
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    discord::{
        error::Error,
        limiter::{Permit, Seen},
        line::{Line, Rank, Turn, Waiter},
    },
    metrics,
};

/// What a call is told that waited as long as it may in a line that moves.
const SOON: Duration = Duration::from_secs(1);

pub struct Turns {
    start: Instant,
    state: Mutex<State>,
}

struct State {
    line: Line,
    slots: BTreeMap<Rank, Slot>,
    /// Who was told to keep the time, and until when.
    told: Option<(Rank, Option<Duration>)>,
}

/// How one who waits is reached.
struct Slot {
    turn: oneshot::Sender<Turn>,
    wake: Arc<Notify>,
}

impl Turns {
    pub fn new(bots: usize) -> Self {
        let state = State {
            line: Line::new(bots),
            slots: BTreeMap::new(),
            told: None,
        };
        Self {
            start: Instant::now(),
            state: Mutex::new(state),
        }
    }

    /// The time that the line goes by.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Reads or changes what the line knows of the bots.
    pub fn line<T>(&self, change: impl FnOnce(&mut Line) -> T) -> T {
        let result = change(&mut self.state().line);
        // It may be somebody's turn now.
        self.serve();
        result
    }

    /// Waits for a turn, unless that takes longer than the call may, or `recall` is cancelled. Dropping the future leaves the line.
    pub async fn wait(
        &self,
        rank: Rank,
        waiter: Waiter,
        recall: Option<&CancellationToken>,
    ) -> Result<Flight<'_>, Error> {
        if recall.is_some_and(CancellationToken::is_cancelled) {
            return Err(Error::Recalled);
        }
        let recalled = OptionFuture::from(recall.map(CancellationToken::cancelled));
        tokio::pin!(recalled);
        let mut place = Place::take(self, rank, waiter);
        let turn = loop {
            let clock = self.serve().filter(|(head, _)| *head == place.rank).map(|(_, at)| at);
            let at = clock.map_or(waiter.last_start, |at| at.min(waiter.last_start));
            tokio::select! {
                biased;
                turn = &mut place.turn => break turn.ok(),
                Some(()) = &mut recalled, if recall.is_some() => return Err(Error::Recalled),
                () = place.wake.notified() => {}
                () = sleep_until(self.start + at) => {
                    if self.now() >= waiter.last_start {
                        break place.turn.try_recv().ok();
                    }
                }
            }
        };
        let now = self.now();
        ::metrics::histogram!(metrics::DISCORD_WAIT, "class" => rank.class.name())
            .record(now.saturating_sub(waiter.joined).as_secs_f64());
        let until = match turn {
            Some(Turn::Go { bot, permit }) => {
                return Ok(Flight {
                    turns: self,
                    bot,
                    permit: Some(permit),
                });
            }
            Some(Turn::Unauthorized) => return Err(Error::Unauthorized),
            Some(Turn::Refused { until }) => until,
            None => self.state().line.opens(&waiter, now).unwrap_or(now),
        };
        let retry_after = until.saturating_sub(now).max(SOON);
        Err(Error::Busy { retry_after })
    }

    /// Lets all go whose turn it is. Gives who is first in line and when time lets somebody go; that one keeps the time.
    fn serve(&self) -> Option<(Rank, Duration)> {
        let mut state = self.state();
        let (turns, again) = state.line.serve(self.now());
        for (rank, turn) in turns {
            if let Some(slot) = state.slots.remove(&rank)
                && let Err(Turn::Go { bot, permit }) = slot.turn.send(turn)
            {
                // Cannot happen: a place is given up under the same lock.
                state.line.cancel(bot, permit);
            }
        }
        ::metrics::gauge!(metrics::DISCORD_WAITING).set(state.line.len() as f64);
        let head = state.line.head()?;
        if state.told.replace((head, again)) != Some((head, again))
            && let Some(slot) = state.slots.get(&head)
        {
            slot.wake.notify_one();
        }
        again.map(|again| (head, again))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Never held across a wait, and no panic can happen in between.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the line; who gives up leaves it to the others.
struct Place<'a> {
    turns: &'a Turns,
    rank: Rank,
    turn: oneshot::Receiver<Turn>,
    wake: Arc<Notify>,
}

impl<'a> Place<'a> {
    fn take(turns: &'a Turns, rank: Rank, waiter: Waiter) -> Self {
        let (tell, turn) = oneshot::channel();
        let wake = Arc::new(Notify::new());
        let mut state = turns.state();
        let rank = state.line.join(rank, waiter);
        let slot = Slot {
            turn: tell,
            wake: wake.clone(),
        };
        state.slots.insert(rank, slot);
        drop(state);
        Self {
            turns,
            rank,
            turn,
            wake,
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        state.slots.remove(&self.rank);
        let left = state.line.leave(self.rank).is_some();
        let unused = self.turn.try_recv().ok();
        if let Some(Turn::Go { bot, permit }) = unused {
            state.line.cancel(bot, permit);
        } else if !left {
            return;
        }
        drop(state);
        self.turns.serve();
    }
}

/// A request that may be sent, and then is under way. When nobody waits for it any more, it is counted as if it had arrived.
pub struct Flight<'a> {
    turns: &'a Turns,
    pub bot: usize,
    permit: Option<Permit>,
}

impl Flight<'_> {
    /// The answer is there; `status` is 0 when there is none.
    pub fn land(mut self, status: u16, seen: &Seen<'_>) {
        self.settle(status, seen);
    }

    fn settle(&mut self, status: u16, seen: &Seen<'_>) {
        let Some(permit) = self.permit.take() else { return };
        let now = self.turns.now();
        let invalid = self.turns.line(|line| {
            line.answered(self.bot, permit, status, seen, now);
            line.invalid(now)
        });
        ::metrics::gauge!(metrics::DISCORD_INVALID).set(f64::from(invalid));
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.settle(0, &Seen::default());
    }
}
