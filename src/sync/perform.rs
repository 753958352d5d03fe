//! An action becomes the one Discord call that it stands for. Decides nothing.

use std::collections::BTreeMap;

use crate::{
    discord::{
        channels::{NewChannel, Search},
        client::{Client, Priority},
        error::Error,
        voice::VoiceMap,
    },
    domain::{
        ids::{Faction, MatchId},
        plan::{Action, Destination, Outcome},
        record::Record,
        settings::Settings,
    },
};

/// The order in which the steps of a wave are taken when Discord's limits allow not all at once: everybody's first before anybody's
/// second, so that both factions fill up alike.
pub fn priorities(record: &Record, actions: &[Action]) -> Vec<Priority> {
    let since = Some(record.live_since.unwrap_or(record.first_seen_at));
    let mut count: BTreeMap<Option<Faction>, u32> = BTreeMap::new();
    let priority = |action: &Action| {
        let faction = match action {
            Action::CreateChannel { faction, .. }
            | Action::FindChannel { faction, .. }
            | Action::DeleteChannel { faction, .. }
            | Action::GrantAccess { faction, .. }
            | Action::RevokeAccess { faction, .. } => Some(*faction),
            Action::MoveMember {
                to: Destination::Slot { faction, .. },
                ..
            } => Some(*faction),
            Action::MoveMember { .. } | Action::LocateMember { .. } => None,
        };
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

/// Takes one step. An error means that there is no outcome: the step is taken again in a later run.
pub async fn perform(
    discord: &Client,
    voice: &VoiceMap,
    settings: &Settings,
    id: &MatchId,
    action: &Action,
) -> Result<Outcome, Error> {
    match action {
        Action::CreateChannel {
            faction,
            name,
            category,
            access,
        } => {
            let new = NewChannel {
                guild: settings.guild,
                name,
                category: *category,
                user_limit: settings.user_limit,
                bot: discord.current_user().await?,
                access,
                reason: &format!("FACEIT match {id}: voice channel of {faction}"),
            };
            discord.create_voice_channel(&new).await
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
            discord
                .delete_channel(*channel, &format!("FACEIT match {id} is over"))
                .await
        }
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
