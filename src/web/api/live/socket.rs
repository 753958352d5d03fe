//! One live connection, from its first message to its goodbye.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    extract::ws::{Message, WebSocket},
    http::StatusCode,
};
use serde::Deserialize;
use time::Duration as Span;
use tokio::time::{interval, timeout};

use super::{
    ending::Ending,
    hub::{Item, Seat, note},
};
use crate::{
    domain::{
        Timestamp,
        ids::{GuildId, UserId},
    },
    store::{self, sessions},
    web::{
        access,
        auth::{
            Admin,
            roles::Role,
            session::{By, Session},
        },
        refused::Refused,
    },
};

/// For the first message.
const TOKEN_WITHIN: Span = Span::seconds(5);
/// How often the clock is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(200);
/// For asking who somebody is and what he may see.
const ASK_WITHIN: Duration = Duration::from_secs(8);
/// For one message to be taken, while the queue fills.
const SEND_WITHIN: Duration = Duration::from_secs(10);
/// For the close frame to be taken and answered.
const FAREWELL_WITHIN: Duration = Duration::from_secs(2);
/// Whoever reads slowly reads the reason late.
const SLOW_FAREWELL_WITHIN: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    token: String,
}

/// Serves one connection to its end; without a session its first message must be a token.
pub(super) async fn serve(admin: Arc<Admin>, mut socket: WebSocket, session: Option<Session>, opened_at: Timestamp) {
    let mut user = session.as_ref().map(|session| session.user);
    let ending = match live(&admin, &mut socket, session, opened_at, &mut user).await {
        Ok(never) => match never {},
        Err(ending) => ending,
    };
    note(user, ending);
    if ending != Ending::Gone {
        say_goodbye(&mut socket, ending).await;
    }
}

