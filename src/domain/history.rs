//! What happened to a match, step by step, as it is kept for whoever asks later. The words name nobody: people are ids in a field of their own, so
//! that somebody who is erased is taken out with one stroke.

use std::{collections::BTreeMap, time::Duration};

use crate::domain::{
    Timestamp,
    ids::{ChannelId, Faction, UserId},
    note::Note,
    plan::{Action, Destination, Outcome},
    record::{Blocked, Obstacle, Record},
    render::several,
};

/// What kind of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The match itself: another status, closed, run again.
    Turn,
    /// What is done next, and why.
    Decision,
    /// One step in Discord, with its outcome.
    Call,
    /// Steps that Discord's limits hold up.
    Wait,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Turn, Kind::Decision, Kind::Call, Kind::Wait];

    /// As the database and the API name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Turn => "turn",
            Self::Decision => "decision",
            Self::Call => "call",
            Self::Wait => "wait",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it began.
    pub at: Timestamp,
    pub kind: Kind,
    /// For people.
    pub words: String,
    /// Calls only, as in the metrics.
    pub action: Option<String>,
    pub faction: Option<Faction>,
    pub user: Option<UserId>,
    pub channel: Option<ChannelId>,
    /// Calls only, as in the metrics.
    pub outcome: Option<String>,
    pub detail: Option<String>,
    /// Calls only: until the outcome, the wait for its turn included.
    pub took: Option<Duration>,
}

impl Step {
    fn new(kind: Kind, at: Timestamp, words: impl Into<String>) -> Self {
        Self {
            at,
            kind,
            words: words.into(),
            action: None,
            faction: None,
            user: None,
            channel: None,
            outcome: None,
            detail: None,
            took: None,
        }
    }

    /// What is done next, and what the decision rests on; `asked`: somebody or something booked the match, else it was the timer.
    pub fn decision(at: Timestamp, actions: &[Action], notes: &[Note], status: Option<&str>, asked: bool) -> Self {
        let status = status.map_or_else(
            || "FACEIT has told nothing yet".to_owned(),
            |word| format!("the match is {word}"),
        );
        let looked = if asked { "because there was news" } else { "by timer" };
        let reasons = std::iter::once(format!("{status}, looked at {looked}")).chain(left(notes));
        Self {
            detail: Some(reasons.collect::<Vec<_>>().join("; ")),
            ..Self::new(Kind::Decision, at, summary(actions))
        }
    }

    /// A step in Discord that came to an outcome.
    pub fn call(at: Timestamp, action: &Action, outcome: &Outcome, took: Duration) -> Self {
        let step = Self::tried(at, action, outcome.kind(), took);
        match outcome {
            Outcome::Done => step,
            Outcome::Created(channel) => Self {
                channel: Some(*channel),
                ..step
            },
            Outcome::Refused(why) | Outcome::CategoryGone(why) => Self {
                detail: Some(why.clone()),
                ..step
            },
            outcome => Self {
                detail: Some(outcome.to_string()),
                ..step
            },
        }
    }

    /// A step in Discord without an outcome: it is tried again.
    pub fn unavailable(at: Timestamp, action: &Action, why: String, took: Duration) -> Self {
        Self {
            detail: Some(why),
            ..Self::tried(at, action, "unavailable", took)
        }
    }

    fn tried(at: Timestamp, action: &Action, outcome: &str, took: Duration) -> Self {
        Self {
            action: Some(action.kind().to_owned()),
            faction: action.faction(),
            user: action.user(),
            channel: action.channel(),
            outcome: Some(outcome.to_owned()),
            took: Some(took),
            ..Self::new(Kind::Call, at, words(action))
        }
    }

    /// So many steps wait.
    pub fn wait(at: Timestamp, count: usize, why: String) -> Self {
        Self {
            detail: Some(why),
            ..Self::new(Kind::Wait, at, format!("{} held up", several(count, "step")))
        }
    }
}

