//! Whatever this project says to Discord and whatever the simulator answers must fit Discord's own description, the OpenAPI file that
//! `MUSTER_OPENAPI` names. The file is no part of this repository.
#![expect(clippy::disallowed_methods, reason = "the file is named by the environment")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::http::StatusCode;

use muster::{
    discord::{
        Client, NewChannel, OldChannel, Options, Search,
        interactions::Reply,
        messages::{Message, Posted},
        oauth::OAuth,
    },
    domain::ids::{ChannelId, GuildId, UserId},
    domain::plan::Outcome,
    simulator::{Ask, Exchange, Limits, Rate, Side, Simulator},
};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use twilight_model::{
    application::command::Command,
    channel::message::{Component, Embed, MessageFlags},
    http::{
        attachment::Attachment,
        interaction::{InteractionResponse, InteractionResponseData, InteractionResponseType},
    },
    id::Id,
};

use self::description::Description;
use crate::support::{
    bodies::game,
    bot::{BOT, Bot, CATEGORY, GUILD, LOBBY, PEOPLE, member, world},
    database::Database,
    service::Place,
};

mod description;

/// Where the file and the documentation part, as far as is known; a star stands for anything.
const KNOWN: [(&str, &str); 8] = [
    (
        "POST /guilds/{guild_id}/channels sends /permission_overwrites/*/allow: type",
        PERMISSIONS_ARE_TEXT,
    ),
    (
        "POST /guilds/{guild_id}/channels sends /permission_overwrites/*/deny: type",
        PERMISSIONS_ARE_TEXT,
    ),
    (
        "PUT /channels/{channel_id}/permissions/{overwrite_id} sends /allow: type",
        PERMISSIONS_ARE_TEXT,
    ),
    (
        "PUT /channels/{channel_id}/permissions/{overwrite_id} sends /deny: type",
        PERMISSIONS_ARE_TEXT,
    ),
    (
        "* answers 400 /errors/*_errors: type",
        "the code of an error within a form is a word, such as BASE_TYPE_REQUIRED (docs, Error Messages)",
    ),
    (
        "* answers 429 /: \"code\" missing",
        "few of them have a code (docs, Rate Limits)",
    ),
    (
        "* sends /attachments/*/id: type",
        "a new attachment's id is the number of its part, and libraries send a number (docs, Uploading Files)",
    ),
    (
        "PUT /applications/*/commands sends /version: unknown",
        "twilight sends the version that a command has when it is read; Discord takes no notice",
    ),
];

const PERMISSIONS_ARE_TEXT: &str = "permissions are decimal text both ways (docs, Permissions)";

/// What the file doesn't describe at all.
const NOT_DESCRIBED: [&str; 4] = [
    "GET /oauth2/authorize",
    "POST /oauth2/authorize",
    "POST /oauth2/token",
    "POST /oauth2/token/revoke",
];

