//! Answers FACEIT Data API calls from what was put; read-only, as the Data API is for us.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::{Faceit, Match, championship_body, hub_body, organizer_body};
use crate::simulator::exchange::{Answer, Call};

/// The part of a path after the Data API's prefix.
pub(in crate::simulator) fn below_prefix(path: &str) -> Option<&str> {
    path.strip_prefix("/data/v4")
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A refusal in FACEIT's shape: status, code, message.
struct Refusal(StatusCode, &'static str, String);

/// Only `err_nf0` and its message were ever recorded; the other codes are made up.
impl Refusal {
    fn not_found() -> Self {
        Self(
            StatusCode::NOT_FOUND,
            "err_nf0",
            "The resource was not found.".to_owned(),
        )
    }

    fn bad(message: &str) -> Self {
        Self(StatusCode::BAD_REQUEST, "err_bad_request", message.to_owned())
    }
}

impl From<Refusal> for Answer {
    fn from(Refusal(status, code, message): Refusal) -> Self {
        let error = json!({ "message": message, "code": code, "http_status": status.as_u16() });
        Self::json(status, &json!({ "errors": [error] }))
    }
}

impl Faceit {
    /// Answers a call below the prefix; the flag says whether the simulator knows the route.
    pub(in crate::simulator) fn answer(
        &mut self,
        call: &Call,
        path: &str,
        limit: u32,
        now: Duration,
    ) -> (Answer, bool) {
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let key = call
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "))
            .map(str::trim);
        let accepted =
            key.is_some_and(|key| !key.is_empty() && self.api_key.as_deref().is_none_or(|wanted| wanted == key));
        if !accepted {
            return (
                Refusal(StatusCode::UNAUTHORIZED, "err_unauthorized", "Unauthorized".to_owned()).into(),
                true,
            );
        }

        let passed = self.second.take(limit, now);
        let (mut answer, template) = if passed.is_err() {
            (
                Refusal(
                    StatusCode::TOO_MANY_REQUESTS,
                    "err_too_many_requests",
                    "Too Many Requests".to_owned(),
                )
                .into(),
                None,
            )
        } else {
            let (result, template) = self.route(call, &segments);
            if template.is_none() {
                return (Answer::from(Refusal::not_found()), false);
            }
            (result.unwrap_or_else(Answer::from), template)
        };
        for (name, value) in [
            ("faceit-env", "prod"),
            ("faceit-service", "open-data-api"),
            ("faceit-version", "1.80.0"),
            ("x-faceit-gateway", "true"),
            ("x-faceit-gateway-handler", "open-faceit"),
            ("x-faceit-ratelimit-name", "gateway-open-faceit-ratelimit"),
            ("vary", "Accept-Encoding,Origin"),
            ("via", "1.1 google"),
            ("server", "cloudflare"),
            ("cf-cache-status", "BYPASS"),
        ] {
            answer.set(name, value);
        }
        if let Some(template) = template {
            answer.set("faceit-matched-route", template);
        }
        answer.set("ratelimit-limit", format!("{limit}, {limit};w=1"));
        answer.set("ratelimit-remaining", self.second.left(limit));
        // Whole seconds; 0 was recorded while calls were left.
        answer.set("ratelimit-reset", u8::from(passed.is_err()));
        (answer, true)
    }

    fn route(&self, call: &Call, segments: &[&str]) -> (Result<Answer, Refusal>, Option<&'static str>) {
        if call.method != Method::GET {
            return (Err(Refusal::not_found()), None);
        }
        match *segments {
            ["matches", id] => (self.show_match(id), Some("/v4/matches/{matchId}")),
            ["players"] => (self.find_player(call), Some("/v4/players")),
            ["players", id] => (
                self.player(id).map(|body| ok(&body)).ok_or_else(Refusal::not_found),
                Some("/v4/players/{playerId}"),
            ),
            ["search", "players"] => (self.search_players(call), Some("/v4/search/players")),
            ["hubs", id] => (
                self.hubs
                    .get(id)
                    .map(|hub| ok(&hub_body(hub)))
                    .ok_or_else(Refusal::not_found),
                Some("/v4/hubs/{hubId}"),
            ),
            ["hubs", id, "matches"] => (self.matches_of(id, call), Some("/v4/hubs/{hubId}/matches")),
            ["championships", id] => (
                self.championships
                    .get(id)
                    .map(|championship| ok(&championship_body(championship)))
                    .ok_or_else(Refusal::not_found),
                Some("/v4/championships/{championshipId}"),
            ),
            ["organizers", id] => (
                self.organizers
                    .get(id)
                    .map(|organizer| ok(&organizer_body(organizer)))
                    .ok_or_else(Refusal::not_found),
                Some("/v4/organizers/{organizerId}"),
            ),
            ["championships", id, "matches"] => (
                self.matches_of(id, call),
                Some("/v4/championships/{championshipId}/matches"),
            ),
            _ => (Err(Refusal::not_found()), None),
        }
    }

    fn show_match(&self, id: &str) -> Result<Answer, Refusal> {
        let found = self.matches.get(id).ok_or_else(Refusal::not_found)?;
        Ok(Answer::typed(
            StatusCode::OK,
            "application/json; charset=utf-8",
            found.text.clone(),
        ))
    }

    /// By nickname, exact and case-sensitive, or by game and the player's id in it.
    fn find_player(&self, call: &Call) -> Result<Answer, Refusal> {
        let nickname = call.query("nickname");
        let in_game = call.query("game").zip(call.query("game_player_id"));
        if nickname.is_none() && in_game.is_none() {
            return Err(Refusal::bad("nickname, or game and game_player_id, must be given"));
        }
        let fits = |body: &Value| {
            nickname
                .as_ref()
                .is_none_or(|nickname| body["nickname"] == nickname.as_str())
                && in_game
                    .as_ref()
                    .is_none_or(|(game, id)| body["games"][game]["game_player_id"] == id.as_str())
        };
        let mut bodies = self.player_ids().into_iter().filter_map(|id| self.player(&id));
        bodies.find(fits).map(|body| ok(&body)).ok_or_else(Refusal::not_found)
    }

    /// Anything in the nickname, in any case. Items are shaped unlike players: a list of games, levels as text.
    fn search_players(&self, call: &Call) -> Result<Answer, Refusal> {
        let wanted = call
            .query("nickname")
            .ok_or_else(|| Refusal::bad("nickname must be given"))?
            .to_lowercase();
        let page = Page::read(call)?;
        let bodies = self.player_ids().into_iter().filter_map(|id| self.player(&id));
        let found = bodies.filter(|body| {
            body["nickname"]
                .as_str()
                .is_some_and(|name| name.to_lowercase().contains(&wanted))
        });
        let items = found.map(|body| {
            let games = body["games"].as_object().into_iter().flatten();
            let games = games.map(|(name, game)| json!({ "name": name, "skill_level": game["skill_level"].to_string() }));
            json!({
                "player_id": body["player_id"], "nickname": body["nickname"], "status": "", "games": games.collect::<Vec<_>>(),
                "country": body["country"].as_str().unwrap_or_default().to_uppercase(), "verified": body["verified"],
                "avatar": body["avatar"],
            })
        });
        Ok(page.wrap(items))
    }

    /// The matches put with this competition, latest first.
    fn matches_of(&self, competition: &str, call: &Call) -> Result<Answer, Refusal> {
        let mut found: Vec<&Match> = self
            .matches
            .values()
            .filter(|m| m.field("competition_id") == competition)
            .collect();
        if found.is_empty() && !self.hubs.contains_key(competition) {
            return Err(Refusal::not_found());
        }
        let wanted = call.query("type").unwrap_or_else(|| "all".to_owned());
        if !["all", "upcoming", "ongoing", "past"].contains(&wanted.as_str()) {
            return Err(Refusal::bad("type must be one of all, upcoming, ongoing, past"));
        }
        let page = Page::read(call)?;
        found.retain(|m| wanted == "all" || wanted == period(m.field("status")));
        found.sort_by_key(|m| std::cmp::Reverse(m.number));
        Ok(page.wrap(found.into_iter().map(|m| m.body.clone())))
    }
}

/// Statuses are an open set: what neither waits nor is over is going on.
fn period(status: &str) -> &'static str {
    match status {
        "SCHEDULED" | "CREATED" => "upcoming",
        "FINISHED" | "CANCELLED" | "ABORTED" => "past",
        _ => "ongoing",
    }
}

fn ok(body: &Value) -> Answer {
    Answer::typed(StatusCode::OK, "application/json; charset=utf-8", body.to_string())
}

struct Page {
    offset: usize,
    limit: usize,
}

impl Page {
    fn read(call: &Call) -> Result<Self, Refusal> {
        let number = |name: &str, default: usize| match call.query(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| Refusal::bad(&format!("{name} must be a number"))),
        };
        let page = Self {
            offset: number("offset", 0)?,
            limit: number("limit", 20)?,
        };
        if (1..=100).contains(&page.limit) {
            Ok(page)
        } else {
            Err(Refusal::bad("limit must be between 1 and 100"))
        }
    }

    /// `end` is start + limit even when fewer came, as recorded.
    fn wrap(&self, items: impl Iterator<Item = Value>) -> Answer {
        let items: Vec<Value> = items.skip(self.offset).take(self.limit).collect();
        ok(&json!({ "items": items, "start": self.offset, "end": self.offset.saturating_add(self.limit) }))
    }
}
