//! Many matches in one guild whose category is too small: further categories come and go, and never two where one does.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use proptest::prelude::*;

use crate::domain::{
    Timestamp,
    event::{Event, State},
    guild::{Guild, IN_CATEGORY, Overflow},
    ids::{ChannelId, Faction, MatchId},
    match_facts::Status,
    plan::{Decision, Outcome},
    record::{Obstacle, Slot},
    rooms,
    settings::Settings,
    tests::toy::{Luck, Toy, api, at, channel, facts, lucky, run, state},
};

const BASE: u64 = 9;

/// A guild, its matches, and the categories that we made.
struct League {
    toy: Toy,
    settings: Arc<Settings>,
    games: Vec<State>,
    categories: BTreeMap<u32, rooms::Category>,
    /// Whether the gateway tells how full it is.
    told: bool,
    steps: Vec<rooms::Action>,
}

impl League {
    fn new(told: bool, taken: u64) -> Self {
        let mut toy = Toy::new([]);
        toy.channels.insert(channel(BASE), ("Matches".to_owned(), None));
        for id in 0..taken {
            toy.channels.insert(channel(100 + id), ("another's".to_owned(), None));
            toy.parents.insert(channel(100 + id), channel(BASE));
        }
        let settings = state([]).settings.expect("settings");
        let settings = Arc::new(Settings {
            category: Some(channel(BASE)),
            ..settings.as_ref().clone()
        });
        Self {
            toy,
            settings,
            games: Vec::new(),
            categories: BTreeMap::new(),
            told,
            steps: Vec::new(),
        }
    }

    /// What is stored and told of the guild.
    fn view(&self) -> Guild {
        let mut taken: BTreeMap<ChannelId, usize> = BTreeMap::new();
        let slots = || self.games.iter().flat_map(|game| game.record.slots.values());
        for slot in slots() {
            let own =
                usize::from(slot.channel.is_some() || slot.intended_at.is_some() || slot.uncertain_since.is_some());
            if let (Some(category), 1..) = (slot.category, own + slot.strays.len()) {
                *taken.entry(category).or_default() += own + slot.strays.len();
            }
        }
        let bound = self.categories.values();
        let overflow = bound.filter_map(|category| {
            Some(Overflow {
                channel: category.channel?,
                base: category.base,
            })
        });
        let unmade = self.categories.values().filter(|category| category.channel.is_none());
        let blocked = unmade.filter_map(|category| category.blocked.as_ref()).next();
        Guild {
            taken,
            overflow: overflow.collect(),
            overflow_blocked: blocked.map(|blocked| blocked.why.clone()),
            fullness: self.told.then(|| self.toy.fullness()),
            ..Guild::default()
        }
    }

    fn sync(&mut self, game: usize, event: Event, now: Timestamp, luck: &mut dyn FnMut() -> Luck) -> Decision {
        let view = self.view();
        let missing = |slot: &Slot| {
            slot.channel
                .filter(|id| self.told && !self.toy.channels.contains_key(id))
        };
        let missing = self.games[game].record.slots.values().filter_map(missing).collect();
        self.games[game].guild = Guild { missing, ..view };
        run(&mut self.games[game], event, now, &mut self.toy, luck)
    }

    fn ready(&mut self, now: u64) -> usize {
        let number = self.games.len();
        let mut game = state([]);
        game.settings = Some(self.settings.clone());
        game.record.id = MatchId::new(format!("1-{number:08}"));
        self.games.push(game);
        self.sync(number, api(facts(Status::Ready, &[1], &[2])), at(now), &mut lucky);
        number
    }

    fn rooms_state(&self) -> rooms::State {
        let waits = |game: &&State| game.record.ended_at.is_none();
        let no_room = |slot: &&Slot| {
            slot.blocked
                .as_ref()
                .is_some_and(|blocked| blocked.by == Obstacle::NoRoom)
        };
        let waiting = |game: &State| game.record.slots.values().filter(no_room).cloned().collect::<Vec<_>>();
        let waiting: Vec<Vec<Slot>> = self.games.iter().filter(waits).map(waiting).collect();
        let bound: BTreeSet<ChannelId> = self
            .categories
            .values()
            .filter_map(|category| category.channel)
            .collect();
        rooms::State {
            settings: self.settings.clone(),
            guild: Guild {
                closed: waiting.iter().flatten().filter_map(|slot| slot.category).collect(),
                missing: bound
                    .into_iter()
                    .filter(|id| !self.told || !self.toy.channels.contains_key(id))
                    .collect(),
                ..self.view()
            },
            categories: self.categories.clone(),
            waiting: waiting.iter().map(Vec::len).filter(|needed| *needed > 0).collect(),
            base_name: None,
            occupied: BTreeSet::new(),
        }
    }

