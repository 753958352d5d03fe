//! Discord's OAuth2 as an application meets it: consent, codes with PKCE, tokens that rotate, and what a person's own token may
//! read. No `prompt=none`, no device flow, no other grant than codes and refreshes.

mod authorize;
mod file;
mod me;
mod token;

use std::{collections::BTreeMap, time::Duration};

use axum::http::StatusCode;
use serde_json::{Value, json};

pub use self::file::OAuthFile;
use super::{
    Answered,
    errors::Refusal,
    limits::Bucket,
    snowflake::Snowflake,
    world::{Discord, Member},
};
use crate::simulator::exchange::{Answer, Call};

/// The application's registration and everything that was granted to it.
#[derive(Debug)]
pub(in crate::simulator) struct OAuth {
    file: OAuthFile,
    codes: BTreeMap<String, Code>,
    grants: Vec<Grant>,
    /// Of `GET /users/@me/guilds`, by person.
    guild_lists: BTreeMap<Snowflake, Bucket>,
}

/// Given by the authorize page, taken once by the token endpoint.
#[derive(Debug)]
struct Code {
    user: Snowflake,
    scopes: Vec<String>,
    redirect_uri: String,
    /// Of S256; none when the application did without.
    challenge: Option<String>,
    expires: Duration,
}

/// One authorization of one person: the pair of tokens that is good now.
#[derive(Debug)]
struct Grant {
    user: Snowflake,
    scopes: Vec<String>,
    access: String,
    refresh: String,
    expires: Duration,
}

impl OAuth {
    /// As they are registered; none when any will do.
    pub(in crate::simulator) fn redirects(&self) -> &[String] {
        &self.file.redirect_uris
    }

    pub(in crate::simulator) fn build(file: &OAuthFile) -> Self {
        Self {
            file: file.clone(),
            codes: BTreeMap::new(),
            grants: Vec::new(),
            guild_lists: BTreeMap::new(),
        }
    }

    /// The person removes the application in his client: every token of his is dead. Says whether there was one.
    pub(in crate::simulator) fn deauthorize(&mut self, user: Snowflake) -> bool {
        let before = self.grants.len();
        self.grants.retain(|grant| grant.user != user);
        self.grants.len() < before
    }

    /// `None` when the request has nothing to do with OAuth2.
    pub(in crate::simulator) fn answer(
        &mut self,
        world: &Discord,
        call: &Call,
        path: &str,
        now: Duration,
    ) -> Option<Answered> {
        let known = |answer: Answer| Some((answer, true));
        match (call.method.as_str(), path) {
            ("GET", "/oauth2/authorize") => known(self.ask_consent(world, call)),
            ("POST", "/oauth2/authorize") => known(self.take_consent(world, call, now)),
            ("POST", "/oauth2/token") => known(self.token(call, now)),
            ("POST", "/oauth2/token/revoke") => known(self.revoke(call)),
            (_, "/oauth2/authorize" | "/oauth2/token" | "/oauth2/token/revoke") => {
                Some((Refusal::method_not_allowed().into(), false))
            }
            _ => {
                let token = call.header("authorization")?.strip_prefix("Bearer ")?.to_owned();
                self.as_person(world, call, path, &token, now)
            }
        }
    }

    /// Somebody with this account: a member of any guild, or one of those who are in none.
    fn person(&self, world: &Discord, id: Snowflake) -> Option<Member> {
        let member = world.guilds.values().find_map(|guild| guild.members.get(&id));
        let member = member.map(|found| Member::new(found.id, found.name.clone(), found.bot, Vec::new()));
        let outsider = || {
            let found = self.file.people.iter().find(|person| person.id == id)?;
            Some(Member::new(found.id, found.name.clone(), false, Vec::new()))
        };
        member.or_else(outsider).filter(|member| !member.bot)
    }
}

/// An OAuth2 error (RFC 6749, 5.2): another form than the rest of Discord's errors.
fn refused(status: StatusCode, error: &str, description: &str) -> Answer {
    let mut body = json!({ "error": error });
    if !description.is_empty() {
        body["error_description"] = Value::from(description);
    }
    Answer::json(status, &body)
}
