//! Text messages: to a channel and to one person; written, changed, deleted. What they say is decided elsewhere.

use serde::Deserialize;
use twilight_http::request::{AuditLogReason, Request, TryIntoRequest};
use twilight_model::{
    channel::message::{Component, Embed},
    id::{
        Id,
        marker::{ChannelMarker, MessageMarker, UserMarker},
    },
};

use crate::{
    discord::{
        answer::Answer,
        channels::{CLOCK_SKEW, DISCORD_EPOCH_MS},
        client::{Client, built},
        error::Error,
        line::Class,
        refusal::Doing,
        send::Route,
    },
    domain::{
        Timestamp,
        ids::{ChannelId, UserId},
    },
};

/// As many messages as Discord lists at once, and as many lists as are read: a channel in which more was written is not searched to its end.
const PAGE: u16 = 100;
const PAGES: usize = 20;

/// What a message says; nobody is pinged by it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Message<'a> {
    /// Up to 2,000 characters.
    pub content: &'a str,
    pub embeds: &'a [Embed],
    pub components: &'a [Component],
    /// Up to 25 characters. Of several posts with the same one, within a few minutes, Discord takes only the first, and answers the others with it
    /// (API reference, *Create Message*, `enforce_nonce`).
    pub nonce: Option<&'a str>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    Yes(Id<MessageMarker>),
    /// The channel or the message does not exist any more.
    Gone,
    /// This person takes no messages from us: he blocks them, or shares no server with the bot.
    Closed,
    /// Only a person can change it; the text says what to do.
    Refused(String),
}

#[derive(Deserialize)]
struct DirectChannel {
    id: Id<ChannelMarker>,
}

#[derive(Deserialize)]
struct PostedMessage {
    id: Id<MessageMarker>,
}

#[derive(Deserialize)]
struct Author {
    id: Id<UserMarker>,
}

/// A message as it can be read in a channel. What others wrote has no content for us.
#[derive(Deserialize)]
struct Listed {
    id: Id<MessageMarker>,
    author: Author,
    #[serde(default)]
    content: String,
}

/// A message of the bot's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub id: Id<MessageMarker>,
    pub content: String,
}

impl Client {
    /// The newest message that the bot itself has written in a channel since then, and that fits. Where it may not read what was written before
    /// (Read Message History), Discord lists nothing. What keeps it from looking is no message: Gone, or Refused.
    pub async fn find_own_message(
        &self,
        channel: ChannelId,
        since: Timestamp,
        fits: impl Fn(&str) -> bool,
    ) -> Result<Result<Option<Found>, Posted>, Error> {
        let bot = self.current_user().await?;
        let mut newest = None;
        let mut after = Some(first_id_at(since - CLOCK_SKEW));
        for _ in 0..PAGES {
            let Some(from) = after else { break };
            let listed = match self.messages_after(channel, from).await? {
                Ok(listed) => listed,
                Err(refused) => return Ok(Err(refused)),
            };
            let full = listed.len() >= usize::from(PAGE);
            after = listed.iter().map(|message| message.id).max().filter(|_| full);
            let ours = |message: &Listed| message.author.id.get() == bot.get() && fits(&message.content);
            let found = listed.into_iter().filter(ours).max_by_key(|message| message.id);
            newest = found.or(newest);
        }
        Ok(Ok(newest.map(|Listed { id, content, .. }| Found { id, content })))
    }

    /// The next messages after one, in no order.
    async fn messages_after(
        &self,
        channel: ChannelId,
        after: Id<MessageMarker>,
    ) -> Result<Result<Vec<Listed>, Posted>, Error> {
        let builder = self.build();
        let request = builder
            .channel_messages(Id::new(channel.get()))
            .after(after)
            .limit(PAGE);
        let route = Route::new(Class::Message, "GET /channels/{channel}/messages", channel.get());
        Ok(match self.call(route, &built(request)?).await? {
            Answer::Ok(body) => Ok(body.parse::<Option<Vec<Listed>>>()?.unwrap_or_default()),
            Answer::Refused(refusal) => Err(refused(&refusal, channel)?),
        })
    }

