//! What every command has at hand: who asked, and the services, with the few steps that many of them take.

use std::sync::Arc;

use crate::{
    commands::{Commands, Services, asked::Asked, limit::Counted, trouble::Trouble, words::Language},
    domain::{
        ids::{GuildId, UserId},
        settings::Settings,
    },
    store::{
        self,
        audit::Actor,
        linking::{self, By},
        links::StoredLink,
    },
};

/// One interaction at work.
pub struct Context {
    pub(super) commands: Commands,
    pub asked: Asked,
}

impl Context {
    pub fn services(&self) -> &Services {
        &self.commands.0.services
    }

    pub fn user(&self) -> UserId {
        self.asked.user
    }

    pub fn language(&self) -> Language {
        self.asked.language
    }

    /// Counts this as one more of its kind by the asker.
    pub fn count(&self, counted: Counted) -> Result<(), Trouble> {
        self.commands.0.limits.check(counted, self.user())
    }

    /// Whether FACEIT may be asked for suggestions now.
    pub fn may_suggest(&self) -> bool {
        self.commands.0.limits.may_suggest()
    }

    pub async fn connection(&self) -> Result<store::Pooled, Trouble> {
        let connection = self.services().pool.acquire().await;
        Ok(connection.map_err(store::Error::from)?)
    }

    pub async fn transaction(&self) -> Result<store::Transaction, Trouble> {
        let transaction = self.services().pool.begin().await;
        Ok(transaction.map_err(store::Error::from)?)
    }

    /// Makes it last, and has whatever it booked looked at at once.
    pub async fn commit(&self, transaction: store::Transaction) -> Result<(), Trouble> {
        transaction.commit().await.map_err(store::Error::from)?;
        self.services().wake.notify_one();
        Ok(())
    }

    /// The asker, as the audit log names him.
    pub fn by(&self) -> By {
        By {
            actor: Actor::discord(self.user(), self.asked.name.clone()),
            guild: self.asked.guild,
            at: self.services().clock.now(),
        }
    }

    /// The asker's own link.
    pub async fn link(&self) -> Result<Option<StoredLink>, Trouble> {
        let mut connection = self.connection().await?;
        Ok(linking::of_user(&mut connection, self.user()).await?)
    }

    /// A guild's settings: its own, else those of the environment, else what every guild starts with.
    pub async fn settings(&self, guild: GuildId) -> Result<Arc<Settings>, Trouble> {
        let mut connection = self.connection().await?;
        if let Some(stored) = store::guilds::load(&mut connection, guild).await? {
            return Ok(Arc::new(stored.settings));
        }
        let default = self.services().default_guild.as_ref();
        let default = default.filter(|settings| settings.guild == guild);
        Ok(default.cloned().unwrap_or_else(|| Arc::new(Settings::new(guild))))
    }
}
