//! Tells Discord which commands there are: at the start, and only when they have changed since the last time.

use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use twilight_model::application::command::Command;

use crate::{
    clock::Clock,
    commands::book,
    discord,
    domain::ids::GuildId,
    store::{self, command_lists},
};

/// Why Discord does not have the list.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Discord(#[from] discord::Error),
}

/// Tries until Discord has them, with this pause, or nothing but another start can help. `guild`: only there, and at once; for development.
pub async fn enrol(
    pool: store::Pool,
    clock: Clock,
    discord: discord::Client,
    guild: Option<GuildId>,
    again_after: Duration,
    stop: CancellationToken,
) {
    let commands = book::definitions();
    loop {
        let Some(tried) = stop
            .run_until_cancelled(once(&pool, &clock, &discord, guild, &commands))
            .await
        else {
            return;
        };
        match tried {
            Ok(true) => return info!(commands = commands.len(), "Discord has been told of the commands"),
            Ok(false) => return,
            Err(Error::Discord(error @ (discord::Error::Unauthorized | discord::Error::Unexpected { .. }))) => {
                return warn!(%error, "Discord does not take the commands");
            }
            Err(error) => {
                warn!(%error, "Discord could not be told of the commands; the next try is in {} s", again_after.as_secs());
            }
        }
        if stop.run_until_cancelled(sleep(again_after)).await.is_none() {
            return;
        }
    }
}

/// Says whether anything was new.
async fn once(
    pool: &store::Pool,
    clock: &Clock,
    discord: &discord::Client,
    guild: Option<GuildId>,
    commands: &[Command],
) -> Result<bool, Error> {
    let application = discord.application_id().await?.get();
    let hash = hash(commands);
    let mut connection = pool.acquire().await.map_err(store::Error::from)?;
    let known = command_lists::of(&mut connection, application).await?;
    drop(connection);
    let mut changed = false;
    if known.iter().all(|list| list.guild != guild || list.hash != hash) {
        discord.set_commands(guild, commands).await?;
        let mut connection = pool.acquire().await.map_err(store::Error::from)?;
        command_lists::put(&mut connection, application, guild, &hash, clock.now()).await?;
        changed = true;
    }
    // The same commands in another place would show twice.
    for old in known.iter().filter(|list| list.guild != guild) {
        discord.set_commands(old.guild, &[]).await?;
        let mut connection = pool.acquire().await.map_err(store::Error::from)?;
        command_lists::forget(&mut connection, application, old.guild).await?;
        changed = true;
    }
    Ok(changed)
}

/// By its order-free JSON: translations are kept in hash maps.
fn hash(commands: &[Command]) -> Vec<u8> {
    let list = serde_json::to_value(commands).unwrap_or_default();
    Sha256::digest(list.to_string()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_commands_have_the_same_hash_each_time() {
        let first = hash(&book::definitions());
        assert!((0..20).all(|_| hash(&book::definitions()) == first));
        assert_ne!(hash(&book::definitions()[1..]), first);
    }
}
