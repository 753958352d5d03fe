//! `/register`: links the FACEIT account that has the name typed in. Proves nothing, so it takes nobody's place, and some servers don't want it.

use twilight_interactions::command::{CommandInputData, CommandModel, CreateCommand};
use twilight_model::{
    application::interaction::application_command::CommandDataOption, channel::message::component::ButtonStyle,
};

use crate::{
    commands::{
        answer::Reply,
        context::Context,
        limit::Counted,
        trouble::Trouble,
        typing::focused,
        words::{Language, described, plain, say},
    },
    domain::ids::PlayerId,
    faceit::{self, player::Profile},
    store::{
        linking::{self, Linked},
        links::{LinkRow, Method, StoredLink},
    },
};

/// `/register`
#[derive(CommandModel, CreateCommand)]
#[command(name = "register", desc_localizations = "description", contexts = "guild")]
pub struct Register {
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
    description: "Link your FACEIT account by its nickname", "de": "Verknüpfe dein FACEIT-Konto über seinen Namen";
    nickname: "Your nickname at FACEIT", "de": "Dein Name bei FACEIT";
}

/// Below this, a search finds everybody.
const SHORTEST: usize = 3;
const OFFERED: usize = 5;

impl Register {
    pub async fn run(context: &Context, data: CommandInputData<'_>) -> Result<Reply, Trouble> {
        let typed = Self::from_interaction(data)?.nickname;
        let typed = typed.trim();
        may_register(context).await?;
        context.count(Counted::Register)?;
        let faceit = &context.services().faceit;
        match faceit.player_by_nickname(typed).await {
            Ok(profile) => link(context, profile).await,
            Err(faceit::error::Error::NotFound { .. }) => {
                Ok(offer(context.language(), typed, &faceit.search_players(typed).await?))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// One of those offered.
    pub async fn press(context: &Context, player: &str) -> Result<Reply, Trouble> {
        may_register(context).await?;
        context.count(Counted::Register)?;
        match context.services().faceit.player(&PlayerId::new(player)).await {
            Ok(profile) => link(context, profile).await,
            Err(faceit::error::Error::NotFound { .. }) => Err(Trouble::Obsolete),
            Err(error) => Err(error.into()),
        }
    }

    /// Names like what he has typed so far.
    pub async fn suggest(context: &Context, options: &[CommandDataOption]) -> Vec<(String, String)> {
        match focused(options) {
            Some((_, typed)) => names_like(context, typed).await,
            None => Vec::new(),
        }
    }
}

/// Players of FACEIT with such a name: what is shown, and the name itself.
pub(super) async fn names_like(context: &Context, typed: &str) -> Vec<(String, String)> {
    if typed.chars().count() < SHORTEST || !context.may_suggest() {
        return Vec::new();
    }
    let found = context.services().faceit.search_players(typed).await;
    let found = found.unwrap_or_default().into_iter();
    found.map(|profile| (title(&profile), profile.nickname)).collect()
}

/// Only for those whose server takes names that nobody proved.
async fn may_register(context: &Context) -> Result<(), Trouble> {
    let language = context.language();
    let Some(guild) = context.asked.guild else {
        return Err(Trouble::Told(say!(
            language,
            "Run `/register` in the Discord server where you play, not in a direct message.",
            German: "Rufe `/register` auf dem Discord-Server auf, auf dem du spielst, nicht in einer Direktnachricht."
        )));
    };
    if context.settings(guild).await?.verified_links_only {
        return Err(Trouble::Told(match context.services().sign_in {
            Some(_) => say!(
                language,
                "In this server only proven links count. Run `/link` and sign in at FACEIT.",
                German: "Auf diesem Server zählen nur bewiesene Verknüpfungen. Rufe `/link` auf und melde dich bei FACEIT an."
            ),
            None => say!(
                language,
                "In this server only proven links count. Ask the staff to link you.",
                German: "Auf diesem Server zählen nur bewiesene Verknüpfungen. Bitte das Team, dich zu verknüpfen."
            ),
        }));
    }
    Ok(())
}

fn offer(language: Language, typed: &str, found: &[Profile]) -> Reply {
    let typed = plain(typed);
    if found.is_empty() {
        return Reply::text(say!(
            language,
            "FACEIT knows nobody called **{typed}**. Type the nickname as it stands in your FACEIT profile, with capitals.",
            German: "FACEIT kennt niemanden namens **{typed}**. Schreibe den Namen so, wie er in deinem FACEIT-Profil steht, mit Großbuchstaben."
        ));
    }
    let text = say!(
        language,
        "FACEIT knows nobody called exactly **{typed}**. Are you one of these?",
        German: "FACEIT kennt niemanden, der genau **{typed}** heißt. Bist du dabei?"
    );
    found.iter().take(OFFERED).fold(Reply::text(text), |reply, profile| {
        reply.button(
            ButtonStyle::Secondary,
            title(profile),
            format!("register:{}", profile.id),
        )
    })
}

/// `Otterly · DE · level 7`: names alone are alike.
fn title(profile: &Profile) -> String {
    let country = Some(profile.country.to_uppercase()).filter(|country| !country.is_empty());
    let level = profile.cs2_level.map(|level| format!("level {level}"));
    let parts = [Some(profile.nickname.clone()), country, level];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

async fn link(context: &Context, profile: Profile) -> Result<Reply, Trouble> {
    let language = context.language();
    let row = LinkRow {
        player: profile.id,
        user: context.user(),
        nickname: profile.nickname,
    };
    let mut transaction = context.transaction().await?;
    let linked = linking::link(&mut transaction, &row, Method::Manual, &context.by()).await?;
    context.commit(transaction).await?;
    let nickname = plain(&row.nickname);
    Ok(Reply::text(match linked {
        Linked::Done { known: false, .. } => say!(
            language,
            "You are linked to the FACEIT account **{nickname}** now. When a match of yours starts, you are moved into your team's voice channel. \
             `/link` proves that the account is yours; until then, somebody who proves it takes it over.",
            German: "Du bist jetzt mit dem FACEIT-Konto **{nickname}** verknüpft. Wenn ein Match von dir beginnt, kommst du in den Sprachkanal deines \
                     Teams. `/link` beweist, dass das Konto dir gehört; bis dahin kann es übernehmen, wer es beweist."
        ),
        Linked::Done { known: true, .. } => say!(
            language,
            "You are linked to **{nickname}** already.",
            German: "Du bist schon mit **{nickname}** verknüpft."
        ),
        Linked::PlayerTaken(_) => say!(
            language,
            "The FACEIT account **{nickname}** is linked to another Discord account. If it is yours, prove it with `/link`, or ask the staff.",
            German: "Das FACEIT-Konto **{nickname}** ist mit einem anderen Discord-Konto verknüpft. Gehört es dir, beweise es mit `/link`, oder frage \
                     das Team."
        ),
        Linked::UserTaken(StoredLink { row, .. }) => {
            let other = plain(&row.nickname);
            say!(
                language,
                "You are linked to **{other}** already. To link another FACEIT account, run `/unlink` first.",
                German: "Du bist schon mit **{other}** verknüpft. Für ein anderes FACEIT-Konto rufe erst `/unlink` auf."
            )
        }
    }))
}
