//! `/optin`: undoes `/optout`; if a match of his is running, the asker is moved now.

use twilight_interactions::command::{CommandModel, CreateCommand};

use crate::commands::{
    answer::Reply,
    connections::not_linked,
    context::Context,
    optout::set,
    trouble::Trouble,
    words::{described, say},
};

/// `/optin`
#[derive(CommandModel, CreateCommand)]
#[command(name = "optin", desc_localizations = "description", contexts = "guild")]
pub struct OptIn;

described! {
    description: "Move me into my team's channel again", "de": "Verschiebe mich wieder in den Kanal meines Teams";
}

impl OptIn {
    pub async fn run(context: &Context) -> Result<Reply, Trouble> {
        let language = context.language();
        Ok(Reply::text(match set(context, false).await? {
            None => not_linked(language),
            Some(true) => say!(
                language,
                "You are moved into your team's channel again when a match of yours runs.",
                German: "Du kommst wieder in den Kanal deines Teams, wenn ein Match von dir läuft."
            ),
            Some(false) => say!(
                language,
                "You had not opted out; you are moved when a match of yours runs.",
                German: "Du wirst schon jetzt verschoben, wenn ein Match von dir läuft."
            ),
        }))
    }
}
