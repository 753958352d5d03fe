//! FACEIT's sign-in as an application meets it: the accounts page with a *continue as* list, codes that are good once, strict PKCE, and what
//! userinfo says. No password, no consent screen, no signature on the id_token; nobody is signed in: whoever follows a link is that player.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use axum::http::{Method, StatusCode};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use super::world::Faceit;
use crate::simulator::exchange::{Answer, Call, parameters};

/// How long a code is good; FACEIT does not say.
const CODE: Duration = Duration::from_secs(60);
/// An access token is good for a day.
const ACCESS: Duration = Duration::from_secs(24 * 3600);

/// The application as it is registered in FACEIT's App Studio: a single redirect address.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientFile {
    pub client_id: String,
    pub client_secret: String,
    /// None: the one that is asked for first is taken for registered.
    pub redirect_uri: Option<String>,
    /// Claims that userinfo leaves out, such as `guid`.
    pub without: Vec<String>,
}

impl Default for ClientFile {
    fn default() -> Self {
        Self {
            client_id: "simulated-faceit-client".to_owned(),
            client_secret: "simulated-faceit-secret".to_owned(),
            redirect_uri: None,
            without: Vec::new(),
        }
    }
}

#[derive(Debug)]
pub(in crate::simulator) struct SignIn {
    pub(in crate::simulator) client: ClientFile,
    codes: BTreeMap<String, Code>,
    /// Access token to player, and when it ends.
    access: BTreeMap<String, (String, Duration)>,
    refresh: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Code {
    player: String,
    challenge: String,
    expires: Duration,
}

/// The part of a path that belongs to sign-in: the accounts page, and what is below `/auth/v1`.
pub(in crate::simulator) fn below_prefix(path: &str) -> Option<&str> {
    if path == "/accounts" || path == "/accounts/continue" {
        return Some(path);
    }
    path.strip_prefix("/auth/v1").filter(|rest| rest.starts_with('/'))
}

impl SignIn {
    pub(in crate::simulator) fn new(client: ClientFile) -> Self {
        Self {
            client,
            codes: BTreeMap::new(),
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
        }
    }
}

impl Faceit {
    /// Answers a call of a sign-in; the flag says whether the simulator knows the route.
    pub(in crate::simulator) fn sign_in(&mut self, call: &Call, path: &str, now: Duration) -> (Answer, bool) {
        let answer = match (&call.method, path) {
            (&Method::GET, "/accounts") => self.accounts_page(call),
            (&Method::GET, "/accounts/continue") => self.continue_as(call, now),
            (&Method::POST, "/oauth/token") => self.token(call, now),
            (&Method::GET, "/resources/userinfo") => self.userinfo(call, now),
            _ => return (refusal(StatusCode::NOT_FOUND, "not_found"), false),
        };
        (answer, true)
    }

    /// Who shall it be? The links keep the query.
    fn accounts_page(&mut self, call: &Call) -> Answer {
        if let Err(answer) = self.check_authorize(call) {
            return *answer;
        }
        let mut page = String::from(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><link rel=\"icon\" href=\"data:,\"><title>FACEIT</title></head><body>\n\
             <h1>Sign in with FACEIT</h1>\n<ul>\n",
        );
        for id in self.player_ids() {
            let nickname = self.player(&id).map_or(Value::Null, |body| body["nickname"].clone());
            // Writing to a String cannot fail.
            let _ = writeln!(
                page,
                "<li><a href=\"/accounts/continue?{}&amp;as={}\">Continue as {}</a></li>",
                escape(&call.query),
                url::form_urlencoded::byte_serialize(id.as_bytes()).collect::<String>(),
                escape(nickname.as_str().unwrap_or_default())
            );
        }
        let _ = writeln!(
            page,
            "<li><a href=\"/accounts/continue?{}&amp;deny=true\">Cancel</a></li>\n</ul></body></html>",
            escape(&call.query)
        );
        Answer::typed(StatusCode::OK, "text/html; charset=utf-8", page)
    }

    fn continue_as(&mut self, call: &Call, now: Duration) -> Answer {
        let (mut redirect, challenge) = match self.check_authorize(call) {
            Ok(checked) => checked,
            Err(answer) => return *answer,
        };
        if call.query("deny").is_some() {
            redirect.query_pairs_mut().append_pair("error", "access_denied");
        } else {
            let Some(player) = call.query("as").filter(|id| self.player(id).is_some()) else {
                return refusal(StatusCode::BAD_REQUEST, "unknown_player");
            };
            let code = secret();
            redirect.query_pairs_mut().append_pair("code", &code);
            let expires = now + CODE;
            self.oauth.codes.insert(
                code,
                Code {
                    player,
                    challenge,
                    expires,
                },
            );
        }
        if let Some(state) = call.query("state") {
            redirect.query_pairs_mut().append_pair("state", &state);
        }
        let mut answer = Answer::empty(StatusCode::FOUND);
        answer.set("location", redirect);
        answer
    }