/// What became of the match itself between two records of it.
pub fn turns(before: Option<&Record>, record: &Record, now: Timestamp) -> Vec<Step> {
    let mut turns = Vec::new();
    let status = |record: &Record| record.facts.as_ref().map(|facts| facts.status.clone());
    if let Some(status) = status(record).filter(|now| before.and_then(status).as_ref() != Some(now)) {
        turns.push(Step::new(Kind::Turn, now, format!("the match is {status}")));
    }
    let lived = before.and_then(|before| before.live_since);
    if lived.is_some() && record.live_since.is_some_and(|since| Some(since) != lived) {
        turns.push(Step::new(Kind::Turn, now, "FACEIT runs the match again"));
    }
    for (faction, slot) in &record.slots {
        let by = |blocked: &Blocked| blocked.by.as_str();
        let known = before.and_then(|before| before.slots.get(faction)?.blocked.as_ref());
        // A refusal is told by the call that it came of.
        if let Some(blocked) = slot.blocked.as_ref().filter(|blocked| blocked.by != Obstacle::Refused)
            && known.map(by) != Some(by(blocked))
        {
            turns.push(Step {
                faction: Some(*faction),
                detail: Some(blocked.why.clone()),
                ..Step::new(Kind::Turn, now, format!("the channel of {faction} has to wait"))
            });
        }
    }
    if record.closed_at.is_some() && before.is_none_or(|before| before.closed_at.is_none()) {
        turns.push(Step::new(Kind::Turn, now, "the match is over and cleaned up"));
    }
    turns
}

/// A call without the names in it: a channel may be named after a person.
fn words(action: &Action) -> String {
    match action {
        Action::CreateChannel { faction, .. } => format!("create the channel of {faction}"),
        Action::FindChannel { faction, .. } => format!("look whether the channel of {faction} was already created"),
        Action::GrantAccess { faction, .. } => format!("let into the channel of {faction}"),
        Action::RevokeAccess { faction, .. } => format!("take off the list of the channel of {faction}"),
        Action::LocateMember { .. } => "ask where in voice".to_owned(),
        Action::MoveMember { to, .. } => format!("move to {to}"),
        Action::DeleteChannel { .. } | Action::CheckChannel { .. } => action.to_string(),
    }
}

/// `create 2 channels, move 10 players to their channels`
fn summary(actions: &[Action]) -> String {
    let mut counts: BTreeMap<usize, (usize, [&str; 3])> = BTreeMap::new();
    for action in actions {
        let (order, phrase) = match action {
            Action::FindChannel { .. } => (0, ["look for", "channel", ""]),
            Action::CheckChannel { .. } => (1, ["ask after", "channel", ""]),
            Action::CreateChannel { .. } => (2, ["create", "channel", ""]),
            Action::GrantAccess { .. } => (3, ["let", "player", " in"]),
            Action::RevokeAccess { .. } => (4, ["take", "player", " off the list"]),
            Action::LocateMember { .. } => (5, ["ask where", "player", " sit"]),
            Action::MoveMember {
                to: Destination::Slot { .. },
                ..
            } => (6, ["move", "player", " in"]),
            Action::MoveMember { .. } => (7, ["move", "player", " out"]),
            Action::DeleteChannel { .. } => (8, ["delete", "channel", ""]),
        };
        counts.entry(order).or_insert((0, phrase)).0 += 1;
    }
    let parts = counts.into_values();
    let parts = parts.map(|(count, [verb, what, rest])| format!("{verb} {}{rest}", several(count, what)));
    parts.collect::<Vec<_>>().join(", ")
}

