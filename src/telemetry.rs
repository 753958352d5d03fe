//! Logs and metrics of the process: set up once, at the start of `main`. Which things are logged and counted is decided where they happen.

use std::{
    fmt,
    io::{IsTerminal, stderr},
    panic::{self, PanicHookInfo},
    str::FromStr,
};

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::{Level, Metadata};
use tracing_subscriber::{EnvFilter, Layer, filter::filter_fn, layer::SubscriberExt, util::SubscriberInitExt};

use crate::metrics;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line, for collectors.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("must be 'text' or 'json'".to_owned()),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// What is logged when `RUST_LOG` is not set: our own doings, and of the libraries only what is wrong.
const DEFAULT_FILTER: &str = "info,muster=info,sqlx=warn,hyper=warn,hyper_util=warn,reqwest=warn,rustls=warn";

/// Upper bounds in seconds. A match is done within a second or two when all goes well; minutes and more mean repair.
const DONE_BUCKETS: [f64; 15] = [
    0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0,
];

/// The process's metrics.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds the observations of histograms together; call about every 5 s, or they pile up while nobody scrapes.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// Sends logs to stderr (stdout belongs to the commands' answers), logs panics, and starts counting. Once per process.
pub fn init(format: LogFormat) -> anyhow::Result<Metrics> {
    let (filter, complaint) = filter();
    let lines = match format {
        LogFormat::Text => tracing_subscriber::fmt::layer()
            .with_writer(stderr)
            .with_ansi(stderr().is_terminal())
            .boxed(),
        LogFormat::Json => tracing_subscriber::fmt::layer()
            .with_writer(stderr)
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    };
    tracing_subscriber::registry()
        // As one filter for all, not one for the layer: with a layer's own, a line after a query can get lost (tokio-rs/tracing#2519).
        .with(filter)
        .with(filter_fn(|line| !holds_token(line)))
        .with(lines)
        .try_init()
        .context("logging is already set up")?;
    panic::set_hook(Box::new(log_panic));
    if let Some(complaint) = complaint {
        tracing::warn!("RUST_LOG is ignored: {complaint}");
    }

    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(metrics::DELIVERY_TO_DONE.to_owned()), &DONE_BUCKETS)?
        .install_recorder()
        .context("metrics are already set up")?;
    metrics::describe();
    Ok(Metrics(handle))
}

/// Every frame to Discord's gateway, as it is.
fn holds_token(line: &Metadata<'_>) -> bool {
    *line.level() == Level::TRACE && line.target().starts_with("tungstenite")
}

/// `RUST_LOG`, or the default when it is absent, empty or can't be read; then also what is wrong with it.
fn filter() -> (EnvFilter, Option<String>) {
    match EnvFilter::try_from_default_env() {
        Ok(filter) if !filter.to_string().is_empty() => (filter, None),
        Ok(_) => (EnvFilter::new(DEFAULT_FILTER), None),
        Err(error) => {
            let absent = std::error::Error::source(&error).is_some_and(|source| source.is::<std::env::VarError>());
            let complaint = (!absent).then(|| error.to_string());
            (EnvFilter::new(DEFAULT_FILTER), complaint)
        }
    }
}

/// One line, where the default hook writes several that a log collector can't tell from noise.
fn log_panic(info: &PanicHookInfo<'_>) {
    let why = info.payload_as_str().unwrap_or("no message");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let backtrace = std::backtrace::Backtrace::capture();
    match backtrace.status() {
        std::backtrace::BacktraceStatus::Captured => tracing::error!(place, %backtrace, "a bug: panicked: {why}"),
        _ => tracing::error!(place, "a bug: panicked: {why} (RUST_BACKTRACE=1 shows the way there)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_filter_can_be_read_and_log_formats_print_as_they_are_read() {
        assert!(EnvFilter::try_new(DEFAULT_FILTER).is_ok());
        for format in [LogFormat::Text, LogFormat::Json] {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert!("xml".parse::<LogFormat>().is_err());
    }
}
