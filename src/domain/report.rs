//! The report of a running match for the staff of its guild: who is missing and why, in one short message. What it should say is made from the
//! last decision; what to do about the message follows from what it says now. Mentions nobody.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use crate::domain::{
    Timestamp,
    event::State,
    ids::{ChannelId, MatchId},
    match_facts::{MatchFacts, Phase},
    plan::Note,
    render::plain,
    settings::ReportAtEnd,
};

/// Discord's longest message, in characters (API reference, *Create Message*).
const LONGEST: usize = 2_000;
/// A message is not changed more often than this: people come in one after the other, and every change is a call.
const CHANGE_AT_MOST_EVERY: Duration = Duration::from_secs(10);
/// A post that is tried again after no longer than this is no second message: Discord knows its nonce for "a few minutes" (API reference, *Create
/// Message*, `enforce_nonce`), and a post may wait for its turn for one of them.
const NONCE_HOLDS: Duration = Duration::from_secs(60);
/// How long a refused message rests: a person has to change something first.
const TRY_REFUSED_AGAIN: Duration = Duration::from_secs(600);

/// What a run of the match wants of its report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// As it is: the match does not stand yet, or is not to be touched now.
    Leave,
    /// So it should read.
    Say { channel: ChannelId, text: String },
    /// The match is over. What is there then says this, or, without a text, goes.
    End { text: Option<String> },
    /// No report is wanted in this guild.
    Drop,
}

/// What is known of a report: table `match_reports`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Where it should be and what it should say; None: it should not be there.
    pub wanted: Option<(ChannelId, String)>,
    /// Nothing more is going to be wanted.
    pub over: bool,
    /// A post was begun then in that channel, and its answer is not recorded.
    pub posting: Option<(Timestamp, ChannelId)>,
    pub message: Option<Message>,
    /// Somebody deleted it: it is not posted again.
    pub dismissed: bool,
    /// Why it could not be written, and when that was.
    pub blocked: Option<(String, Timestamp)>,
}

/// The message as it stands in Discord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub channel: ChannelId,
    pub id: u64,
    pub said: String,
    pub said_at: Timestamp,
}

/// What to do about the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Without a text there is nothing to say: it is posted again because it may be there, and is then deleted.
    Post {
        channel: ChannelId,
        text: Option<String>,
    },
    /// Look whether it was posted since then; Discord has forgotten the nonce.
    Look {
        channel: ChannelId,
        since: Timestamp,
    },
    Edit {
        channel: ChannelId,
        message: u64,
        text: String,
    },
    Delete {
        channel: ChannelId,
        message: u64,
    },
    /// Nothing before then.
    Rest(Timestamp),
    /// It is as it should be.
    Done,
    /// It is done with: nothing has to be remembered.
    Forget,
}

/// What the report of a match should be by the notes of a run's last decision.
pub fn wish(state: &State, notes: &[Note]) -> Wish {
    let Some(settings) = &state.settings else {
        return Wish::Drop;
    };
    let record = &state.record;
    if record.closed_at.is_some() {
        let facts = record.facts.as_ref();
        let text = match settings.report_at_end {
            ReportAtEnd::Delete => None,
            ReportAtEnd::Close => facts.map(|facts| format!("{}\nIt is over.", title(&record.id, facts))),
        };
        return Wish::End { text };
    }
    let Some(channel) = settings.report_channel else {
        return Wish::Drop;
    };
    let untouched = |note: &Note| {
        matches!(
            note,
            Note::Paused | Note::Halted | Note::Outage | Note::Parked { .. } | Note::Waiting(_)
        )
    };
    match &record.facts {
        Some(facts)
            if facts.status.phase() == Phase::Running
                && record.ended_at.is_none()
                && record.slots.values().any(|slot| slot.has_reason())
                && !notes.iter().any(untouched) =>
        {
            let text = text(&record.id, facts, notes);
            Wish::Say { channel, text }
        }
        _ => Wish::Leave,
    }
}

