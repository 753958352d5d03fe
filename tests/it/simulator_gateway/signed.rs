//! Interactions by HTTP: signed as Discord signs them, or not, and answered in the response.

use std::{
    future::pending,
    sync::{Arc, Mutex},
};

use axum::{Json, Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use ed25519_dalek::{Signature as Proof, VerifyingKey};
use muster::simulator::{Ask, ControlError, Signature};
use serde_json::json;

use super::*;

/// What a receiver was sent.
#[derive(Clone, Debug)]
struct Received {
    headers: HeaderMap,
    body: Bytes,
}

impl Received {
    /// Whether it was signed with the application's key.
    fn is_signed(&self, simulator: &Simulator) -> Option<bool> {
        let header = |name: &str| self.headers.get(name).map(|value| value.to_str().unwrap());
        let key = bytes(&simulator.addresses().discord_public_key).unwrap();
        let key = VerifyingKey::from_bytes(&key.try_into().unwrap()).unwrap();
        let proof = bytes(header("x-signature-ed25519")?)?.try_into().ok()?;
        let proof = Proof::from_bytes(&proof);
        let signed = [header("x-signature-timestamp")?.as_bytes(), &self.body].concat();
        Some(key.verify_strict(&signed, &proof).is_ok())
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}

#[derive(Clone)]
struct Receiver {
    received: Arc<Mutex<Vec<Received>>>,
    /// None keeps the caller waiting.
    answer: Option<Value>,
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Json<Value> {
    receiver.received.lock().unwrap().push(Received { headers, body });
    match receiver.answer {
        Some(answer) => Json(answer),
        None => pending().await,
    }
}

/// Does something with a receiver that answers so; what it was sent.
async fn with_receiver<T>(
    simulator: &Simulator,
    answer: Option<Value>,
    asking: impl Future<Output = T>,
) -> (T, Vec<Received>) {
    let received = Arc::new(Mutex::new(Vec::new()));
    let receiver = Receiver {
        received: Arc::clone(&received),
        answer,
    };
    let app = Router::new().route("/interactions", post(receive)).with_state(receiver);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    simulator.set_interactions_target(Some(format!("http://{address}/interactions")));
    let done = tokio::select! {
        done = asking => done,
        _ = axum::serve(listener, app).into_future() => panic!("it serves for ever"),
    };
    let received = received.lock().unwrap().clone();
    (done, received)
}

/// A simulator with the command /link.
async fn with_command() -> Simulator {
    let simulator = start(json!({})).await;
    let addresses = simulator.addresses();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.put(format!("{}/applications/{BOT}/commands", addresses.discord_api));
    let request = request.header("authorization", format!("Bot {}", addresses.bot_token));
    let commands = json!([{ "name": "link", "description": "Links your account" }]);
    assert_eq!(request.json(&commands).send().await.unwrap().status(), 200);
    simulator
}

fn ask(signature: Signature) -> Ask {
    Ask {
        guild_id: GUILD.to_owned(),
        user_id: "2003".to_owned(),
        command: "link".to_owned(),
        signature,
        ..Ask::default()
    }
}

#[tokio::test]
async fn a_call_is_signed_and_its_response_is_the_answer() {
    let simulator = with_command().await;
    let answer = json!({ "type": 4, "data": { "content": "Open this page.", "flags": 64 } });
    let asking = ask(Signature::Good);
    let (asked, received) = with_receiver(&simulator, Some(answer), simulator.ask(&asking)).await;
    let asked = asked.unwrap();
    assert_eq!((asked.status, &asked.body["type"]), (200, &json!(4)));
    assert_eq!(received[0].is_signed(&simulator), Some(true));
    let seen = simulator.see(&asked.id).unwrap();
    assert_eq!(
        (&seen["content"], &seen["private"]),
        (&json!("Open this page."), &json!(true))
    );
    let told: Value = serde_json::from_slice(&received[0].body).unwrap();
    let token = told["token"].as_str().unwrap();
    let api = &simulator.addresses().discord_api;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let again = client.post(format!("{api}/interactions/{}/{token}/callback", asked.id));
    let again = again.json(&json!({ "type": 5 })).send().await.unwrap();
    assert_eq!(
        again.json::<Value>().await.unwrap()["code"],
        40060,
        "it was answered in the response"
    );
}

#[tokio::test]
async fn calls_can_be_forged_stale_or_not_signed_at_all_and_a_ping_is_signed_too() {
    let simulator = with_command().await;
    let answer = json!({ "type": 4, "data": { "content": "x" } });
    for (signature, signed) in [
        (Signature::Bad, Some(false)),
        (Signature::Stale, Some(true)),
        (Signature::Missing, None),
        (Signature::Garbled, None),
    ] {
        let asking = ask(signature);
        let (asked, received) = with_receiver(&simulator, Some(answer.clone()), simulator.ask(&asking)).await;
        asked.unwrap();
        assert_eq!(received[0].is_signed(&simulator), signed, "{signature:?}");
    }
    let pong = json!({ "type": 1 });
    let (asked, received) = with_receiver(&simulator, Some(pong.clone()), simulator.ping(Signature::Good)).await;
    assert_eq!(asked.unwrap().body, pong);
    assert_eq!(received[0].is_signed(&simulator), Some(true));
    let told: Value = serde_json::from_slice(&received[0].body).unwrap();
    assert_eq!(told["type"], 1);
}

#[tokio::test]
async fn nobody_waits_longer_than_three_seconds_and_an_answer_must_be_one() {
    let simulator = with_command().await;
    let asking = ask(Signature::Good);
    let (asked, received) = with_receiver(&simulator, None, simulator.ask(&asking)).await;
    assert_eq!((asked.unwrap().status, received.len()), (0, 1));
    let nonsense = json!({ "type": 7 });
    let (refused, _) = with_receiver(&simulator, Some(nonsense), simulator.ask(&asking)).await;
    assert!(matches!(refused, Err(ControlError::Malformed(_))), "{refused:?}");
    simulator.set_interactions_target(None);
    let refused = simulator.ping(Signature::Good).await.unwrap_err();
    assert!(matches!(refused, ControlError::Malformed(_)), "{refused}");
}
