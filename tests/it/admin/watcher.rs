//! Somebody who watches `/api/live`, over a real WebSocket.

use std::net::SocketAddr;

use futures::{SinkExt, StreamExt};
use muster::web::api::live::LiveMessage;
use serde_json::Value;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest, http::HeaderValue},
};

use super::browser::Browser;
use crate::support::bot::{Bot, PATIENCE, PUBLIC_URL};

pub const SESSION: &str = "muster_session";

pub struct Watcher(WebSocketStream<TcpStream>);

/// What a watcher hears.
#[derive(Debug, PartialEq)]
pub enum Heard {
    Text(Value),
    /// The close code.
    Closed(u16),
    /// Without a word.
    Broken,
}

impl Watcher {
    /// The status when it is not let in.
    pub async fn open(address: SocketAddr, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let mut request = format!("ws://{address}/api/live").into_client_request().unwrap();
        for (name, value) in headers {
            request
                .headers_mut()
                .insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let socket = TcpSocket::new_v4().unwrap();
        // What a slow reader leaves unread must pile up at the other side.
        socket.set_recv_buffer_size(65_536).unwrap();
        let stream = socket.connect(address).await.unwrap();
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// As a page of ours opens it, until it is ready.
    pub async fn of(bot: &Bot, browser: &Browser) -> Self {
        let mut watcher = Self::at(bot.app.address, browser).await;
        watcher.ready().await;
        watcher
    }

    pub async fn at(address: SocketAddr, browser: &Browser) -> Self {
        let cookie = format!("{SESSION}={}", browser.cookie(SESSION).expect("signed in"));
        let opened = Self::open(address, &[("cookie", &cookie), ("origin", PUBLIC_URL)]).await;
        opened.unwrap_or_else(|status| panic!("not let in: {status}"))
    }

    pub async fn ready(&mut self) {
        assert_eq!(self.text().await["type"], "ready");
    }

    pub async fn say(&mut self, message: impl Into<Message>) {
        self.0.send(message.into()).await.unwrap();
    }

    /// The next ping, which is not answered before more is heard.
    pub async fn ping(&mut self) {
        let message = timeout(PATIENCE, self.0.next()).await.expect("a ping in time");
        assert!(matches!(message, Some(Ok(Message::Ping(_)))), "{message:?}");
    }

    pub async fn pong(&mut self) {
        let message = timeout(PATIENCE, self.0.next()).await.expect("a pong in time");
        assert!(matches!(message, Some(Ok(Message::Pong(_)))), "{message:?}");
    }

    pub async fn hear(&mut self) -> Heard {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("something in time") {
                Some(Ok(Message::Text(text))) => {
                    serde_json::from_str::<LiveMessage>(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
                    return Heard::Text(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    assert!(!frame.reason.is_empty());
                    return Heard::Closed(frame.code.into());
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) => panic!("{other:?}"),
                Some(Err(_)) | None => return Heard::Broken,
            }
        }
    }

    pub async fn text(&mut self) -> Value {
        match self.hear().await {
            Heard::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }

    /// Everything up to a message of this kind about this match, that one included.
    pub async fn until(&mut self, kind: &str, state: &str) -> Vec<Value> {
        let mut seen = Vec::new();
        loop {
            let text = self.text().await;
            let reached = text["type"] == kind && text.to_string().contains(&format!("\"{state}\""));
            seen.push(text);
            if reached {
                return seen;
            }
        }
    }

    /// The close code, after whatever else.
    pub async fn closed(&mut self) -> u16 {
        loop {
            match self.hear().await {
                Heard::Closed(code) => return code,
                Heard::Text(_) => {}
                Heard::Broken => panic!("it ended without a reason"),
            }
        }
    }
}

/// Has everybody look anew: what comes before it in a watcher's ears happened before.
pub async fn mark(bot: &Bot) {
    sqlx::query(r#"select pg_notify('muster_live', '{"type": "all"}')"#)
        .execute(&bot.app.sync.sources.pool)
        .await
        .unwrap();
}
