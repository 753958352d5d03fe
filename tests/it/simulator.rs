//! The simulator over real HTTP: what a bot, a FACEIT client and a driver in another language see of it.

use std::{
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::RawQuery,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use muster::simulator::{ControlError, Cut, DeliveryError, Fault, Limits, Options, Rate, Side, Simulator, WorldFile};
use reqwest::{Method, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};
use twilight_model::{
    channel::{Channel, ChannelType},
    guild::{Guild, Member, Role},
    oauth::Application,
    user::{CurrentUser, CurrentUserGuild, User},
    voice::VoiceState,
};

const BOT: &str = "900000000000000001";
/// VIEW_CHANNEL and CONNECT.
const DOOR: &str = "1049600";
/// VIEW_CHANNEL, CONNECT, MANAGE_CHANNELS and MOVE_MEMBERS.
const KEYS: &str = "17826832";

/// A guild with a lobby where Ada and Ben sit, and a driver's two clients.
struct Scene {
    simulator: Simulator,
    http: reqwest::Client,
}

struct Answer {
    status: u16,
    body: Value,
    response: HeaderMap,
}

impl Scene {
    async fn start() -> Self {
        Self::with(json!({})).await
    }

    /// Fields of `extra` are laid over the world.
    async fn with(extra: Value) -> Self {
        let mut world = json!({ "guilds": [{
            "id": "1000", "name": "Clan", "bot_permissions": "53478928",
            "categories": [{ "id": "1010", "name": "Matches" }],
            "voice_channels": [{ "id": "1011", "name": "Lobby" }],
            "text_channels": [{ "id": "1012", "name": "chat" }],
            "members": [
                { "id": "2001", "name": "Ada", "voice_channel_id": "1011" },
                { "id": "2002", "name": "Ben", "voice_channel_id": "1011" },
                { "id": "2003", "name": "Cy" },
            ],
        }] });
        for (name, value) in extra.as_object().unwrap() {
            world[name] = value.clone();
        }
        let world = WorldFile::parse(&world.to_string()).unwrap();
        let simulator = Simulator::start(world, Options::default()).await.unwrap();
        Self {
            simulator,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> reqwest::Result<Response> {
        let addresses = self.simulator.addresses();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, format!("{}{path}", addresses.discord_api));
        request = request.header("authorization", format!("Bot {}", addresses.bot_token));
        if let Some(body) = body {
            request = request.json(&body);
        }
        request
            .header("x-audit-log-reason", "match%201-a%20%C3%A4")
            .send()
            .await
    }

    async fn discord(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        read(self.send(method, path, body).await.unwrap()).await
    }

    /// A private voice channel as the product makes it.
    fn private(name: &str) -> Value {
        json!({
            "name": name, "type": 2, "parent_id": "1010",
            "permission_overwrites": [
                { "id": "1000", "type": 0, "allow": "0", "deny": DOOR },
                { "id": BOT, "type": 1, "allow": KEYS, "deny": "0" },
                { "id": "2001", "type": 1, "allow": DOOR, "deny": "0" },
            ],
        })
    }

    async fn create(&self, body: Value) -> String {
        let created = self.discord("POST", "/guilds/1000/channels", Some(body)).await;
        assert_eq!(created.status, 201, "{}", created.body);
        created.body["id"].as_str().unwrap().to_owned()
    }

    async fn move_to(&self, user: &str, channel: &str) -> Answer {
        let body = json!({ "channel_id": channel });
        self.discord("PATCH", &format!("/guilds/1000/members/{user}"), Some(body))
            .await
    }

    async fn faceit(&self, path: &str) -> Answer {
        let request = self
            .http
            .get(format!("{}{path}", self.simulator.addresses().faceit_api));
        read(request.header("authorization", "Bearer key").send().await.unwrap()).await
    }

    async fn control(&self, method: &str, path: &str, body: Value) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let url = format!("{}{path}", self.simulator.addresses().control);
        read(self.http.request(method, url).json(&body).send().await.unwrap()).await
    }

    fn picture(&self) -> String {
        self.simulator.picture(Some("1000")).unwrap()
    }

    fn journal(&self) -> Vec<String> {
        let lines = self.simulator.journal().into_iter();
        lines
            .map(|e| format!("{} {} {}", e.method, e.path.replace("/api/v10", ""), e.status))
            .collect()
    }
}

async fn read(response: Response) -> Answer {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer {
        status,
        body,
        response: headers,
    }
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.response.get(name).map(|value| value.to_str().unwrap())
    }

    fn refused(&self) -> (u16, u64) {
        (
            self.status,
            self.body["code"]
                .as_u64()
                .unwrap_or_else(|| panic!("no code in {}", self.body)),
        )
    }
}

fn parse<T: DeserializeOwned>(answer: &Answer) -> T {
    T::deserialize(&answer.body).unwrap_or_else(|error| panic!("{error} in {}", answer.body))
}

