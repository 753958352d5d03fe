//! Many WebSockets at `/api/live`, and how long after a change each of them hears of it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use futures::StreamExt;
use muster::store::Pool;
use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// What the watchers hear of.
pub struct Watchers {
    heard: mpsc::UnboundedReceiver<(u64, Instant)>,
    count: usize,
    next: u64,
    _tasks: JoinSet<()>,
}

impl Watchers {
    pub async fn open(service: SocketAddr, token: &str, count: usize) -> anyhow::Result<Self> {
        let (sender, heard) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        for _ in 0..count {
            let mut request = format!("ws://{service}/api/live").into_client_request()?;
            let bearer = format!("Bearer {token}").parse()?;
            request.headers_mut().insert("authorization", bearer);
            let (mut socket, _) = timeout(PATIENCE, connect_async(request)).await??;
            let first = timeout(PATIENCE, socket.next()).await?.context("closed at once")??;
            ensure!(first.to_text()?.contains("ready"), "not ready: {first}");
            let sender = sender.clone();
            tasks.spawn(async move {
                while let Some(Ok(message)) = socket.next().await {
                    let at = Instant::now();
                    let Message::Text(text) = message else { continue };
                    let number = text
                        .rsplit_once("STEP")
                        .and_then(|(_, rest)| rest.split('"').next()?.parse().ok());
                    if let Some(number) = number
                        && sender.send((number, at)).is_err()
                    {
                        return;
                    }
                }
            });
        }
        Ok(Self {
            heard,
            count,
            next: 0,
            _tasks: tasks,
        })
    }

    /// Changes a match as a run of its job does; how long after the change was sent to the database each of them heard of it.
    pub async fn change(&mut self, pool: &Pool) -> anyhow::Result<Vec<Duration>> {
        self.next += 1;
        let number = self.next;
        let start = Instant::now();
        let done = sqlx::query("update matches set status = 'STEP' || $1 where match_id = '1-' || md5('1')")
            .bind(number.to_string())
            .execute(pool)
            .await?;
        ensure!(done.rows_affected() == 1, "the match is missing");
        let mut took = Vec::with_capacity(self.count);
        while took.len() < self.count {
            match timeout(PATIENCE, self.heard.recv()).await {
                Ok(Some((heard, at))) if heard == number => took.push(at - start),
                Ok(Some(_)) => {}
                Ok(None) => bail!("all watchers are gone"),
                Err(_) => bail!("only {} of {} heard of a change", took.len(), self.count),
            }
        }
        Ok(took)
    }
}