impl Report {
    /// The next step; once it is taken, the one after it.
    pub fn next(&self, now: Timestamp) -> Step {
        let Some(message) = &self.message else {
            return self.without_message(now);
        };
        match &self.wanted {
            Some((channel, text)) if *channel == message.channel => {
                if *text == message.said {
                    return if self.over { Step::Forget } else { Step::Done };
                }
                let changed = Some(message.said_at + CHANGE_AT_MOST_EVERY).filter(|_| !self.over);
                self.rested(changed, now).unwrap_or_else(|| Step::Edit {
                    channel: message.channel,
                    message: message.id,
                    text: text.clone(),
                })
            }
            _ => Step::Delete {
                channel: message.channel,
                message: message.id,
            },
        }
    }

    /// Discord refused to let it be posted or looked for. A post that may be there is not forgotten, unless nobody wants it any more.
    pub fn refused(&mut self, channel: ChannelId, why: String, now: Timestamp) {
        let still = |(wanted, _): &(ChannelId, String)| *wanted == channel && !self.over && !self.dismissed;
        if !self.wanted.as_ref().is_some_and(still) {
            self.posting = None;
        }
        self.blocked = Some((why, now));
    }

    fn without_message(&self, now: Timestamp) -> Step {
        let wanted = self.wanted.as_ref().filter(|_| !self.dismissed);
        let channel = match (self.posting, wanted) {
            (Some((since, channel)), _) if now >= since + NONCE_HOLDS => {
                return self.rested(None, now).unwrap_or(Step::Look { channel, since });
            }
            // It may be there, and is found by posting it again under the same nonce.
            (Some((_, channel)), _) => channel,
            (None, Some((channel, _))) if !self.over => *channel,
            (None, _) if self.dismissed && !self.over => return Step::Done,
            (None, _) => return Step::Forget,
        };
        let text = wanted.map(|(_, text)| text.clone());
        self.rested(None, now).unwrap_or(Step::Post { channel, text })
    }

    /// Why it has to wait, if it has.
    fn rested(&self, changed: Option<Timestamp>, now: Timestamp) -> Option<Step> {
        let refused = self.blocked.as_ref().map(|(_, at)| *at + TRY_REFUSED_AGAIN);
        refused.max(changed).filter(|until| now < *until).map(Step::Rest)
    }
}

/// The report of a match that has nothing to say any more.
pub fn ended(id: &MatchId) -> String {
    format!("[room](<https://www.faceit.com/en/cs2{}\nIt is over.", room(id))
}

/// Whether a message of ours is the report of this match.
pub fn is_about(said: &str, id: &MatchId) -> bool {
    said.contains(&room(id))
}

/// In every report, and in no other match's: ids hold no `>`.
fn room(id: &MatchId) -> String {
    format!("/room/{id}>)")
}

fn title(id: &MatchId, facts: &MatchFacts) -> String {
    let names: Vec<String> = facts.sides.values().map(|side| plain(&side.name)).collect();
    let sides = if names.len() == 2 {
        names.join(" – ")
    } else {
        plain(id.as_str())
    };
    let game = if facts.game.chars().all(|c| c.is_ascii_alphanumeric()) && !facts.game.is_empty() {
        facts.game.as_str()
    } else {
        "cs2"
    };
    format!("**{sides}** · [room](<https://www.faceit.com/en/{game}{}", room(id))
}

fn text(id: &MatchId, facts: &MatchFacts, notes: &[Note]) -> String {
    let mut text = title(id, facts);
    let before = text.len();
    let mut people: BTreeMap<(u8, &str), Vec<String>> = BTreeMap::new();
    for (group, nickname) in notes.iter().filter_map(missing) {
        people.entry(group).or_default().push(plain(nickname));
    }
    for ((_, what), names) in people {
        // Writing into a string can't fail.
        let _ = write!(text, "\n{what}: {}", names.join(", "));
    }
    for note in notes {
        if let Note::MoveRefused { .. } | Note::Blocked { .. } | Note::AccessBlocked { .. } = note {
            let _ = write!(text, "\n⚠ {}", plain(&note.to_string()));
        }
    }
    if text.len() == before {
        text.push_str("\nEverybody is in his channel.");
    }
    shortened(text)
}

