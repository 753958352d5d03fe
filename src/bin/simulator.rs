//! The simulator as a program: one JSON line with its addresses on stdout, then it serves until SIGTERM or SIGINT.

use std::{fs, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;
use muster::simulator::{Options, Simulator, WorldFile};
use tokio::signal::unix::{SignalKind, signal};

/// A fake of Discord's REST API and FACEIT's Data API (src/simulator/README.md).
#[derive(Parser)]
struct Arguments {
    /// Address to serve on; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The world file.
    #[arg(long)]
    world: PathBuf,
    /// Where webhooks are delivered.
    #[arg(long, value_name = "URL")]
    webhook_to: Option<String>,
    /// The secret sent along with every webhook.
    #[arg(long, env = "FACEIT_WEBHOOK_SECRET", hide_env_values = true)]
    webhook_secret: Option<String>,
    /// The header it is sent in.
    #[arg(long, env = "FACEIT_WEBHOOK_HEADER")]
    webhook_header: Option<String>,
    /// The query parameter it is sent in as well.
    #[arg(long, env = "FACEIT_WEBHOOK_QUERY")]
    webhook_query: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("simulator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    // Before anything is printed: who reads the line may send a signal at once.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let text = fs::read_to_string(&arguments.world)
        .map_err(|error| anyhow::anyhow!("cannot read {}: {error}", arguments.world.display()))?;
    let world = WorldFile::parse(&text).map_err(anyhow::Error::msg)?;
    let given = |value: Option<String>| value.filter(|value| !value.is_empty());
    let usual = Options::default();
    let options = Options {
        listen: arguments.listen,
        webhook_to: given(arguments.webhook_to),
        webhook_secret: given(arguments.webhook_secret).unwrap_or(usual.webhook_secret),
        webhook_header: given(arguments.webhook_header).unwrap_or(usual.webhook_header),
        webhook_query: given(arguments.webhook_query),
    };
    let (secret, header) = (options.webhook_secret.clone(), options.webhook_header.clone());
    let simulator = Simulator::start(world, options).await?;

    let mut line = serde_json::to_value(simulator.addresses())?;
    line["webhook_secret"] = secret.into();
    line["webhook_header"] = header.into();
    println!("{line}");

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    // Requests that a fault holds back for longer are not waited for.
    let _ = tokio::time::timeout(Duration::from_secs(2), simulator.stop()).await;
    Ok(())
}
