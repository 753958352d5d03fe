//! The authorize page: checks what the application asks for, lets a person say who he is and whether he agrees, and sends him back
//! with a code. Nobody is signed in here: whoever presses the button is that person.

use std::{fmt::Write, time::Duration};

use axum::http::StatusCode;
use url::Url;

use super::{Code, OAuth, token::secret};
use crate::simulator::{
    discord::{snowflake::Snowflake, world::Discord},
    exchange::{Answer, Call, parameters},
};

/// How long a code is good; Discord does not say.
const CODE: Duration = Duration::from_secs(600);

/// What the application asks for, checked.
struct Request {
    redirect_uri: Url,
    scopes: Vec<String>,
    state: Option<String>,
    challenge: Option<String>,
}

impl OAuth {
    pub(super) fn ask_consent(&self, world: &Discord, call: &Call) -> Answer {
        let request = match self.read(call) {
            Ok(request) => request,
            Err(answer) => return *answer,
        };
        let mut people: Vec<(Snowflake, &str)> = world
            .guilds
            .values()
            .flat_map(|guild| guild.members.values())
            .filter(|member| !member.bot)
            .map(|member| (member.id, member.name.as_str()))
            .chain(self.file.people.iter().map(|person| (person.id, person.name.as_str())))
            .collect();
        people.sort_unstable();
        people.dedup_by_key(|(id, _)| *id);
        let mut page = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><link rel=\"icon\" href=\"data:,\">\
             <title>Authorize</title></head><body>\n\
             <h1>An external application wants to access your Discord account</h1>\n<p>It asks for: {}</p>\n\
             <form method=\"post\" action=\"{}?{}\">\n",
            escape(&request.scopes.join(", ")),
            escape(&call.path),
            escape(&call.query)
        );
        for (id, name) in people {
            // Writing to a String cannot fail.
            let _ = writeln!(
                page,
                "<button name=\"user\" value=\"{id}\">Continue as {}</button>",
                escape(name)
            );
        }
        page.push_str("<button name=\"cancel\" value=\"true\">Cancel</button>\n</form></body></html>\n");
        Answer::typed(StatusCode::OK, "text/html; charset=utf-8", page)
    }

    /// The form of the page: `user=ID`, or `cancel=true`.
    pub(super) fn take_consent(&mut self, world: &Discord, call: &Call, now: Duration) -> Answer {
        let Request {
            mut redirect_uri,
            scopes,
            state,
            challenge,
        } = match self.read(call) {
            Ok(request) => request,
            Err(answer) => return *answer,
        };
        let form = String::from_utf8_lossy(&call.body).into_owned();
        let field = |name: &str| parameters(&form).find_map(|(key, value)| (key == name).then_some(value));
        let plain = redirect_uri.to_string();
        if field("cancel").is_some() {
            redirect_uri
                .query_pairs_mut()
                .append_pair("error", "access_denied")
                .append_pair(
                    "error_description",
                    "The resource owner or authorization server denied the request",
                );
        } else {
            let user = field("user").and_then(|id| id.parse().ok());
            let Some(person) = user.and_then(|id| self.person(world, id)) else {
                return *wrong("nobody with that account");
            };
            let code = secret();
            redirect_uri.query_pairs_mut().append_pair("code", &code);
            let redirect_uri = self.field(call, "redirect_uri").unwrap_or(plain);
            self.codes.insert(
                code,
                Code {
                    user: person.id,
                    scopes,
                    redirect_uri,
                    challenge,
                    expires: now + CODE,
                },
            );
        }
        if let Some(state) = state {
            redirect_uri.query_pairs_mut().append_pair("state", &state);
        }
        let mut answer = Answer::empty(StatusCode::FOUND);
        answer.set("location", redirect_uri);
        answer
    }

    fn field(&self, call: &Call, name: &str) -> Option<String> {
        call.query(name).filter(|value| !value.is_empty())
    }

    /// A wrong application or address is told to the person: nobody can be sent back there.
    fn read(&self, call: &Call) -> Result<Request, Box<Answer>> {
        let field = |name: &str| self.field(call, name);
        if field("client_id") != Some(self.file.client_id.to_string()) {
            return Err(wrong("Unknown Application"));
        }
        let given = field("redirect_uri").ok_or_else(|| wrong("Missing redirect_uri"))?;
        let listed = &self.file.redirect_uris;
        if !listed.is_empty() && !listed.contains(&given) {
            return Err(wrong("Invalid OAuth2 redirect_uri"));
        }
        let redirect_uri = Url::parse(&given).map_err(|_| wrong("Invalid OAuth2 redirect_uri"))?;
        if field("response_type").as_deref() != Some("code") {
            return Err(wrong("Unsupported response_type: the simulator models code only"));
        }
        let scopes: Vec<String> = field("scope")
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        if scopes.is_empty() {
            return Err(wrong("Missing scope"));
        }
        let challenge = field("code_challenge");
        if challenge.is_some() && field("code_challenge_method").as_deref() != Some("S256") {
            return Err(wrong(
                "Unsupported code_challenge_method: the simulator models S256 only",
            ));
        }
        Ok(Request {
            redirect_uri,
            scopes,
            state: field("state"),
            challenge,
        })
    }
}

fn wrong(why: &str) -> Box<Answer> {
    let page = format!(
        "<!doctype html><html lang=\"en\"><link rel=\"icon\" href=\"data:,\"><title>Error</title><h1>{}</h1></html>\n",
        escape(why)
    );
    Box::new(Answer::typed(StatusCode::BAD_REQUEST, "text/html; charset=utf-8", page))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