const TEXT_CHANNEL: u64 = 1013;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_to_discord_and_what_the_simulator_answers_fits_discords_description() {
    let Some(file) = std::env::var_os("MUSTER_OPENAPI") else {
        println!("skipped: MUSTER_OPENAPI does not name Discord's OpenAPI file");
        return;
    };
    let mut discord = Description::read(Path::new(&file));
    let mut exchanges = a_match().await;
    exchanges.extend(a_doctor().await);
    exchanges.extend(every_call_of_ours().await);
    exchanges.extend(the_rest_of_the_simulator().await);
    exchanges.extend(people_signing_in().await);
    exchanges.retain(|exchange| exchange.entry.side == Side::Discord && !exchange.struck);

    let (mut seen, mut described) = (BTreeSet::new(), BTreeSet::new());
    let mut wrong = BTreeMap::new();
    for exchange in &exchanges {
        let entry = &exchange.entry;
        let Some(operation) = discord.operation(&entry.method, &entry.path) else {
            let path = entry.path.split('?').next().unwrap().trim_start_matches("/api/v10");
            described.insert(format!("{} {path}", entry.method));
            continue;
        };
        seen.insert(skeleton(&operation.name));
        for disagreement in discord.disagreements(&operation, exchange) {
            let answer = String::from_utf8_lossy(&exchange.answered).into_owned();
            let sent = String::from_utf8_lossy(&exchange.sent).into_owned();
            wrong.entry(disagreement).or_insert((sent, answer));
        }
    }
    let described: Vec<&str> = described.iter().map(String::as_str).collect();
    assert_eq!(described, NOT_DESCRIBED, "what the file doesn't describe");
    for (known, why) in KNOWN {
        let before = wrong.len();
        wrong.retain(|disagreement, _| !fits(disagreement, known));
        let still = wrong.len() < before;
        assert!(still, "no longer so, take it off the list: {known} ({why})");
    }
    for (disagreement, (sent, answered)) in &wrong {
        println!("{disagreement}\n    sent {sent}\n    answered {answered}");
    }
    let wrong: Vec<_> = wrong.keys().collect();
    assert!(wrong.is_empty(), "{} disagreements:\n{wrong:#?}", wrong.len());

    let missing: Vec<_> = routes()
        .into_iter()
        .filter(|(route, _)| !seen.contains(route))
        .collect();
    assert!(missing.is_empty(), "let this test drive these routes too: {missing:#?}");
    println!("{} exchanges over {} routes fit", exchanges.len(), seen.len());
}

/// Whether the pieces between the stars come one after the other, from end to end.
fn fits(text: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return text == pattern;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces = rest.split('*').peekable();
    while let Some(piece) = pieces.next() {
        let at = if pieces.peek().is_some() {
            text.find(piece)
        } else {
            text.rfind(piece)
        };
        let Some(at) = at else { return false };
        text = &text[at + piece.len()..];
    }
    text.is_empty()
}

/// `POST /guilds/{guild_id}/channels` with nothing in its braces, since everybody names ids differently.
fn skeleton(route: &str) -> String {
    let words = route
        .split('/')
        .map(|word| if word.starts_with('{') { "{}" } else { word });
    words.collect::<Vec<_>>().join("/")
}

/// Every route that our adapter or the simulator has, and where it stands.
fn routes() -> BTreeMap<String, String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    let mut folders = vec![sources.join("discord"), sources.join("simulator/discord")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            // Tests make up routes.
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            if path.file_name().unwrap() == "tests.rs" {
                continue;
            }
            for literal in text.split('"').skip(1).step_by(2) {
                let method = literal.split(" /").next().unwrap();
                if literal.contains(" /") && ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method) {
                    found.insert(skeleton(literal), path.display().to_string());
                }
            }
        }
    }
    assert!(found.len() > 20, "{found:?}");
    found
}

/// The usual world, where nobody waits for a bucket, the bot may do all that it could want, and there is a channel to talk in.
fn open_world() -> Value {
    let mut world = world();
    world["keep_bodies"] = json!(true);
    let guild = &mut world["guilds"][0];
    // Also MANAGE_ROLES, SEND_MESSAGES, MUTE_MEMBERS and MANAGE_NICKNAMES.
    guild["bot_permissions"] = json!((53_478_928_u64 | 1 << 28 | 1 << 11 | 1 << 22 | 1 << 27).to_string());
    guild["text_channels"] = json!([{ "id": TEXT_CHANNEL.to_string(), "name": "chat" }]);
    guild["roles"] = json!([{ "id": "1020", "name": "Staff", "permissions": "32" }]);
    world["bots"] = json!([{ "id": "900000000000000002", "name": "Mover", "token": "mover-token" }]);
    world["oauth"] = json!({ "redirect_uris": ["http://127.0.0.1:9/back"] });
    world
}

async fn simulator(world: Value) -> Simulator {
    let world = muster::simulator::WorldFile::parse(&world.to_string()).unwrap();
    Simulator::start(world, muster::simulator::Options::default())
        .await
        .unwrap()
}

