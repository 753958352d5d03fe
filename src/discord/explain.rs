//! Why Discord refused something to the bot: its codes don't say which permission is missing, or where. Looks at the bot's roles and at the channel's
//! overwrites and says so, or that the bot is no member any more. Asks only after a refusal.

use twilight_model::{
    guild::Permissions,
    id::{Id, marker::GuildMarker},
};

use crate::{
    discord::{
        answer::Answer,
        channels::Channel,
        client::{Client, built},
        error::Error,
        line::Class,
        overwrites::{FOR_A_MEMBER, FOR_A_MOVER, FOR_THE_BOT},
        permissions::{Member, in_channel, in_guild, words},
        refusal::{Doing, INVITE, ROLES, Refusal},
        send::Route,
        survey::Guild,
    },
    domain::{
        Timestamp,
        ids::{ChannelId, GuildId},
        plan::Outcome,
    },
};

/// What is written into the overwrites of a create, allowed or denied, must be the bot's own for the whole server.
const TO_CREATE: Permissions = FOR_THE_BOT.union(FOR_A_MEMBER);
/// What it takes in a category.
const IN_A_CATEGORY: Permissions = Permissions::VIEW_CHANNEL.union(Permissions::MANAGE_CHANNELS);
/// What it takes in a channel that is to be deleted.
const TO_DELETE: Permissions = IN_A_CATEGORY.union(Permissions::CONNECT);

impl Client {
    /// The outcome of a refusal, with the missing permission and its place where it is about one.
    pub(super) async fn refused(&self, refusal: &Refusal, doing: &Doing, now: Timestamp) -> Result<Outcome, Error> {
        let outcome = refusal.outcome(doing)?;
        if !refusal.is_about_the_bot() {
            return Ok(outcome);
        }
        match self.explain(doing, &refusal.said(), Some(now)).await {
            Ok(Some(better)) => Ok(better),
            Ok(None) => Ok(outcome),
            // It stays as Discord put it.
            Err(error) => {
                tracing::debug!(%error, "what is missing could not be found out");
                Ok(outcome)
            }
        }
    }

    /// The same for a move. Of many that are refused at once, one asks for all.
    pub(super) async fn refused_move(
        &self,
        refusal: &Refusal,
        guild: GuildId,
        to: Option<ChannelId>,
    ) -> Result<Outcome, Error> {
        let doing = Doing::Move { guild, to };
        let outcome = refusal.outcome(&doing)?;
        if !refusal.is_about_the_bot() {
            return Ok(outcome);
        }
        let said = refusal.said();
        let ask = async { self.explain(&doing, &said, None).await.ok().flatten() };
        Ok(self.explained().get_with((guild, to), ask).await.unwrap_or(outcome))
    }

