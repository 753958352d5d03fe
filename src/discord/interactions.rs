//! Slash commands and the answers to them: the first one at once, ahead of every line. Which commands there are is decided elsewhere.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Deserialize;
use twilight_http::request::TryIntoRequest;
use twilight_model::{
    application::command::Command,
    channel::message::{AllowedMentions, Component, Embed},
    http::{attachment::Attachment, interaction::InteractionResponse},
    id::{
        Id,
        marker::{ApplicationMarker, InteractionMarker},
    },
};

use crate::{
    discord::{
        answer::Answer,
        client::{Client, built},
        error::Error,
        line::{By, Class},
        refusal::Doing,
        send::Route,
    },
    domain::ids::GuildId,
};

/// A further answer, or what the first one becomes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reply<'a> {
    /// Up to 2,000 characters.
    pub content: &'a str,
    pub embeds: &'a [Embed],
    pub components: &'a [Component],
    pub files: &'a [Attachment],
    /// Only who asked can see it. An edit keeps what the first answer was.
    pub private: bool,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    Yes,
    /// Nobody waits for it any more: after 3 s without a first answer, 15 min after the question, or when it was answered already.
    TooLate,
}

const ANSWERED_ALREADY: u64 = 40_060;

#[derive(Deserialize)]
struct Application {
    id: Id<ApplicationMarker>,
}

impl Client {
    /// The first answer to an interaction. Waits for no limit and behind nothing, and gives up when Discord does.
    pub async fn answer_interaction(
        &self,
        id: Id<InteractionMarker>,
        token: &str,
        answer: &InteractionResponse,
    ) -> Result<Answered, Error> {
        let mut answer = answer.clone();
        if let Some(data) = &mut answer.data {
            // Names come from players: nobody is pinged by them.
            data.allowed_mentions.get_or_insert_with(AllowedMentions::default);
        }
        // The id of the application is not in this path.
        let request = built(self.build().interaction(Id::new(1)).create_response(id, token, &answer))?;
        let route = Route::new(Class::Answer, "POST /interactions/{id}/{token}/callback", id.get()).by(By::Nobody);
        match self.call_at_once(route, &request).await? {
            // The first attempt was carried out, only its reply was lost.
            (Answer::Refused(refusal), true) if refusal.body.code == ANSWERED_ALREADY => Ok(Answered::Yes),
            (answer, _) => answered(answer),
        }
    }

    /// Changes the first answer; that is how a deferred one gets its text.
    pub async fn edit_answer(
        &self,
        application: Id<ApplicationMarker>,
        token: &str,
        reply: &Reply<'_>,
    ) -> Result<Answered, Error> {
        let interaction = self.build().interaction(application);
        let request = interaction
            .update_response(token)
            .content(Some(reply.content))
            .embeds(Some(reply.embeds))
            .components(Some(reply.components))
            .attachments(reply.files);
        let route = "PATCH /webhooks/{application}/{token}/messages/@original";
        let route = Route::new(Class::Answer, route, resource(token)).by(By::Nobody);
        answered(self.call(route, &written(request)?).await?)
    }

    /// One more answer after the first. Sent once only: when it is cut off, it may have been shown.
    pub async fn follow_up(
        &self,
        application: Id<ApplicationMarker>,
        token: &str,
        reply: &Reply<'_>,
    ) -> Result<Answered, Error> {
        let interaction = self.build().interaction(application);
        let mut request = interaction
            .create_followup(token)
            .content(reply.content)
            .embeds(reply.embeds)
            .components(reply.components)
            .attachments(reply.files);
        if reply.private {
            request = request.flags(twilight_model::channel::message::MessageFlags::EPHEMERAL);
        }
        let route = "POST /webhooks/{application}/{token}";
        let route = Route::new(Class::Answer, route, resource(token)).by(By::Nobody);
        answered(self.call(route, &written(request)?).await?)
    }

    /// Replaces all commands: those of one guild, which show at once, or those that show everywhere. Gives back what Discord holds now.
    pub async fn set_commands(&self, guild: Option<GuildId>, commands: &[Command]) -> Result<Vec<Command>, Error> {
        let application = self.application_id().await?;
        let interaction = self.build().interaction(application);
        let (request, route) = match guild {
            Some(guild) => (
                interaction
                    .set_guild_commands(Id::new(guild.get()), commands)
                    .try_into_request(),
                Route::new(
                    Class::Message,
                    "PUT /applications/{id}/guilds/{guild}/commands",
                    guild.get(),
                ),
            ),
            None => (
                interaction.set_global_commands(commands).try_into_request(),
                Route::new(Class::Message, "PUT /applications/{id}/commands", 0),
            ),
        };
        let request = request.map_err(|error| not_writable(&error))?;
        match self.call(route, &request).await? {
            Answer::Ok(body) => body.parse(),
            Answer::Refused(refusal) => Err(refusal.into_error(&Doing::Register { guild })),
        }
    }

    /// The application that the bot belongs to; asked once, then remembered.
    pub async fn application_id(&self) -> Result<Id<ApplicationMarker>, Error> {
        self.remembered_application(async {
            let request = built(self.build().current_user_application())?;
            let route = Route::new(Class::Message, "GET /applications/@me", 0);
            match self.call(route, &request).await? {
                Answer::Ok(body) => Ok(body.parse::<Application>()?.id),
                Answer::Refused(refusal) => Err(refusal.into_error(&Doing::AskWhoWeAre)),
            }
        })
        .await
    }
}

/// Limits count follow-ups by the token, which is a text.
fn resource(token: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    token.hash(&mut hasher);
    hasher.finish()
}

fn written(request: impl TryIntoRequest) -> Result<twilight_http::request::Request, Error> {
    request.try_into_request().map_err(|error| not_writable(&error))
}

/// Discord would refuse it: too long, too many, a name that may not be.
fn not_writable(error: &dyn std::error::Error) -> Error {
    let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    Error::unexpected(format!("this can't be sent to Discord: {why}"))
}

fn answered(answer: Answer) -> Result<Answered, Error> {
    match answer {
        Answer::Ok(_) => Ok(Answered::Yes),
        // Unknown message, webhook, interaction; invalid webhook token.
        Answer::Refused(refusal) if matches!(refusal.body.code, 10008 | 10015 | 10062 | 50027 | ANSWERED_ALREADY) => {
            Ok(Answered::TooLate)
        }
        Answer::Refused(refusal) => Err(refusal.into_error(&Doing::Answer)),
    }
}
