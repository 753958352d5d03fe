//! Where one player of a match stands, and why he is not in his team's channel: what the next decision would say of him, in his words.

use crate::{
    commands::words::{Language, say},
    domain::{
        Timestamp,
        decide::decide,
        event::{Event, State},
        ids::{ChannelId, Faction},
        plan::{Action, Destination, Note, Seat},
    },
    store::links::StoredLink,
};

/// How it stands with him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stands {
    pub text: String,
    /// It makes sense to ask to be moved.
    pub movable: bool,
}

/// What is true of `link`'s owner, who plays for `own`.
pub(super) fn stands(language: Language, state: &State, link: &StoredLink, own: Faction, now: Timestamp) -> Stands {
    let user = link.row.user;
    let channel = state.record.slots.get(&own).and_then(|slot| slot.channel);
    let decision = decide(&mut state.clone(), &Event::Tick, now);
    let moved = decision
        .actions
        .iter()
        .any(|action| matches!(action, Action::MoveMember { user: who, to: Destination::Slot { .. } } if *who == user));
    // FACEIT's name for him, by which the notes call him.
    let facts = state.record.facts.as_ref();
    let roster = facts
        .and_then(|facts| facts.sides.get(&own))
        .map_or(&[][..], |side| &side.roster);
    let nickname = roster
        .iter()
        .find(|one| one.id == link.row.player)
        .map_or("", |one| one.nickname.as_str());
    let mine = decision
        .notes
        .iter()
        .find_map(|note| of_him(language, state, note, own, nickname));
    if let Some(stands) = mine {
        return stands;
    }
    match (channel, state.seats.of(user)) {
        (Some(channel), Some(Seat::In(here))) if here == channel => {
            fixed(say!(language, "You are in it.", German: "Du bist darin."))
        }
        _ if moved => fixed(say!(
            language,
            "You are being moved there now.",
            German: "Du wirst gerade dorthin verschoben."
        )),
        (Some(_), _) => movable(say!(
            language,
            "You were moved there, or may go there yourself.",
            German: "Du wurdest dorthin verschoben, oder kannst selbst hingehen."
        )),
        (None, _) => fixed(say!(
            language,
            "Your team's channel is being made.",
            German: "Der Kanal deines Teams entsteht gerade."
        )),
    }
}

fn fixed(text: String) -> Stands {
    Stands { text, movable: false }
}

fn movable(text: String) -> Stands {
    Stands { text, movable: true }
}

/// None for a note about somebody else.
fn of_him(language: Language, state: &State, note: &Note, own: Faction, nickname: &str) -> Option<Stands> {
    let his = |faction: &Faction, name: &String| *faction == own && name == nickname;
    Some(match note {
        Note::NotVerified { faction, nickname } if his(faction, nickname) => fixed(say!(
            language,
            "You are not moved: in this server only proven links count. Run `/link` and sign in at FACEIT.",
            German: "Du wirst nicht verschoben: Auf diesem Server zählen nur bewiesene Verknüpfungen. Rufe `/link` auf und melde dich bei FACEIT an."
        )),
        Note::OptedOut { faction, nickname } if his(faction, nickname) => fixed(say!(
            language,
            "You are not moved: you have opted out. You may go there yourself; `/optin` undoes it.",
            German: "Du wirst nicht verschoben, weil du das so willst. Du kannst selbst hingehen; `/optin` ändert das."
        )),
        Note::NotInVoice { faction, nickname } if his(faction, nickname) => movable(say!(
            language,
            "You are not in voice. Connect to a voice channel, and you are moved.",
            German: "Du bist in keinem Sprachkanal. Gehe in einen, und du wirst verschoben."
        )),
        Note::NotInSource { faction, nickname } if his(faction, nickname) => {
            let sources = sources(state);
            fixed(say!(
                language,
                "You are in a voice channel that nobody is moved from. Go to one of these, and you are moved: {sources}",
                German: "Du bist in einem Sprachkanal, aus dem niemand verschoben wird. Gehe in einen von diesen, und du wirst verschoben: {sources}"
            ))
        }
        Note::WentElsewhere { faction, nickname } if his(faction, nickname) => movable(say!(
            language,
            "You left it for another channel, so you were left alone.",
            German: "Du hast ihn für einen anderen Kanal verlassen und wurdest deshalb in Ruhe gelassen."
        )),
        Note::NotInGuild { faction, nickname } if his(faction, nickname) => movable(say!(
            language,
            "Discord did not know you in the server where the match is.",
            German: "Discord kannte dich auf dem Server nicht, auf dem das Match ist."
        )),
        Note::MoveRefused { faction, nickname, why } if his(faction, nickname) => movable(say!(
            language,
            "You could not be moved; tell the staff: {why}",
            German: "Du konntest nicht verschoben werden; sag dem Team Bescheid: {why}"
        )),
        Note::Blocked { faction, why } if *faction == own => fixed(say!(
            language,
            "Your team's channel could not be made; tell the staff: {why}",
            German: "Der Kanal deines Teams konnte nicht angelegt werden; sag dem Team Bescheid: {why}"
        )),
        Note::Waiting(why) => fixed(say!(
            language,
            "There are no channels yet: {why}.",
            German: "Es gibt noch keine Kanäle: {why}."
        )),
        Note::Grace(until) => {
            let until = until.unix_timestamp();
            fixed(say!(
                language,
                "The match is over; its channels go <t:{until}:R>.",
                German: "Das Match ist vorbei; seine Kanäle verschwinden <t:{until}:R>."
            ))
        }
        Note::TakenDown => fixed(say!(
            language,
            "The staff has closed this match's channels.",
            German: "Das Team hat die Kanäle dieses Matches geschlossen."
        )),
        Note::Expired | Note::Closed => fixed(say!(language, "The match is over.", German: "Das Match ist vorbei.")),
        Note::Halted => fixed(say!(
            language,
            "Muster is paused everywhere: nobody is moved until it goes on.",
            German: "Muster ist überall angehalten: Bis es weitergeht, wird niemand verschoben."
        )),
        Note::Paused => fixed(say!(
            language,
            "The staff has paused Muster in this server: nobody is moved until it goes on.",
            German: "Das Team hat Muster auf diesem Server angehalten: Bis es weitergeht, wird niemand verschoben."
        )),
        Note::Unclaimed | Note::NeverSeen => fixed(say!(
            language,
            "No Discord server has its matches from this competition, so there are no channels.",
            German: "Zu diesem Wettbewerb gehört kein Discord-Server, also gibt es keine Kanäle."
        )),
        _ => return None,
    })
}

/// As Discord shows channels; that pings nobody.
fn sources(state: &State) -> String {
    let channels = state.settings.as_ref().map(|settings| &settings.source_channels);
    let shown = |channel: &ChannelId| format!("<#{channel}>");
    let channels: Vec<String> = channels.into_iter().flatten().map(shown).collect();
    channels.join(" ")
}
