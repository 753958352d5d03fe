//! `/export`: everything stored about the asker, as JSON for himself.

use std::time::Duration;

use tokio::time::timeout;
use twilight_interactions::command::{CommandModel, CreateCommand};

use crate::{
    commands::{
        answer::Reply,
        context::Context,
        limit::Counted,
        trouble::Trouble,
        words::{described, say},
    },
    store::{self, exporting},
};

/// `/export`
#[derive(CommandModel, CreateCommand)]
#[command(name = "export", desc_localizations = "description", contexts = "guild")]
pub struct Export;

described! {
    description: "Show everything that is stored about you", "de": "Zeigt alles, was über dich gespeichert ist";
}

/// What fits into a message, with a sentence before it.
const SHORT: usize = 1_600;
/// The most time that FACEIT's recorded messages are looked through; then the export says that it is not complete.
const LOOKED_WITHIN: Duration = Duration::from_secs(15);

impl Export {
    pub async fn run(context: &Context) -> Result<Reply, Trouble> {
        context.count(Counted::Data)?;
        let mut connection = context.connection().await?;
        let now = context.services().clock.now();
        let mut export = exporting::Export::begin(&mut connection, context.user(), now).await?;
        let looked = timeout(LOOKED_WITHIN, async {
            while export.step(&mut connection).await? {}
            Ok::<_, store::Error>(())
        });
        looked.await.unwrap_or(Ok(()))?;
        drop(connection);
        let json =
            serde_json::to_string_pretty(&export.into_json()).map_err(|error| Trouble::Broken(error.to_string()))?;
        let text = say!(
            context.language(),
            "This is everything that Muster has stored about you. `/erase` deletes it.",
            German: "Das ist alles, was Muster über dich gespeichert hat. `/erase` löscht es."
        );
        // Three backticks would end the block.
        if json.chars().count() <= SHORT && !json.contains("```") {
            return Ok(Reply::text(format!("{text}\n```json\n{json}\n```")));
        }
        Ok(Reply::text(text).file("muster-export.json", json))
    }
}
