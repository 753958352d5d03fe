//! Promises to the people in voice, over random lives of a match in which they come, go and change channels.

use std::{collections::BTreeSet, sync::Arc};

use proptest::prelude::*;

use crate::domain::{
    event::{Event, State},
    ids::Faction,
    match_facts::Status,
    plan::Destination,
    settings::ReturnTo,
    tests::toy::{BAR, LOBBY, Luck, MADE, Toy, api, at, channel, facts, lucky, run, state, user},
};

const USERS: [u64; 6] = [11, 12, 13, 21, 22, 23];
/// Nobody's player.
const STRANGER: u64 = 33;

/// Somebody goes somewhere: to the lobby, the bar, a team's channel, or out of voice.
#[derive(Clone, Copy, Debug)]
enum Goal {
    Lobby,
    Bar,
    Team(Faction),
    Out,
}

fn hops(most: usize) -> impl Strategy<Value = Vec<(u64, Goal)>> {
    let who = prop::sample::select([&USERS[..], &[STRANGER]].concat());
    let goal = prop::sample::select(vec![
        Goal::Lobby,
        Goal::Bar,
        Goal::Out,
        Goal::Team(Faction::One),
        Goal::Team(Faction::Two),
    ]);
    prop::collection::vec((who, goal), 0..most)
}

fn hop(state: &State, toy: &mut Toy, (who, goal): (u64, Goal)) {
    let to = match goal {
        Goal::Lobby => Some(LOBBY),
        Goal::Bar => Some(BAR),
        Goal::Out => None,
        Goal::Team(faction) => {
            let channel = state.record.slots.get(&faction).and_then(|slot| slot.channel);
            let Some(channel) = channel.filter(|channel| toy.channels.contains_key(channel)) else {
                return;
            };
            Some(channel.get())
        }
    };
    toy.goes(who, to);
}

#[derive(Clone, Debug)]
struct Chapter {
    status: Status,
    one: Vec<u64>,
    two: Vec<u64>,
    hops: Vec<(u64, Goal)>,
    wait: u64,
    luck: Vec<u8>,
}

fn chapter() -> impl Strategy<Value = Chapter> {
    let status = prop::sample::select(vec![
        Status::Configuring,
        Status::Ready,
        Status::Ongoing,
        Status::Finished,
        Status::Cancelled,
    ]);
    let roster = || prop::sample::subsequence(USERS.to_vec(), 1..=4);
    let luck = prop::collection::vec(0_u8..10, 0..10);
    (status, roster(), roster(), hops(6), 0_u64..1500, luck).prop_map(|(status, one, two, hops, wait, luck)| Chapter {
        status,
        one,
        two,
        hops,
        wait,
        luck,
    })
}

fn luck(bytes: &[u8]) -> impl FnMut() -> Luck + '_ {
    let mut bytes = bytes.iter().copied();
    move || match bytes.next() {
        Some(0) => Luck::LostBefore,
        Some(1) => Luck::LostAfter,
        Some(2) => Luck::Refused,
        _ => Luck::Fine,
    }
}

/// A guild with these settings, in which the last of `USERS` has opted out.
fn guild(sources: bool, return_to: ReturnTo) -> State {
    let mut state = state(USERS);
    let settings = Arc::make_mut(state.settings.as_mut().expect("a guild claims it"));
    settings.return_to = return_to;
    if sources {
        settings.source_channels = [channel(LOBBY)].into();
    }
    state
        .links
        .values_mut()
        .for_each(|link| link.opted_out = link.user == user(USERS[5]));
    state
}

fn return_to() -> impl Strategy<Value = ReturnTo> {
    prop::sample::select(ReturnTo::ALL.to_vec())
}

