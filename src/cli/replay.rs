//! `muster replay`: recorded deliveries once more, to a running service over HTTP, or as a dry run that only prints plans.

use std::{
    fmt, fs,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{StatusCode, Url, header};
use secrecy::ExposeSecret;
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::say;
use crate::{
    config::Webhook,
    sync::{Rehearsal, Sources},
};

/// How often a delivery is sent again that the service could not store just then.
const TRIES: usize = 5;
/// The longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest pause between two deliveries, whatever was recorded.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// One recorded body and where it was read.
pub struct Recording {
    pub source: String,
    pub body: Vec<u8>,
}

/// Reads files (one body, or an array of bodies) and directories (their `.json` files in name order).
pub fn read_all(paths: &[PathBuf]) -> anyhow::Result<Vec<Recording>> {
    let mut recordings = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries = fs::read_dir(path).with_context(|| format!("can't read the folder {}", path.display()))?;
            let mut files = entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<Result<Vec<_>, _>>()?;
            files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
            files.sort();
            if files.is_empty() {
                bail!("there is no .json file in {}", path.display());
            }
            for file in files {
                read_file(&file, &mut recordings)?;
            }
        } else {
            read_file(path, &mut recordings)?;
        }
    }
    Ok(recordings)
}

fn read_file(path: &Path, recordings: &mut Vec<Recording>) -> anyhow::Result<()> {
    let bytes = fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
    let source = path.display().to_string();
    match serde_json::from_slice(&bytes) {
        Ok(Value::Array(bodies)) => {
            for (number, body) in bodies.iter().enumerate() {
                recordings.push(Recording {
                    source: format!("{source}[{number}]"),
                    body: body.to_string().into_bytes(),
                });
            }
        }
        // Whatever else it is goes out as it is: the service says what is wrong with it.
        _ => recordings.push(Recording { source, body: bytes }),
    }
    Ok(())
}

/// What became of a replay.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub sent: usize,
    pub accepted: usize,
    pub ignored: usize,
    pub duplicate: usize,
    pub refused: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sent,
            accepted,
            ignored,
            duplicate,
            refused,
        } = self;
        write!(
            f,
            "sent {sent}: accepted {accepted}, duplicate {duplicate}, ignored {ignored}, refused {refused}"
        )
    }
}

/// Sends everything to the service at `to`. `speed` keeps the recorded pauses, that many times as fast; without it there are none.
pub async fn send(
    recordings: &[Recording],
    to: &Url,
    webhook: &Webhook,
    speed: Option<f64>,
) -> anyhow::Result<Summary> {
    let mut to = to.clone();
    if to.path() == "/" {
        to.set_path("/faceit-webhook");
    }
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let bar = progress(recordings.len());
    let mut summary = Summary::default();
    let mut before = None;
    for recording in recordings {
        let recorded_at = recorded_at(&recording.body);
        if let (Some(speed), Some(earlier), Some(at)) = (speed, before, recorded_at) {
            tokio::time::sleep(pause(earlier, at, speed)).await;
        }
        before = recorded_at.or(before);
        summary.sent += 1;
        match send_one(&client, &to, webhook, &recording.body).await {
            Ok(result) => match result.as_str() {
                "duplicate" => summary.duplicate += 1,
                "ignored" => summary.ignored += 1,
                _ => summary.accepted += 1,
            },
            // Nobody is there: the others would fare no better.
            Err(why) if summary.sent == 1 && why.downcast_ref().is_some_and(reqwest::Error::is_connect) => {
                return Err(why);
            }
            Err(why) => {
                summary.refused += 1;
                // Who reads it no more is no reason to stop.
                let _ = bar.suspend(|| writeln!(io::stderr(), "{}: {why:#}", recording.source));
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(summary)
}

/// The service's word for what it did with the delivery.
async fn send_one(client: &reqwest::Client, to: &Url, webhook: &Webhook, body: &[u8]) -> anyhow::Result<String> {
    for _ in 1..TRIES {
        let answer = post(client, to, webhook, body).await?;
        if answer.status() != StatusCode::SERVICE_UNAVAILABLE {
            return read_answer(answer).await;
        }
        let wait = answer
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        tokio::time::sleep(Duration::from_secs(wait.unwrap_or(1).min(30))).await;
    }
    read_answer(post(client, to, webhook, body).await?).await
}

async fn post(client: &reqwest::Client, to: &Url, webhook: &Webhook, body: &[u8]) -> anyhow::Result<reqwest::Response> {
    let request = client
        .post(to.clone())
        .header(header::CONTENT_TYPE, "application/json")
        .header(&webhook.header, webhook.secret.expose_secret())
        .body(body.to_vec());
    request
        .send()
        .await
        .with_context(|| format!("{to} can't be reached (is the service running there?)"))
}

async fn read_answer(answer: reqwest::Response) -> anyhow::Result<String> {
    let status = answer.status();
    let text = answer.text().await?;
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    if status.is_success() {
        return Ok(body["result"].as_str().unwrap_or("accepted").to_owned());
    }
    let why: String = body["error"].as_str().unwrap_or(&text).chars().take(300).collect();
    if status == StatusCode::UNAUTHORIZED {
        bail!("refused with {status}: FACEIT_WEBHOOK_SECRET or FACEIT_WEBHOOK_HEADER is not the service's own");
    }
    bail!("refused with {status}: {why}")
}

/// Prints the plan that each delivery would lead to now. Changes nothing anywhere; returns how many were malformed.
pub async fn dry_run(recordings: &[Recording], sources: &Sources) -> anyhow::Result<usize> {
    let mut malformed = 0;
    for recording in recordings {
        let rehearsal = sources.rehearse(&recording.body).await?;
        malformed += usize::from(matches!(rehearsal, Rehearsal::Refused(_)));
        say(&format!("{}: {rehearsal}", recording.source))?;
    }
    Ok(malformed)
}

fn progress(length: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} deliveries, {eta} left") {
        bar.set_style(style);
    }
    bar
}

/// When the delivery was made, by its own word.
fn recorded_at(body: &[u8]) -> Option<OffsetDateTime> {
    let body: Value = serde_json::from_slice(body).ok()?;
    OffsetDateTime::parse(body["timestamp"].as_str()?, &Rfc3339).ok()
}

fn pause(earlier: OffsetDateTime, at: OffsetDateTime, speed: f64) -> Duration {
    let recorded = Duration::try_from(at - earlier).unwrap_or_default();
    Duration::try_from_secs_f64(recorded.as_secs_f64() / speed)
        .unwrap_or(LONGEST_PAUSE)
        .min(LONGEST_PAUSE)
}
