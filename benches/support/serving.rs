//! The unmodified `muster serve` as a process of its own, with nothing set but what it needs; each benchmark sets more.

use std::time::Duration;

use anyhow::Context;
use muster::sandbox::process::{Process, Program};

/// FACEIT's webhook secret.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";
const START_WITHIN: Duration = Duration::from_secs(120);

/// On a free port; Discord and FACEIT are at these addresses.
pub fn program(database: &str, faceit: &str, discord: &str, bot_token: &str) -> Program {
    Program::at(env!("CARGO_BIN_EXE_muster"))
        .arg("serve")
        .bare_env()
        .env("DATABASE_URL", database)
        .env("LISTEN_ADDR", "127.0.0.1:0")
        .env("FACEIT_API_KEY", "bench")
        .env("FACEIT_API_URL", faceit)
        .env("FACEIT_WEBHOOK_SECRET", SECRET)
        .env("DISCORD_TOKEN", bot_token)
        .env("DISCORD_API_URL", discord)
}

/// Starts it, and gives it with its host and port once it listens.
pub fn start(program: Program) -> anyhow::Result<(Process, String)> {
    let mut process = program.start()?;
    let line = process.line_where(START_WITHIN, |line| line.starts_with("listening on "));
    let address = line
        .as_deref()
        .and_then(|line| line.strip_prefix("listening on http://"))
        .with_context(|| format!("muster serve did not start:\n{}", process.stderr()))?
        .to_owned();
    Ok((process, address))
}
