//! Answers to interactions, commands and messages, against a stand-in that notes every request and answers as told.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Body, extract::Request, response::Response};
use futures::future::join_all;
use muster::discord::{
    interactions::{Answered, Reply},
    messages::{Message, Posted},
};
use twilight_model::{
    http::{
        attachment::Attachment,
        interaction::{InteractionResponse, InteractionResponseData, InteractionResponseType},
    },
    id::Id,
};

use super::*;

#[derive(Clone, Debug)]
struct Seen {
    /// `POST /interactions/1/tok/callback`
    line: String,
    authorization: Option<String>,
    body: String,
}

/// What is answered to requests whose line starts so; None cuts the connection.
type Script = Vec<(&'static str, Option<(u16, Value)>)>;

#[derive(Clone, Default)]
struct StandIn {
    seen: Arc<Mutex<Vec<Seen>>>,
    script: Arc<Mutex<Script>>,
}

impl StandIn {
    async fn start(script: Script) -> (Self, Client) {
        let stand_in = Self {
            script: Arc::new(Mutex::new(script)),
            ..Self::default()
        };
        let here = stand_in.clone();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/api/v10", listener.local_addr().unwrap());
        let app = Router::new().fallback(move |request| here.clone().answer(request));
        spawn(async move { axum::serve(listener, app).await.unwrap() });
        let options = Options::new(base.parse().unwrap(), SecretString::from("s3cret"));
        (stand_in, Client::new(options).unwrap())
    }

    async fn answer(self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().unwrap().as_str();
        let line = format!("{} {}", parts.method, path.trim_start_matches("/api/v10"));
        let authorization = parts.headers.get("authorization");
        let authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let body = String::from_utf8_lossy(&body).into_owned();
        let found = {
            let mut script = self.script.lock().unwrap();
            let at = script.iter().position(|(start, _)| line.starts_with(start));
            // The last one for a path holds on.
            at.map(
                |at| match script[at + 1..].iter().any(|(start, _)| *start == script[at].0) {
                    true => script.remove(at).1,
                    false => script[at].1.clone(),
                },
            )
        };
        self.seen.lock().unwrap().push(Seen {
            line: line.clone(),
            authorization,
            body,
        });
        let Some((status, body)) = found.unwrap_or_else(|| panic!("nobody thought of {line}")) else {
            // A body that ends too soon.
            let cut = futures::stream::once(async { Err::<&str, _>(std::io::Error::other("cut")) });
            return Response::new(Body::from_stream(cut));
        };
        Response::builder()
            .status(status)
            .header("content-type", "application/json")
            .header("x-ratelimit-limit", "1")
            .header("x-ratelimit-remaining", "0")
            .header(
                "x-ratelimit-reset-after",
                if line.starts_with("PATCH /guilds") {
                    "40"
                } else {
                    "0.01"
                },
            )
            .body(Body::from(if body.is_null() {
                String::new()
            } else {
                body.to_string()
            }))
            .unwrap()
    }

    fn lines(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|seen| seen.line.clone()).collect()
    }

    fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().unwrap().clone()
    }
}

fn said(text: &str) -> InteractionResponse {
    let data = InteractionResponseData {
        content: Some(text.to_owned()),
        ..InteractionResponseData::default()
    };
    InteractionResponse {
        kind: InteractionResponseType::ChannelMessageWithSource,
        data: Some(data),
    }
}

const CALLBACK: &str = "POST /interactions/";

#[tokio::test]
async fn the_first_answer_to_an_interaction_waits_behind_nothing_and_shows_no_token() {
    let (discord, client) = StandIn::start(vec![
        ("PATCH /guilds", Some((200, json!({})))),
        (CALLBACK, Some((204, Value::Null))),
    ])
    .await;
    let moving = |id| client.move_member(guild(), user(id), Some(channel(LOBBY)));
    assert_eq!(moving(1).await, Ok(Outcome::Done));
    let mut waiting: Vec<_> = (2..100).map(|id| Box::pin(moving(id))).collect();
    for call in &mut waiting {
        assert!(futures::poll!(call).is_pending());
    }
    let answer = said("linked");
    let answers = (1..=80).map(|id| client.answer_interaction(Id::new(id), "t0ken", &answer));
    for outcome in join_all(answers).await {
        assert_eq!(outcome, Ok(Answered::Yes));
    }
    for call in &mut waiting {
        assert!(
            futures::poll!(call).is_pending(),
            "a move went although its bucket is empty"
        );
    }
    assert_eq!(discord.lines().len(), 81);
    let last = discord.last();
    assert!(last.line.ends_with("/t0ken/callback"), "{}", last.line);
    assert_eq!(last.authorization, None);
    let body: Value = serde_json::from_str(&last.body).unwrap();
    assert_eq!(
        body["data"]["allowed_mentions"],
        json!({"parse": []}),
        "nobody is pinged"
    );
}

#[tokio::test]
async fn a_first_answer_whose_reply_was_lost_is_sent_once_more_and_counts_as_given() {
    let already = json!({"code": 40060, "message": "Interaction has already been acknowledged."});
    let (discord, client) = StandIn::start(vec![(CALLBACK, None), (CALLBACK, Some((400, already)))]).await;
    let answer = |id| {
        let client = client.clone();
        async move { client.answer_interaction(Id::new(id), "t", &said("hello")).await }
    };
    assert_eq!(answer(1).await, Ok(Answered::Yes));
    assert_eq!(discord.lines().len(), 2);
    assert_eq!(answer(2).await, Ok(Answered::TooLate), "somebody else answered it");
}