async fn say_goodbye(socket: &mut WebSocket, ending: Ending) {
    let within = match ending {
        Ending::TooSlow => SLOW_FAREWELL_WITHIN,
        _ => FAREWELL_WITHIN,
    };
    let goodbye = async {
        if socket.send(Message::Close(Some(ending.frame()))).await.is_ok() {
            // What the other side still sends must be read, or the system takes the reason back.
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    let _ = timeout(within, goodbye).await;
}

async fn live(
    admin: &Arc<Admin>,
    socket: &mut WebSocket,
    session: Option<Session>,
    opened_at: Timestamp,
    user: &mut Option<UserId>,
) -> Result<std::convert::Infallible, Ending> {
    let session = match session {
        Some(session) => session,
        None => first_message(admin, socket, opened_at + TOKEN_WITHIN).await?,
    };
    *user = Some(session.user);
    let mut seat = admin.live.enter(session.user, session.id, session.until)?;
    let begun = timeout(ASK_WITHIN, begin(admin, &seat, &session)).await;
    begun.unwrap_or(Err(Ending::Unavailable))?;
    send(socket, &seat, Message::text(r#"{"type": "ready"}"#)).await?;
    let mut seen = Seen::default();
    loop {
        let item = tokio::select! {
            ending = seat.state.ended() => return Err(ending),
            item = seat.queue.recv() => item,
            received = socket.recv() => {
                take(received)?;
                seat.heard();
                continue;
            }
        };
        match item {
            Some(Item::Change { guild, path, text }) => {
                let may = timeout(ASK_WITHIN, seen.may(admin, session.user, guild, path)).await;
                if may.unwrap_or(Err(Ending::Unavailable))? {
                    send(socket, &seat, Message::Text(text)).await?;
                }
            }
            Some(Item::Resync) => send(socket, &seat, Message::text(r#"{"type": "resync"}"#)).await?,
            Some(Item::Ping) => send(socket, &seat, Message::Ping(Default::default())).await?,
            // Whether he may see what happens in them is asked when it happens.
            Some(Item::Guilds) => {
                let _ = timeout(ASK_WITHIN, watch(admin, &seat, session.user)).await;
            }
            // The hub has ended it, and says why.
            None => return Err(seat.state.ended().await),
        }
    }
}

/// Whatever is not for us: pings are answered by the library.
fn take(received: Option<Result<Message, axum::Error>>) -> Result<(), Ending> {
    match received {
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
        Some(Ok(Message::Text(_) | Message::Binary(_))) => Err(Ending::Talks),
        Some(Ok(Message::Close(_))) | None => Err(Ending::Gone),
        Some(Err(_)) => Err(Ending::Broken),
    }
}

async fn first_message(admin: &Admin, socket: &mut WebSocket, until: Timestamp) -> Result<Session, Ending> {
    let mut ticks = interval(LOOK);
    let text = loop {
        let received = tokio::select! {
            received = socket.recv() => received,
            () = admin.live.stopping.cancelled() => return Err(Ending::Stopping),
            _ = ticks.tick() => {
                if admin.clock.now() >= until {
                    return Err(Ending::NoToken);
                }
                continue;
            }
        };
        match received {
            Some(Ok(Message::Text(text))) => break text,
            Some(Ok(Message::Binary(_))) => return Err(Ending::NotAToken),
            other => take(other)?,
        }
    };
    // serde would take a list of its fields for the object, too.
    let object = text.trim_start().starts_with('{');
    let token: Option<Token> = serde_json::from_str(&text).ok().filter(|_| object);
    let token = token.ok_or(Ending::NotAToken)?;
    let session = timeout(ASK_WITHIN, admin.recognise_token(&token.token, By::Bearer)).await;
    let session = session.map_err(|_| Ending::Unavailable)?;
    let session = session.map_err(|refused| if_unauthorized(&refused, Ending::BadToken))?;
    admin.limits.user(session.user).map_err(|_| Ending::TooMany)?;
    Ok(session)
}

fn if_unauthorized(refused: &Refused, ending: Ending) -> Ending {
    if refused.status == StatusCode::UNAUTHORIZED {
        ending
    } else {
        Ending::Unavailable
    }
}

/// Once he is in the hub: a session that ended before was told to nobody.
async fn begin(admin: &Admin, seat: &Seat, session: &Session) -> Result<(), Ending> {
    watch(admin, seat, session.user).await?;
    let lives = async {
        let mut connection = admin.pool.acquire().await.map_err(store::Error::from)?;
        sessions::find(&mut connection, &session.id, admin.clock.now()).await
    };
    match lives.await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(Ending::SessionEnded),
        Err(_) => Err(Ending::Unavailable),
    }
}

async fn watch(admin: &Admin, seat: &Seat, user: UserId) -> Result<(), Ending> {
    let own = admin.guilds_of(user).await;
    let own = own.map_err(|refused| if_unauthorized(&refused, Ending::SessionEnded))?;
    seat.watch(own.guilds.iter().map(|guild| guild.id).collect());
    Ok(())
}

/// While a message can't be written the hub may end the connection.
async fn send(socket: &mut WebSocket, seat: &Seat, message: Message) -> Result<(), Ending> {
    tokio::select! {
        sent = timeout(SEND_WITHIN, socket.send(message)) => match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ending::Gone),
            Err(_) => Err(Ending::TooSlow),
        },
        ending = seat.state.ended() => Err(ending),
    }
}

/// His role in each guild that something happened in, and until when it may be believed.
#[derive(Default)]
struct Seen(BTreeMap<GuildId, (Role, Timestamp)>);

impl Seen {
    /// Whether he may see a change that the call of this path would show.
    async fn may(&mut self, admin: &Admin, user: UserId, guild: GuildId, path: &str) -> Result<bool, Ending> {
        let Some(least) = access::least_role(path) else {
            return Ok(false);
        };
        let known = self.0.get(&guild).filter(|(_, until)| admin.clock.now() < *until);
        let role = match known {
            Some((role, _)) => *role,
            None => {
                let found = admin.role_until(user, guild).await;
                let found = found.map_err(|refused| if_unauthorized(&refused, Ending::SessionEnded))?;
                self.0.insert(guild, found);
                found.0
            }
        };
        Ok(role >= least)
    }
}