/// Why others are left, without their names.
fn left(notes: &[Note]) -> Vec<String> {
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut lines = Vec::new();
    for note in notes {
        let of_a_person = match note {
            Note::NotLinked { .. } => "not linked",
            Note::NotVerified { .. } => "linked, but not verified",
            Note::OptedOut { .. } => "opted out",
            Note::NotInVoice { .. } => "not in voice",
            Note::NotInSource { .. } => "in a channel that nobody is moved from",
            Note::WentElsewhere { .. } => "gone elsewhere",
            Note::NotInGuild { .. } => "not in the Discord server",
            Note::MoveRefused { .. } => "could not be moved",
            other => {
                lines.push(other.to_string());
                continue;
            }
        };
        *counts.entry(of_a_person).or_default() += 1;
    }
    let counts = counts
        .into_iter()
        .map(|(why, count)| format!("{}: {why}", several(count, "player")));
    lines.extend(counts);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::MatchId;
    use crate::domain::match_facts::{MatchFacts, Status};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + time::Duration::seconds(seconds)
    }

    fn user(id: u64) -> UserId {
        UserId::new(id).unwrap()
    }

    fn channel(id: u64) -> ChannelId {
        ChannelId::new(id).unwrap()
    }

    fn create(faction: Faction) -> Action {
        Action::CreateChannel {
            faction,
            name: "team_nova".to_owned(),
            category: None,
            access: vec![user(7)],
            staff: Vec::new(),
            spectators: Vec::new(),
        }
    }

    #[test]
    fn a_decision_says_what_is_done_and_why_and_names_nobody() {
        let to = Destination::Slot {
            faction: Faction::One,
            channel: channel(3),
        };
        let actions = [
            Action::MoveMember { user: user(7), to },
            create(Faction::One),
            create(Faction::Two),
        ];
        let nickname = || "Nova".to_owned();
        let faction = Faction::One;
        let notes = [
            Note::NotLinked {
                faction,
                nickname: nickname(),
            },
            Note::NotInVoice {
                faction,
                nickname: nickname(),
            },
            Note::NotLinked {
                faction,
                nickname: "Rex".to_owned(),
            },
        ];
        let step = Step::decision(at(1), &actions, &notes, Some("READY"), true);
        assert_eq!(step.words, "create 2 channels, move 1 player in");
        assert_eq!(
            step.detail.as_deref(),
            Some("the match is READY, looked at because there was news; 1 player: not in voice; 2 players: not linked")
        );
        let by_timer = Step::decision(at(1), &actions, &[], None, false);
        assert_eq!(
            by_timer.detail.as_deref(),
            Some("FACEIT has told nothing yet, looked at by timer")
        );
    }

    #[test]
    fn a_call_keeps_ids_in_their_fields_and_no_names_in_its_words() {
        let to = Destination::Back(channel(9));
        let action = Action::MoveMember { user: user(7), to };
        let refused = Outcome::Refused("the bot may not".to_owned());
        let step = Step::call(at(1), &action, &refused, Duration::from_millis(40));
        assert_eq!(step.words, "move to channel 9, where he came from");
        assert_eq!((step.user, step.channel), (Some(user(7)), Some(channel(9))));
        assert_eq!(
            (step.outcome.as_deref(), step.detail.as_deref()),
            (Some("refused"), Some("the bot may not"))
        );
        let made = Step::call(
            at(1),
            &create(Faction::Two),
            &Outcome::Created(channel(4)),
            Duration::ZERO,
        );
        assert_eq!(
            (made.words.as_str(), made.channel),
            ("create the channel of faction2", Some(channel(4)))
        );
    }

    #[test]
    fn only_what_changed_is_a_turn() {
        let mut record = Record::new(MatchId::new("1-a"), at(0));
        let fresh = record.clone();
        record.facts = Some(MatchFacts::bare(Status::Ready));
        record.live_since = Some(at(1));
        let words = |before: &Record, record: &Record| {
            let turns = turns(Some(before), record, at(2));
            turns.into_iter().map(|step| step.words).collect::<Vec<_>>()
        };
        assert_eq!(words(&fresh, &record), ["the match is READY"]);
        assert!(words(&record, &record).is_empty());
        let over = Record {
            facts: Some(MatchFacts::bare(Status::Finished)),
            closed_at: Some(at(3)),
            ..record.clone()
        };
        assert_eq!(
            words(&record, &over),
            ["the match is FINISHED", "the match is over and cleaned up"]
        );
        let again = Record {
            live_since: Some(at(4)),
            ..record.clone()
        };
        assert_eq!(words(&record, &again), ["FACEIT runs the match again"]);
    }
}
