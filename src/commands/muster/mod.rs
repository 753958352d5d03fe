//! `/muster …`: what staff may do in its own server, a file each. Who is staff there is settled here, for commands, buttons and suggestions alike.

mod game;
mod link;
mod pause;
mod unlink;
mod verify;
mod who;

use twilight_interactions::command::{CommandInputData, CommandModel, CreateCommand, ResolvedUser};
use twilight_model::{application::interaction::application_command::CommandDataOption, guild::Permissions};

use self::{
    game::{EndMatch, MoveMatch, ShowMatch},
    link::LinkMember,
    pause::{Pause, Resume},
    unlink::UnlinkMember,
    verify::VerifyMember,
    who::Who,
};
use crate::{
    commands::{
        answer::Reply,
        context::Context,
        limit::Counted,
        register::names_like,
        trouble::Trouble,
        typing::focused,
        words::{Language, described, say},
    },
    domain::ids::{GuildId, UserId},
    store::audit::{self, Entry},
};

/// `/muster`
#[derive(CommandModel, CreateCommand)]
#[command(name = "muster", desc_localizations = "description", contexts = "guild")]
pub enum Muster {
    #[command(name = "who")]
    Who(Who),
    #[command(name = "link")]
    Link(LinkMember),
    #[command(name = "unlink")]
    Unlink(UnlinkMember),
    #[command(name = "verify")]
    Verify(VerifyMember),
    #[command(name = "match")]
    Match(ShowMatch),
    #[command(name = "move")]
    Move(MoveMatch),
    #[command(name = "teardown")]
    Teardown(EndMatch),
    #[command(name = "pause")]
    Pause(Pause),
    #[command(name = "resume")]
    Resume(Resume),
}

described! {
    description: "For staff: links, matches and pause of this server", "de": "Für das Team: Verknüpfungen, Matches und Pause dieses Servers";
}

impl Muster {
    pub async fn run(context: &Context, data: CommandInputData<'_>) -> Result<Reply, Trouble> {
        let guild = staff_of(context).await?;
        context.count(Counted::Staff)?;
        match Self::from_interaction(data)? {
            Self::Who(who) => who.run(context, guild).await,
            Self::Link(link) => link.run(context, guild).await,
            Self::Unlink(unlink) => unlink.run(context).await,
            Self::Verify(verify) => verify.run(context).await,
            Self::Match(show) => show.run(context, guild).await,
            Self::Move(again) => again.run(context, guild).await,
            Self::Teardown(end) => end.run(context, guild).await,
            Self::Pause(_) => pause::set(context, guild, true).await,
            Self::Resume(_) => pause::set(context, guild, false).await,
        }
    }

    /// Whoever could run the command may not any more be staff.
    pub async fn press(context: &Context, button: &str) -> Result<Reply, Trouble> {
        let guild = staff_of(context).await?;
        context.count(Counted::Staff)?;
        match button.split_once(':') {
            Some(("teardown", id)) => game::end(context, guild, id).await,
            _ => Err(Trouble::Obsolete),
        }
    }

    /// Names of FACEIT's players, or the matches of this server.
    pub async fn suggest(context: &Context, options: &[CommandDataOption]) -> Vec<(String, String)> {
        let Ok(guild) = staff_of(context).await else {
            return Vec::new();
        };
        match focused(options) {
            Some(("nickname", typed)) => names_like(context, typed).await,
            Some(("match", typed)) => game::like(context, guild, typed).await.unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}

/// The server that the asker is staff of: he may manage it, or has one of its staff roles. That is the server in which he asks, and no other.
async fn staff_of(context: &Context) -> Result<GuildId, Trouble> {
    let asked = &context.asked;
    let language = context.language();
    let Some(guild) = asked.guild else {
        return Err(Trouble::Told(say!(
            language,
            "Run `/muster` in the Discord server that it is about, not in a direct message.",
            German: "Rufe `/muster` auf dem Discord-Server auf, um den es geht, nicht in einer Direktnachricht."
        )));
    };
    if asked
        .permissions
        .intersects(Permissions::ADMINISTRATOR | Permissions::MANAGE_GUILD)
    {
        return Ok(guild);
    }
    let settings = context.settings(guild).await?;
    if settings.staff_roles.is_disjoint(&asked.roles) {
        return Err(Trouble::Told(say!(
            language,
            "`/muster` is for this server's staff: whoever may manage the server, or has one of its staff roles. Nothing was done.",
            German: "`/muster` ist für das Team dieses Servers: wer den Server verwalten darf oder eine seiner Teamrollen hat. Es ist nichts geschehen."
        )));
    }
    Ok(guild)
}

/// The account of somebody whom Discord showed as a member of this server. Of others nothing is said and nothing changed here.
fn member_of(language: Language, person: &ResolvedUser) -> Result<UserId, Trouble> {
    let user = UserId::new(person.resolved.id.get()).filter(|_| person.member.is_some() && !person.resolved.bot);
    user.ok_or_else(|| {
        Trouble::Told(say!(
            language,
            "That is no player: name a member of this server that is no bot.",
            German: "Das ist kein Spieler: Nenne ein Mitglied dieses Servers, das kein Bot ist."
        ))
    })
}

/// Records a look-up: who, and whom or what. Before anything is shown, so that nothing is seen without it.
async fn looked_up(context: &Context, action: &str, subject: &str) -> Result<(), Trouble> {
    let by = context.by();
    let entry = Entry {
        actor: by.actor,
        action: action.to_owned(),
        guild: by.guild,
        subject: subject.to_owned(),
        before: None,
        after: None,
    };
    audit::record(&mut *context.connection().await?, &entry, by.at).await?;
    Ok(())
}

fn not_linked(language: Language, user: UserId) -> Reply {
    Reply::text(say!(
        language,
        "<@{user}> is not linked to a FACEIT account.",
        German: "<@{user}> ist mit keinem FACEIT-Konto verknüpft."
    ))
}
