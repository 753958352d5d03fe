//! `/muster pause` and `/muster resume`: whether anything is done in this server.

use twilight_interactions::command::{CommandModel, CreateCommand};

use crate::{
    commands::{
        answer::Reply,
        context::Context,
        trouble::Trouble,
        words::{described, say},
    },
    domain::{ids::GuildId, settings::Settings},
    store::{guild_changes, guilds::Saved},
};

/// `/muster pause`
#[derive(CommandModel, CreateCommand)]
#[command(name = "pause", desc_localizations = "pausing")]
pub struct Pause;

/// `/muster resume`
#[derive(CommandModel, CreateCommand)]
#[command(name = "resume", desc_localizations = "resuming")]
pub struct Resume;

described! {
    pausing: "Do nothing in this server until it is resumed", "de": "Auf diesem Server nichts mehr tun, bis es weitergeht";
    resuming: "Go on in this server", "de": "Auf diesem Server weitermachen";
}

pub(super) async fn set(context: &Context, guild: GuildId, paused: bool) -> Result<Reply, Trouble> {
    let language = context.language();
    let mut transaction = context.transaction().await?;
    let (before, version) = context.settings_with_version(&mut transaction, guild).await?;
    if before.paused != paused {
        let after = Settings {
            paused,
            ..before.clone()
        };
        let by = context.by();
        let saved = guild_changes::save(&mut transaction, &by.actor, &before, &after, version, by.at).await?;
        if saved == Saved::Changed {
            return Err(Trouble::Told(say!(
                language,
                "Somebody else changed this server's settings at the same time, so nothing was done. Try again.",
                German: "Jemand anderes hat gleichzeitig die Einstellungen dieses Servers geändert; es ist nichts geschehen. Versuche es noch einmal."
            )));
        }
        context.commit(transaction).await?;
    }
    Ok(Reply::text(match (paused, before.paused) {
        (true, false) => say!(
            language,
            "Paused: nothing is done in this server until `/muster resume`. Its matches stay open, and channels stay as they are.",
            German: "Angehalten: Auf diesem Server geschieht nichts, bis zu `/muster resume`. Matches bleiben offen, Kanäle bleiben, wie sie sind."
        ),
        (true, true) => say!(
            language,
            "This server is paused already. `/muster resume` goes on.",
            German: "Dieser Server ist schon angehalten. Mit `/muster resume` geht es weiter."
        ),
        (false, true) => say!(
            language,
            "This server goes on: open matches are seen to at once.",
            German: "Auf diesem Server geht es weiter; um offene Matches wird sich sofort gekümmert."
        ),
        (false, false) => say!(language, "This server is not paused.", German: "Dieser Server ist nicht angehalten."),
    }))
}
