//! Wires the sign-in at FACEIT, and direct messages to those whom it concerns.

use std::sync::Arc;

use tracing::warn;

use crate::{
    app::{App, examine::faceit_sign_in},
    clock::Clock,
    config::Config,
    discord,
    domain::ids::UserId,
    store, web,
};

impl App {
    /// Signing in at FACEIT, when it is set up.
    pub(super) fn linking(
        &self,
        config: &Config,
        pool: &store::Pool,
        clock: &Clock,
    ) -> anyhow::Result<Option<web::oauth::Linking>> {
        let Some(linking) = &config.linking else {
            return Ok(None);
        };
        let sign_in = faceit_sign_in(linking)?;
        let https = linking.redirect.scheme() == "https";
        let (pool, clock, wake) = (pool.clone(), clock.clone(), self.wake.clone());
        let linking = web::oauth::Linking::new(sign_in, pool, clock, wake, self.messenger(), https, config.proxies);
        Ok(Some(linking))
    }

    /// Sends direct messages on the side: who takes none is left alone, and nobody waits for them.
    pub(super) fn messenger(&self) -> Arc<dyn Fn(UserId, String) + Send + std::marker::Sync> {
        let (discord, tasks) = (self.sync.discord.clone(), self.tasks.clone());
        Arc::new(move |user, text| {
            let discord = discord.clone();
            tasks.spawn(async move {
                let sent = async {
                    let Some(channel) = discord.direct_channel(user).await? else {
                        return Ok(());
                    };
                    let message = discord::messages::Message {
                        content: &text,
                        ..Default::default()
                    };
                    discord.post_message(channel, &message).await.map(drop)
                };
                let sent: Result<(), discord::Error> = sent.await;
                if let Err(error) = sent {
                    warn!(%user, %error, "a direct message was not sent");
                }
            });
        })
    }
}