#[tokio::test]
async fn a_bot_makes_a_private_channel_moves_people_in_and_deletes_it() {
    let scene = Scene::start().await;
    let id = scene.create(Scene::private("Match 1 · Red")).await;
    assert!(id.parse::<u64>().unwrap() >> 22 > 0, "a real snowflake");
    let moved = scene.move_to("2001", &id).await;
    assert_eq!(moved.status, 200);
    assert_eq!(parse::<Member>(&moved).user.id.to_string(), "2001");
    insta::assert_snapshot!(scene.picture(), @r"
    Clan (2 voice channels, 2 people in voice)
      #chat
      Lobby: Ben
      [Matches]
        Match 1 · Red (private): Ada
      not in voice: Cy
    ");

    let deleted = scene.discord("DELETE", &format!("/channels/{id}"), None).await;
    assert_eq!((deleted.status, &deleted.body["id"]), (200, &json!(id)));
    insta::assert_snapshot!(scene.picture(), @r"
    Clan (1 voice channels, 1 people in voice)
      #chat
      Lobby: Ben
      [Matches]
        (no channels)
      not in voice: Ada, Cy
    ");
    let audit = scene.simulator.guild("1000").unwrap()["audit"].clone();
    assert_eq!(audit[0]["reason"], "match 1-a ä");
    assert_eq!(audit[1]["action"], "channel_delete");
    assert!(scene.simulator.unknown_requests().is_empty());
}

#[tokio::test]
async fn every_body_parses_with_twilights_models() {
    let scene = Scene::start().await;
    let id = scene.create(Scene::private("Red")).await;
    let channel: Channel = parse(&scene.discord("GET", &format!("/channels/{id}"), None).await);
    assert_eq!(
        (channel.kind, channel.name.as_deref()),
        (ChannelType::GuildVoice, Some("Red"))
    );
    assert_eq!(channel.permission_overwrites.unwrap().len(), 3);
    let channels: Vec<Channel> = parse(&scene.discord("GET", "/guilds/1000/channels", None).await);
    assert_eq!(channels.len(), 4);
    let guild: Guild = parse(&scene.discord("GET", "/guilds/1000", None).await);
    assert_eq!(guild.name, "Clan");
    let roles: Vec<Role> = parse(&scene.discord("GET", "/guilds/1000/roles", None).await);
    assert_eq!(roles.len(), 2);
    let bot: Member = parse(&scene.discord("GET", &format!("/guilds/1000/members/{BOT}"), None).await);
    assert!(bot.user.bot && bot.roles.len() == 1);
    let state: VoiceState = parse(&scene.discord("GET", "/guilds/1000/voice-states/2001", None).await);
    assert_eq!(state.channel_id.unwrap().to_string(), "1011");
    let user: User = parse(&scene.discord("GET", "/users/2001", None).await);
    assert_eq!(user.global_name.as_deref(), Some("Ada"));
    let me: CurrentUser = parse(&scene.discord("GET", "/users/@me", None).await);
    assert_eq!(me.id.to_string(), BOT);
    let guilds: Vec<CurrentUserGuild> = parse(&scene.discord("GET", "/users/@me/guilds", None).await);
    assert_eq!(guilds[0].permissions.bits(), 53_478_928);
    let application: Application = parse(&scene.discord("GET", "/applications/@me", None).await);
    assert_eq!(application.id.to_string(), BOT);
    let gateway = scene.discord("GET", "/gateway/bot", None).await;
    assert_eq!(gateway.body["url"], scene.simulator.addresses().discord_gateway);
    assert!(scene.simulator.unknown_requests().is_empty());
}

#[tokio::test]
async fn a_bot_that_forgets_its_own_overwrite_locks_itself_out() {
    let scene = Scene::start().await;
    let mut body = Scene::private("Red");
    body["permission_overwrites"].as_array_mut().unwrap().remove(1);
    let id = scene.create(body).await;
    assert_eq!(scene.move_to("2001", &id).await.refused(), (403, 50001));
    assert_eq!(
        scene
            .discord("DELETE", &format!("/channels/{id}"), None)
            .await
            .refused(),
        (403, 50001)
    );
    assert_eq!(
        scene.discord("GET", &format!("/channels/{id}"), None).await.refused(),
        (403, 50001)
    );
    let listed = scene.discord("GET", "/guilds/1000/channels", None).await;
    assert!(
        listed
            .body
            .as_array()
            .unwrap()
            .iter()
            .all(|channel| channel["id"] != id.as_str()),
        "obfuscated"
    );
}

#[tokio::test]
async fn denying_connect_alone_shows_the_channel_but_takes_managing_and_moving_along() {
    let scene = Scene::start().await;
    let overwrites = json!([{ "id": "1000", "type": 0, "deny": "1048576" }]);
    let id = scene
        .create(json!({ "name": "Red", "type": 2, "permission_overwrites": overwrites }))
        .await;
    assert_eq!(scene.discord("GET", &format!("/channels/{id}"), None).await.status, 200);
    assert_eq!(scene.move_to("2001", &id).await.refused(), (403, 50013));
    assert_eq!(
        scene
            .discord("DELETE", &format!("/channels/{id}"), None)
            .await
            .refused(),
        (403, 50013)
    );
}

#[tokio::test]
async fn moves_are_refused_as_discord_refuses_them() {
    let scene = Scene::with(json!({ "deleted_users": ["2998"] })).await;
    let id = scene.create(Scene::private("Red")).await;
    assert_eq!(scene.move_to("2003", &id).await.refused(), (400, 40032));
    assert_eq!(scene.move_to("2999", &id).await.refused(), (404, 10007));
    assert_eq!(scene.move_to("2998", &id).await.refused(), (404, 10013));
    assert_eq!(scene.move_to("2001", "777").await.refused(), (404, 10003));
    assert_eq!(scene.move_to("2001", "1012").await.refused(), (400, 50024));
    assert_eq!(scene.move_to("2001", "red").await.refused(), (400, 50035));
    let elsewhere = scene
        .discord("PATCH", "/guilds/1/members/2001", Some(json!({ "channel_id": id })))
        .await;
    assert_eq!(elsewhere.refused(), (404, 10004));
    scene
        .simulator
        .set_bot_permissions("1000", 53_478_928 & !(1 << 24))
        .unwrap();
    assert_eq!(
        scene.move_to("2001", &id).await.refused(),
        (403, 50013),
        "no MOVE_MEMBERS where she sits"
    );

    scene.simulator.set_bot_permissions("1000", 53_478_928).unwrap();
    let out = scene
        .discord(
            "PATCH",
            "/guilds/1000/members/2001",
            Some(json!({ "channel_id": null })),
        )
        .await;
    assert_eq!(out.status, 200);
    let state = scene.discord("GET", "/guilds/1000/voice-states/2001", None).await;
    assert_eq!(state.refused(), (404, 10065));
}

#[tokio::test]
async fn a_full_channel_does_not_stop_a_bot_that_may_move_members() {
    let scene = Scene::start().await;
    let mut body = Scene::private("Red");
    body["user_limit"] = json!(1);
    let id = scene.create(body).await;
    assert_eq!(scene.move_to("2001", &id).await.status, 200);
    assert_eq!(scene.move_to("2002", &id).await.status, 200);
}

#[tokio::test]
async fn creates_need_the_right_and_grant_only_what_the_bot_has() {
    let scene = Scene::start().await;
    let create = async |bits: &str| {
        let overwrites = json!([{ "id": "2001", "type": 1, "allow": bits }]);
        let body = json!({ "name": "Red", "type": 2, "permission_overwrites": overwrites });
        scene.discord("POST", "/guilds/1000/channels", Some(body)).await
    };
    assert_eq!(
        create("2048").await.refused(),
        (403, 50013),
        "SEND_MESSAGES, which it lacks"
    );
    scene.simulator.set_bot_permissions("1000", 321_981_968).unwrap();
    assert_eq!(
        create("268435456").await.refused(),
        (403, 50013),
        "MANAGE_ROLES, for administrators only"
    );
    scene.simulator.set_bot_permissions("1000", 8).unwrap();
    assert_eq!(create("268435456").await.status, 201);
    scene.simulator.set_bot_permissions("1000", 1 << 10 | 1 << 20).unwrap();
    assert_eq!(create("0").await.refused(), (403, 50013), "no MANAGE_CHANNELS");
}

#[tokio::test]
async fn overwrites_change_later_only_with_manage_roles() {
    let scene = Scene::start().await;
    let path = "/channels/1011/permissions/2001";
    let body = json!({ "type": 1, "allow": DOOR, "deny": "0" });
    assert_eq!(
        scene.discord("PUT", path, Some(body.clone())).await.refused(),
        (403, 50013)
    );
    scene.simulator.set_bot_permissions("1000", 321_981_968).unwrap();
    assert_eq!(scene.discord("PUT", path, Some(body)).await.status, 204);
    let overwrites = &scene.simulator.guild("1000").unwrap()["channels"][1]["permission_overwrites"];
    assert_eq!(
        overwrites,
        &json!([{ "id": "2001", "type": 1, "allow": DOOR, "deny": "0" }])
    );
    assert_eq!(scene.discord("DELETE", path, None).await.status, 204);
    assert_eq!(scene.discord("DELETE", path, None).await.refused(), (404, 10009));
}

#[tokio::test]
async fn a_category_holds_fifty_and_a_guild_five_hundred() {
    let limits = json!({ "channel_create": { "limit": 1000, "per_ms": 1000 }, "global_per_second": 1000 });
    let scene = Scene::with(json!({ "limits": limits })).await;
    for number in 0..50 {
        scene
            .create(json!({ "name": format!("n{number}"), "type": 2, "parent_id": "1010" }))
            .await;
    }
    let one_more = scene
        .discord("POST", "/guilds/1000/channels", Some(Scene::private("Red")))
        .await;
    assert_eq!(one_more.refused(), (400, 50035));
    assert_eq!(
        one_more.body["errors"]["parent_id"]["_errors"][0]["code"],
        "CHANNEL_PARENT_MAX_CHANNELS"
    );
    for number in 53..500 {
        scene.create(json!({ "name": format!("n{number}"), "type": 2 })).await;
    }
    let one_more = scene
        .discord("POST", "/guilds/1000/channels", Some(json!({ "name": "x", "type": 2 })))
        .await;
    assert_eq!(one_more.refused(), (400, 30013));
}

#[tokio::test]
async fn form_errors_name_every_field() {
    let scene = Scene::start().await;
    let overwrite = json!({ "id": "2001", "type": 1 });
    let body = json!({
        "name": "x".repeat(101), "type": 2, "user_limit": 100, "parent_id": "1011",
        "permission_overwrites": vec![overwrite; 101],
    });
    let refused = scene.discord("POST", "/guilds/1000/channels", Some(body)).await;
    assert_eq!(refused.refused(), (400, 50035));
    let named: Vec<&String> = refused.body["errors"].as_object().unwrap().keys().collect();
    assert_eq!(named, ["name", "parent_id", "permission_overwrites", "user_limit"]);
    assert_eq!(
        scene
            .discord("POST", "/guilds/1000/channels", Some(json!({})))
            .await
            .refused(),
        (400, 50035)
    );

    let addresses = scene.simulator.addresses();
    let url = format!("{}/guilds/1000/channels", addresses.discord_api);
    let request = scene
        .http
        .post(url)
        .header("authorization", format!("Bot {}", addresses.bot_token));
    let request = request.header("content-type", "application/json").body("{");
    assert_eq!(read(request.send().await.unwrap()).await.refused(), (400, 50109));
}

#[tokio::test]
async fn a_wrong_token_is_401_and_an_unknown_route_is_remembered() {
    let scene = Scene::start().await;
    let url = format!("{}/users/@me", scene.simulator.addresses().discord_api);
    let nobody = read(
        scene
            .http
            .get(&url)
            .header("authorization", "Bot nobody")
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(nobody.refused(), (401, 0));
    assert_eq!(nobody.header("x-ratelimit-limit"), None);
    assert!(scene.simulator.unknown_requests().is_empty());

    assert_eq!(
        scene
            .discord("POST", "/channels/1012/invites", Some(json!({})))
            .await
            .refused(),
        (404, 0)
    );
    assert_eq!(scene.faceit("/leagues/1").await.status, 404);
    let flags = scene
        .discord("PATCH", "/guilds/1000/members/2001", Some(json!({ "flags": 2 })))
        .await;
    assert_eq!(flags.status, 501, "not modelled");
    let astray = scene
        .http
        .get(format!("{}/channels/1011", scene.simulator.addresses().control));
    assert_eq!(astray.send().await.unwrap().status(), 404);
    let paths: Vec<String> = scene
        .simulator
        .unknown_requests()
        .into_iter()
        .map(|entry| entry.path)
        .collect();
    assert_eq!(
        paths,
        [
            "/api/v10/channels/1012/invites",
            "/data/v4/leagues/1",
            "/api/v10/guilds/1000/members/2001",
            "/channels/1011",
        ]
    );
}

#[tokio::test]
async fn the_eleventh_move_in_a_guild_waits_and_the_clock_can_be_advanced() {
    let scene = Scene::start().await;
    for left in (0..10).rev() {
        let moved = scene.move_to("2001", "1011").await;
        assert_eq!(moved.status, 200);
        assert_eq!(moved.header("x-ratelimit-limit"), Some("10"));
        // A second may pass on a slow machine and give one back.
        let remaining: i32 = moved.header("x-ratelimit-remaining").unwrap().parse().unwrap();
        assert!((left..=left + 1).contains(&remaining));
        assert!(moved.header("x-ratelimit-bucket").is_some() && moved.header("x-ratelimit-reset-after").is_some());
        assert_eq!(moved.header("x-ratelimit-scope"), None, "on a 429 only");
        assert_eq!(moved.header("retry-after"), None, "on a 429 only");
    }
    let limits = Limits {
        member_edit: Rate {
            limit: 1,
            per_ms: 60_000,
        },
        ..Limits::default()
    };
    scene.simulator.set_limits(limits);
    let eleventh = scene.move_to("2002", "1011").await;
    assert_eq!(eleventh.status, 429);
    assert_eq!(eleventh.header("x-ratelimit-scope"), Some("user"));
    assert_eq!(eleventh.header("x-ratelimit-remaining"), Some("0"));
    assert_eq!(eleventh.header("x-ratelimit-global"), None);
    let wait = eleventh.body["retry_after"].as_f64().unwrap();
    assert!(eleventh.body["global"] == false && wait > 0.0);
    assert_eq!(
        eleventh.header("retry-after"),
        Some(format!("{}", wait.ceil()).as_str())
    );
    scene.simulator.advance(Duration::from_secs_f64(wait));
    assert_eq!(scene.move_to("2002", "1011").await.status, 200);
}

#[tokio::test]
async fn the_global_limit_has_no_bucket_headers() {
    let scene = Scene::with(json!({ "limits": { "global_per_second": 0 } })).await;
    let refused = scene.discord("GET", "/users/@me", None).await;
    assert_eq!((refused.status, &refused.body["global"]), (429, &json!(true)));
    assert_eq!(refused.header("x-ratelimit-global"), Some("true"));
    assert_eq!(refused.header("x-ratelimit-scope"), Some("global"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("x-ratelimit-bucket"), None);
}

#[tokio::test]
async fn too_many_invalid_requests_get_the_caller_banned() {
    let scene = Scene::with(json!({ "limits": { "invalid_per_10_min": 2 } })).await;
    scene.simulator.set_bot_permissions("1000", 0).unwrap();
    let create = async || {
        scene
            .discord("POST", "/guilds/1000/channels", Some(Scene::private("Red")))
            .await
    };
    assert_eq!(create().await.refused(), (403, 50013));
    assert_eq!(create().await.refused(), (403, 50013));
    let banned = scene.discord("GET", "/users/@me", None).await;
    assert_eq!((banned.status, banned.header("x-ratelimit-scope")), (429, None));
    let counted = scene.control("GET", "/control/limits", json!({})).await.body;
    assert_eq!(counted["invalid_requests"], 2);
    scene.simulator.advance(Duration::from_secs(600));
    assert_eq!(scene.discord("GET", "/users/@me", None).await.status, 200);
}

#[tokio::test]
async fn only_who_has_the_overwrite_can_walk_into_a_private_channel() {
    let scene = Scene::start().await;
    let mut body = Scene::private("Red");
    body["user_limit"] = json!(1);
    let id = scene.create(body).await;
    let outsider = scene.simulator.connect_as_user("1000", "2002", &id);
    assert_eq!(outsider, Err(ControlError::Barred("Ben may not enter Red".to_owned())));
    scene.simulator.connect("1000", "2003", &id).unwrap();
    let body = json!({ "guild_id": "1000", "user_id": "2001", "channel_id": id, "as_user": true });
    assert_eq!(
        scene
            .control("POST", "/control/discord/voice", body.clone())
            .await
            .status,
        403,
        "full"
    );
    scene.simulator.disconnect("1000", "2003").unwrap();
    assert_eq!(scene.control("POST", "/control/discord/voice", body).await.status, 200);
}

#[tokio::test]
async fn a_third_rename_strikes_without_warning() {
    let scene = Scene::start().await;
    let rename = async || {
        scene
            .discord("PATCH", "/channels/1011", Some(json!({ "name": "Hall" })))
            .await
    };
    assert_eq!(rename().await.status, 200);
    assert_eq!(rename().await.status, 200);
    let third = rename().await;
    assert_eq!(third.status, 429);
    assert!(third.body["retry_after"].as_f64().unwrap() > 200.0);
    assert_ne!(
        third.header("x-ratelimit-remaining"),
        Some("0"),
        "the bucket itself has room"
    );
}

#[tokio::test]
async fn a_cut_connection_leaves_an_effect_or_none_and_no_answer() {
    let scene = Scene::start().await;
    let path = "/guilds/1000/channels".to_owned();
    for drop in [Cut::Before, Cut::After] {
        let fault = Fault {
            method: Some("POST".to_owned()),
            path: path.clone(),
            drop: Some(drop),
            ..Fault::default()
        };
        scene.simulator.fault(fault).unwrap();
    }
    let names = || scene.picture().matches("Red").count();
    assert!(scene.send("POST", &path, Some(Scene::private("Red"))).await.is_err());
    assert_eq!(names(), 0);
    assert!(scene.send("POST", &path, Some(Scene::private("Red"))).await.is_err());
    assert_eq!(names(), 1, "it was made, and nobody was told");
    scene.create(Scene::private("Blue")).await;
    let expected = [
        "POST /guilds/1000/channels 0",
        "POST /guilds/1000/channels 0",
        "POST /guilds/1000/channels 201",
    ];
    assert_eq!(scene.journal(), expected);
    assert!(scene.simulator.waiting_faults().is_empty());
}

#[tokio::test]
async fn a_fault_answers_instead_with_or_without_the_effect() {
    let scene = Scene::start().await;
    let id = scene.create(Scene::private("Red")).await;
    let set = scene
        .control(
            "POST",
            "/control/faults",
            json!({ "method": "DELETE", "path": "/channels/*", "status": 503 }),
        )
        .await;
    assert_eq!(set.status, 200);
    let path = format!("/channels/{id}");
    let refused = scene.discord("DELETE", &path, None).await;
    assert_eq!(
        (refused.status, refused.header("content-type")),
        (503, Some("text/html"))
    );
    assert!(scene.picture().contains("Red"));

    let fault = json!({ "method": "DELETE", "path": path, "status": 502, "after_effect": true, "delay_ms": 1 });
    assert_eq!(
        scene.control("POST", "/faults", fault).await.status,
        200,
        "at the root as well"
    );
    assert_eq!(scene.discord("DELETE", &path, None).await.status, 502);
    assert!(!scene.picture().contains("Red"));
    assert_eq!(scene.discord("DELETE", &path, None).await.refused(), (404, 10003));

    let headers = json!({ "Retry-After": "7", "X-RateLimit-Scope": "shared" });
    let fault = json!({ "path": "/users/@me", "status": 429, "body": { "retry_after": 6.5 }, "headers": headers });
    assert_eq!(scene.control("POST", "/control/faults", fault).await.status, 200);
    let limited = scene.discord("GET", "/users/@me", None).await;
    assert_eq!(limited.status, 429);
    assert_eq!(
        (limited.header("retry-after"), limited.header("x-ratelimit-scope")),
        (Some("7"), Some("shared"))
    );
    assert_eq!(limited.body, json!({ "retry_after": 6.5 }));
}

#[tokio::test]
async fn control_calls_that_make_no_sense_say_so() {
    let scene = Scene::start().await;
    for (method, path, body) in [
        ("POST", "/control/faults", json!({ "path": "/x" })),
        (
            "POST",
            "/control/faults",
            json!({ "path": "/x", "status": 503, "stauts": 1 }),
        ),
        (
            "POST",
            "/control/discord/voice",
            json!({ "guild_id": "1000", "user_id": "2001" }),
        ),
        (
            "POST",
            "/control/discord/voice",
            json!({ "guild_id": "1000", "user_id": "2001", "channel_id": "1012" }),
        ),
        ("PUT", "/control/faceit/matches/1-a", json!([])),
        ("POST", "/control/clock", json!({ "advance_ms": -1 })),
        ("GET", "/control/picture?guild=x", json!({})),
    ] {
        let refused = scene.control(method, path, body).await;
        assert_eq!(refused.status, 400, "{method} {path}: {}", refused.body);
        assert!(refused.body["error"].is_string());
    }
    assert_eq!(scene.control("GET", "/control/guilds/1", json!({})).await.status, 404);
    assert!(
        scene.simulator.journal().is_empty(),
        "control calls are not in the journal"
    );
}

#[tokio::test]
async fn a_driver_moves_people_and_sees_who_sits_where() {
    let scene = Scene::start().await;
    let change = |channel: Value| json!({ "guild_id": "1000", "user_id": "2003", "channel_id": channel });
    assert_eq!(
        scene
            .control("POST", "/control/discord/voice", change(json!("1011")))
            .await
            .status,
        200
    );
    let guild = scene.control("GET", "/control/guilds/1000", json!({})).await.body;
    let lobby = guild["channels"]
        .as_array()
        .unwrap()
        .iter()
        .find(|channel| channel["id"] == "1011")
        .unwrap();
    assert_eq!(lobby["members"], json!(["2001", "2002", "2003"]));
    assert_eq!(
        (&lobby["type"], &lobby["parent_id"], &guild["name"]),
        (&json!(2), &Value::Null, &json!("Clan"))
    );
    assert_eq!(
        scene
            .control("POST", "/discord/voice", change(Value::Null))
            .await
            .status,
        200
    );
    let picture = scene.control("GET", "/control/picture", json!({})).await.body;
    assert!(picture.as_str().unwrap().contains("Lobby: Ada, Ben\n"));
    assert_eq!(
        scene
            .control("DELETE", "/control/discord/channels/1011", json!({}))
            .await
            .status,
        200
    );
    assert!(scene.picture().contains("not in voice: Ada, Ben, Cy"));
}

fn hub_match(id: &str, status: &str) -> Value {
    let player = |id: &str, nickname: &str| json!({ "player_id": id, "nickname": nickname, "game_player_id": "7656" });
    json!({
        "match_id": id, "version": 2, "competition_id": "hub-1", "competition_type": "hub", "status": status,
        "teams": {
            "faction2": { "faction_id": "p2", "roster": [player("p2", "Ben")] },
            "faction1": { "faction_id": "p1", "roster": [player("p1", "Ada")] },
        },
    })
}

#[tokio::test]
async fn faceit_answers_matches_as_put_and_404_otherwise() {
    let scene = Scene::start().await;
    let text = r#"{"status":"READY", "match_id":"1-a"}"#;
    let url = format!("{}/control/faceit/matches/1-a", scene.simulator.addresses().control);
    assert_eq!(scene.http.put(url).body(text).send().await.unwrap().status(), 200);
    let request = scene
        .http
        .get(format!("{}/matches/1-a", scene.simulator.addresses().faceit_api));
    let response = request.header("authorization", "Bearer key").send().await.unwrap();
    assert_eq!(response.headers()["ratelimit-limit"], "10, 10;w=1");
    assert_eq!(response.text().await.unwrap(), text);

    scene.simulator.remove_match("1-a").unwrap();
    let gone = scene.faceit("/matches/1-a").await;
    let error = json!({ "message": "The resource was not found.", "code": "err_nf0", "http_status": 404 });
    assert_eq!((gone.status, gone.body), (404, json!({ "errors": [error] })));
    let url = format!("{}/matches/1-a", scene.simulator.addresses().faceit_api);
    let keyless = read(scene.http.get(url).send().await.unwrap()).await;
    assert!(keyless.status == 401 && keyless.body["errors"][0]["message"].is_string());
    assert_eq!(
        scene
            .simulator
            .journal()
            .iter()
            .filter(|entry| entry.side == Side::Faceit)
            .count(),
        3
    );
}

#[tokio::test]
async fn faceit_lists_a_hubs_matches_and_knows_everybody_on_a_roster() {
    let hubs = json!({ "hubs": [{ "id": "hub-1", "name": "EU", "organizer_id": "o" }, { "id": "hub-2", "name": "NA", "organizer_id": "o" }] });
    let scene = Scene::with(json!({ "faceit": hubs, "limits": { "faceit_per_second": 100 } })).await;
    for (id, status) in [
        ("1-a", "FINISHED"),
        ("1-b", "READY"),
        ("1-c", "SCHEDULED"),
        ("1-d", "CHECK_IN"),
    ] {
        scene.simulator.put_match(id, &hub_match(id, status)).unwrap();
    }
    let ids = async |query: &str| -> Vec<String> {
        let page = scene.faceit(&format!("/hubs/hub-1/matches{query}")).await.body;
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["match_id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids("?type=ongoing").await, ["1-d", "1-b"]);
    assert_eq!(ids("?type=past").await, ["1-a"]);
    assert_eq!(ids("?type=upcoming").await, ["1-c"]);
    assert_eq!(ids("?offset=1&limit=2").await, ["1-c", "1-b"]);
    let page = scene.faceit("/hubs/hub-2/matches?limit=50").await.body;
    assert_eq!(page, json!({ "items": [], "start": 0, "end": 50 }));
    assert_eq!(scene.faceit("/hubs/hub-1").await.body["organizer_id"], "o");
    assert_eq!(scene.faceit("/hubs/hub-3").await.status, 404);

    assert_eq!(scene.faceit("/players/p1").await.body["nickname"], "Ada");
    assert_eq!(scene.faceit("/players?nickname=Ada").await.body["player_id"], "p1");
    assert_eq!(scene.faceit("/players?nickname=ada").await.status, 404, "case matters");
    assert_eq!(scene.faceit("/players").await.status, 400);
    assert_eq!(
        scene.faceit("/search/players?nickname=ad").await.body["items"][0]["player_id"],
        "p1"
    );
    assert!(scene.simulator.unknown_requests().is_empty());
}

#[tokio::test]
async fn faceit_takes_so_many_calls_in_a_second() {
    let scene = Scene::with(json!({ "limits": { "faceit_per_second": 1 } })).await;
    scene.simulator.put_match("1-a", &hub_match("1-a", "READY")).unwrap();
    // Whichever second the first falls into, the next two can't both be in a new one.
    let statuses = [
        scene.faceit("/matches/1-a").await,
        scene.faceit("/matches/1-a").await,
        scene.faceit("/matches/1-a").await,
    ];
    let limited = statuses.iter().find(|answer| answer.status == 429).unwrap();
    assert_eq!(
        (limited.header("ratelimit-remaining"), limited.header("ratelimit-reset")),
        (Some("0"), Some("1"))
    );
    scene.simulator.advance(Duration::from_secs(1));
    assert_eq!(scene.faceit("/matches/1-a").await.status, 200);
}

#[tokio::test]
async fn a_webhook_reaches_its_receiver_with_the_secret() {
    type Seen = Arc<Mutex<Vec<(Option<String>, Option<String>, String)>>>;
    let seen = Seen::default();
    let taken = Arc::clone(&seen);
    let receive = async move |RawQuery(query): RawQuery, headers: HeaderMap, body: String| {
        let secret = headers.get("x-wh").map(|value| value.to_str().unwrap().to_owned());
        taken.lock().unwrap().push((secret, query, body));
        (StatusCode::ACCEPTED, r#"{"stored":true}"#)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}/faceit-webhook", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "it is aborted below")]
    let receiver = tokio::task::spawn(async move {
        let _ = axum::serve(listener, Router::new().route("/faceit-webhook", post(receive))).await;
    });

    let world = WorldFile::parse(r#"{"guilds":[]}"#).unwrap();
    let options = Options {
        webhook_secret: "s3cret".to_owned(),
        webhook_header: "X-Wh".to_owned(),
        webhook_query: Some("wh".to_owned()),
        ..Options::default()
    };
    let simulator = Simulator::start(world, options).await.unwrap();
    let scene = Scene {
        simulator,
        http: reqwest::Client::builder().no_proxy().build().unwrap(),
    };
    let event = json!({ "event": "match_status_ready", "payload": { "id": "1-a" } });
    assert_eq!(
        scene
            .control("POST", "/control/faceit/deliver", event.clone())
            .await
            .status,
        409,
        "no target yet"
    );

    scene.simulator.set_webhook_target(Some(target));
    let delivered = scene.control("POST", "/control/faceit/deliver", event.clone()).await;
    assert_eq!(
        (delivered.status, delivered.body),
        (200, json!({ "status": 202, "body": { "stored": true } }))
    );
    assert_eq!(scene.simulator.deliver(&event).await.unwrap().status, 202);
    let (secret, query, body) = seen.lock().unwrap()[0].clone();
    assert_eq!(
        (secret.as_deref(), query.as_deref(), body),
        (Some("s3cret"), Some("wh=s3cret"), event.to_string())
    );

    receiver.abort();
    let _ = receiver.await;
    let refused = scene.simulator.deliver(&event).await.unwrap_err();
    assert!(matches!(refused, DeliveryError::NotReached { .. }), "{refused}");
    assert_eq!(
        scene.control("POST", "/control/faceit/deliver", event).await.status,
        502
    );
}

#[tokio::test]
async fn a_world_that_does_not_fit_together_is_refused_with_all_that_is_wrong() {
    let unknown = WorldFile::parse(r#"{"guilds":[{"id":"1","name":"G","memebers":[]}]}"#).unwrap_err();
    assert!(unknown.contains("memebers"), "{unknown}");
    let number = WorldFile::parse(r#"{"guilds":[{"id":1,"name":"G"}]}"#).unwrap_err();
    assert!(number.contains("expected a string"), "{number}");
    let text = r#"{"guilds":[{"id":"1","name":"G","voice_channels":[{"id":"2","name":"v","parent_id":"9"}],
        "members":[{"id":"3","name":"m","voice_channel_id":"8","roles":["7"]}]}]}"#;
    let error = Simulator::start(WorldFile::parse(text).unwrap(), Options::default())
        .await
        .unwrap_err()
        .to_string();
    for wrong in ["its parent 9", "8 is no voice channel", "role 7"] {
        assert!(error.contains(wrong), "{error}");
    }
}

#[tokio::test]
async fn the_program_prints_one_line_and_serves_until_it_is_told_to_stop() {
    let world = std::env::temp_dir().join(format!("muster-simulator-{}.json", std::process::id()));
    std::fs::write(&world, r#"{"guilds":[{"id":"1000","name":"Clan"}]}"#).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_simulator"))
        .args(["--webhook-secret", "s3cret", "--world"])
        .arg(&world)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let line: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    assert_eq!(line["webhook_secret"], "s3cret");
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let picture = http.get(format!("{}/control/picture", line["control"].as_str().unwrap()));
    assert!(picture.send().await.unwrap().text().await.unwrap().starts_with("Clan "));
    let me = http.get(format!("{}/users/@me", line["discord_api"].as_str().unwrap()));
    let me = me.header("authorization", format!("Bot {}", line["bot_token"].as_str().unwrap()));
    assert_eq!(me.send().await.unwrap().status(), 200);

    let id = rustix::process::Pid::from_raw(program.id().unwrap().try_into().unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert!(program.wait().await.unwrap().success());
    assert_eq!(lines.next_line().await.unwrap(), None, "one line");
    std::fs::remove_file(&world).unwrap();
}

#[tokio::test]
async fn a_fault_can_be_any_of_discords_limits() {
    let scene = Scene::start().await;
    for (scope, global) in [("user", None), ("global", Some("true")), ("shared", None)] {
        let fault = json!({ "path": "/users/@me", "status": 429, "scope": scope, "retry_after_ms": 1500 });
        scene.simulator.fault(serde_json::from_value(fault).unwrap()).unwrap();
        let limited = scene.discord("GET", "/users/@me", None).await;
        assert_eq!((limited.status, limited.header("retry-after")), (429, Some("2")));
        assert_eq!(limited.header("x-ratelimit-scope"), Some(scope));
        assert_eq!(limited.header("x-ratelimit-global"), global);
        assert_eq!(limited.body["retry_after"], 1.5);
        assert_eq!(limited.body["global"], scope == "global");
    }
    for wrong in [
        json!({ "path": "*", "status": 503, "scope": "shared" }),
        json!({ "path": "*", "status": 429, "retry_after_ms": 1 }),
    ] {
        let fault: Fault = serde_json::from_value(wrong).unwrap();
        assert!(scene.simulator.fault(fault).is_err());
    }
}

#[tokio::test]
async fn guilds_are_listed_in_pages() {
    let guilds: Vec<Value> = (1..=3).map(|id| json!({ "id": id.to_string(), "name": "G" })).collect();
    let scene = Scene::with(json!({ "guilds": guilds })).await;
    let first = scene.discord("GET", "/users/@me/guilds?limit=2", None).await;
    let ids = |answer: &Answer| -> Vec<String> {
        let guilds: Vec<CurrentUserGuild> = parse(answer);
        guilds.iter().map(|guild| guild.id.to_string()).collect()
    };
    assert_eq!(ids(&first), ["1", "2"]);
    let rest = scene.discord("GET", "/users/@me/guilds?limit=2&after=2", None).await;
    assert_eq!(ids(&rest), ["3"]);
}
