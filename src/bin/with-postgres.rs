//! Runs a command with a private, throw-away PostgreSQL in its environment, and ends the server with it.
#![expect(
    clippy::disallowed_methods,
    reason = "a tool: looks whether the environment already names a server"
)]

use std::{
    env,
    io::{self, IsTerminal},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Command, ExitCode, ExitStatus},
};

use anyhow::Context;
use clap::Parser;
use muster::sandbox::postgres::{Options, PrivatePostgres};
use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

/// Runs a command with a private, throw-away PostgreSQL; where the variable is already set, just runs the command.
#[derive(Parser)]
struct Arguments {
    /// Wait for the disk at every commit, as a production server does
    #[arg(long)]
    durable: bool,
    /// The variable that hands the server's address to the command
    #[arg(long = "as", value_name = "VARIABLE", default_value = "TEST_DATABASE_URL")]
    variable: String,
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut command = Command::new(&arguments.command[0]);
    command.args(&arguments.command[1..]);
    let cannot_run = || format!("cannot run {}", arguments.command[0]);
    if env::var_os(&arguments.variable).is_some_and(|url| !url.is_empty()) {
        return Err(command.exec()).with_context(cannot_run);
    }

    // Before the server starts: a signal meanwhile waits, and must not end us without the command's exit code.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;

    let postgres = PrivatePostgres::start(Options {
        durable: arguments.durable,
    })?;
    command.env(&arguments.variable, postgres.url());
    let mut child = tokio::process::Command::from(command)
        .spawn()
        .with_context(cannot_run)?;
    let pass_on = |pid: Option<u32>, signal| {
        if let Some(pid) = pid.and_then(|pid| Pid::from_raw(pid as i32)) {
            // It may have just ended; its exit code then follows.
            let _ = kill_process(pid, signal);
        }
    };
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            _ = terminate.recv() => pass_on(child.id(), Signal::TERM),
            _ = hang_up.recv() => pass_on(child.id(), Signal::HUP),
            // A terminal's Ctrl-C reaches the command by itself, and test runners take a second one as "at once".
            _ = interrupt.recv() => if !io::stdin().is_terminal() { pass_on(child.id(), Signal::INT) },
        }
    };
    drop(postgres);
    Ok(exit_code(status))
}

/// As a shell would report it.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
