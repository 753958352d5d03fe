//! `/muster match`, `/muster move` and `/muster teardown`: a match of this server, shown with its plan, moved anew, or ended.

use twilight_interactions::command::{CommandModel, CreateCommand};
use twilight_model::channel::message::component::ButtonStyle;

use super::looked_up;
use crate::{
    commands::{
        answer::Reply,
        context::Context,
        trouble::Trouble,
        words::{Language, described, plain, say},
    },
    domain::{
        ids::{Faction, GuildId, MatchId, is_plausible_id},
        match_facts::MatchFacts,
    },
    store::{
        match_members::Whom,
        match_orders::{self, Order},
        matches, service_pause,
    },
};

/// A command about one match of this server, which is suggested while its id is typed.
macro_rules! about_a_match {
    ($(#[$doc:meta])* $command:ident, $name:literal, $description:literal) => {
        $(#[$doc])*
        #[derive(CommandModel, CreateCommand)]
        #[command(name = $name, desc_localizations = $description)]
        pub struct $command {
            /// Which match
            #[command(
                rename = "match",
                desc_localizations = "which",
                autocomplete = true,
                min_length = 1,
                max_length = 200
            )]
            id: String,
        }
    };
}

about_a_match!(
    /// `/muster match`
    ShowMatch, "match", "showing"
);
about_a_match!(
    /// `/muster move`
    MoveMatch, "move", "moving"
);
about_a_match!(
    /// `/muster teardown`
    EndMatch, "teardown", "ending"
);

described! {
    showing: "Show a match and what would be done for it now", "de": "Zeigt ein Match und was jetzt dafür getan würde";
    moving: "Move everybody of a match once more", "de": "Verschiebe alle eines Matches noch einmal";
    ending: "End a match here at once, and take its channels down", "de": "Beende ein Match hier sofort und räume seine Kanäle ab";
    which: "Its id or the address of its match room", "de": "Seine Id oder die Adresse seines Match-Raums";
}

/// What fits into a message.
const SHORT: usize = 1_900;
/// Open matches looked through for suggestions.
const LOOKED_THROUGH: i64 = 200;

impl ShowMatch {
    pub(super) async fn run(self, context: &Context, guild: GuildId) -> Result<Reply, Trouble> {
        let language = context.language();
        let id = named(language, &self.id)?;
        must_be_theirs(context, guild, &id).await?;
        looked_up(context, "match.viewed", id.as_str()).await?;
        // Three backticks would end the block.
        let plan = (context.services().plan)(id).await?.replace("```", "'''");
        if plan.chars().count() <= SHORT {
            return Ok(Reply::text(format!("```\n{plan}\n```")));
        }
        let text = say!(language, "The match and its plan:", German: "Das Match und sein Plan:");
        Ok(Reply::text(text).file("plan.txt", plan))
    }
}

impl MoveMatch {
    pub(super) async fn run(self, context: &Context, guild: GuildId) -> Result<Reply, Trouble> {
        let language = context.language();
        let (id, by) = (named(language, &self.id)?, context.by());
        must_be_theirs(context, guild, &id).await?;
        let order = Order {
            actor: &by.actor,
            guild,
            id: &id,
            at: by.at,
        };
        let mut transaction = context.transaction().await?;
        let runs = match_orders::move_again(&mut transaction, &order, Whom::Everybody).await?;
        context.commit(transaction).await?;
        let done = say!(
            language,
            "Everybody of this match who is in voice is moved into his team's channel in a moment, wherever he went meanwhile. Who opted out is not.",
            German: "Alle dieses Matches, die in einem Sprachkanal sind, werden gleich in den Kanal ihres Teams verschoben, wohin auch immer sie gegangen \
                     sind. Wer das nicht will, wird es nicht."
        );
        answer(context, guild, runs, done).await
    }
}

impl EndMatch {
    /// Asks once more: suggestions are easily mistaken.
    pub(super) async fn run(self, context: &Context, guild: GuildId) -> Result<Reply, Trouble> {
        let language = context.language();
        let id = named(language, &self.id)?;
        must_be_theirs(context, guild, &id).await?;
        let shown = plain(id.as_str());
        let text = say!(
            language,
            "End the match {shown} here? Its channels go at once, without the grace period, and people go back to where they came from. It stays \
             ended, unless FACEIT runs it again.",
            German: "Das Match {shown} hier beenden? Seine Kanäle verschwinden sofort, ohne Wartezeit, und alle kommen dorthin zurück, wo sie waren. Es \
                     bleibt beendet, es sei denn, FACEIT startet es neu."
        );
        let label = say!(language, "End it now", German: "Jetzt beenden");
        Ok(Reply::text(text).button(ButtonStyle::Danger, label, format!("muster:teardown:{id}")))
    }
}