    /// Where to send him back, and the challenge. Another redirect address than the saved one is not refused: he goes to the saved one (one report).
    fn check_authorize(&mut self, call: &Call) -> Result<(Url, String), Box<Answer>> {
        let bad = |code| Box::new(refusal(StatusCode::BAD_REQUEST, code));
        if call.query("client_id").as_deref() != Some(self.oauth.client.client_id.as_str()) {
            return Err(bad("invalid_client"));
        }
        if call.query("response_type").as_deref() != Some("code") {
            return Err(bad("unsupported_response_type"));
        }
        let challenge = call.query("code_challenge").filter(|text| !text.is_empty());
        let challenge = challenge.ok_or_else(|| bad("pkce_required"))?;
        if call.query("code_challenge_method").as_deref() != Some("S256") || challenge.len() != 43 {
            return Err(bad("pkce_required"));
        }
        let asked = call.query("redirect_uri");
        let saved = self
            .oauth
            .client
            .redirect_uri
            .get_or_insert_with(|| asked.unwrap_or_default());
        let redirect = Url::parse(saved).map_err(|_| bad("invalid_redirect_uri"))?;
        Ok((redirect, challenge))
    }

    fn token(&mut self, call: &Call, now: Duration) -> Answer {
        let oauth = &mut self.oauth;
        let expected = format!("{}:{}", oauth.client.client_id, oauth.client.client_secret);
        let basic = call
            .header("authorization")
            .and_then(|value| value.strip_prefix("Basic "));
        let basic = basic.and_then(|text| BASE64_STANDARD.decode(text).ok());
        if basic.as_deref() != Some(expected.as_bytes()) {
            return refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        }
        if call.header("content-type") != Some("application/x-www-form-urlencoded") {
            return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type");
        }
        let form = String::from_utf8_lossy(&call.body).into_owned();
        let field = |name: &str| parameters(&form).find_map(|(key, value)| (key == name).then_some(value));
        let player = match field("grant_type").as_deref() {
            Some("authorization_code") => {
                // Used up, whatever becomes of it.
                let code = field("code").and_then(|code| oauth.codes.remove(&code));
                let Some(code) = code.filter(|code| code.expires > now) else {
                    return refusal(StatusCode::BAD_REQUEST, "invalid_grant");
                };
                let verifier = field("code_verifier").unwrap_or_default();
                let digest = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
                if !(43..=128).contains(&verifier.len()) || digest != code.challenge {
                    return refusal(StatusCode::BAD_REQUEST, "invalid_grant");
                }
                if field("redirect_uri") != oauth.client.redirect_uri {
                    return refusal(StatusCode::BAD_REQUEST, "invalid_redirect_uri");
                }
                code.player
            }
            Some("refresh_token") => {
                let token = field("refresh_token").and_then(|token| oauth.refresh.remove(&token));
                match token {
                    Some(player) => player,
                    None => return refusal(StatusCode::BAD_REQUEST, "invalid_grant"),
                }
            }
            _ => return refusal(StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        };
        let (access, refresh) = (secret(), secret());
        oauth.access.insert(access.clone(), (player.clone(), now + ACCESS));
        oauth.refresh.insert(refresh.clone(), player.clone());
        // Not OpenID's: it has no `exp`.
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let id_token = format!(
            "{}.{}.{}",
            part(&json!({"alg": "RS256", "typ": "JWT"})),
            part(&json!({"iss": "https://api.faceit.com/auth", "guid": player})),
            "c2ltdWxhdGVk"
        );
        let body = json!({
            "access_token": access, "refresh_token": refresh, "id_token": id_token,
            "token_type": "Bearer", "expires_in": ACCESS.as_secs(),
        });
        Answer::json(StatusCode::OK, &body)
    }

    fn userinfo(&self, call: &Call, now: Duration) -> Answer {
        let token = call
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "));
        let player = token.and_then(|token| self.oauth.access.get(token));
        let Some((player, _)) = player.filter(|(_, expires)| *expires > now) else {
            return refusal(StatusCode::UNAUTHORIZED, "insufficient_scope");
        };
        let Some(body) = self.player(player) else {
            return refusal(StatusCode::UNAUTHORIZED, "insufficient_scope");
        };
        let mut claims = Map::from_iter([
            ("guid".to_owned(), json!(player)),
            ("sub".to_owned(), json!(player)),
            ("nickname".to_owned(), body["nickname"].clone()),
            ("email".to_owned(), json!("player@example.invalid")),
            ("email_verified".to_owned(), json!(true)),
            ("picture".to_owned(), body["avatar"].clone()),
            ("locale".to_owned(), json!("en")),
            ("birthdate".to_owned(), json!("1999-01-01")),
            ("memberships".to_owned(), body["memberships"].clone()),
        ]);
        self.oauth.client.without.iter().for_each(|name| {
            claims.remove(name);
        });
        Answer::json(StatusCode::OK, &Value::Object(claims))
    }
}

/// In FACEIT's shape, as recorded for `pkce_required`; the other words are made up.
fn refusal(status: StatusCode, message: &str) -> Answer {
    let error = json!({ "message": message, "code": "AUTH", "http_status": status.as_u16() });
    Answer::json(status, &json!({ "errors": [error] }))
}

fn secret() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