    /// The channel for messages to one person; None when he takes none. Discord punishes opening many at once.
    pub async fn direct_channel(&self, user: UserId) -> Result<Option<ChannelId>, Error> {
        let request = built(self.build().create_private_channel(Id::new(user.get())))?;
        let route = Route::new(Class::Message, "POST /users/@me/channels", 0);
        match self.call(route, &request).await? {
            Answer::Ok(body) => Ok(ChannelId::new(body.parse::<DirectChannel>()?.id.get())),
            Answer::Refused(refusal) if closed(refusal.body.code) => Ok(None),
            Answer::Refused(refusal) => Err(refusal.into_error(&Doing::Write { channel: None })),
        }
    }

    /// Sent once only: when `Error::is_ambiguous`, it may be there; with a nonce it can be sent again.
    pub async fn post_message(&self, channel: ChannelId, message: &Message<'_>) -> Result<Posted, Error> {
        let request = self
            .build()
            .create_message(Id::new(channel.get()))
            .content(message.content)
            .embeds(message.embeds)
            .components(message.components);
        let route = Route::new(Class::Message, "POST /channels/{channel}/messages", channel.get());
        let request = request.try_into_request();
        let Some(nonce) = message.nonce else {
            return self.write(route, channel, request).await;
        };
        self.write(
            route,
            channel,
            request.and_then(|request| once(&request, channel, nonce)),
        )
        .await
    }

    pub async fn edit_message(
        &self,
        channel: ChannelId,
        id: Id<MessageMarker>,
        message: &Message<'_>,
    ) -> Result<Posted, Error> {
        let request = self
            .build()
            .update_message(Id::new(channel.get()), id)
            .content(Some(message.content))
            .embeds(Some(message.embeds))
            .components(Some(message.components));
        let route = "PATCH /channels/{channel}/messages/{message}";
        let route = Route::new(Class::Message, route, channel.get());
        self.write(route, channel, request.try_into_request()).await
    }

    pub async fn delete_message(
        &self,
        channel: ChannelId,
        id: Id<MessageMarker>,
        reason: &str,
    ) -> Result<Posted, Error> {
        let request = self.build().delete_message(Id::new(channel.get()), id).reason(reason);
        let route = "DELETE /channels/{channel}/messages/{message}";
        let route = Route::new(Class::TearDown, route, channel.get());
        match self.call(route, &built(request)?).await? {
            Answer::Ok(_) => Ok(Posted::Yes(id)),
            Answer::Refused(refusal) => refused(&refusal, channel),
        }
    }

    async fn write(
        &self,
        route: Route,
        channel: ChannelId,
        request: Result<Request, twilight_http::Error>,
    ) -> Result<Posted, Error> {
        let request = match request {
            Ok(request) => request,
            Err(error) => {
                let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
                return Ok(Posted::Refused(format!("this can't be a message in Discord: {why}")));
            }
        };
        match self.call(route, &request).await? {
            Answer::Ok(body) => Ok(Posted::Yes(body.parse::<PostedMessage>()?.id)),
            Answer::Refused(refusal) => refused(&refusal, channel),
        }
    }
}

/// The same post with a nonce that counts, which twilight's builder does not know.
fn once(request: &Request, channel: ChannelId, nonce: &str) -> Result<Request, twilight_http::Error> {
    // What twilight built is an object.
    let mut body: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(request.body().unwrap_or_default()).unwrap_or_default();
    body.insert("nonce".to_owned(), nonce.into());
    body.insert("enforce_nonce".to_owned(), true.into());
    let route = twilight_http::routing::Route::CreateMessage {
        channel_id: channel.get(),
    };
    Request::builder(&route).json(&body).build()
}

/// The smallest id that a message of that time can have.
fn first_id_at(at: Timestamp) -> Id<MessageMarker> {
    let ms = at.unix_timestamp_nanos() / 1_000_000 - DISCORD_EPOCH_MS;
    let id = u64::try_from(ms).unwrap_or(0) << 22;
    Id::new(id.max(1))
}

fn refused(refusal: &crate::discord::refusal::Refusal, channel: ChannelId) -> Result<Posted, Error> {
    use crate::domain::plan::Outcome;
    let doing = Doing::Write { channel: Some(channel) };
    Ok(match (refusal.body.code, refusal.outcome(&doing)?) {
        (code, _) if closed(code) => Posted::Closed,
        // An unknown channel, an unknown message.
        (10003 | 10008, _) => Posted::Gone,
        (_, Outcome::Refused(why)) => Posted::Refused(why),
        _ => Posted::Refused(format!("Discord refused it: {}", refusal.said())),
    })
}

/// "Cannot send messages to this user", and the same for want of a common server.
fn closed(code: u64) -> bool {
    matches!(code, 50007 | 50278)
}
