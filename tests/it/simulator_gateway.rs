//! The simulator's gateway as a bare WebSocket client meets it: who is told what, resume, close codes.

use futures::{SinkExt, StreamExt};
use muster::simulator::{Options, Simulator, WorldFile};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, protocol::CloseFrame},
};

use super::support::bot::PATIENCE;

mod bots;
mod faults;
mod rules;
mod signed;
mod talk;
mod telling;

const GUILD: &str = "1000";
const LOBBY: &str = "1011";
const BOT: &str = "900000000000000001";
/// GUILDS and GUILD_VOICE_STATES.
const INTENTS: u64 = 129;

/// A guild where Ada and Ben sit in the lobby; one identify after the other. Fields of `extra` are laid over the world.
async fn start(extra: Value) -> Simulator {
    let mut world = json!({
        "guilds": [{
            "id": GUILD, "name": "Clan", "bot_permissions": "53478928",
            "categories": [{ "id": "1010", "name": "Matches" }],
            "voice_channels": [{ "id": LOBBY, "name": "Lobby" }, { "id": "1013", "name": "Bar", "parent_id": "1010" }],
            "text_channels": [{ "id": "1012", "name": "chat" }],
            "members": [
                { "id": "2001", "name": "Ada", "voice_channel_id": LOBBY },
                { "id": "2002", "name": "Ben", "voice_channel_id": LOBBY },
                { "id": "2003", "name": "Cy" },
            ],
        }],
        "gateway": { "max_concurrency": 0 },
    });
    for (name, value) in extra.as_object().unwrap() {
        match (world.get_mut(name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => old.extend(new.clone()),
            _ => world[name] = value.clone(),
        }
    }
    let world = WorldFile::parse(&world.to_string()).unwrap();
    Simulator::start(world, Options::default()).await.unwrap()
}

/// One connection of a client that does nothing by itself.
struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    token: String,
    /// The number of the last event.
    seq: u64,
    session: String,
}

/// What a connection brings.
#[derive(Debug)]
enum Heard {
    Payload(Value),
    /// The close code, or none when the connection just ended.
    End(Option<u16>),
}

impl Client {
    /// Connected and greeted.
    async fn connect(simulator: &Simulator) -> Self {
        Self::connect_to(simulator, "/?v=10&encoding=json").await
    }

    async fn connect_to(simulator: &Simulator, path: &str) -> Self {
        let mut client = Self::knock(simulator, path).await;
        let hello = client.payload().await;
        assert_eq!(hello["op"], 10, "{hello}");
        client
    }

    async fn knock(simulator: &Simulator, path: &str) -> Self {
        let url = format!("{}{path}", simulator.addresses().discord_gateway);
        let (socket, _) = connect_async(url).await.unwrap();
        Self {
            socket,
            token: format!("Bot {}", simulator.addresses().bot_token),
            seq: 0,
            session: String::new(),
        }
    }

    /// Connected, identified, and told of its guilds.
    async fn ready(simulator: &Simulator) -> Self {
        let mut client = Self::connect(simulator).await;
        client.identify(INTENTS).await;
        let ready = client.event("READY").await;
        let guilds = ready["guilds"].as_array().unwrap().len();
        for _ in 0..guilds {
            client.event("GUILD_CREATE").await;
        }
        client
    }

    async fn say(&mut self, payload: Value) {
        self.socket.send(Message::text(payload.to_string())).await.unwrap();
    }

    async fn identify(&mut self, intents: u64) {
        self.identify_with(json!({ "intents": intents })).await;
    }

    /// An identify with other fields than the usual.
    async fn identify_with(&mut self, fields: Value) {
        let properties = json!({ "os": "linux", "browser": "test", "device": "test" });
        let mut data = json!({ "token": self.token, "intents": INTENTS, "properties": properties });
        for (name, value) in fields.as_object().unwrap() {
            data[name] = value.clone();
        }
        self.say(json!({ "op": 2, "d": data })).await;
    }

    async fn resume(&mut self, session: &str, seq: u64) {
        let data = json!({ "token": self.token, "session_id": session, "seq": seq });
        self.say(json!({ "op": 6, "d": data })).await;
    }

    async fn heard(&mut self) -> Heard {
        let heard = timeout(PATIENCE, self.socket.next())
            .await
            .expect("the gateway says something");
        match heard {
            Some(Ok(Message::Text(text))) => {
                let payload: Value = serde_json::from_str(&text).unwrap();
                self.seq = payload["s"].as_u64().unwrap_or(self.seq);
                if payload["t"] == "READY" {
                    self.session = payload["d"]["session_id"].as_str().unwrap().to_owned();
                }
                Heard::Payload(payload)
            }
            Some(Ok(Message::Close(frame))) => Heard::End(frame.map(|CloseFrame { code, .. }| code.into())),
            Some(Ok(other)) => panic!("{other:?}"),
            Some(Err(_)) | None => Heard::End(None),
        }
    }

    async fn payload(&mut self) -> Value {
        match self.heard().await {
            Heard::Payload(payload) => payload,
            Heard::End(code) => panic!("the connection ended with {code:?}"),
        }
    }

    /// The next event, which must be this one.
    async fn event(&mut self, name: &str) -> Value {
        let mut payload = self.payload().await;
        assert_eq!(payload["t"], name, "{payload}");
        payload["d"].take()
    }

    /// Everything until the end of the connection, and the code it ended with.
    async fn end(&mut self) -> Option<u16> {
        loop {
            if let Heard::End(code) = self.heard().await {
                return code;
            }
        }
    }

    /// Nothing was said since: a heartbeat is answered next.
    async fn silent(&mut self) {
        self.say(json!({ "op": 1, "d": self.seq })).await;
        let ack = self.payload().await;
        assert_eq!(ack["op"], 11, "{ack}");
    }

    /// The TCP connection ends without a close frame.
    fn cut(self) {
        drop(self.socket);
    }
}
