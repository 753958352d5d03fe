//! An action becomes the one Discord call that it stands for. Decides nothing.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    discord::{
        categories::NewCategory,
        channels::{NewChannel, OldChannel, Search},
        client::{Client, Priority},
        error::Error,
        voice::{Kind, Place, VoiceMap},
    },
    domain::{
        Timestamp,
        ids::{Faction, MatchId},
        plan::{Action, Destination, Outcome},
        record::Record,
        rooms,
        settings::Settings,
    },
};

/// A pause that is longer than any ordinary limit's.
const LONG: Duration = Duration::from_secs(300);

/// The order in which the steps of a wave are taken when Discord's limits allow not all at once: everybody's first before anybody's
/// second, so that both factions fill up alike.
pub fn priorities(record: &Record, actions: &[Action]) -> Vec<Priority> {
    let since = Some(record.live_since.unwrap_or(record.first_seen_at));
    let mut count: BTreeMap<Option<Faction>, u32> = BTreeMap::new();
    let priority = |action: &Action| {
        let faction = action.faction();
        let nth = count.entry(faction).or_default();
        *nth += 1;
        Priority {
            since,
            nth: *nth,
            clearing_up: faction.is_none() || matches!(action, Action::DeleteChannel { .. }),
        }
    };
    actions.iter().map(priority).collect()
}

/// Takes one step. An error means that there is no outcome: the step is taken again in a later run. The map hears of what we do ourselves at
/// once, since a next step may be decided by it before Discord tells.
pub async fn perform(
    discord: &Client,
    voice: &VoiceMap,
    settings: &Settings,
    id: &MatchId,
    action: &Action,
    now: Timestamp,
) -> Result<Outcome, Error> {
    match action {
        Action::CreateChannel {
            faction,
            name,
            category,
            access,
            staff,
            spectators,
        } => {
            let new = NewChannel {
                guild: settings.guild,
                name,
                category: *category,
                user_limit: settings.user_limit,
                bot: discord.current_user().await?,
                access,
                staff,
                spectators,
                reason: &format!("FACEIT match {id}: voice channel of {faction}"),
                now,
            };
            let outcome = or_later(discord.create_voice_channel(&new).await)?;
            if let Outcome::Created(channel) = outcome {
                let (kind, parent) = (Kind::Voice, *category);
                voice.set_channel(settings.guild, channel, Place { kind, parent });
            }
            Ok(outcome)
        }
        Action::FindChannel {
            name, category, since, ..
        } => {
            let bot = discord.current_user().await?;
            let search = Search {
                guild: settings.guild,
                name,
                category: *category,
                since: *since,
                bot,
            };
            discord.find_voice_channels(&search).await
        }
        Action::DeleteChannel { channel, .. } => {
            let old = OldChannel {
                guild: settings.guild,
                channel: *channel,
                reason: &format!("FACEIT match {id} is over"),
                now,
            };
            let outcome = discord.delete_channel(&old).await?;
            forget_deleted(voice, &old, &outcome);
            Ok(outcome)
        }
        Action::CheckChannel { channel, .. } => discord.check_channel(settings.guild, *channel).await,
        Action::GrantAccess { channel, user, .. } => discord.grant_access(*channel, *user).await,
        Action::RevokeAccess { channel, user, .. } => discord.revoke_access(*channel, *user).await,
        Action::LocateMember { user } => {
            let located = discord.locate_member(settings.guild, *user).await;
            if let Ok(Outcome::Seen(seat)) = &located {
                voice.correct(settings.guild, *user, *seat);
            }
            located
        }
        Action::MoveMember { user, to } => match to {
            Destination::Slot { channel, .. } => {
                // Said before, because the event may be here before the answer.
                voice.expect_move(settings.guild, *user, Some(*channel));
                let moved = discord.move_member(settings.guild, *user, Some(*channel)).await;
                voice.end_move(settings.guild, *user, moved.as_ref().ok());
                moved
            }
            // This is news to any other match that wants him.
            Destination::Lobby(channel) | Destination::Back(channel) => {
                discord.move_member(settings.guild, *user, Some(*channel)).await
            }
            Destination::Out => discord.move_member(settings.guild, *user, None).await,
        },
    }
}

/// Takes one step for the categories of a guild, in the same way.
pub async fn perform_for_guild(
    discord: &Client,
    voice: &VoiceMap,
    settings: &Settings,
    action: &rooms::Action,
    now: Timestamp,
) -> Result<Outcome, Error> {
    let guild = settings.guild;
    match action {
        rooms::Action::AskName { base } => discord.channel_name(guild, *base).await,
        rooms::Action::CreateCategory { name, .. } => {
            let new = NewCategory {
                guild,
                name,
                bot: discord.current_user().await?,
                reason: "the category for match channels is full",
                now,
            };
            let outcome = or_later(discord.create_category(&new).await)?;
            if let Outcome::Created(channel) = outcome {
                let (kind, parent) = (Kind::Category, None);
                voice.set_channel(guild, channel, Place { kind, parent });
            }
            Ok(outcome)
        }
        rooms::Action::FindCategory { name, since, .. } => {
            let search = Search {
                guild,
                name,
                category: None,
                since: *since,
                bot: discord.current_user().await?,
            };
            discord.find_categories(&search).await
        }
        rooms::Action::CheckCategory { channel, .. } => discord.check_channel(guild, *channel).await,
        rooms::Action::DeleteCategory { channel, .. } => {
            let old = OldChannel {
                guild,
                channel: *channel,
                reason: "no match channel is left in it",
                now,
            };
            // Discord's list leaves out what the bot may not see; the gateway does not.
            let inside = voice
                .fullness(guild)
                .and_then(|full| full.by_category.get(channel).copied());
            if inside.is_some_and(|inside| inside > 0) {
                return Ok(Outcome::Occupied);
            }
            let outcome = discord.delete_category(&old).await?;
            forget_deleted(voice, &old, &outcome);
            Ok(outcome)
        }
    }
}

/// A create that Discord has no room for now was certainly not carried out: nothing has to be looked for, and it is known when to try again.
fn or_later(created: Result<Outcome, Error>) -> Result<Outcome, Error> {
    match created {
        Err(error @ Error::Busy { retry_after: after }) => {
            let why = if after < LONG {
                error.to_string()
            } else {
                "Discord lets the bot make no more channels in this server for now (about 500 a day are known of)"
                    .to_owned()
            };
            Ok(Outcome::Later { after, why })
        }
        created => created,
    }
}

fn forget_deleted(voice: &VoiceMap, old: &OldChannel<'_>, outcome: &Outcome) {
    if matches!(outcome, Outcome::Done | Outcome::Gone) {
        voice.remove_channel(old.guild, old.channel);
    }
}
