//! `muster keys`: seals people's Discord tokens anew with the first key of MUSTER_ENCRYPTION_KEYS.

use clap::Subcommand;

use crate::{cli::migrated, clock::Clock, config::KeysArgs, web::auth::tokens};

#[derive(Subcommand)]
pub enum KeysCommand {
    /// Seal everything anew with the first key of MUSTER_ENCRYPTION_KEYS, so that the others can be dropped
    Rotate(KeysArgs),
}

pub async fn run(command: KeysCommand) -> anyhow::Result<String> {
    let KeysCommand::Rotate(args) = command;
    let ring = args.ring()?;
    let pool = migrated(args.database).await?;
    let done = tokens::rotate(&pool, &ring, &Clock::system()).await?;
    let current = ring.current();
    if done.unreadable > 0 {
        anyhow::bail!(
            "{} were sealed anew with key {current}; {} can't be opened with the keys given: list the key that they need, or let \
             their owners sign in again",
            done.resealed,
            done.unreadable
        );
    }
    Ok(format!(
        "{} were sealed anew with key {current}; no other key is needed any more",
        done.resealed
    ))
}
