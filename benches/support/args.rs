//! The arguments of a benchmark, and how it prints: a table for people, or one JSON object for programs.

use std::time::Duration;

use clap::Parser;
use serde_json::Value;

use super::quiet;

/// Measures Muster on a private, durable PostgreSQL.
#[derive(Parser)]
pub struct Args {
    /// Print one JSON object and nothing else on standard output
    #[arg(long)]
    pub json: bool,
    /// Seconds per measurement; fewer are quicker and noisier
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
    /// How often each measurement is repeated; medians are reported
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=99))]
    pub rounds: u64,
    /// Before each round wait at most so many seconds until the machine is 90 % idle
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    pub quiet: u64,
    /// Cargo says so to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
    /// Used by the benchmark itself: be a worker on this database that takes jobs and never ends them
    #[arg(long, hide = true, value_name = "URL")]
    pub hold: Option<String>,
}

/// These, or those of a benchmark that has more.
pub fn get<T: Parser>() -> T {
    T::parse()
}

impl Args {
    /// How idle the machine is before a round, in percent; waits for quiet.
    pub fn idle(&self) -> Option<f64> {
        quiet::wait(Duration::from_secs(self.quiet))
    }

    /// Progress goes to standard error, so that standard output stays one object.
    pub fn say(&self, line: &str) {
        eprintln!("{line}");
    }

    pub fn print(&self, report: &Value, table: &str) {
        if self.json {
            println!("{report}");
        } else {
            println!("{table}");
        }
    }
}