/// The whole bot: a match with a late joiner, a substitute, and an end; and everything that somebody can ask about himself.
async fn a_match() -> Vec<Exchange> {
    let bot = Bot::start_in(open_world(), &PEOPLE).await;
    bot.disconnect("eve");
    let first = game("1-0a", "READY", &["nova", "rex", "eve"], &["ada", "bo"]);
    bot.play(&first, "match_status_ready", 2).await;
    bot.settle().await;
    bot.connect("eve", LOBBY);
    bot.settle().await;
    let then = game("1-0a", "ONGOING", &["nova", "cleo", "eve"], &["ada", "bo"]);
    bot.play(&then, "match_status_ready", 3).await;
    bot.settle().await;
    bot.play(&then.status("FINISHED"), "match_status_finished", 4).await;
    bot.advance(Duration::from_secs(61)).await;
    bot.settle().await;
    // Over the gateway, so that the answers are calls of their own.
    bot.simulator.set_interactions_target(None);
    for command in ["link", "connections", "export", "optout", "optin"] {
        bot.run("nova", command).await;
    }
    let sure = bot.run("nova", "unlink").await;
    bot.press("nova", &sure).await;
    let exchanges = bot.simulator.exchanges();
    bot.finish().await;
    exchanges
}

async fn a_doctor() -> Vec<Exchange> {
    let place = Place::in_world(Database::migrated().await, open_world(), &[]).await;
    place.run(&["doctor"]).await;
    place.simulator.exchanges()
}

