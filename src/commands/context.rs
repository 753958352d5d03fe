//! What every command has at hand: who asked, and the services, with the few steps that many of them take.

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
    pub async fn commit(&self, mut transaction: store::Transaction) -> Result<(), Trouble> {
        // The process that works is not always the one that was asked.
        store::listener::notify(&mut transaction).await?;
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
    pub async fn settings(&self, guild: GuildId) -> Result<Settings, Trouble> {
        let mut connection = self.connection().await?;
        Ok(self.settings_with_version(&mut connection, guild).await?.0)
    }

    /// The same for whoever changes them; no version when nothing is stored.
    pub async fn settings_with_version(
        &self,
        connection: &mut store::Connection,
        guild: GuildId,
    ) -> Result<(Settings, Option<i64>), Trouble> {
        if let Some(stored) = store::guilds::load(connection, guild).await? {
            return Ok((stored.settings, Some(stored.version)));
        }
        let default = self.services().default_guild.as_ref();
        let default = default.filter(|settings| settings.guild == guild);
        let settings = default.map_or_else(|| Settings::new(guild), |settings| Settings::clone(settings));
        Ok((settings, None))
    }

    /// Whether somebody is in a guild, as Discord says now.
    pub async fn is_member(&self, guild: GuildId, user: UserId) -> Result<bool, Trouble> {
        Ok(self.services().discord.roles_of(guild, user).await?.is_some())
    }
}
