//! `/verify`: reads the asker's nickname, level and ELO again from FACEIT.

use twilight_interactions::command::{CommandModel, CreateCommand};

use crate::{
    commands::{
        answer::Reply,
        connections::{described_link, level, not_linked},
        context::Context,
        limit::Counted,
        trouble::Trouble,
        words::{described, plain, say},
    },
    faceit,
    store::linking,
};

/// `/verify`
#[derive(CommandModel, CreateCommand)]
#[command(name = "verify", desc_localizations = "description", contexts = "guild")]
pub struct Verify;

described! {
    description: "Read your nickname, level and ELO again from FACEIT", "de": "Lies Name, Level und ELO neu von FACEIT";
}

impl Verify {
    pub async fn run(context: &Context) -> Result<Reply, Trouble> {
        let language = context.language();
        let Some(link) = context.link().await? else {
            return Ok(Reply::text(not_linked(language)));
        };
        context.count(Counted::Verify)?;
        let profile = match context.services().faceit.player_afresh(&link.row.player).await {
            Ok(profile) => profile,
            Err(faceit::error::Error::NotFound { .. }) => {
                let nickname = plain(&link.row.nickname);
                return Ok(Reply::text(say!(
                    language,
                    "FACEIT does not know the account **{nickname}** any more. If you have another one, run `/unlink` and link that.",
                    German: "FACEIT kennt das Konto **{nickname}** nicht mehr. Hast du ein anderes, rufe `/unlink` auf und verknüpfe es."
                )));
            }
            Err(error) => return Err(error.into()),
        };
        let mut transaction = context.transaction().await?;
        linking::rename(&mut transaction, context.user(), &profile.nickname, &context.by()).await?;
        let link = linking::of_user(&mut transaction, context.user()).await?;
        context.commit(transaction).await?;
        Ok(Reply::text(match link {
            Some(link) => format!("{}\n{}", described_link(language, &link), level(language, &profile)),
            None => not_linked(language),
        }))
    }
}