    /// One run of the guild's own job.
    fn tidy(&mut self, now: u64, luck: &mut dyn FnMut() -> Luck) -> rooms::Decision {
        let mut state = self.rooms_state();
        let mut event = rooms::Event::Tick;
        let mut last = rooms::Decision::default();
        for _ in 0..12 {
            last = rooms::decide(&mut state, &event, at(now));
            self.save(&state);
            if last.actions.is_empty() {
                break;
            }
            let actions = last.actions.clone().into_iter();
            let outcomes: Vec<_> = actions
                .map(|action| (action.clone(), self.perform(&action, luck(), now)))
                .collect();
            // One that is not sent ends the run, too.
            let ends = |(_, outcome): &(_, Option<Outcome>)| matches!(outcome, None | Some(Outcome::NotSent));
            let lost = outcomes.iter().any(ends);
            let known = outcomes
                .into_iter()
                .filter_map(|(action, outcome)| Some((action, outcome?)));
            event = rooms::Event::Outcomes(known.collect());
            if lost {
                rooms::absorb(&mut state, &event, at(now));
                self.save(&state);
                break;
            }
        }
        last
    }

    /// As the table does, which takes no row without a reason.
    fn save(&mut self, state: &rooms::State) {
        let says_something = |category: &rooms::Category| {
            category.channel.is_some()
                || category.intended_at.is_some()
                || category.uncertain_since.is_some()
                || category.blocked.is_some()
                || !category.strays.is_empty()
        };
        assert!(state.categories.values().all(says_something), "{:#?}", state.categories);
        self.categories = state.categories.clone();
    }

    fn perform(&mut self, action: &rooms::Action, luck: Luck, now: u64) -> Option<Outcome> {
        self.steps.push(action.clone());
        match luck {
            Luck::LostBefore => return None,
            Luck::NotSent => return Some(Outcome::NotSent),
            Luck::Refused => return Some(Outcome::Refused("no".to_owned())),
            Luck::Fine | Luck::LostAfter => {}
        }
        let toy = &mut self.toy;
        let outcome = match action {
            rooms::Action::AskName { base } => Outcome::Named(toy.channels[base].0.clone()),
            rooms::Action::CreateCategory { name, .. } => toy.create(name, None, at(now)),
            rooms::Action::FindCategory { name, since, .. } => {
                let fits = |(_, (known, made)): &(&ChannelId, &(String, Option<Timestamp>))| {
                    known == name && made.is_some_and(|made| made >= *since)
                };
                Outcome::Found(toy.channels.iter().filter(fits).map(|(id, _)| *id).collect())
            }
            rooms::Action::CheckCategory { channel, .. } if toy.channels.contains_key(channel) => Outcome::Done,
            rooms::Action::CheckCategory { .. } => Outcome::Gone,
            rooms::Action::DeleteCategory { channel, .. } if toy.inside(*channel) > 0 => Outcome::Occupied,
            rooms::Action::DeleteCategory { channel, .. } => toy.remove(*channel),
        };
        (luck != Luck::LostAfter).then_some(outcome)
    }

    /// Our further categories as they are in Discord.
    fn further(&self) -> Vec<&str> {
        let made = self.toy.made().into_iter();
        made.filter(|name| name.starts_with("Matches ")).collect()
    }

    /// Everybody is looked at until nothing happens any more.
    fn settle(&mut self, now: &mut u64) {
        for _ in 0..8 {
            *now += 2;
            let before = self.effort();
            for game in 0..self.games.len() {
                self.sync(game, Event::Tick, at(*now), &mut lucky);
            }
            self.tidy(*now, &mut lucky);
            if self.effort() == before {
                return;
            }
        }
        panic!("it does not come to rest: {:#?}", self.categories);
    }

    /// All steps so far. Where nobody tells of deletions, each run asks whether what is ours is still there: that is none.
    fn effort(&self) -> usize {
        let asks = |step: &&rooms::Action| matches!(step, rooms::Action::CheckCategory { .. });
        self.toy.calls.len() + self.steps.len() - self.steps.iter().filter(asks).count()
    }
}

