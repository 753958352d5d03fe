//! A browser of somebody's: keeps cookies, follows no redirect by itself, and sends what a page of ours would send.

use std::{collections::BTreeMap, sync::Mutex};

use muster::{app::App, simulator::Simulator};
use reqwest::{Method, RequestBuilder, Response, redirect};
use serde_json::{Value, json};
use url::Url;

use crate::support::bot::{Bot, PUBLIC_URL, member};

/// The guilds of these tests: ours, and one of other people.
pub const OURS: &str = "1000";
pub const THEIRS: &str = "2000";
/// A server without the bot; finn is its owner.
pub const EMPTY: &str = "3000";
pub const STAFF_ROLE: &str = "1100";
pub const HUB: &str = "74624044-158f-446a-ad4c-9d3d4c4a4d07";
pub const CHAMPIONSHIP: &str = "7a72d156-793e-4c2c-a3ca-e51e3c45b280";
pub const ORGANIZER: &str = "7d73f0ad-2f7e-40b5-a6f9-7e3f33a57a64";

/// In our guild nova is the owner, rex administrator, ada may manage the server, bo has the staff role, cleo is a member; dan owns the other
/// guild; finn owns a third one, without the bot; zoe is in none. lou operates Muster and is in our guild.
pub fn world() -> Value {
    let someone = |name: &str, roles: Value| json!({"id": member(name).to_string(), "name": name, "roles": roles});
    let mut world = crate::support::bot::world();
    world["guilds"] = json!([
        {
            "id": OURS, "name": "Kiosk", "bot_permissions": "53478928", "owner_id": member("nova").to_string(),
            "roles": [
                {"id": STAFF_ROLE, "name": "Referees"},
                {"id": "1101", "name": "Bosses", "permissions": "8"},
                {"id": "1102", "name": "Managers", "permissions": "32"},
            ],
            "categories": [{"id": "1010", "name": "Matches"}, {"id": "1020", "name": "Talk"}],
            "voice_channels": [
                {"id": "1021", "name": "Corner", "parent_id": "1020"},
                {"id": "1011", "name": "Lobby"}, {"id": "1012", "name": "Bar"},
                {"id": "1022", "name": "Locked", "parent_id": "1020",
                    "permission_overwrites": [{"id": OURS, "type": 0, "deny": "1048576"}]},
                {"id": "1014", "name": "Hidden", "permission_overwrites": [{"id": OURS, "type": 0, "deny": "1024"}]},
            ],
            "text_channels": [{"id": "1013", "name": "chat"}, {"id": "1023", "name": "notes", "parent_id": "1020"}],
            "members": [
                someone("nova", json!([])), someone("rex", json!(["1101"])), someone("ada", json!(["1102"])),
                someone("bo", json!([STAFF_ROLE])), someone("cleo", json!([])), someone("lou", json!([])),
            ],
        },
        {
            "id": THEIRS, "name": "Others", "owner_id": member("dan").to_string(),
            "categories": [{"id": "2010", "name": "Games"}],
            "members": [someone("dan", json!([]))],
        },
        {
            "id": EMPTY, "name": "Nobody home", "owner_id": member("finn").to_string(), "bot_is_member": false,
            "members": [someone("finn", json!([])), someone("gus", json!([]))],
        },
    ]);
    world["faceit"] = json!({
        "hubs": [{"id": HUB, "name": "Kiosk Hub", "organizer_id": ORGANIZER}],
        "championships": [{"id": CHAMPIONSHIP, "name": "Kiosk Cup", "organizer_id": ORGANIZER}],
        "organizers": [{"id": ORGANIZER, "name": "Kiosk"}],
    });
    world["oauth"] = json!({
        "redirect_uris": [format!("{PUBLIC_URL}/api/auth/callback"), "http://127.0.0.1:9/back"],
        "people": [{"id": "2999", "name": "Zoe"}],
        "guild_list": {"limit": 50, "per_ms": 1000},
    });
    world
}

pub async fn bot() -> Bot {
    Bot::start_in(world(), &[]).await
}

pub struct Browser {
    http: reqwest::Client,
    pub base: String,
    cookies: Mutex<BTreeMap<String, String>>,
    csrf: Mutex<Option<String>>,
}

impl Browser {
    pub fn new(app: &App) -> Self {
        Self::at(&format!("http://{}", app.address))
    }