/// Each function of the adapter, where it does something and where it is refused.
async fn every_call_of_ours() -> Vec<Exchange> {
    let simulator = simulator(open_world()).await;
    let base = simulator.addresses().discord_api.parse().unwrap();
    let mut options = Options::new(base, SecretString::from(simulator.addresses().bot_token.clone()));
    options.movers = vec![SecretString::from("mover-token")];
    let discord = Client::new(options).unwrap();
    let (guild, lobby) = (
        GuildId::new(GUILD.parse().unwrap()).unwrap(),
        channel(LOBBY.parse().unwrap()),
    );
    let (nova, nobody) = (user(member("nova")), user(4040));

    for bot in [0, 1] {
        discord.whoami(bot).await.unwrap();
        discord.guild_as(bot, guild).await.unwrap();
    }
    discord.application().await.unwrap();
    discord.gateway_bot().await.unwrap();
    discord.own_guilds().await.unwrap();
    discord.roles(guild).await.unwrap();
    discord.roles_of(guild, nova).await.unwrap();
    discord.roles_of(guild, nobody).await.unwrap();
    discord.list_channels(guild).await.unwrap();
    discord.look_for_channel(guild, lobby).await.unwrap();
    discord.look_for_channel(guild, channel(404)).await.unwrap();
    discord.locate_member(guild, nova).await.unwrap();
    discord.locate_member(guild, nobody).await.unwrap();

    let now = muster::clock::Clock::system().now();
    let new = NewChannel {
        guild,
        name: "match-0a-faction1",
        category: Some(channel(CATEGORY.parse().unwrap())),
        user_limit: 5,
        bot: user(BOT.parse().unwrap()),
        access: &[nova],
        staff: &[],
        spectators: &[],
        reason: "match 1-0a",
        now,
    };
    let Outcome::Created(room) = discord.create_voice_channel(&new).await.unwrap() else {
        panic!("no channel was created")
    };
    let search = Search {
        guild,
        name: new.name,
        category: new.category,
        since: now - Duration::from_secs(60),
        bot: new.bot,
    };
    discord.find_voice_channels(&search).await.unwrap();
    discord.move_member(guild, nova, Some(room)).await.unwrap();
    discord.move_member(guild, nova, None).await.unwrap();
    discord.move_member(guild, nova, Some(room)).await.unwrap();
    discord.grant_access(room, user(member("rex"))).await.unwrap();
    discord.revoke_access(room, user(member("rex"))).await.unwrap();
    let old = OldChannel {
        guild,
        channel: room,
        reason: "match 1-0a is over",
        now,
    };
    discord.delete_channel(&old).await.unwrap();
    discord.delete_channel(&old).await.unwrap();

    let embeds: [Embed; 1] = read(json!([{ "type": "rich", "title": "Match", "description": "Who is where" }]));
    let button = json!({ "type": 2, "style": 1, "label": "Move me", "custom_id": "move" });
    let components: [Component; 1] = read(json!([{ "type": 1, "components": [button] }]));
    let message = Message {
        content: "Who is where",
        embeds: &embeds,
        components: &components,
        nonce: Some("muster-1"),
    };
    let chat = channel(TEXT_CHANNEL);
    let direct = discord.direct_channel(nova).await.unwrap().unwrap();
    for place in [chat, direct] {
        let Posted::Yes(id) = discord.post_message(place, &message).await.unwrap() else {
            panic!("nothing was posted")
        };
        discord.edit_message(place, id, &message).await.unwrap();
        discord.delete_message(place, id, "over").await.unwrap();
    }
    discord.post_message(channel(404), &message).await.unwrap();

    let commands = commands();
    discord.set_commands(Some(guild), &commands).await.unwrap();
    discord.set_commands(None, &commands).await.unwrap();
    let application = discord.application_id().await.unwrap();
    let attachment = Attachment::from_bytes("export.json".to_owned(), b"{}".to_vec(), 0);
    let files = [attachment];
    for kind in [
        InteractionResponseType::ChannelMessageWithSource,
        InteractionResponseType::DeferredChannelMessageWithSource,
    ] {
        let (id, token) = asked(&simulator, "export").await;
        let data = InteractionResponseData {
            content: Some("Here".to_owned()),
            flags: Some(MessageFlags::EPHEMERAL),
            components: Some(components.to_vec()),
            ..InteractionResponseData::default()
        };
        let answer = InteractionResponse { kind, data: Some(data) };
        discord.answer_interaction(Id::new(id), &token, &answer).await.unwrap();
        discord.answer_interaction(Id::new(id), &token, &answer).await.unwrap();
        for reply in [
            Reply {
                content: "Here",
                embeds: &embeds,
                components: &components,
                ..Reply::default()
            },
            Reply {
                content: "Here",
                files: &files,
                private: true,
                ..Reply::default()
            },
        ] {
            discord.edit_answer(application, &token, &reply).await.unwrap();
            discord.follow_up(application, &token, &reply).await.unwrap();
        }
    }
    assert_eq!(simulator.unknown_requests(), []);
    simulator.exchanges()
}

