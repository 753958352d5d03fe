//! `/connections`: what is linked, how we know, since when, and the player's level and ELO.

use std::time::Duration;

use tokio::time::timeout;
use twilight_interactions::command::{CommandModel, CreateCommand};

use crate::{
    commands::{
        answer::Reply,
        context::Context,
        trouble::Trouble,
        words::{Language, described, plain, say},
    },
    faceit::player::Profile,
    store::links::{Method, StoredLink},
};

/// What is linked can be shown without FACEIT.
const PROFILE_WITHIN: Duration = Duration::from_secs(8);

/// `/connections`
#[derive(CommandModel, CreateCommand)]
#[command(name = "connections", desc_localizations = "description", contexts = "guild")]
pub struct Connections;

described! {
    description: "Show which FACEIT account you are linked to", "de": "Zeigt, mit welchem FACEIT-Konto du verknüpft bist";
}

impl Connections {
    pub async fn run(context: &Context) -> Result<Reply, Trouble> {
        let language = context.language();
        let Some(link) = context.link().await? else {
            return Ok(Reply::text(not_linked(language)));
        };
        let player = context.services().faceit.player(&link.row.player);
        let profile = timeout(PROFILE_WITHIN, player).await;
        let level = match profile {
            Ok(Ok(profile)) => level(language, &profile),
            // Shown without it; why not is no secret, but of no use to him either.
            Ok(Err(_)) | Err(_) => say!(
                language,
                "Level and ELO: FACEIT does not answer just now.",
                German: "Level und ELO: FACEIT antwortet gerade nicht."
            ),
        };
        Ok(Reply::text(format!("{}\n{level}", described_link(language, &link))))
    }
}

pub(super) fn not_linked(language: Language) -> String {
    say!(
        language,
        "You are not linked to a FACEIT account. Run `/link` to sign in there, or `/register` with your FACEIT nickname.",
        German: "Du bist mit keinem FACEIT-Konto verknüpft. Melde dich mit `/link` dort an, oder nutze `/register` mit deinem FACEIT-Namen."
    )
}

/// The link in a few lines.
pub(super) fn described_link(language: Language, link: &StoredLink) -> String {
    let nickname = plain(&link.row.nickname);
    let since = link.linked_at.unix_timestamp();
    let how = how(language, link.method);
    let mut text = say!(
        language,
        "You are linked to the FACEIT account **{nickname}** since <t:{since}:D>: {how}.",
        German: "Du bist seit <t:{since}:D> mit dem FACEIT-Konto **{nickname}** verknüpft: {how}."
    );
    if link.opted_out {
        text.push('\n');
        text.push_str(&say!(
            language,
            "You have opted out of being moved; `/optin` undoes it.",
            German: "Du willst nicht verschoben werden; `/optin` ändert das."
        ));
    }
    text
}

fn how(language: Language, method: Method) -> String {
    match method {
        Method::Oauth => say!(language, "proven by signing in", German: "durch Anmeldung bewiesen"),
        Method::Manual => say!(
            language,
            "typed in by you, not proven (`/link` proves it)",
            German: "von dir eingetippt, nicht bewiesen (`/link` beweist es)"
        ),
        Method::Staff => say!(language, "set by the staff", German: "vom Team gesetzt"),
        Method::Import => say!(
            language,
            "imported by the staff, not proven (`/link` proves it)",
            German: "vom Team importiert, nicht bewiesen (`/link` beweist es)"
        ),
    }
}

pub(super) fn level(language: Language, profile: &Profile) -> String {
    match (profile.cs2_level, profile.cs2_elo) {
        (Some(level), Some(elo)) => {
            say!(language, "CS2: level {level}, ELO {elo}.", German: "CS2: Level {level}, ELO {elo}.")
        }
        (Some(level), None) => say!(language, "CS2: level {level}.", German: "CS2: Level {level}."),
        (None, _) => {
            say!(language, "FACEIT knows no CS2 level of yours.", German: "FACEIT kennt kein CS2-Level von dir.")
        }
    }
}
