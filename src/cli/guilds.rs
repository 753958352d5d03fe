//! `muster guilds`: what each Discord server wants, whose matches are whose, pause and resume. Every change looks at the matches it concerns.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use crate::{
    cli::{counted, migrated, say},
    clock::Clock,
    config::{DatabaseArgs, GuildArgs},
    domain::{
        Timestamp,
        ids::{GuildId, is_plausible_id},
        setting_text::KEYS,
        settings::{ClaimKind, Settings},
    },
    store::{self, audit::Actor, guild_changes, guilds::Saved},
};

#[derive(Subcommand)]
pub enum GuildsCommand {
    /// Show all servers with settings of their own, and what they claim
    List {
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Show the settings of a server, as `set` takes them
    Show(Target),
    /// Change settings of a server, for example lobby=1234567890123456789 user_limit=7; an empty value is the default
    Set {
        /// Settings, see `muster guilds show`
        #[arg(required = true, value_name = "KEY=VALUE")]
        settings: Vec<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Make all matches of a hub, a championship or an organizer those of a server
    Claim {
        /// hub, championship or organizer
        kind: String,
        /// FACEIT's id of it, as in its address
        id: String,
        #[command(flatten)]
        target: Target,
    },
    /// Give a claim up
    Release {
        /// FACEIT's id of the hub, championship or organizer
        id: String,
        #[command(flatten)]
        target: Target,
    },
    /// Do nothing in a server until it is resumed; its matches stay open
    Pause(Target),
    /// Go on in a server
    Resume(Target),
}

/// Which server.
#[derive(Args)]
pub struct Target {
    /// Id of the Discord server [default: DISCORD_GUILD_ID]
    #[arg(long, value_name = "ID")]
    guild: Option<GuildId>,
    #[command(flatten)]
    default: Box<GuildArgs>,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// A server's settings in an open transaction, with the version they have in the database.
struct Edit {
    tx: store::Transaction,
    /// As they were found.
    before: Settings,
    settings: Settings,
    version: Option<i64>,
    now: Timestamp,
}

pub async fn run(command: GuildsCommand) -> anyhow::Result<()> {
    match command {
        GuildsCommand::List { database } => list(database).await,
        GuildsCommand::Show(target) => show(target).await,
        GuildsCommand::Set { settings, target } => {
            let mut edit = Edit::begin(target).await?;
            for pair in &settings {
                let (key, value) = pair
                    .split_once('=')
                    .with_context(|| format!("'{pair}' is no KEY=VALUE, such as user_limit=7"))?;
                edit.settings
                    .set(key.trim(), value)
                    .map_err(|why| anyhow::anyhow!("{key}: {why}"))?;
            }
            edit.save().await?;
            let guild = edit.settings.guild;
            edit.finish().await?;
            say(&format!("changed the settings of server {guild}"))
        }
        GuildsCommand::Claim { kind, id, target } => claim(&kind, &id, target).await,
        GuildsCommand::Release { id, target } => {
            let mut edit = Edit::begin(target).await?;
            let guild = edit.settings.guild;
            if !guild_changes::release(&mut edit.tx, &Actor::cli(), guild, &id, edit.now).await? {
                bail!("server {guild} does not claim '{id}'; `muster guilds list` shows what it claims");
            }
            edit.finish().await?;
            say(&format!("server {guild} no longer claims {id}"))
        }
        GuildsCommand::Pause(target) => pause(target, true).await,
        GuildsCommand::Resume(target) => pause(target, false).await,
    }
}

async fn list(database: DatabaseArgs) -> anyhow::Result<()> {
    let pool = migrated(database).await?;
    let mut conn = pool.acquire().await.map_err(store::Error::from)?;
    let guilds = store::guilds::all(&mut conn).await?;
    let claims = store::competitions::list(&mut conn, None).await?;
    for guild in &guilds {
        let id = guild.settings.guild;
        say(&format!("{id}{}", if guild.settings.paused { "  paused" } else { "" }))?;
        for claim in claims.iter().filter(|claim| claim.guild == id) {
            say(&format!("  {} {}", claim.kind.as_str(), claim.id))?;
        }
    }
    say(&format!("settings are stored for {}", counted(guilds.len(), "server")))
}

async fn show(target: Target) -> anyhow::Result<()> {
    let edit = Edit::begin(target).await?;
    for key in KEYS {
        say(&format!("{key}={}", edit.settings.get(key).unwrap_or_default()))?;
    }
    if edit.version.is_none() {
        say("(from the environment and the defaults; nothing is stored for this server)")?;
    }
    Ok(())
}

async fn claim(kind: &str, id: &str, target: Target) -> anyhow::Result<()> {
    let Some(kind) = ClaimKind::parse(kind) else {
        bail!("'{kind}' can't be claimed: it must be hub, championship or organizer");
    };
    if !is_plausible_id(id) {
        bail!("'{id}' can't be an id of FACEIT; it looks like 74624044-158f-446a-ad4c-9d3d4c4a4d07");
    }
    let mut edit = Edit::begin(target).await?;
    let guild = edit.settings.guild;
    if edit.version.is_none() {
        edit.save().await?;
    }
    let owner = guild_changes::claim(&mut edit.tx, &Actor::cli(), guild, kind, id, edit.now).await?;
    if owner != guild {
        bail!("server {owner} claims {id} already: `muster guilds release {id} --guild {owner}` frees it");
    }
    edit.finish().await?;
    say(&format!(
        "the matches of {} {id} are those of server {guild}",
        kind.as_str()
    ))
}

async fn pause(target: Target, paused: bool) -> anyhow::Result<()> {
    let mut edit = Edit::begin(target).await?;
    edit.settings.paused = paused;
    edit.save().await?;
    let guild = edit.settings.guild;
    edit.finish().await?;
    say(&if paused {
        format!("nothing is done in server {guild} until `muster guilds resume`")
    } else {
        format!("server {guild} goes on")
    })
}

impl Edit {
    async fn begin(target: Target) -> anyhow::Result<Self> {
        let default = target.default.parse()?.settings();
        let guild = target.guild.or(default.as_ref().map(|settings| settings.guild));
        let guild = guild.context("which server? Name it with --guild, or set DISCORD_GUILD_ID")?;
        let pool = migrated(target.database).await?;
        let mut tx = pool.begin().await.map_err(store::Error::from)?;
        let stored = store::guilds::load(&mut tx, guild).await?;
        let version = stored.as_ref().map(|stored| stored.version);
        let settings = match (stored, default) {
            (Some(stored), _) => stored.settings,
            (None, Some(default)) if default.guild == guild => default,
            (None, _) => Settings::new(guild),
        };
        Ok(Self {
            tx,
            before: settings.clone(),
            settings,
            version,
            now: Clock::system().now(),
        })
    }

    async fn save(&mut self) -> anyhow::Result<()> {
        let (tx, actor) = (&mut self.tx, Actor::cli());
        let saved = guild_changes::save(tx, &actor, &self.before, &self.settings, self.version, self.now).await?;
        match saved {
            Saved::Version(version) => self.version = Some(version),
            Saved::Changed => bail!("somebody else changed this server's settings at the same time; try again"),
        }
        Ok(())
    }

    async fn finish(self) -> anyhow::Result<()> {
        self.tx.commit().await.map_err(store::Error::from)?;
        Ok(())
    }
}