/// What nobody of ours asks for, and refusals.
async fn the_rest_of_the_simulator() -> Vec<Exchange> {
    let simulator = simulator(open_world()).await;
    simulator.set_limits(Limits {
        channel_rename: Rate {
            limit: 1,
            per_ms: 600_000,
        },
        ..Limits::default()
    });
    let addresses = simulator.addresses();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let call = |method: Method, path: String, body: Option<Value>| {
        let mut request = http.request(method, format!("{}{path}", addresses.discord_api));
        request = request.header("authorization", format!("Bot {}", addresses.bot_token));
        if let Some(body) = body {
            request = request.json(&body);
        }
        async move {
            let answer = request.send().await.unwrap();
            (
                answer.status().as_u16(),
                answer.json::<Value>().await.unwrap_or_default(),
            )
        }
    };
    let get = |path: &str| call(Method::GET, path.to_owned(), None);
    for path in [
        "/gateway",
        "/gateway/bot",
        "/applications/@me",
        "/users/@me",
        "/users/@me/guilds",
        "/users/2001",
        "/users/4040",
        "/guilds/1000",
        "/guilds/1000?with_counts=true",
        "/guilds/4040",
        "/guilds/1000/roles",
        "/guilds/1000/channels",
        "/guilds/1000/members/2001",
        "/guilds/1000/members/4040",
        "/guilds/1000/voice-states/2001",
        "/guilds/1000/voice-states/@me",
        "/channels/1010",
        "/channels/1011",
        "/channels/1013",
        "/channels/4040",
        "/channels/nonsense",
        "/applications/900000000000000001/commands",
        "/applications/900000000000000001/guilds/1000/commands",
    ] {
        get(path).await;
    }
    simulator.connect(GUILD, "900000000000000001", LOBBY).unwrap();
    get("/guilds/1000/voice-states/@me").await;
    let edits = [
        json!({ "name": "Lobby 2", "user_limit": 3, "bitrate": 64000, "parent_id": "1010", "position": 2 }),
        json!({ "name": "Lobby 3" }),
        json!({ "permission_overwrites": [{ "id": "2001", "type": 1, "allow": 1024, "deny": 0 }] }),
        json!({ "user_limit": 100 }),
        json!({ "parent_id": null }),
    ];
    for edit in edits {
        call(Method::PATCH, format!("/channels/{LOBBY}"), Some(edit)).await;
    }
    for body in [
        json!({ "name": "text" }),
        json!({ "name": "Voice", "type": 2, "permission_overwrites": [{ "id": "1000", "type": 0, "deny": 1024 }] }),
        json!({ "name": "Category", "type": 4 }),
        json!({ "name": "" }),
    ] {
        call(Method::POST, "/guilds/1000/channels".to_owned(), Some(body)).await;
    }
    for edit in [
        json!({ "mute": true, "nick": "Nova" }),
        json!({ "roles": ["1020"] }),
        json!({ "channel_id": "4040" }),
    ] {
        call(Method::PATCH, "/guilds/1000/members/2001".to_owned(), Some(edit)).await;
    }
    let overwrite = json!({ "type": 1, "allow": 1024, "deny": 0 });
    call(
        Method::PUT,
        "/channels/1011/permissions/2002".to_owned(),
        Some(overwrite),
    )
    .await;
    for _ in 0..2 {
        call(Method::DELETE, "/channels/1011/permissions/2002".to_owned(), None).await;
    }
    let messages = format!("/channels/{TEXT_CHANNEL}/messages");
    let (_, posted) = call(Method::POST, messages.clone(), Some(json!({ "content": "x" }))).await;
    get(&format!("{messages}/{}", posted["id"].as_str().unwrap())).await;
    get(&format!("{messages}/4040")).await;
    get(&format!("{messages}?after=1&limit=100")).await;
    get(&format!("{messages}?limit=101")).await;

    let commands = json!([{ "name": "export", "description": "Everything", "type": 1 }]);
    let path = "/applications/900000000000000001/commands".to_owned();
    call(Method::PUT, path.clone(), Some(commands)).await;
    call(Method::GET, path, None).await;
    let (id, token) = asked(&simulator, "export").await;
    let answer = json!({ "type": 4, "data": { "content": "x", "components": [
        { "type": 1, "components": [{ "type": 2, "style": 2, "label": "Yes", "custom_id": "yes" }] },
    ] } });
    let callback = format!("/interactions/{id}/{token}/callback?with_response=true");
    call(Method::POST, callback.clone(), Some(answer.clone())).await;
    call(Method::POST, callback, Some(answer)).await;
    let webhook = format!("/webhooks/900000000000000001/{token}");
    let (_, further) = call(
        Method::POST,
        webhook.clone(),
        Some(json!({ "content": "More", "flags": 64 })),
    )
    .await;
    for message in ["@original", further["id"].as_str().unwrap()] {
        let one = format!("{webhook}/messages/{message}");
        get(&one).await;
        call(Method::PATCH, one.clone(), Some(json!({ "content": "Other" }))).await;
        call(Method::DELETE, one.clone(), None).await;
        get(&one).await;
    }
    let pressed = Ask {
        button: "yes".to_owned(),
        of: id.to_string(),
        ..ask("")
    };
    assert!(simulator.ask(&pressed).await.is_err(), "it is deleted");

    simulator.set_limits(Limits {
        global_per_second: 0,
        ..Limits::default()
    });
    get("/users/@me").await;
    simulator.set_limits(Limits {
        other: Rate { limit: 0, per_ms: 1000 },
        ..Limits::default()
    });
    get("/users/@me").await;
    simulator.set_limits(Limits {
        channels_per_day: Some(0),
        ..Limits::default()
    });
    call(
        Method::POST,
        "/guilds/1000/channels".to_owned(),
        Some(json!({ "name": "one too many" })),
    )
    .await;
    let nobody = http.get(format!("{}/users/@me", addresses.discord_api));
    assert_eq!(nobody.send().await.unwrap().status(), 401);
    assert_eq!(simulator.unknown_requests(), []);
    simulator.exchanges()
}