/// Plays until a run has nothing to do; gives the time then.
fn settle(state: &mut State, toy: &mut Toy, event: &Event, mut now: u64) -> u64 {
    for _ in 0..6 {
        now += 2;
        if run(state, event.clone(), at(now), toy, &mut lucky).actions.is_empty() {
            return now;
        }
    }
    panic!("it does not come to rest: {state:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_moved_who_opted_out_or_sits_where_nobody_is_moved_from(
        chapters in prop::collection::vec(chapter(), 1..6),
        sources in any::<bool>(),
        return_to in return_to(),
        heard in any::<bool>(),
    ) {
        let everybody = USERS.into_iter().chain([STRANGER]);
        let (mut state, mut toy) = (guild(sources, return_to), Toy::told(everybody, heard));
        let mut now = 0;
        for Chapter { status, one, two, hops, wait, luck: bytes } in chapters {
            let event = api(facts(status, &one, &two));
            run(&mut state, event.clone(), at(now), &mut toy, &mut luck(&bytes));
            hops.iter().for_each(|one| hop(&state, &mut toy, *one));
            now = settle(&mut state, &mut toy, &event, now) + wait;
        }
        for (who, from, to) in &toy.moves {
            let ours = from.is_some_and(|from| from.get() > MADE);
            prop_assert_ne!(*who, user(USERS[5]), "he opted out");
            match to {
                Destination::Slot { .. } => {
                    let allowed = !sources || *from == Some(channel(LOBBY)) || from.is_none() || ours;
                    prop_assert!(allowed, "{who} was moved from {from:?}");
                    // Whoever is listened to need not be tried.
                    prop_assert!(!heard || from.is_some(), "{who} was not in voice");
                }
                _ => prop_assert!(ours, "{who} was moved out of {from:?}, which is no match's"),
            }
        }
    }

    #[test]
    fn a_standing_match_moves_only_those_who_come_to_voice_anew(hops in hops(12)) {
        let (mut state, mut toy) = (guild(false, ReturnTo::Before), Toy::told(USERS, true));
        let ready = api(facts(Status::Ready, &[11, 12, 13], &[21, 22, 23]));
        run(&mut state, ready, at(0), &mut toy, &mut lucky);
        for (at_second, (who, goal)) in (1..).zip(hops) {
            let calls = toy.calls.len();
            let comes = toy.seat(who).is_none() && USERS[..5].contains(&who);
            hop(&state, &mut toy, (who, goal));
            let own = if who < 20 { Faction::One } else { Faction::Two };
            let own = state.record.slots[&own].channel.map(|channel| channel.get());
            let late = comes && toy.seat(who).is_some() && toy.seat(who) != own;
            for _ in 0..2 {
                run(&mut state, Event::Tick, at(at_second), &mut toy, &mut lucky);
                prop_assert_eq!(toy.calls.len(), calls + usize::from(late), "{} {:?}", who, goal);
            }
            if late {
                prop_assert_eq!(toy.seat(who), own);
            }
        }
    }

    #[test]
    fn at_the_end_nobody_is_thrown_out_of_voice_and_everybody_is_back(
        chapters in prop::collection::vec(chapter(), 1..5),
        last_hops in hops(6),
    ) {
        let everybody = USERS.into_iter().chain([STRANGER]);
        let (mut state, mut toy) = (guild(false, ReturnTo::Before), Toy::told(everybody, true));
        let mut now = 0;
        for Chapter { status, one, two, hops, wait, .. } in chapters {
            let event = api(facts(status, &one, &two));
            now = settle(&mut state, &mut toy, &event, now);
            hops.iter().for_each(|one| hop(&state, &mut toy, *one));
            now = settle(&mut state, &mut toy, &Event::Tick, now) + wait;
        }
        let over = || api(facts(Status::Finished, &[11, 12, 13], &[21, 22, 23]));
        now = settle(&mut state, &mut toy, &over(), now);
        last_hops.iter().for_each(|one| hop(&state, &mut toy, *one));
        let before: BTreeSet<_> = toy.seats.keys().copied().collect();
        let free: Vec<_> = toy.seats.clone().into_iter().filter(|(_, seat)| seat.get() < MADE).collect();
        settle(&mut state, &mut toy, &over(), now + 100);
        prop_assert!(toy.made().is_empty());
        let mut after: BTreeSet<_> = toy.seats.keys().copied().collect();
        // Who opted out is not moved, not even back.
        after.extend(before.get(&user(USERS[5])));
        prop_assert_eq!(before, after);
        for (who, seat) in free {
            prop_assert_eq!(toy.seats.get(&who), Some(&seat), "{} sat in no match channel", who);
        }
    }

    #[test]
    fn lost_answers_do_not_make_us_forget_where_people_came_from(
        bar in prop::sample::subsequence(USERS[..5].to_vec(), 0..=5),
        bytes in prop::collection::vec(prop::sample::select(vec![0_u8, 1, 9]), 0..14),
    ) {
        let (mut state, mut toy) = (guild(false, ReturnTo::Before), Toy::told(USERS, true));
        bar.iter().for_each(|who| toy.goes(*who, Some(BAR)));
        let before = toy.seats.clone();
        let ready = api(facts(Status::Ready, &[11, 12, 13], &[21, 22, 23]));
        run(&mut state, ready.clone(), at(0), &mut toy, &mut luck(&bytes));
        let now = settle(&mut state, &mut toy, &ready, 0);
        prop_assert!(USERS[..5].iter().all(|who| toy.seat(*who).is_some_and(|seat| seat > MADE)));
        let over = api(facts(Status::Finished, &[11, 12, 13], &[21, 22, 23]));
        let now = settle(&mut state, &mut toy, &over, now);
        settle(&mut state, &mut toy, &over, now + 100);
        prop_assert_eq!(toy.seats, before);
    }
}
