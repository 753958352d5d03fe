//! `/api/guilds/{guild}/settings`: what a server wants. Who changes it says which version he saw, and names only what is there in Discord.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    domain::{
        Timestamp,
        ids::GuildId,
        settings::{OpenWhen, ReportAtEnd, ReturnTo, Settings},
    },
    store::{
        self, guild_changes,
        guilds::{Saved, StoredGuild},
    },
    web::{
        access::Access,
        api::choices::Choices,
        auth::{Admin, session::Session},
        extract::Body,
        refused::{ErrorBody, Refusals, Refused},
    },
};

/// What a server wants.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsBody {
    /// The category for match channels; null: they stand at the top of the list.
    #[schema(example = "41771983423143937", pattern = "^[1-9][0-9]{0,18}$")]
    category: Option<String>,
    /// Make a further category when that one is full.
    overflow: bool,
    /// Its name, with {category} and {n}.
    #[schema(max_length = 200)]
    overflow_name: String,
    /// Where people go after the match when they can't go back.
    #[schema(pattern = "^[1-9][0-9]{0,18}$")]
    lobby: Option<String>,
    /// People are moved only out of these; empty: out of any.
    source_channels: Vec<String>,
    /// May enter every match channel and speak, and may use this API as staff.
    staff_roles: Vec<String>,
    /// May enter every match channel and listen.
    spectator_roles: Vec<String>,
    /// 1 to 99; 0 is no limit.
    #[schema(maximum = 99)]
    user_limit: u16,
    /// With {match_id}, {short_id}, {team}, {faction} and {map}.
    #[schema(max_length = 200)]
    name_template: String,
    open_when: Opening,
    /// How long channels stay after the end.
    #[schema(maximum = 86400)]
    grace_seconds: u64,
    /// An older match is taken down, whatever FACEIT says.
    #[schema(minimum = 1, maximum = 168)]
    max_age_hours: u64,
    return_to: Returning,
    /// Nothing is done in this server; its matches stay open.
    paused: bool,
    /// Links that nobody proved don't count.
    verified_links_only: bool,
    /// A text channel where the server's staff read of each running match who is missing, and why.
    #[schema(pattern = "^[1-9][0-9]{0,18}$")]
    report_channel: Option<String>,
    report_at_end: ReportEnding,
}

/// When a running match gets its channels.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Opening {
    RostersKnown,
    SomebodyLinked,
}

/// Where people go after the match.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Returning {
    Before,
    Lobby,
    Stay,
}

/// What becomes of a match's report when the match is over.
#[derive(Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportEnding {
    #[default]
    Delete,
    Close,
}

/// Settings and their version.
#[derive(Serialize, ToSchema)]
pub struct VersionedSettings {
    /// Grows with every change; 0: nothing is stored for this server, and the environment's settings or the defaults count.
    /// The answer's ETag.
    version: i64,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Timestamp>,
    settings: SettingsBody,
}

impl From<&Settings> for SettingsBody {
    fn from(settings: &Settings) -> Self {
        let texts = |ids: &mut dyn Iterator<Item = u64>| ids.map(|id| id.to_string()).collect();
        Self {
            category: settings.category.map(|id| id.to_string()),
            overflow: settings.overflow,
            overflow_name: settings.overflow_name.clone(),
            lobby: settings.lobby.map(|id| id.to_string()),
            source_channels: texts(&mut settings.source_channels.iter().map(|id| id.get())),
            staff_roles: texts(&mut settings.staff_roles.iter().map(|id| id.get())),
            spectator_roles: texts(&mut settings.spectator_roles.iter().map(|id| id.get())),
            user_limit: settings.user_limit,
            name_template: settings.name_template.clone(),
            open_when: match settings.open_when {
                OpenWhen::RostersKnown => Opening::RostersKnown,
                OpenWhen::SomebodyLinked => Opening::SomebodyLinked,
            },
            grace_seconds: settings.grace.as_secs(),
            max_age_hours: settings.max_age.as_secs() / 3600,
            return_to: match settings.return_to {
                ReturnTo::Before => Returning::Before,
                ReturnTo::Lobby => Returning::Lobby,
                ReturnTo::Stay => Returning::Stay,
            },
            paused: settings.paused,
            verified_links_only: settings.verified_links_only,
            report_channel: settings.report_channel.map(|id| id.to_string()),
            report_at_end: match settings.report_at_end {
                ReportAtEnd::Delete => ReportEnding::Delete,
                ReportAtEnd::Close => ReportEnding::Close,
            },
        }
    }
}

impl SettingsBody {
    /// Reads every field as the command line does; what is wrong is told of all of them at once.
    fn read(&self, guild: GuildId) -> Result<Settings, Wrong> {
        let mut settings = Settings::new(guild);
        let mut wrong = Wrong::default();
        let on = |on: bool| if on { "on" } else { "off" }.to_owned();
        let open_when = match self.open_when {
            Opening::RostersKnown => OpenWhen::RostersKnown,
            Opening::SomebodyLinked => OpenWhen::SomebodyLinked,
        };
        let return_to = match self.return_to {
            Returning::Before => ReturnTo::Before,
            Returning::Lobby => ReturnTo::Lobby,
            Returning::Stay => ReturnTo::Stay,
        };
        let report_at_end = match self.report_at_end {
            ReportEnding::Delete => ReportAtEnd::Delete,
            ReportEnding::Close => ReportAtEnd::Close,
        };
        for (key, text) in [
            ("category", self.category.clone().unwrap_or_default()),
            ("overflow", on(self.overflow)),
            ("overflow_name", self.overflow_name.clone()),
            ("lobby", self.lobby.clone().unwrap_or_default()),
            ("source_channels", self.source_channels.join(",")),
            ("staff_roles", self.staff_roles.join(",")),
            ("spectator_roles", self.spectator_roles.join(",")),
            ("user_limit", self.user_limit.to_string()),
            ("name_template", self.name_template.clone()),
            ("open_when", open_when.as_str().to_owned()),
            ("grace_seconds", self.grace_seconds.to_string()),
            ("max_age_hours", self.max_age_hours.to_string()),
            ("return_to", return_to.as_str().to_owned()),
            ("paused", on(self.paused)),
            ("verified_links_only", on(self.verified_links_only)),
            ("report_channel", self.report_channel.clone().unwrap_or_default()),
            ("report_at_end", report_at_end.as_str().to_owned()),
        ] {
            if let Err(why) = settings.set(key, &text) {
                wrong.add(key, why);
            }
        }
        wrong.check().map(|()| settings)
    }
}

