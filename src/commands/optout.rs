//! `/optout`: the asker is never moved any more. He keeps his link, and may still enter his team's channel.

use twilight_interactions::command::{CommandModel, CreateCommand};

use crate::{
    commands::{
        answer::Reply,
        connections::not_linked,
        context::Context,
        trouble::Trouble,
        words::{described, say},
    },
    store::linking,
};

/// `/optout`
#[derive(CommandModel, CreateCommand)]
#[command(name = "optout", desc_localizations = "description", contexts = "guild")]
pub struct OptOut;

described! {
    description: "Never move me into a match channel", "de": "Verschiebe mich nie in einen Match-Kanal";
}

impl OptOut {
    pub async fn run(context: &Context) -> Result<Reply, Trouble> {
        let language = context.language();
        Ok(Reply::text(match set(context, true).await? {
            None => not_linked(language),
            Some(true) => say!(
                language,
                "You are not moved any more. You may still enter your team's channel yourself. `/optin` undoes it.",
                German: "Du wirst nicht mehr verschoben. In den Kanal deines Teams kannst du weiterhin selbst gehen. `/optin` ändert das wieder."
            ),
            Some(false) => say!(
                language,
                "You have opted out already; nobody moves you. `/optin` undoes it.",
                German: "Du wirst schon jetzt nicht verschoben. `/optin` ändert das."
            ),
        }))
    }
}

/// None when he is not linked; otherwise whether it was different before.
pub(super) async fn set(context: &Context, opted_out: bool) -> Result<Option<bool>, Trouble> {
    let mut transaction = context.transaction().await?;
    let changed = linking::set_opted_out(&mut transaction, context.user(), opted_out, &context.by()).await?;
    context.commit(transaction).await?;
    Ok(changed)
}