    /// None when nothing is found to be missing.
    async fn explain(&self, doing: &Doing, said: &str, now: Option<Timestamp>) -> Result<Option<Outcome>, Error> {
        let (guild, everywhere, place) = match *doing {
            Doing::Create { guild, category } => {
                let category = category.map(|id| Place {
                    id,
                    what: "category",
                    menu: "Edit Category → Permissions",
                    need: IN_A_CATEGORY,
                });
                (guild, TO_CREATE, category)
            }
            Doing::List { guild } => (guild, Permissions::VIEW_CHANNEL, None),
            Doing::Delete { guild, channel } => {
                let channel = Place {
                    id: channel,
                    what: "channel",
                    menu: "Edit Channel → Permissions, or delete the channel by hand",
                    need: TO_DELETE,
                };
                (guild, Permissions::empty(), Some(channel))
            }
            Doing::Move { guild, to } => {
                let target = to.map(|id| Place {
                    id,
                    what: "channel",
                    menu: "Edit Channel → Permissions",
                    need: FOR_A_MOVER,
                });
                (guild, FOR_A_MOVER, target)
            }
            _ => return Ok(None),
        };
        let me = self.current_user().await?;
        let Some(server) = self.guild_as(0, guild).await? else {
            return Ok(Some(Outcome::NotHere));
        };
        let Some(member) = self
            .member_as(0, guild, me, now.unwrap_or(Timestamp::UNIX_EPOCH))
            .await?
        else {
            return Ok(Some(Outcome::NotHere));
        };
        // Discord may show a time that is over: without knowing what time it is, it says nothing.
        let member = Member {
            timed_out: member.timed_out && now.is_some(),
            ..member
        };
        if member.timed_out {
            let why = format!("the bot is timed out ({said}): right-click it in the member list → Remove Timeout");
            return Ok(Some(Outcome::Refused(why)));
        }
        let missing = everywhere - in_guild(&server.roles, &member);
        if !missing.is_empty() {
            return Ok(Some(Outcome::Refused(format!(
                "the bot lacks {} for the whole server ({said}): grant it to the bot's role in {ROLES} (in the category alone is not enough), {INVITE}",
                words(missing)
            ))));
        }
        if let Some(place) = place
            && let Some(why) = self.explain_place(guild, &place, &server, &member).await?
        {
            return Ok(Some(Outcome::Refused(format!(
                "the bot {why} ({said}): allow it for the bot or its role in {}",
                place.menu
            ))));
        }
        Ok(server.wants_two_factors.then(|| {
            Outcome::Refused(format!(
                "this server asks for two-factor authentication of whoever manages channels ({said}): turn it on for the account that owns the bot"
            ))
        }))
    }

    async fn explain_place(
        &self,
        guild: GuildId,
        place: &Place,
        server: &Guild,
        member: &Member,
    ) -> Result<Option<String>, Error> {
        let Place { id, what, need, .. } = place;
        let request = built(self.build().channel(Id::new(id.get())))?;
        let route = Route::new(Class::Create, "GET /channels/{channel}", id.get());
        let channel: Channel = match self.call(route, &request).await? {
            Answer::Ok(body) => body.parse()?,
            Answer::Refused(refusal) if refusal.is_about_the_bot() => {
                return Ok(Some(format!("lacks View Channel in {what} {id}")));
            }
            Answer::Refused(_) => return Ok(None),
        };
        let voice = *what == "channel";
        let missing = *need - in_channel(&server.roles, member, &channel.permission_overwrites, voice);
        if missing.is_empty() {
            return Ok(None);
        }
        let name = channel.name.as_deref().unwrap_or_default();
        let denied = denied_to(&channel, guild, server, member, missing);
        Ok(Some(format!("lacks {} in {what} '{name}'{denied}", words(missing))))
    }
}

/// A channel or category that something is refused in.
struct Place {
    id: ChannelId,
    what: &'static str,
    menu: &'static str,
    need: Permissions,
}

/// Whose overwrites there take it from the bot. A denied Connect takes the rest along.
fn denied_to(channel: &Channel, guild: GuildId, server: &Guild, member: &Member, missing: Permissions) -> String {
    let matters = missing | Permissions::VIEW_CHANNEL | Permissions::CONNECT;
    let everyone = Id::<GuildMarker>::new(guild.get());
    let whom = channel
        .permission_overwrites
        .iter()
        .filter(|overwrite| overwrite.deny.intersects(matters));
    let whom: Vec<String> = whom
        .filter_map(|overwrite| match (overwrite.kind, overwrite.id.get()) {
            (0, id) if id == everyone.get() => Some("@everyone".to_owned()),
            (0, id) if member.roles.contains(&id) => {
                let name = server.role_names.get(&id);
                Some(name.map_or_else(|| format!("role {id}"), |name| format!("role '{name}'")))
            }
            (1, id) if id == member.id => Some("the bot itself".to_owned()),
            _ => None,
        })
        .collect();
    if whom.is_empty() {
        String::new()
    } else {
        format!(", denied there to {}", whom.join(" and "))
    }
}
