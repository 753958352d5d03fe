//! For whoever watches over Muster: alive, ready (and what fails), metrics.

use std::time::Duration;

use ::metrics::gauge;
use axum::{
    Json,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use moka::future::Cache;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::{
    discord::{LeftOut, Shards},
    domain::render::stamp,
    metrics, store,
    web::Web,
};

/// How long a report of `/readyz?verbose` stands, so that nobody can use it to burn our calls to Discord and FACEIT.
const REPORT_STANDS: Duration = Duration::from_secs(60);

/// What proxies add.
const FORWARDED: [&str; 2] = ["x-forwarded-for", "forwarded"];

/// The longest a check waits for the database.
const PATIENCE: Duration = Duration::from_secs(2);

/// The last report; who asks while one is made waits for the same one.
#[derive(Clone)]
pub struct Examined(Cache<(), Value>);

impl Default for Examined {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(1).time_to_live(REPORT_STANDS).build())
    }
}

#[derive(Deserialize)]
pub struct Wordy {
    verbose: Option<String>,
}

/// `GET /healthz`: the process answers. Says nothing about the database.
pub async fn alive() -> Response {
    Json(json!({ "status": "alive" })).into_response()
}

/// `GET /readyz`: 200 when deliveries can be stored and nothing waits for a person, else 503; the body names what fails. A gateway that is
/// merely connecting again is no failure. With `?verbose`, whether the operators have paused everything is added, and all that `muster doctor` looks at; that does not change the status,
/// since restarting won't grant a permission. Who comes through a proxy gets none of that: it names servers and channels.
pub async fn ready(State(web): State<Web>, Query(wordy): Query<Wordy>, headers: HeaderMap) -> Response {
    let mut checks = Map::new();
    checks.insert(
        "database".to_owned(),
        verdict(
            ask(async {
                let mut conn = web.pool.acquire().await?;
                store::ping(&mut conn).await
            })
            .await,
        ),
    );
    checks.insert(
        "migrations".to_owned(),
        verdict(match ask(store::migrations_pending(&web.pool)).await {
            Ok(pending) if pending.is_empty() => Ok(()),
            Ok(pending) => Err(format!("not applied yet: {}; run `muster migrate`", pending.join(", "))),
            Err(why) => Err(why),
        }),
    );
    checks.insert("discord_token".to_owned(), verdict(token(&web)));
    checks.insert("gateway".to_owned(), gateway(&web.shards));
    if let Some(left_out) = (web.movers)() {
        checks.insert("movers".to_owned(), movers(&left_out));
    }
    let ready = checks.values().all(|check| check["ok"] == Value::Bool(true));
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let mut body = json!({ "ready": ready, "checks": checks });
    let forwarded = FORWARDED.iter().any(|name| headers.contains_key(*name));
    if wordy.verbose.is_some() {
        body["paused"] = paused(&web, !forwarded).await;
    }
    if wordy.verbose.is_some() && forwarded {
        body["doctor"] = "not told through a proxy: ask the service's own port, or run `muster doctor`".into();
    } else if wordy.verbose.is_some() {
        body["doctor"] = web.examined.0.get_with((), (web.examine)()).await;
    }
    (status, Json(body)).into_response()
}

/// `GET /metrics` for Prometheus. The state of the queue is read on asking; when the database is away, the last state stands.
pub async fn metrics(State(web): State<Web>) -> Response {
    let counts = ask(async {
        let mut conn = web.pool.acquire().await?;
        let counts = store::jobs::counts(&mut conn, web.clock.now()).await?;
        Ok((counts, store::service_pause::load(&mut conn).await?))
    });
    if let Ok((counts, pause)) = counts.await {
        gauge!(metrics::PAUSED).set(if pause.is_some() { 1.0 } else { 0.0 });
        gauge!(metrics::JOBS, "state" => "waiting").set(counts.waiting as f64);
        gauge!(metrics::JOBS, "state" => "asleep").set(counts.asleep as f64);
        gauge!(metrics::JOBS, "state" => "running").set(counts.running as f64);
        gauge!(metrics::JOBS, "state" => "dead").set(counts.dead as f64);
        gauge!(metrics::OLDEST_JOB).set(counts.oldest_due_seconds);
    }
    gauge!(metrics::GATEWAY_GUILDS).set(web.voice.guilds().len() as f64);
    gauge!(metrics::GATEWAY_SEATED).set(web.voice.seated() as f64);
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        (web.metrics)(),
    )
        .into_response()
}

/// The operators' pause: null when there is none. No failure: somebody wants it so.
async fn paused(web: &Web, with_reason: bool) -> Value {
    let pause = ask(async {
        let mut conn = web.pool.acquire().await?;
        store::service_pause::load(&mut conn).await
    });
    match pause.await {
        Ok(Some(pause)) => {
            let reason = pause.reason.filter(|_| with_reason);
            json!({ "since": stamp(pause.since), "reason": reason })
        }
        _ => Value::Null,
    }
}

async fn ask<T>(question: impl Future<Output = Result<T, store::Error>>) -> Result<T, String> {
    match timeout(PATIENCE, question).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

fn token(web: &Web) -> Result<(), String> {
    if (web.token_is_bad)() {
        return Err(
            "Discord refuses the bot's token: make a new one at discord.com/developers/applications → your application → Bot → Reset \
             Token, set DISCORD_TOKEN to it, and start Muster again"
                .to_owned(),
        );
    }
    Ok(())
}

/// Never red: the main bot moves people without them, only slower.
fn movers(left_out: &[LeftOut]) -> Value {
    let mut check = verdict(Ok(()));
    let each = left_out.iter().map(|left_out| {
        let server = left_out.guild.map(|guild| guild.to_string());
        json!({ "bot": left_out.bot, "server": server, "why": left_out.why })
    });
    check["left_out"] = each.collect();
    check
}

/// Red only when a shard was given up. How each one stands is there to be read, and the number of its session's last event, once everything
/// that follows from it is booked.
fn gateway(shards: &Shards) -> Value {
    let mut check = verdict(shards.fatal().map_or(Ok(()), Err));
    let all = shards.all();
    let each: Map<String, Value> = all
        .iter()
        .map(|(shard, status)| (shard.to_string(), status.to_string().into()))
        .collect();
    check["shards"] = each.into();
    let heard = all
        .keys()
        .filter_map(|shard| Some((shard, shards.caught_up(*shard)?.1)));
    let heard: Map<String, Value> = heard.map(|(shard, event)| (shard.to_string(), event.into())).collect();
    check["events"] = heard.into();
    if let Some(trouble) = shards.trouble() {
        check["trouble"] = trouble.into();
    }
    check
}

fn verdict(check: Result<(), String>) -> Value {
    match check {
        Ok(()) => json!({ "ok": true }),
        Err(why) => json!({ "ok": false, "why": why }),
    }
}
