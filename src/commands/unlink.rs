//! `/unlink`: after a second question, the link is gone, and with it the asker's place in a running match's channel.

use twilight_interactions::command::{CommandModel, CreateCommand};
use twilight_model::channel::message::component::ButtonStyle;

use crate::{
    commands::{
        answer::Reply,
        connections::not_linked,
        context::Context,
        trouble::Trouble,
        words::{described, plain, say},
    },
    store::linking,
};

/// `/unlink`
#[derive(CommandModel, CreateCommand)]
#[command(name = "unlink", desc_localizations = "description", contexts = "guild")]
pub struct Unlink;

described! {
    description: "Undo the link to your FACEIT account", "de": "Löse die Verknüpfung mit deinem FACEIT-Konto";
}

impl Unlink {
    pub async fn run(context: &Context) -> Result<Reply, Trouble> {
        let language = context.language();
        let Some(link) = context.link().await? else {
            return Ok(Reply::text(not_linked(language)));
        };
        let nickname = plain(&link.row.nickname);
        let text = say!(
            language,
            "Unlink the FACEIT account **{nickname}**? You are then not moved any more, and leave the channel of a running match.",
            German: "Verknüpfung mit dem FACEIT-Konto **{nickname}** lösen? Du wirst dann nicht mehr verschoben und verlässt den Kanal eines laufenden \
                     Matches."
        );
        let label = say!(language, "Unlink", German: "Lösen");
        // Which one he was asked about: he may have another by the time he presses it.
        let id = format!("unlink:{}", link.row.player);
        Ok(Reply::text(text).button(ButtonStyle::Danger, label, id))
    }

    pub async fn press(context: &Context, player: &str) -> Result<Reply, Trouble> {
        let language = context.language();
        let mut transaction = context.transaction().await?;
        match linking::of_user(&mut transaction, context.user()).await? {
            None => return Ok(Reply::text(not_linked(language))),
            Some(link) if link.row.player.as_str() != player => return Err(Trouble::Obsolete),
            Some(_) => {}
        }
        let unlinked = linking::unlink(&mut transaction, context.user(), &context.by()).await?;
        context.commit(transaction).await?;
        let Some(link) = unlinked else {
            return Ok(Reply::text(not_linked(language)));
        };
        let nickname = plain(&link.row.nickname);
        Ok(Reply::text(say!(
            language,
            "You are no longer linked to **{nickname}**. `/link` or `/register` links you again; `/erase` deletes what else is stored about you.",
            German: "Du bist nicht mehr mit **{nickname}** verknüpft. `/link` oder `/register` verknüpft dich wieder; `/erase` löscht, was sonst noch \
                     über dich gespeichert ist."
        )))
    }
}
