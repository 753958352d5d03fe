//! `/muster unlink`: staff undoes the link of a member, a proven one as well. He leaves the channel of a running match at once.

use twilight_interactions::command::{CommandModel, CreateCommand, ResolvedUser};

use super::{member_of, not_linked};
use crate::{
    commands::{
        answer::Reply,
        context::Context,
        trouble::Trouble,
        words::{described, plain, say},
    },
    store::linking,
};

/// `/muster unlink`
#[derive(CommandModel, CreateCommand)]
#[command(name = "unlink", desc_localizations = "description")]
pub struct UnlinkMember {
    /// Who
    #[command(desc_localizations = "member")]
    member: ResolvedUser,
}

described! {
    description: "Undo the link of a member", "de": "Löse die Verknüpfung eines Mitglieds";
    member: "The member", "de": "Das Mitglied";
}

impl UnlinkMember {
    pub(super) async fn run(self, context: &Context) -> Result<Reply, Trouble> {
        let language = context.language();
        let user = member_of(language, &self.member)?;
        let mut transaction = context.transaction().await?;
        let unlinked = linking::unlink(&mut transaction, user, &context.by()).await?;
        context.commit(transaction).await?;
        let Some(link) = unlinked else {
            return Ok(not_linked(language, user));
        };
        let nickname = plain(&link.row.nickname);
        (context.services().tell)(
            user,
            format!(
                "The staff of a server has undone your link to the FACEIT account **{nickname}**. `/link` links you again."
            ),
        );
        Ok(Reply::text(say!(
            language,
            "<@{user}> is no longer linked to **{nickname}**.",
            German: "<@{user}> ist nicht mehr mit **{nickname}** verknüpft."
        )))
    }
}
