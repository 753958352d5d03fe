//! `/muster who`: how a member of this server is linked, by his account or by his FACEIT nickname.

use std::time::Duration;

use tokio::time::timeout;
use twilight_interactions::command::{CommandModel, CreateCommand, ResolvedUser};

use super::{looked_up, member_of, not_linked};
use crate::{
    commands::{
        answer::Reply,
        context::Context,
        trouble::Trouble,
        words::{Language, described, plain, say},
    },
    domain::ids::{GuildId, PlayerId},
    store::{
        linking,
        links::{Method, StoredLink, open_matches_of},
        matches,
    },
};

/// `/muster who`
#[derive(CommandModel, CreateCommand)]
#[command(name = "who", desc_localizations = "description")]
pub struct Who {
    /// Somebody in this server
    #[command(desc_localizations = "member")]
    member: Option<ResolvedUser>,
    /// His FACEIT nickname
    #[command(desc_localizations = "nickname", min_length = 1, max_length = 60)]
    nickname: Option<String>,
}

described! {
    description: "Look up how a member is linked", "de": "Zeigt, wie ein Mitglied verknüpft ist";
    member: "A member of this server", "de": "Ein Mitglied dieses Servers";
    nickname: "Or a FACEIT nickname", "de": "Oder ein FACEIT-Name";
}

/// What the audit log calls it.
const VIEWED: &str = "link.viewed";
/// What is linked can be shown without FACEIT.
const PROFILE_WITHIN: Duration = Duration::from_secs(8);
/// Two players may have had the same name; each costs a question to Discord.
const LOOKED_AT: usize = 5;

impl Who {
    pub(super) async fn run(self, context: &Context, guild: GuildId) -> Result<Reply, Trouble> {
        let language = context.language();
        let links = match (&self.member, &self.nickname) {
            (Some(member), _) => {
                let user = member_of(language, member)?;
                looked_up(context, VIEWED, &user.to_string()).await?;
                let mut connection = context.connection().await?;
                match linking::of_user(&mut connection, user).await? {
                    Some(link) => vec![link],
                    None => return Ok(not_linked(language, user)),
                }
            }
            (None, Some(nickname)) => {
                let links = named(context, guild, nickname.trim()).await?;
                for link in &links {
                    looked_up(context, VIEWED, &link.row.user.to_string()).await?;
                }
                if links.is_empty() {
                    looked_up(context, VIEWED, &linking::nickname_as_subject(nickname)).await?;
                    let nickname = plain(nickname);
                    return Ok(Reply::text(say!(
                        language,
                        "Nobody in this server is linked to a FACEIT account called **{nickname}**.",
                        German: "Niemand auf diesem Server ist mit einem FACEIT-Konto namens **{nickname}** verknüpft."
                    )));
                }
                links
            }
            (None, None) => {
                return Ok(Reply::text(say!(
                    language,
                    "Whom? Name a member, or a FACEIT nickname.",
                    German: "Wen? Nenne ein Mitglied oder einen FACEIT-Namen."
                )));
            }
        };
        let mut texts = Vec::new();
        for link in &links {
            texts.push(told(context, guild, link).await?);
        }
        Ok(Reply::text(texts.join("\n\n")))
    }
}

/// Those of this name who are in the guild.
async fn named(context: &Context, guild: GuildId, nickname: &str) -> Result<Vec<StoredLink>, Trouble> {
    let mut connection = context.connection().await?;
    let found = linking::by_nickname(&mut connection, nickname).await?;
    drop(connection);
    let mut here = Vec::new();
    for link in found.into_iter().take(LOOKED_AT) {
        if context.is_member(guild, link.row.user).await? {
            here.push(link);
        }
    }
    Ok(here)
}

async fn told(context: &Context, guild: GuildId, link: &StoredLink) -> Result<String, Trouble> {
    let language = context.language();
    let (user, nickname, id) = (
        link.row.user,
        plain(&link.row.nickname),
        plain(link.row.player.as_str()),
    );
    let (since, how) = (link.linked_at.unix_timestamp(), how(language, link.method));
    let mut lines = vec![say!(
        language,
        "<@{user}> is linked to the FACEIT account **{nickname}** ({id}) since <t:{since}:D>: {how}.",
        German: "<@{user}> ist seit <t:{since}:D> mit dem FACEIT-Konto **{nickname}** ({id}) verknüpft: {how}."
    )];
    if link.opted_out {
        lines.push(say!(
            language,
            "He has opted out of being moved.",
            German: "Er will nicht verschoben werden."
        ));
    }
    lines.extend(level(context, &link.row.player).await);
    let mut connection = context.connection().await?;
    for id in open_matches_of(&mut connection, &[link.row.player.as_str()], &[]).await? {
        // What he plays elsewhere is the business of another server.
        if matches::is_of(&mut connection, guild, &id).await? {
            lines.push(say!(language, "Open match: `{id}`", German: "Offenes Match: `{id}`"));
        }
    }
    Ok(lines.join("\n"))
}

fn how(language: Language, method: Method) -> String {
    match method {
        Method::Oauth => say!(language, "proven by signing in", German: "durch Anmeldung bewiesen"),
        Method::Manual => {
            say!(language, "typed in by himself, not proven", German: "selbst eingetippt, nicht bewiesen")
        }
        Method::Staff => say!(language, "set by staff", German: "vom Team gesetzt"),
        Method::Import => say!(language, "imported, not proven", German: "importiert, nicht bewiesen"),
    }
}

/// None while FACEIT does not answer, and for a player without CS2.
async fn level(context: &Context, player: &PlayerId) -> Option<String> {
    let profile = context.services().faceit.player(player);
    let profile = timeout(PROFILE_WITHIN, profile).await.ok()?.ok()?;
    let elo = profile.cs2_elo.map(|elo| format!(", ELO {elo}")).unwrap_or_default();
    Some(format!("CS2: level {}{elo}", profile.cs2_level?))
}