#[test]
fn a_further_category_is_made_once_used_and_removed_when_it_is_empty() {
    let mut league = League::new(true, 48);
    league.ready(0);
    let waiting = [league.ready(0), league.ready(0)];
    assert_eq!(league.further(), Vec::<&str>::new());
    let mut planned = league.rooms_state();
    let first = rooms::decide(&mut planned, &rooms::Event::Tick, at(1));
    assert_eq!(first.to_string(), "- ask what category 9 is called");
    let named = rooms::Event::Outcomes(vec![(first.actions[0].clone(), Outcome::Named("Matches".to_owned()))]);
    let second = rooms::decide(&mut planned, &named, at(1));
    assert_eq!(second.to_string(), "- create category 'Matches 2'", "one for both");
    league.tidy(1, &mut lucky);
    for game in waiting {
        league.sync(game, Event::Tick, at(2), &mut lucky);
    }
    let further = league.categories[&2].channel.expect("made");
    assert_eq!((league.further(), league.toy.inside(further)), (vec!["Matches 2"], 4));
    assert_eq!(league.tidy(3, &mut lucky).actions, []);

    for game in waiting {
        let over = || api(facts(Status::Finished, &[1], &[2]));
        league.sync(game, over(), at(10), &mut lucky);
        league.sync(game, over(), at(70), &mut lucky);
    }
    let last = rooms::decide(&mut league.rooms_state(), &rooms::Event::Tick, at(71));
    assert_eq!(last.to_string(), format!("- delete category {further} if it is empty"));
    assert_eq!(league.tidy(71, &mut lucky).look_again, None);
    assert_eq!((league.further(), league.categories.len()), (vec![], 0));
}

#[test]
fn a_category_with_channels_of_others_stays_until_they_are_gone() {
    let mut league = League::new(true, 49);
    let game = league.ready(0);
    league.tidy(0, &mut lucky);
    league.sync(game, Event::Tick, at(1), &mut lucky);
    let further = league.categories[&2].channel.expect("made");
    league.toy.channels.insert(channel(77), ("a person's".to_owned(), None));
    league.toy.parents.insert(channel(77), further);
    let over = || api(facts(Status::Cancelled, &[1], &[2]));
    league.sync(game, over(), at(10), &mut lucky);
    league.sync(game, over(), at(70), &mut lucky);
    let decision = league.tidy(71, &mut lucky);
    assert_eq!(
        decision.to_string(),
        "nothing to do\n  (category 'Matches 2' stays: there are channels of others in it)"
    );
    assert_eq!(decision.look_again, Some(at(131)));
    league.toy.remove(channel(77));
    league.tidy(131, &mut lucky);
    assert_eq!((league.further(), league.categories.len()), (vec![], 0));
}

#[test]
fn a_create_without_an_answer_is_looked_for_and_what_it_left_is_removed() {
    let mut league = League::new(true, 49);
    let game = league.ready(0);
    let mut lost = [Luck::Fine, Luck::LostAfter].into_iter();
    league.tidy(0, &mut || lost.next().unwrap_or(Luck::Fine));
    assert_eq!(league.categories[&2].channel, None);
    league.tidy(2, &mut lucky);
    assert!(league.categories[&2].channel.is_some());
    league.toy.create("Matches 2", None, at(3));
    league.sync(game, Event::Tick, at(4), &mut lucky);
    let over = || api(facts(Status::Finished, &[1], &[2]));
    league.sync(game, over(), at(10), &mut lucky);
    league.sync(game, over(), at(70), &mut lucky);
    league.tidy(71, &mut lucky);
    assert_eq!(
        (league.further(), league.categories.len()),
        (vec![], 0),
        "the late one too"
    );
}

#[test]
fn a_category_deleted_by_hand_is_forgotten_and_made_again_when_it_is_needed() {
    let mut league = League::new(true, 49);
    let game = league.ready(0);
    league.tidy(0, &mut lucky);
    league.sync(game, Event::Tick, at(1), &mut lucky);
    let further = league.categories[&2].channel.expect("made");
    league.toy.remove(further);
    league.tidy(2, &mut lucky);
    assert!(league.categories.is_empty());
    league.ready(3);
    league.tidy(4, &mut lucky);
    assert_eq!(league.further(), ["Matches 2"]);
}

