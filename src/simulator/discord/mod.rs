//! The fake of Discord's REST API v10: authorises, limits and answers each request from the world. The gateway is told of what
//! changes, in `gateway`.

mod bots;
mod build;
mod channels;
mod errors;
pub(super) mod events;
mod form;
pub mod gateway;
pub mod limits;
mod members;
pub mod oauth;
mod overwrites;
pub mod permissions;
pub(super) mod picture;
mod routes;
mod shapes;
pub mod snowflake;
pub mod talk;
pub(super) mod world;

use std::{fmt::Write, time::Duration};

use axum::http::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use self::{
    errors::Refusal,
    form::Form,
    gateway::Gateway,
    limits::{Limiter, Standing, Verdict},
    oauth::OAuth,
    routes::{Miss, Route},
    talk::Talk,
    world::Discord,
};
use super::{
    clock::millis,
    exchange::{Answer, Call},
};

/// Everything the Discord side remembers.
#[derive(Debug)]
pub(super) struct DiscordSide {
    pub(super) world: Discord,
    pub(super) limiter: Limiter,
    pub(super) oauth: OAuth,
    pub(super) gateway: Gateway,
    pub(super) talk: Talk,
}

/// An answer, and whether the request was one the simulator knows.
pub(super) type Answered = (Answer, bool);

/// The part of a path after `/api`, `/api/v9` or `/api/v10`; `None` when it isn't Discord's.
pub(super) fn below_prefix(path: &str) -> Option<&str> {
    // The page that people see stands beside the API.
    if path == "/oauth2/authorize" {
        return Some(path);
    }
    let rest = path
        .strip_prefix("/api")
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
    let versioned = ["/v10", "/v9"].iter().find_map(|version| rest.strip_prefix(version));
    Some(
        versioned
            .filter(|rest| rest.is_empty() || rest.starts_with('/'))
            .unwrap_or(rest),
    )
}

impl DiscordSide {
    /// Counts invalid requests, and bans who makes too many of them: a 429 of the edge's, of no scope.
    pub(super) fn answer(&mut self, call: &Call, path: &str, now: Duration) -> Answered {
        if let Some(rest) = self.limiter.invalid.shut(self.limiter.limits.invalid_per_10_min, now) {
            let mut answer = Answer::typed(
                StatusCode::TOO_MANY_REQUESTS,
                "text/html",
                "<html>error code: 1015</html>",
            );
            answer.set("retry-after", rest.as_micros().div_ceil(1_000_000));
            return (answer, true);
        }
        let (answer, known) = self.judge(call, path, now);
        if matches!(answer.status.as_u16(), 401 | 403 | 429) {
            // Full or not, it counts no further than that.
            let _ = self.limiter.invalid.take(self.limiter.limits.invalid_per_10_min, now);
        }
        (answer, known)
    }

