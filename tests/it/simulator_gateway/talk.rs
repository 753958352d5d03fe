//! Interactions over the gateway: what an application is told, how it answers, and what people see of that.

use std::time::Duration;

use muster::simulator::{Ask, Asked, ControlError, Limits};
use reqwest::Method;
use serde_json::json;
use tokio::sync::Mutex;
use twilight_model::{
    application::interaction::{Interaction, InteractionType},
    channel::Message as Posted,
};

use super::*;

const COMMANDS: &str = "/applications/900000000000000001/commands";

/// What Muster asks for, SEND_MESSAGES and READ_MESSAGE_HISTORY.
const MAY_WRITE: u64 = 53_546_512;

/// A simulator with commands, the application connected, and a client for its answers.
struct Talking {
    simulator: Simulator,
    gateway: Mutex<Client>,
    http: reqwest::Client,
}

fn commands() -> Value {
    json!([
        { "name": "link", "description": "Links your account", "type": 1, "contexts": [0] },
        { "name": "export", "description": "Everything stored about you" },
        { "name": "register", "description": "Types a link", "options": [
            { "type": 3, "name": "nickname", "description": "Yours", "required": true, "autocomplete": true, "max_length": 12 },
        ]},
        { "name": "muster", "description": "For staff", "default_member_permissions": "32", "options": [
            { "type": 1, "name": "who", "description": "Looks up", "options": [
                { "type": 6, "name": "member", "description": "Who" },
            ]},
        ]},
    ])
}

impl Talking {
    async fn start() -> Self {
        Self::with(json!({})).await
    }

