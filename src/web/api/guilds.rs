//! `/api/guilds`: the servers that somebody looks after, and how the bot gets into one.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use futures::future::join_all;
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;
use tracing::warn;
use utoipa::ToSchema;

use crate::{
    domain::ids::GuildId,
    web::{
        access::Access,
        auth::{
            Admin,
            roles::{Role, managers_role},
            session::Session,
        },
        refused::{Refusals, Refused},
    },
};

/// For finding out somebody's role in one server, while others are asked about at the same time.
const ROLE_WITHIN: Duration = Duration::from_secs(3);
/// What the bot needs in a server, see README.
const PERMISSIONS: &str = "53478928";

/// A Discord server as the caller stands to it.
#[derive(Clone, Serialize, ToSchema)]
pub struct GuildBody {
    #[schema(example = "41771983423143937")]
    pub id: String,
    pub name: String,
    /// Hash of the picture.
    pub icon: Option<String>,
    /// Null when Discord did not say in time.
    pub role: Option<Role>,
    /// Whether the bot is in it.
    pub installed: bool,
}

/// All servers of a person, each with his role, found out at the same time.
pub async fn of_user(admin: &Admin, session: &Session) -> Result<Vec<GuildBody>, Refused> {
    let (own, installed) = tokio::try_join!(admin.guilds_of(session.user), admin.installed())?;
    let ids: Vec<GuildId> = own.guilds.iter().map(|guild| guild.id).collect();
    let staff = admin.staff_roles(&ids).await?;
    let staff = &staff;
    let bodies = own.guilds.iter().map(|guild| {
        let installed = installed.guilds.contains(&guild.id);
        async move {
            let role = async {
                match managers_role(guild) {
                    Some(role) => Ok(role),
                    None => admin.members_role(session.user, guild.id, staff).await,
                }
            };
            // One slow answer must not hold up all the others.
            let role = match timeout(ROLE_WITHIN, role).await {
                Ok(Ok(role)) => Some(role),
                Ok(Err(_)) => None,
                Err(_) => {
                    warn!(guild = %guild.id, "Discord did not say in time who is staff in a server");
                    None
                }
            };
            GuildBody {
                id: guild.id.to_string(),
                name: guild.name.clone(),
                icon: guild.icon.clone(),
                role,
                installed,
            }
        }
    });
    Ok(join_all(bodies).await)
}

/// The servers in which I am staff or more; also those of which Discord did not say in time.
#[utoipa::path(get, path = "/api/guilds", tag = "guilds", responses(
    (status = 200, body = Vec<GuildBody>), Refusals))]
pub async fn list(State(admin): State<Arc<Admin>>, session: Session) -> Result<Json<Vec<GuildBody>>, Refused> {
    let mut guilds = of_user(&admin, &session).await?;
    guilds.retain(|guild| guild.role.is_none_or(|role| role >= Role::Staff));
    Ok(Json(guilds))
}

/// One server.
#[utoipa::path(get, path = "/api/guilds/{guild}", tag = "guilds", params(("guild" = String, Path)), responses(
    (status = 200, body = GuildBody), Refusals))]
pub async fn show(
    State(admin): State<Arc<Admin>>,
    session: Session,
    access: Access,
) -> Result<Json<GuildBody>, Refused> {
    let (own, installed) = tokio::try_join!(admin.guilds_of(session.user), admin.is_installed(access.guild))?;
    // The gate has just found it in the same list.
    let guild = own
        .guilds
        .iter()
        .find(|guild| guild.id == access.guild)
        .ok_or_else(Refused::internal)?;
    Ok(Json(GuildBody {
        id: guild.id.to_string(),
        name: guild.name.clone(),
        icon: guild.icon.clone(),
        role: Some(access.role),
        installed,
    }))
}

/// Where the bot is invited.
#[derive(Serialize, ToSchema)]
pub struct InstallBody {
    /// Discord's page, with this server chosen.
    url: String,
    /// It is there already: opening the page again renews its permissions.
    installed: bool,
}

/// The address at which the bot is invited into this server.
#[utoipa::path(get, path = "/api/guilds/{guild}/bot-install-url", tag = "guilds", params(("guild" = String, Path)), responses(
    (status = 200, body = InstallBody), Refusals))]
pub async fn bot_install_url(State(admin): State<Arc<Admin>>, access: Access) -> Result<Json<InstallBody>, Refused> {
    let mut url = admin.settings.authorize_url.clone();
    url.query_pairs_mut()
        .append_pair("client_id", &admin.settings.client_id)
        .append_pair("scope", "bot applications.commands")
        .append_pair("permissions", PERMISSIONS)
        .append_pair("integration_type", "0")
        .append_pair("guild_id", &access.guild.to_string())
        .append_pair("disable_guild_select", "true");
    Ok(Json(InstallBody {
        url: url.into(),
        installed: admin.is_installed(access.guild).await?,
    }))
}

/// What `muster doctor` would say about this server, up to 15 seconds old.
#[utoipa::path(get, path = "/api/guilds/{guild}/check", tag = "guilds", params(("guild" = String, Path)), responses(
    (status = 200, body = Report), Refusals))]
pub async fn check(State(admin): State<Arc<Admin>>, access: Access) -> Json<Value> {
    Json(admin.examine(access.guild).await)
}

/// All that was looked at; for the description only, `doctor` writes it.
#[derive(Serialize, ToSchema)]
pub struct Report {
    /// Nothing failed.
    healthy: bool,
    checks: Vec<Check>,
}

#[derive(Serialize, ToSchema)]
pub struct Check {
    /// `database`, `server Cup (1000), lobby`.
    about: String,
    verdict: Verdict,
    what: String,
    /// What to do, and where.
    remedy: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    /// It works, but not as well as it could.
    Warning,
    Failed,
}