    fn judge(&mut self, call: &Call, path: &str, now: Duration) -> Answered {
        if self.world.agent_required && call.header("user-agent").unwrap_or_default().is_empty() {
            return (Refusal::blocked_at_the_edge().into(), true);
        }
        if let Some(answered) = self.oauth.answer(&self.world, call, path, now) {
            return answered;
        }
        let decoded: Vec<_> = path
            .trim_start_matches('/')
            .split('/')
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy())
            .collect();
        let segments: Vec<&str> = decoded.iter().map(AsRef::as_ref).collect();
        let route = match Route::read(&call.method, &segments) {
            Ok(route) => route,
            Err(Miss::Unknown) => return (Refusal::no_such_route().into(), false),
            Err(Miss::Method) => return (Refusal::method_not_allowed().into(), false),
            Err(Miss::Refused(refusal)) => return (refusal.into(), true),
        };
        let token = call
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bot "));
        let caller = match token.and_then(|token| self.world.bot_with(token)) {
            Some(caller) => caller,
            None if route.is_open() => self.world.bot.id,
            None => return (Refusal::unauthorized().into(), true),
        };
        self.world.caller = caller;
        let rate = route.rate(&self.limiter.limits);
        let key = (route.template(), route.top_level());
        let verdict = if route.is_global() {
            self.limiter.take(caller, key, rate, now)
        } else {
            self.limiter.take_unbound(caller, key, rate, now)
        };
        match verdict {
            Verdict::Global(wait) => (limited(wait, None, "global"), true),
            Verdict::Route(standing) => {
                let mut answer = limited(standing.retry_after, None, "user");
                tell(&mut answer, route.template(), standing, now);
                (answer, true)
            }
            Verdict::Passes(standing) => {
                let (mut answer, known) = match self.limited_apart(route, call, now) {
                    Some(answer) => (answer, true),
                    None => match self.perform(route, call, now) {
                        Ok(answer) => (answer, true),
                        Err(refusal) => {
                            let answer = Answer::from(refusal);
                            let known = answer.status != StatusCode::NOT_IMPLEMENTED;
                            (answer, known)
                        }
                    },
                };
                tell(&mut answer, route.template(), standing, now);
                (answer, known)
            }
        }
    }

    /// Limits that no header tells of before they strike.
    fn limited_apart(&mut self, route: Route<'_>, call: &Call, now: Duration) -> Option<Answer> {
        match route {
            Route::EditChannel(id) if Form::read(call).is_ok_and(|form| form.has("name")) => {
                let rate = self.limiter.limits.channel_rename;
                let standing = self
                    .limiter
                    .take_apart(self.world.caller, ("rename", Some(id)), rate, now);
                (!standing.retry_after.is_zero()).then(|| limited(standing.retry_after, None, "user"))
            }
            Route::CreateChannel(guild) => {
                const DAY: Duration = Duration::from_secs(24 * 60 * 60);
                let cap = usize::try_from(self.limiter.limits.channels_per_day?).ok()?;
                let creations = self
                    .world
                    .guilds
                    .get_mut(&guild)?
                    .creations
                    .entry(self.world.caller)
                    .or_default();
                creations.retain(|at| *at + DAY > now);
                let opens = *creations.get(creations.len().checked_sub(cap)?)? + DAY;
                Some(limited(opens.saturating_sub(now), Some(30_013), "user"))
            }
            _ => None,
        }
    }

    fn perform(&mut self, route: Route<'_>, call: &Call, now: Duration) -> Result<Answer, Refusal> {
        let reason = || {
            call.header("x-audit-log-reason")
                .map(|text| percent_decode_str(text).decode_utf8_lossy().into_owned())
        };
        let world = &mut self.world;
        let body = match route {
            Route::Gateway => json!({ "url": self.gateway.url }),
            Route::GatewayBot => self.gateway_bot(now),
            Route::Application => {
                let target = self.talk.target.as_deref().filter(|_| world.caller == world.bot.id);
                shapes::application(
                    world.calling(),
                    own_guilds(world).count(),
                    self.oauth.redirects(),
                    target,
                )
            }
            Route::CurrentUser => shapes::current_user(world.calling()),
            Route::CurrentUserGuilds => {
                let number = |name: &str| call.query(name)?.parse::<u64>().ok();
                let after = number("after").unwrap_or(0);
                let limit = usize::try_from(number("limit").unwrap_or(200).min(200)).unwrap_or(200);
                let page = own_guilds(world).filter(|guild| guild.id.0 > after).take(limit);
                page.map(|guild| own_guild(world, guild)).collect()
            }
            Route::User(user) => world.show_user(user)?,
            // Whether it exists is not for everybody to know.
            Route::Guild(id) => {
                let guild = world.guild(id).map_err(|_| Refusal::unknown_guild())?;
                let mut body = shapes::guild(guild);
                if call
                    .query("with_counts")
                    .is_some_and(|counts| counts == "true" || counts == "1")
                {
                    body["approximate_member_count"] = json!(guild.members.len());
                    body["approximate_presence_count"] = json!(guild.members.len());
                }
                body
            }
            Route::Roles(id) => world.guild(id)?.roles.values().map(shapes::role).collect(),
            Route::ListChannels(id) => world.list_channels(id)?,
            Route::CreateChannel(id) => {
                let body = world.create_channel(id, Form::read(call)?, reason(), now)?;
                return Ok(Answer::json(StatusCode::CREATED, &body));
            }
            Route::Channel(id) => world.show_channel(id)?,
            Route::EditChannel(id) => world.edit_channel(id, Form::read(call)?)?,
            Route::DeleteChannel(id) => world.delete_channel(id, reason(), now)?,
            Route::PutOverwrite(channel, id) => {
                world.put_overwrite(channel, id, Form::read(call)?)?;
                return Ok(Answer::empty(StatusCode::NO_CONTENT));
            }
            Route::DeleteOverwrite(channel, id) => {
                world.delete_overwrite(channel, id)?;
                return Ok(Answer::empty(StatusCode::NO_CONTENT));
            }
            Route::Member(guild, user) => world.show_member(guild, user)?,
            Route::EditMember(guild, user) => world.edit_member(guild, user, Form::read(call)?, now)?,
            Route::VoiceState(guild, user) => world.show_voice_state(guild, user)?,
            Route::OwnVoiceState(guild) => world.show_voice_state(guild, world.caller)?,
            Route::Say(saying) => return self.talk.answer(world, saying, call, now),
        };
        Ok(Answer::json(StatusCode::OK, &body))
    }
}

