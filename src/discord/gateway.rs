//! Where Discord's gateway is, and how often it may be entered. The connection itself is made elsewhere.

use std::time::Duration;

use serde::Deserialize;

use crate::discord::{
    answer::Answer,
    client::{Client, built},
    error::Error,
    line::Class,
    refusal::Doing,
    send::Route,
};

/// What `GET /gateway/bot` says.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct GatewayBot {
    pub url: String,
    /// How many Discord recommends.
    pub shards: u32,
    #[serde(rename = "session_start_limit")]
    pub starts: Starts,
}

/// New sessions. A bot that starts more than its total gets its token reset.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub struct Starts {
    pub total: u32,
    pub remaining: u32,
    reset_after: u64,
    /// How many may begin in the same five seconds.
    pub max_concurrency: u32,
}

impl Starts {
    /// When `remaining` is `total` again.
    pub fn reset_after(&self) -> Duration {
        Duration::from_millis(self.reset_after)
    }
}

impl Client {
    /// Asks where the gateway is, into how many shards to divide, and how many sessions may still be started.
    pub async fn gateway_bot(&self) -> Result<GatewayBot, Error> {
        let request = built(self.build().gateway().authed())?;
        let route = Route::new(Class::Create, "GET /gateway/bot", 0);
        match self.call(route, &request).await? {
            Answer::Ok(body) => body.parse(),
            Answer::Refused(refusal) => Err(refusal.into_error(&Doing::AskWhoWeAre)),
        }
    }
}
