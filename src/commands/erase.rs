//! `/erase`: after a second question, everything that tells who the asker is goes, in every table. What is at hand goes at once; the rest is
//! the job's, in `erasing`.

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
        let asked = &context.asked;
        let message = erasing::Message {
            application: asked.application.get(),
            token: asked.token.clone(),
            language: context.language().code().to_owned(),
        };
        let now = context.services().clock.now();
        let mut transaction = context.transaction().await?;
        let tokens = erasing::begin(&mut transaction, context.user(), message, now).await?;
        context.commit(transaction).await?;
        if let Some(tokens) = tokens {
            (context.services().revoke)(tokens);
        }
        Ok(Reply::later())
    }
}
