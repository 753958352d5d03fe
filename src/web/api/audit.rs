//! `/api/guilds/{guild}/audit`: who changed what in a server, and looked up whom. Changes that concern no server, or another one, are not shown.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::Timestamp,
    store::{
        self,
        audit::{self, Entry, OfGuild, Recorded, Source},
    },
    web::{
        access::Access,
        api::pages,
        auth::Admin,
        extract::{Query, plain, user_id},
        refused::{ErrorBody, Refusals, Refused},
    },
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// Only what this Discord account did.
    actor: Option<String>,
    /// Only what was done to this: a Discord id, a FACEIT id, a match id, the key of a job; `nickname:nova` where staff found nobody of that name.
    subject: Option<String>,
    /// Only this kind, such as `link.added`; look-ups are `link.viewed`, `link.checked` and `match.viewed`.
    action: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200; 50 when left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

/// Which way a change came.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    Web,
    Discord,
    Cli,
    /// Muster by itself.
    System,
}

/// One change.
#[derive(Serialize, ToSchema)]
pub struct ChangeBody {
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    source: Way,
    /// The Discord account that did it; null for the command line, Muster itself, and whoever was erased.
    actor_id: Option<String>,
    /// What it was called then.
    actor_name: String,
    #[schema(example = "guild.changed")]
    action: String,
    /// To whom or what. Null when it is the link of somebody who lost it to a member's proof: he may have nothing to do with this server.
    subject: Option<String>,
    /// What stood there before; null when nothing did, or it is withheld with the subject.
    before: Option<Value>,
    after: Option<Value>,
}

impl From<Recorded> for ChangeBody {
    fn from(Recorded { at, entry, .. }: Recorded) -> Self {
        let withheld = is_withheld(&entry);
        Self {
            at,
            source: match entry.actor.source {
                Source::Web => Way::Web,
                Source::Discord => Way::Discord,
                Source::Cli => Way::Cli,
                Source::System => Way::System,
            },
            actor_id: entry.actor.id.map(|id| id.to_string()),
            actor_name: entry.actor.name,
            action: entry.action,
            subject: Some(entry.subject).filter(|_| !withheld),
            before: entry.before.filter(|_| !withheld),
            after: entry.after,
        }
    }
}

/// Staff see whose link they take. Somebody who proves his account in Discord does not learn who had typed its name before, and nor does his
/// server.
fn is_withheld(entry: &Entry) -> bool {
    entry.action == "link.taken_over" && entry.actor.source == Source::Discord
}

#[derive(Serialize, ToSchema)]
pub struct AuditPage {
    changes: Vec<ChangeBody>,
    /// The cursor of the next page; null on the last one.
    next: Option<String>,
}

/// Who changed what in this server, the newest first.
#[utoipa::path(get, path = "/api/guilds/{guild}/audit", tag = "audit", params(("guild" = String, Path), AuditQuery), responses(
    (status = 200, body = AuditPage), (status = 400, body = ErrorBody), Refusals))]
pub async fn list(
    State(admin): State<Arc<Admin>>,
    access: Access,
    Query(query): Query<AuditQuery>,
) -> Result<Json<AuditPage>, Refused> {
    let limit = pages::limit(query.limit)?;
    let number = |text: &str| text.parse().ok().filter(|id: &i64| *id > 0);
    let before_id = query.cursor.as_deref();
    let before_id = before_id.map(|cursor| pages::open(cursor, number)).transpose()?;
    let actor = query.actor.as_deref();
    let actor = actor
        .map(|text| user_id(text).ok_or_else(|| Refused::malformed("actor must be a Discord id")))
        .transpose()?;
    let word = |name, text: &Option<String>| -> Result<(), Refused> {
        text.as_deref().map_or(Ok(()), |text| plain(name, text).map(|_| ()))
    };
    word("subject", &query.subject)?;
    word("action", &query.action)?;
    let filter = OfGuild {
        actor,
        subject: query.subject.as_deref(),
        action: query.action.as_deref(),
        before_id,
    };
    let mut connection = admin.pool.acquire().await.map_err(store::Error::from)?;
    let mut rows = audit::of_guild(&mut connection, access.guild, &filter, limit + 1).await?;
    let next = pages::cut(&mut rows, limit, |row| row.id.to_string());
    // Nor is it told by looking for him.
    rows.retain(|row| query.subject.is_none() || !is_withheld(&row.entry));
    let changes = rows.into_iter().map(ChangeBody::from).collect();
    Ok(Json(AuditPage { changes, next }))
}