/// Who is not in his channel, and under which heading he is listed; those whom staff can help first.
fn missing(note: &Note) -> Option<((u8, &'static str), &str)> {
    Some(match note {
        Note::NotLinked { nickname, .. } => ((0, "Not linked (they type `/link`)"), nickname),
        Note::NotVerified { nickname, .. } => ((1, "Linked, but not verified (they use `/link`)"), nickname),
        Note::NotInVoice { nickname, .. } => ((2, "Not in voice"), nickname),
        Note::NotInSource { nickname, .. } => ((3, "In a channel that nobody is moved from"), nickname),
        Note::WentElsewhere { nickname, .. } => ((4, "Went to another channel"), nickname),
        Note::NotInGuild { nickname, .. } => ((5, "Not in this server"), nickname),
        Note::OptedOut { nickname, .. } => ((6, "Opted out"), nickname),
        _ => return None,
    })
}

/// Whole lines, as many as fit.
fn shortened(text: String) -> String {
    if text.chars().count() <= LONGEST {
        return text;
    }
    let mut short = String::new();
    let mut left = LONGEST - 2;
    for line in text.lines() {
        let length = line.chars().count() + 1;
        if length > left {
            break;
        }
        left -= length;
        short.push_str(line);
        short.push('\n');
    }
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        ids::{Faction, GuildId},
        match_facts::{Side, Status},
        record::Record,
        settings::Settings,
        tests::toy::{Toy, api, at, channel, lucky, run, state},
    };

    const ROOM: u64 = 5;
    const OTHER: u64 = 6;

    fn facts() -> MatchFacts {
        let side = |name: &str| Side {
            name: name.to_owned(),
            ..Side::default()
        };
        MatchFacts {
            sides: BTreeMap::from([(Faction::One, side("Blue_Team")), (Faction::Two, side("[x](y)"))]),
            game: "cs2".to_owned(),
            ..MatchFacts::bare(Status::Ready)
        }
    }

    fn unlinked(nickname: &str) -> Note {
        Note::NotLinked {
            faction: Faction::One,
            nickname: nickname.to_owned(),
        }
    }

    fn id() -> MatchId {
        MatchId::new("1-abc")
    }

    fn report(wanted: Option<(u64, &str)>) -> Report {
        Report {
            wanted: wanted.map(|(room, text)| (channel(room), text.to_owned())),
            over: false,
            posting: None,
            message: None,
            dismissed: false,
            blocked: None,
        }
    }

    fn says(room: u64, text: &str) -> Option<Message> {
        Some(Message {
            channel: channel(room),
            id: 77,
            said: text.to_owned(),
            said_at: at(0),
        })
    }

    #[test]
    fn names_neither_format_nor_mention() {
        let text = text(&id(), &facts(), &[unlinked("<@1> **x**"), unlinked("@everyone")]);
        assert_eq!(
            text,
            "**Blue\\_Team – \\[x\\]\\(y\\)** · [room](<https://www.faceit.com/en/cs2/room/1-abc>)\n\
             Not linked (they type `/link`): \\<\\@1\\> \\*\\*x\\*\\*, \\@everyone"
        );
    }

    #[test]
    fn whatever_has_to_be_said_fits_into_a_message() {
        let why = "why ".repeat(90);
        let refused = |number: u32| Note::MoveRefused {
            faction: Faction::One,
            nickname: number.to_string(),
            why: why.clone(),
        };
        let notes: Vec<_> = (0..20).map(refused).collect();
        let text = text(&id(), &facts(), &notes);
        assert!(text.chars().count() <= LONGEST && text.ends_with("\n…"), "{text}");
        assert!(text.contains("0 \\(faction1\\) could not be moved"), "{text}");
    }

    #[test]
    fn it_is_wanted_while_the_match_stands_and_left_alone_while_nothing_may_be_done() {
        let mut state = state([11, 21]);
        let room = channel(ROOM);
        state.record.facts = Some(facts());
        let set = |state: &mut State, room: Option<ChannelId>, paused| {
            let settings = Settings {
                report_channel: room,
                paused,
                ..Settings::new(GuildId::new(1).expect("above zero"))
            };
            state.settings = Some(settings.into());
        };
        set(&mut state, None, false);
        assert_eq!(wish(&state, &[]), Wish::Drop);
        set(&mut state, Some(room), false);
        assert_eq!(wish(&state, &[]), Wish::Leave, "no channel stands yet");
        let mut toy = Toy::new([11, 21]);
        let ready = api(crate::domain::tests::toy::facts(Status::Ready, &[11], &[21]));
        let decision = run(&mut state, ready, at(0), &mut toy, &mut lucky);
        let Wish::Say { channel, text } = wish(&state, &decision.notes) else {
            panic!("{:?}", wish(&state, &decision.notes))
        };
        assert_eq!(channel, room);
        assert!(text.ends_with("Everybody is in his channel."), "{text}");
        assert_eq!(wish(&state, &[Note::Paused]), Wish::Leave);
        state.record = Record {
            closed_at: Some(at(9)),
            ..state.record
        };
        assert_eq!(wish(&state, &[]), Wish::End { text: None });
    }

    #[test]
    fn a_message_is_posted_then_changed_and_not_every_moment() {
        let mut report = report(Some((ROOM, "one")));
        let text = |text: &str| text.to_owned();
        let room = channel(ROOM);
        assert_eq!(
            report.next(at(0)),
            Step::Post {
                channel: room,
                text: Some(text("one"))
            }
        );
        report.message = says(ROOM, "one");
        assert_eq!(report.next(at(0)), Step::Done);
        report.wanted = Some((room, text("two")));
        assert_eq!(report.next(at(3)), Step::Rest(at(10)));
        let edit = Step::Edit {
            channel: room,
            message: 77,
            text: text("two"),
        };
        assert_eq!(report.next(at(10)), edit);
        report.over = true;
        assert_eq!(report.next(at(3)), edit, "the last word is said at once");
        report.message = says(ROOM, "two");
        assert_eq!(report.next(at(3)), Step::Forget);
    }

    #[test]
    fn it_goes_when_it_is_not_wanted_and_leaves_the_wrong_channel() {
        let mut report = report(None);
        report.message = says(ROOM, "one");
        let delete = Step::Delete {
            channel: channel(ROOM),
            message: 77,
        };
        assert_eq!(report.next(at(0)), delete);
        report.wanted = Some((channel(OTHER), "one".to_owned()));
        assert_eq!(report.next(at(0)), delete);
        report.message = None;
        report.wanted = None;
        assert_eq!(report.next(at(0)), Step::Forget);
    }

    #[test]
    fn an_unanswered_post_is_repeated_even_to_be_deleted() {
        let mut report = report(None);
        report.over = true;
        report.posting = Some((at(0), channel(ROOM)));
        assert!(matches!(report.next(at(1)), Step::Post { channel: room, .. } if room == channel(ROOM)));
    }

    #[test]
    fn when_discord_has_forgotten_the_nonce_it_is_looked_for_and_not_posted_blindly() {
        let mut report = report(Some((OTHER, "one")));
        let (room, since) = (channel(ROOM), at(0));
        report.posting = Some((since, room));
        assert!(matches!(report.next(at(59)), Step::Post { channel, .. } if channel == room));
        let look = Step::Look { channel: room, since };
        assert_eq!(report.next(at(60)), look);
        report.wanted = Some((room, "one".to_owned()));
        report.refused(room, "no permission".to_owned(), at(61));
        assert_eq!(report.next(at(62)), Step::Rest(at(661)));
        assert_eq!(report.next(at(661)), look, "it may still be there");
        report.over = true;
        report.refused(room, "no permission".to_owned(), at(662));
        assert_eq!(report.next(at(663)), Step::Forget, "nobody looks for it for ever");
    }

    #[test]
    fn every_report_is_known_by_the_room_of_its_match() {
        let others = MatchId::new("1-abcd");
        for text in [text(&id(), &facts(), &[]), ended(&id())] {
            assert!(is_about(&text, &id()) && !is_about(&text, &others), "{text}");
        }
    }

    #[test]
    fn refused_it_rests_and_dismissed_it_stays_away() {
        let mut report = report(Some((ROOM, "one")));
        report.blocked = Some(("no permission".to_owned(), at(0)));
        assert_eq!(report.next(at(1)), Step::Rest(at(600)));
        assert!(matches!(report.next(at(600)), Step::Post { .. }));
        report.blocked = None;
        report.dismissed = true;
        assert_eq!(report.next(at(1)), Step::Done);
        report.over = true;
        assert_eq!(report.next(at(1)), Step::Forget);
    }
}
