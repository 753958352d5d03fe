//! Members in voice: move them, ask where they are; and who the bot itself is. Whom to move where is decided elsewhere.

use serde::Deserialize;
use twilight_model::id::{
    Id,
    marker::{ChannelMarker, UserMarker},
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
    domain::{
        ids::{ChannelId, GuildId, UserId},
        plan::{Outcome, Seat},
    },
};

/// twilight's `VoiceState` refuses `self_stream: null`, which the OpenAPI file allows; we need only the channel.
#[derive(Deserialize)]
struct VoiceState {
    #[serde(default)]
    channel_id: Option<Id<ChannelMarker>>,
}

#[derive(Deserialize)]
struct Me {
    id: Id<UserMarker>,
}

impl Client {
    /// Moves somebody who is in voice to a channel, or out of voice (None).
    /// Outcomes: Done, Absent (not in voice), NotInGuild, Gone (the target), NotHere, Refused.
    pub async fn move_member(&self, guild: GuildId, user: UserId, to: Option<ChannelId>) -> Result<Outcome, Error> {
        let request = built(
            self.build()
                .update_guild_member(Id::new(guild.get()), Id::new(user.get()))
                .channel_id(to.map(|channel| Id::new(channel.get()))),
        )?;
        let route = Route::new(Class::Move, "PATCH /guilds/{guild}/members/{user}", guild.get());
        // Asks them the first time only.
        self.movers_in(guild).await;
        let by_anyone = route.by(By::AnyIn(guild.get()));
        match self.call(by_anyone, &request).await? {
            Answer::Ok(_) => Ok(Outcome::Done),
            Answer::Refused(refusal) => self.refused_move(&refusal, guild, to).await,
        }
    }

    /// Asks where somebody is in voice. Outcomes: Seen, Refused. The bot may ask only about channels it may connect to.
    pub async fn locate_member(&self, guild: GuildId, user: UserId) -> Result<Outcome, Error> {
        let request = built(self.build().user_voice_state(Id::new(guild.get()), Id::new(user.get())))?;
        let route = Route::new(Class::Create, "GET /guilds/{guild}/voice-states/{user}", guild.get());
        match self.call(route, &request).await? {
            Answer::Ok(body) => {
                let state: VoiceState = body.parse()?;
                let channel = state.channel_id.and_then(|id| ChannelId::new(id.get()));
                Ok(Outcome::Seen(channel.map_or(Seat::Nowhere, Seat::In)))
            }
            Answer::Refused(refusal) => refusal.outcome(&Doing::Locate { guild }),
        }
    }

    /// The bot's own account; asked once, then remembered.
    pub async fn current_user(&self) -> Result<UserId, Error> {
        self.account(0).await
    }

    pub(super) async fn ask_who_i_am(&self, bot: usize) -> Result<UserId, Error> {
        let request = built(self.build().current_user())?;
        let route = Route::new(Class::Create, "GET /users/@me", 0).by(By::Bot(bot));
        match self.call(route, &request).await? {
            Answer::Ok(body) => {
                let me: Me = body.parse()?;
                Ok(UserId::new(me.id.get()).expect("twilight's ids are never zero"))
            }
            Answer::Refused(refusal) => Err(refusal.into_error(&Doing::AskWhoWeAre)),
        }
    }
}
