//! Matches from their webhook to the last answer of Discord, timed by the simulator's journal.

use std::{sync::atomic::AtomicU32, sync::atomic::Ordering, time::Duration};

use anyhow::{Context, bail};
use futures::future::try_join_all;
use muster::simulator::{Entry, Side};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{
    bodies::{Match, game},
    ideal::LATENCY,
    stage::{GRACE, Stage, guild_id, hub, lobby_id, name, now_ms, user_id},
};

/// Longer than the longest ideal.
const PATIENCE: Duration = Duration::from_secs(120);
/// Somebody who is not moved by then is not moved.
const JOIN_WITHIN: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(10);

/// A 5v5 of the players from `first` on.
pub struct Game {
    pub guild: usize,
    pub first: usize,
    game: Match,
}

/// What came of something that was timed.
pub struct Timed {
    /// To the last answer.
    pub took: Duration,
    /// Of each guild on its own.
    pub by_guild: Vec<Duration>,
    /// Calls to Discord, without the bot's asking who it is.
    pub calls: usize,
}

impl Game {
    pub fn new(guild: usize, first: usize) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let id = format!(
            "1-{:08x}-0000-4000-8000-00000000abcd",
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let names: Vec<String> = (first..first + 10).map(|player| name(guild, player)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Self {
            guild,
            first,
            game: game(&id, "READY", &names[..5], &names[5..]),
        }
    }

    fn says(&self, stage: &Stage, status: &str) -> anyhow::Result<()> {
        let mut body = self.game.status(status).api();
        body["competition_id"] = json!(hub(self.guild));
        Ok(stage.simulator.put_match(&self.game.id, &body)?)
    }

    async fn deliver(&self, stage: &Stage, event: &str, version: i64) -> anyhow::Result<()> {
        let mut body = self.game.webhook(event, version);
        body["payload"]["entity"]["id"] = json!(hub(self.guild));
        let delivered = stage.simulator.deliver(&body).await?;
        if delivered.status != 200 {
            bail!("a delivery was answered {}", delivered.status);
        }
        Ok(())
    }
}

/// The events of all these matches at once, until everybody who is present is moved.
pub async fn begin(stage: &Stage, games: &[Game], present: usize) -> anyhow::Result<Timed> {
    stage.simulator.clear_journal();
    for game in games {
        game.says(stage, "READY")?;
    }
    let start = now_ms();
    try_join_all(games.iter().map(|game| game.deliver(stage, "match_status_ready", 3))).await?;
    answered(stage, "PATCH", games.len() * present).await?;
    for game in games {
        seated(stage, game, present)?;
    }
    Ok(timed(stage, games, "PATCH", start))
}

/// The ends of all these matches at once, until their channels are gone; the grace period is taken off.
pub async fn end(stage: &Stage, games: &[Game]) -> anyhow::Result<Timed> {
    stage.simulator.clear_journal();
    for game in games {
        game.says(stage, "FINISHED")?;
    }
    let start = now_ms();
    try_join_all(games.iter().map(|game| game.deliver(stage, "match_status_finished", 7))).await?;
    answered(stage, "DELETE", games.len() * 2).await?;
    Ok(timed(stage, games, "DELETE", start + GRACE.as_millis() as u64))
}

/// Somebody of a running match connects to voice; None when he is not moved.
pub async fn join(stage: &Stage, game: &Game, player: usize) -> anyhow::Result<Option<Duration>> {
    let user = user_id(game.guild, player).to_string();
    let path = format!("/members/{user}");
    stage.simulator.clear_journal();
    let start = now_ms();
    stage.simulator.connect(
        &guild_id(game.guild).to_string(),
        &user,
        &lobby_id(game.guild).to_string(),
    )?;
    let until = Instant::now() + JOIN_WITHIN;
    while Instant::now() < until {
        let journal = stage.simulator.journal();
        if let Some(moved) = journal
            .iter()
            .find(|entry| entry.status == 200 && entry.path.ends_with(&path))
        {
            return Ok(Some(since(start, moved)));
        }
        sleep(LOOK).await;
    }
    Ok(None)
}

/// Answers that were a refusal to wait: there should be none.
pub fn limited(stage: &Stage) -> usize {
    stage
        .simulator
        .journal()
        .iter()
        .filter(|entry| entry.status == 429)
        .count()
}

/// Waits until so many requests were done.
async fn answered(stage: &Stage, method: &str, wanted: usize) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let done = of_discord(&stage.simulator.journal(), method).len();
        if done >= wanted {
            return Ok(());
        }
        if Instant::now() > until {
            let journal = stage.simulator.journal();
            bail!(
                "{done} of {wanted} {method}; the service says:\n{}\n{journal:#?}",
                stage.log()
            );
        }
        sleep(LOOK).await;
    }
}

fn of_discord<'a>(journal: &'a [Entry], method: &str) -> Vec<&'a Entry> {
    let wanted = |entry: &&Entry| entry.side == Side::Discord && entry.method == method && entry.status < 300;
    journal.iter().filter(wanted).collect()
}

fn timed(stage: &Stage, games: &[Game], method: &str, start: u64) -> Timed {
    let journal = stage.simulator.journal();
    let done = of_discord(&journal, method);
    let last = |entries: &mut dyn Iterator<Item = &&Entry>| entries.map(|entry| since(start, entry)).max();
    let of_guild = |game: &Game| {
        let path = format!("/guilds/{}/", guild_id(game.guild));
        last(&mut done.iter().filter(|entry| entry.path.contains(&path)))
    };
    let about_itself = |path: &str| path.ends_with("/users/@me") || path.contains("/gateway");
    let calls = journal
        .iter()
        .filter(|entry| entry.side == Side::Discord && !about_itself(&entry.path));
    Timed {
        took: last(&mut done.iter()).unwrap_or_default(),
        by_guild: games.iter().filter_map(of_guild).collect(),
        calls: calls.count(),
    }
}

/// The journal has the arrival; the answer comes after the latency.
fn since(start: u64, entry: &Entry) -> Duration {
    Duration::from_millis(entry.at_ms.saturating_sub(start)) + LATENCY
}

/// Everybody who is present must sit in the right channel: a fast mistake is no figure.
fn seated(stage: &Stage, game: &Game, present: usize) -> anyhow::Result<()> {
    let guild = stage.simulator.guild(&guild_id(game.guild).to_string())?;
    let short = &game.game.id[2..10];
    for (faction, players) in [("faction1", 0..5), ("faction2", 5..10)] {
        let channel = format!("match-{short}-{faction}");
        let channels = guild["channels"].as_array().context("channels")?;
        let found = channels.iter().find(|known| known["name"] == channel.as_str());
        let found = found.with_context(|| format!("{channel} is not there"))?;
        for player in players.filter(|player| player % 10 < present) {
            let user = user_id(game.guild, game.first + player).to_string();
            if !found["members"].as_array().context("members")?.contains(&json!(user)) {
                bail!("{user} does not sit in {channel}");
            }
        }
    }
    Ok(())
}
