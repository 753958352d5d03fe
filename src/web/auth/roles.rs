//! What somebody may do in a guild: owner, admin, staff, viewer or nothing, from Discord's own data, at most a minute old.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    discord::oauth::OwnGuild,
    domain::{
        Timestamp,
        ids::{GuildId, RoleId, UserId},
        settings::Settings,
    },
    store,
    web::{
        auth::{Admin, FRESH},
        refused::Refused,
    },
};

const ADMINISTRATOR: u64 = 1 << 3;
const MANAGE_GUILD: u64 = 1 << 5;
/// That the bot is missing is believed so long.
const JUST_NOW: time::Duration = time::Duration::seconds(5);

/// From least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Not in the guild, as far as Discord tells us.
    None,
    /// A member.
    Viewer,
    /// Has a role that the guild's settings name.
    Staff,
    /// May manage the server.
    Admin,
    Owner,
}

/// A person's guilds.
pub struct OwnGuilds {
    at: Timestamp,
    pub guilds: Vec<OwnGuild>,
}

/// Somebody's roles in a guild; none when he is not in it.
pub struct RolesOf {
    at: Timestamp,
    roles: Vec<u64>,
}

/// The guilds that the bot is in.
pub struct InstalledIn {
    at: Timestamp,
    pub guilds: Vec<GuildId>,
}

/// Which roles make somebody staff where.
pub type StaffRoles = BTreeMap<GuildId, BTreeSet<RoleId>>;

/// Owner or admin, from what Discord says of a person's guilds; None for other members.
pub fn managers_role(own: &OwnGuild) -> Option<Role> {
    if own.owner {
        Some(Role::Owner)
    } else if own.permissions & (ADMINISTRATOR | MANAGE_GUILD) != 0 {
        Some(Role::Admin)
    } else {
        None
    }
}

impl Admin {
    fn is_fresh(&self, at: Timestamp) -> bool {
        Duration::try_from(self.clock.now() - at).is_ok_and(|age| age < FRESH)
    }

    /// The guilds that somebody is in; asked once for all who ask at the same time.
    pub async fn guilds_of(&self, user: UserId) -> Result<Arc<OwnGuilds>, Refused> {
        if let Some(known) = self.own_guilds.get(&user).await
            && !self.is_fresh(known.at)
        {
            self.own_guilds.invalidate(&user).await;
        }
        let ask = async {
            let at = self.clock.now();
            let oauth = self.oauth.clone();
            let list = move |token| {
                let oauth = oauth.clone();
                async move { oauth.guilds(&token).await }
            };
            let guilds = self.as_person(user, list).await?;
            Ok(Arc::new(OwnGuilds { at, guilds }))
        };
        let known = self.own_guilds.try_get_with(user, ask).await;
        known.map_err(|refused: Arc<Refused>| (*refused).clone())
    }

    /// Remembers guilds that were just asked for.
    pub async fn remember_guilds(&self, user: UserId, guilds: Vec<OwnGuild>) {
        let at = self.clock.now();
        self.own_guilds.insert(user, Arc::new(OwnGuilds { at, guilds })).await;
    }

    pub async fn forget(&self, user: UserId) {
        self.own_guilds.invalidate(&user).await;
    }

    /// The guilds that the bot is in.
    pub async fn installed(&self) -> Result<Arc<InstalledIn>, Refused> {
        if let Some(known) = self.installed.get(&()).await
            && !self.is_fresh(known.at)
        {
            self.installed.invalidate(&()).await;
        }
        let ask = async {
            let at = self.clock.now();
            let guilds = self.discord.own_guilds().await.map_err(Refused::from)?;
            Ok(Arc::new(InstalledIn { at, guilds }))
        };
        let known = self.installed.try_get_with((), ask).await;
        known.map_err(|refused: Arc<Refused>| (*refused).clone())
    }

    /// Whether the bot is in a guild. Who has just invited it does not wait for what was known before.
    pub async fn is_installed(&self, guild: GuildId) -> Result<bool, Refused> {
        let known = self.installed().await?;
        if known.guilds.contains(&guild) {
            return Ok(true);
        }
        if self.clock.now() - known.at < JUST_NOW {
            return Ok(false);
        }
        self.installed.invalidate(&()).await;
        Ok(self.installed().await?.guilds.contains(&guild))
    }

    pub async fn must_be_installed(&self, guild: GuildId) -> Result<(), Refused> {
        if self.is_installed(guild).await? {
            Ok(())
        } else {
            Err(Refused::bot_missing())
        }
    }

    /// What somebody may do in a guild.
    pub async fn role_in(&self, user: UserId, guild: GuildId) -> Result<Role, Refused> {
        Ok(self.role_until(user, guild).await?.0)
    }

    /// The same, and until when it may be believed: a minute after Discord said what it rests on.
    pub async fn role_until(&self, user: UserId, guild: GuildId) -> Result<(Role, Timestamp), Refused> {
        let all = self.guilds_of(user).await?;
        let until = all.at + FRESH;
        let Some(own) = all.guilds.iter().find(|own| own.id == guild) else {
            return Ok((Role::None, until));
        };
        if let Some(role) = managers_role(own) {
            return Ok((role, until));
        }
        let staff = self.staff_roles(&[guild]).await?;
        let role = self.members_role(user, guild, &staff).await?;
        let asked = self.roles_of.get(&(guild, user)).await;
        Ok((role, asked.map_or(until, |asked| until.min(asked.at + FRESH))))
    }

    /// What a member may do in a guild that he does not manage.
    pub async fn members_role(&self, user: UserId, guild: GuildId, staff: &StaffRoles) -> Result<Role, Refused> {
        let Some(staff) = staff.get(&guild).filter(|staff| !staff.is_empty()) else {
            return Ok(Role::Viewer);
        };
        // Only the bot can ask who has which role.
        if !self.is_installed(guild).await? {
            return Ok(Role::Viewer);
        }
        let has = self.discord_roles(user, guild).await?;
        let is_staff = staff.iter().any(|role| has.roles.contains(&role.get()));
        Ok(if is_staff { Role::Staff } else { Role::Viewer })
    }

    /// The roles that make somebody staff, as the settings of these guilds have them now.
    pub async fn staff_roles(&self, guilds: &[GuildId]) -> Result<StaffRoles, Refused> {
        let mut connection = self.pool.acquire().await.map_err(store::Error::from)?;
        let mut staff = store::guilds::staff_roles(&mut connection, guilds).await?;
        if let Some(default) = self.default_guild.as_ref() {
            staff
                .entry(default.guild)
                .or_insert_with(|| default.staff_roles.clone());
        }
        Ok(staff)
    }

    /// What a guild has as long as nothing is stored for it.
    pub fn start_of(&self, guild: GuildId) -> Settings {
        let default = self.default_guild.as_ref().filter(|settings| settings.guild == guild);
        default.cloned().unwrap_or_else(|| Settings::new(guild))
    }

    async fn discord_roles(&self, user: UserId, guild: GuildId) -> Result<Arc<RolesOf>, Refused> {
        let key = (guild, user);
        if let Some(known) = self.roles_of.get(&key).await
            && !self.is_fresh(known.at)
        {
            self.roles_of.invalidate(&key).await;
        }
        let ask = async {
            let at = self.clock.now();
            let roles = self.discord.roles_of(guild, user).await.map_err(Refused::from)?;
            let roles = roles.unwrap_or_default();
            Ok(Arc::new(RolesOf { at, roles }))
        };
        let known = self.roles_of.try_get_with(key, ask).await;
        known.map_err(|refused: Arc<Refused>| (*refused).clone())
    }
}