#[tokio::test]
async fn nobody_waits_for_an_answer_that_comes_too_late_and_a_bad_token_does_not_stop_answers() {
    let unknown = json!({"code": 10062, "message": "Unknown interaction"});
    let (discord, client) = StandIn::start(vec![
        (
            "GET /users/@me",
            Some((401, json!({"code": 0, "message": "401: Unauthorized"}))),
        ),
        (CALLBACK, Some((404, unknown))),
        (
            "PATCH /webhooks",
            Some((401, json!({"code": 50027, "message": "Invalid Webhook Token"}))),
        ),
        ("POST /webhooks", Some((200, json!({"id": "5"})))),
    ])
    .await;
    assert_eq!(client.current_user().await, Err(Error::Unauthorized));
    let late = client.answer_interaction(Id::new(1), "t", &said("hello")).await;
    assert_eq!(late, Ok(Answered::TooLate));
    let reply = Reply {
        content: "there",
        ..Reply::default()
    };
    assert_eq!(client.edit_answer(Id::new(9), "t", &reply).await, Ok(Answered::TooLate));
    assert_eq!(client.follow_up(Id::new(9), "t", &reply).await, Ok(Answered::Yes));
    assert_eq!(discord.lines().len(), 4);
}

#[tokio::test]
async fn edits_and_further_answers_carry_files_and_privacy_and_wait_only_for_their_own_limit() {
    let (discord, client) = StandIn::start(vec![
        ("PATCH /webhooks", Some((200, json!({"id": "5"})))),
        ("POST /webhooks", Some((200, json!({"id": "5"})))),
    ])
    .await;
    let file = [Attachment::from_bytes(
        "you.json".to_owned(),
        b"{\"all\":1}".to_vec(),
        1,
    )];
    let reply = Reply {
        content: "your data",
        files: &file,
        private: true,
        ..Reply::default()
    };
    assert_eq!(client.edit_answer(Id::new(9), "tok", &reply).await, Ok(Answered::Yes));
    let edit = discord.last();
    assert_eq!(edit.line, "PATCH /webhooks/9/tok/messages/@original");
    assert_eq!(edit.authorization, None);
    assert!(
        edit.body.contains("filename=\"you.json\"") && edit.body.contains("{\"all\":1}"),
        "{}",
        edit.body
    );
    let reply = Reply { files: &[], ..reply };
    let many = join_all((0..5).map(|_| client.follow_up(Id::new(9), "tok", &reply))).await;
    assert!(many.iter().all(|answered| *answered == Ok(Answered::Yes)), "{many:?}");
    let follow_up = discord.last();
    assert!(
        follow_up.line.starts_with("POST /webhooks/9/tok?"),
        "{}",
        follow_up.line
    );
    assert_eq!(follow_up.authorization, None);
    assert_eq!(
        serde_json::from_str::<Value>(&follow_up.body).unwrap()["flags"],
        json!(64)
    );
    let long = "x".repeat(2001);
    let reply = Reply {
        content: &long,
        ..Reply::default()
    };
    let refused = client.follow_up(Id::new(9), "tok", &reply).await;
    assert!(refused.unwrap_err().to_string().contains("can't be sent"));
}

#[tokio::test]
async fn commands_are_registered_for_one_guild_or_everywhere() {
    let (discord, client) = StandIn::start(vec![
        ("GET /applications/@me", Some((200, json!({"id": "77"})))),
        ("PUT /applications/77/commands", Some((200, json!([])))),
        (
            "PUT /applications/77/guilds/1000/commands",
            Some((403, json!({"code": 50001, "message": "Missing Access"}))),
        ),
    ])
    .await;
    assert_eq!(client.set_commands(None, &[]).await, Ok(Vec::new()));
    let refused = client.set_commands(Some(guild()), &[]).await.unwrap_err().to_string();
    assert!(
        refused.contains("server 1000") && refused.contains("applications.commands"),
        "{refused}"
    );
    assert_eq!(
        discord.lines(),
        [
            "GET /applications/@me",
            "PUT /applications/77/commands",
            "PUT /applications/77/guilds/1000/commands"
        ]
    );
    assert_eq!(discord.last().authorization.as_deref(), Some("Bot s3cret"));
}

#[tokio::test]
async fn messages_are_written_changed_and_deleted_and_who_takes_none_is_no_error() {
    let (discord, client) = StandIn::start(vec![
        ("POST /users/@me/channels", Some((200, json!({"id": "31"})))),
        ("POST /channels/31/", Some((200, json!({"id": "41"})))),
        (
            "POST /channels/32/",
            Some((
                403,
                json!({"code": 50007, "message": "Cannot send messages to this user"}),
            )),
        ),
        (
            "POST /channels/33/",
            Some((403, json!({"code": 50013, "message": "Missing Permissions"}))),
        ),
        (
            "PATCH /channels/31/messages/41",
            Some((404, json!({"code": 10008, "message": "Unknown Message"}))),
        ),
        ("DELETE /channels/31/messages/41", Some((204, Value::Null))),
    ])
    .await;
    let message = Message {
        content: "your match is ready",
        ..Message::default()
    };
    let direct = client.direct_channel(user(5)).await.unwrap().unwrap();
    let posted = Posted::Yes(Id::new(41));
    assert_eq!(client.post_message(direct, &message).await.as_ref(), Ok(&posted));
    assert_eq!(
        client.edit_message(direct, Id::new(41), &message).await,
        Ok(Posted::Gone)
    );
    assert_eq!(client.delete_message(direct, Id::new(41), "over").await, Ok(posted));
    assert_eq!(client.post_message(channel(32), &message).await, Ok(Posted::Closed));
    let Ok(Posted::Refused(why)) = client.post_message(channel(33), &message).await else {
        panic!()
    };
    assert!(why.contains("channel 33") && why.contains("Send Messages"), "{why}");
    assert_eq!(discord.lines()[0], "POST /users/@me/channels");
}