/// Discord's OAuth2 with a person's own token.
async fn people_signing_in() -> Vec<Exchange> {
    let simulator = simulator(open_world()).await;
    let addresses = simulator.addresses();
    let page = addresses.discord_authorize.parse().unwrap();
    let secret = SecretString::from("simulated-client-secret");
    let oauth = OAuth::new(&addresses.discord_api.parse().unwrap(), &page, BOT, secret).unwrap();
    let back = "http://127.0.0.1:9/back".parse().unwrap();
    let verifier = "a-verifier-of-enough-letters-0123456789-abcdefg";
    let consent = oauth.consent_page(&back, "state", verifier);
    let redirects = reqwest::redirect::Policy::none();
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(redirects)
        .build()
        .unwrap();
    http.get(consent.clone()).send().await.unwrap();
    let agreed = http.post(consent).body("user=2001").send().await.unwrap();
    let location: reqwest::Url = agreed.headers()["location"].to_str().unwrap().parse().unwrap();
    let (_, code) = location.query_pairs().find(|(name, _)| name == "code").unwrap();
    let tokens = oauth.exchange(&code, verifier, &back).await.unwrap();
    let tokens = oauth.refresh(&tokens.refresh).await.unwrap();
    oauth.person(&tokens.access).await.unwrap();
    oauth.guilds(&tokens.access).await.unwrap();
    oauth.revoke(&tokens.refresh).await.unwrap();
    assert!(oauth.person(&tokens.access).await.is_err());
    simulator.exchanges()
}

fn ask(command: &str) -> Ask {
    Ask {
        guild_id: GUILD.to_owned(),
        user_id: member("nova").to_string(),
        command: command.to_owned(),
        ..Ask::default()
    }
}

/// Somebody runs a command: its id and token. The call over HTTP tells them, and brings no answer.
async fn asked(simulator: &Simulator, command: &str) -> (u64, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    simulator.set_interactions_target(Some(format!("http://{address}/")));
    let (told, hears) = tokio::sync::oneshot::channel::<Value>();
    let told = Arc::new(Mutex::new(Some(told)));
    let hear = move |axum::Json(body): axum::Json<Value>| {
        let _ = told.lock().unwrap().take().expect("one call").send(body);
        async { StatusCode::ACCEPTED }
    };
    let receiver = axum::Router::new().route("/", axum::routing::post(hear));
    let asking = ask(command);
    let asked = tokio::select! {
        asked = simulator.ask(&asking) => asked.unwrap(),
        _ = axum::serve(listener, receiver).into_future() => panic!("it serves for ever"),
    };
    assert_eq!(asked.status, 202);
    let interaction = hears.await.unwrap();
    (
        asked.id.parse().unwrap(),
        interaction["token"].as_str().unwrap().to_owned(),
    )
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn commands() -> Vec<Command> {
    let nickname =
        json!({ "type": 3, "name": "nickname", "description": "Yours", "required": true, "autocomplete": true });
    read(json!([
        { "type": 1, "name": "export", "description": "Everything stored about you", "version": "1" },
        { "type": 1, "name": "register", "description": "Links you by name", "version": "1", "options": [nickname] },
    ]))
}

fn channel(id: u64) -> ChannelId {
    ChannelId::new(id).unwrap()
}

fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}
