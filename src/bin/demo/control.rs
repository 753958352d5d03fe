//! The simulator's control routes, as the demo uses them: put matches, send webhooks, let people walk, and look.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail};
use muster::simulator::{Delivered, Entry, Rate};
use reqwest::{Method, RequestBuilder};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::cast::{GUILDS, Person};

/// Longer than the simulator waits for the receiver of a webhook.
const DEADLINE: Duration = Duration::from_secs(20);
/// For the answer to a command.
const LOOKS: usize = 100;
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Both guilds as one, as far as the demo looks at them: no id is in both.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Guild {
    pub channels: Vec<Channel>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Channel {
    pub id: String,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: u8,
    /// Ids of those who sit in it.
    pub members: Vec<String>,
}

impl Channel {
    const VOICE: u8 = 2;

    pub fn is_voice(&self) -> bool {
        self.kind == Self::VOICE
    }
}

impl Guild {
    pub fn has(&self, name: &str) -> bool {
        self.channels.iter().any(|channel| channel.name == name)
    }

    /// Who sits where: user id to channel.
    pub fn seats(&self) -> BTreeMap<&str, &Channel> {
        let seats = self
            .channels
            .iter()
            .flat_map(|channel| channel.members.iter().map(move |user| (user.as_str(), channel)));
        seats.collect()
    }
}

#[derive(Deserialize)]
struct Limits {
    member_edit: Rate,
}

#[derive(Deserialize)]
struct Now {
    now_ms: u64,
}

#[derive(Clone, Debug)]
pub struct Control {
    http: reqwest::Client,
    base: String,
}

impl Control {
    pub fn new(base: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(DEADLINE).no_proxy().build()?;
        Ok(Self {
            http,
            base: format!("{base}/control"),
        })
    }

    pub async fn send_webhooks_to(&self, target: &str) -> anyhow::Result<()> {
        let request = self.request(Method::PUT, "/faceit/webhook");
        ask(request.json(&json!({ "target": target }))).await.map(drop)
    }

    pub async fn put_match(&self, id: &str, body: &Value) -> anyhow::Result<()> {
        let request = self.request(Method::PUT, &format!("/faceit/matches/{id}"));
        ask(request.json(body)).await.map(drop)
    }

    /// Lets FACEIT call the webhook, and gives what the service answered.
    pub async fn deliver(&self, body: &Value) -> anyhow::Result<Delivered> {
        read(self.request(Method::POST, "/faceit/deliver").json(body)).await
    }

    /// Somebody goes to a voice channel by himself, or hangs up.
    pub async fn walk(&self, person: &Person, channel: Option<&str>) -> anyhow::Result<()> {
        let (guild, user) = (person.guild(), person.discord_id());
        let change = json!({ "guild_id": guild, "user_id": user, "channel_id": channel, "as_user": true });
        ask(self.request(Method::POST, "/discord/voice").json(&change))
            .await
            .map(drop)
    }

    pub async fn guild(&self) -> anyhow::Result<Guild> {
        let mut both = Guild::default();
        for id in GUILDS {
            let guild: Guild = read(self.request(Method::GET, &format!("/guilds/{id}"))).await?;
            both.channels.extend(guild.channels);
        }
        Ok(both)
    }

    /// Somebody runs a command in Discord; gives the address behind the button of its answer, once it is there.
    pub async fn address_from_command(&self, person: &Person, command: &str) -> anyhow::Result<Option<String>> {
        let ask = json!({ "guild_id": person.guild(), "user_id": person.discord_id(), "command": command });
        let asked: Value = read(self.request(Method::POST, "/discord/interactions").json(&ask)).await?;
        let id = asked["id"].as_str().unwrap_or_default().to_owned();
        for _ in 0..LOOKS {
            let seen: Value = read(self.request(Method::GET, &format!("/discord/interactions/{id}"))).await?;
            if seen["state"] == "answered" {
                let url = seen.pointer("/components/0/components/0/url");
                return Ok(url.and_then(Value::as_str).map(str::to_owned));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(None)
    }

    pub async fn picture(&self) -> anyhow::Result<String> {
        ask(self.request(Method::GET, "/picture")).await
    }

    pub async fn journal(&self) -> anyhow::Result<Vec<Entry>> {
        read(self.request(Method::GET, "/journal")).await
    }

    /// Requests that the simulator does not know.
    pub async fn unknown(&self) -> anyhow::Result<Vec<Entry>> {
        read(self.request(Method::GET, "/unknown")).await
    }

    /// The simulator's clock, by which the journal goes.
    pub async fn now_ms(&self) -> anyhow::Result<u64> {
        let now: Now = read(self.request(Method::GET, "/clock")).await?;
        Ok(now.now_ms)
    }

    /// How many people may be moved in which time.
    pub async fn move_limit(&self) -> anyhow::Result<Rate> {
        let limits: Limits = read(self.request(Method::GET, "/limits")).await?;
        Ok(limits.member_edit)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }
}

async fn read<T: DeserializeOwned>(request: RequestBuilder) -> anyhow::Result<T> {
    let text = ask(request).await?;
    serde_json::from_str(&text).with_context(|| format!("the simulator answered something else: {text}"))
}

async fn ask(request: RequestBuilder) -> anyhow::Result<String> {
    let answer = request.send().await.context("the simulator does not answer")?;
    let (status, url) = (answer.status(), answer.url().path().to_owned());
    let text = answer.text().await?;
    if !status.is_success() {
        bail!("the simulator answered {status} to {url}: {text}");
    }
    Ok(text)
}
