//! `/muster verify`: reads a member's nickname, level and ELO again from FACEIT.

use twilight_interactions::command::{CommandModel, CreateCommand, ResolvedUser};

use super::{member_of, not_linked};
use crate::{
    commands::{
        answer::Reply,
        context::Context,
        trouble::Trouble,
        words::{described, plain, say},
    },
    faceit,
    store::linking,
};

/// `/muster verify`
#[derive(CommandModel, CreateCommand)]
#[command(name = "verify", desc_localizations = "description")]
pub struct VerifyMember {
    /// Who
    #[command(desc_localizations = "member")]
    member: ResolvedUser,
}

described! {
    description: "Read a member's nickname, level and ELO again", "de": "Lies Name, Level und ELO eines Mitglieds neu";
    member: "The member", "de": "Das Mitglied";
}

impl VerifyMember {
    pub(super) async fn run(self, context: &Context) -> Result<Reply, Trouble> {
        let language = context.language();
        let user = member_of(language, &self.member)?;
        let mut connection = context.connection().await?;
        let link = linking::of_user(&mut connection, user).await?;
        drop(connection);
        let Some(link) = link else {
            return Ok(not_linked(language, user));
        };
        let before = plain(&link.row.nickname);
        let profile = match context.services().faceit.player_afresh(&link.row.player).await {
            Ok(profile) => profile,
            Err(faceit::error::Error::NotFound { .. }) => {
                let mut transaction = context.transaction().await?;
                linking::checked(&mut transaction, user, &link.row.nickname, &context.by()).await?;
                context.commit(transaction).await?;
                return Ok(Reply::text(say!(
                    language,
                    "FACEIT does not know the account **{before}** of <@{user}> any more.",
                    German: "FACEIT kennt das Konto **{before}** von <@{user}> nicht mehr."
                )));
            }
            Err(error) => return Err(error.into()),
        };
        let mut transaction = context.transaction().await?;
        linking::checked(&mut transaction, user, &profile.nickname, &context.by()).await?;
        context.commit(transaction).await?;
        let nickname = plain(&profile.nickname);
        let mut text = if nickname == before {
            say!(language, "<@{user}> is still **{nickname}**.", German: "<@{user}> heißt weiterhin **{nickname}**.")
        } else {
            say!(
                language,
                "<@{user}> is **{nickname}** now, and was **{before}**.",
                German: "<@{user}> heißt jetzt **{nickname}**, vorher **{before}**."
            )
        };
        if let Some(level) = profile.cs2_level {
            let elo = profile.cs2_elo.map(|elo| format!(", ELO {elo}")).unwrap_or_default();
            text.push_str(&format!("\nCS2: level {level}{elo}"));
        }
        Ok(Reply::text(text))
    }
}