    pub fn at(base: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none());
        Self {
            http: http.build().expect("a client"),
            base: base.to_owned(),
            cookies: Mutex::default(),
            csrf: Mutex::default(),
        }
    }

    /// A browser in which somebody has signed in.
    pub async fn of(bot: &Bot, name: &str) -> Self {
        let browser = Self::new(&bot.app);
        browser.sign_in(&bot.simulator, name).await;
        browser
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().unwrap().get(name).cloned()
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    pub fn drop_cookie(&self, name: &str) {
        self.cookies.lock().unwrap().remove(name);
    }

    /// A request with this browser's cookies; the answer's cookies are kept by `send`.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        let cookies = self.cookies.lock().unwrap();
        let header: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if header.is_empty() {
            request
        } else {
            request.header("cookie", header.join("; "))
        }
    }

    pub async fn send(&self, request: RequestBuilder) -> Response {
        let answer = request.send().await.expect("it answers");
        let mut cookies = self.cookies.lock().unwrap();
        for cookie in answer.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().expect("plain text");
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').expect("a name");
            if attributes.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        body(self.send(self.request(Method::GET, path)).await).await
    }

    /// As a page of ours does: with the token that `/me` gave.
    pub async fn call(&self, method: Method, path: &str, json: Option<Value>) -> (u16, Value) {
        body(self.call_raw(method, path, json).await).await
    }

    pub async fn call_raw(&self, method: Method, path: &str, json: Option<Value>) -> Response {
        let csrf = self.csrf().await;
        let mut request = self
            .request(method, path)
            .header("origin", PUBLIC_URL)
            .header("x-csrf-token", csrf);
        if let Some(json) = json {
            request = request.json(&json);
        }
        self.send(request).await
    }

    /// The token for unsafe requests, as `/me` gives it.
    async fn csrf(&self) -> String {
        let known = self.csrf.lock().unwrap().clone();
        if let Some(known) = known {
            return known;
        }
        let (_, me) = self.get("/api/auth/me").await;
        let csrf = me["csrf_token"].as_str().unwrap_or("none").to_owned();
        *self.csrf.lock().unwrap() = Some(csrf.clone());
        csrf
    }

    /// Changes settings of a guild, from the version that is there.
    pub async fn set(&self, guild: &str, changes: Value) -> (u16, Value) {
        let path = format!("/api/guilds/{guild}/settings");
        let (status, found) = self.get(&path).await;
        assert_eq!(status, 200, "{found}");
        let mut settings = found["settings"].clone();
        for (name, value) in changes.as_object().expect("changes") {
            settings[name] = value.clone();
        }
        self.put(&path, &format!("\"{}\"", found["version"]), settings).await
    }

    pub async fn put(&self, path: &str, version: &str, json: Value) -> (u16, Value) {
        let csrf = self.csrf().await;
        let request = self.request(Method::PUT, path).header("origin", PUBLIC_URL);
        let request = request.header("x-csrf-token", csrf).header("if-match", version);
        body(self.send(request.json(&json)).await).await
    }

    /// Forgets the token for unsafe requests.
    pub fn forget_csrf(&self) {
        self.csrf.lock().unwrap().take();
    }

    /// Begins to sign in; gives Discord's page.
    pub async fn begin(&self, path: &str) -> Url {
        let answer = self.send(self.request(Method::GET, path)).await;
        assert_eq!(answer.status(), 302, "{:?}", answer.text().await);
        Url::parse(location(&answer)).expect("an address")
    }

    /// Presses *continue as* on Discord's page; gives the path that Discord sends the browser back to.
    pub async fn agree(&self, page: &Url, form: &str) -> String {
        let answer = self
            .http
            .post(page.clone())
            .body(form.to_owned())
            .send()
            .await
            .expect("Discord answers");
        assert_eq!(answer.status(), 302, "{:?}", answer.text().await);
        let back = location(&answer).to_owned();
        back.strip_prefix(PUBLIC_URL).expect("back to us").to_owned()
    }

    pub async fn sign_in(&self, _discord: &Simulator, name: &str) {
        let page = self.begin("/api/auth/login").await;
        let back = self.agree(&page, &format!("user={}", id_of(name))).await;
        let answer = self.send(self.request(Method::GET, &back)).await;
        assert_eq!(answer.status(), 302, "{:?}", answer.text().await);
        self.forget_csrf();
    }
}

pub fn id_of(name: &str) -> String {
    if name == "zoe" {
        "2999".to_owned()
    } else {
        member(name).to_string()
    }
}

pub fn location(answer: &Response) -> &str {
    answer.headers()["location"].to_str().expect("plain text")
}

pub async fn body(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a text");
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    (status, body)
}