/// *End it now*.
pub(super) async fn end(context: &Context, guild: GuildId, id: &str) -> Result<Reply, Trouble> {
    let language = context.language();
    let (id, by) = (named(language, id)?, context.by());
    must_be_theirs(context, guild, &id).await?;
    let order = Order {
        actor: &by.actor,
        guild,
        id: &id,
        at: by.at,
    };
    let mut transaction = context.transaction().await?;
    let runs = match_orders::take_down(&mut transaction, &order).await?;
    context.commit(transaction).await?;
    let done = say!(
        language,
        "The match is ended here; its channels are being taken down.",
        German: "Das Match ist hier beendet; seine Kanäle werden abgeräumt."
    );
    answer(context, guild, runs, done).await
}

async fn answer(context: &Context, guild: GuildId, runs: bool, mut done: String) -> Result<Reply, Trouble> {
    let language = context.language();
    if !runs {
        return Ok(Reply::text(say!(
            language,
            "This match does not run: there is nothing to do for it.",
            German: "Dieses Match läuft nicht; dafür ist nichts zu tun."
        )));
    }
    let mut connection = context.connection().await?;
    if service_pause::load(&mut connection).await?.is_some() {
        done.push('\n');
        done.push_str(&say!(
            language,
            "But Muster is paused everywhere by its operators: it happens when it goes on.",
            German: "Aber Muster ist von seinen Betreibern überall angehalten: Es geschieht erst, wenn es weitergeht."
        ));
    } else if context.settings_with_version(&mut connection, guild).await?.0.paused {
        done.push('\n');
        done.push_str(&say!(
            language,
            "But this server is paused: it happens after `/muster resume`.",
            German: "Aber dieser Server ist angehalten: Es geschieht erst nach `/muster resume`."
        ));
    }
    Ok(Reply::text(done))
}

/// The id that somebody typed or chose, or the one in the address of a match room.
fn named(language: Language, typed: &str) -> Result<MatchId, Trouble> {
    let typed = typed.trim();
    let id = typed.split_once("/room/").map_or(typed, |(_, rest)| {
        rest.split(['/', '?', '#']).next().unwrap_or_default()
    });
    if is_plausible_id(id) {
        return Ok(MatchId::new(id));
    }
    Err(Trouble::Told(say!(
        language,
        "That can't be a match. Choose one of those that appear while you type, or give the address of its match room.",
        German: "Das kann kein Match sein. Wähle eines von denen, die beim Tippen erscheinen, oder gib die Adresse seines Match-Raums an."
    )))
}

/// The same is said of a match of another server and of one that nobody knows.
async fn must_be_theirs(context: &Context, guild: GuildId, id: &MatchId) -> Result<(), Trouble> {
    let mut connection = context.connection().await?;
    if matches::is_of(&mut connection, guild, id).await? {
        return Ok(());
    }
    let (language, id) = (context.language(), plain(id.as_str()));
    Err(Trouble::Told(say!(
        language,
        "This server has no match {id}.",
        German: "Dieser Server hat kein Match {id}."
    )))
}

/// Open matches of the guild whose id or teams look like this, the newest first.
pub(super) async fn like(context: &Context, guild: GuildId, typed: &str) -> Result<Vec<(String, String)>, Trouble> {
    let mut connection = context.connection().await?;
    let open = matches::open_in(&mut connection, guild, LOOKED_THROUGH).await?;
    let typed = typed.to_lowercase();
    let shown = open
        .into_iter()
        .map(|(id, facts)| (title(&id, facts.as_ref()), id.to_string()));
    Ok(shown
        .filter(|(title, id)| title.to_lowercase().contains(&typed) || id.to_lowercase().contains(&typed))
        .collect())
}

/// `team_Otterly – team_Teacupine · READY · 80a7ad59`
fn title(id: &MatchId, facts: Option<&MatchFacts>) -> String {
    let team = |faction: &Faction| Some(facts?.sides.get(faction)?.name.clone());
    let teams: Vec<String> = Faction::BOTH.iter().filter_map(team).collect();
    let status = facts.map(|facts| facts.status.to_string());
    let parts = [Some(teams.join(" – ")).filter(|teams| !teams.is_empty()), status];
    let parts = parts.into_iter().flatten().chain([id.short().to_owned()]);
    parts.collect::<Vec<_>>().join(" · ")
}