fn own_guilds(world: &Discord) -> impl Iterator<Item = &world::Guild> {
    world
        .guilds
        .values()
        .filter(|guild| guild.members.contains_key(&world.caller))
}

/// The partial guild of `GET /users/@me/guilds`.
fn own_guild(world: &Discord, guild: &world::Guild) -> Value {
    json!({
        "id": guild.id, "name": guild.name, "icon": null, "banner": null, "features": [],
        "owner": guild.owner_id == world.caller, "permissions": world.bot_in_guild(guild),
    })
}

/// A 429. Whole seconds in the header, rounded up; the exact time in the body (Discord docs, Rate Limits).
pub(super) fn limited(wait: Duration, code: Option<u32>, scope: &'static str) -> Answer {
    let seconds = wait.as_micros().div_ceil(1000);
    let mut body = json!({
        "message": "You are being rate limited.",
        "retry_after": f64::from(u32::try_from(seconds).unwrap_or(u32::MAX)) / 1000.0,
        "global": scope == "global",
    });
    if let Some(code) = code {
        body["code"] = json!(code);
    }
    let mut answer = Answer::json(StatusCode::TOO_MANY_REQUESTS, &body);
    answer.set("retry-after", wait.as_micros().div_ceil(1_000_000).max(1));
    answer.set("x-ratelimit-scope", scope);
    if scope == "global" {
        answer.set("x-ratelimit-global", true);
    }
    answer
}

/// The five headers every limited answer carries.
fn tell(answer: &mut Answer, template: &str, standing: Standing, now: Duration) {
    let reset = now + standing.reset_after;
    answer.set("x-ratelimit-limit", standing.limit);
    answer.set("x-ratelimit-remaining", standing.remaining);
    answer.set(
        "x-ratelimit-reset",
        format!("{}.{:03}", millis(reset) / 1000, millis(reset) % 1000),
    );
    answer.set(
        "x-ratelimit-reset-after",
        format!("{:.3}", standing.reset_after.as_secs_f64()),
    );
    answer.set("x-ratelimit-bucket", bucket_name(template));
}

/// Opaque, the same for all top-level ids of a route.
fn bucket_name(template: &str) -> String {
    let digest = Sha256::digest(template);
    digest.iter().take(16).fold(String::new(), |mut name, byte| {
        // Writing to a String cannot fail.
        let _ = write!(name, "{byte:02x}");
        name
    })
}