/// Fields and what is wrong with them.
#[derive(Default)]
pub struct Wrong(BTreeMap<&'static str, String>);

impl Wrong {
    pub fn add(&mut self, field: &'static str, why: impl Into<String>) {
        self.0.entry(field).or_insert(why.into());
    }

    pub fn check(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl From<Wrong> for Refused {
    fn from(Wrong(fields): Wrong) -> Self {
        let list: Vec<String> = fields.iter().map(|(field, why)| format!("{field}: {why}")).collect();
        Refused::invalid(list.join("; ")).with(json!(fields))
    }
}

/// What a server wants.
#[utoipa::path(get, path = "/api/guilds/{guild}/settings", tag = "settings", params(("guild" = String, Path)), responses(
    (status = 200, body = VersionedSettings, headers(("etag" = String, description = "For If-Match."))), Refusals))]
pub async fn show(State(admin): State<Arc<Admin>>, access: Access) -> Result<Response, Refused> {
    let mut connection = admin.pool.acquire().await.map_err(store::Error::from)?;
    let stored = store::guilds::load(&mut connection, access.guild).await?;
    Ok(answer(&admin, access.guild, stored))
}

/// Change what a server wants: the whole of it, made from the version that If-Match names.
#[utoipa::path(put, path = "/api/guilds/{guild}/settings", tag = "settings",
    params(("guild" = String, Path), ("if-match" = String, Header, description = "The ETag of the settings that were changed.")),
    request_body = SettingsBody, responses(
    (status = 200, body = VersionedSettings, headers(("etag" = String, description = "For the next If-Match."))),
    (status = 400, body = ErrorBody), (status = 409, body = ErrorBody, description = "The bot is missing, or somebody changed them in this very moment."),
    (status = 412, body = ErrorBody, description = "Somebody changed them before."), (status = 413, body = ErrorBody),
    (status = 415, body = ErrorBody), (status = 422, body = ErrorBody, description = "details holds what is wrong with each field."),
    (status = 428, body = ErrorBody), Refusals))]
pub async fn change(
    State(admin): State<Arc<Admin>>,
    session: Session,
    access: Access,
    headers: HeaderMap,
    Body(body): Body<SettingsBody>,
) -> Result<Response, Refused> {
    let guild = access.guild;
    let seen = seen_version(&headers)?;
    let after = body.read(guild)?;
    Choices::of(&admin, &after).await?.check(&after)?;
    let actor = admin.actor(session.user).await?;
    let now = admin.clock.now();
    let mut tx = admin.pool.begin().await.map_err(store::Error::from)?;
    let stored = store::guilds::load(&mut tx, guild).await?;
    let version = stored.as_ref().map(|stored| stored.version);
    if seen.is_some_and(|seen| seen != version.unwrap_or(0)) {
        let message = "somebody changed these settings meanwhile: load them again, and repeat your change";
        let refused = Refused::new(StatusCode::PRECONDITION_FAILED, "changed", message);
        return Err(refused.with(json!({ "version": version.unwrap_or(0) })));
    }
    let before = stored.map_or_else(|| admin.start_of(guild), |stored| stored.settings);
    match guild_changes::save(&mut tx, &actor, &before, &after, version, now).await? {
        Saved::Version(version) => {
            tx.commit().await.map_err(store::Error::from)?;
            admin.wake.notify_one();
            let stored = StoredGuild {
                settings: after,
                version,
                updated_at: now,
            };
            Ok(answer(&admin, guild, Some(stored)))
        }
        Saved::Changed => {
            let message =
                "somebody changed these settings in this very moment: load them again, and repeat your change";
            Err(Refused::new(StatusCode::CONFLICT, "changed", message))
        }
    }
}

/// None for `*`, which takes any.
fn seen_version(headers: &HeaderMap) -> Result<Option<i64>, Refused> {
    let missing = || {
        let message = "say which settings you changed: send the etag of GET …/settings in the header if-match";
        Refused::new(StatusCode::PRECONDITION_REQUIRED, "version_missing", message)
    };
    let text = headers.get(header::IF_MATCH).ok_or_else(missing)?;
    let text = text.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let number = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let number = number.and_then(|text| text.parse().ok());
    // What we never gave out is not what is there.
    Ok(Some(number.unwrap_or(-1)))
}

fn answer(admin: &Admin, guild: GuildId, stored: Option<StoredGuild>) -> Response {
    let body = match &stored {
        Some(stored) => VersionedSettings {
            version: stored.version,
            updated_at: Some(stored.updated_at),
            settings: (&stored.settings).into(),
        },
        None => VersionedSettings {
            version: 0,
            updated_at: None,
            settings: (&admin.start_of(guild)).into(),
        },
    };
    let tag = HeaderValue::try_from(format!("\"{}\"", body.version));
    let mut response = Json(body).into_response();
    if let Ok(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
