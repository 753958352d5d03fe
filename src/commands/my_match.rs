//! `/match`: the asker's running match, his channel, why he is not in it, and a button that moves him.

use twilight_interactions::command::{CommandModel, CreateCommand};
use twilight_model::channel::message::component::ButtonStyle;

use crate::{
    commands::{
        answer::Reply,
        connections::not_linked,
        context::Context,
        limit::Counted,
        trouble::Trouble,
        why_not::{Stands, stands},
        words::{Language, described, plain, say},
    },
    domain::{
        event::State,
        ids::{Faction, MatchId, PlayerId},
        match_facts::MatchFacts,
    },
    store::{
        links::{StoredLink, open_matches_of},
        match_members::{Whom, request_move},
    },
};

/// `/match`
#[derive(CommandModel, CreateCommand)]
#[command(name = "match", desc_localizations = "description", contexts = "guild")]
pub struct MyMatch;

described! {
    description: "Show your running match and your channel", "de": "Zeigt dein laufendes Match und deinen Kanal";
}

/// More at once are a mistake somewhere, and would not fit.
const SHOWN: usize = 3;

impl MyMatch {
    pub async fn run(context: &Context) -> Result<Reply, Trouble> {
        let language = context.language();
        let Some(link) = context.link().await? else {
            return Ok(Reply::text(not_linked(language)));
        };
        let mut shown = Vec::new();
        for id in of(context, &link).await? {
            let state = (context.services().look)(id.clone()).await?;
            let faction = state.as_ref().and_then(|state| faction_of(state, &link.row.player));
            if let Some((state, faction)) = state.zip(faction) {
                shown.push((id, state, faction));
            }
        }
        // Those that are over still stand for their grace period.
        shown.sort_by_key(|(_, state, _)| state.record.ended_at.is_some());
        shown.truncate(SHOWN);
        if shown.is_empty() {
            return Ok(Reply::text(say!(
                language,
                "No match of yours is running that Muster knows of. It learns of one when FACEIT sets it up.",
                German: "Muster weiß von keinem laufenden Match von dir. Es erfährt davon, wenn FACEIT es aufsetzt."
            )));
        }
        let now = context.services().clock.now();
        let (mut texts, mut movable) = (Vec::new(), Vec::new());
        for (id, state, faction) in &shown {
            let stands = stands(language, state, &link, *faction, now);
            texts.push(told(language, id, state, *faction, &stands));
            movable.extend(stands.movable.then_some(id));
        }
        let label = say!(language, "Move me", German: "Verschiebe mich");
        let reply = Reply::text(texts.join("\n\n"));
        Ok(movable.into_iter().fold(reply, |reply, id| {
            reply.button(ButtonStyle::Primary, label.clone(), format!("match:{id}"))
        }))
    }

    /// *Move me*, in that match: only if it is his.
    pub async fn press(context: &Context, id: &str) -> Result<Reply, Trouble> {
        let language = context.language();
        let Some(link) = context.link().await? else {
            return Ok(Reply::text(not_linked(language)));
        };
        context.count(Counted::Move)?;
        let now = context.services().clock.now();
        let mut transaction = context.transaction().await?;
        let own = open_matches_of(&mut transaction, &[link.row.player.as_str()], &[]).await?;
        let found = own.iter().find(|own| own.as_str() == id);
        let runs = match found {
            Some(id) => request_move(&mut transaction, id, Whom::One(link.row.user), now).await?,
            None => false,
        };
        context.commit(transaction).await?;
        Ok(Reply::text(if runs {
            say!(
                language,
                "You are moved in a moment, if you are connected to voice. `/match` says when not.",
                German: "Du wirst gleich verschoben, wenn du in einem Sprachkanal bist. Klappt es nicht, sagt `/match`, warum."
            )
        } else {
            say!(language, "This match is over.", German: "Dieses Match ist vorbei.")
        }))
    }
}

async fn of(context: &Context, link: &StoredLink) -> Result<Vec<MatchId>, Trouble> {
    let mut connection = context.connection().await?;
    Ok(open_matches_of(&mut connection, &[link.row.player.as_str()], &[]).await?)
}

fn faction_of(state: &State, player: &PlayerId) -> Option<Faction> {
    let facts = state.record.facts.as_ref()?;
    let plays = |faction: &Faction| {
        let roster = facts.sides.get(faction).map(|side| &side.roster);
        roster.is_some_and(|roster| roster.iter().any(|one| one.id == *player))
    };
    Faction::BOTH.into_iter().find(plays)
}

fn told(language: Language, id: &MatchId, state: &State, own: Faction, stands: &Stands) -> String {
    let mut lines = Vec::new();
    if let Some(facts) = &state.record.facts {
        lines.push(title(language, id, facts));
        lines.extend(
            Faction::BOTH
                .into_iter()
                .filter_map(|faction| side(language, facts, faction, own)),
        );
    }
    let slot = state.record.slots.get(&own);
    if let Some((guild, channel)) = state.record.guild.zip(slot.and_then(|slot| slot.channel)) {
        let jump = format!("https://discord.com/channels/{guild}/{channel}");
        lines.push(say!(language, "Your channel: {jump}", German: "Dein Kanal: {jump}"));
    }
    lines.push(stands.text.clone());
    lines.join("\n")
}

fn title(language: Language, id: &MatchId, facts: &MatchFacts) -> String {
    let name = match facts.competition.name.as_str() {
        "" => say!(language, "Match", German: "Match"),
        name => plain(name),
    };
    let status = &facts.status;
    // FACEIT's ids hold nothing that an address could not.
    let game = if facts.game.is_empty() { "cs2" } else { &facts.game };
    let room = say!(language, "match room", German: "Match-Raum");
    format!("**{name}** · {status} · [{room}](<https://www.faceit.com/en/{game}/room/{id}>)")
}

fn side(language: Language, facts: &MatchFacts, faction: Faction, own: Faction) -> Option<String> {
    let side = facts.sides.get(&faction)?;
    let name = plain(&side.name);
    let names: Vec<String> = side.roster.iter().map(|player| plain(&player.nickname)).collect();
    let names = names.join(", ");
    Some(if faction == own {
        say!(language, "**{name}** (your team): {names}", German: "**{name}** (dein Team): {names}")
    } else {
        format!("**{name}**: {names}")
    })
}