#[test]
fn a_refused_category_says_why_to_those_who_wait_and_is_tried_again_later() {
    let mut league = League::new(true, 49);
    let game = league.ready(0);
    let mut refuse = [Luck::Fine, Luck::Refused].into_iter();
    let decision = league.tidy(0, &mut || refuse.next().unwrap_or(Luck::Fine));
    assert_eq!(decision.to_string(), "nothing to do\n  (category 'Matches 2': no)");
    let decision = league.sync(game, Event::Tick, at(60), &mut lucky);
    assert!(
        decision.to_string().contains("no further one can be made: no"),
        "{decision}"
    );
    assert_eq!(league.toy.made().len(), 1, "there was room for one of the two");
    let steps = league.steps.len();
    league.tidy(61, &mut lucky);
    assert_eq!(league.steps.len(), steps);
    league.tidy(600, &mut lucky);
    assert_eq!(league.further(), ["Matches 2"]);
}

#[test]
fn a_full_guild_gets_no_category() {
    let mut league = League::new(true, 50);
    for id in 0..447 {
        league
            .toy
            .channels
            .insert(channel(10_000 + id), ("text".to_owned(), None));
    }
    assert_eq!(league.toy.channels.len(), 500);
    league.toy.remove(channel(10_000));
    league.toy.remove(channel(10_001));
    let game = league.ready(0);
    let decision = league.tidy(0, &mut lucky);
    assert!(decision.to_string().contains("500 channels"), "{decision}");
    let decision = league.sync(game, Event::Tick, at(60), &mut lucky);
    assert!(
        decision.to_string().contains("no further one can be made"),
        "{decision}"
    );
    let asks = |step: &&rooms::Action| !matches!(step, rooms::Action::AskName { .. });
    assert_eq!(league.steps.iter().filter(asks).count(), 0);
}

/// What happens next.
#[derive(Clone, Debug)]
enum Turn {
    Begin,
    End(prop::sample::Index),
    Tidy(Vec<u8>),
    Wait,
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        4 => Just(Turn::Begin),
        2 => any::<prop::sample::Index>().prop_map(Turn::End),
        3 => prop::collection::vec(0_u8..10, 0..4).prop_map(Turn::Tidy),
        1 => Just(Turn::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_everybody_gets_a_channel_and_nothing_is_left(
        turns in prop::collection::vec(turn(), 1..40),
        told in any::<bool>(),
        taken in 30_u64..=50,
    ) {
        let mut league = League::new(told, taken);
        let (mut now, mut running) = (0, Vec::new());
        for turn in turns {
            now += 3;
            match turn {
                Turn::Begin => running.push(league.ready(now)),
                Turn::End(which) if !running.is_empty() => {
                    let game = running.remove(which.index(running.len()));
                    league.sync(game, api(facts(Status::Finished, &[1], &[2])), at(now), &mut lucky);
                }
                Turn::Tidy(luck) => {
                    let mut luck = luck.into_iter();
                    league.tidy(now, &mut || match luck.next() {
                        Some(0 | 1) => Luck::LostBefore,
                        Some(2 | 3) => Luck::LostAfter,
                        Some(4) => Luck::NotSent,
                        _ => Luck::Fine,
                    });
                }
                Turn::End(_) | Turn::Wait => now += 60,
            }
        }
        // Past every grace period.
        now += 100;
        league.settle(&mut now);
        for game in &running {
            let slots = &league.games[*game].record.slots;
            prop_assert!(Faction::BOTH.iter().all(|faction| slots[faction].channel.is_some()), "{slots:#?}");
        }
        for id in league.toy.channels.keys() {
            prop_assert!(league.toy.inside(*id) <= IN_CATEGORY);
        }
        let needed = (2 * running.len()).saturating_sub(50 - taken as usize).div_ceil(IN_CATEGORY);
        let further = league.further().len();
        // A place for one channel may stay empty in each, since a match's two go together; and who sits in a later one stays there.
        prop_assert!(further >= needed, "{further} of {needed}");
        for category in league.categories.values() {
            let channel = category.channel.expect("at rest");
            prop_assert!(league.toy.inside(channel) > 0, "an empty one is left");
        }
        let before = league.effort();
        league.settle(&mut now);
        prop_assert_eq!(league.effort(), before);

        for game in running {
            league.sync(game, api(facts(Status::Aborted, &[1], &[2])), at(now), &mut lucky);
        }
        now += 100;
        league.settle(&mut now);
        prop_assert_eq!(league.toy.made(), Vec::<&str>::new());
        prop_assert!(league.categories.is_empty());
        prop_assert_eq!(league.toy.inside(channel(BASE)), taken as usize, "those of others stay");
    }
}
