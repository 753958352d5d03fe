//! `/erase`: after a second question, everything that tells who the asker is goes, in every table.

use twilight_interactions::command::{CommandModel, CreateCommand};
use twilight_model::channel::message::component::ButtonStyle;

use crate::{
    commands::{
        answer::Reply,
        context::Context,
        limit::Counted,
        trouble::Trouble,
        words::{described, say},
    },
    store::erasing,
};

/// `/erase`
#[derive(CommandModel, CreateCommand)]
#[command(name = "erase", desc_localizations = "description", contexts = "guild")]
pub struct Erase;

described! {
    description: "Delete everything that is stored about you", "de": "Lösche alles, was über dich gespeichert ist";
}

impl Erase {
    pub async fn run(context: &Context) -> Result<Reply, Trouble> {
        let language = context.language();
        let text = say!(
            language,
            "Delete everything that Muster has stored about you? Your link goes, and your names in recorded matches and in the log of changes. This \
             can't be undone. `/export` shows what there is.",
            German: "Alles löschen, was Muster über dich gespeichert hat? Deine Verknüpfung verschwindet, und deine Namen in aufgezeichneten Matches und \
                     im Änderungsprotokoll. Das lässt sich nicht rückgängig machen. `/export` zeigt, was da ist."
        );
        let label = say!(language, "Delete it all", German: "Alles löschen");
        Ok(Reply::text(text).button(ButtonStyle::Danger, label, "erase:all"))
    }

    pub async fn press(context: &Context) -> Result<Reply, Trouble> {
        context.count(Counted::Data)?;
        let mut connection = context.connection().await?;
        let mut scrubbing = erasing::Scrubbing::begin(&mut connection, context.user()).await?;
        drop(connection);
        // Each piece for itself: what is done is done, and nobody waits for a long transaction.
        let mut more = true;
        while more {
            let mut transaction = context.transaction().await?;
            more = scrubbing.step(&mut transaction).await?;
            context.commit(transaction).await?;
        }
        let (deliveries, matches) = (scrubbing.deliveries, scrubbing.matches);
        let now = context.services().clock.now();
        let mut transaction = context.transaction().await?;
        erasing::finish(&mut transaction, context.user(), scrubbing.log_upto, now).await?;
        context.commit(transaction).await?;
        Ok(Reply::text(say!(
            context.language(),
            "Everything is deleted: your link and sign-ins, and your names in {deliveries} recorded messages of FACEIT and {matches} matches.",
            German: "Alles ist gelöscht: deine Verknüpfung und Anmeldungen, und deine Namen in {deliveries} aufgezeichneten Nachrichten von FACEIT und \
                     {matches} Matches."
        )))
    }
}
