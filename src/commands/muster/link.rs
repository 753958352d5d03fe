//! `/muster link`: staff says who is who. That outweighs what was typed or imported, and never what was proven.

use twilight_interactions::command::{CommandModel, CreateCommand, ResolvedUser};

use super::member_of;
use crate::{
    commands::{
        answer::Reply,
        context::Context,
        trouble::Trouble,
        words::{Language, described, plain, say},
    },
    domain::ids::{GuildId, UserId},
    faceit,
    store::{
        linking::{self, Linked},
        links::{LinkRow, Method, StoredLink},
    },
};

/// `/muster link`
#[derive(CommandModel, CreateCommand)]
#[command(name = "link", desc_localizations = "description")]
pub struct LinkMember {
    /// Who
    #[command(desc_localizations = "member")]
    member: ResolvedUser,
    /// The FACEIT nickname
    #[command(
        desc_localizations = "nickname",
        autocomplete = true,
        min_length = 1,
        max_length = 60
    )]
    nickname: String,
}

described! {
    description: "Link a member to a FACEIT account", "de": "Verknüpfe ein Mitglied mit einem FACEIT-Konto";
    member: "The member", "de": "Das Mitglied";
    nickname: "His nickname at FACEIT", "de": "Sein Name bei FACEIT";
}

impl LinkMember {
    pub(super) async fn run(self, context: &Context, guild: GuildId) -> Result<Reply, Trouble> {
        let language = context.language();
        let user = member_of(language, &self.member)?;
        let typed = self.nickname.trim();
        let profile = match context.services().faceit.player_by_nickname(typed).await {
            Ok(profile) => profile,
            Err(faceit::error::Error::NotFound { .. }) => {
                let typed = plain(typed);
                return Ok(Reply::text(say!(
                    language,
                    "FACEIT knows nobody called exactly **{typed}**. Choose one of the names that appear while you type.",
                    German: "FACEIT kennt niemanden, der genau **{typed}** heißt. Wähle einen der Namen, die beim Tippen erscheinen."
                )));
            }
            Err(error) => return Err(error.into()),
        };
        let row = LinkRow {
            player: profile.id,
            user,
            nickname: profile.nickname,
        };
        let holder = holder(context, guild, &row).await?;
        let mut transaction = context.transaction().await?;
        let linked = linking::link(&mut transaction, &row, Method::Staff, &context.by()).await?;
        if let Linked::Done { lost, .. } = &linked
            && lost
                .iter()
                .any(|lost| ![Some(user), holder].contains(&Some(lost.row.user)))
        {
            // Taken back: nobody looked whether this one is a member here.
            return Err(Trouble::Told(say!(
                language,
                "Somebody else was linked to this account just now, so nothing was done. Try again.",
                German: "Gerade wurde jemand anderes mit diesem Konto verknüpft; es ist nichts geschehen. Versuche es noch einmal."
            )));
        }
        context.commit(transaction).await?;
        Ok(Reply::text(told(context, &row, linked)))
    }
}

/// Who has the FACEIT account now, if he is to give way: only a member of this server, for others are none of its staff's business.
async fn holder(context: &Context, guild: GuildId, row: &LinkRow) -> Result<Option<UserId>, Trouble> {
    let mut connection = context.connection().await?;
    let link = linking::of_player(&mut connection, &row.player).await?;
    drop(connection);
    let Some(link) = link.filter(|link| link.row.user != row.user) else {
        return Ok(None);
    };
    if context.is_member(guild, link.row.user).await? {
        return Ok(Some(link.row.user));
    }
    let (language, nickname) = (context.language(), plain(&row.nickname));
    Err(Trouble::Told(say!(
        language,
        "The FACEIT account **{nickname}** is linked to somebody who is not in this server. Whoever owns it can prove it with `/link`.",
        German: "Das FACEIT-Konto **{nickname}** ist mit jemandem verknüpft, der nicht auf diesem Server ist. Wem es gehört, der kann es mit `/link` \
                 beweisen."
    )))
}

fn told(context: &Context, row: &LinkRow, linked: Linked) -> String {
    let language = context.language();
    let (user, nickname) = (row.user, plain(&row.nickname));
    match linked {
        Linked::Done { known, lost, .. } => {
            let mut text = if known {
                say!(
                    language,
                    "<@{user}> was linked to **{nickname}** already.",
                    German: "<@{user}> war schon mit **{nickname}** verknüpft."
                )
            } else {
                tell(context, row, &lost);
                say!(
                    language,
                    "<@{user}> is linked to the FACEIT account **{nickname}** now.",
                    German: "<@{user}> ist jetzt mit dem FACEIT-Konto **{nickname}** verknüpft."
                )
            };
            for lost in &lost {
                text.push('\n');
                text.push_str(&undone(language, lost));
            }
            text
        }
        Linked::PlayerTaken(other) => {
            let other = other.row.user;
            say!(
                language,
                "<@{other}> has proven that **{nickname}** is his. If that is wrong, `/muster unlink` undoes it first.",
                German: "<@{other}> hat bewiesen, dass **{nickname}** sein Konto ist. Stimmt das nicht, löse die Verknüpfung erst mit `/muster unlink`."
            )
        }
        Linked::UserTaken(other) => {
            let other = plain(&other.row.nickname);
            say!(
                language,
                "<@{user}> has proven that he is **{other}**. If that is wrong, `/muster unlink` undoes it first.",
                German: "<@{user}> hat bewiesen, dass er **{other}** ist. Stimmt das nicht, löse die Verknüpfung erst mit `/muster unlink`."
            )
        }
    }
}

fn undone(language: Language, lost: &StoredLink) -> String {
    let (user, nickname) = (lost.row.user, plain(&lost.row.nickname));
    say!(
        language,
        "The link of <@{user}> to **{nickname}** is gone.",
        German: "Die Verknüpfung von <@{user}> mit **{nickname}** ist gelöst."
    )
}

/// Those whom it concerns hear of it.
fn tell(context: &Context, row: &LinkRow, lost: &[StoredLink]) {
    let tell = &context.services().tell;
    let nickname = plain(&row.nickname);
    tell(
        row.user,
        format!(
            "The staff of a server has linked you to the FACEIT account **{nickname}**. If that is wrong, `/unlink` undoes it."
        ),
    );
    for other in lost.iter().filter(|other| other.row.user != row.user) {
        let nickname = plain(&other.row.nickname);
        tell(
            other.row.user,
            format!(
                "You are no longer linked to the FACEIT account **{nickname}**: the staff of a server has linked it to somebody else. If it is \
                 yours, run `/link` and sign in."
            ),
        );
    }
}