    async fn with(extra: Value) -> Self {
        let simulator = start(extra).await;
        simulator.set_bot_permissions(GUILD, MAY_WRITE).unwrap();
        let gateway = Client::ready(&simulator).await;
        let talking = Self {
            simulator,
            gateway: Mutex::new(gateway),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        let (status, registered) = talking.call(Method::PUT, COMMANDS, Some(commands())).await;
        assert_eq!(status, 200, "{registered}");
        talking
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let token = &self.simulator.addresses().bot_token;
        self.call_as(token, method, path, body).await
    }

    async fn call_as(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let api = &self.simulator.addresses().discord_api;
        let mut request = self.http.request(method, format!("{api}{path}"));
        request = request.header("authorization", format!("Bot {token}"));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    async fn answer(&self, interaction: &Value, answer: Value) -> (u16, Value) {
        let path = format!("/interactions/{}/callback", place(interaction, "id"));
        self.call(Method::POST, &path, Some(answer)).await
    }

    /// The interaction that the application is told of next.
    async fn told(&self) -> Value {
        self.gateway.lock().await.event("INTERACTION_CREATE").await
    }

    /// Somebody does something, and the application answers it.
    async fn ask_and_answer(&self, ask: &Ask, answer: Value) -> (Value, Asked) {
        let answering = async {
            let interaction = self.told().await;
            let (status, body) = self.answer(&interaction, answer).await;
            assert_eq!(status, 204, "{body}");
            interaction
        };
        let (interaction, asked) = tokio::join!(answering, self.simulator.ask(ask));
        (interaction, asked.unwrap())
    }

    fn see(&self, interaction: &Value) -> Value {
        self.simulator.see(interaction["id"].as_str().unwrap()).unwrap()
    }
}

/// `id/token` of an interaction, or `application_id/token`.
fn place(interaction: &Value, id: &str) -> String {
    format!(
        "{}/{}",
        interaction[id].as_str().unwrap(),
        interaction["token"].as_str().unwrap()
    )
}

fn webhook(interaction: &Value, message: &str) -> String {
    format!("/webhooks/{}/messages/{message}", place(interaction, "application_id"))
}

fn ask(user: &str, command: &str) -> Ask {
    Ask {
        guild_id: GUILD.to_owned(),
        user_id: user.to_owned(),
        command: command.to_owned(),
        ..Ask::default()
    }
}

fn press(user: &str, button: &str, of: &Value) -> Ask {
    Ask {
        button: button.to_owned(),
        of: of.as_str().unwrap().to_owned(),
        ..ask(user, "")
    }
}

fn says(text: &str) -> Value {
    json!({ "type": 4, "data": { "content": text, "flags": 64 } })
}

fn button(id: &str) -> Value {
    json!([{ "type": 1, "components": [{ "type": 2, "style": 1, "label": "Yes", "custom_id": id }] }])
}

#[tokio::test]
async fn a_command_comes_over_the_gateway_and_its_answer_is_seen() {
    let talking = Talking::start().await;
    let (told, asked) = talking
        .ask_and_answer(&ask("2003", "link"), says("Open this page."))
        .await;
    let parsed: Interaction = serde_json::from_value(told.clone()).unwrap();
    assert_eq!(parsed.author_id().unwrap().to_string(), "2003");
    assert_eq!(parsed.channel.unwrap().name.as_deref(), Some("chat"));
    assert_eq!(
        (&told["data"]["name"], &told["locale"]),
        (&json!("link"), &json!("en-US"))
    );
    assert_eq!(told["member"]["permissions"], "0");
    assert_eq!((asked.status, &asked.body["type"]), (204, &json!(4)));
    let seen = talking.see(&told);
    assert_eq!(seen["state"], "answered");
    assert_eq!(
        (&seen["content"], &seen["private"]),
        (&json!("Open this page."), &json!(true))
    );
    let (status, again) = talking.answer(&told, says("Twice")).await;
    assert_eq!((status, &again["code"]), (400, &json!(40060)));
}

#[tokio::test]
async fn nothing_is_heard_after_three_seconds() {
    let talking = Talking::start().await;
    let asking = ask("2003", "link");
    let late = async {
        let told = talking.told().await;
        assert_eq!(talking.see(&told)["state"], "waiting");
        talking.simulator.advance(Duration::from_millis(3001));
        let (status, body) = talking.answer(&told, says("Late")).await;
        assert_eq!((status, &body["code"]), (404, &json!(10062)));
        told
    };
    let (told, asked) = tokio::join!(late, talking.simulator.ask(&asking));
    assert_eq!(asked.unwrap().status, 0);
    assert_eq!(talking.see(&told)["state"], "failed");
}

#[tokio::test]
async fn a_deferred_answer_becomes_one_and_others_follow_for_fifteen_minutes() {
    let talking = Talking::start().await;
    let deferred = json!({ "type": 5, "data": { "flags": 64 } });
    let (told, _) = talking.ask_and_answer(&ask("2003", "link"), deferred).await;
    assert_eq!(talking.see(&told)["state"], "thinking");
    let original = webhook(&told, "@original");
    let (status, edited) = talking
        .call(Method::PATCH, &original, Some(json!({ "content": "Done." })))
        .await;
    assert_eq!(
        (status, &edited["content"], &edited["flags"]),
        (200, &json!("Done."), &json!(64))
    );
    serde_json::from_value::<Posted>(edited).unwrap();
    let follow_up = format!("/webhooks/{}", place(&told, "application_id"));
    let more = json!({ "content": "And one thing.", "flags": 64 });
    let (status, more) = talking.call(Method::POST, &follow_up, Some(more)).await;
    assert_eq!(status, 200, "{more}");
    let seen = talking.see(&told);
    assert_eq!(
        (&seen["content"], &seen["state"]),
        (&json!("Done."), &json!("answered"))
    );
    assert_eq!(seen["further"][0]["content"], "And one thing.");
    let one = webhook(&told, more["id"].as_str().unwrap());
    assert_eq!(talking.call(Method::DELETE, &one, None).await.0, 204);
    assert_eq!(talking.call(Method::GET, &one, None).await.1["code"], 10008);
    assert_eq!(talking.see(&told)["further"], json!([]));

    talking.simulator.advance(Duration::from_secs(901));
    let (status, body) = talking
        .call(Method::POST, &follow_up, Some(json!({ "content": "x" })))
        .await;
    assert_eq!((status, &body["code"]), (401, &json!(50027)));
}

#[tokio::test]
async fn a_follow_up_right_after_a_deferred_answer_is_that_answer() {
    let talking = Talking::start().await;
    let deferred = json!({ "type": 5, "data": { "flags": 64 } });
    let (told, _) = talking.ask_and_answer(&ask("2003", "link"), deferred).await;
    let follow_up = format!("/webhooks/{}", place(&told, "application_id"));
    let (_, message) = talking
        .call(Method::POST, &follow_up, Some(json!({ "content": "Done." })))
        .await;
    assert_eq!(message["flags"], 64, "it stays private");
    let seen = talking.see(&told);
    assert_eq!((&seen["content"], &seen["further"]), (&json!("Done."), &json!([])));
}

#[tokio::test]
async fn a_button_is_pressed_where_it_is_seen_and_changes_its_message() {
    let talking = Talking::start().await;
    let confirm = json!({ "type": 4, "data": { "content": "Sure?", "flags": 64, "components": button("yes") } });
    let (told, _) = talking.ask_and_answer(&ask("2003", "link"), confirm).await;
    let id = &told["id"];
    for (user, wrong) in [("2001", "yes"), ("2003", "no")] {
        let refused = talking.simulator.ask(&press(user, wrong, id)).await.unwrap_err();
        assert!(matches!(refused, ControlError::Unknown(_)), "{refused}");
    }
    let update = json!({ "type": 7, "data": { "content": "Gone.", "components": [] } });
    let (pressed, _) = talking.ask_and_answer(&press("2003", "yes", id), update).await;
    let parsed: Interaction = serde_json::from_value(pressed.clone()).unwrap();
    assert_eq!(parsed.message.unwrap().content, "Sure?");
    assert_eq!(pressed["data"]["custom_id"], "yes");
    let seen = talking.see(&told);
    assert_eq!((&seen["content"], &seen["components"]), (&json!("Gone."), &json!([])));
    let (_, original) = talking.call(Method::GET, &webhook(&pressed, "@original"), None).await;
    assert_eq!(
        original["content"], "Gone.",
        "the message with the button is the original"
    );
}

#[tokio::test]
async fn a_button_on_a_message_in_a_channel_is_everybodys() {
    let talking = Talking::start().await;
    let post = json!({ "content": "Come", "components": button("come") });
    let (status, posted) = talking.call(Method::POST, "/channels/1012/messages", Some(post)).await;
    assert_eq!(status, 200, "{posted}");
    let (pressed, _) = talking
        .ask_and_answer(&press("2002", "come", &posted["id"]), json!({ "type": 6 }))
        .await;
    assert_eq!(pressed["message"]["id"], posted["id"]);
    let done = json!({ "content": "Ben came", "components": [] });
    assert_eq!(
        talking
            .call(Method::PATCH, &webhook(&pressed, "@original"), Some(done))
            .await
            .0,
        200
    );
    assert_eq!(talking.simulator.posts()[0].content, "Ben came");
}

#[tokio::test]
async fn who_types_is_offered_choices_and_who_sends_must_fill_in_what_is_required() {
    let talking = Talking::start().await;
    let typing = Ask {
        options: json!({ "nickname": "Ad" }).as_object().unwrap().clone(),
        focused: Some("nickname".to_owned()),
        ..ask("2003", "register")
    };
    let choices = json!({ "type": 8, "data": { "choices": [{ "name": "Ada", "value": "Ada" }] } });
    let (told, _) = talking.ask_and_answer(&typing, choices).await;
    let parsed: Interaction = serde_json::from_value(told.clone()).unwrap();
    assert_eq!(parsed.kind, InteractionType::ApplicationCommandAutocomplete);
    assert_eq!(
        told["data"]["options"][0],
        json!({ "name": "nickname", "type": 3, "value": "Ad", "focused": true })
    );
    assert_eq!(talking.see(&told)["choices"][0]["value"], "Ada");
    for (options, why) in [
        (json!({}), "nickname is required"),
        (json!({ "nickname": "a name that is too long" }), "too long"),
        (json!({ "nickname": 7 }), "can't be 7"),
        (json!({ "nickname": "Ada", "age": 7 }), "no option age"),
    ] {
        let wrong = Ask {
            options: options.as_object().unwrap().clone(),
            ..ask("2003", "register")
        };
        let refused = talking.simulator.ask(&wrong).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{why:?} in {refused}");
    }
}

#[tokio::test]
async fn a_command_shows_only_where_and_to_whom_it_is_offered() {
    let talking = Talking::start().await;
    let who = Ask {
        options: json!({ "member": { "user": "2001" } }).as_object().unwrap().clone(),
        ..ask(BOT, "muster who")
    };
    let not_staff = Ask {
        user_id: "2003".to_owned(),
        ..who.clone()
    };
    let refused = talking.simulator.ask(&not_staff).await.unwrap_err();
    assert!(matches!(refused, ControlError::Barred(_)), "{refused}");
    talking.simulator.set_bot_permissions(GUILD, 53_478_928 | 32).unwrap();
    talking.gateway.lock().await.event("GUILD_ROLE_UPDATE").await;
    let (told, _) = talking.ask_and_answer(&who, says("Ada")).await;
    let option = &told["data"]["options"][0];
    assert_eq!(
        (&option["name"], &option["options"][0]["value"]),
        (&json!("who"), &json!("2001"))
    );
    assert_eq!(told["data"]["resolved"]["members"]["2001"]["permissions"], "0");
    serde_json::from_value::<Interaction>(told).unwrap();

    let mut direct = ask("2003", "export");
    direct.guild_id.clear();
    let (told, _) = talking.ask_and_answer(&direct, says("Here")).await;
    assert_eq!(
        (&told["user"]["id"], &told["channel"]["type"]),
        (&json!("2003"), &json!(1))
    );
    assert_eq!(told["guild_id"], Value::Null);
    serde_json::from_value::<Interaction>(told).unwrap();
    direct.command = "link".to_owned();
    let refused = talking.simulator.ask(&direct).await.unwrap_err();
    assert!(matches!(refused, ControlError::Unknown(_)), "{refused}");
}

#[tokio::test]
async fn an_answer_must_fit_the_question_and_say_something() {
    let talking = Talking::start().await;
    let asking = ask("2003", "link");
    let wrong = async {
        let told = talking.told().await;
        for (answer, code) in [
            (json!({ "type": 7, "data": { "content": "x" } }), 50035),
            (json!({ "type": 8, "data": { "choices": [] } }), 50035),
            (json!({ "type": 4, "data": { "content": " " } }), 50006),
            (json!({ "type": 4, "data": { "content": "x".repeat(2001) } }), 50035),
        ] {
            let (status, body) = talking.answer(&told, answer).await;
            assert_eq!((status, &body["code"]), (400, &json!(code)));
        }
        let path = format!("/interactions/{}/callback?with_response=true", place(&told, "id"));
        let (status, body) = talking.call(Method::POST, &path, Some(says("Well"))).await;
        assert_eq!((status, &body["resource"]["message"]["content"]), (200, &json!("Well")));
    };
    let ((), asked) = tokio::join!(wrong, talking.simulator.ask(&asking));
    assert_eq!(asked.unwrap().status, 204);
}

#[tokio::test]
async fn direct_messages_reach_who_takes_them() {
    let talking = Talking::start().await;
    let (status, body) = talking.call(Method::POST, "/users/@me/channels", Some(json!({}))).await;
    assert_eq!((status, &body["code"]), (400, &json!(50035)));
    let open = json!({ "recipient_id": "2003" });
    let (_, channel) = talking.call(Method::POST, "/users/@me/channels", Some(open)).await;
    let path = format!("/channels/{}/messages", channel["id"].as_str().unwrap());
    let (status, _) = talking
        .call(Method::POST, &path, Some(json!({ "content": "Hello" })))
        .await;
    assert_eq!(status, 200);
    let posts = talking.simulator.posts();
    assert_eq!(
        (posts[0].to.unwrap().to_string(), posts[0].content.as_str()),
        ("2003".to_owned(), "Hello")
    );
    talking.simulator.close_messages("2003").unwrap();
    let (status, body) = talking
        .call(Method::POST, &path, Some(json!({ "content": "Hello" })))
        .await;
    assert_eq!((status, &body["code"]), (403, &json!(50007)));
}

#[tokio::test]
async fn a_message_needs_the_permission_and_is_changed_by_who_wrote_it() {
    let mover = json!({ "id": "900000000000000002", "name": "Mover", "token": "mover-token", "permissions": "3072" });
    let talking = Talking::with(json!({ "bots": [mover] })).await;
    let path = "/channels/1012/messages";
    let (status, posted) = talking
        .call(Method::POST, path, Some(json!({ "content": "Hello" })))
        .await;
    assert_eq!((status, &posted["author"]["id"]), (200, &json!(BOT)));
    let one = format!("{path}/{}", posted["id"].as_str().unwrap());
    assert_eq!(talking.call(Method::GET, &one, None).await.1["content"], "Hello");
    let (status, body) = talking
        .call_as("mover-token", Method::PATCH, &one, Some(json!({ "content": "Mine" })))
        .await;
    assert_eq!((status, &body["code"]), (403, &json!(50005)));
    let (status, body) = talking.call(Method::POST, path, Some(json!({ "embeds": [] }))).await;
    assert_eq!((status, &body["code"]), (400, &json!(50006)));
    let (status, body) = talking
        .call(Method::POST, "/channels/1010/messages", Some(json!({ "content": "x" })))
        .await;
    assert_eq!((status, &body["code"]), (400, &json!(50008)), "a category");

    talking.simulator.set_bot_permissions(GUILD, 53_478_928).unwrap();
    let (status, body) = talking.call(Method::POST, path, Some(json!({ "content": "x" }))).await;
    assert_eq!((status, &body["code"]), (403, &json!(50013)), "without SEND_MESSAGES");
    let overwrites = json!([{ "id": GUILD, "type": 0, "deny": "1024" }]);
    talking.simulator.set_overwrites("1012", &overwrites).unwrap();
    let (status, body) = talking.call(Method::GET, &one, None).await;
    assert_eq!((status, &body["code"]), (403, &json!(50001)), "without VIEW_CHANNEL");
}

#[tokio::test]
async fn messages_are_listed_the_newest_first_and_only_to_who_may_read_what_was_before() {
    let talking = Talking::start().await;
    let path = "/channels/1012/messages";
    let mut ids = Vec::new();
    for said in ["one", "two", "three"] {
        let (_, posted) = talking.call(Method::POST, path, Some(json!({ "content": said }))).await;
        ids.push(posted["id"].as_str().unwrap().to_owned());
    }
    let list = async |query: String| {
        let (status, body) = talking.call(Method::GET, &format!("{path}?{query}"), None).await;
        assert_eq!(status, 200, "{body}");
        let said = body
            .as_array()
            .unwrap()
            .iter()
            .map(|message| message["content"].clone());
        said.collect::<Value>()
    };
    assert_eq!(list(String::new()).await, json!(["three", "two", "one"]));
    assert_eq!(list(format!("after={}", ids[0])).await, json!(["three", "two"]));
    assert_eq!(
        list("after=1&limit=2".to_owned()).await,
        json!(["two", "one"]),
        "the next ones"
    );
    assert_eq!(list(format!("before={}&limit=1", ids[2])).await, json!(["two"]));
    for query in ["limit=0", "limit=101", "after=x"] {
        let (status, body) = talking.call(Method::GET, &format!("{path}?{query}"), None).await;
        assert_eq!((status, &body["code"]), (400, &json!(50035)), "{query}");
    }
    talking.simulator.write_as("2001", "1012", "four").unwrap();
    talking
        .simulator
        .write_as("2001", "1012", &format!("five <@{BOT}>"))
        .unwrap();
    let others = list(format!("after={}", ids[2])).await;
    assert_eq!(others, json!([format!("five <@{BOT}>"), ""]), "only to whom they speak");
    talking
        .simulator
        .set_bot_permissions(GUILD, MAY_WRITE & !(1 << 16))
        .unwrap();
    assert_eq!(list(String::new()).await, json!([]), "without READ_MESSAGE_HISTORY");
    talking
        .simulator
        .set_overwrites("1012", &json!([{ "id": GUILD, "type": 0, "deny": "1024" }]))
        .unwrap();
    let (status, body) = talking.call(Method::GET, path, None).await;
    assert_eq!((status, &body["code"]), (403, &json!(50001)), "without VIEW_CHANNEL");
}

#[tokio::test]
async fn answers_to_people_are_not_bound_to_the_second_but_each_has_its_bucket() {
    let talking = Talking::with(json!({ "limits": { "follow_up": { "limit": 2, "per_ms": 600_000 } } })).await;
    let limits = Limits {
        global_per_second: 0,
        ..talking.simulator.limits()
    };
    talking.simulator.set_limits(limits);
    assert_eq!(talking.call(Method::GET, "/users/@me", None).await.0, 429);
    for text in ["One", "Two"] {
        let (told, _) = talking.ask_and_answer(&ask("2003", "link"), says(text)).await;
        let original = webhook(&told, "@original");
        for left in [200, 200, 429] {
            let edit = talking
                .call(Method::PATCH, &original, Some(json!({ "content": "x" })))
                .await;
            assert_eq!(edit.0, left, "{}", edit.1);
        }
    }
}
