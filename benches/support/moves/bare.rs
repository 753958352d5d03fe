//! The yardstick: the same calls, sent by a client that knows the buckets beforehand and does nothing else. What it takes longer than the ideal is
//! the machine's and the simulator's share.

use std::time::Duration;

use anyhow::{Context, bail};
use futures::future::{try_join, try_join_all};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::stage::{Stage, guild_id, user_id};

/// One bot's bucket for moves in a guild, and how long a token takes to come back, with a little for the timers.
const BURST: usize = 10;
const TOKEN_EVERY: Duration = Duration::from_millis(1_002);
/// How much later the first moves may arrive than they were to be sent.
const MARGIN: Duration = Duration::from_millis(50);

/// So many 5v5s at once in one guild, all players present; gives the time to the last answer.
pub async fn matches(stage: &Stage, guild: usize, count: usize) -> anyhow::Result<Duration> {
    let http = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(32)
        .build()?;
    let start = Instant::now();
    let channels = try_join_all((0..count).map(|_| stand(stage, &http, guild))).await?;
    let moves = channels.iter().enumerate().flat_map(|(game, (one, two))| {
        (0..10).map(move |player| (game * 10 + player, if player < 5 { one } else { two }))
    });
    let began = Instant::now();
    let sent = moves.enumerate().map(|(nth, (player, channel))| {
        let (bot, turn) = (nth % stage.tokens.len(), nth / stage.tokens.len());
        let later = u32::try_from((turn + 1).saturating_sub(BURST)).unwrap_or(u32::MAX);
        // The first ones may have arrived late.
        let at = began + TOKEN_EVERY * later + if later > 0 { MARGIN } else { Duration::ZERO };
        let user = user_id(guild, player);
        let path = format!("/guilds/{}/members/{user}", guild_id(guild));
        let http = &http;
        async move {
            sleep_until(at).await;
            let body = json!({"channel_id": channel});
            call(stage, http, reqwest::Method::PATCH, &path, bot, Some(body)).await
        }
    });
    try_join_all(sent).await?;
    Ok(start.elapsed())
}

/// Asks FACEIT about some match, and makes two channels.
async fn stand(stage: &Stage, http: &reqwest::Client, guild: usize) -> anyhow::Result<(String, String)> {
    // Whether it knows the match makes no difference to the time.
    let faceit = &stage.simulator.addresses().faceit_api;
    let asked = http
        .get(format!("{faceit}/matches/1-bare"))
        .header("authorization", "Bearer bench")
        .send();
    asked.await?.bytes().await?;
    let create = |name: &'static str| {
        let path = format!("/guilds/{}/channels", guild_id(guild));
        async move {
            let body = json!({"name": name, "type": 2});
            let made = call(stage, http, reqwest::Method::POST, &path, 0, Some(body)).await?;
            Ok::<_, anyhow::Error>(made["id"].as_str().context("an id")?.to_owned())
        }
    };
    try_join(create("bare-1"), create("bare-2")).await
}

async fn call(
    stage: &Stage,
    http: &reqwest::Client,
    method: reqwest::Method,
    path: &str,
    bot: usize,
    body: Option<Value>,
) -> anyhow::Result<Value> {
    let url = format!("{}{path}", stage.simulator.addresses().discord_api);
    let mut request = http
        .request(method, url)
        .header("authorization", format!("Bot {}", stage.tokens[bot]));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await?;
    let status = answer.status();
    if !status.is_success() {
        bail!("{path} was answered {status}: {}", answer.text().await?);
    }
    Ok(answer.json().await?)
}
