//! Wires the slash commands: what they work with, the two ways they come by, and telling Discord of them.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::sync::mpsc;
use tracing::warn;

use crate::{
    app::App,
    clock::Clock,
    commands::{self, Commands, Services},
    config::Config,
    gateway,
    web::{auth::Admin, interactions::Interactions},
};

/// How long to wait before Discord is told of the commands again, when it could not be.
const ENROL_AGAIN_AFTER: Duration = Duration::from_secs(60);

impl App {
    pub(super) fn commands(&self, config: &Config, clock: &Clock, admin: Option<&Arc<Admin>>) -> Commands {
        let pool = &self.sync.sources.pool;
        self.tasks.spawn(commands::enrol(
            pool.clone(),
            clock.clone(),
            self.sync.discord.clone(),
            config.commands_guild,
            ENROL_AGAIN_AFTER,
            self.stop.clone(),
        ));
        Commands::new(Services {
            pool: pool.clone(),
            clock: clock.clone(),
            discord: self.sync.discord.clone(),
            faceit: self.sync.sources.faceit.clone(),
            wake: self.wake.clone(),
            default_guild: self.sync.sources.default_guild.clone(),
            sign_in: config.linking.as_ref().map(|linking| linking.public()),
            tell: self.messenger(),
            look: {
                let sync = self.sync.clone();
                Arc::new(move |id| {
                    let sync = sync.clone();
                    async move { sync.known(&id).await }.boxed()
                })
            },
            plan: {
                let sources = self.sync.sources.clone();
                Arc::new(move |id| {
                    let sources = sources.clone();
                    async move { Ok(sources.preview(&id, None).await?.to_string()) }.boxed()
                })
            },
            revoke: {
                let (admin, tasks) = (admin.cloned(), self.tasks.clone());
                Arc::new(move |tokens| {
                    let admin = admin.clone();
                    tasks.spawn(async move {
                        let revoked = match &admin {
                            Some(admin) => admin.revoke(&tokens).await,
                            None => Err("the admin part is off".to_owned()),
                        };
                        if let Err(why) = revoked {
                            warn!(why, "the tokens of somebody who was erased could not be revoked at Discord; they end within a week");
                        }
                    });
                })
            },
            tasks: self.tasks.clone(),
        })
    }

    /// Commands over the gateway.
    pub(super) fn interactions_of_gateway(&self, commands: &Commands) -> gateway::Interactions {
        let (interactions, mut told) = mpsc::unbounded_channel::<Box<str>>();
        let (commands, stop) = (commands.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            while let Some(Some(interaction)) = stop.run_until_cancelled(told.recv()).await {
                commands.by_gateway(&interaction);
            }
        });
        interactions
    }

    /// Commands over HTTP, when the application's public key is set.
    pub(super) fn interactions(
        &self,
        config: &Config,
        clock: &Clock,
        commands: &Commands,
    ) -> anyhow::Result<Option<Interactions>> {
        let Some(key) = config.public_key else {
            return Ok(None);
        };
        let commands = commands.clone();
        let answer = move |interaction: axum::body::Bytes| {
            let commands = commands.clone();
            async move {
                let answer = commands.by_http(&interaction).await.ok()?;
                serde_json::to_value(answer).ok()
            }
            .boxed()
        };
        match Interactions::new(key, clock.clone(), Arc::new(answer)) {
            Some(interactions) => Ok(Some(interactions)),
            None => anyhow::bail!(
                "DISCORD_PUBLIC_KEY is no public key of an application: copy it from discord.com/developers/applications → your application → \
                 General Information"
            ),
        }
    }
}
