//! Waking each other: hearing that another process booked something, and telling the others. A notice lost costs a poll, never a job.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    queue::backoff::Trouble,
    store::{
        Error, Pool,
        listener::{self, Heard, Listener},
    },
};

/// Notices are not sent more often than this: one of them stands for all bookings before it.
const APART: Duration = Duration::from_millis(5);
const SEND_WITHIN: Duration = Duration::from_secs(5);

/// Pokes the claim loop when another process booked something, until `end`.
pub(super) async fn hear(pool: Pool, me: String, poke: Arc<Notify>, end: CancellationToken) {
    let mut trouble = Trouble::new("listening for new jobs");
    loop {
        let error = tokio::select! {
            error = listen(&pool, &me, &poke, &mut trouble) => error,
            () = end.cancelled() => return,
        };
        tokio::select! {
            () = sleep(trouble.wait(&error)) => {}
            () = end.cancelled() => return,
        }
    }
}

/// Ends only by an error.
async fn listen(pool: &Pool, me: &str, poke: &Notify, trouble: &mut Trouble) -> Error {
    let mut listener = match Listener::listen(pool, listener::JOBS).await {
        Ok(listener) => listener,
        Err(error) => return error,
    };
    trouble.over();
    // What was booked before we listened.
    poke.notify_one();
    loop {
        match listener.heard().await {
            Ok(Heard::Notice { payload }) if payload == me => {}
            Ok(Heard::Notice { .. } | Heard::Gap) => poke.notify_one(),
            Err(error) => return error,
        }
    }
}

/// Tells the other processes whenever `booked` fires, until `end`: one notice at a time, outside everybody's transactions.
pub(super) async fn tell(pool: Pool, me: String, booked: Arc<Notify>, end: CancellationToken) {
    let mut trouble = Trouble::new("waking other processes");
    loop {
        tokio::select! {
            () = booked.notified() => {}
            () = end.cancelled() => return,
        }
        let pause = match timeout(SEND_WITHIN, send(&pool, &me)).await {
            Ok(Ok(())) => {
                trouble.over();
                APART
            }
            // The others poll; there is nothing to send again.
            Ok(Err(error)) => trouble.wait(&error),
            Err(_) => trouble.wait(&"no answer in time"),
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = end.cancelled() => return,
        }
    }
}

async fn send(pool: &Pool, me: &str) -> Result<(), Error> {
    listener::notify_as(&mut *pool.acquire().await?, me).await
}
